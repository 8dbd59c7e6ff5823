//! Grid search: every combination of some options of one detector, on the same validation frames.
//!
//! The combinations run as detectors of one point, so that all of them see the same frames; then the values of the first
//! option become the x axis and the other options the curves.

use indexmap::IndexMap;

use super::{ExperimentError, Mode, Outcome, Settings, execute, write_report};
use crate::config::{
    Assignment, DetectorConfig, EngineConfig, Experiment, Figure, FigureStyle, FrameSplit, Spec, Sweep, apply,
};
use crate::link::ConfigError;
use crate::metrics::MetricName;
use crate::results::{PointResult, write_results};

/// Combinations at most.
const MOST: usize = 1024;

/// Values of one option.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// Dotted key below the detector, for example `langevin.alpha_0`.
    pub key: String,
    /// Its values.
    pub values: Vec<toml::Value>,
}

/// What to search.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// Id of the detector in the file.
    pub detector: String,
    /// Options with their values; the first is the x axis.
    pub grids: Vec<Grid>,
    /// The smallest value of this metric is the best.
    pub metric: MetricName,
    /// Validation frames.
    pub frames: u64,
}

/// One combination and what it reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// `key = value` of every option, in the order of the search.
    pub options: Vec<(String, toml::Value)>,
    /// The metric; `None` where it has no value.
    pub value: Option<f64>,
    /// Confidence interval.
    pub interval: Option<(f64, f64)>,
    /// Seconds inside the detector.
    pub seconds: Option<f64>,
}

/// A finished search.
#[derive(Debug)]
pub struct Tuned {
    /// The best first.
    pub tried: Vec<Tried>,
    /// Results and report.
    pub outcome: Outcome,
}

impl Search {
    fn check(&self) -> Result<(), ConfigError> {
        let invalid = |text: String| Err(ConfigError::Invalid(text));
        if self.grids.is_empty() {
            return invalid(
                "nothing to search: give at least one --grid, e.g. --grid 'langevin.alpha_0=[0.1, 0.3]'".into(),
            );
        }
        if let Some(empty) = self.grids.iter().find(|g| g.values.is_empty()) {
            return invalid(format!("--grid {}: no values", empty.key));
        }
        let count = self.grids.iter().map(|g| g.values.len()).try_fold(1_usize, usize::checked_mul);
        match count {
            Some(count) if count <= MOST => Ok(()),
            _ => invalid(format!("the grid has more than {MOST} combinations; use fewer values")),
        }
    }

    /// Every combination; the first option changes slowest.
    fn combinations(&self) -> Vec<Vec<(String, toml::Value)>> {
        self.grids.iter().fold(vec![Vec::new()], |all, grid| {
            let extend = |c: &Vec<(String, toml::Value)>| {
                let c = c.clone();
                grid.values.iter().map(move |v| [c.clone(), vec![(grid.key.clone(), v.clone())]].concat())
            };
            all.iter().flat_map(extend).collect()
        })
    }
}

fn with_options(
    base: &DetectorConfig,
    options: &[(String, toml::Value)],
    prefix: &str,
) -> Result<DetectorConfig, ConfigError> {
    let invalid = |e: String| ConfigError::Invalid(format!("{prefix}: {}", e.trim_end()));
    let mut table = toml::Table::try_from(base).map_err(|e| invalid(e.to_string()))?;
    for (key, value) in options {
        apply(&mut table, &Assignment { key: key.clone(), value: value.clone() })?;
    }
    let mut config: DetectorConfig =
        toml::Value::Table(table).try_into().map_err(|e: toml::de::Error| invalid(e.to_string()))?;
    config.validate(prefix)?;
    config.label = Some(named(options));
    Ok(config)
}

