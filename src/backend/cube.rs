//! CubeCL bodies: one thread per frame and sequence (`row_dot`) or per entry (`row_scale`).

use burn::backend::TensorMetadata;
use burn::backend::tensor::FloatTensor;
use burn::tensor::Shape;
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::ops::Backend;

type F = FloatTensor<CubeBackend>;

/// Threads of a workgroup.
const UNITS: u32 = 64;

#[cube(launch)]
fn row_dot_kernel<F: Float>(
    a: &Tensor<F>,
    b: &Tensor<F>,
    out: &mut Tensor<F>,
    antennas: u32,
    columns: u32,
    #[define(F)] _dtype: ElemType,
) {
    let position = ABSOLUTE_POS_X;
    let columns = columns as usize;
    let antennas = antennas as usize;
    let position = position as usize;
    if position >= out.len() {
        terminate!();
    }
    let frame = position / columns;
    let k = position % columns;
    let mut sum = F::new(0.0);
    for m in 0..antennas {
        let at = (frame * antennas + m) * 2 * columns + k;
        sum += a[at] * b[at] + a[at + columns] * b[at + columns];
    }
    out[position] = sum;
}

#[cube(launch)]
fn row_scale_kernel<F: Float>(
    z: &Tensor<F>,
    c: &Tensor<F>,
    out: &mut Tensor<F>,
    antennas: u32,
    columns: u32,
    #[define(F)] _dtype: ElemType,
) {
    let position = ABSOLUTE_POS_X as usize;
    let columns = columns as usize;
    let antennas = antennas as usize;
    if position >= out.len() {
        terminate!();
    }
    let frame = position / (2 * columns * antennas);
    let k = position % columns;
    out[position] = z[position] * c[frame * columns + k];
}

fn empty(like: &F, shape: [usize; 2]) -> F {
    let shape = Shape::new(shape);
    let buffer = like.client.empty(shape.num_elements() * like.dtype.size());
    CubeTensor::new_contiguous(like.client.clone(), like.device.clone(), shape, buffer, like.dtype)
}

fn cubes(threads: usize) -> CubeCount {
    CubeCount::Static((threads as u32).div_ceil(UNITS), 1, 1)
}

impl Backend for CubeBackend {
    fn row_dot(a: F, b: F, antennas: usize) -> F {
        let (a, b) = (into_contiguous(a), into_contiguous(b));
        let (rows, columns) = (a.shape()[0], a.shape()[1] / 2);
        let out = empty(&a, [rows / antennas, columns]);
        let elem = burn::backend::cubecl::dtype_to_elem_type(a.dtype);
        row_dot_kernel::launch(
            &out.client.clone(),
            cubes(rows / antennas * columns),
            CubeDim::new_1d(UNITS),
            a.into_tensor_arg(),
            b.into_tensor_arg(),
            out.clone().into_tensor_arg(),
            antennas as u32,
            columns as u32,
            elem,
        );
        out
    }

    fn row_scale(z: F, c: F, antennas: usize) -> F {
        let (z, c) = (into_contiguous(z), into_contiguous(c));
        let (rows, width) = (z.shape()[0], z.shape()[1]);
        let out = empty(&z, [rows, width]);
        let elem = burn::backend::cubecl::dtype_to_elem_type(z.dtype);
        row_scale_kernel::launch(
            &out.client.clone(),
            cubes(rows * width),
            CubeDim::new_1d(UNITS),
            z.into_tensor_arg(),
            c.into_tensor_arg(),
            out.clone().into_tensor_arg(),
            antennas as u32,
            (width / 2) as u32,
            elem,
        );
        out
    }
}
