//! Convolutions of images that keep their size, image by image.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::activation::{elu, scale_by_slope};
use super::element::Element;
use super::geometry::{ConvShape, Geometry};
use super::sums::sum;
use super::tiles::{Correlate, WeightGradient, pack};

/// Images of one task of the backward pass. The partial sums of the weights belong to these groups, so gradients do not
/// depend on the number of threads.
const GROUP: usize = 4;

/// Bytes of the images, and of their gradients, that the gradient of the weights reads again and again: half of a common
/// second-level cache.
const CACHE: usize = 256 << 10;

/// Gradients of a convolution.
pub struct ConvGradients<T> {
    /// `[B, C, H, W]`.
    pub x: Vec<T>,
    /// `[C', C, k, k]`.
    pub weight: Vec<T>,
    /// `[C']`.
    pub bias: Vec<T>,
}

/// Numbers of a register on this processor.
#[inline]
fn lanes<T: Element>() -> usize {
    struct Lanes<T>(std::marker::PhantomData<T>);
    impl<T: Element> WithSimd for Lanes<T> {
        type Output = usize;
        fn with_simd<S: Simd>(self, _: S) -> usize {
            size_of::<T::Lanes<S>>() / size_of::<T>()
        }
    }
    Arch::new().dispatch(Lanes::<T>(std::marker::PhantomData))
}

/// One image of the forward pass.
struct Forward<'a, T> {
    out: &'a mut [T],
    x: &'a [T],
    weight: &'a [T],
    bias: &'a [T],
    padded: &'a mut [T],
    geometry: &'a Geometry,
    activate: bool,
}

impl<T: Element> WithSimd for Forward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { out, x, weight, bias, padded, geometry, activate } = self;
        fill(geometry, padded, x, activate);
        Correlate { out, weight, bias, x: padded, geometry }.simd(simd);
    }
}

/// The image as the taps see it.
#[inline(always)]
fn fill<T: Element>(geometry: &Geometry, out: &mut [T], x: &[T], activate: bool) {
    if activate {
        geometry.fill(out, x, elu);
    } else {
        geometry.fill(out, x, |x| x);
    }
}

/// `y = conv(x, weight) + bias`, or `conv(elu(x), weight) + bias`: x `[B, C, H, W]`, weight `[C', C, k, k]`, bias `[C']`.
pub fn conv_same<T: Element>(x: &[T], weight: &[T], bias: &[T], shape: ConvShape) -> Vec<T> {
    let (pixels, input, taps) = (shape.pixels(), shape.inputs * shape.pixels(), shape.taps());
    let mut out = vec![T::zero(); shape.images * shape.outputs * pixels];
    if out.is_empty() {
        return out;
    }
    let geometry = &Geometry::new(&shape, shape.inputs, lanes::<T>());
    let weight =
        &pack([shape.outputs, shape.inputs], shape.kernel, |o, c, tap| weight[(o * shape.inputs + c) * taps + tap]);
    out.par_chunks_exact_mut(shape.outputs * pixels).zip(x.par_chunks_exact(input)).for_each_init(
        || vec![T::zero(); shape.inputs * geometry.plane],
        |padded, (out, x)| {
            Arch::new().dispatch(Forward { out, x, weight, bias, padded, geometry, activate: shape.activate });
        },
    );
    out
}

/// A group of images of the backward pass.
struct Backward<'a, T> {
    gx: &'a mut [T],
    x: &'a [T],
    g: &'a [T],
    /// Packed weights of the transposed convolution: channels swapped, kernel turned by 180 degrees.
    weight: &'a [T],
    /// Layout of the input images.
    inner: &'a Geometry,
    /// Layout of the gradients of the output images; planes of the same size.
    outer: &'a Geometry,
    shape: &'a ConvShape,
    /// Input images with their borders, and gradients of the output likewise.
    padded: [&'a mut [T]; 2],
}

