//! Leave-one-out statistics of every sequence.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch};
use burn::tensor::{Slice, Tensor};

use super::triangular::Triangular;
use super::whitening::{Whitened, column, curve, row, scale, unwhiten, whiten};
use crate::tensor::Backend as _;
use crate::tensor::ops::CovarianceInputs;
use crate::tensor::ops::primitives::{adjoint, both, dims, minus, plus, times};

/// Leave-one-out statistics of the covariance method.
///
/// With `Sigma = S diag(gamma) S^H + noise_var I` and `Sigma_k = Sigma - gamma_k s_k s_k^H`, returns for every column k
/// `c_k = s_k^H Sigma_k^-1 s_k` (columns `0..K`) and `e_k = ||Y^H Sigma_k^-1 s_k||^2` (columns `K..2K`): the
/// log-likelihood ratio of "k sends with power b" is then `b e_k/(1 + b c_k) - M ln(1 + b c_k)`.
///
/// The leave-one-out step divides by `1 - gamma_k s_k^H Sigma^-1 s_k = 1/(1 + gamma_k c_k)`, which is kept at or above
/// 1e-4 on every backend: single precision on a GPU cannot tell smaller values. A sequence that stands with more than
/// 40 dB over the noise and the others is scored as if at 40 dB, and a ratio of `M 10^4` is far beyond any threshold.
///
/// `gamma [F, K]` >= 0, `s [2L, K]` (real rows, then imaginary rows), `y [F*M, 2L]` -> `[F, 2K]`.
pub fn covariance_score(gamma: Tensor<2>, s: Tensor<2>, y: Tensor<2>, antennas: usize, noise_var: f64) -> Tensor<2> {
    let tensors = [gamma, s, y].map(Tensor::into_dispatch);
    Tensor::from_dispatch(Dispatch::covariance_score(CovarianceInputs::join(tensors, (antennas, noise_var))))
}

/// Specification of [`covariance_score`]: leave-one-out `c/r`, then `e/r^2`, `r = 1 - gamma c`.
pub(in crate::tensor) fn forward<B: Backend, T: Triangular<B>>(inputs: CovarianceInputs<B>) -> FloatTensor<B> {
    let Whitened { c, e, ratio: [_, r], .. } = whiten::<B, T>(inputs);
    let e = B::float_div(B::float_div(e, r.clone()), r.clone());
    B::float_cat(vec![B::float_div(c, r), e], 1)
}

/// Gradients with respect to gamma, s (summed over frames) and y.
///
/// The formulas of the CPU body with all vectors whitened: `P = V D^H diag(g_e)`, `Q = W diag(g_c)/2 + P`,
/// `H = Q W^H + W Q^H`, `g_gamma = -Re w^H H w`, `L^H g_S = 2 W diag(g_c) + 2 P - 2 H W diag(gamma)`,
/// `L^H g_Y = 2 W diag(g_e) D`: one triangular solve undoes the whitening of both.
pub(in crate::tensor) fn backward<B: Backend, T: Triangular<B>>(
    inputs: CovarianceInputs<B>,
    g: FloatTensor<B>,
) -> [FloatTensor<B>; 3] {
    let gamma = inputs.gamma.clone();
    let [frames, k] = dims::<B, 2>(&gamma);
    let Whitened { factor, w, v, d, c, e, ratio: [exact, r] } = whiten::<B, T>(inputs);
    let half = |from: usize| B::float_slice(g.clone(), &[Slice::from(0..frames), (from..from + k).into()]);
    let over = |a: FloatTensor<B>| B::float_div(a, r.clone());
    let (dc, de) = (over(half(0)), over(over(half(k))));
    // The gradient of r: -(dc c + 2 de e/r)/r in terms of the above, and 0 where r was kept above its floor.
    let free = B::float_add_scalar(B::float_neg(B::float_sign(B::float_sub(r.clone(), exact))), 1.0.into());
    let twice = |t: FloatTensor<B>| B::float_mul_scalar(t, 2.0.into());
    let gr = B::float_add(B::float_mul(dc.clone(), c.clone()), twice(B::float_mul(de.clone(), e)));
    let gr = B::float_mul(B::float_neg(over(gr)), free);
    let gc = B::float_sub(dc, B::float_mul(gr.clone(), gamma.clone()));
    let d = scale::<B>(d, &column::<B>(de));
    let p = times::<B>(v, adjoint::<B>(d.clone()));
    let wc = scale::<B>(w.clone(), &row::<B>(gc));
    let q = plus::<B>(both::<B>(wc.clone(), |t| B::float_mul_scalar(t, 0.5.into())), p.clone());
    let (hw, curvature) = curve::<B>(q, &w);
    let g_gamma = B::float_neg(B::float_add(B::float_mul(c, gr), curvature));
    let gs = minus::<B>(plus::<B>(wc, p), scale::<B>(hw, &row::<B>(gamma)));
    let [gs, gy] = [gs, times::<B>(w, d)].map(|white| both::<B>(white, twice));
    let [gs, gy] = unwhiten::<B, T>(factor, gs, gy);
    [g_gamma, gs, gy]
}
