//! Learned detectors of a point: loaded where they are trained, trained where they are not.

use std::path::{Path, PathBuf};

use super::{ExperimentError, Mode, Settings, Shared};
use crate::config::{DetectorConfig, Point};
use crate::link::Detector;
use crate::results::TrainingRecord;
use crate::systems::{LearnedConfig, Loaded, Session, Target, identity, load};
use crate::tensor::Chosen;

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
/// `None` for a detector that is not trained.
pub fn training_fingerprint(config: &DetectorConfig, point: &Point, seed: u64) -> Option<String> {
    Some(identity(config.learned()?.options(), &point.scenario, config.signatures, seed))
}

/// Key of a detector at a point in [`Trained`].
pub(super) fn key(point: &Point, id: &str) -> String {
    format!("{}:{id}", point.id)
}

/// A detector of a point while it is made ready.
struct Job<'a> {
    /// The detector that the network is named after.
    owner: &'a str,
    label: &'a str,
    network: &'a LearnedConfig,
    point: &'a Point,
    settings: &'a Settings,
    folder: &'a Path,
}

/// Loads or trains; `None` when training was interrupted.
pub(super) fn ready(
    id: &str,
    (config, network): (&DetectorConfig, &LearnedConfig),
    point: &Point,
    seed: u64,
    settings: &Settings,
    trained: &mut Trained,
) -> Result<Option<Ready>, ExperimentError> {
    let label = config.shown(id);
    let options = network.options();
    if let Some(given) = options.bundle() {
        let folder = &PathBuf::from(given);
        trained.folders.insert(key(point, id), folder.clone());
        return Job { owner: id, label, network, point, settings, folder }.open().map(Some);
    }
    let fingerprint = identity(options, &point.scenario, config.signatures, seed);
    // Several samplers may share one network; its folder is named after the detector that trains it.
    let owner = options.network_of().unwrap_or(id);
    let folder = &settings.out.join("models").join(format!("{owner}-{}", &fingerprint[..12]));
    let checkpoint = &folder.with_extension("checkpoint");
    let first_time = !trained.folders.values().any(|f| f == folder);
    if settings.fresh && first_time && settings.mode != Mode::Evaluate {
        forget(folder)?;
        forget(checkpoint)?;
    }
    trained.folders.insert(key(point, id), folder.clone());
    if !folder.exists() {
        if settings.mode == Mode::Evaluate {
            return Err(ExperimentError::NotTrained { detector: id.into(), point: point.id.clone() });
        }
        let target = Target {
            label,
            place: &point.id,
            scenario: &point.scenario,
            signatures: config.signatures,
            seed,
            device: &settings.device,
        };
        let observer = settings.train_observer.as_ref();
        let session = Session { folder, checkpoint, fingerprint, observer, interrupt: &settings.interrupt };
        if !options.system().train(network, &target, &session)? {
            return Ok(None);
        }
        // The bundle is complete: the checkpoint is not needed any more.
        forget(checkpoint)?;
    }
    let mut ready = Job { owner, label, network, point, settings, folder }.open()?;
    // The training of a shared network is recorded once, with its owner.
    ready.record = ready.record.filter(|_| owner == id || !point.detectors.contains_key(owner));
    Ok(Some(ready))
}

/// Removes a folder, if it is there.
fn forget(folder: &Path) -> Result<(), ExperimentError> {
    match std::fs::remove_dir_all(folder) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(ExperimentError::Folder { path: folder.display().to_string(), source })
        }
        _ => Ok(()),
    }
}

impl Job<'_> {
    fn open(&self) -> Result<Ready, ExperimentError> {
        let Loaded { detector, trail, checksum } = load(self.folder, Some(self.network), &self.settings.device)?;
        let record = trail.map(|t| TrainingRecord {
            point: self.point.id.clone(),
            detector: self.owner.into(),
            label: self.label.into(),
            parameters: detector.parameters(),
            seconds: t.seconds,
            steps: t.steps,
            bundle: self.folder.strip_prefix(&self.settings.out).unwrap_or(self.folder).display().to_string(),
            curve: t.curve,
            termination: t.termination,
        });
        Ok(Ready { checksum, detector, record })
    }
}

/// The detector of a bundle on a device, for inference.
///
/// # Errors
/// [`ExperimentError::Model`] when the bundle is damaged or of another version.
pub fn load_detector(folder: &Path, device: &Chosen) -> Result<Box<dyn Detector>, ExperimentError> {
    load_detector_as(folder, device, None)
}

/// The detector of a bundle with the options of an experiment file; `None` for those that the bundle was trained with.
///
/// # Errors
/// [`ExperimentError::Model`] when the bundle is damaged, of another version or of another kind.
pub fn load_detector_as(
    folder: &Path,
    device: &Chosen,
    config: Option<&DetectorConfig>,
) -> Result<Box<dyn Detector>, ExperimentError> {
    Ok(load(folder, config.and_then(DetectorConfig::learned), device)?.detector)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_removed_is_an_error_that_names_it() {
        let dir = temp_dir::TempDir::new().unwrap();
        let model = dir.path().join("models");
        std::fs::create_dir_all(model.join("inside")).unwrap();
        forget(&model).unwrap();
        assert!(!model.exists());
        // Removing a folder that does not exist is no error.
        forget(&model).unwrap();
        // A file where a folder should be.
        std::fs::write(&model, "a file").unwrap();
        for folder in [model.clone(), model.join("amp-nn-0123456789ab")] {
            let error = forget(&folder).unwrap_err();
            assert!(matches!(&error, ExperimentError::Folder { path, .. } if *path == folder.display().to_string()));
        }
    }
}
