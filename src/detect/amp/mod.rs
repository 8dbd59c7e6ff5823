//! Approximate message passing with Bernoulli-Gaussian rows, Theorem 1 of DL-mAMPnet.
//!
//! Model: `Y = S X + W`, Y `[L, M]`, S `[L, N*Q]`, at most one row of X per device is not zero and then CN(0, beta_n I).
//! One iteration, from `X = 0`, `R = Y`:
//!
//! 1. `Z = X + S^H R`, `tau2 = ||R||^2/(L M)`
//! 2. `X_new = eta(Z) = w omega z` with the posterior weight `w` of each row
//! 3. `R_new = Y - S X_new + (1/L) R (sum_i J_i)^T` with the M x M Jacobians `J_i` of `eta`
//! 4. damping: `X <- d X_new + (1 - d) X`, `R <- d R_new + (1 - d) R`
//!
//! The columns of S have *expected* norm one:
//! Y and S are divided by the root of [`crate::link::Pilots::energy`], columns are never normalised one by one.
//! Assumptions: large i.i.d. pilots; on small systems the matrix Onsager term is needed, the scalar one diverges in
//! 9-94 % of frames at N = 100, M = 16. When the iterate overflows, the last finite one decides.

pub(crate) mod iteration;
mod lanes;
pub(crate) mod steps;

use crate::detect::algorithm::{Algorithm, Context, Info, Prior};
use crate::detect::built::Built;
use crate::detect::common::cost::{Operations, Sizes};
use crate::detect::{ClassicalError, Onsager, Precision, Threshold};
use crate::link::{Detector, options};
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
                };
                Ok(match self.precision {
                    Precision::F64 => Box::new(Engine::<f64>::new(settings)),
                    Precision::F32 => Box::new(Engine::<f32>::new(settings)),
                })
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
