//! Score-based generative estimation (langevin): posterior samples by annealed Langevin dynamics.
//!
//! | part | what it is |
//! |---|---|
//! | [`prior`] | the score of the noised prior, exact for Bernoulli-Gaussian rows |
//! | [`anneal`] | noise levels, likelihood filters and the dynamics |
//! | [`detector`] | the detector |

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
