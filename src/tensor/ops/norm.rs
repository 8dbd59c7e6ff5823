//! Instance normalisation "++".

use burn::backend::tensor::FloatTensor;
use burn::backend::{Dispatch, TensorMetadata};
use burn::tensor::{Shape, Tensor};

use super::primitives::{mul, times_scalar};
use crate::tensor::Backend;

/// Added to the variances, as in the published networks.
pub(in crate::tensor) const EPSILON: f64 = 1e-5;

/// Instance normalisation "++": `gamma (norm(x) + alpha m') + beta`.
///
/// `norm` takes mean and standard deviation out of every channel of every image (variance + 1e-5); `m'` are those means,
/// less their average over the channels and divided by their standard deviation over the channels (unbiased).
///
/// `x [B, C, H, W]`, the others `[C]` -> `[B, C, H, W]`. Source: Song and Ermon, NCSNv2 (2020).
pub fn norm_plus(x: Tensor<4>, alpha: Tensor<1>, gamma: Tensor<1>, beta: Tensor<1>) -> Tensor<4> {
    let [alpha, gamma, beta] = [alpha, gamma, beta].map(Tensor::into_dispatch);
    Tensor::from_dispatch(Dispatch::norm_plus(x.into_dispatch(), alpha, gamma, beta))
}

/// Everything a batch `[B, C, P]` is normalised by; `[B, C, 1]` but for the last.
struct Moments<B: burn::backend::Backend> {
    centred: FloatTensor<B>,
    inverse: FloatTensor<B>,
    relative: FloatTensor<B>,
    /// `[B, 1, 1]`.
    spread: FloatTensor<B>,
}

fn expand<B: burn::backend::Backend>(t: FloatTensor<B>, like: &FloatTensor<B>) -> FloatTensor<B> {
    B::float_expand(t, like.shape())
}

/// `1/sqrt(variance + epsilon)`.
fn inverse_root<B: burn::backend::Backend>(variance: FloatTensor<B>) -> FloatTensor<B> {
    B::float_recip(B::float_sqrt(B::float_add_scalar(variance, EPSILON.into())))
}

/// Degrees of freedom of the variance of the means.
fn free(channels: usize) -> f64 {
    (channels.max(2) - 1) as f64
}

fn moments<B: burn::backend::Backend>(x: FloatTensor<B>) -> Moments<B> {
    let shape = x.shape();
    let mean = B::float_mean_dim(x.clone(), 2);
    let centred = B::float_sub(x.clone(), expand::<B>(mean.clone(), &x));
    let inverse = inverse_root::<B>(B::float_mean_dim(B::float_mul(centred.clone(), centred.clone()), 2));
    let offset = B::float_sub(mean.clone(), expand::<B>(B::float_mean_dim(mean.clone(), 1), &mean));
    let squares = B::float_sum_dim(B::float_mul(offset.clone(), offset.clone()), 1);
    let spread = inverse_root::<B>(times_scalar::<B>(&squares, 1.0 / free(shape[1])));
    let relative = B::float_mul(offset.clone(), expand::<B>(spread.clone(), &offset));
    Moments { centred, inverse, relative, spread }
}

/// `[B, C, H, W]` as `[B, C, H W]`.
fn flat<B: burn::backend::Backend>(t: FloatTensor<B>) -> FloatTensor<B> {
    let shape = t.shape();
    B::float_reshape(t, Shape::new([shape[0], shape[1], shape[2] * shape[3]]))
}

/// `[C]` as `[1, C, 1]`.
fn per_channel<B: burn::backend::Backend>(t: FloatTensor<B>) -> FloatTensor<B> {
    let c = t.shape()[0];
    B::float_reshape(t, Shape::new([1, c, 1]))
}

/// Specification of [`norm_plus`].
pub(in crate::tensor) fn forward<B: burn::backend::Backend>(
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
pub(in crate::tensor) fn backward<B: burn::backend::Backend>(
    x: FloatTensor<B>,
    alpha: FloatTensor<B>,
    gamma: FloatTensor<B>,
    g: FloatTensor<B>,
) -> [FloatTensor<B>; 4] {
    let shape = x.shape();
    let (channels, pixels) = (shape[1], shape[2] * shape[3]);
    let m = moments::<B>(flat::<B>(x));
    let g = flat::<B>(g);
    let normal = B::float_mul(m.centred.clone(), expand::<B>(m.inverse.clone(), &m.centred));
    // Sums over the pixels, [B, C, 1].
    let plain = B::float_sum_dim(g.clone(), 2);
    let along = B::float_sum_dim(mul::<B>(&g, &normal), 2);
    let alpha = expand::<B>(per_channel::<B>(alpha), &plain);
    let gamma = expand::<B>(per_channel::<B>(gamma), &plain);
    let over_images = |t: FloatTensor<B>| B::float_reshape(B::float_sum_dim(t, 0), Shape::new([channels]));
    let moved = mul::<B>(&m.relative, &plain);
    let g_alpha = over_images(mul::<B>(&gamma, &moved));
    let g_gamma = over_images(B::float_add(along.clone(), mul::<B>(&alpha, &moved)));
    let g_beta = over_images(plain.clone());
    // Back through the means, which were normalised over the channels.
    let relative = B::float_mul(mul::<B>(&gamma, &alpha), plain.clone());
    let part = times_scalar::<B>(&B::float_sum_dim(mul::<B>(&relative, &m.relative), 1), 1.0 / free(channels));
    let centred = B::float_sub(relative.clone(), B::float_mul(m.relative.clone(), expand::<B>(part, &relative)));
    let centred = B::float_mul(centred.clone(), expand::<B>(m.spread, &centred));
    let centred = B::float_sub(centred.clone(), expand::<B>(B::float_mean_dim(centred.clone(), 1), &centred));
    // Back through the normalised image.
    let scale = mul::<B>(&gamma, &m.inverse);
    let shift = times_scalar::<B>(&B::float_sub(centred, mul::<B>(&scale, &plain)), 1.0 / pixels as f64);
    let slope = times_scalar::<B>(&mul::<B>(&scale, &along), 1.0 / pixels as f64);
    let g_x = B::float_sub(mul::<B>(&g, &expand::<B>(scale, &g)), B::float_mul(normal, expand::<B>(slope, &g)));
    let g_x = B::float_add(g_x, expand::<B>(shift, &g));
    [B::float_reshape(g_x, shape), g_alpha, g_gamma, g_beta]
}
