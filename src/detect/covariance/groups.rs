//! One activity for all devices of a group: map with the groups of the activity law.

use std::marker::PhantomData;

use super::descent::{REBUILD_EVERY, Settings, judge_powers};
use crate::detect::common::columns::pilot_columns;
use crate::detect::common::decide::log_prior_odds;
use crate::detect::common::frames::{FrameDetector, FrameOut};
use crate::detect::common::groups::{GroupCovariance, known_groups};
use crate::link::{C64, DetectError, FrameBatch, Groups};
use crate::math::hermitian::eigen;
use crate::math::inverse::{InverseCovariance, Observation};
use crate::math::isa::Isa;
use crate::math::planes::Planes;
use crate::math::real::Real;

/// Points that the cost of a step is looked at before the best cell is refined: it may have several minima.
const GRID: usize = 16;
/// Halvings of the best cell.
const HALVINGS: usize = 40;

pub(crate) struct GroupMap<T> {
    pub options: Settings,
    pub precision: PhantomData<T>,
}

/// What a batch shares.
pub(crate) struct Shared<T> {
    columns: Planes<T>,
    groups: Groups,
    /// `ln(eps/(1 - eps))` of every group.
    log_odds: Vec<f64>,
}

/// Buffers of one thread.
pub(crate) struct Workspace<T> {
    inverse: InverseCovariance<T>,
    observation: Observation<T>,
    whole: GroupCovariance<T>,
    /// Activity of every group, in [0, 1].
    alpha: Vec<f64>,
    gamma: Vec<f64>,
}

/// One group as its step sees it: `sum_k ln(1 + d lambda_k) - d b_k/(1 + d lambda_k) - d l`, l the log odds over M.
struct Cost {
    lambda: Vec<f64>,
    b: Vec<f64>,
    prior: f64,
}

impl Cost {
    fn at(&self, d: f64) -> f64 {
        let one = |(&lambda, &b): (&f64, &f64)| {
            let whole = (1.0 + d * lambda).max(f64::MIN_POSITIVE);
            whole.ln() - d * b / whole
        };
        self.lambda.iter().zip(&self.b).map(one).sum::<f64>() - d * self.prior
    }

    fn slope(&self, d: f64) -> f64 {
        let one = |(&lambda, &b): (&f64, &f64)| {
            let whole = (1.0 + d * lambda).max(f64::MIN_POSITIVE);
            (lambda - b / whole) / whole
        };
        self.lambda.iter().zip(&self.b).map(one).sum::<f64>() - self.prior
    }

    /// The smallest cost between `low` and `high`.
    fn minimum(&self, low: f64, high: f64) -> f64 {
        let at = |i: usize| low + (high - low) * i as f64 / GRID as f64;
        let best = (0..=GRID).min_by(|a, b| self.at(at(*a)).total_cmp(&self.at(at(*b)))).unwrap_or(0);
        let (mut left, mut right) = (at(best.saturating_sub(1)), at((best + 1).min(GRID)));
        for _ in 0..HALVINGS {
            let middle = 0.5 * (left + right);
            if self.slope(middle) > 0.0 { right = middle } else { left = middle }
        }
        let refined = 0.5 * (left + right);
        // The ends of the range are minima where the slope leads out of it.
        [low, high, refined].into_iter().min_by(|a, b| self.at(*a).total_cmp(&self.at(*b))).unwrap_or(refined)
    }
}

impl<T: Real> FrameDetector for GroupMap<T> {
    type Shared = Shared<T>;
    type Workspace = Workspace<T>;
    const ESTIMATES_X: bool = false;
    const ESTIMATES_GAMMA: bool = true;

    fn prepare(&self, batch: &FrameBatch) -> Result<Shared<T>, DetectError> {
        let groups = known_groups("map", batch.model())?;
        let size = batch.model().devices() / groups.count;
        let log_odds = batch.model().activity_prob().chunks_exact(size).map(|g| log_prior_odds(g[0], 1)).collect();
        Ok(Shared { columns: pilot_columns(batch.model(), 1.0), groups, log_odds })
    }

