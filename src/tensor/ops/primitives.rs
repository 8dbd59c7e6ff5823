//! burn's primitives on borrowed tensors, and complex batches as pairs of real ones.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata};
use burn::tensor::{Shape, Slice};

pub(super) fn add<B: Backend>(a: &FloatTensor<B>, b: &FloatTensor<B>) -> FloatTensor<B> {
    B::float_add(a.clone(), b.clone())
}

pub(super) fn sub<B: Backend>(a: &FloatTensor<B>, b: &FloatTensor<B>) -> FloatTensor<B> {
    B::float_sub(a.clone(), b.clone())
}

pub(super) fn mul<B: Backend>(a: &FloatTensor<B>, b: &FloatTensor<B>) -> FloatTensor<B> {
    B::float_mul(a.clone(), b.clone())
}

pub(super) fn div<B: Backend>(a: &FloatTensor<B>, b: &FloatTensor<B>) -> FloatTensor<B> {
    B::float_div(a.clone(), b.clone())
}

pub(super) fn matmul<B: Backend>(a: &FloatTensor<B>, b: &FloatTensor<B>) -> FloatTensor<B> {
    B::float_matmul(a.clone(), b.clone())
}

/// A number times a tensor.
pub(super) fn times_scalar<B: Backend>(a: &FloatTensor<B>, factor: f64) -> FloatTensor<B> {
    B::float_mul_scalar(a.clone(), factor.into())
}

/// A number plus a tensor.
pub(super) fn plus_scalar<B: Backend>(a: &FloatTensor<B>, number: f64) -> FloatTensor<B> {
    B::float_add_scalar(a.clone(), number.into())
}

/// `1 - a`.
pub(super) fn complement<B: Backend>(a: &FloatTensor<B>) -> FloatTensor<B> {
    B::float_add_scalar(B::float_neg(a.clone()), 1.0.into())
}

pub(super) fn reshape<B: Backend, const D: usize>(a: &FloatTensor<B>, shape: [usize; D]) -> FloatTensor<B> {
    B::float_reshape(a.clone(), Shape::new(shape))
}

/// The sizes of a tensor of D dimensions.
pub(super) fn dims<B: Backend, const D: usize>(t: &FloatTensor<B>) -> [usize; D] {
    let shape = t.shape();
    std::array::from_fn(|i| shape[i])
}

/// Last two dimensions swapped, of a batch of matrices.
pub(super) fn swap<B: Backend>(t: FloatTensor<B>) -> FloatTensor<B> {
    B::float_swap_dims(t, 1, 2)
}

/// Rows and columns of every matrix of a batch.
pub(super) fn part<B: Backend>(
    t: &FloatTensor<B>,
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
) -> FloatTensor<B> {
    let [frames, _, _] = dims::<B, 3>(t);
    B::float_slice(t.clone(), &[Slice::from(0..frames), rows.into(), columns.into()])
}

/// A complex batch `[F, rows, columns]` as real and imaginary planes.
pub(super) type Planes<B> = (FloatTensor<B>, FloatTensor<B>);

pub(super) fn both<B: Backend>((re, im): Planes<B>, f: impl Fn(FloatTensor<B>) -> FloatTensor<B>) -> Planes<B> {
    (f(re), f(im))
}

pub(super) fn adjoint<B: Backend>((re, im): Planes<B>) -> Planes<B> {
    (swap::<B>(re), B::float_neg(swap::<B>(im)))
}

/// `a b`; both batched, or both with one frame.
pub(super) fn times<B: Backend>((ar, ai): Planes<B>, (br, bi): Planes<B>) -> Planes<B> {
    let re = B::float_sub(matmul::<B>(&ar, &br), matmul::<B>(&ai, &bi));
    (re, B::float_add(matmul::<B>(&ar, &bi), matmul::<B>(&ai, &br)))
}

pub(super) fn plus<B: Backend>(a: Planes<B>, b: Planes<B>) -> Planes<B> {
    (B::float_add(a.0, b.0), B::float_add(a.1, b.1))
}

pub(super) fn minus<B: Backend>(a: Planes<B>, b: Planes<B>) -> Planes<B> {
    (B::float_sub(a.0, b.0), B::float_sub(a.1, b.1))
}

/// Stacked rows `[F*M, 2K]` as planes `[F, M, K]`.
pub(super) fn unstack<B: Backend>(t: &FloatTensor<B>, antennas: usize) -> Planes<B> {
    let [rows, width] = dims::<B, 2>(t);
    let t = reshape::<B, 3>(t, [rows / antennas, antennas, width]);
    (part::<B>(&t, 0..antennas, 0..width / 2), part::<B>(&t, 0..antennas, width / 2..width))
}

/// The inverse of [`unstack`].
pub(super) fn stack<B: Backend>((re, im): Planes<B>) -> FloatTensor<B> {
    let [frames, antennas, k] = dims::<B, 3>(&re);
    B::float_reshape(B::float_cat(vec![re, im], 2), Shape::new([frames * antennas, 2 * k]))
}
