//! What validation frames choose for classical detectors: `threshold = "best"` and `tuned`.

use std::collections::BTreeMap;
use std::sync::Arc;

use num_complex::Complex64;

use crate::config::{DetectorConfig, Point, Tuned};
use crate::detect::common::best_threshold::batches;
use crate::detect::{Classical, Context, KindError, Spatial, Threshold, best_threshold};
use crate::link::{ConfigError, Detector, FrameBatch, Pilots, Split};
use crate::metrics::{MetricName, MetricSums, ThresholdSearch, count_frames};
use crate::scenario::Scenario;

use super::ExperimentError;

/// Frames per call.
const CHUNK: usize = 64;

/// Decisions that options are chosen by, and the fewest and most validation frames that they are taken from.
const TUNING_DECISIONS: usize = 102_400;
const TUNING_FRAMES: std::ops::RangeInclusive<usize> = 64..=1024;

/// Frames that a covariance of the antennas is taken from.
const COVARIANCE_FRAMES: usize = 2048;

/// Options that were chosen for a detector, by name.
pub type Choice = BTreeMap<String, serde_json::Value>;

/// A classical detector before [`calibrate`]: the default threshold stands in for `threshold = "best"`.
///
/// # Errors
/// [`ExperimentError`] for an option out of its range, or when training frames cannot be made.
pub fn before_choice(algorithm: &Classical, point: &Point, seed: u64) -> Result<Box<dyn Detector>, ExperimentError> {
    classical(&with_default_threshold(algorithm), point, seed)
}

/// The same algorithm with its default threshold in the place of "best".
fn with_default_threshold(algorithm: &Classical) -> Classical {
    let a = algorithm.algorithm();
    let default = Classical::named(a.info().name).and_then(|d| d.algorithm().threshold());
    match default.filter(|_| a.threshold() == Some(Threshold::BEST)) {
        Some(default) => with_threshold(algorithm, default),
        None => algorithm.clone(),
    }
}

/// The same algorithm with another threshold.
fn with_threshold(algorithm: &Classical, threshold: Threshold) -> Classical {
    let mut changed = algorithm.clone();
    changed.algorithm_mut().set_threshold(threshold);
    changed
}

/// The same algorithm with another value of an option.
fn with_option(algorithm: &Classical, key: &str, value: &toml::Value) -> Result<Classical, ExperimentError> {
    let mut table = options_of(algorithm)?;
    table.insert(key.to_owned(), value.clone());
    let refused = |e: KindError| ConfigError::Invalid(e.to_string());
    Ok(Classical::from_table(algorithm.algorithm().info().name, table).map_err(refused)?)
}

