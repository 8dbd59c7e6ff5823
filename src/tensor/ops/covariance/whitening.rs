//! All vectors of a frame behind the Cholesky factor of its covariance.
//!
//! With `Sigma = L L^H` everything happens behind the whitening `w_k = L^-1 s_k`, `V = L^-1 Y`: `c_k = ||w_k||^2`,
//! `e_k = ||V^H w_k||^2`. An explicit inverse would lose the strong sequences in single precision: `Sigma^-1 s_k` is smaller
//! than the entries of `Sigma^-1` by the signal-to-noise ratio.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata};
use burn::tensor::{Shape, TensorData};

use super::triangular::{Triangular, join, split};
use crate::tensor::cpu::SMALLEST_RATIO;
use crate::tensor::ops::CovarianceInputs;
use crate::tensor::ops::primitives::{Planes, adjoint, both, dims, part, plus, swap, times};

/// Both planes times a real tensor that broadcasts.
pub(super) fn scale<B: Backend>(a: Planes<B>, by: &FloatTensor<B>) -> Planes<B> {
    both::<B>(a, |t| B::float_mul(t, by.clone()))
}

/// `Re(conj(a) b)`, entry by entry.
fn real_product<B: Backend>(a: Planes<B>, b: Planes<B>) -> FloatTensor<B> {
    B::float_add(B::float_mul(a.0, b.0), B::float_mul(a.1, b.1))
}

/// Everything of a forward pass that a backward pass needs.
pub(super) struct Whitened<B: Backend> {
    pub factor: FloatTensor<B>,
    /// `L^-1 S`, `[F, L, K]`.
    pub w: Planes<B>,
    /// `L^-1 Y`, `[F, L, M]`.
    pub v: Planes<B>,
    /// `W^H V = S^H Sigma^-1 Y`, `[F, K, M]`.
    pub d: Planes<B>,
    /// `s_k^H Sigma^-1 s_k`, `[F, K]`.
    pub c: FloatTensor<B>,
    /// `||d_k||^2`, `[F, K]`.
    pub e: FloatTensor<B>,
    /// `1 - gamma_k c_k` before it is kept above [`SMALLEST_RATIO`], and after.
    pub ratio: [FloatTensor<B>; 2],
}

/// `[F, K]` to `[F, 1, K]`, to weigh columns.
pub(super) fn row<B: Backend>(t: FloatTensor<B>) -> FloatTensor<B> {
    let shape = t.shape();
    B::float_reshape(t, Shape::new([shape[0], 1, shape[1]]))
}

/// `[F, K]` to `[F, K, 1]`, to weigh rows.
pub(super) fn column<B: Backend>(t: FloatTensor<B>) -> FloatTensor<B> {
    let shape = t.shape();
    B::float_reshape(t, Shape::new([shape[0], shape[1], 1]))
}

/// `[F, 1, K]` or `[F, K, 1]` to `[F, K]`.
fn flat<B: Backend>(t: FloatTensor<B>) -> FloatTensor<B> {
    let [frames, a, b] = dims::<B, 3>(&t);
    B::float_reshape(t, Shape::new([frames, a * b]))
}

/// `S diag(gamma) S^H + v I`, stacked `[F, 2L, L]`; the frames are folded into the rows of one 2-D product.
fn sigma<B: Backend>(gamma: &FloatTensor<B>, s: &Planes<B>, noise_var: f64) -> FloatTensor<B> {
    let [_, l, k] = dims::<B, 3>(&s.0);
    let frames = gamma.shape()[0];
    let weights = row::<B>(B::float_clamp_min(gamma.clone(), 0.0.into()));
    let weighted = both::<B>(scale::<B>(s.clone(), &weights), |t| B::float_reshape(t, Shape::new([1, frames * l, k])));
    let product = times::<B>(weighted, adjoint::<B>(s.clone()));
    let (re, im) = both::<B>(product, |t| B::float_reshape(t, Shape::new([frames, l, l])));
    let noise: Vec<f64> = (0..l * l).map(|i| if i % (l + 1) == 0 { noise_var } else { 0.0 }).collect();
    let noise = TensorData::new(noise, [1, l, l]).convert_dtype(gamma.dtype());
    join::<B>((B::float_add(re, B::float_from_data(noise, &gamma.device())), im))
}

