//! The Onsager product: a sum of rank-one matrices of every frame, applied without forming them.

use burn::backend::Dispatch;
use burn::backend::tensor::FloatTensor;
use burn::tensor::Tensor;

use super::primitives::{Planes, adjoint, plus, stack, times, unstack};
use super::rows;
use crate::tensor::Backend;

/// Applies `J = sum_k t_k z_k z_k^H` (M x M, Hermitian) to the residual: row m of the result is `sum_m' J_mm' r_m'`.
///
/// `z [F*M, 2K]`, `t [F, K]`, `r [F*M, 2L]` -> `[F*M, 2L]`. This is the rank-one part of the matrix Onsager term of
/// Theorem 1 of the DL-mAMPnet paper: `R (sum_i J_i)^T` in the layout with one antenna a row.
pub fn row_onsager(z: Tensor<2>, t: Tensor<2>, r: Tensor<2>, antennas: usize) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::row_onsager(z.into_dispatch(), t.into_dispatch(), r.into_dispatch(), antennas))
}

/// `J` as planes `[F, M, M]`.
fn jacobian<B: burn::backend::Backend>(z: &FloatTensor<B>, t: &FloatTensor<B>, antennas: usize) -> Planes<B> {
    let scaled = rows::scale::<B>(z, t, antennas);
    times::<B>(unstack::<B>(&scaled, antennas), adjoint::<B>(unstack::<B>(z, antennas)))
}

/// Specification of [`row_onsager`].
pub(in crate::tensor) fn forward<B: burn::backend::Backend>(
    z: &FloatTensor<B>,
    t: &FloatTensor<B>,
    r: &FloatTensor<B>,
    antennas: usize,
) -> FloatTensor<B> {
    stack::<B>(times::<B>(jacobian::<B>(z, t, antennas), unstack::<B>(r, antennas)))
}

/// `P = G r^H`, `H = P + P^H`: `g_z = t H z`, `g_t = z^H H z / 2`, `g_r = J G`.
pub(in crate::tensor) fn backward<B: burn::backend::Backend>(
    z: &FloatTensor<B>,
    t: &FloatTensor<B>,
    r: &FloatTensor<B>,
    g: &FloatTensor<B>,
    antennas: usize,
) -> [FloatTensor<B>; 3] {
    let g = unstack::<B>(g, antennas);
    let by_r = times::<B>(jacobian::<B>(z, t, antennas), g.clone());
    let p = times::<B>(g, adjoint::<B>(unstack::<B>(r, antennas)));
    let h = plus::<B>(p.clone(), adjoint::<B>(p));
    let hz = stack::<B>(times::<B>(h, unstack::<B>(z, antennas)));
    let by_t = B::float_mul_scalar(rows::dot::<B>(z, &hz, antennas), 0.5.into());
    [rows::scale::<B>(&hz, t, antennas), by_t, stack::<B>(by_r)]
}
