//! Row soft threshold from the row kernels, forward and backward.

use burn::backend::tensor::FloatTensor;

use super::ops::Backend;

/// Rows of less energy count as zero; a normal number in f32.
pub(super) const TINY: f64 = 1e-30;

/// `||z_k||` and the kept part `(1 - tau_k/||z_k||)_+` of every row, `[F, K]`.
fn kept<B: Backend>(z: FloatTensor<B>, tau: FloatTensor<B>, antennas: usize) -> (FloatTensor<B>, FloatTensor<B>) {
    let energy = B::row_dot(z.clone(), z, antennas);
    let norm = B::float_sqrt(B::float_clamp_min(energy, TINY.into()));
    let part = B::float_add_scalar(B::float_neg(B::float_div(tau, norm.clone())), 1.0.into());
    (norm, B::float_clamp_min(part, 0.0.into()))
}

pub(super) fn forward<B: Backend>(z: FloatTensor<B>, tau: FloatTensor<B>, antennas: usize) -> FloatTensor<B> {
    let (_, kept) = kept::<B>(z.clone(), tau, antennas);
    B::row_scale(z, kept, antennas)
}

/// For kept rows with `n = ||z||` and the gradient g of the result: `g_z = (1 - tau/n) g + tau/n^3 Re(z^H g) z` and
/// `g_tau = -Re(z^H g)/n`; zero for removed rows.
pub(super) fn backward<B: Backend>(
    z: FloatTensor<B>,
    tau: FloatTensor<B>,
    g: FloatTensor<B>,
    antennas: usize,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let (norm, kept) = kept::<B>(z.clone(), tau.clone(), antennas);
    let aligned = B::float_div(B::row_dot(z.clone(), g.clone(), antennas), norm.clone());
    let aligned = B::float_mul(aligned, B::float_sign(kept.clone()));
    let along = B::float_div(B::float_mul(aligned.clone(), tau), B::float_mul(norm.clone(), norm));
    let g_z = B::float_add(B::row_scale(g, kept, antennas), B::row_scale(z, along, antennas));
    (g_z, B::float_neg(aligned))
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::backend::Flex;
    use burn::backend::ops::FloatTensorOps;
    use burn::tensor::DType;

    use super::super::testing::{assert_same, numbers, scaled};
    use super::*;

    #[test]
    fn the_fast_threshold_is_the_specification() {
        for (dtype, tolerance) in [(DType::F32, 1e-5), (DType::F64, 1e-13)] {
            // Small thresholds keep all rows, large ones remove some, and rows of zeros stay.
            for (frames, m, k, size) in [(1, 1, 1, 0.5), (3, 2, 13, 1.0), (2, 4, 40, 3.0), (5, 3, 7, 0.0)] {
                let z = || scaled(1, [frames * m, 2 * k], if size == 0.0 { 0.0 } else { 1.0 }, dtype);
                let tau = || Flex::float_abs(scaled(2, [frames, k], size, dtype));
                let g = || numbers(3, [frames * m, 2 * k], dtype);
                assert_same("output", Flex::group_shrink(z(), tau(), m), forward::<Flex>(z(), tau(), m), tolerance);
                let fast = Flex::group_shrink_backward(z(), tau(), g(), m);
                let spec = backward::<Flex>(z(), tau(), g(), m);
                assert_same("z", fast.0, spec.0, tolerance);
                assert_same("tau", fast.1, spec.1, tolerance);
            }
        }
    }
}
