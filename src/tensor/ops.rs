//! The extension trait and its typed front doors.

// The trait's attribute names burn-ndarray, deprecated upstream; its expansion ignores an `allow` on the trait alone.
#![allow(deprecated)]

use burn::backend::tensor::FloatTensor;
use burn::backend::{Dispatch, backend_extension};
use burn::tensor::Tensor;

use super::adam::{self, AdamRule};
use super::covariance::{self, Primitives};
use super::dense as layer;
use super::entry::{self, EntryPart};
use super::iteration::{self, AmpForm, Inputs};
use super::sweep::{self, SweepRecord};
use super::{images, shrink_rows, spec};

/// burn's backend plus the project's fused kernels.
///
/// Stacked layout throughout: a complex `[frames, antennas M, K]` array is a real tensor `[frames * M, 2K]` whose first
/// K columns are real parts and whose last K columns are imaginary parts.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "wgpu"),
    Autodiff
)]
pub trait Backend: burn::backend::Backend {
    /// See [`row_dot`]; `a`, `b` `[F*M, 2K]` -> `[F, K]`.
    fn row_dot(a: FloatTensor<Self>, b: FloatTensor<Self>, antennas: usize) -> FloatTensor<Self> {
        spec::row_dot::<Self>(a, b, antennas)
    }

    /// See [`row_scale`]; `z [F*M, 2K]`, `c [F, K]` -> `[F*M, 2K]`.
    fn row_scale(z: FloatTensor<Self>, c: FloatTensor<Self>, antennas: usize) -> FloatTensor<Self> {
        spec::row_scale::<Self>(z, c, antennas)
    }

    /// See [`row_onsager`]; `z [F*M, 2K]`, `t [F, K]`, `r [F*M, 2L]` -> `[F*M, 2L]`.
    fn row_onsager(
        z: FloatTensor<Self>,
        t: FloatTensor<Self>,
        r: FloatTensor<Self>,
        antennas: usize,
    ) -> FloatTensor<Self> {
        spec::row_onsager::<Self>(z, t, r, antennas)
    }

    /// Gradients of [`Backend::row_onsager`] with respect to z, t and r, for the gradient `g [F*M, 2L]` of its output.
    fn row_onsager_backward(
        z: FloatTensor<Self>,
        t: FloatTensor<Self>,
        r: FloatTensor<Self>,
        g: FloatTensor<Self>,
        antennas: usize,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        spec::row_onsager_backward::<Self>(z, t, r, g, antennas)
    }

    /// See [`amp_iteration`].
    #[allow(clippy::too_many_arguments)]
    fn amp_iteration(
        state: FloatTensor<Self>,
        y: FloatTensor<Self>,
        synthesis: FloatTensor<Self>,
        analysis: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        factors: FloatTensor<Self>,
        theta_1: FloatTensor<Self>,
        form: AmpForm,
    ) -> FloatTensor<Self> {
        Self::amp_iteration_kept(state, y, synthesis, analysis, beta, factors, theta_1, form).0
    }

    /// [`Backend::amp_iteration`] with the pseudo-observations `[F*M, 2K]` that its gradients start from.
    #[allow(clippy::too_many_arguments)]
    fn amp_iteration_kept(
        state: FloatTensor<Self>,
        y: FloatTensor<Self>,
        synthesis: FloatTensor<Self>,
        analysis: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        factors: FloatTensor<Self>,
        theta_1: FloatTensor<Self>,
        form: AmpForm,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        iteration::forward::<Self>(Inputs { state, y, synthesis, analysis, beta, factors, theta_1 }, form)
    }

    /// Gradients of [`Backend::amp_iteration`] with respect to its seven tensors, for the gradient `g` of the state
    /// `after`; z as from [`Backend::amp_iteration_kept`]. Those of synthesis and analysis may be left at zero where they
    /// are not `wanted`.
    #[allow(clippy::too_many_arguments, clippy::type_complexity)]
    fn amp_iteration_backward(
        state: FloatTensor<Self>,
        y: FloatTensor<Self>,
        synthesis: FloatTensor<Self>,
        analysis: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        factors: FloatTensor<Self>,
        theta_1: FloatTensor<Self>,
        after: FloatTensor<Self>,
        z: FloatTensor<Self>,
        g: FloatTensor<Self>,
        form: AmpForm,
        _wanted: [bool; 2],
    ) -> (
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
    ) {
        let inputs = Inputs { state, y, synthesis, analysis, beta, factors, theta_1 };
        let [state, y, synthesis, analysis, beta, factors, theta_1] =
            iteration::backward::<Self>(inputs, (after, z), g, form);
        (state, y, synthesis, analysis, beta, factors, theta_1)
    }

