//! The row threshold: a thread per frame and column goes over the antennas.

use burn::backend::TensorMetadata;
use burn_cubecl::kernel::into_contiguous;
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

use super::{T, UNITS, empty};
use crate::tensor::ops::group_shrink::TINY;

/// `out_k = (1 - tau_k/||z_k||)_+ z_k`.
#[cube(launch)]
fn shrink_kernel<F: Float>(
    z: &Tensor<F>,
    tau: &Tensor<F>,
    out: &mut Tensor<F>,
    antennas: u32,
    columns: u32,
    tiny: f32,
    #[define(F)] _dtype: ElemType,
) {
    let position = ABSOLUTE_POS;
    if position >= tau.len() {
        terminate!();
    }
    let columns = columns as usize;
    let antennas = antennas as usize;
    let first = position / columns * antennas * 2 * columns + position % columns;
    let mut square = F::new(0.0);
    for i in 0..2 * antennas {
        let v = z[first + i * columns];
        square += v * v;
    }
    let norm = F::sqrt(max(square, F::cast_from(tiny)));
    let kept = max(F::new(1.0) - tau[position] / norm, F::new(0.0));
    for i in 0..2 * antennas {
        out[first + i * columns] = kept * z[first + i * columns];
    }
}

/// Gradients of [`shrink_kernel`] for the gradient g of its output.
#[cube(launch)]
fn shrink_backward_kernel<F: Float>(
    z: &Tensor<F>,
    tau: &Tensor<F>,
    g: &Tensor<F>,
    by_z: &mut Tensor<F>,
    by_tau: &mut Tensor<F>,
    antennas: u32,
    columns: u32,
    tiny: f32,
    #[define(F)] _dtype: ElemType,
) {
    let position = ABSOLUTE_POS;
    if position >= tau.len() {
        terminate!();
    }
    let columns = columns as usize;
    let antennas = antennas as usize;
    let first = position / columns * antennas * 2 * columns + position % columns;
    let mut square = F::new(0.0);
    let mut aligned = F::new(0.0);
    for i in 0..2 * antennas {
        let v = z[first + i * columns];
        square += v * v;
        aligned += v * g[first + i * columns];
    }
    let square = max(square, F::cast_from(tiny));
    let norm = F::sqrt(square);
    let kept = max(F::new(1.0) - tau[position] / norm, F::new(0.0));
    let mut along = aligned / norm;
    if kept <= F::new(0.0) {
        along = F::new(0.0);
    }
    by_tau[position] = -along;
    let slope = along * tau[position] / square;
    for i in 0..2 * antennas {
        let at = first + i * columns;
        by_z[at] = kept * g[at] + slope * z[at];
    }
}

pub(super) fn group_shrink(z: T, tau: T, antennas: usize) -> T {
    let (z, tau) = (into_contiguous(z), into_contiguous(tau));
    let (rows, width) = (z.shape()[0], z.shape()[1]);
    let out = empty(&z, [rows, width]);
    launch!(shrink_kernel, [z, tau], out, rows / antennas * width / 2, antennas, width / 2, TINY as f32)
}

pub(super) fn group_shrink_backward(z: T, tau: T, g: T, antennas: usize) -> [T; 2] {
    let (z, tau, g) = (into_contiguous(z), into_contiguous(tau), into_contiguous(g));
    let (rows, width) = (z.shape()[0], z.shape()[1]);
    let (by_z, by_tau) = (empty(&z, [rows, width]), empty(&z, [rows / antennas, width / 2]));
    let threads = rows / antennas * width / 2;
    let (by_z, by_tau) = launch!(
        shrink_backward_kernel,
        [z, tau, g],
        [by_z = by_z, by_tau = by_tau],
        threads,
        antennas,
        width / 2,
        TINY as f32
    );
    [by_z, by_tau]
}
