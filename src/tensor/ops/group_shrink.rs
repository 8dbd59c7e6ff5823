//! The row soft threshold, from the row kernels.

use burn::backend::Dispatch;
use burn::backend::tensor::FloatTensor;
use burn::tensor::Tensor;

use super::primitives::{complement, div, mul};
use crate::tensor::Backend;

/// Rows of less energy count as zero; a normal number in f32.
pub(in crate::tensor) const TINY: f64 = 1e-30;

/// Row soft threshold, the proximal operator of `tau ||.||_2`: `x_k = (1 - tau_k/||z_k||)_+ z_k` over the antennas.
///
/// `z [F*M, 2K]`, `tau [F, K]` >= 0 -> `[F*M, 2K]`. A row of zeros stays zero and has no gradient.
pub fn group_shrink(z: Tensor<2>, tau: Tensor<2>, antennas: usize) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::group_shrink(z.into_dispatch(), tau.into_dispatch(), antennas))
}

/// `||z_k||` and the kept part `(1 - tau_k/||z_k||)_+` of every row, `[F, K]`.
fn kept<B: Backend>(z: &FloatTensor<B>, tau: &FloatTensor<B>, antennas: usize) -> [FloatTensor<B>; 2] {
    let energy = B::row_dot(z.clone(), z.clone(), antennas);
    let norm = B::float_sqrt(B::float_clamp_min(energy, TINY.into()));
    let part = complement::<B>(&div::<B>(tau, &norm));
    [norm, B::float_clamp_min(part, 0.0.into())]
}

/// Specification of [`group_shrink`].
pub(in crate::tensor) fn forward<B: Backend>(
    z: FloatTensor<B>,
    tau: &FloatTensor<B>,
    antennas: usize,
) -> FloatTensor<B> {
    let [_, kept] = kept::<B>(&z, tau, antennas);
    B::row_scale(z, kept, antennas)
}

/// For kept rows with `n = ||z||` and the gradient g of the result: `g_z = (1 - tau/n) g + tau/n^3 Re(z^H g) z` and
/// `g_tau = -Re(z^H g)/n`; zero for removed rows.
pub(in crate::tensor) fn backward<B: Backend>(
    z: FloatTensor<B>,
    tau: &FloatTensor<B>,
    g: FloatTensor<B>,
    antennas: usize,
) -> [FloatTensor<B>; 2] {
    let [norm, kept] = kept::<B>(&z, tau, antennas);
    let aligned = div::<B>(&B::row_dot(z.clone(), g.clone(), antennas), &norm);
    let aligned = B::float_mul(aligned, B::float_sign(kept.clone()));
    let along = div::<B>(&mul::<B>(&aligned, tau), &mul::<B>(&norm, &norm));
    let by_z = B::float_add(B::row_scale(g, kept, antennas), B::row_scale(z, along, antennas));
    [by_z, B::float_neg(aligned)]
}