    /// See [`covariance_score`]; `gamma [F, K]`, `s [2L, K]`, `y [F*M, 2L]` -> `[F, 2K]`.
    fn covariance_score(
        gamma: FloatTensor<Self>,
        s: FloatTensor<Self>,
        y: FloatTensor<Self>,
        antennas: usize,
        noise_var: f64,
    ) -> FloatTensor<Self> {
        covariance::covariance_score::<Self, Primitives>(gamma, s, y, antennas, noise_var)
    }

    /// Gradients of [`Backend::covariance_score`] with respect to gamma, s and y, for the gradient `g [F, 2K]`.
    fn covariance_score_backward(
        gamma: FloatTensor<Self>,
        s: FloatTensor<Self>,
        y: FloatTensor<Self>,
        g: FloatTensor<Self>,
        antennas: usize,
        noise_var: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        covariance::covariance_score_backward::<Self, Primitives>(gamma, s, y, g, antennas, noise_var)
    }

    /// See [`covariance_filter`]; `gamma [F, K]`, `s [2L, K]`, `y [F*M, 2L]` -> `[F*M, 2K]`.
    fn covariance_filter(
        gamma: FloatTensor<Self>,
        s: FloatTensor<Self>,
        y: FloatTensor<Self>,
        antennas: usize,
        noise_var: f64,
    ) -> FloatTensor<Self> {
        covariance::covariance_filter::<Self, Primitives>(gamma, s, y, antennas, noise_var)
    }

    /// Gradients of [`Backend::covariance_filter`] with respect to gamma, s and y, for the gradient `g [F*M, 2K]`.
    fn covariance_filter_backward(
        gamma: FloatTensor<Self>,
        s: FloatTensor<Self>,
        y: FloatTensor<Self>,
        g: FloatTensor<Self>,
        antennas: usize,
        noise_var: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        covariance::covariance_filter_backward::<Self, Primitives>(gamma, s, y, g, antennas, noise_var)
    }

    /// See [`group_shrink`]; `z [F*M, 2K]`, `tau [F, K]` -> `[F*M, 2K]`.
    fn group_shrink(z: FloatTensor<Self>, tau: FloatTensor<Self>, antennas: usize) -> FloatTensor<Self> {
        shrink_rows::forward::<Self>(z, tau, antennas)
    }

    /// Gradients of [`Backend::group_shrink`] with respect to z and tau, for the gradient `g [F*M, 2K]`.
    fn group_shrink_backward(
        z: FloatTensor<Self>,
        tau: FloatTensor<Self>,
        g: FloatTensor<Self>,
        antennas: usize,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        shrink_rows::backward::<Self>(z, tau, g, antennas)
    }

    /// See [`coordinate_sweep`]; `log_odds [1, N]`, `s [2L, N]`, `y [F*M, 2L]` -> `[F, N]`.
    fn coordinate_sweep(
        log_odds: FloatTensor<Self>,
        s: FloatTensor<Self>,
        y: FloatTensor<Self>,
        antennas: usize,
        sweeps: usize,
        noise_var: f64,
    ) -> FloatTensor<Self> {
        sweep::coordinate_sweep::<Self>(log_odds, s, y, antennas, sweeps, noise_var)
    }

    /// [`Backend::coordinate_sweep`] on the host in f64, with what its backward pass can use.
    fn coordinate_sweep_recorded(
        log_odds: FloatTensor<Self>,
        s: FloatTensor<Self>,
        y: FloatTensor<Self>,
        antennas: usize,
        sweeps: usize,
        noise_var: f64,
    ) -> (FloatTensor<Self>, SweepRecord) {
        sweep::on_host_recorded::<Self>(log_odds, s, y, antennas, sweeps, noise_var)
    }

