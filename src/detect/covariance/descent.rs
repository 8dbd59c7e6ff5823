//! Coordinate descent on the powers gamma of the columns.

use crate::detect::Threshold;
use crate::detect::common::columns::pilot_columns;
use crate::detect::common::decide::{decide, row_threshold};
use crate::detect::common::frames::{FrameDetector, FrameOut};
use crate::link::DetectError;
use crate::link::FrameBatch;
use crate::math::inverse::{InverseCovariance, Observation};
use crate::math::isa::Isa;
use crate::math::planes::Planes;
use crate::math::real::Real;

/// Sweeps between two rebuilds of the inverse covariance.
pub(super) const REBUILD_EVERY: usize = 10;

/// How a descent goes and decides.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    /// Sweeps over all columns, >= 1.
    pub sweeps: usize,
    /// Active when `gamma > threshold * beta`.
    pub threshold: f64,
    /// Stop when the largest change of a sweep relative to the largest power is at most this; 0 never stops early.
    pub tolerance: f64,
    /// Use the activity prior (map).
    pub prior: bool,
}

pub(crate) struct Covariance<T> {
    pub options: Settings,
    pub precision: std::marker::PhantomData<T>,
}

/// What a batch shares.
pub(crate) struct Shared<T> {
    /// Pilot columns as rows.
    pub columns: Planes<T>,
    /// `ln(eps/(Q - eps))` per device; 0 without a prior.
    log_odds: Vec<f64>,
}

/// Buffers of one thread.
pub(crate) struct Workspace<T> {
    /// Inverse of the covariance that `gamma` describes.
    pub inverse: InverseCovariance<T>,
    observation: Observation<T>,
    /// `[N*Q]`.
    pub gamma: Vec<f64>,
}

/// ML step of one power: `d = (q - s)/s^2`.
#[inline(always)]
fn ml_step(q: f64, s: f64, gamma: f64) -> f64 {
    ((q - s) / (s * s)).max(-gamma)
}

/// MAP step in units of the gain: eq. (19) of the auto-encoder paper, the misprinted sign corrected.
#[inline(always)]
fn map_step(q: f64, s: f64, alpha: f64, log_odds: f64, antennas: f64) -> f64 {
    let discriminant = s * s - 4.0 * q * log_odds / antennas;
    let d = if discriminant < 0.0 {
        // The posterior grows without bound: only the cap at 1 ends the step.
        f64::INFINITY
    } else {
        (2.0 * q / (s + discriminant.sqrt()) - 1.0) / s
    };
    d.min(1.0 - alpha).max(-alpha)
}

impl<T: Real> FrameDetector for Covariance<T> {
    type Shared = Shared<T>;
    type Workspace = Workspace<T>;
    const ESTIMATES_X: bool = false;
    const ESTIMATES_GAMMA: bool = true;

    fn prepare(&self, batch: &FrameBatch) -> Result<Shared<T>, DetectError> {
        let q = batch.model().sequences();
        let log_odds = |&eps: &f64| if self.options.prior { -row_threshold(Threshold::MAP, eps, q) } else { 0.0 };
        Ok(Shared {
            columns: pilot_columns(batch.model(), 1.0),
            log_odds: batch.model().activity_prob().iter().map(log_odds).collect(),
        })
    }

    fn workspace(&self, _: &Shared<T>, batch: &FrameBatch) -> Workspace<T> {
        let model = batch.model();
        Workspace {
            inverse: InverseCovariance::new(model.pilot_length(), model.noise_var()),
            observation: Observation::new(model.pilot_length(), model.antennas()),
            gamma: vec![0.0; model.columns()],
        }
    }

    #[inline(always)]
    fn frame<I: Isa>(
        &self,
        isa: I,
        shared: &Shared<T>,
        batch: &FrameBatch,
        f: usize,
        work: &mut Workspace<T>,
        mut out: FrameOut<'_>,
    ) {
        self.descend(isa, shared, batch, f, work);
        let q = batch.model().sequences();
        judge_powers(&work.gamma, batch.beta_of(f), q, self.options.threshold, &mut out);
    }
}

