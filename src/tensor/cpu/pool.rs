//! Maximum over a square window around every pixel, plane by plane: first along the rows, then along the columns.

use burn::tensor::Shape;
use pulp::Arch;
use rayon::prelude::*;

use super::element::Element;

/// Sizes of the planes.
#[derive(Debug, Clone, Copy)]
pub struct PoolShape {
    /// Height and width.
    pub size: [usize; 2],
    /// Height and width of the window, odd.
    pub side: usize,
}

impl PoolShape {
    /// From the shape of the images `[B, C, H, W]`.
    pub fn of(images: &Shape, side: usize) -> Self {
        Self { size: [images[2], images[3]], side }
    }

    #[inline]
    fn pixels(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// Distance of the rows of a plane with its border.
    #[inline]
    fn stride(&self) -> usize {
        self.size[1] + self.side - 1
    }

    /// Numbers of a plane with its border.
    #[inline]
    fn padded(&self) -> usize {
        (self.size[0] + self.side - 1) * self.stride()
    }
}

/// The larger of two numbers; NaN if one is.
#[inline(always)]
fn larger<T: Element>(a: T, b: T) -> T {
    if b > a || b.is_nan() { b } else { a }
}

/// Buffers of one plane. The index of a window is that of its first pixel; values of windows that reach over the border are
/// never read.
struct Scratch<T> {
    /// The plane inside of a border of minus infinity.
    plane: Vec<T>,
    /// Largest numbers along the rows.
    rows: Vec<T>,
    /// Largest numbers of the windows.
    windows: Vec<T>,
    /// Gradients of the windows, before they go to a pixel.
    left: Vec<T>,
    /// Gradients of `rows`.
    of_rows: Vec<T>,
    /// Gradients of `plane`.
    of_plane: Vec<T>,
}

impl<T: Element> Scratch<T> {
    fn new(shape: &PoolShape, backward: bool) -> Self {
        let filled = |value: T, wanted: bool| vec![value; if wanted { shape.padded() } else { 0 }];
        let zeros = |wanted| filled(T::zero(), wanted);
        Self {
            plane: filled(T::neg_infinity(), true),
            rows: zeros(true),
            windows: zeros(true),
            left: zeros(backward),
            of_rows: zeros(backward),
            of_plane: zeros(backward),
        }
    }

    #[inline(always)]
    fn forward(&mut self, x: &[T], shape: &PoolShape) {
        let (border, stride) = (shape.side / 2, shape.stride());
        let lines = self.plane[border * stride + border..].chunks_mut(stride);
        for (line, x) in lines.zip(x.chunks_exact(shape.size[1])) {
            line[..x.len()].copy_from_slice(x);
        }
        let steps = |to: &mut [T], from: &[T], step: usize| {
            to.copy_from_slice(from);
            for j in 1..shape.side {
                for (to, &from) in to.iter_mut().zip(&from[j * step..]) {
                    *to = larger(*to, from);
                }
            }
        };
        steps(&mut self.rows, &self.plane, 1);
        steps(&mut self.windows, &self.rows, stride);
    }

    /// A gradient goes to the first of the largest numbers, row by row.
    #[inline(always)]
    fn backward(&mut self, g: &[T], shape: &PoolShape) {
        let (width, stride) = (shape.size[1], shape.stride());
        self.left.fill(T::zero());
        for (left, g) in self.left.chunks_mut(stride).zip(g.chunks_exact(width)) {
            left[..width].copy_from_slice(g);
        }
        let steps = |to: &mut [T], left: &mut [T], from: &[T], largest: &[T], step: usize| {
            to.fill(T::zero());
            for j in 0..shape.side {
                let sources = to[j * step..].iter_mut().zip(&from[j * step..]);
                for ((to, &from), (left, &largest)) in sources.zip(left.iter_mut().zip(largest)) {
                    let hit = from == largest;
                    *to += if hit { *left } else { T::zero() };
                    *left = if hit { T::zero() } else { *left };
                }
            }
        };
        steps(&mut self.of_rows, &mut self.left, &self.rows, &self.windows, stride);
        steps(&mut self.of_plane, &mut self.of_rows, &self.plane, &self.rows, 1);
    }
}

/// Maximum over the window around every pixel, which ends at the edges: `x [planes, H, W]` -> the same shape.
pub fn max_pool_same<T: Element>(x: &[T], shape: PoolShape) -> Vec<T> {
    let mut out = vec![T::zero(); x.len()];
    let pixels = shape.pixels();
    out.par_chunks_exact_mut(pixels).zip(x.par_chunks_exact(pixels)).for_each_init(
        || Scratch::new(&shape, false),
        |scratch, (out, x)| {
            Arch::new().dispatch(
                #[inline(always)]
                || scratch.forward(x, &shape),
            );
            let lines = scratch.windows.chunks(shape.stride());
            for (out, line) in out.chunks_exact_mut(shape.size[1]).zip(lines) {
                out.copy_from_slice(&line[..out.len()]);
            }
        },
    );
    out
}

/// Gradient of [`max_pool_same`] for the gradient `g [planes, H, W]` of its output.
pub fn max_pool_same_backward<T: Element>(x: &[T], g: &[T], shape: PoolShape) -> Vec<T> {
    let mut out = vec![T::zero(); x.len()];
    let (pixels, border, stride) = (shape.pixels(), shape.side / 2, shape.stride());
    out.par_chunks_exact_mut(pixels).zip(x.par_chunks_exact(pixels)).zip(g.par_chunks_exact(pixels)).for_each_init(
        || Scratch::new(&shape, true),
        |scratch, ((out, x), g)| {
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    scratch.forward(x, &shape);
                    scratch.backward(g, &shape);
                },
            );
            let lines = scratch.of_plane[border * stride + border..].chunks(stride);
            for (out, line) in out.chunks_exact_mut(shape.size[1]).zip(lines) {
                out.copy_from_slice(&line[..out.len()]);
            }
        },
    );
    out
}
