//! `threshold = "best"`: the threshold that makes the fewest errors on training frames.

use std::sync::Arc;

use num_complex::Complex64;

use crate::config::{DetectorConfig, Point};
use crate::detect::{Classical, Context, Spatial, Threshold, best_threshold};
use crate::link::Detector;
use crate::link::Split;
use crate::scenario::Scenario;

use super::ExperimentError;

/// Frames per call.
const CHUNK: usize = 64;

/// Frames that a covariance of the antennas is taken from.
const COVARIANCE_FRAMES: usize = 2048;

/// A classical detector before [`choose_thresholds`]: the default threshold stands in for `threshold = "best"`.
///
/// # Errors
/// [`ExperimentError`] for an option out of its range, or when training frames cannot be made.
pub fn before_choice(algorithm: &Classical, point: &Point, seed: u64) -> Result<Box<dyn Detector>, ExperimentError> {
    let a = algorithm.algorithm();
    let default = Classical::named(a.info().name).and_then(|d| d.algorithm().threshold());
    match default.filter(|_| a.threshold() == Some(Threshold::BEST)) {
        Some(default) => classical(&with_threshold(algorithm, default), point, seed),
        None => classical(algorithm, point, seed),
    }
}

/// The same algorithm with another threshold.
fn with_threshold(algorithm: &Classical, threshold: Threshold) -> Classical {
    let mut changed = algorithm.clone();
    changed.algorithm_mut().set_threshold(threshold);
    changed
}

/// A classical detector, with the covariance of the antennas where it asks for one.
fn classical(algorithm: &Classical, point: &Point, seed: u64) -> Result<Box<dyn Detector>, ExperimentError> {
    let mut context = Context::default();
    if algorithm.algorithm().wants_spatial() {
        let train = Scenario::new(&point.scenario, seed, Split::Train)?;
        context.spatial = Some(Arc::new(pooled_covariance(&train)));
    }
    Ok(algorithm.algorithm().build(&context)?)
}

/// Mean of `h h^H/beta` over the active devices of training frames, `[M, M]`.
fn pooled_covariance(train: &Scenario) -> Spatial {
    let m = train.config().antennas;
    let mut sum = vec![Complex64::default(); m * m];
    let mut count = 0_u64;
    for first in (0..COVARIANCE_FRAMES).step_by(CHUNK) {
        let drawn = train.realize(first as u64, CHUNK.min(COVARIANCE_FRAMES - first));
        let n = drawn.devices();
        for (i, h) in drawn.channel().chunks_exact(m).enumerate() {
            let beta = drawn.beta().frame(i / n)[i % n];
            if drawn.activity()[i] == 0 || beta <= 0.0 {
                continue;
            }
            for (a, row) in h.iter().zip(sum.chunks_exact_mut(m)) {
                row.iter_mut().zip(h).for_each(|(sum, b)| *sum += a * b.conj() / beta);
            }
            count += 1;
        }
    }
    sum.iter_mut().for_each(|v| *v /= count.max(1) as f64);
    Spatial::new(m, &sum)
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
    let best = |c: &DetectorConfig| c.threshold() == Some(Threshold::BEST);
    let asked: Vec<_> =
        point.detectors.iter().filter(|(_, c)| best(c)).filter_map(|(id, c)| Some((id, c, c.classical()?))).collect();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let train = Scenario::new(&point.scenario, seed, Split::Train)?;
    let mut chosen = Vec::new();
    for (id, config, algorithm) in asked {
        let position = |id: &str| detectors.iter().position(|(other, _)| other == id);
        let Some(own) = position(id) else { continue };
        let owner = position(config.pilots_of.as_deref().unwrap_or(id));
        let pilots = owner.and_then(|at| detectors[at].1.pilots());
        let value = best_threshold::<ExperimentError>(detectors[own].1.as_ref(), &train, pilots.as_ref())?;
        detectors[own].1 = classical(&with_threshold(algorithm, Threshold::Value(value)), point, seed)?;
        chosen.push((id.clone(), value));
    }
    Ok(chosen)
}
