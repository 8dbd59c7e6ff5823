//! Dense layers with the frame last.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Dispatch, TensorMetadata};
use burn::tensor::Tensor;

use crate::tensor::Backend;

/// A dense layer with the frame last: `W x + b`, negative results cut off (`rectify`).
///
/// `weight [O, I]`, `x [I, F]`, `bias [O, 1]` -> `[O, F]`. Bias and rectifier cost one pass forward and one backward.
pub fn dense(weight: Tensor<2>, x: Tensor<2>, bias: Tensor<2>, rectify: bool) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::dense(weight.into_dispatch(), x.into_dispatch(), bias.into_dispatch(), rectify))
}

/// Specification of [`dense`].
pub(in crate::tensor) fn forward<B: burn::backend::Backend>(
    weight: FloatTensor<B>,
    x: FloatTensor<B>,
    bias: FloatTensor<B>,
    rectify: bool,
) -> FloatTensor<B> {
    let product = B::float_matmul(weight, x);
    let bias = B::float_expand(bias, product.shape());
    let out = B::float_add(product, bias);
    if rectify { B::relu(out) } else { out }
}

/// The gradient before the rectifier, and that of the bias: `g` where the output is positive, and its sums over frames.
pub(in crate::tensor) fn gate<B: burn::backend::Backend>(
    out: FloatTensor<B>,
    g: FloatTensor<B>,
    rectify: bool,
) -> [FloatTensor<B>; 2] {
    // The output is not negative: its sign is one where the gradient passes and zero where it does not.
    let g = if rectify { B::float_mul(g, B::float_sign(out)) } else { g };
    [g.clone(), B::float_sum_dim(g, 1)]
}
