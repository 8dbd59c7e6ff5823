//! Samples of the exact posterior of the activities (gibbs): the Bayes reference of the access link.
//!
//! # Model
//!
//! The M columns of Y are i.i.d. `CN(0, Sigma)`, `Sigma = sigma2 I + sum_n beta_n s_{n,q_n} s_{n,q_n}^H`, the sum over active devices
//! with the sequence `q_n` that each sends. Channels are integrated out, so the activities are all that is unknown. Known are
//! the pilots, `beta`, `sigma2`, the activity probabilities eps, and with `groups = true` which devices are active together.
//!
//! # Algorithm
//!
//! A sweep visits the devices. With all others as they are, device n has the exact conditional distribution
//!
//! 1. `c_q = s_q^H Sigma_n^-1 s_q`, `LLR_q = beta_n ||Y^H Sigma_n^-1 s_q||^2/(1 + beta_n c_q) - M ln(1 + beta_n c_q)`, `Sigma_n` without n;
//! 2. `w_q = softmax(LLR_q + ln(eps/Q))` against idle with `ln(1 - eps)`, from which its new state is drawn.
//!
//! `Sigma^-1`, and for every column `s^H Sigma^-1 s` and `s^H Sigma^-1 Y`, are kept up to date by rank-one steps: a visit that
//! changes nothing costs a few numbers. The mean of the weights over the sweeps estimates the marginal posterior, and the mean
//! of `w_q beta/(1 + beta c_q) s_q^H Sigma_n^-1 Y` the posterior mean of the row; both have less variance than the states
//! themselves. Score: logarithm of the marginal's odds against idle without the prior's, so that "map" decides for what is
//! likelier than idle, the symbol MAP test.
//!
//! One device at a time, a chain hardly gets from one set of devices that explain Y to another that differs in two of
//! them. After each sweep a few `relocations` take a random active device out and draw which idle one, with which sequence, is
//! active in its place, by the same ratios; the number of active devices stays, so that the posterior does too.
//!
//! A chain begins at one of the states in `start` and is tempered while it warms up (the ratio times t, rising to 1); one from
//! the truth is not, or it would forget where it began. With `temperatures > 1` replicas at lower t run beside it and exchange
//! states with it by the Metropolis rule, which takes a chain out of a mode that is not the right one. Chains of all starts
//! are averaged, but for one from the truth beside others: it only tells whether they came where it stayed. With one start there
//! is no `residual`. `residual` is the largest distance (total variation) of any device's marginals between two starts, and a frame
//! with more than `tolerance` has not converged: there the chains tell nothing about the limit.
//!
//! With `method = "enumeration"` the posterior is summed over all `(Q + 1)^N` states, at most 2^20 of them.
//!
//! # Assumptions and cost
//!
//! Rayleigh antennas without correlation, gains and noise level known. Within this model no detector has fewer expected symbol
//! errors or a smaller squared error than exact marginals and means. A change of state costs `O(NQ (L + M) + L^2)`.
//! [Inputs and outputs](crate::detect#inputs-and-outputs) are those of all detectors.
//!
//! # Source
//!
//! S. Geman and D. Geman, IEEE Trans. Pattern Anal. Mach. Intell. 6 (1984); exchange of temperatures: R. H. Swendsen and J.-S.
//! Wang, Phys. Rev. Lett. 57 (1986); the averaged conditional distributions: A. E. Gelfand and A. F. M. Smith, J. Am. Stat.
//! Assoc. 85 (1990). The covariance model is that of Fengler et al. (2021), see [references](crate::docs::references).
//!
//! # Example
//!
//! Two devices of six: the chains tend to the sums over all states.
//!
//! ```
//! use grantfree::detect::{Gibbs, GibbsMethod, GibbsOptions};
//! use grantfree::prelude::*;
//! use grantfree::scenario::ScenarioKind::UnitGain;
//!
//! let config = ScenarioConfig {
//!     devices: 6, antennas: 2, pilot_length: 4, bits: 0, activity_prob: 0.3,
//!     kind: UnitGain, noise_var: Some(1.0), ..Default::default()
//! };
//! let scenario = Scenario::new(&config, 1, Split::Test)?;
//! let frames = scenario.realize(0, 8).observe(&scenario.pilots(0))?;
//! let chains = Gibbs::new(GibbsOptions { iterations: 4000, ..Default::default() })?.detect(&frames)?;
//! let exact = Gibbs::new(GibbsOptions { method: GibbsMethod::Enumeration, ..Default::default() })?.detect(&frames)?;
//! for (a, b) in chains.score.iter().zip(&exact.score) {
//!     let odds = |score: &f64| 1.0 / (1.0 + (-score).exp());
//!     assert!((odds(a) - odds(b)).abs() < 0.05);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod chain;
mod devices;
mod enumeration;
mod groups;
mod marginals;
mod state;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::detect::algorithm::{Algorithm, Context, Info, Prior, Told};
use crate::detect::built::Built;
use crate::detect::common::frames::Frames;
use crate::detect::{ClassicalError, Threshold};
use crate::link::{ConfigError, Detector, check, options};

