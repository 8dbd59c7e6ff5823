//! `threshold = "best"`: the threshold that makes the fewest errors on training frames.

use std::sync::Arc;

use crate::config::{DetectorConfig, Threshold};
use crate::detection::Detector;
use crate::metrics::ThresholdSearch;
use crate::scenario::{Pilots, Scenario};

use super::ExperimentError;

/// Decisions that a threshold is chosen from, and the fewest and most frames they are taken from.
const DECISIONS: usize = 200_000;
const FRAMES: std::ops::RangeInclusive<usize> = 256..=8192;
/// Frames per call.
const CHUNK: usize = 64;

/// Chooses the threshold of a detector whose score decides; `pilots` are those it works with (`None`: the scenario's).
///
/// # Errors
/// [`ExperimentError`] when frames cannot be made or the detector fails.
pub(super) fn best_threshold(
    detector: &dyn Detector,
    train: &Scenario,
    pilots: Option<&Arc<Pilots>>,
) -> Result<f64, ExperimentError> {
    let frames = (DECISIONS / train.config().devices).clamp(*FRAMES.start(), *FRAMES.end());
    let mut search = ThresholdSearch::default();
    for first in (0..frames).step_by(CHUNK) {
        let drawn = train.realize(first as u64, CHUNK.min(frames - first));
        let block = (first / CHUNK) as u64;
        let batch = drawn.observe(&pilots.cloned().unwrap_or_else(|| train.pilots(block)))?;
        search.add(&batch, &detector.detect(&batch)?);
    }
    Ok(search.best().unwrap_or(0.0))
}

/// The classical detector `id` with the threshold that makes the fewest errors on frames of `train` (the training stream),
/// and that threshold. `detectors` are those of the point: one of them may own the pilots it works with.
///
/// # Errors
/// [`ExperimentError`] when frames cannot be made or the detector fails.
pub fn with_best_threshold(
    config: &DetectorConfig,
    train: &Scenario,
    detectors: &[(String, Box<dyn Detector>)],
    id: &str,
) -> Result<(f64, Box<dyn Detector>), ExperimentError> {
    let start = crate::classical::build(&DetectorConfig { threshold: None, ..config.clone() })?;
    let owner = config.pilots_of.as_deref().unwrap_or(id);
    let pilots = detectors.iter().find(|(other, _)| other == owner).and_then(|(_, d)| d.pilots());
    let chosen = best_threshold(start.as_ref(), train, pilots.as_ref())?;
    let threshold = Some(Threshold::Value(chosen));
    Ok((chosen, crate::classical::build(&DetectorConfig { threshold, ..config.clone() })?))
}
