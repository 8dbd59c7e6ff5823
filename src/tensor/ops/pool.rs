//! Maxima over windows that keep the size of the image.

use burn::backend::Dispatch;
use burn::backend::tensor::FloatTensor;
use burn::tensor::{IntDType, Tensor};

use crate::tensor::Backend;

/// Maximum over the `side x side` pixels around every pixel, as far as they lie in the image.
///
/// `x [B, C, H, W]` -> `[B, C, H, W]`, `side` odd. The gradient goes to the first maximum, row by row.
pub fn max_pool_same(x: Tensor<4>, side: usize) -> Tensor<4> {
    Tensor::from_dispatch(Dispatch::max_pool_same(x.into_dispatch(), side))
}

/// Specification of [`max_pool_same`].
pub(in crate::tensor) fn forward<B: burn::backend::Backend>(x: FloatTensor<B>, side: usize) -> FloatTensor<B> {
    B::max_pool2d(x, [side; 2], [1; 2], [side / 2; 2], [1; 2], false)
}

/// `g` at the first maximum of every window.
pub(in crate::tensor) fn backward<B: burn::backend::Backend>(
    x: FloatTensor<B>,
    g: FloatTensor<B>,
    side: usize,
) -> FloatTensor<B> {
    let ([kernel, stride, padding, dilation], dtype) = ([[side; 2], [1; 2], [side / 2; 2], [1; 2]], IntDType::I32);
    let indices = B::max_pool2d_with_indices(x.clone(), kernel, stride, padding, dilation, false, dtype).indices;
    B::max_pool2d_with_indices_backward(x, kernel, stride, padding, dilation, false, g, indices).x_grad
}
