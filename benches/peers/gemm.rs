//! The rate of the matrix product that the CPU backend uses.

use std::time::Instant;

use burn::tensor::{Distribution, Tensor};

use crate::case::device;

const SIDE: usize = 2048;

/// Best of eight single-precision products, in 1e9 floating-point operations a second.
pub fn gigaflops() -> f64 {
    let device = device();
    let random = || Tensor::<2>::random([SIDE, SIDE], Distribution::Default, &device);
    let (a, b) = (random(), random());
    let once = || {
        let begin = Instant::now();
        let product = a.clone().matmul(b.clone());
        assert_eq!(product.dims(), [SIDE, SIDE]);
        begin.elapsed().as_secs_f64()
    };
    let best = (0..8).map(|_| once()).fold(f64::INFINITY, f64::min);
    2.0 * (SIDE as f64).powi(3) / best / 1e9
}
