//! Products of the pilots with matrices of lanes.

use std::ops::Range;

use rayon::prelude::*;

use crate::link::C64;
use crate::math::isa::Isa;
use crate::math::lanes::Lanes;

/// Rows of the left factor that a tile of a product computes together, for one antenna: ten sums and two numbers of the
/// right factor stay in registers, and there are enough sums to hide the time that each of them takes.
pub(crate) const TILE: usize = 5;

/// One entry of each row of a panel, (re, im).
pub(crate) type Entries = [[f32; 2]; TILE];

/// A matrix as panels of `TILE` rows, some columns at a time: `[blocks, rows/TILE, columns of a block]`. What a product of one
/// block reads lies side by side.
pub(crate) struct Panels {
    data: Vec<Entries>,
    rows: usize,
    depth: usize,
}

impl Panels {
    /// By all threads: with many devices and few frames, packing alone is a tenth of the work.
    pub fn new(rows: usize, depth: usize, block: usize, entry: impl Fn(usize, usize) -> C64 + Sync) -> Self {
        let panels = rows.div_ceil(TILE);
        let mut data = vec![[[0.0; 2]; TILE]; panels * depth];
        data.par_chunks_mut(block * panels).enumerate().for_each(|(b, part)| {
            part.par_chunks_mut(block.min(depth - b * block)).enumerate().for_each(|(p, panel)| {
                for (k, entries) in panel.iter_mut().enumerate() {
                    for (r, to) in (p * TILE..rows).zip(entries) {
                        let v = entry(r, b * block + k);
                        *to = [v.re as f32, v.im as f32];
                    }
                }
            });
        });
        Self { data, rows, depth }
    }

    /// Panels of a matrix of one block from a row on, a multiple of `TILE`: the distance of their first row from there, the
    /// number of rows that exist, and their entries.
    #[inline(always)]
    pub fn panels_from(&self, row: usize) -> impl Iterator<Item = (usize, usize, &[Entries])> {
        self.parts(row, &self.data[row / TILE * self.depth..], self.depth)
    }

    /// The same for all rows and the columns of one block.
    #[inline(always)]
    pub fn of_block(&self, columns: Range<usize>) -> impl Iterator<Item = (usize, usize, &[Entries])> {
        let panels = self.rows.div_ceil(TILE);
        self.parts(0, &self.data[columns.start * panels..columns.end * panels], columns.len())
    }

    #[inline(always)]
    fn parts<'a>(
        &self,
        row: usize,
        data: &'a [Entries],
        columns: usize,
    ) -> impl Iterator<Item = (usize, usize, &'a [Entries])> + use<'a> {
        let rows = self.rows - row;
        data.chunks_exact(columns).enumerate().map(move |(p, panel)| (p * TILE, TILE.min(rows - p * TILE), panel))
    }
}

/// What becomes of the rows that a product goes to.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum To {
    Add,
    Subtract,
}

/// `to += panel b` or `to -= panel b` for the rows of a panel that exist; the iterator gives the entries of a column of the
/// panel with the row of b that they meet.
#[inline(always)]
pub(crate) fn product<'a, V: Lanes<Number = f32>, I: Isa>(
    isa: I,
    to: [&mut [V]; 2],
    rows: usize,
    what: To,
    entries: impl Iterator<Item = (&'a Entries, V, V)>,
) {
    match rows {
        TILE => write(to, tile::<_, TILE, _>(isa, entries), what),
        4 => write(to, tile::<_, 4, _>(isa, entries), what),
        3 => write(to, tile::<_, 3, _>(isa, entries), what),
        2 => write(to, tile::<_, 2, _>(isa, entries), what),
        _ => write(to, tile::<_, 1, _>(isa, entries), what),
    }
}

/// `sums[r] = sum_k panel[k][r] b[k]` for the first `R` rows of a panel, over the entries of the iterator.
#[inline(always)]
fn tile<'a, V: Lanes<Number = f32>, const R: usize, I: Isa>(
    isa: I,
    entries: impl Iterator<Item = (&'a Entries, V, V)>,
) -> [[V; 2]; R] {
    let (mut re, mut im) = ([V::ZERO; R], [V::ZERO; R]);
    for (s, b_re, b_im) in entries {
        for r in 0..R {
            let (x, y) = (V::splat(s[r][0]), V::splat(s[r][1]));
            re[r] = x.madd(isa, b_re, re[r]);
            im[r] = x.madd(isa, b_im, im[r]);
            re[r] = y.map(|v| -v).madd(isa, b_im, re[r]);
            im[r] = y.madd(isa, b_re, im[r]);
        }
    }
    let mut sums = [[V::ZERO; 2]; R];
    for r in 0..R {
        sums[r] = [re[r], im[r]];
    }
    sums
}

#[inline(always)]
fn write<V: Lanes<Number = f32>, const R: usize>(to: [&mut [V]; 2], sums: [[V; 2]; R], what: To) {
    let [re, im] = to;
    let (re, im) = (&mut re[..R], &mut im[..R]);
    for r in 0..R {
        let sign = if what == To::Add { 1.0 } else { -1.0 };
        re[r] = re[r].zip(sums[r][0], |a, b| a + sign * b);
        im[r] = im[r].zip(sums[r][1], |a, b| a + sign * b);
    }
}
