//! The traits of a backend: one method per kernel, and one per backward pass.

// The expansion of the trait's attribute ignores an exception on the trait alone.
#![cfg_attr(feature = "ndarray", expect(deprecated, reason = "the attribute names burn-ndarray, deprecated upstream"))]

use burn::backend::backend_extension;
use burn::backend::tensor::FloatTensor;
#[cfg(feature = "ndarray")]
use burn_ndarray::NdArray;

use super::ops::adam::{self, AdamRule, Updated};
use super::ops::covariance::{Primitives, filter, score};
use super::ops::sweep::{SweepRecord, host};
use super::ops::{
    AmpInputs, CovarianceInputs, EntryInputs, SweepInputs, amp, conv, dense, entry, exp_linear, group_shrink, norm,
    onsager, pool, quantize, rows,
};

/// burn's backend plus the project's kernels. Every method has the name of the function that calls it, which says what it
/// computes; the default bodies are the specification.
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
    /// `a`, `b` `[F*M, 2K]` -> `[F, K]`.
    fn row_dot(a: FloatTensor<Self>, b: FloatTensor<Self>, antennas: usize) -> FloatTensor<Self> {
        rows::dot::<Self>(&a, &b, antennas)
    }

    /// `z [F*M, 2K]`, `c [F, K]` -> `[F*M, 2K]`.
    fn row_scale(z: FloatTensor<Self>, c: FloatTensor<Self>, antennas: usize) -> FloatTensor<Self> {
        rows::scale::<Self>(&z, &c, antennas)
    }

    /// `z [F*M, 2K]`, `t [F, K]`, `r [F*M, 2L]` -> `[F*M, 2L]`.
    fn row_onsager(
        z: FloatTensor<Self>,
        t: FloatTensor<Self>,
        r: FloatTensor<Self>,
        antennas: usize,
    ) -> FloatTensor<Self> {
        onsager::forward::<Self>(&z, &t, &r, antennas)
    }

    /// -> the state after, in a row.
    fn amp_iteration(#[extension_type] inputs: AmpInputs<Self>) -> FloatTensor<Self> {
        let [state, _] = amp::forward::<Self>(&inputs);
        state
    }

    /// -> `[F, 2K]`.
    fn covariance_score(#[extension_type] inputs: CovarianceInputs<Self>) -> FloatTensor<Self> {
        score::forward::<Self, Primitives>(inputs)
    }

    /// -> `[F*M, 2K]`.
    fn covariance_filter(#[extension_type] inputs: CovarianceInputs<Self>) -> FloatTensor<Self> {
        filter::forward::<Self, Primitives>(inputs)
    }

    /// `z [F*M, 2K]`, `tau [F, K]` -> `[F*M, 2K]`.
    fn group_shrink(z: FloatTensor<Self>, tau: FloatTensor<Self>, antennas: usize) -> FloatTensor<Self> {
        group_shrink::forward::<Self>(z, &tau, antennas)
    }

    /// -> `[F, N]`. On every backend this runs on the host in f64.
    fn coordinate_sweep(#[extension_type] inputs: SweepInputs<Self>) -> FloatTensor<Self> {
        host::reference_forward::<Self>(inputs)
    }

    /// -> `[F*M, 2K]` or `[F, 1]`.
    fn entry_denoise(#[extension_type] inputs: EntryInputs<Self>) -> FloatTensor<Self> {
        entry::forward::<Self>(inputs)
    }

    /// `x [B, C, H, W]`, `weight [C', C, k, k]`, `bias [C']` -> `[B, C', H, W]`.
    fn conv_same(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        dilation: usize,
        activate: bool,
    ) -> FloatTensor<Self> {
        conv::forward::<Self>(x, weight, bias, dilation, activate)
    }

    /// `x [B, C, H, W]` -> `[B, C, H, W]`.
    fn exp_linear(x: FloatTensor<Self>) -> FloatTensor<Self> {
        exp_linear::forward::<Self>(x)
    }

    /// `x [B, C, H, W]` -> `[B, C, H, W]`.
    fn max_pool_same(x: FloatTensor<Self>, side: usize) -> FloatTensor<Self> {
        pool::forward::<Self>(x, side)
    }

    /// `x [B, C, H, W]`, the others `[C]` -> `[B, C, H, W]`.
    fn norm_plus(
        x: FloatTensor<Self>,
        alpha: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        norm::forward::<Self>(x, alpha, gamma, beta)
    }

    /// `weight [O, I]`, `x [I, F]`, `bias [O, 1]` -> `[O, F]`.
    fn dense(
        weight: FloatTensor<Self>,
        x: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        rectify: bool,
    ) -> FloatTensor<Self> {
        dense::forward::<Self>(weight, x, bias, rectify)
    }

    /// `x [R, C]` -> `[R, C]`.
    fn quantize_ste(x: FloatTensor<Self>, levels: f64) -> FloatTensor<Self> {
        quantize::forward::<Self>(x, levels)
    }

    /// All tensors have one shape.
    fn adam_step(
        p: FloatTensor<Self>,
        m: FloatTensor<Self>,
        v: FloatTensor<Self>,
        g: FloatTensor<Self>,
        rule: AdamRule,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let (p, m, v): Updated<Self> = adam::step::<Self>(p, m, v, g, rule);
        (p, m, v)
    }
}

