//! Score-based estimation (langevin): posterior samples by annealed Langevin dynamics with the exact score.
//!
//! # Model
//!
//! `Y = A X + W`, Y `[L, M]`, A `[L, N*Q]`; row i of X is zero with probability `1 - activity_prob_n/Q`, else `CN(0, beta_n I)`. Rows are
//! scaled by their gains, `x_i = sqrt(beta_i) u_i`, so that all noise levels mean the same for every device. Known are A, `beta`, `sigma2`
//! and the activity probabilities. The prior enters by its score only, here the exact one; [`systems::score`](crate::systems::score)
//! learns it.
//!
//! # Algorithm
//!
//! Level sigma looks at `U = X + sigma CN(0, I)` and takes Y given U as Gaussian of mean `A U` and covariance
//! `C = sigma2 I + sigma^2 A A^H` ("matched") or `C = (sigma2 + sigma^2) I` ("paper": (11) of the score paper, its sign corrected).
//! From noise of level `sigma_max`, through geometric levels down to `sigma_min`, `steps` times at each level:
//!
//! 1. score of the noised prior: `s(u) = -u ((1 - w)/sigma^2 + w/(1 + sigma^2))`, w the posterior probability of activity;
//! 2. score of the posterior (9): `g = s(U) + A^H C^-1 (Y - A U)`;
//! 3. Langevin step (10): `U <- U + alpha_i g + sqrt(2 beta alpha_i) CN(0, I)`, `alpha_i = alpha_0 r^i sigma_i^2`, beta the temperature.
//!
//! It ends with Tweedie's estimate `E[X | U, Y] = U + sigma^2 g`. The estimate is the mean of `samples` chains: one sample has
//! twice the squared error of the posterior mean (3 dB), S samples `1 + 1/S` times. Samples are never exactly zero: score
//! `||x_i||^2/(M beta_n)`, active above `threshold`. Other [`Sampler`]s need far fewer evaluations of the score.
//!
//! # Assumptions and cost
//!
//! Exact as steps become small, temperature one, likelihood "matched". About `8nLM` per evaluation;
//! [`LangevinConfig::calls`] counts them for one chain. Noise of the chains is drawn from a stream keyed by the observation
//! itself, so a frame has the same estimate in every batch, on every thread and in every shard. A chain that diverges
//! (steps too large) is left out of the mean; a frame all of whose chains diverge is estimated as zero. [Inputs and outputs](crate::detect#inputs-and-outputs) are those of all detectors.
//!
//! # Source
//!
//! Algorithm 1 of the score paper; Song and Ermon (2019), Arvinte and Tamir (2023), see [references](crate::docs::references).
//!
//! # Example
//!
//! Two active devices of ten, twelve symbols, 26 dB: no decision is wrong.
//!
//! ```
//! use grantfree::detect::{Langevin, LangevinOptions};
//! use grantfree::prelude::*;
//! use grantfree::scenario::ScenarioKind::UnitGain;
//!
//! let config = ScenarioConfig {
//!     devices: 10, pilot_length: 12, active_devices: Some(2), bits: 0,
//!     kind: UnitGain, noise_var: Some(0.03), ..Default::default()
//! };
//! let scenario = Scenario::new(&config, 1, Split::Test)?;
//! let frames = scenario.realize(0, 2).observe(&scenario.pilots(0))?;
//! let decisions = Langevin::new(LangevinOptions::default())?.detect(&frames)?;
//! assert_eq!(decisions.activity, frames.truth().unwrap().activity());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub(crate) mod anneal;
pub(crate) mod detector;
mod options;
pub(crate) mod orthogonal;
pub(crate) mod prior;
#[cfg(test)]
mod tests;

pub use options::{LangevinConfig, Likelihood, Sampler};

use super::algorithm::{Algorithm, Context, Info, Prior};
use super::built::Built;
use super::{ClassicalError, Threshold};
use crate::link::{ConfigError, Detector, options};

options! {
    /// Options of annealed Langevin sampling with the exact score.
    pub struct LangevinOptions {
        /// Likelihood, noise levels, steps and samples.
        langevin: LangevinConfig = LangevinConfig::default(), "a table";
        /// Active when `||x||^2 > threshold * M * beta`.
        threshold: Threshold = Threshold::Value(0.1), "\"best\", or a finite number compared with ||x||^2/(M beta)" if Threshold::is_number;
    }
}

impl Algorithm for LangevinOptions {
    const INFO: Info = Info::receiver("langevin", "annealed Langevin sampling of the posterior with the exact score")
        .with_prior(Prior::PerDevice);

    fn check(&self, prefix: &str) -> Result<(), ConfigError> {
        self.langevin.validate(&format!("{prefix}.langevin"))
    }

    fn detector(&self, _: &Context) -> Result<Box<dyn Detector>, ClassicalError> {
        Ok(Box::new(detector::Engine { options: self.langevin.clone(), threshold: self.threshold.number() }))
    }

    fn threshold(&self) -> Option<Threshold> {
        Some(self.threshold)
    }

    fn set_threshold(&mut self, threshold: Threshold) {
        self.threshold = threshold;
    }
}

/// Annealed Langevin sampling with the exact score of Bernoulli-Gaussian rows.
pub type Langevin = Built<LangevinOptions>;
