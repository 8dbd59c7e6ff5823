//! The one interface of classical and learned detectors: a batch of frames in, decisions out.

use std::ops::Range;
use std::sync::Arc;

use super::array::check_length;
use super::frames::rows;
use crate::link::{ArrayError, C64, FrameBatch, Pilots};

/// What a detector decides about a batch of F frames; on a spreading link read symbols for sequences, C for Q.
///
/// A detector of your own fills it through [`Decisions::new`]; [`Decisions::check`] tells whether it fits the frames.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Decisions {
    /// `[F, N]`: 0 idle, `1..=Q` the decided sequence plus one.
    pub activity: Vec<i64>,
    /// `[F, N*Q]`: soft score of each sequence, larger is more active (log-likelihood ratio where there is one).
    pub score: Vec<f64>,
    /// `[F, N*Q, M]`: estimated rows of X, from detectors that estimate channels.
    pub x: Option<Vec<C64>>,
    /// `[F, N*Q]`: estimated powers, from covariance methods.
    pub gamma: Option<Vec<f64>>,
    /// `[F]`: whether the detector reached what it looks for, from detectors that can tell.
    pub converged: Option<Vec<bool>>,
    /// `[F]`: how far it is from there, in units of its own (see its page), smaller is nearer.
    pub residual: Option<Vec<f64>>,
}

impl Decisions {
    /// Decided activity `[F, N]` and soft scores `[F, N*Q]`.
    pub fn new(activity: Vec<i64>, score: Vec<f64>) -> Self {
        Self { activity, score, ..Self::default() }
    }

    /// The same with estimated rows of X, `[F, N*Q, M]`.
    pub fn with_x(self, x: Vec<C64>) -> Self {
        Self { x: Some(x), ..self }
    }

    /// The same with estimated powers, `[F, N*Q]`.
    pub fn with_gamma(self, gamma: Vec<f64>) -> Self {
        Self { gamma: Some(gamma), ..self }
    }

    /// The same with what is known of the convergence of each frame, `[F]` both.
    pub fn with_ending(self, converged: Vec<bool>, residual: Vec<f64>) -> Self {
        Self { converged: Some(converged), residual: Some(residual), ..self }
    }

    /// Whether these can be decisions about the frames of a batch.
    ///
    /// # Errors
    /// [`ArrayError`] when an array has another length than the frames need, or an activity is out of range.
    pub fn check(&self, batch: &FrameBatch) -> Result<(), ArrayError> {
        let (f, n, q, m) = (batch.frames(), batch.model().devices(), batch.alternatives(), batch.model().antennas());
        check_length("activity", self.activity.len(), "[F, N]", &[f, n])?;
        if let Some(bad) = self.activity.iter().find(|a| !(0..=q as i64).contains(*a)) {
            let problem = format!("{bad} is out of range: 0 (idle) to {q} (sequence or symbol + 1)");
            return Err(ArrayError::range("activity", problem));
        }
        if let Some(x) = &self.x {
            check_length("x", x.len(), "[F, N*Q, M]", &[f, n * q, m])?;
        }
        if let Some(gamma) = &self.gamma {
            check_length("gamma", gamma.len(), "[F, N*Q]", &[f, n * q])?;
        }
        if let Some(converged) = &self.converged {
            check_length("converged", converged.len(), "[F]", &[f])?;
        }
        if let Some(residual) = &self.residual {
            check_length("residual", residual.len(), "[F]", &[f])?;
        }
        check_length("score", self.score.len(), "[F, N*Q]", &[f, n * q])
    }

    /// The decisions about some of the `count` frames.
    ///
    /// # Panics
    /// When the range ends after the last frame.
    pub fn part(&self, count: usize, frames: Range<usize>) -> Self {
        Self {
            activity: rows(&self.activity, count, &frames),
            score: rows(&self.score, count, &frames),
            x: self.x.as_ref().map(|x| rows(x, count, &frames)),
            gamma: self.gamma.as_ref().map(|g| rows(g, count, &frames)),
            converged: self.converged.as_ref().map(|c| rows(c, count, &frames)),
            residual: self.residual.as_ref().map(|r| rows(r, count, &frames)),
        }
    }
}

/// What can go wrong in a detector.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
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

/// Numbers that belong to a detector and not to its frames.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Facts {
    /// Activity probabilities that a trained detector has learned, `[N]`; `None` where it learns none.
    pub activity_probs: Option<Vec<f64>>,
    /// Evaluations of a prior's score for one estimate, all chains together; `None` where there is no score.
    pub score_calls: Option<usize>,
}

/// A detector that solves a convex problem by iteration.
pub trait IterativeSolver {
    /// Iterations until the optimality conditions of the problem are violated by at most `kkt`, in the units of `A^H Y`,
    /// for every frame, `[F]`.
    ///
    /// # Errors
    /// [`DetectError`] when the frames do not fit.
    fn iterations_to_optimum(&self, frames: &FrameBatch, kkt: f64) -> Result<Vec<usize>, DetectError>;
}

/// Anything that maps a batch of frames to decisions.
///
/// # Example
///
/// A detector that takes each device for itself: it compares the power of the correlation with each pilot with what an
/// active device alone would give. With one active device it makes no error.
///
/// ```
/// use grantfree::prelude::*;
///
/// struct Correlator;
///
/// impl Detector for Correlator {
///     fn detect(&self, frames: &FrameBatch) -> Result<Decisions, DetectError> {
///         let model = frames.model();
///         let (n, q, m) = (model.devices(), model.sequences(), model.antennas());
///         let (mut activity, mut score) = (Vec::new(), Vec::new());
///         for f in 0..frames.frames() {
///             let (y, beta) = (frames.frame(f), frames.beta_of(f));
///             for device in 0..n {
///                 let of = |k: usize| {
///                     let s = model.pilots().column(device * q + k);
///                     let energy: f64 = s.iter().map(|s| s.norm_sqr()).sum();
///                     let heard = |antenna: usize| -> C64 {
///                         s.iter().zip(y.iter().skip(antenna).step_by(m)).map(|(s, y)| s.conj() * y).sum()
///                     };
///                     let power: f64 = (0..m).map(|antenna| heard(antenna).norm_sqr()).sum();
///                     power / (m as f64 * energy * energy * beta[device])
///                 };
///                 let scores: Vec<f64> = (0..q).map(of).collect();
///                 let best = (0..q).fold(0, |b, k| if scores[k] > scores[b] { k } else { b });
///                 activity.push(if scores[best] > 0.5 { best as i64 + 1 } else { 0 });
///                 score.extend(scores);
///             }
///         }
///         Ok(Decisions::new(activity, score))
///     }
/// }
///
/// let config = ScenarioConfig {
///     kind: grantfree::scenario::ScenarioKind::UnitGain,
///     devices: 20,
///     antennas: 64,
///     active_devices: Some(1),
///     ..Default::default()
/// };
/// let scenario = Scenario::new(&config, 1, Split::Test)?;
/// let frames = scenario.realize(0, 8).observe(&scenario.pilots(0))?;
/// let decisions = Correlator.detect(&frames)?;
/// decisions.check(&frames)?;
/// assert_eq!(decisions.activity, frames.truth().unwrap().activity());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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

    /// What is known of it beside its decisions.
    fn facts(&self) -> Facts {
        Facts::default()
    }

    /// Itself as the solver of a convex problem, if it is one.
    fn solver(&self) -> Option<&dyn IterativeSolver> {
        None
    }

    /// Real parameters that were trained, 0 for classical detectors.
    fn parameters(&self) -> usize {
        0
    }
}
