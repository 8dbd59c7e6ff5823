//! The same updates with whole groups of devices in the place of devices.

use std::marker::PhantomData;

use super::CovarianceSectionOptions;
use super::posterior::{REBUILD_EVERY, Schedule};
use crate::detect::common::columns::pilot_columns;
use crate::detect::common::decide::{log_prior_odds, section_threshold};
use crate::detect::common::frames::{FrameDetector, FrameOut};
use crate::detect::common::groups::{GroupCovariance, known_groups, others};
use crate::link::{DetectError, FrameBatch, Groups};
use crate::math::isa::Isa;
use crate::math::real::Real;

pub(crate) struct SectionGroups<T> {
    pub options: CovarianceSectionOptions,
    pub precision: PhantomData<T>,
}

/// What a batch shares.
pub(crate) struct Shared {
    groups: Groups,
    /// `ln(eps/(1 - eps))` of every group.
    log_odds: Vec<f64>,
    thresholds: Vec<f64>,
}

/// Buffers of one thread.
pub(crate) struct Workspace<T> {
    covariance: GroupCovariance<T>,
    llr: Vec<f64>,
    /// Weights of the groups as they stand in the covariance.
    weights: Vec<f64>,
}

impl<T: Real> FrameDetector for SectionGroups<T> {
    type Shared = Shared;
    type Workspace = Workspace<T>;
    const ESTIMATES_X: bool = true;
    const ESTIMATES_GAMMA: bool = true;

    fn prepare(&self, batch: &FrameBatch) -> Result<Shared, DetectError> {
        let groups = known_groups("covariance-section", batch.model())?;
        let eps: Vec<f64> =
            batch.model().activity_prob().chunks_exact(batch.model().devices() / groups.count).map(|g| g[0]).collect();
        Ok(Shared {
            groups,
            log_odds: eps.iter().map(|&e| log_prior_odds(e, 1)).collect(),
            thresholds: eps.iter().map(|&e| section_threshold(self.options.threshold, e, 1)).collect(),
        })
    }

    fn workspace(&self, shared: &Shared, batch: &FrameBatch) -> Workspace<T> {
        Workspace {
            covariance: GroupCovariance::new(pilot_columns(batch.model(), 1.0), batch.model(), shared.groups),
            llr: vec![0.0; shared.groups.count],
            weights: vec![0.0; shared.groups.count],
        }
    }

    #[inline(always)]
    fn frame<I: Isa>(
        &self,
        isa: I,
        shared: &Shared,
        batch: &FrameBatch,
        f: usize,
        work: &mut Workspace<T>,
        out: FrameOut<'_>,
    ) {
        let (m, y, beta) = (batch.model().antennas(), batch.frame(f), batch.beta_of(f));
        let Workspace { covariance, llr, weights } = work;
        weights.fill(0.0);
        covariance.load(y);
        if shared.groups.single {
            covariance.single(isa, beta, self.options.tempering, weights);
            for g in 0..weights.len() {
                let odds = weights[g].max(f64::MIN_POSITIVE) / others(weights, g).max(f64::MIN_POSITIVE);
                llr[g] = odds.ln() - shared.log_odds[g];
            }
        } else {
            self.sweeps(isa, shared, beta, covariance, llr, weights);
        }
        for g in 0..weights.len() {
            let weight = weights[g];
            // With exactly one active group all others are idle.
            let among = if shared.groups.single { 0.0 } else { weight };
            if weight > 0.0 {
                if among > 0.0 {
                    covariance.take_out(isa, g, beta, weights);
                }
                covariance.ratio(isa, g, beta);
                for n in covariance.devices(g) {
                    covariance.add_mean(isa, n, weight * beta[n], y, &mut out.x[n * m..(n + 1) * m]);
                }
                if among > 0.0 {
                    covariance.put_in(isa, g, beta, weight);
                    weights[g] = weight;
                }
            }
            for n in covariance.devices(g) {
                out.score[n] = llr[g];
                out.gamma[n] = weight * beta[n];
                out.activity[n] = i64::from(llr[g] > shared.thresholds[g]);
            }
        }
    }
}

impl<T: Real> SectionGroups<T> {
    /// Groups that are active on their own, one after the other.
    #[inline(always)]
    fn sweeps<I: Isa>(
        &self,
        isa: I,
        shared: &Shared,
        beta: &[f64],
        covariance: &mut GroupCovariance<T>,
        llr: &mut [f64],
        weights: &mut [f64],
    ) {
        let schedule = Schedule::of(&self.options);
        for sweep in 0..self.options.iterations {
            if sweep > 0 && sweep % REBUILD_EVERY == 0 {
                covariance.rebuild(isa, beta, weights);
            }
            let mut change = 0.0_f64;
            for g in 0..weights.len() {
                let before = weights[g];
                covariance.take_out(isa, g, beta, weights);
                llr[g] = covariance.ratio(isa, g, beta);
                let weight = 1.0 / (1.0 + (-(schedule.temper(sweep) * llr[g] + shared.log_odds[g])).exp());
                covariance.put_in(isa, g, beta, weight);
                weights[g] = weight;
                change = change.max((weight - before).abs());
            }
            if schedule.settled(sweep, change, weights.iter().copied().fold(0.0, f64::max)) {
                break;
            }
        }
    }
}