    /// Gradients of [`Backend::coordinate_sweep`] with respect to the log-odds, s and y for the gradient `g [F, N]`, from the
    /// record of the forward pass or by recomputation; those of s and y are zero unless `all`. On every backend this runs
    /// on the host in f64.
    #[allow(clippy::too_many_arguments)]
    fn coordinate_sweep_backward(
        log_odds: FloatTensor<Self>,
        s: FloatTensor<Self>,
        y: FloatTensor<Self>,
        g: FloatTensor<Self>,
        antennas: usize,
        sweeps: usize,
        noise_var: f64,
        record: SweepRecord,
        all: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        sweep::backward_on_host::<Self>(log_odds, s, y, g, antennas, sweeps, noise_var, record, all)
    }

    /// See [`conv_same`]; `x [B, C, H, W]`, `weight [C', C, k, k]`, `bias [C']` -> `[B, C', H, W]`.
    fn conv_same(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        dilation: usize,
        activate: bool,
    ) -> FloatTensor<Self> {
        images::conv_same::<Self>(x, weight, bias, dilation, activate)
    }

    /// Gradients of [`Backend::conv_same`] with respect to x, the weight and the bias, for the gradient
    /// `g [B, C', H, W]`.
    fn conv_same_backward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        g: FloatTensor<Self>,
        dilation: usize,
        activate: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        images::conv_same_backward::<Self>(x, weight, g, dilation, activate)
    }

    /// See [`exp_linear`]; `x [B, C, H, W]` -> `[B, C, H, W]`.
    fn exp_linear(x: FloatTensor<Self>) -> FloatTensor<Self> {
        images::exp_linear::<Self>(x)
    }

    /// Gradient of [`Backend::exp_linear`] for the gradient `g [B, C, H, W]`.
    fn exp_linear_backward(x: FloatTensor<Self>, g: FloatTensor<Self>) -> FloatTensor<Self> {
        images::exp_linear_backward::<Self>(x, g)
    }

    /// See [`max_pool_same`]; `x [B, C, H, W]` -> `[B, C, H, W]`.
    fn max_pool_same(x: FloatTensor<Self>, side: usize) -> FloatTensor<Self> {
        images::max_pool_same::<Self>(x, side)
    }

    /// Gradient of [`Backend::max_pool_same`] for the gradient `g [B, C, H, W]`.
    fn max_pool_same_backward(x: FloatTensor<Self>, g: FloatTensor<Self>, side: usize) -> FloatTensor<Self> {
        images::max_pool_same_backward::<Self>(x, g, side)
    }

    /// See [`norm_plus`]; `x [B, C, H, W]`, the others `[C]` -> `[B, C, H, W]`.
    fn norm_plus(
        x: FloatTensor<Self>,
        alpha: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        images::norm_plus::<Self>(x, alpha, gamma, beta)
    }

    /// Gradients of [`Backend::norm_plus`] with respect to x, alpha, gamma and beta, for the gradient `g [B, C, H, W]`.
    fn norm_plus_backward(
        x: FloatTensor<Self>,
        alpha: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        g: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        images::norm_plus_backward::<Self>(x, alpha, gamma, g)
    }

    /// See [`entry_denoise`]; `z [F*M, 2K]`, `omega`, `a`, `offset [F, K]` -> `[F*M, 2K]` or `[F, 1]`.
    fn entry_denoise(
        z: FloatTensor<Self>,
        omega: FloatTensor<Self>,
        a: FloatTensor<Self>,
        offset: FloatTensor<Self>,
        antennas: usize,
        part: EntryPart,
    ) -> FloatTensor<Self> {
        entry::entry_denoise::<Self>(z, omega, a, offset, antennas, part)
    }

    /// Gradients of [`Backend::entry_denoise`] with respect to its four tensors, for the gradient g of its output.
    fn entry_denoise_backward(
        z: FloatTensor<Self>,
        omega: FloatTensor<Self>,
        a: FloatTensor<Self>,
        offset: FloatTensor<Self>,
        g: FloatTensor<Self>,
        antennas: usize,
        part: EntryPart,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        entry::backward::<Self>(z, omega, a, offset, g, antennas, part)
    }

    /// See [`dense`]; `weight [O, I]`, `x [I, F]`, `bias [O, 1]` -> `[O, F]`.
    fn dense(
        weight: FloatTensor<Self>,
        x: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        rectify: bool,
    ) -> FloatTensor<Self> {
        layer::dense::<Self>(weight, x, bias, rectify)
    }

    /// The gradient `g [O, F]` of the output `out` of [`Backend::dense`] before its rectifier, and that of the bias.
    fn dense_gate(
        out: FloatTensor<Self>,
        g: FloatTensor<Self>,
        rectify: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        layer::dense_gate::<Self>(out, g, rectify)
    }

    /// See [`adam_step`]; all tensors have one shape.
    fn adam_step(
        p: FloatTensor<Self>,
        m: FloatTensor<Self>,
        v: FloatTensor<Self>,
        g: FloatTensor<Self>,
        rule: AdamRule,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        adam::adam_step::<Self>(p, m, v, g, rule)
    }

    /// See [`quantize_ste`]; `x [R, C]` -> `[R, C]`.
    fn quantize_ste(x: FloatTensor<Self>, levels: f64) -> FloatTensor<Self> {
        spec::quantize_ste::<Self>(x, levels)
    }
}

