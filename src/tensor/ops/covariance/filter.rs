//! LMMSE filter outputs of every sequence.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch};
use burn::tensor::Tensor;

use super::triangular::Triangular;
use super::whitening::{Whitened, curve, row, scale, unwhiten, whiten};
use crate::tensor::Backend as _;
use crate::tensor::ops::CovarianceInputs;
use crate::tensor::ops::primitives::{Planes, adjoint, both, minus, stack, swap, times, unstack};

/// LMMSE filter outputs of every column: `z_k = s_k^H Sigma^-1 Y` with `Sigma = S diag(gamma) S^H + noise_var I`.
///
/// `gamma [F, K]` >= 0, `s [2L, K]` (real rows, then imaginary rows), `y [F*M, 2L]` -> `[F*M, 2K]`. `gamma_k z_k` is the
/// posterior mean of row k when its entries are `CN(0, gamma_k)`.
pub fn covariance_filter(gamma: Tensor<2>, s: Tensor<2>, y: Tensor<2>, antennas: usize, noise_var: f64) -> Tensor<2> {
    let tensors = [gamma, s, y].map(Tensor::into_dispatch);
    Tensor::from_dispatch(Dispatch::covariance_filter(CovarianceInputs::join(tensors, (antennas, noise_var))))
}

/// Planes `[F, K, M]` to `[F, M, K]` and back.
fn turned<B: Backend>(planes: Planes<B>) -> Planes<B> {
    both::<B>(planes, swap::<B>)
}

/// Specification of [`covariance_filter`]: `Z = S^H Sigma^-1 Y = W^H V`, `[F*M, 2K]`.
pub(in crate::tensor) fn forward<B: Backend, T: Triangular<B>>(inputs: CovarianceInputs<B>) -> FloatTensor<B> {
    stack::<B>(turned::<B>(whiten::<B, T>(inputs).d))
}

/// Gradients with respect to gamma, s (summed over frames) and y, for the gradient G `[K, M]` of Z.
///
/// The formulas of the CPU body with all vectors whitened: `P = V G^H`, `H = P W^H + W P^H`,
/// `g_gamma = -Re w^H H w/2`, `L^H g_S = P - H W diag(gamma)`, `L^H g_Y = W G`.
pub(in crate::tensor) fn backward<B: Backend, T: Triangular<B>>(
    inputs: CovarianceInputs<B>,
    g: FloatTensor<B>,
) -> [FloatTensor<B>; 3] {
    let (gamma, antennas) = (inputs.gamma.clone(), inputs.antennas);
    let Whitened { factor, w, v, .. } = whiten::<B, T>(inputs);
    let g_z = turned::<B>(unstack::<B>(&g, antennas));
    let p = times::<B>(v, adjoint::<B>(g_z.clone()));
    let (hw, curvature) = curve::<B>(p.clone(), &w);
    let g_gamma = B::float_mul_scalar(curvature, (-0.5).into());
    let gs = minus::<B>(p, scale::<B>(hw, &row::<B>(gamma)));
    let [gs, gy] = unwhiten::<B, T>(factor, gs, times::<B>(w, g_z));
    [g_gamma, gs, gy]
}
