//! Pilot (signature) matrices.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

use crate::link::{ArrayError, C64, Pilots};
use crate::scenario::PilotKind;

/// Draws a pilot matrix `[L, N*Q]` of expected column energy one.
///
/// [`PilotKind::Gaussian`] has entries CN(0, 1/L). [`PilotKind::UnitNorm`] scales the columns of such a matrix to norm one,
/// which is not the same: it removes the random receive power of a device and lowers the error rate of AMP by up to ten
/// times. [`PilotKind::TightFrame`] is drawn like it and is the start of
/// [`tight_frame`](super::signatures::tight_frame). [`PilotKind::Qpsk`] has entries (+-1 +- j)/sqrt(2 L).
///
/// # Errors
/// [`ArrayError`] when a size is zero or the sequences do not divide the columns.
pub fn draw_pilots(
    rng: &mut impl Rng,
    kind: PilotKind,
    length: usize,
    columns: usize,
    sequences: usize,
) -> Result<Pilots, ArrayError> {
    let scale = (0.5 / length as f64).sqrt();
    if kind == PilotKind::Qpsk {
        let mut sign = || if rng.random::<bool>() { scale } else { -scale };
        let data = (0..length * columns).map(|_| C64::new(sign(), sign())).collect();
        return Pilots::new(length, columns, sequences, 1.0, data);
    }
    let mut normal = || -> f64 { StandardNormal.sample(rng) };
    let mut data: Vec<C64> = (0..length * columns).map(|_| C64::new(scale * normal(), scale * normal())).collect();
    if kind != PilotKind::Gaussian {
        for c in 0..columns {
            let norm = (0..length).map(|r| data[r * columns + c].norm_sqr()).sum::<f64>().sqrt();
            for r in 0..length {
                data[r * columns + c] /= norm;
            }
        }
    }
    Pilots::new(length, columns, sequences, 1.0, data)
}
