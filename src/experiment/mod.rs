//! One experiment file from training to report: what `run`, `train` and `evaluate` share.

mod calibrate;
mod images;
mod machine;
mod properties;
mod train;
mod tune;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::config::{DetectorConfig, Experiment, FigureStyle, Point, Spec};
use crate::detect::ClassicalError;
use crate::link::Detector;
use crate::metrics::MetricName;
use crate::results::{DetectorResult, Results, SCHEMA_VERSION, TrainingRecord, property, write_results};
use crate::scenario::Scenario;
use crate::simulation::{Job, Observer, RunContext, Runner, SimulationError};
use crate::systems::{ModelError, SystemError};
use crate::tensor::Chosen;
use crate::training::{TrainError, TrainObserver};

pub use calibrate::{Choice, before_choice, calibrate};
pub use machine::machine;
pub use train::{load_detector, load_detector_as, training_fingerprint};
pub use tune::{Grid, Search, Tried, Tuned, tune};

/// What may be trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Train, simulate, report.
    Run,
    /// Train only.
    Train,
    /// Simulate with what is trained already.
    Evaluate,
}

/// Settings of one run.
#[derive(Clone)]
pub struct Settings {
    /// Folder of the results.
    pub out: PathBuf,
    /// Which half.
    pub mode: Mode,
    /// Forget earlier logs and networks.
    pub fresh: bool,
    /// Shard of the sweep.
    pub shard: Option<(u32, u32)>,
    /// Tensor device.
    pub device: Chosen,
    /// Ctrl-C.
    pub interrupt: Arc<AtomicBool>,
    /// Follows the simulation.
    pub observer: Arc<dyn Observer>,
    /// Follows the training.
    pub train_observer: Arc<dyn TrainObserver>,
}

