//! The uniform quantiser.

use burn::backend::Dispatch;
use burn::backend::tensor::FloatTensor;
use burn::tensor::Tensor;

use crate::tensor::Backend;

/// The uniform quantiser (18) of the NOMA signature paper with step 1: the nearest integer in
/// `-levels..=levels` (halves go up), with the gradient of the identity (straight-through).
///
/// `x [R, C]` -> `[R, C]`; `levels` >= 1.
pub fn quantize_ste(x: Tensor<2>, levels: u32) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::quantize_ste(x.into_dispatch(), f64::from(levels)))
}

/// Specification of [`quantize_ste`].
pub(in crate::tensor) fn forward<B: burn::backend::Backend>(x: FloatTensor<B>, levels: f64) -> FloatTensor<B> {
    let nearest = B::float_floor(B::float_add_scalar(x, 0.5.into()));
    B::float_clamp(nearest, (-levels).into(), levels.into())
}
