//! Errors of the classical room.

use crate::link::ConfigError;
use crate::scenario::ScenarioError;

/// What can go wrong while a reference detector is built or its performance is predicted.
#[derive(Debug, thiserror::Error)]
pub enum ClassicalError {
    /// The kind is not a classical detector that maps frames to decisions.
    #[error("detector {kind} does not map frames to decisions here: {hint}")]
    NotAFrameDetector {
        /// The kind as files spell it.
        kind: String,
        /// What to use instead.
        hint: &'static str,
    },
    /// A named threshold given to a detector whose score is no log-likelihood ratio.
    #[error(
        "detector {kind}: threshold must be a number compared with {score}; \"equal-prior\" and \
         \"map\" belong to detectors with a log-likelihood ratio (amp, amp-section, covariance-section)"
    )]
    NamedThreshold {
        /// The kind as files spell it.
        kind: String,
        /// The score, and the usual number.
        score: &'static str,
    },
    /// "best" where there are no training frames.
    #[error(
        "detector {kind}: threshold = \"best\" is chosen on training frames, which only an experiment file has; give a number \
         (`grantfree run` with threshold = \"best\" finds one)"
    )]
    BestThreshold {
        /// The kind as files spell it.
        kind: String,
    },
    /// "pooled" where there are no training frames.
    #[error(
        "detector {kind}: covariance = \"pooled\" is taken from training frames, which only an experiment file has; leave it out \
         for independent antennas"
    )]
    PooledCovariance {
        /// The kind as files spell it.
        kind: String,
    },
    /// An option out of its range or not used by the detector.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The scenario of a prediction cannot be drawn.
    #[error("state evolution")]
    Scenario(#[from] ScenarioError),
    /// A count of a prediction that must not be zero.
    #[error("state evolution: {what} = 0 is out of range: >= 1 (default: {default})")]
    Zero {
        /// Which count.
        what: &'static str,
        /// The usual value.
        default: usize,
    },
}