fn shown(value: &toml::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// "alpha_0 = 0.3, beta = 1": only the last part of each key.
fn named(options: &[(String, toml::Value)]) -> String {
    let one =
        |(key, value): &(String, toml::Value)| format!("{} = {}", key.rsplit('.').next().unwrap_or(key), shown(value));
    options.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn id(number: usize) -> String {
    format!("c{number:04}")
}

/// Tries every combination and writes results and report into `settings.out`; the scenario is that of the file without
/// its figures.
///
/// # Errors
/// [`ExperimentError`] for an unknown detector, option or metric, and whatever a run can meet.
pub fn tune(experiment: &Experiment, search: &Search, settings: &Settings) -> Result<Tuned, ExperimentError> {
    search.check()?;
    let Some(base) = experiment.detectors.get(&search.detector) else {
        let known: Vec<&str> = experiment.detectors.keys().map(String::as_str).collect();
        let text = format!("--detector {}: the file has {}", search.detector, known.join(", "));
        return Err(ConfigError::Invalid(text).into());
    };
    let combinations = search.combinations();
    let prefix = format!("detectors.{}", search.detector);
    let mut detectors = IndexMap::new();
    for (number, options) in combinations.iter().enumerate() {
        let mut config = with_options(base, options, &prefix)?;
        // Options that do not change the network share it.
        if let (Spec::Learned(network), 1..) = (&mut config.spec, number) {
            let keys = search.grids.iter().map(|g| g.key.split('.').next().unwrap_or(&g.key));
            network.options_mut().borrow_network(&id(0), &keys.collect::<Vec<_>>());
        }
        detectors.insert(id(number), config);
    }
    let figure = Figure {
        id: "tune".into(),
        title: Some(format!("Grid search of {} on validation frames", search.detector)),
        set: toml::Table::new(),
        sweep: None,
        metrics: vec![search.metric],
        detectors: None,
        style: FigureStyle::Curve,
    };
    let run = Experiment {
        title: format!("{}: grid search of {}", experiment.display_title(), search.detector),
        engine: EngineConfig {
            min_frames: search.frames,
            max_frames: search.frames,
            split: FrameSplit::Validation,
            ..experiment.engine.clone()
        },
        sweep: None,
        figures: vec![figure],
        detectors,
        ..experiment.clone()
    };
    run.check()?;
    let mut outcome = execute(&run, &Settings { mode: Mode::Run, ..settings.clone() })?;
    let mut tried = Vec::new();
    if let Some(point) = outcome.results.points.first() {
        for (options, d) in combinations.iter().zip(&point.detectors) {
            let metric = d.metrics.iter().find(|m| m.metric == search.metric);
            tried.push(Tried {
                options: options.clone(),
                value: metric.and_then(|m| m.value).filter(|v| v.is_finite()),
                interval: metric.and_then(|m| m.ci_low.zip(m.ci_high)),
                seconds: d.seconds,
            });
        }
        // Nothing measured is worse than anything measured.
        let rank = |t: &Tried| t.value.unwrap_or(f64::INFINITY);
        tried.sort_by(|a, b| rank(a).total_cmp(&rank(b)));
        arrange(&mut outcome, search);
        write_results(&settings.out, &outcome.results)?;
        outcome.report = write_report(&settings.out, &outcome.results)?;
    }
    Ok(Tuned { tried, outcome })
}

/// From one point with every combination to one point per value of the first option.
fn arrange(outcome: &mut Outcome, search: &Search) {
    let results = &mut outcome.results;
    let Some(point) = results.points.first().cloned() else { return };
    let (first, rest) = (&search.grids[0], &search.grids[1..]);
    let curves = rest.iter().map(|g| g.values.len()).product::<usize>();
    let label = |config: &DetectorConfig| {
        let label = config.label.clone().unwrap_or_default();
        label.split_once(", ").map_or_else(|| search.detector.clone(), |(_, rest)| rest.to_owned())
    };
    results.points = first
        .values
        .iter()
        .zip(point.detectors.chunks(curves))
        .enumerate()
        .map(|(index, (value, part))| PointResult {
            id: format!("tune/{index}"),
            index,
            x: value.as_float().or_else(|| value.as_integer().map(|v| v as f64)),
            x_label: shown(value),
            detectors: part
                .iter()
                .enumerate()
                .map(|(curve, d)| {
                    let mut d = d.clone();
                    d.label = results.config.detectors.get(&d.id).map_or_else(|| d.label.clone(), label);
                    d.id = id(curve);
                    d
                })
                .collect(),
            ..point.clone()
        })
        .collect();
    let config = &mut results.config;
    config.detectors.truncate(curves);
    config.detectors.values_mut().for_each(|d| d.label = Some(label(d)));
    // Every curve has the key: its combination set it.
    let key = format!("detectors.*.{}", first.key);
    let name = first.key.rsplit('.').next().unwrap_or(&first.key).to_owned();
    config.figures[0].sweep =
        Some(Sweep { key, values: first.values.clone(), label: Some(name), also: toml::Table::new() });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combinations_are_complete_and_in_order() {
        let grid = |key: &str, values: &[i64]| Grid {
            key: key.into(),
            values: values.iter().map(|v| toml::Value::Integer(*v)).collect(),
        };
        let search = Search {
            detector: "x".into(),
            grids: vec![grid("langevin.steps", &[1, 2]), grid("langevin.levels", &[5, 6, 7])],
            metric: MetricName::Ser,
            frames: 1,
        };
        let names: Vec<String> = search.combinations().iter().map(|c| named(c)).collect();
        assert_eq!(names.len(), 6);
        assert_eq!((names[0].as_str(), names[5].as_str()), ("steps = 1, levels = 5", "steps = 2, levels = 7"));
    }
}
