//! Covariance methods: coordinate descent on the powers gamma of the columns (covariance, ml, map).
//!
//! # Model
//!
//! The M columns of Y `[L, M]` are i.i.d. `CN(0, Sigma)`, `Sigma = sum_i gamma_i a_i a_i^H + sigma2 I`, `a_i [L]` the columns of the
//! pilots. Known are the pilots, `sigma2`, the gains `beta` (for the decision), and to map the activity probabilities eps.
//!
//! # Algorithm
//!
//! From `gamma = 0`, one sweep visits the columns in order and minimises the negative log-likelihood (ml, covariance) or the
//! negative log-posterior (map) in one power. With `v = Sigma^-1 a`, `s = a^H v`, `q = v^H (Y Y^H/M) v`:
//!
//! 1. ml, covariance: `d = max((q - s)/s^2, -gamma)`;
//! 2. map, (18) and (19) of the auto-encoder paper with its misprinted sign corrected, in units of the device's gain
//!    (`alpha = gamma/beta`, a scaled by `sqrt(beta)`), with `l = ln(eps/(Q - eps))`: `u = 2q/(s + sqrt(s^2 - 4 q l/M))`,
//!    `d = (u - 1)/s`, where the cost has no minimum `d = inf`, and `alpha + d` is clamped to [0, 1], the range of an activity;
//! 3. `gamma <- gamma + d` and `Sigma^-1 <- Sigma^-1 - d v v^H/(1 + d s)`.
//!
//! With `groups = true` map has one activity per group of the activity law: the step minimises the same cost in the common
//! alpha of the group, numerically, because the stationary points have no closed form. With exactly one active group it is
//! the likeliest.
//!
//! The decision is the largest gamma of the device's Q columns, active when `gamma > threshold * beta` (default 0.5). Score:
//! `gamma/beta`. No channel is estimated.
//!
//! # Assumptions and cost
//!
//! Rayleigh antennas without correlation and known noise level; no large-system limit. Powers need many antennas to be
//! sure: the estimate of a lone device spreads by `1/sqrt(M)`. A sweep costs `O(n L^2)`.
//! [Inputs and outputs](crate::detect#inputs-and-outputs) are those of all detectors.
//!
//! # Source
//!
//! Fengler, Haghighatshoar, Jung and Caire (2021) for ml; Algorithm 3 and (16)-(19) of the auto-encoder paper for map, see
//! [references](crate::docs::references).
//!
//! # Example
//!
//! Three active devices of thirty, heard at 29 dB by 64 antennas: no decision is wrong.
//!
//! ```
//! use grantfree::detect::{Map, MapOptions};
//! use grantfree::prelude::*;
//! use grantfree::scenario::ScenarioKind::UnitGain;
//!
//! let config = ScenarioConfig {
//!     devices: 30, antennas: 64, pilot_length: 24, active_devices: Some(3),
//!     kind: UnitGain, noise_var: Some(0.03), ..Default::default()
//! };
//! let scenario = Scenario::new(&config, 1, Split::Test)?;
//! let frames = scenario.realize(0, 8).observe(&scenario.pilots(0))?;
//! let decisions = Map::new(MapOptions::default())?.detect(&frames)?;
//! assert_eq!(decisions.activity, frames.truth().unwrap().activity());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub(crate) mod descent;
mod groups;

use std::marker::PhantomData;

use crate::detect::algorithm::{Algorithm, Context, Info, Prior, Told};
use crate::detect::built::Built;
use crate::detect::common::cost::{Operations, Sizes};
use crate::detect::common::frames::Frames;
use crate::detect::{ClassicalError, Precision, Threshold};
use crate::link::{Detector, options};
use descent::{Covariance as Engine, Settings};
use groups::GroupMap;

/// The three detectors differ in default, prior and name.
macro_rules! covariance {
    ($options:ident, $detector:ident, $iterations:literal, $prior:literal, $info:expr, $doc:literal $(, $groups:ident)?) => {
        options! {
            #[doc = concat!("Options of: ", $doc)]
            pub struct $options {
                /// Sweeps over all columns.
                iterations: usize = $iterations, "1..=1000000" if |v| (1..=1_000_000).contains(v);
                /// Active when `gamma > threshold * beta`.
                threshold: Threshold = Threshold::Value(0.5), "\"best\", or a finite number compared with gamma/beta" if Threshold::is_number;
                $(
                    /// Devices of a group of the activity law have one activity.
                    $groups: bool = false, "true (frames with groups, one sequence per device) or false";
                )?
                /// Stop when the largest change of one sweep relative to the largest power falls below; 0 never stops early.
                tolerance: f64 = 0.0, ">= 0" if |v| v.is_finite() && *v >= 0.0;
                /// Arithmetic.
                precision: Precision = Precision::F64, "\"f64\" or \"f32\"";
            }
        }

        impl Algorithm for $options {
            const INFO: Info = $info;

            fn detector(&self, _: &Context) -> Result<Box<dyn Detector>, ClassicalError> {
                let options = Settings {
                    sweeps: self.iterations,
                    threshold: self.threshold.number(),
                    tolerance: self.tolerance,
                    prior: $prior,
                };
                $(if self.$groups {
                    return Ok(match self.precision {
                        Precision::F64 => Box::new(Frames(GroupMap::<f64> { options, precision: PhantomData })),
                        Precision::F32 => Box::new(Frames(GroupMap::<f32> { options, precision: PhantomData })),
                    });
                })?
                Ok(match self.precision {
                    Precision::F64 => Box::new(Frames(Engine::<f64> { options, precision: PhantomData })),
                    Precision::F32 => Box::new(Frames(Engine::<f32> { options, precision: PhantomData })),
                })
            }

            $(fn told(&self) -> Told {
                let activity = if self.$groups { Prior::Groups } else { Prior::PerDevice };
                Told { activity, ..Self::INFO.told }
            })?

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

        #[doc = $doc]
        pub type $detector = Built<$options>;
    };
}

covariance!(
    CovarianceOptions,
    Covariance,
    50,
    false,
    Info::receiver("covariance", "maximum likelihood powers by coordinate descent, 50 sweeps"),
    "maximum likelihood powers by coordinate descent, 50 sweeps."
);
covariance!(
    MlOptions,
    Ml,
    55,
    false,
    Info::receiver("ml", "maximum likelihood powers by coordinate descent, 55 sweeps"),
    "maximum likelihood powers by coordinate descent, 55 sweeps."
);
covariance!(
    MapOptions,
    Map,
    55,
    true,
    Info::receiver("map", "powers by coordinate descent with the activity prior").with_prior(Prior::PerDevice),
    "maximum a posteriori powers by coordinate descent.",
    groups
);
