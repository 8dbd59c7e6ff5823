//! Default bodies of the image kernels: convolution, pooling and normalisation in burn primitives. They are the specification of the
//! fast ones, and what runs on GPUs.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{IntDType, Shape};

/// Added to the variances of instance normalisation, as in the published networks.
pub(super) const EPSILON: f64 = 1e-5;

fn options<B: Backend>(weight: &FloatTensor<B>, dilation: usize) -> ConvOptions<2> {
    let shape = weight.shape();
    let padding = [shape[2] / 2 * dilation, shape[3] / 2 * dilation];
    ConvOptions::new([1, 1], padding, [dilation, dilation], 1)
}

/// `exp(min(x, 0))`, the slope of the exponential linear unit.
fn slope<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    B::float_exp(B::float_clamp_max(x, 0.0.into()))
}

pub(super) fn exp_linear<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let negative = B::float_add_scalar(slope::<B>(x.clone()), (-1.0).into());
    B::float_add(B::float_clamp_min(x, 0.0.into()), negative)
}

pub(super) fn conv_same<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    dilation: usize,
    activate: bool,
) -> FloatTensor<B> {
    let options = options::<B>(&weight, dilation);
    let x = if activate { exp_linear::<B>(x) } else { x };
    B::conv2d(x, weight, Some(bias), options)
}

pub(super) fn conv_same_backward<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    g: FloatTensor<B>,
    dilation: usize,
    activate: bool,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let seen = if activate { exp_linear::<B>(x.clone()) } else { x.clone() };
    let options = options::<B>(&weight, dilation);
    let gw = B::conv2d_weight_backward(seen.clone(), weight.clone(), g.clone(), options.clone());
    let shape = g.shape();
    let sums = B::float_sum_dim(B::float_sum_dim(g.clone(), 3), 2);
    let sums = B::float_sum_dim(B::float_reshape(sums, Shape::new([shape[0], shape[1]])), 0);
    let gb = B::float_reshape(sums, Shape::new([shape[1]]));
    let gx = B::conv2d_x_backward(seen, weight, g, options);
    let gx = if activate { B::float_mul(gx, slope::<B>(x)) } else { gx };
    (gx, gw, gb)
}

pub(super) fn exp_linear_backward<B: Backend>(x: FloatTensor<B>, g: FloatTensor<B>) -> FloatTensor<B> {
    B::float_mul(g, slope::<B>(x))
}

pub(super) fn max_pool_same<B: Backend>(x: FloatTensor<B>, side: usize) -> FloatTensor<B> {
    B::max_pool2d(x, [side; 2], [1; 2], [side / 2; 2], [1; 2], false)
}

pub(super) fn max_pool_same_backward<B: Backend>(x: FloatTensor<B>, g: FloatTensor<B>, side: usize) -> FloatTensor<B> {
    let ([kernel, stride, padding, dilation], dtype) = ([[side; 2], [1; 2], [side / 2; 2], [1; 2]], IntDType::I32);
    let indices = B::max_pool2d_with_indices(x.clone(), kernel, stride, padding, dilation, false, dtype).indices;
    B::max_pool2d_with_indices_backward(x, kernel, stride, padding, dilation, false, g, indices).x_grad
}

/// Everything a batch `[B, C, P]` is normalised by; `[B, C, 1]` but for the last.
struct Moments<B: Backend> {
    centred: FloatTensor<B>,
    inverse: FloatTensor<B>,
    relative: FloatTensor<B>,
    /// `[B, 1, 1]`.
    spread: FloatTensor<B>,
}

fn expand<B: Backend>(t: FloatTensor<B>, like: &FloatTensor<B>) -> FloatTensor<B> {
    B::float_expand(t, like.shape())
}

fn scaled<B: Backend>(t: FloatTensor<B>, by: f64) -> FloatTensor<B> {
    B::float_mul_scalar(t, by.into())
}

/// `1/sqrt(variance + epsilon)`.
fn inverse_root<B: Backend>(variance: FloatTensor<B>) -> FloatTensor<B> {
    B::float_recip(B::float_sqrt(B::float_add_scalar(variance, EPSILON.into())))
}

/// Degrees of freedom of the variance of the means.
fn free(channels: usize) -> f64 {
    (channels.max(2) - 1) as f64
}

