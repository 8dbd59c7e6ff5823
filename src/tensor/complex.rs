//! Complex arithmetic as stacked real/imaginary tensors.
//!
//! Layout rule: the device (column) dimension is last and the batch is folded into rows, so that every product with
//! the pilots is one 2-D matmul. A complex batch `[F, L, M]` becomes a real tensor `[F*M, 2L]`: row `f*M + m` holds the
//! L real parts, then the L imaginary parts, of antenna m in frame f.

use burn::tensor::{Device, Tensor, TensorData};

use crate::link::{C64, Pilots};

/// Stacks a host batch `[F, L, M]` (row-major) to `[F*M, 2L]`.
pub fn stack_frames(y: &[C64], frames: usize, length: usize, antennas: usize, device: &Device) -> Tensor<2> {
    let mut data = vec![0.0_f32; frames * antennas * 2 * length];
    for (f, frame) in y.chunks_exact(length * antennas).enumerate() {
        for (t, row) in frame.chunks_exact(antennas).enumerate() {
            for (m, v) in row.iter().enumerate() {
                let at = (f * antennas + m) * 2 * length;
                data[at + t] = v.re as f32;
                data[at + length + t] = v.im as f32;
            }
        }
    }
    Tensor::from_data(TensorData::new(data, [frames * antennas, 2 * length]), device)
}

/// The inverse of [`stack_frames`]: `[F*M, 2K]` values (row-major) to a host batch `[F, K, M]`.
pub fn unstack_rows(data: &[f32], frames: usize, columns: usize, antennas: usize) -> Vec<C64> {
    let mut out = vec![C64::new(0.0, 0.0); frames * columns * antennas];
    for f in 0..frames {
        for m in 0..antennas {
            let at = (f * antennas + m) * 2 * columns;
            for k in 0..columns {
                let v = C64::new(f64::from(data[at + k]), f64::from(data[at + columns + k]));
                out[(f * columns + k) * antennas + m] = v;
            }
        }
    }
    out
}

/// Real and imaginary parts of the pilots as one tensor `[2L, K]`: L real rows, then L imaginary rows; columns are
/// divided by the root of the pilot energy, so that they have unit norm on average.
pub fn stack_pilots(pilots: &Pilots, device: &Device) -> Tensor<2> {
    let scale = pilots.energy().sqrt();
    let part = |f: fn(&C64) -> f64| pilots.data().iter().map(move |v| (f(v) / scale) as f32);
    let data: Vec<f32> = part(|v| v.re).chain(part(|v| v.im)).collect();
    Tensor::from_data(TensorData::new(data, [2 * pilots.length(), pilots.columns()]), device)
}

/// The real matrix `[2K, 2L]` that multiplies stacked rows of X to give stacked rows of `S X`:
/// `[x_re, x_im] [[S_re^T, S_im^T], [-S_im^T, S_re^T]]`; `s [2L, K]` as from [`stack_pilots`].
pub fn synthesis_matrix(s: Tensor<2>) -> Tensor<2> {
    let (re_t, im_t) = split_transposed(s);
    let top = Tensor::cat(vec![re_t.clone(), im_t.clone()], 1);
    let bottom = Tensor::cat(vec![im_t.neg(), re_t], 1);
    Tensor::cat(vec![top, bottom], 0)
}

/// The real matrix `[2L, 2K]` that multiplies stacked rows of R to give stacked rows of `S^H R`; the transpose of
/// [`synthesis_matrix`].
pub fn analysis_matrix(s: Tensor<2>) -> Tensor<2> {
    synthesis_matrix(s).transpose()
}

/// `S_re^T` and `S_im^T`, each `[K, L]`.
fn split_transposed(s: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
    let [two_l, _] = s.dims();
    let t = s.transpose();
    (t.clone().narrow(1, 0, two_l / 2), t.narrow(1, two_l / 2, two_l / 2))
}
