//! Convolutions that keep the size of the image.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Dispatch, TensorMetadata};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Shape, Tensor};

use super::exp_linear;
use super::primitives::dims;
use crate::tensor::Backend;

/// A convolution with zero padding that keeps the size of the image, of `x` or of `elu(x)` (`activate`).
///
/// `x [B, C, H, W]`, `weight [C', C, k, k]` with odd k, `bias [C']` -> `[B, C', H, W]`. Taps are `dilation` pixels apart.
/// With the activation inside, its result never goes to memory and costs no node of its own in the backward pass.
pub fn conv_same(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, dilation: usize, activate: bool) -> Tensor<4> {
    let [x, weight] = [x, weight].map(Tensor::into_dispatch);
    Tensor::from_dispatch(Dispatch::conv_same(x, weight, bias.into_dispatch(), dilation, activate))
}

fn options<B: burn::backend::Backend>(weight: &FloatTensor<B>, dilation: usize) -> ConvOptions<2> {
    let shape = weight.shape();
    let padding = [shape[2] / 2 * dilation, shape[3] / 2 * dilation];
    ConvOptions::new([1, 1], padding, [dilation, dilation], 1)
}

/// Specification of [`conv_same`].
pub(in crate::tensor) fn forward<B: burn::backend::Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    dilation: usize,
    activate: bool,
) -> FloatTensor<B> {
    let options = options::<B>(&weight, dilation);
    let x = if activate { exp_linear::forward::<B>(x) } else { x };
    B::conv2d(x, weight, Some(bias), options)
}

/// Gradients of x, the weight and the bias.
pub(in crate::tensor) fn backward<B: burn::backend::Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    g: FloatTensor<B>,
    dilation: usize,
    activate: bool,
) -> [FloatTensor<B>; 3] {
    let seen = if activate { exp_linear::forward::<B>(x.clone()) } else { x.clone() };
    let options = options::<B>(&weight, dilation);
    let by_weight = B::conv2d_weight_backward(seen.clone(), weight.clone(), g.clone(), options.clone());
    let [images, channels, _, _] = dims::<B, 4>(&g);
    let sums = B::float_sum_dim(B::float_sum_dim(g.clone(), 3), 2);
    let sums = B::float_sum_dim(B::float_reshape(sums, Shape::new([images, channels])), 0);
    let by_bias = B::float_reshape(sums, Shape::new([channels]));
    let by_seen = B::conv2d_x_backward(seen, weight, g, options);
    let by_x = if activate { exp_linear::backward::<B>(x, by_seen) } else { by_seen };
    [by_x, by_weight, by_bias]
}