/// The options of an algorithm as a file has them.
fn options_of(algorithm: &Classical) -> Result<toml::Table, ConfigError> {
    let kind = algorithm.algorithm().info().name;
    algorithm.algorithm().table().map_err(|e| ConfigError::Invalid(format!("options of detector {kind}: {e}")))
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

/// Chooses what `point` leaves to validation frames: the threshold of every detector with `threshold = "best"`, and options
/// and threshold of every detector with `tuned`. Returns the choices by id. `detectors` are those of the point, from
/// [`before_choice`]: one of them may own the pilots that another works with.
///
/// # Errors
/// [`ExperimentError`] when frames cannot be made or a detector fails.
pub fn calibrate(
    point: &Point,
    seed: u64,
    detectors: &mut [(String, Box<dyn Detector>)],
) -> Result<BTreeMap<String, Choice>, ExperimentError> {
    let open = |c: &DetectorConfig| c.tuned.is_some() || c.threshold() == Some(Threshold::BEST);
    let asked: Vec<_> =
        point.detectors.iter().filter(|(_, c)| open(c)).filter_map(|(id, c)| Some((id, c, c.classical()?))).collect();
    let mut chosen = BTreeMap::new();
    if asked.is_empty() {
        return Ok(chosen);
    }
    let validation = Scenario::new(&point.scenario, seed, Split::Validation)?;
    for (id, config, algorithm) in asked {
        let position = |id: &str| detectors.iter().position(|(other, _)| other == id);
        let Some(own) = position(id) else { continue };
        let owner = position(config.pilots_of.as_deref().unwrap_or(id));
        let pilots = owner.and_then(|at| detectors[at].1.pilots());
        let mut choice = Choice::new();
        let mut algorithm = with_default_threshold(algorithm);
        let mut threshold_left = true;
        if let Some(tuned) = config.tuned {
            let metric = match tuned {
                Tuned::By(metric) => metric,
                Tuned::Figure => point.metrics.iter().copied().find(|m| m.is_tuned_by()).unwrap_or(MetricName::Ser),
            };
            let frames = Frames::draw(&validation, pilots.as_ref())?;
            let search = Search { point, seed, metric, frames };
            (algorithm, threshold_left) = search.run(algorithm, &mut choice)?;
        }
        detectors[own].1 = classical(&algorithm, point, seed)?;
        if threshold_left && algorithm.algorithm().threshold().is_some() {
            // One number for all devices may be worse than a rule that knows each device's probability.
            let rule = config.tuned.is_some() && algorithm.algorithm().threshold() == Some(Threshold::MAP);
            let search = best_threshold::<ExperimentError>(detectors[own].1.as_ref(), &validation, pilots.as_ref())?;
            if rule && search.own_errors <= search.errors {
                choice.insert("threshold".into(), "map".into());
            } else {
                detectors[own].1 = classical(&with_threshold(&algorithm, Threshold::Value(search.value)), point, seed)?;
                choice.insert("threshold".into(), search.value.into());
            }
        }
        chosen.insert(id.clone(), choice);
    }
    Ok(chosen)
}

/// Validation frames.
struct Frames(Vec<FrameBatch>);

impl Frames {
    fn draw(validation: &Scenario, pilots: Option<&Arc<Pilots>>) -> Result<Self, ExperimentError> {
        let devices = validation.config().devices;
        let frames = (TUNING_DECISIONS / devices).clamp(*TUNING_FRAMES.start(), *TUNING_FRAMES.end());
        Ok(Self(batches(validation, pilots, frames.next_multiple_of(CHUNK)).collect::<Result<_, _>>()?))
    }
}

/// The choice of the options of one detector.
struct Search<'a> {
    point: &'a Point,
    seed: u64,
    metric: MetricName,
    frames: Frames,
}

