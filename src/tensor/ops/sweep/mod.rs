//! Coordinate descent on the powers of all devices.

pub(in crate::tensor) mod host;
mod reference;

use std::sync::Arc;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::tensor::{Backend, cpu};

arguments! {
    /// Arguments of [`coordinate_sweep`].
    SweepInputs[3] {
        /// Log-odds of activity, `[1, N]`.
        log_odds,
        /// Sequences, `[2L, N]`: real rows, then imaginary rows.
        s,
        /// Observations, `[F*M, 2L]`.
        y,;
        /// Antennas M.
        antennas: usize,
        /// Sweeps over all devices.
        sweeps: usize,
        /// Noise variance.
        noise_var: f64,
    }
}

/// Coordinate descent on the powers of all devices (Algorithm 3 of the auto-encoder paper): `sweeps` sweeps from zero.
///
/// A device n in order has `v = Sigma^-1 s_n`, `e = s_n^H v`, `q = ||Y^H v||^2/M`, and the log-odds
/// `l_n = ln(eps/(1 - eps))` of its activity; its power alpha in `[0, 1]` moves by
/// `d = (2 q/(e + sqrt(e^2 - 4 q l/M)) - 1)/e` (19) as far as it stays in range, and `Sigma^-1` follows by a rank-one step. `l = 0` is maximum likelihood with powers up to 1. Powers count in
/// units of the received power of an active device: `s` holds columns of that energy.
///
/// `log_odds [1, N]`, `s [2L, N]` (real rows, then imaginary rows), `y [F*M, 2L]` -> `[F, N]`. The arithmetic is f64 on
/// every backend, on the host: `Sigma` is too ill-conditioned for the single precision of GPUs, and thousands of steps
/// follow one another. For the same reason the specification is no composition of burn's primitives, but plain arithmetic,
/// a frame after the other.
pub fn coordinate_sweep(
    log_odds: Tensor<2>,
    s: Tensor<2>,
    y: Tensor<2>,
    antennas: usize,
    sweeps: usize,
    noise_var: f64,
) -> Tensor<2> {
    let tensors = [log_odds, s, y].map(Tensor::into_dispatch);
    Tensor::from_dispatch(Dispatch::coordinate_sweep(SweepInputs::join(tensors, (antennas, sweeps, noise_var))))
}

/// What a forward pass of [`coordinate_sweep`] keeps for its backward pass: its steps, where they fit into memory.
#[derive(Debug, Clone, Default)]
pub struct SweepRecord(Option<Arc<cpu::SweepRecord>>);
