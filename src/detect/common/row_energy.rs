//! What the group lassos share: the default weight, and decisions from estimated rows.

use super::decide::decide;
use super::frames::FrameOut;
use crate::link::AccessModel;

/// Squared norms of the pilot columns as they are, `[N*Q]`.
pub(crate) fn column_energies(model: &AccessModel) -> Vec<f64> {
    let (l, columns) = (model.pilot_length(), model.columns());
    (0..columns).map(|i| (0..l).map(|k| model.pilots().at(k, i).norm_sqr()).sum()).collect()
}

/// Default weight of the group lassos: `lambda = sqrt(M sigma2 mean||a||^2)`, the r.m.s. norm of what noise alone leaves in a
/// row of `A^H Y`.
///
/// The form does not change with the units of Y and A. By simulation (N = 100, p = 0.1, sigma2 = 0.1, beta = 1) its MSE is
/// within 1 % of that of the best weight at L = 12, 16, 20 with M = 4 and at L = 20 with M = 16, and 2 % above with M = 1.
/// At sigma2 = 1 the best weight is 0.6 of it; at sigma2 = 0.01, where interference outweighs the noise, twice or more.
pub(crate) fn default_lambda(model: &AccessModel, energies: &[f64]) -> f64 {
    weight_of(model.antennas(), model.noise_var(), energies)
}

/// `sqrt(M sigma2 mean||a||^2)` for pieces of M entries.
pub(crate) fn weight_of(antennas: usize, noise_var: f64, energies: &[f64]) -> f64 {
    let mean = energies.iter().sum::<f64>() / energies.len() as f64;
    (antennas as f64 * noise_var * mean).sqrt()
}

/// `score = ||x_i||^2/(M beta_n)`, the energy of an estimated row relative to that expected of an active one, and the
/// largest of a device's Q rows against the threshold.
#[inline(always)]
pub(crate) fn judge_rows(beta: &[f64], antennas: usize, q: usize, threshold: f64, out: &mut FrameOut<'_>) {
    for (score, x) in out.score.iter_mut().zip(out.x.chunks_exact(antennas)) {
        *score = x.iter().map(|v| v.norm_sqr()).sum::<f64>() / antennas as f64;
    }
    for ((a, score), &beta) in out.activity.iter_mut().zip(out.score.chunks_exact_mut(q)).zip(beta) {
        // A device that cannot be heard is idle whatever its rows look like.
        score.iter_mut().for_each(|s| *s = if beta > 0.0 { *s / beta } else { 0.0 });
        *a = decide(score, threshold);
    }
}
