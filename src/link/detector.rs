//! The one interface of classical and learned detectors: a batch of frames in, decisions out.

use std::sync::Arc;

use crate::link::{C64, FrameBatch, Pilots};

/// What a detector decides about a batch of F frames.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decisions {
    /// `[F, N]`: 0 idle, `1..=Q` the decided sequence plus one.
    pub activity: Vec<i64>,
    /// `[F, N*Q]`: soft score of each sequence, larger is more active (log-likelihood ratio where there is one).
    pub score: Vec<f64>,
    /// `[F, N*Q, M]`: estimated rows of X, from detectors that estimate channels.
    pub x: Option<Vec<C64>>,
    /// `[F, N*Q]`: estimated powers, from covariance methods.
    pub gamma: Option<Vec<f64>>,
}

/// What can go wrong in a detector.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// The detector needs the truth, which only simulated frames have.
    #[error("detector {0} needs the truth (arrays activity and channel), which these frames do not have")]
    NeedsTruth(String),
    /// The frames do not fit the detector (shape of the pilots, number of antennas, ...).
    #[error("{0}")]
    Mismatch(String),
    /// The device failed.
    #[error("backend {backend}: {message}")]
    Device {
        /// Which backend.
        backend: String,
        /// Its message.
        message: String,
    },
}

/// Anything that maps a batch of frames to decisions.
pub trait Detector: Send + Sync {
    /// Decides; the decision about a frame does not depend on the other frames of the batch.
    ///
    /// # Errors
    /// [`DetectError`] when the frames do not fit.
    fn detect(&self, frames: &FrameBatch) -> Result<Decisions, DetectError>;

    /// Pilots that belong to the detector (learned jointly with it); `None` means the scenario's.
    fn pilots(&self) -> Option<Arc<Pilots>> {
        None
    }

    /// Activity probabilities that a trained detector has learned, `[N]`; `None` where it learns none.
    fn activity_probs(&self) -> Option<Vec<f64>> {
        None
    }

    /// Iterations until the optimality conditions of the detector's problem are violated by at most `kkt`, in the units of
    /// `A^H Y`, for every frame; `None` where no convex problem is solved by iteration.
    ///
    /// # Errors
    /// [`DetectError`] when the frames do not fit.
    fn iterations_to_optimum(&self, _frames: &FrameBatch, _kkt: f64) -> Result<Option<Vec<usize>>, DetectError> {
        Ok(None)
    }

    /// Evaluations of a prior's score for one estimate, all chains together; `None` where there is no score.
    fn score_calls(&self) -> Option<usize> {
        None
    }

    /// Real parameters that were trained, 0 for classical detectors.
    fn parameters(&self) -> usize {
        0
    }
}
