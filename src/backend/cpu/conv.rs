//! Convolutions of images that keep their size: unfolded to matrix products, image by image, in tiles that stay in cache.

use burn::tensor::Shape;
use rayon::prelude::*;

use super::element::{Element, View, matmul_into};

/// Images of one task of the backward pass. The partial sums of the weights belong to these groups, so gradients do not
/// depend on the number of threads.
const GROUP: usize = 4;
/// Numbers of an unfolded tile: about 256 KiB in single precision.
const TILE: usize = 1 << 16;

/// Sizes of a convolution.
#[derive(Debug, Clone, Copy)]
pub struct ConvShape {
    /// Images B.
    pub images: usize,
    /// Channels that come in.
    pub inputs: usize,
    /// Channels that go out.
    pub outputs: usize,
    /// Height and width of an image.
    pub size: [usize; 2],
    /// Height and width of the kernel, both odd.
    pub kernel: [usize; 2],
    /// Distance between the taps.
    pub dilation: usize,
    /// The input passes through an exponential linear unit first.
    pub activate: bool,
}

impl ConvShape {
    /// From the shapes of the images `[B, C, H, W]` and of the weights `[C', C, k, k']`.
    pub fn of(images: &Shape, weight: &Shape, dilation: usize, activate: bool) -> Self {
        Self {
            images: images[0],
            inputs: images[1],
            outputs: weight[0],
            size: [images[2], images[3]],
            kernel: [weight[2], weight[3]],
            dilation,
            activate,
        }
    }

    fn pixels(&self) -> usize {
        self.size[0] * self.size[1]
    }

    fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Rows of a tile for images of `channels` channels.
    fn rows(&self, channels: usize) -> usize {
        (TILE / (channels * self.taps() * self.size[1]).max(1)).clamp(1, self.size[0])
    }
}

/// Gradients of a convolution.
pub struct ConvGradients<T> {
    /// `[B, C, H, W]`.
    pub x: Vec<T>,
    /// `[C', C, k, k]`.
    pub weight: Vec<T>,
    /// `[C']`.
    pub bias: Vec<T>,
}

/// Rows `first..first + rows` of an image `[C, H, W]` as a matrix `[C k k, rows W]`: row (c, i, j) holds what tap (i, j)
/// sees, zero outside of the image.
fn unfold<T: Element>(x: &[T], channels: usize, shape: &ConvShape, first: usize, rows: usize, out: &mut [T]) {
    let ([height, width], [kh, kw], d) = (shape.size, shape.kernel, shape.dilation as isize);
    let pixels = height * width;
    let lines = out.chunks_exact_mut(rows * width);
    for (line, out) in lines.take(channels * kh * kw).enumerate() {
        let (c, tap) = (line / (kh * kw), line % (kh * kw));
        let dy = ((tap / kw) as isize - (kh / 2) as isize) * d;
        let dx = ((tap % kw) as isize - (kw / 2) as isize) * d;
        // Columns of the output whose tap lies inside of the image.
        let from = (-dx).clamp(0, width as isize) as usize;
        let to = (width as isize - dx).clamp(from as isize, width as isize) as usize;
        let image = &x[c * pixels..(c + 1) * pixels];
        for (i, out) in out.chunks_exact_mut(width).enumerate() {
            let y = (first + i) as isize + dy;
            if y < 0 || y >= height as isize {
                out.fill(T::zero());
                continue;
            }
            out[..from].fill(T::zero());
            out[to..].fill(T::zero());
            if from < to {
                let at = y as usize * width + (from as isize + dx) as usize;
                out[from..to].copy_from_slice(&image[at..at + to - from]);
            }
        }
    }
}

/// Buffers of one thread.
struct Scratch<T> {
    active: Vec<T>,
    columns: Vec<T>,
}

impl<T: Element> Scratch<T> {
    fn new(shape: &ConvShape, channels: usize) -> Self {
        let active = if shape.activate { shape.inputs * shape.pixels() } else { 0 };
        let columns = channels * shape.taps() * shape.rows(channels) * shape.size[1];
        Self { active: vec![T::zero(); active], columns: vec![T::zero(); columns] }
    }
}

/// The input as the taps see it.
fn activated<'a, T: Element>(x: &'a [T], shape: &ConvShape, buffer: &'a mut [T]) -> &'a [T] {
    if !shape.activate {
        return x;
    }
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            for (out, &x) in buffer.iter_mut().zip(x) {
                let elu = x.max(T::zero()) + (x.min(T::zero()).exp_of_negative() - T::one());
                // min and max forget what is no number; the loss must not.
                *out = if x.is_nan() { x } else { elu };
            }
        },
    );
    buffer
}

