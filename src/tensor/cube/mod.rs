//! CubeCL bodies: one thread per output entry, or per frame and column; a workgroup per frame factorises.
//!
//! Of the covariance statistics, the Cholesky factorisation and the triangular systems are kernels. The products between
//! them are matrix products of burn, as in the default body.

use burn::backend::TensorMetadata;
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::tensor::Shape;
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

use super::backend::{Adjoint, Backend};
use super::ops::covariance::{Triangular, filter, score};
use super::ops::sweep::{SweepRecord, host};
use super::ops::{CovarianceInputs, EntryInputs, SweepInputs};

type T = FloatTensor<CubeBackend>;

/// Threads of a workgroup.
const UNITS: u32 = 64;

/// Launches a kernel of contiguous inputs and outputs over `threads` threads; gives the outputs back.
macro_rules! launch {
    (
        $kernel:ident, [$($input:expr),+], [$($name:ident = $out:expr),+],
        $threads:expr, $antennas:expr, $columns:expr $(, $flag:expr)?
    ) => {{
        $(let $name: T = $out;)+
        let like = [$(&$name),+][0];
        let (client, elem) = (like.client.clone(), burn::backend::cubecl::dtype_to_elem_type(like.dtype));
        let dim = CubeDim::new_1d(UNITS);
        // Spread over several grid dimensions: one holds 65535 workgroups at most.
        let count = calculate_cube_count_elemwise(&client, $threads, dim);
        $kernel::launch(
            &client,
            count,
            dim,
            $($input.into_tensor_arg(),)+
            $($name.clone().into_tensor_arg(),)+
            $antennas as u32,
            $columns as u32,
            $($flag,)?
            elem,
        );
        ($($name),+)
    }};
    ($kernel:ident, [$($input:expr),+], $out:expr, $threads:expr, $antennas:expr, $columns:expr $(, $flag:expr)?) => {
        launch!($kernel, [$($input),+], [out = $out], $threads, $antennas, $columns $(, $flag)?)
    };
}

// Behind the macro that they use.
mod entry;
mod shrink;

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

/// `out = clamp(floor(x + 1/2), -levels, levels)`; a thread per entry.
#[cube(launch)]
fn quantize_kernel<F: Float>(x: &Tensor<F>, out: &mut Tensor<F>, levels: u32, #[define(F)] _dtype: ElemType) {
    let position = ABSOLUTE_POS;
    if position >= out.len() {
        terminate!();
    }
    let top = F::cast_from(levels);
    let nearest = F::floor(x[position] + F::new(0.5));
    out[position] = F::min(F::max(nearest, -top), top);
}

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

fn empty<const D: usize>(like: &T, shape: [usize; D]) -> T {
    let shape = Shape::new(shape);
    let buffer = like.client.empty(shape.num_elements() * like.dtype.size());
    CubeTensor::new_contiguous(like.client.clone(), like.device.clone(), shape, buffer, like.dtype)
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

/// Factorisation on the device.
struct Kernels;

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

impl Backend for CubeBackend {
    fn row_dot(a: T, b: T, antennas: usize) -> T {
        let (a, b) = (into_contiguous(a), into_contiguous(b));
        let (rows, columns) = (a.shape()[0], a.shape()[1] / 2);
        let out = empty(&a, [rows / antennas, columns]);
        launch!(row_dot_kernel, [a, b], out, rows / antennas * columns, antennas, columns)
    }

    fn row_scale(z: T, c: T, antennas: usize) -> T {
        let (z, c) = (into_contiguous(z), into_contiguous(c));
        let (rows, width) = (z.shape()[0], z.shape()[1]);
        let out = empty(&z, [rows, width]);
        launch!(row_scale_kernel, [z, c], out, rows * width, antennas, width / 2)
    }

    fn row_onsager(z: T, t: T, r: T, antennas: usize) -> T {
        let (z, r) = (into_contiguous(z), into_contiguous(r));
        let j = outer(Self::row_scale(z.clone(), t, antennas), z, antennas, false);
        apply(j, r, antennas)
    }

    fn quantize_ste(x: T, levels: f64) -> T {
        let x = into_contiguous(x);
        let out = empty(&x, [x.shape()[0], x.shape()[1]]);
        let client = out.client.clone();
        let dim = CubeDim::new_1d(UNITS);
        let count = calculate_cube_count_elemwise(&client, x.shape().num_elements(), dim);
        let elem = burn::backend::cubecl::dtype_to_elem_type(out.dtype);
        quantize_kernel::launch(
            &client,
            count,
            dim,
            x.into_tensor_arg(),
            out.clone().into_tensor_arg(),
            levels as u32,
            elem,
        );
        out
    }

    fn group_shrink(z: T, tau: T, antennas: usize) -> T {
        shrink::group_shrink(z, tau, antennas)
    }

    fn entry_denoise(inputs: EntryInputs<Self>) -> T {
        entry::entry_denoise(inputs)
    }

    fn coordinate_sweep(inputs: SweepInputs<Self>) -> T {
        host::forward(inputs)
    }

    fn covariance_filter(inputs: CovarianceInputs<Self>) -> T {
        filter::forward::<Self, Kernels>(inputs)
    }

    fn covariance_score(inputs: CovarianceInputs<Self>) -> T {
        score::forward::<Self, Kernels>(inputs)
    }
}

impl Adjoint for CubeBackend {
    /// `H = G r^H + r G^H`: `g_z = t H z`, `g_t = z^H H z / 2`, `g_r = J G`.
    fn row_onsager_backward(z: T, t: T, r: T, g: T, antennas: usize) -> [T; 3] {
        let (z, r, g) = (into_contiguous(z), into_contiguous(r), into_contiguous(g));
        let j = outer(Self::row_scale(z.clone(), t.clone(), antennas), z.clone(), antennas, false);
        let gr = apply(j, g.clone(), antennas);
        let hz = apply(outer(g, r, antennas, true), z.clone(), antennas);
        let gt = Self::float_mul_scalar(Self::row_dot(z, hz.clone(), antennas), 0.5.into());
        [Self::row_scale(hz, t, antennas), gt, gr]
    }

    fn group_shrink_backward(z: T, tau: T, g: T, antennas: usize) -> [T; 2] {
        shrink::group_shrink_backward(z, tau, g, antennas)
    }

    fn entry_denoise_backward(inputs: EntryInputs<Self>, g: T) -> [T; 4] {
        entry::entry_denoise_backward(inputs, g)
    }

    fn coordinate_sweep_recorded(inputs: SweepInputs<Self>) -> (T, SweepRecord) {
        host::recorded(inputs)
    }

    fn coordinate_sweep_backward(inputs: SweepInputs<Self>, record: &SweepRecord, g: T, all: bool) -> [T; 3] {
        host::backward(inputs, record, g, all)
    }

    fn covariance_filter_backward(inputs: CovarianceInputs<Self>, g: T) -> [T; 3] {
        filter::backward::<Self, Kernels>(inputs, g)
    }

    fn covariance_score_backward(inputs: CovarianceInputs<Self>, g: T) -> [T; 3] {
        score::backward::<Self, Kernels>(inputs, g)
    }
}