impl Search<'_> {
    /// One option after the other, each at its best value with those before it. Options that the file sets stay.
    /// Returns whether the threshold is still to be chosen, by the errors that it makes.
    fn run(&self, start: Classical, choice: &mut Choice) -> Result<(Classical, bool), ExperimentError> {
        let mut best = start.clone();
        let Some(first) = self.frames.0.first() else { return Ok((best, true)) };
        let default = Classical::named(start.algorithm().info().name);
        let (own, default) = (options_of(&start)?, default.as_ref().map(options_of).transpose()?.unwrap_or_default());
        for candidates in start.algorithm().candidates(first.model()) {
            if own.get(candidates.key) == default.get(candidates.key) {
                let tried = candidates.values.iter().map(|value| with_option(&best, candidates.key, value));
                let (at, found) = self.best_of(tried)?;
                best = found;
                choice.insert(candidates.key.into(), serde_json::json!(candidates.values[at]));
            }
        }
        let thresholds = start.algorithm().estimate_thresholds();
        if thresholds.is_empty() || !self.is_of_estimate() {
            return Ok((best, true));
        }
        let tried = thresholds.iter().map(|t| Ok(with_threshold(&best, Threshold::Value(*t))));
        let (at, found) = self.best_of(tried)?;
        choice.insert("threshold".into(), thresholds[at].into());
        Ok((found, false))
    }

    /// Whether the metric is about the estimate of X, not about decisions.
    fn is_of_estimate(&self) -> bool {
        matches!(self.metric, MetricName::NmseDb | MetricName::Mse | MetricName::MseEntry)
    }

    /// Place and algorithm of the smallest cost; of equal ones the first.
    fn best_of(
        &self,
        tried: impl Iterator<Item = Result<Classical, ExperimentError>>,
    ) -> Result<(usize, Classical), ExperimentError> {
        let mut best: Option<(f64, usize, Classical)> = None;
        for (at, algorithm) in tried.enumerate() {
            let algorithm = algorithm?;
            let cost = self.cost(&algorithm)?;
            if best.as_ref().is_none_or(|b| cost < b.0) {
                best = Some((cost, at, algorithm));
            }
        }
        let (_, at, algorithm) = best.ok_or_else(|| ConfigError::Invalid("tuned: no value to try".into()))?;
        Ok((at, algorithm))
    }

    /// The metric on the validation frames; decisions count at the threshold that makes the fewest errors there.
    fn cost(&self, algorithm: &Classical) -> Result<f64, ExperimentError> {
        let detector = classical(algorithm, self.point, self.seed)?;
        let (mut sums, mut search, mut own) = (MetricSums::default(), ThresholdSearch::default(), 0.0);
        let by_threshold = !self.is_of_estimate() && algorithm.algorithm().threshold().is_some();
        for batch in &self.frames.0 {
            let decisions = detector.detect(batch)?;
            if by_threshold {
                search.add(batch, &decisions);
            }
            for counts in count_frames(batch, &decisions) {
                own += f64::from(counts.errors());
                if let Some((a, b)) = counts.ratio(self.metric).or_else(|| counts.ratio(MetricName::Ser)) {
                    sums.add_frame(a, b);
                }
            }
        }
        let rule = algorithm.algorithm().threshold() == Some(Threshold::MAP);
        let cost = match search.best_with_errors() {
            Some((_, errors)) if rule => own.min(errors as f64),
            Some((_, errors)) => errors as f64,
            None => sums.sums[0] / sums.sums[1],
        };
        // A diverged estimate is worse than any other.
        Ok(if cost.is_finite() { cost } else { f64::INFINITY })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Experiment;

    fn point(detectors: &str) -> Point {
        let scenario = "name = \"t\"\n[scenario]\nkind = \"unit-gain\"\ndevices = 30\nantennas = 2\npilot_length = 10\nbits = 0\n\
                        activity_prob = 0.15\nactivity_ratio = 8.0\n[[figures]]\nid = \"f\"\nmetrics = [\"time_ratio\", \"mse\", \"ser\"]\n";
        let all = Experiment::parse(&format!("{scenario}{detectors}"), "t", &[]).unwrap();
        all.points().unwrap().remove(0)
    }

    type Named = Vec<(String, Box<dyn Detector>)>;

    fn run(point: &Point) -> (BTreeMap<String, Choice>, Named) {
        let of = |c: &DetectorConfig| before_choice(c.classical().unwrap(), point, 1).unwrap();
        let mut detectors: Vec<_> = point.detectors.iter().map(|(id, c)| (id.clone(), of(c))).collect();
        (calibrate(point, 1, &mut detectors).unwrap(), detectors)
    }

    fn validation(point: &Point) -> Frames {
        Frames::draw(&Scenario::new(&point.scenario, 1, Split::Validation).unwrap(), None).unwrap()
    }

    #[test]
    fn the_weight_with_the_smallest_error_is_chosen() {
        let point = point("[detectors.a]\nkind = \"group-lasso\"\niterations = 30\ntuned = true\n");
        let (chosen, _) = run(&point);
        // The first metric of the figure that options can be chosen by is the MSE.
        let search = Search { point: &point, seed: 1, metric: MetricName::Mse, frames: validation(&point) };
        let start = point.detectors["a"].classical().unwrap();
        let candidates = start.algorithm().candidates(search.frames.0[0].model());
        let cost = |v: &toml::Value| search.cost(&with_option(start, "lambda", v).unwrap()).unwrap();
        let best = candidates[0].values.iter().min_by(|a, b| cost(a).total_cmp(&cost(b))).unwrap();
        assert_eq!(chosen["a"]["lambda"].as_f64(), best.as_float());
        assert!(chosen["a"].contains_key("threshold"));
        // It matters: the worst value costs a multiple.
        let worst = candidates[0].values.iter().map(cost).fold(0.0, f64::max);
        assert!(worst > 1.2 * cost(best), "{worst} {}", cost(best));
    }

    #[test]
    fn a_rule_that_knows_every_device_is_kept_where_no_number_is_better() {
        let point = point(
            "[detectors.rule]\nkind = \"covariance-section\"\n[detectors.tuned]\nkind = \"covariance-section\"\ntuned = \"ser\"\n\
             [detectors.number]\nkind = \"covariance-section\"\nthreshold = \"best\"\n",
        );
        let (chosen, detectors) = run(&point);
        let errors = |at: usize| -> u32 {
            let all = validation(&point).0;
            all.iter().flat_map(|b| count_frames(b, &detectors[at].1.detect(b).unwrap())).map(|c| c.errors()).sum()
        };
        // Tuning is never worse on its own frames than what it could have left alone.
        assert!(errors(1) <= errors(0), "{} {}", errors(1), errors(0));
        assert!(!chosen.contains_key("rule") && chosen["tuned"].contains_key("tempering"));
        assert!(chosen["number"]["threshold"].is_number());
    }

    #[test]
    fn thresholds_that_shape_the_estimate_follow_the_metric() {
        let point = point(
            "[detectors.mse]\nkind = \"ml-mmse\"\ntuned = \"mse\"\n[detectors.ser]\nkind = \"ml-mmse\"\ntuned = \"ser\"\n\
             [detectors.default]\nkind = \"ml-mmse\"\n",
        );
        let (chosen, detectors) = run(&point);
        assert!(chosen.values().all(|c| c["threshold"].is_number()));
        // Squared error and symbol errors of a detector on the frames that chose.
        let cost = |at: usize| {
            let all = validation(&point).0;
            let counts: Vec<_> =
                all.iter().flat_map(|b| count_frames(b, &detectors[at].1.detect(b).unwrap())).collect();
            let squared: f64 = counts.iter().filter_map(|c| c.squared_error).map(|e| e.0).sum();
            (squared, counts.iter().map(|c| c.errors()).sum::<u32>())
        };
        let (by_mse, by_ser) = (cost(0), cost(1));
        // The errors are minimised over all numbers, the squared error over a grid.
        assert!(by_mse.0 <= 1.02 * by_ser.0 && by_ser.1 <= by_mse.1, "{by_mse:?} {by_ser:?}");
        // Both matter: the default costs more than either.
        let default = cost(2);
        assert!(default.0 > 1.05 * by_mse.0 && default.1 > by_ser.1, "{default:?}");
    }

    #[test]
    fn metrics_that_options_cannot_be_chosen_by_are_refused() {
        let file = |metric: &str| format!("name = \"t\"\n[detectors.a]\nkind = \"amp\"\ntuned = \"{metric}\"\n");
        assert!(Experiment::parse(&file("nmse_db"), "t", &[]).is_ok());
        for metric in ["frame_error", "ber", "time_ratio", "x"] {
            let error = Experiment::parse(&file(metric), "t", &[]).unwrap_err().to_string();
            assert!(error.contains("mse_entry"), "{error}");
        }
        let network = "name = \"t\"\n[detectors.a]\nkind = \"mampnet\"\ntuned = true\n";
        assert!(Experiment::parse(network, "t", &[]).unwrap_err().to_string().contains("detectors.a.tuned"));
    }
}
