//! Inner products and weights of rows; each is the other's adjoint.

use burn::backend::Dispatch;
use burn::backend::tensor::FloatTensor;
use burn::tensor::{Shape, Tensor};

use super::primitives::{dims, mul, reshape};
use crate::tensor::Backend;

/// Real inner products of the rows of two stacked arrays over the antennas: `sum_m Re(conj(a_mk) b_mk)`.
///
/// `a`, `b` `[F*M, 2K]` -> `[F, K]`. `row_dot(z, z)` are the row energies `||z_k||^2`. The gradient of a is
/// `row_scale(b, g)`, that of b is `row_scale(a, g)`.
pub fn row_dot(a: Tensor<2>, b: Tensor<2>, antennas: usize) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::row_dot(a.into_dispatch(), b.into_dispatch(), antennas))
}

/// Scales row k of every frame by one real weight: `x_mk = c_k z_mk`.
///
/// `z [F*M, 2K]`, `c [F, K]` -> `[F*M, 2K]`. The gradient of z is `row_scale(g, c)`, that of c is `row_dot(z, g)`.
pub fn row_scale(z: Tensor<2>, c: Tensor<2>, antennas: usize) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::row_scale(z.into_dispatch(), c.into_dispatch(), antennas))
}

/// `[F*M, 2K]` seen as `[F, M, 2, K]`.
fn unfold<B: burn::backend::Backend>(t: &FloatTensor<B>, antennas: usize) -> FloatTensor<B> {
    let [rows, columns] = dims::<B, 2>(t);
    reshape::<B, 4>(t, [rows / antennas, antennas, 2, columns / 2])
}

/// Specification of [`row_dot`].
pub(in crate::tensor) fn dot<B: burn::backend::Backend>(
    a: &FloatTensor<B>,
    b: &FloatTensor<B>,
    antennas: usize,
) -> FloatTensor<B> {
    let [rows, columns] = dims::<B, 2>(a);
    let product = unfold::<B>(&mul::<B>(a, b), antennas);
    let sum = B::float_sum_dim(B::float_sum_dim(product, 1), 2);
    B::float_reshape(sum, Shape::new([rows / antennas, columns / 2]))
}

/// Specification of [`row_scale`].
pub(in crate::tensor) fn scale<B: burn::backend::Backend>(
    z: &FloatTensor<B>,
    c: &FloatTensor<B>,
    antennas: usize,
) -> FloatTensor<B> {
    let [rows, columns] = dims::<B, 2>(z);
    let (frames, k) = (rows / antennas, columns / 2);
    let weights = B::float_expand(reshape::<B, 4>(c, [frames, 1, 1, k]), Shape::new([frames, antennas, 2, k]));
    B::float_reshape(B::float_mul(unfold::<B>(z, antennas), weights), Shape::new([rows, columns]))
}
