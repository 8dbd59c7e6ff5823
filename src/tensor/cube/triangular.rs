//! Cholesky factors, a workgroup per frame, and triangular systems, a thread per column.

use burn::backend::TensorMetadata;
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

use super::{T, UNITS, empty};
use crate::tensor::ops::covariance::Triangular;

/// Lower Cholesky factor of every frame, `sigma` and `out` stacked `[F, 2L, L]`; the upper triangle is not written.
/// A workgroup per frame goes through the columns, a thread per row; every thread computes the pivot for itself.
#[cube(launch)]
fn cholesky_kernel<F: Float>(
    sigma: &Tensor<F>,
    out: &mut Tensor<F>,
    frames: u32,
    length: u32,
    floor: f32,
    #[define(F)] _dtype: ElemType,
) {
    let length = length as usize;
    let mut frame = CUBE_POS;
    // A grid may have more workgroups than there are frames. All of them must meet the same barriers: the surplus ones
    // write the last frame's values once more.
    if frame >= frames as usize {
        frame = frames as usize - 1;
    }
    let plane = length * length;
    let first = frame * 2 * plane;
    for j in 0..length {
        let row_j = first + j * length;
        let mut pivot = sigma[row_j + j];
        for t in 0..j {
            let re = out[row_j + t];
            let im = out[row_j + plane + t];
            pivot -= re * re + im * im;
        }
        let root = F::sqrt(max(pivot, F::cast_from(floor)));
        let mut i = j + UNIT_POS as usize;
        while i < length {
            let row_i = first + i * length;
            if i == j {
                out[row_i + j] = root;
                out[row_i + plane + j] = F::new(0.0);
            } else {
                let mut re = sigma[row_i + j];
                let mut im = sigma[row_i + plane + j];
                for t in 0..j {
                    let i_re = out[row_i + t];
                    let i_im = out[row_i + plane + t];
                    let j_re = out[row_j + t];
                    let j_im = out[row_j + plane + t];
                    re -= i_re * j_re + i_im * j_im;
                    im -= i_im * j_re - i_re * j_im;
                }
                out[row_i + j] = re / root;
                out[row_i + plane + j] = im / root;
            }
            i += CUBE_DIM as usize;
        }
        sync_storage();
    }
}

/// `out = L^-1 x` or `L^-H x` (`adjoint`) of every frame, `factor` stacked `[F, 2L, L]`, `x` stacked `[F, 2L, C]`; a
/// thread per column.
#[cube(launch)]
fn solve_kernel<F: Float>(
    factor: &Tensor<F>,
    x: &Tensor<F>,
    out: &mut Tensor<F>,
    length: u32,
    columns: u32,
    #[comptime] adjoint: bool,
    #[define(F)] _dtype: ElemType,
) {
    let position = ABSOLUTE_POS;
    let length = length as usize;
    let columns = columns as usize;
    if position >= out.len() / (2 * length) {
        terminate!();
    }
    let frame = position / columns;
    let plane = length * length;
    let matrix = frame * 2 * plane;
    let half = length * columns;
    let first = frame * 2 * half + position % columns;
    for n in 0..length {
        // Rows in the order in which they become known: down the lower factor, up its adjoint.
        let i = if comptime!(adjoint) { length - 1 - n } else { n };
        let at = first + i * columns;
        let mut re = x[at];
        let mut im = x[at + half];
        for t in 0..n {
            let j = if comptime!(adjoint) { length - 1 - t } else { t };
            let entry = if comptime!(adjoint) { matrix + j * length + i } else { matrix + i * length + j };
            let f_re = factor[entry];
            let f_im = if comptime!(adjoint) { -factor[entry + plane] } else { factor[entry + plane] };
            let o_re = out[first + j * columns];
            let o_im = out[first + j * columns + half];
            re -= f_re * o_re - f_im * o_im;
            im -= f_re * o_im + f_im * o_re;
        }
        let diagonal = factor[matrix + i * length + i];
        out[at] = re / diagonal;
        out[at + half] = im / diagonal;
    }
}

/// Factorisation on the device.
pub(super) struct Kernels;

impl Triangular<CubeBackend> for Kernels {
    fn cholesky(sigma: T, floor: f64) -> T {
        let sigma = into_contiguous(sigma);
        let (frames, length) = (sigma.shape()[0], sigma.shape()[2]);
        let out = empty(&sigma, [frames, 2 * length, length]);
        let client = out.client.clone();
        let dim = CubeDim::new_1d(UNITS);
        let count = calculate_cube_count_elemwise(&client, frames * UNITS as usize, dim);
        let elem = burn::backend::cubecl::dtype_to_elem_type(out.dtype);
        cholesky_kernel::launch(
            &client,
            count,
            dim,
            sigma.into_tensor_arg(),
            out.clone().into_tensor_arg(),
            frames as u32,
            length as u32,
            floor as f32,
            elem,
        );
        out
    }

    fn solve(factor: T, x: T, adjoint: bool) -> T {
        let (factor, x) = (into_contiguous(factor), into_contiguous(x));
        let (frames, length, columns) = (x.shape()[0], x.shape()[1] / 2, x.shape()[2]);
        let out = empty(&x, [frames, 2 * length, columns]);
        launch!(solve_kernel, [factor, x], out, frames * columns, length, columns, adjoint)
    }
}
