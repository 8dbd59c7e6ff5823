//! The inner loops of convolutions: tiles of sums that fill the registers, straight from images with a border.

#![expect(unsafe_code, reason = "a check of bounds per register would cost as much as the sums")]

use pulp::Simd;

use super::element::Element;
use super::geometry::Geometry;

/// Channels of a tile.
pub const ROWS: usize = 4;
/// Registers of pixels of a tile: with 4 x 3 sums, 3 registers of pixels and one weight, the 16 registers of AVX2 are full.
const COLUMNS: usize = 3;

/// A register from anywhere in memory.
///
/// # Safety
/// A register's numbers from `at` on can be read.
#[inline(always)]
unsafe fn load<S: Simd, T: Element>(at: *const T) -> T::Lanes<S> {
    // SAFETY: the caller's premise; every pattern of bits is a register (`Pod`), and the address need not be aligned.
    unsafe { at.cast::<T::Lanes<S>>().read_unaligned() }
}

/// A correlation of one image with packed weights.
pub struct Correlate<'a, T> {
    /// `[channels out, H, W]`.
    pub out: &'a mut [T],
    /// See [`pack`].
    pub weight: &'a [T],
    /// Where the sums start, one number per channel out; empty for zero.
    pub bias: &'a [T],
    /// The image inside of its border.
    pub x: &'a [T],
    /// Of `x`.
    pub geometry: &'a Geometry,
}

/// Weights `at(out, in, tap)` in the order the tiles read them: `[block of 4 outputs, kernel row, input, kernel column, 4]`,
/// zero beyond the last output.
pub fn pack<T: Element>(
    [outputs, inputs]: [usize; 2],
    [kh, kw]: [usize; 2],
    at: impl Fn(usize, usize, usize) -> T,
) -> Vec<T> {
    let mut packed = Vec::with_capacity(outputs.next_multiple_of(ROWS) * inputs * kh * kw);
    for block in (0..outputs).step_by(ROWS) {
        for i in 0..kh {
            for c in 0..inputs {
                for j in 0..kw {
                    packed.extend(
                        (block..block + ROWS).map(|o| if o < outputs { at(o, c, i * kw + j) } else { T::zero() }),
                    );
                }
            }
        }
    }
    packed
}

impl<T: Element> Correlate<'_, T> {
    /// One tile of P registers, from register `first` of the image on.
    #[inline(always)]
    fn tile<S: Simd, const P: usize>(&mut self, simd: S, first: usize) {
        let g = self.geometry;
        let at: [usize; P] = std::array::from_fn(|p| g.positions[first + p]);
        let live = g.live_taps(first / g.vectors, (first + P - 1) / g.vectors);
        let row = g.taps_of_row();
        let steps = live.start * row..live.end * row;
        let offsets = &g.offsets[steps.clone()];
        let (width, pixels) = (g.width(), g.pixels());
        // Output pixels of each register; a register that reaches past the end of its row writes the part inside.
        let to: [std::ops::Range<usize>; P] = std::array::from_fn(|p| {
            let (y, x) = ((first + p) / g.vectors, (first + p) % g.vectors * g.lanes);
            y * width + x..y * width + width.min(x + g.lanes)
        });
        let whole = g.offsets.len() * ROWS;
        for (block, weight) in self.weight.chunks_exact(whole).enumerate() {
            let outputs = &mut self.out[block * ROWS * pixels..];
            let bias = |o: usize| self.bias.get(block * ROWS + o).copied().unwrap_or(T::zero());
            let mut sums: [[T::Lanes<S>; P]; ROWS] = std::array::from_fn(|o| [T::splat(simd, bias(o)); P]);
            let weight = &weight[steps.start * ROWS..steps.end * ROWS];
            for (weight, &offset) in weight.chunks_exact(ROWS).zip(offsets) {
                // SAFETY: `simd`, the only caller, asserted that the largest offset and position lie in `x` with a register
                // behind them; positions ascend (`Geometry::new`).
                let x: [T::Lanes<S>; P] =
                    std::array::from_fn(|p| unsafe { load::<S, T>(self.x.as_ptr().add(offset + at[p])) });
                for o in 0..ROWS {
                    let w = T::splat(simd, weight[o]);
                    for p in 0..P {
                        sums[o][p] = T::multiply_add(simd, w, x[p], sums[o][p]);
                    }
                }
            }
            for (out, sums) in outputs.chunks_exact_mut(pixels).zip(&sums) {
                for (to, sum) in to.iter().zip(sums) {
                    let (out, sum) = (&mut out[to.clone()], bytemuck::cast_slice(std::slice::from_ref(sum)));
                    // A copy of known length is one instruction.
                    if out.len() == sum.len() {
                        out.copy_from_slice(sum);
                    } else {
                        out.copy_from_slice(&sum[..out.len()]);
                    }
                }
            }
        }
    }

    /// The whole image.
    #[inline(always)]
    pub fn simd<S: Simd>(mut self, simd: S) {
        let g = self.geometry;
        assert_eq!(size_of::<T::Lanes<S>>(), g.lanes * size_of::<T>());
        assert!(g.last() + g.lanes <= self.x.len(), "taps leave the image");
        let count = g.positions.len();
        let whole = count / COLUMNS * COLUMNS;
        for first in (0..whole).step_by(COLUMNS) {
            self.tile::<S, COLUMNS>(simd, first);
        }
        for first in whole..count {
            self.tile::<S, 1>(simd, first);
        }
    }
}