/// Errors of an experiment.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExperimentError {
    /// A wrong key or value.
    #[error(transparent)]
    Config(#[from] crate::link::ConfigError),
    /// A classical detector or a prediction.
    #[error(transparent)]
    Classical(#[from] ClassicalError),
    /// Frames that cannot be made.
    #[error(transparent)]
    Scenario(#[from] crate::scenario::ScenarioError),
    /// Training.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Model bundles.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The results file.
    #[error(transparent)]
    Results(#[from] crate::results::ResultsError),
    /// The engine.
    #[error(transparent)]
    Simulation(#[from] SimulationError),
    /// A detector outside of the engine (images).
    #[error(transparent)]
    Detect(#[from] crate::link::DetectError),
    /// The report.
    #[cfg(feature = "report")]
    #[error(transparent)]
    Report(#[from] crate::report::ReportError),
    /// `evaluate` found a network that was never trained.
    #[error(
        "detector {detector} of point {point} is not trained yet; use `grantfree run` or `grantfree train` with the same file and --out first"
    )]
    NotTrained {
        /// Detector id.
        detector: String,
        /// Point id.
        point: String,
    },
    /// The folder of the results cannot be prepared.
    #[error("cannot prepare the folder {path}")]
    Folder {
        /// Folder.
        path: String,
        /// Cause.
        #[source]
        source: std::io::Error,
    },
}

impl From<SystemError> for ExperimentError {
    fn from(error: SystemError) -> Self {
        match error {
            SystemError::Scenario(e) => e.into(),
            SystemError::Detect(e) => e.into(),
            SystemError::Train(e) => e.into(),
            SystemError::Model(e) => e.into(),
        }
    }
}

/// How an experiment ended.
#[derive(Debug)]
pub struct Outcome {
    /// The results (without points after `train`).
    pub results: Results,
    /// `report.html`, unless only training was asked for or the library was built without the feature `report`.
    pub report: Option<PathBuf>,
    /// Ctrl-C; the same command resumes.
    pub interrupted: bool,
}

/// Runs an experiment (or one half of it) and writes results and report into `settings.out`.
///
/// # Errors
/// [`ExperimentError`]; everything finished before the error is on disk.
pub fn execute(experiment: &Experiment, settings: &Settings) -> Result<Outcome, ExperimentError> {
    let points = experiment.points()?;
    prepare_folder(&settings.out)?;
    let mut ctx = RunContext::new(experiment.seed);
    ctx.out = Some(settings.out.clone());
    ctx.shard = settings.shard;
    ctx.fresh = settings.fresh;
    ctx.interrupt = Arc::clone(&settings.interrupt);
    ctx.observer = Arc::clone(&settings.observer);

    let mut results = Results {
        schema_version: SCHEMA_VERSION,
        crate_version: env!("CARGO_PKG_VERSION").into(),
        config: experiment.clone(),
        seed: experiment.seed,
        machine: machine(&settings.device),
        shard: settings.shard,
        points: Vec::new(),
        training: Vec::new(),
        images: Vec::new(),
    };
    let mut jobs = Vec::new();
    let mut trained = train::Trained::default();
    let figures = experiment.resolved_figures();
    for point in &points {
        let metrics = figures.iter().find(|f| f.id == point.figure).map_or(&[][..], |f| &f.metrics);
        let prepared = prepare(point, experiment.seed, settings, &mut trained)?;
        results.training.extend(prepared.training);
        let Some(detectors) = prepared.detectors else {
            // Interrupted while training: what is finished is saved, the checkpoint holds the rest.
            write_results(&settings.out, &results)?;
            return Ok(Outcome { results, report: None, interrupted: true });
        };
        ctx.checksums.insert(point.id.clone(), prepared.checksums);
        ctx.chosen.insert(point.id.clone(), prepared.chosen);
        ctx.predicted.insert(point.id.clone(), prepared.predicted);
        let scenario = Scenario::new(&point.scenario, experiment.seed, point.engine.split.into())?;
        ctx.properties.insert(point.id.clone(), properties::of_point(point, &scenario, &detectors, metrics));
        jobs.push(Job { point: point.clone(), scenario, detectors });
    }
    if settings.mode == Mode::Train {
        write_results(&settings.out, &results)?;
        return Ok(Outcome { results, report: None, interrupted: false });
    }
    for figure in figures.iter().filter(|f| f.style == FigureStyle::Visualisation) {
        for job in jobs.iter().filter(|j| j.point.figure == figure.id) {
            results.images.extend(images::stages(&job.point, &job.scenario, settings, &trained)?);
        }
    }
    let outcome = Runner::new(&jobs, &ctx, results).run()?;
    let report = write_report(&settings.out, &outcome.results)?;
    Ok(Outcome { results: outcome.results, report, interrupted: outcome.interrupted })
}

/// Writes csv, figures and report.html beside results.json and gives the path of the page.
#[cfg(feature = "report")]
fn write_report(out: &Path, results: &Results) -> Result<Option<PathBuf>, ExperimentError> {
    Ok(Some(crate::report::write_report(out, results)?.html))
}

#[cfg(not(feature = "report"))]
fn write_report(_: &Path, _: &Results) -> Result<Option<PathBuf>, ExperimentError> {
    Ok(None)
}

fn prepare_folder(out: &Path) -> Result<(), ExperimentError> {
    let folder = |source| ExperimentError::Folder { path: out.display().to_string(), source };
    std::fs::create_dir_all(out).map_err(folder)?;
    // An output folder that cannot be written is an error now, not after the training.
    let probe = out.join(".writable");
    std::fs::write(&probe, b"").map_err(folder)?;
    std::fs::remove_file(&probe).map_err(folder)
}

/// A point ready to be simulated.
struct Prepared {
    /// `None` when training was interrupted.
    detectors: Option<Vec<(String, Box<dyn Detector>)>>,
    predicted: Vec<DetectorResult>,
    checksums: BTreeMap<String, String>,
    chosen: BTreeMap<String, Choice>,
    training: Vec<TrainingRecord>,
}

fn prepare(
    point: &Point,
    seed: u64,
    settings: &Settings,
    trained: &mut train::Trained,
) -> Result<Prepared, ExperimentError> {
    let mut out = Prepared {
        detectors: None,
        predicted: Vec::new(),
        checksums: BTreeMap::new(),
        chosen: BTreeMap::new(),
        training: Vec::new(),
    };
    let mut detectors: Vec<(String, Box<dyn Detector>)> = Vec::new();
    for (id, config) in &point.detectors {
        match &config.spec {
            Spec::Learned(network) => {
                let Some(ready) = train::ready(id, (config, network), point, seed, settings, trained)? else {
                    return Ok(out);
                };
                out.checksums.insert(id.clone(), ready.checksum);
                out.training.extend(ready.record);
                detectors.push((id.clone(), ready.detector));
            }
            Spec::Classical(algorithm) => match algorithm.algorithm().predict(&point.scenario, seed)? {
                Some(values) => out.predicted.push(predicted(id, config, &values)),
                None => detectors.push((id.clone(), before_choice(algorithm, point, seed)?)),
            },
        }
    }
    out.chosen = calibrate(point, seed, &mut detectors)?;
    for (id, chosen) in &out.chosen {
        // Values depend on what was chosen, so a log is not continued with something else.
        let texts: Vec<String> = chosen.iter().map(|(key, value)| format!("{key} {value}")).collect();
        out.checksums.insert(id.clone(), texts.join(", "));
    }
    out.detectors = Some(detectors);
    Ok(out)
}

/// A prediction as a result without frames.
fn predicted(id: &str, config: &DetectorConfig, values: &[(MetricName, f64)]) -> DetectorResult {
    DetectorResult {
        id: id.to_owned(),
        label: config.shown(id).to_owned(),
        kind: config.kind().to_owned(),
        predicted: true,
        parameters: 0,
        told: Some(config.told()),
        chosen: BTreeMap::new(),
        seconds: None,
        metrics: values.iter().map(|(name, value)| property(*name, *value)).collect(),
    }
}

/// Trained networks by fingerprint, shared by the points of a run.
type Shared<T> = HashMap<String, T>;