/// The uniform quantiser (18) of the finite-alphabet NOMA paper with step 1: the nearest integer in `-levels..=levels`
/// (halves go up), with the gradient of the identity (straight-through).
///
/// `x [R, C]` -> `[R, C]`; `levels` >= 1.
pub fn quantize_ste(x: Tensor<2>, levels: u32) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::quantize_ste(x.into_dispatch(), f64::from(levels)))
}

/// Real inner products of the rows of two stacked arrays over the antennas: `sum_m Re(conj(a_mk) b_mk)`.
///
/// `a`, `b` `[F*M, 2K]` -> `[F, K]`. `row_dot(z, z)` are the row energies `||z_k||^2`.
pub fn row_dot(a: Tensor<2>, b: Tensor<2>, antennas: usize) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::row_dot(a.into_dispatch(), b.into_dispatch(), antennas))
}

/// Scales row k of every frame by one real weight: `x_mk = c_k z_mk`.
///
/// `z [F*M, 2K]`, `c [F, K]` -> `[F*M, 2K]`.
pub fn row_scale(z: Tensor<2>, c: Tensor<2>, antennas: usize) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::row_scale(z.into_dispatch(), c.into_dispatch(), antennas))
}

/// Applies `J = sum_k t_k z_k z_k^H` (M x M, Hermitian) to the residual: row m of the result is `sum_m' J_mm' r_m'`.
///
/// `z [F*M, 2K]`, `t [F, K]`, `r [F*M, 2L]` -> `[F*M, 2L]`. This is the rank-one part of the matrix Onsager term of
/// Theorem 1 (paper A): `R (sum_i J_i)^T` in the layout with one antenna a row.
pub fn row_onsager(z: Tensor<2>, t: Tensor<2>, r: Tensor<2>, antennas: usize) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::row_onsager(z.into_dispatch(), t.into_dispatch(), r.into_dispatch(), antennas))
}