impl<T: Element> WithSimd for Backward<'_, T> {
    /// Gradients of weight and bias.
    type Output = (Vec<T>, Vec<T>);
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let Self { gx, x, g, weight, inner, outer, shape, padded: [px, pg] } = self;
        let (pixels, inputs, outputs) = (shape.pixels(), shape.inputs, shape.outputs);
        let mut gw = vec![T::zero(); outputs * inputs * shape.taps()];
        let mut gb = vec![T::zero(); outputs];
        let together = together::<T>(inputs * inner.plane + outputs * outer.plane);
        let images = gx.chunks_mut(together * inputs * pixels).zip(x.chunks(together * inputs * pixels));
        for ((gx, x), g) in images.zip(g.chunks(together * outputs * pixels)) {
            let count = x.len() / (inputs * pixels);
            let (px, pg) = (&mut px[..count * inputs * inner.plane], &mut pg[..count * outputs * outer.plane]);
            let images = gx.chunks_exact_mut(inputs * pixels).zip(x.chunks_exact(inputs * pixels));
            let images = images.zip(g.chunks_exact(outputs * pixels));
            let borders = px.chunks_exact_mut(inputs * inner.plane).zip(pg.chunks_exact_mut(outputs * outer.plane));
            for (((gx, x), g), (px, pg)) in images.zip(borders) {
                fill(inner, px, x, shape.activate);
                fill(outer, pg, g, false);
                Correlate { out: gx, weight, bias: &[], x: pg, geometry: outer }.simd(simd);
                for (total, g) in gb.iter_mut().zip(g.chunks_exact(pixels)) {
                    *total += sum::<8, T>(g, |v| v);
                }
                if shape.activate {
                    scale_by_slope(gx, x);
                }
            }
            WeightGradient { out: &mut gw, x: px, g: pg, geometry: inner, outputs, inputs }.simd(simd);
        }
        (gw, gb)
    }
}

/// Images whose gradients of the weights are summed in registers before they are added to the others.
#[inline]
fn together<T>(planes: usize) -> usize {
    [4, 2].into_iter().find(|n| n * planes * size_of::<T>() <= CACHE).unwrap_or(1)
}

/// Gradients of [`conv_same`] for the gradient `g [B, C', H, W]` of its output.
pub fn conv_same_backward<T: Element>(x: &[T], weight: &[T], g: &[T], shape: ConvShape) -> ConvGradients<T> {
    let (pixels, taps) = (shape.pixels(), shape.taps());
    let (c, o) = (shape.inputs, shape.outputs);
    let (inner, outer) = (&Geometry::new(&shape, c, lanes::<T>()), &Geometry::new(&shape, o, lanes::<T>()));
    // The transposed convolution: channels swapped, kernel turned by 180 degrees.
    let turned = &pack([c, o], shape.kernel, |c, o, tap| weight[(o * shape.inputs + c) * taps + taps - 1 - tap]);
    let mut gx = vec![T::zero(); x.len()];
    let together = together::<T>(c * inner.plane + o * outer.plane);
    let planes = |channels: usize, geometry: &Geometry| vec![T::zero(); together * channels * geometry.plane];
    let groups = gx
        .par_chunks_mut(GROUP * c * pixels)
        .zip(x.par_chunks(GROUP * c * pixels))
        .zip(g.par_chunks(GROUP * o * pixels))
        .map_init(
            || (planes(c, inner), planes(o, outer)),
            |(px, pg), ((gx, x), g)| {
                let shape = &shape;
                Arch::new().dispatch(Backward { gx, x, g, weight: turned, inner, outer, shape, padded: [px, pg] })
            },
        )
        .collect::<Vec<_>>();
    let (mut gw, mut gb) = (vec![T::zero(); weight.len()], vec![T::zero(); o]);
    for (w, b) in groups {
        gw.iter_mut().zip(w).for_each(|(sum, v)| *sum += v);
        gb.iter_mut().zip(b).for_each(|(sum, v)| *sum += v);
    }
    ConvGradients { x: gx, weight: gw, bias: gb }
}