/// Backward passes of the kernels, and forward passes that keep more than their result for them. `g` is the gradient of a
/// kernel's result; gradients come in the order of its tensors.
///
/// Not part of [`Backend`], which automatic differentiation implements too: its kernels call these on the backend inside,
/// and there are no derivatives of them.
pub trait Adjoint: Backend {
    /// Gradients of [`Backend::row_onsager`].
    fn row_onsager_backward(
        z: FloatTensor<Self>,
        t: FloatTensor<Self>,
        r: FloatTensor<Self>,
        g: FloatTensor<Self>,
        antennas: usize,
    ) -> [FloatTensor<Self>; 3] {
        onsager::backward::<Self>(&z, &t, &r, &g, antennas)
    }

    /// The state of [`Backend::amp_iteration`], and the pseudo-observations `[F*M, 2K]`.
    fn amp_iteration_recorded(inputs: AmpInputs<Self>) -> [FloatTensor<Self>; 2] {
        amp::forward::<Self>(&inputs)
    }

    /// Gradients of [`Backend::amp_iteration`], from what [`Adjoint::amp_iteration_recorded`] gave. Those of the pilots and
    /// the filter may be left at zero where they are not `wanted`.
    fn amp_iteration_backward(
        inputs: AmpInputs<Self>,
        outputs: [FloatTensor<Self>; 2],
        g: FloatTensor<Self>,
        _wanted: [bool; 2],
    ) -> [FloatTensor<Self>; 7] {
        amp::backward::<Self>(&inputs, outputs, &g)
    }

    /// Gradients of [`Backend::covariance_score`].
    fn covariance_score_backward(inputs: CovarianceInputs<Self>, g: FloatTensor<Self>) -> [FloatTensor<Self>; 3] {
        score::backward::<Self, Primitives>(inputs, g)
    }

    /// Gradients of [`Backend::covariance_filter`].
    fn covariance_filter_backward(inputs: CovarianceInputs<Self>, g: FloatTensor<Self>) -> [FloatTensor<Self>; 3] {
        filter::backward::<Self, Primitives>(inputs, g)
    }

    /// Gradients of [`Backend::group_shrink`].
    fn group_shrink_backward(
        z: FloatTensor<Self>,
        tau: FloatTensor<Self>,
        g: FloatTensor<Self>,
        antennas: usize,
    ) -> [FloatTensor<Self>; 2] {
        group_shrink::backward::<Self>(z, &tau, g, antennas)
    }

    /// The powers of [`Backend::coordinate_sweep`], and what the backward pass can use.
    fn coordinate_sweep_recorded(inputs: SweepInputs<Self>) -> (FloatTensor<Self>, SweepRecord) {
        (Self::coordinate_sweep(inputs), SweepRecord::default())
    }

    /// Gradients of [`Backend::coordinate_sweep`], from its record or by recomputation. Those of the pilots and the
    /// observations may be left at zero unless `all`.
    fn coordinate_sweep_backward(
        inputs: SweepInputs<Self>,
        _record: &SweepRecord,
        g: FloatTensor<Self>,
        _all: bool,
    ) -> [FloatTensor<Self>; 3] {
        host::reference_backward::<Self>(inputs, g)
    }

    /// Gradients of [`Backend::entry_denoise`].
    fn entry_denoise_backward(inputs: EntryInputs<Self>, g: FloatTensor<Self>) -> [FloatTensor<Self>; 4] {
        entry::backward::<Self>(inputs, g)
    }

    /// Gradients of [`Backend::conv_same`].
    fn conv_same_backward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        g: FloatTensor<Self>,
        dilation: usize,
        activate: bool,
    ) -> [FloatTensor<Self>; 3] {
        conv::backward::<Self>(x, weight, g, dilation, activate)
    }

    /// Gradient of [`Backend::exp_linear`].
    fn exp_linear_backward(x: FloatTensor<Self>, g: FloatTensor<Self>) -> FloatTensor<Self> {
        exp_linear::backward::<Self>(x, g)
    }

    /// Gradient of [`Backend::max_pool_same`].
    fn max_pool_same_backward(x: FloatTensor<Self>, g: FloatTensor<Self>, side: usize) -> FloatTensor<Self> {
        pool::backward::<Self>(x, g, side)
    }

    /// Gradients of [`Backend::norm_plus`].
    fn norm_plus_backward(
        x: FloatTensor<Self>,
        alpha: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        g: FloatTensor<Self>,
    ) -> [FloatTensor<Self>; 4] {
        norm::backward::<Self>(x, alpha, gamma, g)
    }

    /// The gradient before the rectifier of [`Backend::dense`] with the result `out`, and that of the bias.
    fn dense_gate(out: FloatTensor<Self>, g: FloatTensor<Self>, rectify: bool) -> [FloatTensor<Self>; 2] {
        dense::gate::<Self>(out, g, rectify)
    }
}

/// The specification itself: every kernel by its default body. A second opinion on the fast bodies, and slow.
#[cfg(feature = "ndarray")]
impl Backend for NdArray {}

#[cfg(feature = "ndarray")]
impl Adjoint for NdArray {}