/// An iteration of unfolded AMP (Theorem 1 of paper A) at unit noise and unit pilots, from state to state.
///
/// A state is one row of numbers: the estimate X `[F*M, 2K]`, the residual R `[F*M, 2L]` and the likelihood ratios
/// `[F, K]` one after the other (the last are not read). With `A^T` the matrix `analysis [2K, 2L]`:
///
/// - `Z = X + R A`, `tau2 = e^tau ||R||^2/(L M)`, `b = e^theta_2 beta`, `omega = b/(b + tau2)`,
/// - `llr = (omega/tau2) ||z_k||^2 - M ln(1 + b/tau2)`, `w` the posterior of the logits `llr - theta_1`,
/// - `X' = v omega w Z`, `R' = Y - X' S + (onsager/L) (sum_k J_k) R` with the Jacobians of
///   [`row_shrink`](super::row_shrink).
///
/// `y [F*M, 2L]`, `synthesis [2K, 2L]` is S as [`synthesis_matrix`](crate::tensor::complex::synthesis_matrix) has it, and
/// `analysis` the same of the filter's adjoint (for `B~ = S^H` it is S too); `beta [F, K]`; `factors [1, 4]` are v,
/// theta_2, tau and onsager; `theta_1 [1, 1]` or `[1, K]`.
///
/// One operation, because an iteration of small frames is a few microseconds of arithmetic: as some forty nodes of a
/// graph it costs several times as much. The state goes on to the next iteration as it is, so that nothing is unpacked
/// between two of them.
#[allow(clippy::too_many_arguments)]
pub fn amp_iteration(
    state: Tensor<1>,
    y: Tensor<2>,
    synthesis: Tensor<2>,
    analysis: Tensor<2>,
    beta: Tensor<2>,
    factors: Tensor<2>,
    theta_1: Tensor<2>,
    form: AmpForm,
) -> Tensor<1> {
    Tensor::from_dispatch(Dispatch::amp_iteration(
        state.into_dispatch(),
        y.into_dispatch(),
        synthesis.into_dispatch(),
        analysis.into_dispatch(),
        beta.into_dispatch(),
        factors.into_dispatch(),
        theta_1.into_dispatch(),
        form,
    ))
}

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
    Tensor::from_dispatch(Dispatch::covariance_score(
        gamma.into_dispatch(),
        s.into_dispatch(),
        y.into_dispatch(),
        antennas,
        noise_var,
    ))
}

/// LMMSE filter outputs of every column: `z_k = s_k^H Sigma^-1 Y` with `Sigma = S diag(gamma) S^H + noise_var I`.
///
/// `gamma [F, K]` >= 0, `s [2L, K]` (real rows, then imaginary rows), `y [F*M, 2L]` -> `[F*M, 2K]`. `gamma_k z_k` is the
/// posterior mean of row k when its entries are `CN(0, gamma_k)`.
pub fn covariance_filter(gamma: Tensor<2>, s: Tensor<2>, y: Tensor<2>, antennas: usize, noise_var: f64) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::covariance_filter(
        gamma.into_dispatch(),
        s.into_dispatch(),
        y.into_dispatch(),
        antennas,
        noise_var,
    ))
}

/// Row soft threshold, the proximal operator of `tau ||.||_2`: `x_k = (1 - tau_k/||z_k||)_+ z_k` over the antennas.
///
/// `z [F*M, 2K]`, `tau [F, K]` >= 0 -> `[F*M, 2K]`. A row of zeros stays zero and has no gradient.
pub fn group_shrink(z: Tensor<2>, tau: Tensor<2>, antennas: usize) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::group_shrink(z.into_dispatch(), tau.into_dispatch(), antennas))
}

/// Coordinate descent on the powers of all devices (Algorithm 3 of the auto-encoder paper): `sweeps` sweeps from zero.
///
/// A device n in order has `v = Sigma^-1 s_n`, `e = s_n^H v`, `q = ||Y^H v||^2/M`, and the log-odds `l_n = ln(eps/(1 - eps))`
/// of its activity; its power alpha in `[0, 1]` moves by `d = (2 q/(e + sqrt(e^2 - 4 q l/M)) - 1)/e` as far as it stays in
/// range, and `Sigma^-1` follows by a rank-one step. `l = 0` is maximum likelihood with powers up to 1. Powers count in
/// units of the received power of an active device: `s` holds columns of that energy.
///
/// `log_odds [1, N]`, `s [2L, N]` (real rows, then imaginary rows), `y [F*M, 2L]` -> `[F, N]`. The arithmetic is f64 on
/// every backend, on the host: `Sigma` is too ill-conditioned for the single precision of GPUs.
pub fn coordinate_sweep(
    log_odds: Tensor<2>,
    s: Tensor<2>,
    y: Tensor<2>,
    antennas: usize,
    sweeps: usize,
    noise_var: f64,
) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::coordinate_sweep(
        log_odds.into_dispatch(),
        s.into_dispatch(),
        y.into_dispatch(),
        antennas,
        sweeps,
        noise_var,
    ))
}

