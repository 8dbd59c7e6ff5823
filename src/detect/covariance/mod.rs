//! Covariance methods: coordinate descent on the powers gamma of the columns (covariance, ml, map).
//!
//! Model: the M columns of Y `[L, M]` are i.i.d. `CN(0, Sigma)`, `Sigma = sum_i gamma_i a_i a_i^H + sigma2 I`. One sweep visits the
//! columns in order and minimises the negative log-likelihood (ml, covariance) or the negative log-posterior (map) in one
//! power. With `v = Sigma^-1 a`, `s = a^H v`, `q = v^H (Y Y^H/M) v`:
//!
//! - ml: `d = max((q - s)/s^2, -gamma)`
//! - map, in units of the device's gain (alpha = gamma/beta, a scaled by sqrt(beta)), with `l = ln(eps/(Q - eps))`:
//!   `u = 2q/(s + sqrt(s^2 - 4 q l/M))`, `alpha + d` clamped to [0, 1]: an activity.
//!
//! Then `gamma += d` and `Sigma^-1 -= d v v^H/(1 + d s)`. The decision is the largest gamma of the device's Q columns,
//! active when `gamma > threshold * beta` (default 0.5). No channel is estimated.

pub(crate) mod descent;

use std::marker::PhantomData;

use crate::detect::algorithm::{Algorithm, Context, Info, Prior};
use crate::detect::built::Built;
use crate::detect::common::cost::{Operations, Sizes};
use crate::detect::common::frames::Frames;
use crate::detect::{ClassicalError, Precision, Threshold};
use crate::link::{Detector, options};
use descent::{Covariance as Engine, Settings};

/// The three detectors differ in default, prior and name.
macro_rules! covariance {
    ($options:ident, $detector:ident, $iterations:literal, $prior:literal, $info:expr, $doc:literal) => {
        options! {
            #[doc = concat!("Options of: ", $doc)]
            pub struct $options {
                /// Sweeps over all columns.
                iterations: usize = $iterations, "1..=1000000" if |v| (1..=1_000_000).contains(v);
                /// Active when `gamma > threshold * beta`.
                threshold: Threshold = Threshold::Value(0.5), "\"best\", or a finite number compared with gamma/beta" if Threshold::is_number;
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
                Ok(match self.precision {
                    Precision::F64 => Box::new(Frames(Engine::<f64> { options, precision: PhantomData })),
                    Precision::F32 => Box::new(Frames(Engine::<f32> { options, precision: PhantomData })),
                })
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
    "maximum a posteriori powers by coordinate descent."
);
