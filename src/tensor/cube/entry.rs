//! The entry-wise denoiser: a thread per frame and column goes over the real entries of the antennas.

use burn::backend::TensorMetadata;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::Slice;
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

use super::{T, UNITS, empty};
use crate::tensor::EntryPart;
use crate::tensor::ops::EntryInputs;

/// `omega phi(z) z` of every entry, or (`slope`) a column's part of `sum eta'(z)`, with `phi = sigmoid(a z^2 - offset)`.
#[cube(launch)]
fn entry_kernel<F: Float>(
    z: &Tensor<F>,
    omega: &Tensor<F>,
    a: &Tensor<F>,
    offset: &Tensor<F>,
    out: &mut Tensor<F>,
    antennas: u32,
    columns: u32,
    #[comptime] slope: bool,
    #[define(F)] _dtype: ElemType,
) {
    let position = ABSOLUTE_POS;
    if position >= omega.len() {
        terminate!();
    }
    let columns = columns as usize;
    let antennas = antennas as usize;
    let first = position / columns * antennas * 2 * columns + position % columns;
    let one = F::new(1.0);
    let weight = omega[position];
    let mut sum = F::new(0.0);
    for i in 0..2 * antennas {
        let at = first + i * columns;
        let v = z[at];
        let e = a[position] * v * v;
        let u = e - offset[position];
        let phi = one / (one + F::exp(-u));
        if comptime!(slope) {
            let rest = one / (one + F::exp(u));
            sum += phi * (one + F::new(2.0) * e * rest);
        } else {
            out[at] = weight * phi * v;
        }
    }
    if comptime!(slope) {
        out[position] = weight * sum;
    }
}

/// Gradients of [`entry_kernel`]: of z, and of omega, a and the offset side by side, `[F, 3K]`. `g` is that of every entry, or
/// (`slope`) of every frame.
#[cube(launch)]
fn entry_backward_kernel<F: Float>(
    z: &Tensor<F>,
    omega: &Tensor<F>,
    a: &Tensor<F>,
    offset: &Tensor<F>,
    g: &Tensor<F>,
    by_z: &mut Tensor<F>,
    rest_of_all: &mut Tensor<F>,
    antennas: u32,
    columns: u32,
    #[comptime] slope: bool,
    #[define(F)] _dtype: ElemType,
) {
    let position = ABSOLUTE_POS;
    if position >= omega.len() {
        terminate!();
    }
    let columns = columns as usize;
    let antennas = antennas as usize;
    let frame = position / columns;
    let column = position % columns;
    let first = frame * antennas * 2 * columns + column;
    let one = F::new(1.0);
    let two = F::new(2.0);
    let weight = omega[position];
    let factor = a[position];
    let mut by_omega = F::new(0.0);
    let mut by_a = F::new(0.0);
    let mut by_offset = F::new(0.0);
    for i in 0..2 * antennas {
        let at = first + i * columns;
        let v = z[at];
        let e = factor * v * v;
        let u = e - offset[position];
        let phi = one / (one + F::exp(-u));
        let rest = one / (one + F::exp(u));
        let growth = one + two * e * rest;
        if comptime!(slope) {
            let turn = phi * rest;
            let by_exponent = one + two * e * (rest - phi);
            let by_square = turn * (by_exponent + two);
            by_omega += phi * growth;
            by_a += by_square * v * v;
            by_offset += turn * by_exponent;
            by_z[at] = two * by_square * v * g[frame] * weight * factor;
        } else {
            let passed = g[at] * phi;
            let by_exponent = passed * rest * v;
            by_omega += passed * v;
            by_a += by_exponent * v * v;
            by_offset += by_exponent;
            by_z[at] = weight * passed * growth;
        }
    }
    let mut scale = one;
    if comptime!(slope) {
        scale = g[frame];
    }
    let to = frame * 3 * columns + column;
    rest_of_all[to] = scale * by_omega;
    rest_of_all[to + columns] = scale * weight * by_a;
    rest_of_all[to + 2 * columns] = -(scale * weight * by_offset);
}

pub(super) fn entry_denoise(inputs: EntryInputs<CubeBackend>) -> T {
    let (tensors, (antennas, part)) = inputs.split();
    let [z, omega, a, offset] = tensors.map(into_contiguous);
    let (rows, width) = (z.shape()[0], z.shape()[1]);
    let (threads, slope) = (rows / antennas * width / 2, part == EntryPart::Slope);
    let out = if slope { empty(&z, [rows / antennas, width / 2]) } else { empty(&z, [rows, width]) };
    let out = launch!(entry_kernel, [z, omega, a, offset], out, threads, antennas, width / 2, slope);
    if slope { CubeBackend::float_sum_dim(out, 1) } else { out }
}

pub(super) fn entry_denoise_backward(inputs: EntryInputs<CubeBackend>, g: T) -> [T; 4] {
    let (tensors, (antennas, part)) = inputs.split();
    let [z, omega, a, offset] = tensors.map(into_contiguous);
    let g = into_contiguous(g);
    let (rows, width) = (z.shape()[0], z.shape()[1]);
    let (frames, columns) = (rows / antennas, width / 2);
    // Three gradients side by side: a kernel may have eight buffers on some devices.
    let (by_z, others) = (empty(&z, [rows, width]), empty(&z, [frames, 3 * columns]));
    let (by_z, others) = launch!(
        entry_backward_kernel,
        [z, omega, a, offset, g],
        [by_z = by_z, others = others],
        frames * columns,
        antennas,
        columns,
        part == EntryPart::Slope
    );
    let of = |i: usize| {
        let columns = Slice::from(i * columns..(i + 1) * columns);
        CubeBackend::float_slice(others.clone(), &[Slice::from(0..frames), columns])
    };
    [by_z, of(0), of(1), of(2)]
}