pub(super) fn whiten<B: Backend, T: Triangular<B>>(inputs: CovarianceInputs<B>) -> Whitened<B> {
    let CovarianceInputs { gamma, s, y, antennas, noise_var } = inputs;
    let (frames, k, l) = (gamma.shape()[0], gamma.shape()[1], s.shape()[0] / 2);
    let s = split::<B>(&B::float_reshape(s, Shape::new([1, 2 * l, k])));
    let factor = T::cholesky(sigma::<B>(&gamma, &s, noise_var), noise_var);
    // Y arrives with one antenna a row: [F, M, 2L] is [F, 2L, M] transposed.
    let y = swap::<B>(B::float_reshape(y, Shape::new([frames, antennas, 2 * l])));
    let s = B::float_expand(join::<B>(s), Shape::new([frames, 2 * l, k]));
    let white = split::<B>(&T::solve(factor.clone(), B::float_cat(vec![s, y], 2), false));
    let w = both::<B>(white.clone(), |t| part::<B>(&t, 0..l, 0..k));
    let v = both::<B>(white, |t| part::<B>(&t, 0..l, k..k + antennas));
    let d = times::<B>(adjoint::<B>(w.clone()), v.clone());
    let c = flat::<B>(B::float_sum_dim(real_product::<B>(w.clone(), w.clone()), 1));
    let e = flat::<B>(B::float_sum_dim(real_product::<B>(d.clone(), d.clone()), 2));
    let exact = B::float_add_scalar(B::float_neg(B::float_mul(gamma.clone(), c.clone())), 1.0.into());
    let ratio = [exact.clone(), B::float_clamp_min(exact, SMALLEST_RATIO.into())];
    Whitened { factor, w, v, d, c, e, ratio }
}

/// `H W` and `Re w_k^H H w_k` of every sequence for `H = Q W^H + W Q^H`.
pub(super) fn curve<B: Backend>(q: Planes<B>, w: &Planes<B>) -> (Planes<B>, FloatTensor<B>) {
    let h = times::<B>(q, adjoint::<B>(w.clone()));
    let h = plus::<B>(h.clone(), adjoint::<B>(h));
    let hw = times::<B>(h, w.clone());
    let curvature = B::float_sum_dim(real_product::<B>(w.clone(), hw.clone()), 1);
    (hw, flat::<B>(curvature))
}

/// Undoes the whitening of the gradients of s `[F, L, K]` and y `[F, L, M]`: `[2L, K]`, summed over the frames, and
/// `[F*M, 2L]`.
pub(super) fn unwhiten<B: Backend, T: Triangular<B>>(
    factor: FloatTensor<B>,
    gs: Planes<B>,
    gy: Planes<B>,
) -> [FloatTensor<B>; 2] {
    let ([frames, l, k], [_, _, antennas]) = (dims::<B, 3>(&gs.0), dims::<B, 3>(&gy.0));
    let white = join::<B>((B::float_cat(vec![gs.0, gy.0], 2), B::float_cat(vec![gs.1, gy.1], 2)));
    let both = T::solve(factor, white, true);
    // The sum over frames as a product with ones: burn 0.22.1 on wgpu leaves rows out of a sum over the first dimension
    // when there are 65535 or more of them.
    let ones = B::float_ones(Shape::new([1, frames]), &both.device(), both.dtype().into());
    let gs = B::float_reshape(part::<B>(&both, 0..2 * l, 0..k), Shape::new([frames, 2 * l * k]));
    let gs = B::float_matmul(ones, gs);
    let gy = swap::<B>(part::<B>(&both, 0..2 * l, k..k + antennas));
    [B::float_reshape(gs, Shape::new([2 * l, k])), B::float_reshape(gy, Shape::new([frames * antennas, 2 * l]))]
}