/// Gradient of the weights over some images.
pub struct WeightGradient<'a, T> {
    /// `[C', C, k, k']`, added to.
    pub out: &'a mut [T],
    /// Input images with their borders, one after the other.
    pub x: &'a [T],
    /// Gradients of the output images, likewise.
    pub g: &'a [T],
    /// Of one image of `x`.
    pub geometry: &'a Geometry,
    /// Output channels C'.
    pub outputs: usize,
    /// Input channels C.
    pub inputs: usize,
}

impl<T: Element> WeightGradient<'_, T> {
    /// K taps from `first` on, for the block of outputs that begins with `block`.
    #[inline(always)]
    fn tile<S: Simd, const K: usize>(&mut self, simd: S, block: usize, tap: usize, first: usize) {
        let g = self.geometry;
        let rows = g.live_rows(tap);
        let positions = &g.positions[rows.start * g.vectors..rows.end * g.vectors];
        let taps: [usize; K] = std::array::from_fn(|k| g.offsets[first + k]);
        // Places of the block beyond the last output compute that output again; their result is not stored.
        let planes: [usize; ROWS] = std::array::from_fn(|o| (block + o).min(self.outputs - 1) * g.plane + g.centre);
        let mut sums = [[T::splat(simd, T::zero()); K]; ROWS];
        let images = self.x.chunks_exact(self.inputs * g.plane).zip(self.g.chunks_exact(self.outputs * g.plane));
        for (x, gradient) in images {
            let (x, gradient) = (x.as_ptr(), gradient.as_ptr());
            for &at in positions {
                // SAFETY: `simd`, the only caller, asserted that the largest offset and position lie in an image with a
                // register behind them; positions ascend (`Geometry::new`).
                let x: [T::Lanes<S>; K] = std::array::from_fn(|k| unsafe { load::<S, T>(x.add(taps[k] + at)) });
                for o in 0..ROWS {
                    // SAFETY: the same, for the planes of the outputs: `simd` asserted that the last position lies in one.
                    let g = unsafe { load::<S, T>(gradient.add(planes[o] + at)) };
                    for k in 0..K {
                        sums[o][k] = T::multiply_add(simd, g, x[k], sums[o][k]);
                    }
                }
            }
        }
        let row = g.taps_of_row();
        let columns = row / self.inputs;
        let per_output = g.offsets.len();
        for (o, sums) in sums.iter().enumerate().take(self.outputs - block) {
            for (k, &sum) in sums.iter().enumerate() {
                let within = first + k - tap * row;
                let (c, j) = (within / columns, within % columns);
                let at = (block + o) * per_output + (c * (per_output / row) + tap) * columns + j;
                self.out[at] += T::total(simd, sum);
            }
        }
    }

    /// All weights.
    #[inline(always)]
    pub fn simd<S: Simd>(mut self, simd: S) {
        let g = self.geometry;
        assert_eq!(size_of::<T::Lanes<S>>(), g.lanes * size_of::<T>());
        let most = g.positions.last().map_or(0, |p| p + g.lanes);
        assert!(g.last() + g.lanes <= self.inputs * g.plane, "taps leave the image");
        assert!(g.centre + most <= g.plane, "gradients leave their planes");
        let row = g.taps_of_row();
        for block in (0..self.outputs).step_by(ROWS) {
            for tap in 0..g.offsets.len() / row {
                let (mut first, end) = (tap * row, (tap + 1) * row);
                while first + COLUMNS <= end {
                    self.tile::<S, COLUMNS>(simd, block, tap, first);
                    first += COLUMNS;
                }
                for first in first..end {
                    self.tile::<S, 1>(simd, block, tap, first);
                }
            }
        }
    }
}
