//! The threshold that makes the fewest errors on frames whose truth is known.

use std::sync::Arc;

use crate::link::{DetectError, Detector, FrameBatch, Pilots};
use crate::metrics::{ThresholdSearch, count_frames};
use crate::scenario::{Scenario, ScenarioError};

/// Decisions that a threshold is chosen from, and the fewest and most frames they are taken from.
const DECISIONS: usize = 200_000;
const FRAMES: std::ops::RangeInclusive<usize> = 64..=8192;
/// Frames per call.
const CHUNK: usize = 64;

/// The first `frames` frames of a scenario in batches, through `pilots` (`None`: the scenario's).
pub(crate) fn batches(
    scenario: &Scenario,
    pilots: Option<&Arc<Pilots>>,
    frames: usize,
) -> impl Iterator<Item = Result<FrameBatch, ScenarioError>> {
    (0..frames).step_by(CHUNK).map(move |first| {
        let drawn = scenario.realize(first as u64, CHUNK.min(frames - first));
        let block = (first / CHUNK) as u64;
        drawn.observe(&pilots.cloned().unwrap_or_else(|| scenario.pilots(block)))
    })
}

/// The threshold with the fewest errors, and what it saves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BestThreshold {
    /// The threshold.
    pub value: f64,
    /// Errors at this threshold.
    pub errors: i64,
    /// Errors of the detector's own decisions on the same frames.
    pub own_errors: i64,
}

/// The threshold on the scores of a detector that makes the fewest errors on frames of a scenario (validation frames, if choices are to
/// be fair); `pilots` are those it works with (`None`: the scenario's).
///
/// # Errors
/// When frames cannot be made or the detector fails.
pub fn best_threshold<E: From<ScenarioError> + From<DetectError>>(
    detector: &dyn Detector,
    scenario: &Scenario,
    pilots: Option<&Arc<Pilots>>,
) -> Result<BestThreshold, E> {
    let frames = (DECISIONS / scenario.config().devices).clamp(*FRAMES.start(), *FRAMES.end());
    let (mut search, mut own_errors) = (ThresholdSearch::default(), 0);
    for batch in batches(scenario, pilots, frames) {
        let batch = batch?;
        let decisions = detector.detect(&batch)?;
        own_errors += count_frames(&batch, &decisions).iter().map(|c| i64::from(c.errors())).sum::<i64>();
        search.add(&batch, &decisions);
    }
    let (value, errors) = search.best_with_errors().unwrap_or((0.0, own_errors));
    Ok(BestThreshold { value, errors, own_errors })
}
