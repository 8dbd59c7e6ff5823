//! The Welch bound (welch-bound): the smallest coherence that pilots can have.
//!
//! For K = N*Q columns of norm one and length L, `max_(i != j) |s_i^H s_j| >= sqrt((K - L)/(L (K - 1)))`, 0 where K <= L. A
//! prediction of the metric `coherence` from the sizes alone, without frames, noise or activity.
//!
//! # Source
//!
//! Welch (1974), see [references](crate::docs::references).
//!
//! # Example
//!
//! Random pilots stay above the bound.
//!
//! ```
//! use grantfree::detect::{Algorithm, WelchBoundOptions};
//! use grantfree::prelude::*;
//!
//! let config = ScenarioConfig::default();
//! let bound = WelchBoundOptions::default().predict(&config, 1)?.unwrap()[0].1;
//! assert!((bound - (160.0_f64 / (40.0 * 199.0)).sqrt()).abs() < 1e-12);
//! assert!(Scenario::new(&config, 1, Split::Test)?.pilots(0).coherence() > bound);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::ClassicalError;
use super::algorithm::{Algorithm, Context, Info, Prediction};
use crate::link::{Detector, options};
use crate::metrics::{MetricName, welch_bound};
use crate::scenario::ScenarioConfig;

options! {
    /// The Welch bound has no options.
    pub struct WelchBoundOptions {
    }
}

impl Algorithm for WelchBoundOptions {
    const INFO: Info = Info::receiver("welch-bound", "smallest coherence that pilots can have").prediction();

    fn detector(&self, _: &Context) -> Result<Box<dyn Detector>, ClassicalError> {
        let hint = "the Welch bound needs no frames; it belongs into experiment files";
        Err(ClassicalError::NotAFrameDetector { kind: Self::INFO.name, hint })
    }

    fn predict(&self, s: &ScenarioConfig, _: u64) -> Result<Option<Prediction>, ClassicalError> {
        Ok(Some(vec![(MetricName::Coherence, welch_bound(s.pilot_length, s.devices * s.sequences()))]))
    }
}