/// `score = gamma/beta` and the largest of a device's Q columns against the threshold.
#[inline(always)]
pub(crate) fn judge_powers(gamma: &[f64], beta: &[f64], q: usize, threshold: f64, out: &mut FrameOut<'_>) {
    out.gamma.copy_from_slice(gamma);
    for (n, (&beta, a)) in beta.iter().zip(out.activity.iter_mut()).enumerate() {
        let score = &mut out.score[n * q..(n + 1) * q];
        for (score, gamma) in score.iter_mut().zip(&gamma[n * q..]) {
            // A device that cannot be heard is idle whatever its power looks like.
            *score = if beta > 0.0 { gamma / beta } else { 0.0 };
        }
        *a = decide(score, threshold);
    }
}

impl<T: Real> Covariance<T> {
    /// All sweeps on frame `f`, from `gamma = 0`; leaves the powers in the workspace.
    #[inline(always)]
    pub fn descend<I: Isa>(&self, isa: I, shared: &Shared<T>, batch: &FrameBatch, f: usize, work: &mut Workspace<T>) {
        let (m, q) = (batch.model().antennas(), batch.model().sequences());
        let beta = batch.beta_of(f);
        work.gamma.fill(0.0);
        work.inverse.reset();
        work.observation.load(batch.frame(f), m);
        for sweep in 0..self.options.sweeps {
            if sweep > 0 && sweep % REBUILD_EVERY == 0 {
                work.inverse.rebuild(isa, &shared.columns, &work.gamma);
            }
            let change = self.sweep(isa, shared, beta, m, q, work);
            let largest = work.gamma.iter().copied().fold(0.0, f64::max);
            if self.options.tolerance > 0.0 && change <= self.options.tolerance * largest {
                break;
            }
        }
    }

    /// One sweep; returns the largest change of a power.
    #[inline(always)]
    fn sweep<I: Isa>(
        &self,
        isa: I,
        shared: &Shared<T>,
        beta: &[f64],
        m: usize,
        sequences: usize,
        work: &mut Workspace<T>,
    ) -> f64 {
        let mut change = 0.0_f64;
        for i in 0..work.gamma.len() {
            let s = work.inverse.apply(isa, shared.columns.row(i));
            // Only rounding (or a zero column) makes s vanish; such a column cannot be judged.
            if !(s > 0.0 && s.is_finite()) {
                continue;
            }
            let q = work.observation.power(isa, work.inverse.v.parts()) / m as f64;
            let gamma = work.gamma[i];
            let d = if self.options.prior {
                let n = i / sequences;
                let unit = beta[n];
                if unit.is_nan() || unit <= 0.0 {
                    continue;
                }
                unit * map_step(q * unit, s * unit, gamma / unit, shared.log_odds[n], m as f64)
            } else {
                ml_step(q, s, gamma)
            };
            if d != 0.0 && d.is_finite() {
                work.inverse.update(isa, d, s);
                work.gamma[i] = (gamma + d).max(0.0);
                change = change.max(d.abs());
            }
        }
        change
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Negative log-posterior over M of one power, up to constants: `ln(1 + d s) - q d/(1 + d s) - l d/M`.
    fn cost(d: f64, q: f64, s: f64, log_odds: f64, m: f64) -> f64 {
        (1.0 + d * s).ln() - q * d / (1.0 + d * s) - log_odds * d / m
    }

    #[test]
    fn steps_minimise_their_cost() {
        for (q, s, alpha, l) in
            [(1.6, 1.0, 0.2, -2.0), (0.5, 1.0, 0.4, -2.0), (5.0, 0.7, 0.0, 0.0), (0.6, 1.0, 0.9, 0.8)]
        {
            let m = 8.0;
            let d = map_step(q, s, alpha, l, m);
            assert!(alpha + d >= 0.0 && alpha + d <= 1.0 + 1e-12);
            for e in [-1e-3, 1e-3] {
                if alpha + d + e >= 0.0 && alpha + d + e <= 1.0 {
                    assert!(cost(d, q, s, l, m) <= cost(d + e, q, s, l, m), "q {q} s {s} alpha {alpha} l {l}");
                }
            }
        }
        assert!((map_step(1.5, 1.3, 0.1, 0.0, 4.0) - ml_step(1.5, 1.3, 0.1)).abs() < 1e-12);
    }
}
