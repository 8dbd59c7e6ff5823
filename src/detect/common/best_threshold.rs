//! The threshold that makes the fewest errors on frames whose truth is known.

use std::sync::Arc;

use crate::link::{DetectError, Detector, Pilots};
use crate::metrics::ThresholdSearch;
use crate::scenario::{Scenario, ScenarioError};

/// Decisions that a threshold is chosen from, and the fewest and most frames they are taken from.
const DECISIONS: usize = 200_000;
const FRAMES: std::ops::RangeInclusive<usize> = 64..=8192;
/// Frames per call.
const CHUNK: usize = 64;

/// The threshold on the scores of a detector that makes the fewest errors on frames of a scenario (validation frames, if choices are to
/// be fair); `pilots` are those it works with (`None`: the scenario's).
///
/// # Errors
/// When frames cannot be made or the detector fails.
pub fn best_threshold<E: From<ScenarioError> + From<DetectError>>(
    detector: &dyn Detector,
    scenario: &Scenario,
    pilots: Option<&Arc<Pilots>>,
) -> Result<f64, E> {
    let frames = (DECISIONS / scenario.config().devices).clamp(*FRAMES.start(), *FRAMES.end());
    let mut search = ThresholdSearch::default();
    for first in (0..frames).step_by(CHUNK) {
        let drawn = scenario.realize(first as u64, CHUNK.min(frames - first));
        let block = (first / CHUNK) as u64;
        let batch = drawn.observe(&pilots.cloned().unwrap_or_else(|| scenario.pilots(block)))?;
        search.add(&batch, &detector.detect(&batch)?);
    }
    Ok(search.best().unwrap_or(0.0))
}
