//! CubeCL bodies: one thread per output entry, or per frame and column; a workgroup per frame factorises.
//!
//! Of the covariance statistics, the Cholesky factorisation and the triangular systems are kernels. The products between
//! them are matrix products of burn, as in the default body.

use burn::backend::tensor::FloatTensor;
use burn::tensor::Shape;
use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;

use super::backend::{Adjoint, Backend};
use super::ops::covariance::{filter, score};
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
mod quantize;
mod rows;
mod shrink;
mod triangular;

use triangular::Kernels;

fn empty<const D: usize>(like: &T, shape: [usize; D]) -> T {
    let shape = Shape::new(shape);
    let buffer = like.client.empty(shape.num_elements() * like.dtype.size());
    CubeTensor::new_contiguous(like.client.clone(), like.device.clone(), shape, buffer, like.dtype)
}

impl Backend for CubeBackend {
    fn row_dot(a: T, b: T, antennas: usize) -> T {
        rows::row_dot(a, b, antennas)
    }

    fn row_scale(z: T, c: T, antennas: usize) -> T {
        rows::row_scale(z, c, antennas)
    }

    fn row_onsager(z: T, t: T, r: T, antennas: usize) -> T {
        rows::row_onsager(z, t, r, antennas)
    }

    fn quantize_ste(x: T, levels: f64) -> T {
        quantize::quantize_ste(x, levels)
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
    fn row_onsager_backward(z: T, t: T, r: T, g: T, antennas: usize) -> [T; 3] {
        rows::row_onsager_backward(z, t, r, g, antennas)
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
