//! Row kernels: a thread per output entry.

use burn::backend::TensorMetadata;
use burn::backend::ops::FloatTensorOps;
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

use super::{T, UNITS, empty};

/// `out[f, k] = sum_m a_re b_re + a_im b_im`; a thread per frame and sequence.
#[cube(launch)]
fn row_dot_kernel<F: Float>(
    a: &Tensor<F>,
    b: &Tensor<F>,
    out: &mut Tensor<F>,
    antennas: u32,
    columns: u32,
    #[define(F)] _dtype: ElemType,
) {
    let position = ABSOLUTE_POS;
    if position >= out.len() {
        terminate!();
    }
    let columns = columns as usize;
    let antennas = antennas as usize;
    let frame = position / columns;
    let k = position % columns;
    let mut sum = F::new(0.0);
    for m in 0..antennas {
        let at = (frame * antennas + m) * 2 * columns + k;
        sum += a[at] * b[at] + a[at + columns] * b[at + columns];
    }
    out[position] = sum;
}

/// `out[f, m, :, k] = c[f, k] z[f, m, :, k]`; a thread per real entry.
#[cube(launch)]
fn row_scale_kernel<F: Float>(
    z: &Tensor<F>,
    c: &Tensor<F>,
    out: &mut Tensor<F>,
    antennas: u32,
    columns: u32,
    #[define(F)] _dtype: ElemType,
) {
    let position = ABSOLUTE_POS;
    if position >= out.len() {
        terminate!();
    }
    let columns = columns as usize;
    let frame = position / (2 * columns * antennas as usize);
    let k = position % columns;
    out[position] = z[position] * c[frame * columns + k];
}

/// `J = A B^H` of every frame, or `A B^H + B A^H` (`symmetric`), from stacked `[F*M, 2K]` to stacked `[F*M, 2M]`;
/// a thread per complex entry.
#[cube(launch)]
fn outer_kernel<F: Float>(
    a: &Tensor<F>,
    b: &Tensor<F>,
    out: &mut Tensor<F>,
    antennas: u32,
    columns: u32,
    #[comptime] symmetric: bool,
    #[define(F)] _dtype: ElemType,
) {
    let position = ABSOLUTE_POS;
    if position >= out.len() / 2 {
        terminate!();
    }
    let columns = columns as usize;
    let antennas = antennas as usize;
    let row = position / antennas;
    let column = position % antennas;
    // Row `m` of the frame, and row `n`, which becomes a column of J.
    let m = row * 2 * columns;
    let n = (row / antennas * antennas + column) * 2 * columns;
    let mut re = F::new(0.0);
    let mut im = F::new(0.0);
    for k in 0..columns {
        re += a[m + k] * b[n + k] + a[m + columns + k] * b[n + columns + k];
        im += a[m + columns + k] * b[n + k] - a[m + k] * b[n + columns + k];
        if symmetric {
            re += b[m + k] * a[n + k] + b[m + columns + k] * a[n + columns + k];
            im += b[m + columns + k] * a[n + k] - b[m + k] * a[n + columns + k];
        }
    }
    out[row * 2 * antennas + column] = re;
    out[row * 2 * antennas + antennas + column] = im;
}

/// `out = J x` of every frame, `J` stacked `[F*M, 2M]`, `x` stacked `[F*M, 2K]`; a thread per complex entry.
#[cube(launch)]
fn apply_kernel<F: Float>(
    j: &Tensor<F>,
    x: &Tensor<F>,
    out: &mut Tensor<F>,
    antennas: u32,
    columns: u32,
    #[define(F)] _dtype: ElemType,
) {
    let position = ABSOLUTE_POS;
    if position >= out.len() / 2 {
        terminate!();
    }
    let columns = columns as usize;
    let antennas = antennas as usize;
    let row = position / columns;
    let k = position % columns;
    let first = row / antennas * antennas;
    let mut re = F::new(0.0);
    let mut im = F::new(0.0);
    for n in 0..antennas {
        let j_re = j[row * 2 * antennas + n];
        let j_im = j[row * 2 * antennas + antennas + n];
        let at = (first + n) * 2 * columns + k;
        re += j_re * x[at] - j_im * x[at + columns];
        im += j_re * x[at + columns] + j_im * x[at];
    }
    out[row * 2 * columns + k] = re;
    out[row * 2 * columns + columns + k] = im;
}

/// [`outer_kernel`] on contiguous tensors.
fn outer(a: T, b: T, antennas: usize, symmetric: bool) -> T {
    let (rows, columns) = (a.shape()[0], a.shape()[1] / 2);
    let out = empty(&a, [rows, 2 * antennas]);
    launch!(outer_kernel, [a, b], out, rows * antennas, antennas, columns, symmetric)
}

/// [`apply_kernel`] on contiguous tensors.
fn apply(j: T, x: T, antennas: usize) -> T {
    let (rows, width) = (x.shape()[0], x.shape()[1]);
    let out = empty(&x, [rows, width]);
    launch!(apply_kernel, [j, x], out, rows * width / 2, antennas, width / 2)
}

pub(super) fn row_dot(a: T, b: T, antennas: usize) -> T {
    let (a, b) = (into_contiguous(a), into_contiguous(b));
    let (rows, columns) = (a.shape()[0], a.shape()[1] / 2);
    let out = empty(&a, [rows / antennas, columns]);
    launch!(row_dot_kernel, [a, b], out, rows / antennas * columns, antennas, columns)
}

pub(super) fn row_scale(z: T, c: T, antennas: usize) -> T {
    let (z, c) = (into_contiguous(z), into_contiguous(c));
    let (rows, width) = (z.shape()[0], z.shape()[1]);
    let out = empty(&z, [rows, width]);
    launch!(row_scale_kernel, [z, c], out, rows * width, antennas, width / 2)
}

pub(super) fn row_onsager(z: T, t: T, r: T, antennas: usize) -> T {
    let (z, r) = (into_contiguous(z), into_contiguous(r));
    let j = outer(row_scale(z.clone(), t, antennas), z, antennas, false);
    apply(j, r, antennas)
}

/// `H = G r^H + r G^H`: `g_z = t H z`, `g_t = z^H H z / 2`, `g_r = J G`.
pub(super) fn row_onsager_backward(z: T, t: T, r: T, g: T, antennas: usize) -> [T; 3] {
    let (z, r, g) = (into_contiguous(z), into_contiguous(r), into_contiguous(g));
    let j = outer(row_scale(z.clone(), t.clone(), antennas), z.clone(), antennas, false);
    let gr = apply(j, g.clone(), antennas);
    let hz = apply(outer(g, r, antennas, true), z.clone(), antennas);
    let gt = CubeBackend::float_mul_scalar(row_dot(z, hz.clone(), antennas), 0.5.into());
    [row_scale(hz, t, antennas), gt, gr]
}
