//! Complex matrices as two planes, and the packings of the pilots.

use super::real::{Real, TILE_ROWS};
use crate::link::C64;

/// A complex matrix as a real and an imaginary plane, rows padded with zeros to `stride`.
#[derive(Debug, Clone)]
pub(crate) struct Planes<T> {
    /// Real parts, `[rows, stride]`.
    pub re: Vec<T>,
    /// Imaginary parts, `[rows, stride]`.
    pub im: Vec<T>,
    /// Length of a padded row.
    pub stride: usize,
}

impl<T: Real> Planes<T> {
    /// Zeros; `columns` is rounded up to a multiple of `multiple`.
    pub fn zeros(rows: usize, columns: usize, multiple: usize) -> Self {
        let stride = columns.next_multiple_of(multiple);
        Self { re: vec![T::ZERO; rows * stride], im: vec![T::ZERO; rows * stride], stride }
    }

    /// Both planes.
    #[inline(always)]
    pub fn parts(&self) -> [&[T]; 2] {
        [&self.re, &self.im]
    }

    /// Both planes of one padded row.
    #[inline(always)]
    pub fn row(&self, row: usize) -> [&[T]; 2] {
        let at = row * self.stride;
        [&self.re[at..at + self.stride], &self.im[at..at + self.stride]]
    }

    /// Both planes, to be written.
    #[inline(always)]
    pub fn parts_mut(&mut self) -> [&mut [T]; 2] {
        [&mut self.re, &mut self.im]
    }

    /// Copies row-major complex data, scaled.
    pub fn load(&mut self, data: &[C64], columns: usize, scale: f64) {
        let stride = self.stride;
        for (r, row) in data.chunks_exact(columns).enumerate() {
            for (c, v) in row.iter().enumerate() {
                self.re[r * stride + c] = T::of(v.re * scale);
                self.im[r * stride + c] = T::of(v.im * scale);
            }
        }
    }

    /// Copies back to row-major complex data.
    pub fn store(&self, data: &mut [C64], columns: usize) {
        for (r, row) in data.chunks_exact_mut(columns).enumerate() {
            for (c, v) in row.iter_mut().enumerate() {
                *v = C64::new(self.re[r * self.stride + c].wide(), self.im[r * self.stride + c].wide());
            }
        }
    }
}

/// Packs `rows x depth` numbers into panels `[rows / 4, depth, 4]`, the left factor of [`Real::tile`].
pub(crate) fn pack<T: Real>(rows: usize, depth: usize, entry: impl Fn(usize, usize) -> C64) -> [Vec<T>; 2] {
    let panels = rows.div_ceil(TILE_ROWS);
    let mut out = [vec![T::ZERO; panels * depth * TILE_ROWS], vec![T::ZERO; panels * depth * TILE_ROWS]];
    for r in 0..rows {
        for k in 0..depth {
            let v = entry(r, k);
            let at = (r / TILE_ROWS * depth + k) * TILE_ROWS + r % TILE_ROWS;
            out[0][at] = T::of(v.re);
            out[1][at] = T::of(v.im);
        }
    }
    out
}