/// `out [R, H W] += w [R, C k k] * taps of x [C, H, W]`, tile by tile.
fn correlate<T: Element>(out: &mut [T], w: &[T], x: &[T], channels: usize, shape: &ConvShape, columns: &mut [T]) {
    let ([height, width], pixels, k) = (shape.size, shape.pixels(), channels * shape.taps());
    let w = View::new(w, w.len() / k, k);
    if shape.taps() == 1 {
        return matmul_into(out, pixels, w, View::new(x, k, pixels), true);
    }
    let step = shape.rows(channels);
    for first in (0..height).step_by(step) {
        let rows = step.min(height - first);
        unfold(x, channels, shape, first, rows, columns);
        matmul_into(&mut out[first * width..], pixels, w, View::new(columns, k, rows * width), true);
    }
}

/// `y = conv(x, weight) + bias`, or `conv(elu(x), weight) + bias`: x `[B, C, H, W]`, weight `[C', C, k, k]`, bias `[C']`.
pub fn conv_same<T: Element>(x: &[T], weight: &[T], bias: &[T], shape: ConvShape) -> Vec<T> {
    let (pixels, input) = (shape.pixels(), shape.inputs * shape.pixels());
    let mut out = vec![T::zero(); shape.images * shape.outputs * pixels];
    if out.is_empty() {
        return out;
    }
    out.par_chunks_exact_mut(shape.outputs * pixels).zip(x.par_chunks_exact(input)).for_each_init(
        || Scratch::new(&shape, shape.inputs),
        |scratch, (out, x)| {
            for (out, &b) in out.chunks_exact_mut(pixels).zip(bias) {
                out.fill(b);
            }
            let x = activated(x, &shape, &mut scratch.active);
            correlate(out, weight, x, shape.inputs, &shape, &mut scratch.columns);
        },
    );
    out
}

/// Gradients of [`conv_same`] for the gradient `g [B, C', H, W]` of its output.
pub fn conv_same_backward<T: Element>(x: &[T], weight: &[T], g: &[T], shape: ConvShape) -> ConvGradients<T> {
    let (pixels, taps) = (shape.pixels(), shape.taps());
    let (c, o) = (shape.inputs, shape.outputs);
    // The taps seen from the other side: channels swapped, kernel turned by half a turn.
    let mut turned = vec![T::zero(); weight.len()];
    for (i, &w) in weight.iter().enumerate() {
        let (out, rest) = (i / (c * taps), i % (c * taps));
        turned[((rest / taps) * o + out) * taps + taps - 1 - rest % taps] = w;
    }
    let mut gx = vec![T::zero(); x.len()];
    let groups = gx
        .par_chunks_mut(GROUP * c * pixels)
        .zip(x.par_chunks(GROUP * c * pixels))
        .zip(g.par_chunks(GROUP * o * pixels))
        .map(|((gx, x), g)| {
            let mut scratch = Scratch::new(&shape, c.max(o));
            let mut gw = vec![T::zero(); weight.len()];
            let mut gb = vec![T::zero(); o];
            let images = gx.chunks_exact_mut(c * pixels).zip(x.chunks_exact(c * pixels));
            for ((gx, x), g) in images.zip(g.chunks_exact(o * pixels)) {
                correlate(gx, &turned, g, o, &shape, &mut scratch.columns);
                let seen = activated(x, &shape, &mut scratch.active);
                weight_gradient(&mut gw, seen, g, &shape, &mut scratch.columns);
                for (sum, g) in gb.iter_mut().zip(g.chunks_exact(pixels)) {
                    *sum += g.iter().copied().sum();
                }
                if shape.activate {
                    slope(gx, x);
                }
            }
            (gw, gb)
        })
        .collect::<Vec<_>>();
    let (mut gw, mut gb) = (vec![T::zero(); weight.len()], vec![T::zero(); o]);
    for (w, b) in groups {
        gw.iter_mut().zip(w).for_each(|(sum, v)| *sum += v);
        gb.iter_mut().zip(b).for_each(|(sum, v)| *sum += v);
    }
    ConvGradients { x: gx, weight: gw, bias: gb }
}

/// `gw [C', C k k] += g [C', H W] * taps^T`.
fn weight_gradient<T: Element>(gw: &mut [T], x: &[T], g: &[T], shape: &ConvShape, columns: &mut [T]) {
    let ([height, width], pixels, k) = (shape.size, shape.pixels(), shape.inputs * shape.taps());
    let product = |gw: &mut [T], first: usize, rows: usize, seen: &[T]| {
        let count = rows * width;
        let part = View { columns: count, ..View::new(&g[first * width..], shape.outputs, pixels) };
        matmul_into(gw, k, View { row_stride: pixels, ..part }, View::new(seen, k, count).t(), true);
    };
    if shape.taps() == 1 {
        return product(gw, 0, height, x);
    }
    let step = shape.rows(shape.inputs);
    for first in (0..height).step_by(step) {
        let rows = step.min(height - first);
        unfold(x, shape.inputs, shape, first, rows, columns);
        product(gw, first, rows, columns);
    }
}

/// `gx <- gx elu'(x)`.
fn slope<T: Element>(gx: &mut [T], x: &[T]) {
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            for (g, &x) in gx.iter_mut().zip(x) {
                *g *= x.min(T::zero()).exp_of_negative();
            }
        },
    );
}