    fn workspace(&self, shared: &Shared<T>, batch: &FrameBatch) -> Workspace<T> {
        let model = batch.model();
        Workspace {
            inverse: InverseCovariance::new(model.pilot_length(), model.noise_var()),
            observation: Observation::new(model.pilot_length(), model.antennas()),
            whole: GroupCovariance::new(shared.columns.clone(), model, shared.groups),
            alpha: vec![0.0; shared.groups.count],
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
        let (m, beta) = (batch.model().antennas(), batch.beta_of(f));
        let size = beta.len() / shared.groups.count;
        work.alpha.fill(0.0);
        if shared.groups.single {
            // Exactly one is active: the likeliest.
            work.whole.load(batch.frame(f));
            let mut weights = vec![0.0; shared.groups.count];
            let ratios = work.whole.single(isa, beta, 1.0, &mut weights);
            let best = (0..ratios.len()).max_by(|a, b| ratios[*a].total_cmp(&ratios[*b])).unwrap_or(0);
            work.alpha[best] = 1.0;
        } else {
            work.gamma.fill(0.0);
            work.inverse.reset();
            work.observation.load(batch.frame(f), m);
            for sweep in 0..self.options.sweeps {
                if sweep > 0 && sweep % REBUILD_EVERY == 0 {
                    work.inverse.rebuild(isa, &shared.columns, &work.gamma);
                }
                let change = sweep_groups(isa, shared, batch.frame(f), beta, [m, size], work);
                if self.options.tolerance > 0.0 && change <= self.options.tolerance {
                    break;
                }
            }
        }
        for (n, gamma) in work.gamma.iter_mut().enumerate() {
            *gamma = work.alpha[n / size] * beta[n];
        }
        judge_powers(&work.gamma, beta, 1, self.options.threshold, &mut out);
    }
}

/// One sweep over the groups; returns the largest change of an activity.
#[inline(always)]
fn sweep_groups<T: Real, I: Isa>(
    isa: I,
    shared: &Shared<T>,
    y: &[C64],
    beta: &[f64],
    [antennas, size]: [usize; 2],
    work: &mut Workspace<T>,
) -> f64 {
    let mut largest = 0.0_f64;
    for g in 0..shared.groups.count {
        let devices = g * size..(g + 1) * size;
        // `B^(1/2) S^H Sigma^-1 S B^(1/2)` and `B^(1/2) S^H Sigma^-1 Y`.
        let mut gram = vec![C64::default(); size * size];
        let mut heard = vec![C64::default(); size * antennas];
        for (column, n) in devices.clone().enumerate() {
            work.inverse.apply(isa, shared.columns.row(n));
            let v = |l: usize| C64::new(work.inverse.v.re[l].wide(), work.inverse.v.im[l].wide());
            for (row, other) in devices.clone().enumerate() {
                let [re, im] = shared.columns.row(other);
                let length = y.len() / antennas;
                let dot: C64 = (0..length).map(|l| C64::new(re[l].wide(), -im[l].wide()) * v(l)).sum();
                gram[row * size + column] = dot * (beta[n] * beta[other]).sqrt();
            }
            let heard = &mut heard[column * antennas..(column + 1) * antennas];
            for (l, y) in y.chunks_exact(antennas).enumerate() {
                let scale = v(l).conj() * beta[n].sqrt();
                heard.iter_mut().zip(y).for_each(|(h, y)| *h += scale * y);
            }
        }
        let parts = eigen(size, &gram);
        let b = (0..size)
            .map(|k| {
                let along = |antenna: usize| -> C64 {
                    (0..size).map(|i| parts.vectors[i * size + k].conj() * heard[i * antennas + antenna]).sum()
                };
                (0..antennas).map(|antenna| along(antenna).norm_sqr()).sum::<f64>() / antennas as f64
            })
            .collect();
        let lambda = parts.values.iter().map(|v| v.max(0.0)).collect();
        let cost = Cost { lambda, b, prior: shared.log_odds[g] / antennas as f64 };
        let alpha = work.alpha[g];
        let d = cost.minimum(-alpha, 1.0 - alpha);
        if d == 0.0 || !d.is_finite() {
            continue;
        }
        work.alpha[g] = (alpha + d).clamp(0.0, 1.0);
        for n in devices {
            let s = work.inverse.apply(isa, shared.columns.row(n));
            work.inverse.update(isa, d * beta[n], s);
            work.gamma[n] = work.alpha[g] * beta[n];
        }
        largest = largest.max(d.abs());
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_a_group_end_in_the_minimum_of_their_cost() {
        let cost = Cost { lambda: vec![0.4, 2.0, 7.0], b: vec![0.1, 6.0, 2.0], prior: -0.3 };
        let best = cost.minimum(-0.1, 0.9);
        for i in 0..=1000 {
            assert!(cost.at(best) <= cost.at(-0.1 + i as f64 * 1e-3) + 1e-9);
        }
        // Nothing heard: the step ends where the group is idle.
        assert_eq!(Cost { b: vec![0.0; 3], ..cost }.minimum(-0.1, 0.9), -0.1);
    }
}
