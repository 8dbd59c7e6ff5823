//! Approximate message passing with Bernoulli-Gaussian rows (amp, amp-section).
//!
//! # Model
//!
//! `Y = S X + W`, Y `[L, M]`, S `[L, N*Q]`; at most one row of X per device is not zero and then `CN(0, beta_n I)`. Known are S,
//! `beta`, and the activity probabilities eps. The noise level is not used: it is part of the measured `tau2`. The columns of S have
//! *expected* norm one: Y and S are divided by the root of [`Pilots::energy`](crate::link::Pilots::energy), columns are never
//! normalised one by one.
//!
//! # Algorithm
//!
//! Equation numbers are those of the DL-mAMPnet paper. From `X = 0`, `R = Y`, one iteration is
//!
//! 1. `Z = X + S^H R` (14), (27), `tau2 = ||R||^2/(L M)`, the measured effective noise;
//! 2. `X_new = eta(Z)`, row by row `x = w omega z` (28), `omega = beta/(beta + tau2)` (29), with the posterior weight w of the row:
//!    amp takes `w = 1/(1 + (Q - eps)/eps e^-LLR)` (30), `LLR = beta ||z||^2/(tau2 (beta + tau2)) - M ln(1 + beta/tau2)`, which is M
//!    times the difference of (32) and (31); amp-section takes the softmax of the Q rows of a device and idle, with the
//!    priors `eps/Q` and `1 - eps`;
//! 3. `R_new = Y - S X_new + (1/L) R (sum_i J_i)^T` (15), (16), with the M x M Jacobians
//!    `J_i = omega w I + (omega^2/tau2) w (1 - w) z z^H`;
//! 4. damping by d: `X <- d X_new + (1 - d) X`, `R <- d R_new + (1 - d) R`.
//!
//! The decision of a device is the sequence of largest LLR (35), active where the LLR exceeds the threshold: 0 for
//! "equal-prior" (36), (37), `ln((Q - eps)/eps)` for "map" (default). Score: the LLR. The estimate of X is the last one.
//!
//! # Assumptions and cost
//!
//! Large i.i.d. pilots. On small systems the matrix Onsager term of step 3 is needed: the scalar one diverges in 9-94 % of
//! frames at N = 100, M = 16. When the iterate overflows, the last finite one decides. An iteration costs about
//! `8nLM + 6nM + 2nM^2 + 4LM^2`. [Inputs and outputs](crate::detect#inputs-and-outputs) are those of all detectors.
//!
//! # Source
//!
//! Theorem 1 and section III-C of the DL-mAMPnet paper, after Donoho, Maleki and Montanari (2009) and Liu and Yu (2018), see
//! [references](crate::docs::references).
//!
//! # Example
//!
//! Three active devices of thirty, heard at 29 dB: no decision is wrong.
//!
//! ```
//! use grantfree::detect::{Amp, AmpOptions};
//! use grantfree::prelude::*;
//! use grantfree::scenario::ScenarioKind::UnitGain;
//!
//! let config = ScenarioConfig {
//!     devices: 30, pilot_length: 24, active_devices: Some(3),
//!     kind: UnitGain, noise_var: Some(0.03), ..Default::default()
//! };
//! let scenario = Scenario::new(&config, 1, Split::Test)?;
//! let frames = scenario.realize(0, 8).observe(&scenario.pilots(0))?;
//! let decisions = Amp::new(AmpOptions::default())?.detect(&frames)?;
//! assert_eq!(decisions.activity, frames.truth().unwrap().activity());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub(crate) mod iteration;
mod lanes;
pub(crate) mod steps;

use crate::detect::algorithm::{Algorithm, Candidates, Context, Info, Prior, Told};
use crate::detect::built::Built;
use crate::detect::common::cost::{Operations, Sizes};
use crate::detect::{ActivityPrior, ClassicalError, Onsager, Precision, Threshold};
use crate::link::{AccessModel, Detector, options};
use iteration::{Amp as Engine, Settings};

/// The two detectors differ in denoiser and name.
macro_rules! amp {
    ($options:ident, $detector:ident, $section:literal, $info:expr, $doc:literal) => {
        options! {
            #[doc = concat!("Options of: ", $doc)]
            pub struct $options {
                /// Iterations.
                iterations: usize = 50, "1..=1000000" if |v| (1..=1_000_000).contains(v);
                /// Share of the new iterate.
                damping: f64 = 1.0, "in (0, 1]" if |v| *v > 0.0 && *v <= 1.0;
                /// "device": told the activity probability of every device; "mean": their mean only.
                activity: ActivityPrior = ActivityPrior::Device, "\"device\" or \"mean\"";
                /// Threshold on the log-likelihood ratio.
                threshold: Threshold = Threshold::MAP, "\"equal-prior\", \"map\", \"best\", or a finite number compared with the log-likelihood ratio" if Threshold::is_finite;
                /// Sum of the M x M Jacobians, or the mean of their traces (diverges; for study).
                onsager: Onsager = Onsager::Matrix, "\"matrix\" or \"scalar\"";
                /// Arithmetic.
                precision: Precision = Precision::F64, "\"f64\" or \"f32\"";
            }
        }

        impl Algorithm for $options {
            const INFO: Info = $info.with_prior(Prior::PerDevice);

            fn detector(&self, _: &Context) -> Result<Box<dyn Detector>, ClassicalError> {
                let settings = Settings {
                    iterations: self.iterations,
                    damping: self.damping,
                    threshold: self.threshold,
                    onsager: self.onsager,
                    section: $section,
                    mean_activity: self.activity == ActivityPrior::Mean,
                };
                Ok(match self.precision {
                    Precision::F64 => Box::new(Engine::<f64>::new(settings)),
                    Precision::F32 => Box::new(Engine::<f32>::new(settings)),
                })
            }

            fn told(&self) -> Told {
                let activity = if self.activity == ActivityPrior::Mean { Prior::Mean } else { Prior::PerDevice };
                Told { activity, ..Self::INFO.told }
            }

            fn candidates(&self, _: &AccessModel) -> Vec<Candidates> {
                vec![Candidates::numbers("damping", &[1.0, 0.8, 0.6, 0.4]), Candidates::counts("iterations", &[25, 50, 100])]
            }

            fn threshold(&self) -> Option<Threshold> {
                Some(self.threshold)
            }

            fn set_threshold(&mut self, threshold: Threshold) {
                self.threshold = threshold;
            }

            fn operations(&self, sizes: &Sizes) -> Option<Operations> {
                Some(sizes.amp(self.iterations))
            }
        }

        #[doc = $doc]
        pub type $detector = Built<$options>;
    };
}

amp!(
    AmpOptions,
    Amp,
    false,
    Info::receiver("amp", "AMP with the row-wise Bayes denoiser"),
    "AMP with the row-wise Bayes denoiser."
);
amp!(
    AmpSectionOptions,
    AmpSection,
    true,
    Info::receiver("amp-section", "AMP with the section-wise Bayes denoiser"),
    "AMP with the section-wise Bayes denoiser: a device sends one of its Q sequences or none."
);
