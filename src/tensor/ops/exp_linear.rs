//! The exponential linear unit.

use burn::backend::Dispatch;
use burn::backend::tensor::FloatTensor;
use burn::tensor::Tensor;

use crate::tensor::Backend;

/// Exponential linear unit, `max(x, 0) + exp(min(x, 0)) - 1`, as one node of the graph.
///
/// `x [B, C, H, W]` -> `[B, C, H, W]`.
pub fn exp_linear(x: Tensor<4>) -> Tensor<4> {
    Tensor::from_dispatch(Dispatch::exp_linear(x.into_dispatch()))
}

/// `exp(min(x, 0))`.
fn slope<B: burn::backend::Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    B::float_exp(B::float_clamp_max(x, 0.0.into()))
}

/// Specification of [`exp_linear`].
pub(in crate::tensor) fn forward<B: burn::backend::Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let negative = B::float_add_scalar(slope::<B>(x.clone()), (-1.0).into());
    B::float_add(B::float_clamp_min(x, 0.0.into()), negative)
}

/// `g exp(min(x, 0))`.
pub(in crate::tensor) fn backward<B: burn::backend::Backend>(x: FloatTensor<B>, g: FloatTensor<B>) -> FloatTensor<B> {
    B::float_mul(g, slope::<B>(x))
}
