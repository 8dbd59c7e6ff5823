//! The Welch bound: the smallest coherence that pilots can have (welch-bound).
//!
//! For N*Q unit-norm columns of length L, `max_{i != j} |s_i^H s_j| >= sqrt((N Q - L)/(L (N Q - 1)))`
//! (L. R. Welch, "Lower bounds on the maximum cross correlation of signals", IEEE Trans. Inf. Theory 20(3), 1974).

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