fn moments<B: Backend>(x: FloatTensor<B>) -> Moments<B> {
    let shape = x.shape();
    let mean = B::float_mean_dim(x.clone(), 2);
    let centred = B::float_sub(x.clone(), expand::<B>(mean.clone(), &x));
    let inverse = inverse_root::<B>(B::float_mean_dim(B::float_mul(centred.clone(), centred.clone()), 2));
    let offset = B::float_sub(mean.clone(), expand::<B>(B::float_mean_dim(mean.clone(), 1), &mean));
    let squares = B::float_sum_dim(B::float_mul(offset.clone(), offset.clone()), 1);
    let spread = inverse_root::<B>(scaled::<B>(squares, 1.0 / free(shape[1])));
    let relative = B::float_mul(offset.clone(), expand::<B>(spread.clone(), &offset));
    Moments { centred, inverse, relative, spread }
}

/// `[B, C, H, W]` as `[B, C, H W]`.
fn flat<B: Backend>(t: FloatTensor<B>) -> FloatTensor<B> {
    let shape = t.shape();
    B::float_reshape(t, Shape::new([shape[0], shape[1], shape[2] * shape[3]]))
}

/// `[C]` as `[1, C, 1]`.
fn per_channel<B: Backend>(t: FloatTensor<B>) -> FloatTensor<B> {
    let c = t.shape()[0];
    B::float_reshape(t, Shape::new([1, c, 1]))
}

pub(super) fn norm_plus<B: Backend>(
    x: FloatTensor<B>,
    alpha: FloatTensor<B>,
    gamma: FloatTensor<B>,
    beta: FloatTensor<B>,
) -> FloatTensor<B> {
    let shape = x.shape();
    let m = moments::<B>(flat::<B>(x));
    let [alpha, gamma, beta] = [alpha, gamma, beta].map(per_channel::<B>);
    let normal = B::float_mul(m.centred.clone(), expand::<B>(m.inverse, &m.centred));
    let shift = B::float_mul(m.relative.clone(), expand::<B>(alpha, &m.relative));
    let sum = B::float_add(normal.clone(), expand::<B>(shift, &normal));
    let y = B::float_add(B::float_mul(sum, expand::<B>(gamma, &normal)), expand::<B>(beta, &normal));
    B::float_reshape(y, shape)
}

