//! Instance normalisation "++" of a batch of images, image by image.

use burn::tensor::Shape;
use rayon::prelude::*;

use super::element::Element;
use super::sums::{dot, sum};

/// Images of one task of the backward pass; partial sums belong to these groups, not to threads.
const GROUP: usize = 4;

/// Sizes of a batch of images.
#[derive(Debug, Clone, Copy)]
pub struct NormShape {
    /// Channels C.
    pub channels: usize,
    /// Height times width.
    pub pixels: usize,
    /// Added to variances.
    pub epsilon: f64,
}

impl NormShape {
    /// From the shape of the images `[B, C, H, W]`.
    pub fn of(images: &Shape, epsilon: f64) -> Self {
        Self { channels: images[1], pixels: images[2] * images[3], epsilon }
    }
}

/// Gradients of the normalisation.
pub struct NormGradients<T> {
    /// `[B, C, H, W]`.
    pub x: Vec<T>,
    /// Of the weights of the means, `[C]`.
    pub alpha: Vec<T>,
    /// Of the scales, `[C]`.
    pub gamma: Vec<T>,
    /// Of the shifts, `[C]`.
    pub beta: Vec<T>,
}

/// What the channels of one image are normalised by.
struct Moments<T> {
    /// Mean of each channel.
    mean: Vec<T>,
    /// Inverse standard deviation of each channel.
    inverse: Vec<T>,
    /// Means of the channels, themselves normalised over the channels.
    relative: Vec<T>,
    /// Inverse standard deviation of the means.
    spread: T,
}

/// Partial sums of a channel.
const SUMS: usize = 8;

#[inline(always)]
fn moments<T: Element>(x: &[T], shape: &NormShape) -> Moments<T> {
    let (count, epsilon) = (T::narrow(shape.pixels as f64), T::narrow(shape.epsilon));
    let channels = x.chunks_exact(shape.pixels);
    let mean: Vec<T> = channels.clone().map(|x| sum::<SUMS, T>(x, |v| v) / count).collect();
    let variance = |(x, &m): (&[T], &T)| sum::<SUMS, T>(x, |v| (v - m) * (v - m)) / count;
    let inverse = channels.zip(&mean).map(|c| (variance(c) + epsilon).sqrt().recip()).collect();
    let c = T::narrow(shape.channels as f64);
    let centre = mean.iter().copied().sum::<T>() / c;
    // The unbiased variance, as in the published networks.
    let free = T::narrow((shape.channels.max(2) - 1) as f64);
    let squares: T = mean.iter().map(|&m| (m - centre) * (m - centre)).sum();
    let spread = (squares / free + epsilon).sqrt().recip();
    let relative = mean.iter().map(|&m| (m - centre) * spread).collect();
    Moments { mean, inverse, relative, spread }
}

/// `gamma (norm(x) + alpha m') + beta`, x `[B, C, H, W]`, weights `[C]`.
pub fn norm_plus<T: Element>(x: &[T], [alpha, gamma, beta]: [&[T]; 3], shape: NormShape) -> Vec<T> {
    let image = shape.channels * shape.pixels;
    let mut out = vec![T::zero(); x.len()];
    let arch = pulp::Arch::new();
    out.par_chunks_exact_mut(image).zip(x.par_chunks_exact(image)).for_each(|(out, x)| {
        arch.dispatch(
            #[inline(always)]
            || {
                let m = moments(x, &shape);
                let channels = out.chunks_exact_mut(shape.pixels).zip(x.chunks_exact(shape.pixels));
                for (c, (out, x)) in channels.enumerate() {
                    let scale = gamma[c] * m.inverse[c];
                    let shift = gamma[c] * alpha[c] * m.relative[c] + beta[c] - m.mean[c] * scale;
                    for (out, &x) in out.iter_mut().zip(x) {
                        *out = x * scale + shift;
                    }
                }
            },
        );
    });
    out
}

/// Sums over the images of a group: alpha, gamma, beta.
type Sums<T> = [Vec<T>; 3];

/// Gradients of [`norm_plus`] for the gradient `g [B, C, H, W]` of its output.
pub fn norm_plus_backward<T: Element>(
    x: &[T],
    [alpha, gamma]: [&[T]; 2],
    g: &[T],
    shape: NormShape,
) -> NormGradients<T> {
    let image = shape.channels * shape.pixels;
    let mut gx = vec![T::zero(); x.len()];
    let arch = pulp::Arch::new();
    let empty = || vec![T::zero(); shape.channels];
    let groups = gx
        .par_chunks_mut(GROUP * image)
        .zip(x.par_chunks(GROUP * image))
        .zip(g.par_chunks(GROUP * image))
        .map(|((gx, x), g)| {
            let mut sums: Sums<T> = [empty(), empty(), empty()];
            for ((gx, x), g) in gx.chunks_exact_mut(image).zip(x.chunks_exact(image)).zip(g.chunks_exact(image)) {
                arch.dispatch(
                    #[inline(always)]
                    || image_backward(gx, x, g, [alpha, gamma], &mut sums, &shape),
                );
            }
            sums
        })
        .collect::<Vec<_>>();
    let mut total: Sums<T> = [empty(), empty(), empty()];
    for sums in groups {
        for (total, sums) in total.iter_mut().zip(sums) {
            total.iter_mut().zip(sums).for_each(|(t, v)| *t += v);
        }
    }
    let [alpha, gamma, beta] = total;
    NormGradients { x: gx, alpha, gamma, beta }
}

#[inline(always)]
fn image_backward<T: Element>(
    gx: &mut [T],
    x: &[T],
    g: &[T],
    [alpha, gamma]: [&[T]; 2],
    sums: &mut Sums<T>,
    shape: &NormShape,
) {
    let m = moments(x, shape);
    let (count, channels) = (T::narrow(shape.pixels as f64), T::narrow(shape.channels as f64));
    let planes = x.chunks_exact(shape.pixels).zip(g.chunks_exact(shape.pixels));
    // Per channel: the sum of g, and of g times the normalised image.
    let (mut plain, mut normal) = (Vec::with_capacity(shape.channels), Vec::with_capacity(shape.channels));
    for (c, (x, g)) in planes.clone().enumerate() {
        plain.push(sum::<SUMS, T>(g, |v| v));
        normal.push(dot::<SUMS, T>(g, x, |v| v - m.mean[c]) * m.inverse[c]);
    }
    for c in 0..shape.channels {
        sums[0][c] += gamma[c] * m.relative[c] * plain[c];
        sums[1][c] += normal[c] + alpha[c] * m.relative[c] * plain[c];
        sums[2][c] += plain[c];
    }
    // Back through the means, which were normalised over the channels.
    let free = T::narrow((shape.channels.max(2) - 1) as f64);
    let relative = |c: usize| gamma[c] * alpha[c] * plain[c];
    let along: T = (0..shape.channels).map(|c| relative(c) * m.relative[c]).sum::<T>() / free;
    let centred: Vec<T> = (0..shape.channels).map(|c| m.spread * (relative(c) - m.relative[c] * along)).collect();
    let centre = centred.iter().copied().sum::<T>() / channels;
    for (c, (gx, (x, g))) in gx.chunks_exact_mut(shape.pixels).zip(planes).enumerate() {
        let scale = gamma[c] * m.inverse[c];
        let slope = scale * m.inverse[c] * normal[c] / count;
        let shift = (centred[c] - centre) / count - scale * plain[c] / count;
        for ((gx, &x), &g) in gx.iter_mut().zip(x).zip(g) {
            *gx = scale * g + shift - slope * (x - m.mean[c]);
        }
    }
}
