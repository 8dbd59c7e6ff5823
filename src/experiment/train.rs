//! Learned detectors of a point: loaded where they are trained, trained where they are not.

use std::path::{Path, PathBuf};

use super::{ExperimentError, Mode, Settings, Shared};
use crate::backend::Chosen;
use crate::config::{DetectorConfig, Point, Threshold};
use crate::detection::Detector;
use crate::models::mampnet::{BundleInfo, LoadedModel, MampDetector, MampTask, load_bundle, save_bundle};
use crate::simulation::{TrainingPoint, TrainingRecord};
use crate::training::{TrainStop, TrainTask, train};

/// What a manifest says under `metrics`.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
struct Trail {
    fingerprint: String,
    seconds: f64,
    steps: u64,
    termination: String,
    curve: Vec<TrainingPoint>,
}

/// Networks that this run has trained or loaded already, by fingerprint: points that share a scenario share a network.
#[derive(Default)]
pub(super) struct Trained {
    folders: Shared<PathBuf>,
}

impl Trained {
    /// Folder of the network of a detector at a point, once [`ready`] has seen it.
    pub(super) fn folder(&self, key: &str) -> Option<&PathBuf> {
        self.folders.get(key)
    }
}

/// A learned detector ready for the engine.
pub(super) struct Ready {
    pub detector: Box<dyn Detector>,
    pub checksum: String,
    pub record: Option<TrainingRecord>,
}

/// Identity of a network: scenario, seed, architecture, schedule. Equal fingerprints train to equal weights on a CPU.
pub fn training_fingerprint(config: &DetectorConfig, point: &Point, seed: u64) -> String {
    let text = serde_json::json!([
        point.scenario,
        seed,
        config.model.clone().unwrap_or_default(),
        config.training.clone().unwrap_or_default()
    ]);
    crate::io::sha256_hex(text.to_string().as_bytes())
}

/// Key of a detector at a point in [`Trained`].
pub(super) fn key(point: &Point, id: &str) -> String {
    format!("{}:{id}", point.id)
}

/// Loads or trains; `None` when training was interrupted.
pub(super) fn ready(
    id: &str,
    config: &DetectorConfig,
    point: &Point,
    seed: u64,
    settings: &Settings,
    trained: &mut Trained,
) -> Result<Option<Ready>, ExperimentError> {
    let label = config.label.clone().unwrap_or_else(|| id.to_owned());
    if let Some(given) = &config.bundle {
        let folder = PathBuf::from(given);
        trained.folders.insert(key(point, id), folder.clone());
        return Ok(Some(open(&folder, id, &label, config, point, settings)?));
    }
    let fingerprint = training_fingerprint(config, point, seed);
    let folder = settings.out.join("models").join(format!("{id}-{}", &fingerprint[..12]));
    let first_time = !trained.folders.values().any(|f| *f == folder);
    if settings.fresh && first_time && settings.mode != Mode::Evaluate {
        drop(std::fs::remove_dir_all(&folder));
        drop(std::fs::remove_dir_all(checkpoint(&folder)));
    }
    trained.folders.insert(key(point, id), folder.clone());
    if folder.exists() {
        return Ok(Some(open(&folder, id, &label, config, point, settings)?));
    }
    if settings.mode == Mode::Evaluate {
        return Err(ExperimentError::NotTrained { detector: id.into(), point: point.id.clone() });
    }
    let model = config.model.clone().unwrap_or_default();
    let schedule = config.training.clone().unwrap_or_default();
    let shown = format!("{label} at {}", point.id);
    let task = MampTask::new(&shown, &point.scenario, seed, &model, &schedule, &settings.device.device)?;
    let outcome = train(&task, &checkpoint(&folder), settings.train_observer.as_ref(), &settings.interrupt)?;
    if outcome.stop == TrainStop::Interrupted {
        return Ok(None);
    }
    let info = BundleInfo {
        model,
        side: task.side(),
        pilot_energy: 1.0,
        parameters: outcome.net.parameters().entries.iter().map(|e| e.3).sum(),
        label: label.clone(),
    };
    let pilots = outcome.net.learned_pilots().unwrap_or_else(|| task.pilots().as_ref().clone());
    let trail = Trail {
        fingerprint,
        seconds: outcome.seconds,
        steps: outcome.steps,
        termination: if outcome.steps < task.phases().iter().map(|p| p.steps).sum() {
            "early stopping on validation".into()
        } else {
            "all steps done".into()
        },
        curve: outcome.curve,
    };
    let metrics = serde_json::to_value(&trail).unwrap_or_default();
    save_bundle(&folder, &outcome.net, &pilots, &info, metrics)?;
    // The bundle is complete: the checkpoint has done its work.
    drop(std::fs::remove_dir_all(checkpoint(&folder)));
    Ok(Some(open(&folder, id, &label, config, point, settings)?))
}

fn checkpoint(folder: &Path) -> PathBuf {
    folder.with_extension("checkpoint")
}

fn open(
    folder: &Path,
    id: &str,
    label: &str,
    config: &DetectorConfig,
    point: &Point,
    settings: &Settings,
) -> Result<Ready, ExperimentError> {
    let loaded = load_bundle(folder, &settings.device.device)?;
    let trail = serde_json::from_value::<Trail>(loaded.metrics.clone()).ok();
    let record = trail.map(|t| TrainingRecord {
        point: point.id.clone(),
        detector: id.into(),
        label: label.into(),
        parameters: loaded.info.parameters,
        seconds: t.seconds,
        steps: t.steps,
        bundle: folder.strip_prefix(&settings.out).unwrap_or(folder).display().to_string(),
        curve: t.curve,
        termination: t.termination,
    });
    Ok(Ready {
        checksum: loaded.checksum.clone(),
        detector: Box::new(detector(loaded, &settings.device, config.threshold)),
        record,
    })
}

fn detector(loaded: LoadedModel, device: &Chosen, threshold: Option<Threshold>) -> MampDetector {
    MampDetector::new(loaded.net, loaded.pilots, loaded.info.side, device.device.clone(), device.name, threshold)
}

/// The detector of a bundle on a device, for inference.
///
/// # Errors
/// [`ExperimentError::Model`] when the bundle is damaged or of another version.
pub fn load_detector(folder: &Path, device: &Chosen) -> Result<Box<dyn Detector>, ExperimentError> {
    Ok(Box::new(detector(load_bundle(folder, &device.device)?, device, None)))
}