/// Gradients with respect to x, alpha, gamma and beta.
pub(super) fn norm_plus_backward<B: Backend>(
    x: FloatTensor<B>,
    alpha: FloatTensor<B>,
    gamma: FloatTensor<B>,
    g: FloatTensor<B>,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let shape = x.shape();
    let (channels, pixels) = (shape[1], shape[2] * shape[3]);
    let m = moments::<B>(flat::<B>(x));
    let g = flat::<B>(g);
    let mul = |a: &FloatTensor<B>, b: &FloatTensor<B>| B::float_mul(a.clone(), b.clone());
    let normal = B::float_mul(m.centred.clone(), expand::<B>(m.inverse.clone(), &m.centred));
    // Sums over the pixels, [B, C, 1].
    let plain = B::float_sum_dim(g.clone(), 2);
    let along = B::float_sum_dim(mul(&g, &normal), 2);
    let alpha = expand::<B>(per_channel::<B>(alpha), &plain);
    let gamma = expand::<B>(per_channel::<B>(gamma), &plain);
    let over_images = |t: FloatTensor<B>| B::float_reshape(B::float_sum_dim(t, 0), Shape::new([channels]));
    let moved = mul(&m.relative, &plain);
    let g_alpha = over_images(mul(&gamma, &moved));
    let g_gamma = over_images(B::float_add(along.clone(), mul(&alpha, &moved)));
    let g_beta = over_images(plain.clone());
    // Back through the means, which were normalised over the channels.
    let relative = B::float_mul(mul(&gamma, &alpha), plain.clone());
    let part = scaled::<B>(B::float_sum_dim(mul(&relative, &m.relative), 1), 1.0 / free(channels));
    let centred = B::float_sub(relative.clone(), B::float_mul(m.relative.clone(), expand::<B>(part, &relative)));
    let centred = B::float_mul(centred.clone(), expand::<B>(m.spread, &centred));
    let centred = B::float_sub(centred.clone(), expand::<B>(B::float_mean_dim(centred.clone(), 1), &centred));
    // Back through the normalised image.
    let scale = mul(&gamma, &m.inverse);
    let shift = scaled::<B>(B::float_sub(centred, mul(&scale, &plain)), 1.0 / pixels as f64);
    let slope = scaled::<B>(mul(&scale, &along), 1.0 / pixels as f64);
    let g_x = B::float_sub(mul(&g, &expand::<B>(scale, &g)), B::float_mul(normal, expand::<B>(slope, &g)));
    let g_x = B::float_add(g_x, expand::<B>(shift, &g));
    (B::float_reshape(g_x, shape), g_alpha, g_gamma, g_beta)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::{DType, TensorData};

    use super::super::ops::Backend as Fused;
    use super::super::testing::{assert_same, numbers};
    use super::*;

    /// Single pixels, dilations beyond the image, images larger than one tile, more images than a group.
    #[test]
    fn fast_convolutions_are_the_specification() {
        let cases = [
            ([5, 3, 4, 6], 2, [3, 3], 1),
            ([2, 3, 5, 3], 4, [3, 3], 4),
            ([6, 4, 3, 7], 3, [1, 1], 1),
            ([3, 2, 6, 5], 2, [1, 3], 2),
            ([1, 40, 16, 32], 5, [3, 3], 2),
        ];
        for dtype in [DType::F64, DType::F32] {
            let tolerance = if dtype == DType::F64 { 1e-12 } else { 2e-5 };
            for (i, (shape, outputs, [kh, kw], dilation)) in cases.into_iter().enumerate() {
                for activate in [false, true] {
                    let name = format!("case {i} {dtype:?} {activate}");
                    let x = || numbers(1, shape, dtype);
                    let w = || numbers(2, [outputs, shape[1], kh, kw], dtype);
                    let b = || numbers(3, [outputs], dtype);
                    let g = || numbers(4, [shape[0], outputs, shape[2], shape[3]], dtype);
                    let fast = Flex::conv_same(x(), w(), b(), dilation, activate);
                    assert_same(&name, fast, conv_same::<Flex>(x(), w(), b(), dilation, activate), tolerance);
                    let fast = Flex::conv_same_backward(x(), w(), g(), dilation, activate);
                    let spec = conv_same_backward::<Flex>(x(), w(), g(), dilation, activate);
                    assert_same(&format!("{name} x"), fast.0, spec.0, tolerance);
                    assert_same(&format!("{name} weight"), fast.1, spec.1, tolerance);
                    assert_same(&format!("{name} bias"), fast.2, spec.2, tolerance);
                }
            }
        }
    }

    /// Windows larger than the image, and numbers that repeat within a window.
    #[test]
    fn fast_pooling_and_activation_are_the_specification() {
        let few = |shape: [usize; 4], dtype| {
            let data: Vec<f64> = (0..shape.iter().product()).map(|i| (i * 7919 % 5) as f64 - 2.5).collect();
            FloatTensor::<Flex>::from_data(TensorData::new(data, shape).convert_dtype(dtype))
        };
        for dtype in [DType::F64, DType::F32] {
            for (shape, side) in [([2, 3, 4, 6], 5), ([3, 1, 7, 9], 3), ([1, 2, 1, 2], 5), ([2, 2, 16, 32], 5)] {
                for x in [numbers(1, shape, dtype), few(shape, dtype)] {
                    let (x, g) = (|| x.clone(), || numbers(2, shape, dtype));
                    let name = format!("{shape:?} {dtype:?}");
                    assert_same(&name, Flex::max_pool_same(x(), side), max_pool_same::<Flex>(x(), side), 1e-6);
                    let spec = max_pool_same_backward::<Flex>(x(), g(), side);
                    assert_same(&name, Flex::max_pool_same_backward(x(), g(), side), spec, 1e-6);
                    assert_same(&name, Flex::exp_linear(x()), exp_linear::<Flex>(x()), 1e-6);
                    let spec = exp_linear_backward::<Flex>(x(), g());
                    assert_same(&name, Flex::exp_linear_backward(x(), g()), spec, 1e-6);
                }
            }
        }
    }

    #[test]
    fn the_fast_normalisation_is_the_specification() {
        for shape in [[5, 3, 4, 6], [2, 1, 3, 3], [9, 4, 5, 5]] {
            let c = [shape[1]];
            let dtype = DType::F64;
            let (x, g) = (|| numbers(1, shape, dtype), || numbers(5, shape, dtype));
            let (a, s, b) = (|| numbers(2, c, dtype), || numbers(3, c, dtype), || numbers(4, c, dtype));
            let fast = Flex::norm_plus(x(), a(), s(), b());
            assert_same("norm_plus", fast, norm_plus::<Flex>(x(), a(), s(), b()), 1e-11);
            let fast = Flex::norm_plus_backward(x(), a(), s(), g());
            let spec = norm_plus_backward::<Flex>(x(), a(), s(), g());
            let pairs = [(fast.0, spec.0), (fast.1, spec.1), (fast.2, spec.2), (fast.3, spec.3)];
            for (i, (fast, spec)) in pairs.into_iter().enumerate() {
                assert_same(&format!("gradient {i}"), fast, spec, 1e-10);
            }
        }
    }
}
