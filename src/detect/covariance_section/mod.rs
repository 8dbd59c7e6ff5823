//! Covariance detection of discrete activities with known gains (covariance-section).
//!
//! # Model
//!
//! The M columns of Y are i.i.d. `CN(0, Sigma)` as for the [covariance](crate::detect::covariance) methods, but a power is not a
//! free number: column q of device n contributes `beta_n` or nothing, and at most one column of a device contributes. Known
//! are the pilots, `beta`, `sigma2` and the activity probabilities eps.
//!
//! # Algorithm
//!
//! Sweeps visit the devices. With `Sigma_n` the covariance without device n, in which every other device stands with its
//! expected contribution `w_{m,r} beta_m s s^H`:
//!
//! 1. `c_q = s_q^H Sigma_n^-1 s_q` and `LLR_q = beta_n ||Y^H Sigma_n^-1 s_q||^2/(1 + beta_n c_q) - M ln(1 + beta_n c_q)`, the exact
//!    log ratio of the two Gaussians "device n sends q" and "device n is idle";
//! 2. `w_{n,q}` = softmax over the Q sequences and idle with priors `eps/Q` and `1 - eps`; the device is put back with these weights.
//!
//! Start: all idle. In the first sweeps the ratios are tempered (multiplied by t < 1, rising to 1), because interference
//! that is not yet explained makes them too certain; this saves some frames from poor fixed points at small L. `tempering` is
//! the last t: below 1 the weights stay less certain, which is worth something where few antennas make them wrong.
//! The estimate of a row is its posterior mean, `w beta/(1 + beta c) s^H Sigma_n^-1 Y`. Score: the LLR. Decision: argmax over q, then
//! the threshold on the LLR; "map" is the symbol MAP test `ln(Q (1 - eps)/eps)`.
//!
//! With `groups = true` whole groups of the activity law stand in the place of devices: one ratio, one weight per group,
//! the exact log ratio of all its devices together. With exactly one active group the weights are the exact posterior.
//!
//! # Assumptions and cost
//!
//! Rayleigh antennas without correlation, gains and noise level known. With no other device the ratio is that of the
//! [single-user bound](crate::detect::single_user_bound). How far it is from the Bayes limit of the same model tells
//! [gibbs](crate::detect::gibbs). A sweep costs `O(n L^2)`.
//! [Inputs and outputs](crate::detect#inputs-and-outputs) are those of all detectors.
//!
//! # Source
//!
//! Derived here: coordinate-wise posterior updates of the covariance model of Fengler et al. (2021), see
//! [references](crate::docs::references).
//!
//! # Example
//!
//! Three active devices of thirty, heard at 29 dB: no decision is wrong.
//!
//! ```
//! use grantfree::detect::{CovarianceSection, CovarianceSectionOptions};
//! use grantfree::prelude::*;
//! use grantfree::scenario::ScenarioKind::UnitGain;
//!
//! let config = ScenarioConfig {
//!     devices: 30, pilot_length: 24, active_devices: Some(3),
//!     kind: UnitGain, noise_var: Some(0.03), ..Default::default()
//! };
//! let scenario = Scenario::new(&config, 1, Split::Test)?;
//! let frames = scenario.realize(0, 8).observe(&scenario.pilots(0))?;
//! let decisions = CovarianceSection::new(CovarianceSectionOptions::default())?.detect(&frames)?;
//! assert_eq!(decisions.activity, frames.truth().unwrap().activity());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod groups;
pub(crate) mod posterior;

use std::marker::PhantomData;

use crate::detect::algorithm::{Algorithm, Candidates, Context, Info, Prior, Told};
use crate::detect::built::Built;
use crate::detect::common::cost::{Operations, Sizes};
use crate::detect::common::frames::Frames;
use crate::detect::{ClassicalError, Precision, Threshold};
use crate::link::{AccessModel, Detector, options};
use groups::SectionGroups;
use posterior::CovarianceSection as Engine;

options! {
    /// Options of the covariance detector with discrete activities.
    pub struct CovarianceSectionOptions {
        /// Sweeps over all devices.
        iterations: usize = 10, "1..=1000000" if |v| (1..=1_000_000).contains(v);
        /// Threshold on the log-likelihood ratio.
        threshold: Threshold = Threshold::MAP, "\"equal-prior\", \"map\", \"best\", or a finite number compared with the log-likelihood ratio" if Threshold::is_finite;
        /// What the ratios are multiplied by in the last sweeps.
        tempering: f64 = 1.0, "in (0, 1]" if |v| *v > 0.0 && *v <= 1.0;
        /// Devices of a group of the activity law are active together.
        groups: bool = false, "true (frames with groups, one sequence per device) or false";
        /// Stop when the largest change of one sweep relative to the largest weight falls below; 0 never stops early.
        tolerance: f64 = 0.0, ">= 0" if |v| v.is_finite() && *v >= 0.0;
        /// Arithmetic.
        precision: Precision = Precision::F64, "\"f64\" or \"f32\"";
    }
}

impl Algorithm for CovarianceSectionOptions {
    const INFO: Info = Info::receiver("covariance-section", "coordinate posterior over discrete activities")
        .with_prior(Prior::PerDevice);

    fn detector(&self, _: &Context) -> Result<Box<dyn Detector>, ClassicalError> {
        let options = self.clone();
        Ok(match self.precision {
            Precision::F64 if self.groups => Box::new(Frames(SectionGroups::<f64> { options, precision: PhantomData })),
            Precision::F32 if self.groups => Box::new(Frames(SectionGroups::<f32> { options, precision: PhantomData })),
            Precision::F64 => Box::new(Frames(Engine::<f64> { options, precision: PhantomData })),
            Precision::F32 => Box::new(Frames(Engine::<f32> { options, precision: PhantomData })),
        })
    }

    fn told(&self) -> Told {
        let activity = if self.groups { Prior::Groups } else { Prior::PerDevice };
        Told { activity, ..Self::INFO.told }
    }

    fn candidates(&self, _: &AccessModel) -> Vec<Candidates> {
        vec![
            Candidates::numbers("tempering", &[1.0, 0.85, 0.75, 0.65, 0.5]),
            Candidates::counts("iterations", &[10, 20]),
        ]
    }

    fn threshold(&self) -> Option<Threshold> {
        Some(self.threshold)
    }

    fn set_threshold(&mut self, threshold: Threshold) {
        self.threshold = threshold;
    }

    fn operations(&self, sizes: &Sizes) -> Option<Operations> {
        Some(sizes.covariance(self.iterations))
    }
}

/// Covariance detection of discrete activities with known gains.
pub type CovarianceSection = Built<CovarianceSectionOptions>;
