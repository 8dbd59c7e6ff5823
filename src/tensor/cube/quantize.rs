//! The uniform quantiser.

use burn::backend::TensorMetadata;
use burn_cubecl::kernel::into_contiguous;
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

use super::{T, UNITS, empty};

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

pub(super) fn quantize_ste(x: T, levels: f64) -> T {
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