/// A convolution with zero padding that keeps the size of the image, of `x` or of `elu(x)` (`activate`).
///
/// `x [B, C, H, W]`, `weight [C', C, k, k]` with odd k, `bias [C']` -> `[B, C', H, W]`. Taps are `dilation` pixels apart.
/// With the activation inside, its result never goes to memory and costs no node of its own in the backward pass.
pub fn conv_same(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, dilation: usize, activate: bool) -> Tensor<4> {
    Tensor::from_dispatch(Dispatch::conv_same(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        dilation,
        activate,
    ))
}

/// Exponential linear unit, `max(x, 0) + exp(min(x, 0)) - 1`, as one node of the graph.
///
/// `x [B, C, H, W]` -> `[B, C, H, W]`.
pub fn exp_linear(x: Tensor<4>) -> Tensor<4> {
    Tensor::from_dispatch(Dispatch::exp_linear(x.into_dispatch()))
}

/// Maximum over the `side x side` pixels around every pixel, as far as they lie in the image.
///
/// `x [B, C, H, W]` -> `[B, C, H, W]`, `side` odd. The gradient goes to the first maximum, row by row.
pub fn max_pool_same(x: Tensor<4>, side: usize) -> Tensor<4> {
    Tensor::from_dispatch(Dispatch::max_pool_same(x.into_dispatch(), side))
}

/// Instance normalisation "++": `gamma (norm(x) + alpha m') + beta`.
///
/// `norm` takes mean and standard deviation out of every channel of every image (variance + 1e-5); `m'` are those means,
/// less their average over the channels and divided by their standard deviation over the channels (unbiased).
///
/// `x [B, C, H, W]`, the others `[C]` -> `[B, C, H, W]`. Source: Song and Ermon, NCSNv2 (2020).
pub fn norm_plus(x: Tensor<4>, alpha: Tensor<1>, gamma: Tensor<1>, beta: Tensor<1>) -> Tensor<4> {
    Tensor::from_dispatch(Dispatch::norm_plus(
        x.into_dispatch(),
        alpha.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
    ))
}

/// The entry-wise denoiser (47) of paper A, `eta(z) = omega phi z` with `phi = sigmoid(a z^2 - offset)`, or the sum of its
/// derivative (48), `eta'(z) = omega phi (1 + 2 a z^2 (1 - phi))`, over the entries of a frame.
///
/// `z [F*M, 2K]`; `omega`, `a`, `offset [F, K]` -> `[F*M, 2K]` ([`EntryPart::Estimate`]) or `[F, 1]` ([`EntryPart::Slope`]).
pub fn entry_denoise(
    z: Tensor<2>,
    omega: Tensor<2>,
    a: Tensor<2>,
    offset: Tensor<2>,
    antennas: usize,
    part: EntryPart,
) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::entry_denoise(
        z.into_dispatch(),
        omega.into_dispatch(),
        a.into_dispatch(),
        offset.into_dispatch(),
        antennas,
        part,
    ))
}

/// A dense layer with the frame last: `W x + b`, negative results cut off (`rectify`).
///
/// `weight [O, I]`, `x [I, F]`, `bias [O, 1]` -> `[O, F]`. Bias and rectifier cost one pass forward and one backward.
pub fn dense(weight: Tensor<2>, x: Tensor<2>, bias: Tensor<2>, rectify: bool) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::dense(weight.into_dispatch(), x.into_dispatch(), bias.into_dispatch(), rectify))
}

/// A step of Adam: `m' = b1 m + (1 - b1) g`, `v' = b2 v + (1 - b2) g^2`, `p' = p - rate m'/(sqrt(v') + epsilon)`.
///
/// Parameters p, mean gradient m, mean square v and gradient g of one shape -> (p', m', v'). Not differentiable.
pub fn adam_step<const D: usize>(
    p: Tensor<D>,
    m: Tensor<D>,
    v: Tensor<D>,
    g: Tensor<D>,
    rule: AdamRule,
) -> (Tensor<D>, Tensor<D>, Tensor<D>) {
    let [p, m, v, g] = [p, m, v, g].map(Tensor::into_dispatch);
    let (p, m, v) = Dispatch::adam_step(p, m, v, g, rule);
    (Tensor::from_dispatch(p), Tensor::from_dispatch(m), Tensor::from_dispatch(v))
}