/// Where a chain begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// All devices idle.
    Idle,
    /// Every device active with probability one half, with a random sequence.
    Random,
    /// The true activities, of simulated frames.
    Truth,
}

/// How the posterior is summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GibbsMethod {
    /// By chains.
    Chains,
    /// Over all states.
    Enumeration,
}

options! {
    /// Options of the sampler of the posterior.
    pub struct GibbsOptions {
        /// Sweeps of a chain that are averaged.
        iterations: usize = 240, "1..=1000000" if |v| (1..=1_000_000).contains(v);
        /// Sweeps of a chain before that.
        warm_up: usize = 60, "0..=1000000" if |v| *v <= 1_000_000;
        /// Active devices that are exchanged for idle ones after a sweep (devices on their own only).
        relocations: usize = 4, "0..=1000" if |v| *v <= 1000;
        /// Where chains begin, one chain each: "idle", "random", "truth" (simulated frames only).
        start: Vec<Start> = vec![Start::Idle, Start::Random] => "[\"idle\", \"random\"]", "one to eight of \"idle\", \"random\", \"truth\"" if |v| (1..=8).contains(&v.len());
        /// Replicas of a chain, from t = 1 down to `hottest`; 1: no exchange.
        temperatures: usize = 1, "1..=64" if |v| (1..=64).contains(v);
        /// Smallest t of the replicas.
        hottest: f64 = 0.4, "in (0, 1)" if |v| *v > 0.0 && *v < 1.0;
        /// Threshold on the logarithm of the odds of activity without the prior.
        threshold: Threshold = Threshold::MAP, "\"equal-prior\", \"map\", \"best\", or a finite number compared with the log-likelihood ratio" if Threshold::is_finite;
        /// A frame has converged when no device's marginals differ by more between two starts.
        tolerance: f64 = 0.25, "in (0, 1]" if |v| *v > 0.0 && *v <= 1.0;
        /// "chains", or "enumeration" for small problems.
        method: GibbsMethod = GibbsMethod::Chains, "\"chains\" or \"enumeration\"";
        /// Devices of a group of the activity law are active together.
        groups: bool = false, "true (frames with groups, one sequence per device) or false";
    }
}

impl Algorithm for GibbsOptions {
    const INFO: Info = Info::receiver("gibbs", "samples of the exact posterior of the activities: the Bayes reference")
        .with_prior(Prior::PerDevice)
        .as_reference();

    fn check(&self, prefix: &str) -> Result<(), ConfigError> {
        let exact = self.method == GibbsMethod::Enumeration;
        let range = "\"chains\" with groups = true";
        check(!(exact && self.groups), &format!("{prefix}.method"), "enumeration", range, "chains")
    }

    fn detector(&self, _: &Context) -> Result<Box<dyn Detector>, ClassicalError> {
        let options = self.clone();
        Ok(match self.method {
            GibbsMethod::Chains => Box::new(Frames(chain::Sampler { options })),
            GibbsMethod::Enumeration => Box::new(Frames(enumeration::Sums { options })),
        })
    }

    fn threshold(&self) -> Option<Threshold> {
        Some(self.threshold)
    }

    fn set_threshold(&mut self, threshold: Threshold) {
        self.threshold = threshold;
    }

    fn told(&self) -> Told {
        let activity = if self.groups { Prior::Groups } else { Prior::PerDevice };
        // Beside other chains, one from the truth decides nothing.
        let truth = self.start.iter().all(|s| *s == Start::Truth);
        Told { activity, truth, ..Self::INFO.told }
    }
}

/// Samples of the exact posterior of the activities.
pub type Gibbs = Built<GibbsOptions>;
