//! `threshold = "best"`: the threshold that makes the fewest errors on training frames.

use std::sync::Arc;

use crate::classical::ClassicalError;
use crate::config::{DetectorConfig, Point, Threshold};
use crate::detection::Detector;
use crate::metrics::ThresholdSearch;
use crate::scenario::{Pilots, Scenario, Split};

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

/// A classical detector as it stands before [`choose_thresholds`]: where its threshold has to be found first, at its
/// default.
///
/// # Errors
/// [`ClassicalError`] for an option out of its range.
pub fn before_choice(config: &DetectorConfig) -> Result<Box<dyn Detector>, ClassicalError> {
    if config.threshold == Some(Threshold::BEST) {
        return crate::classical::build(&DetectorConfig { threshold: None, ..config.clone() });
    }
    crate::classical::build(config)
}

/// Gives every detector of `point` with `threshold = "best"` the threshold that makes the fewest errors on frames of the
/// training stream, and returns those thresholds by id. `detectors` are those of the point, from [`before_choice`]: one of
/// them may own the pilots that another works with.
///
/// # Errors
/// [`ExperimentError`] when frames cannot be made or a detector fails.
pub fn choose_thresholds(
    point: &Point,
    seed: u64,
    detectors: &mut [(String, Box<dyn Detector>)],
) -> Result<Vec<(String, f64)>, ExperimentError> {
    let asked: Vec<_> = point.detectors.iter().filter(|(_, c)| c.threshold == Some(Threshold::BEST)).collect();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let train = Scenario::new(&point.scenario, seed, Split::Train)?;
    let mut chosen = Vec::new();
    for (id, config) in asked {
        let position = |id: &str| detectors.iter().position(|(other, _)| other == id);
        let Some(own) = position(id) else { continue };
        let owner = position(config.pilots_of.as_deref().unwrap_or(id));
        let pilots = owner.and_then(|at| detectors[at].1.pilots());
        let value = best_threshold(detectors[own].1.as_ref(), &train, pilots.as_ref())?;
        let threshold = Some(Threshold::Value(value));
        detectors[own].1 = crate::classical::build(&DetectorConfig { threshold, ..config.clone() })?;
        chosen.push((id.clone(), value));
    }
    Ok(chosen)
}
