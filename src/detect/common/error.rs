//! Errors of classical detectors and predictions.

use crate::link::ConfigError;
use crate::scenario::ScenarioError;

/// What can go wrong while a reference detector is built or its performance is predicted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClassicalError {
    /// The kind is not a classical detector that maps frames to decisions.
    #[error("detector {kind} does not map frames to decisions here: {hint}")]
    NotAFrameDetector {
        /// The kind as files spell it.
        kind: &'static str,
        /// What to use instead.
        hint: &'static str,
    },
    /// "best" where there are no validation frames.
    #[error(
        "detector {kind}: threshold = \"best\" is chosen on validation frames, which only an experiment file has; give a number \
         (`grantfree run` with threshold = \"best\" finds one)"
    )]
    BestThreshold {
        /// The kind as files spell it.
        kind: &'static str,
    },
    /// "pooled" where there are no training frames.
    #[error(
        "detector {kind}: covariance = \"pooled\" is taken from training frames, which only an experiment file has; leave it out \
         for independent antennas"
    )]
    PooledCovariance {
        /// The kind as files spell it.
        kind: &'static str,
    },
    /// An option out of its range or not used by the detector.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The scenario of a prediction cannot be drawn.
    #[error("state evolution")]
    Scenario(#[from] ScenarioError),
}
