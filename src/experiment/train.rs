//! Learned detectors of a point: loaded where they are trained, trained where they are not.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::module::Module;

use super::calibrate::best_threshold;
use super::{ExperimentError, Mode, Settings, Shared};
use crate::config::{DetectorConfig, DetectorKind, Point};
use crate::container::{file_sha256, sha256_hex};
use crate::detect::{LangevinConfig, Threshold};
use crate::link::Detector;
use crate::link::Split;
use crate::results::TrainingRecord;
use crate::scenario::Scenario;
use crate::scenario::SignatureKind;
use crate::systems::autoencoder;
use crate::systems::autoencoder::{
    AutoEncoderDetector, AutoEncoderInfo, AutoEncoderTask, load_autoencoder, save_autoencoder,
};
use crate::systems::mampnet::{BundleInfo, MampDetector, MampTask, load_bundle, save_bundle};
use crate::systems::pc_admm;
use crate::systems::pc_admm::AdmmConfig;
use crate::systems::pc_admm::{PcAdmmDetector, PcAdmmInfo, PcAdmmTask, load_pc_admm, save_pc_admm};
use crate::systems::score;
use crate::systems::score::ScoreArchitecture;
use crate::systems::score::{
    ScoreDetector, ScoreInfo, ScoreModel, ScoreNet, ScoreTask, SetNet, load_score, save_score,
};
use crate::systems::signature;
use crate::systems::signature::beam::{BeamTask, load_beam, save_beam};
use crate::systems::signature::{ReceiverConfig, ReceiverForm};
use crate::systems::signature::{ReceiverDetector, ReceiverInfo, ReceiverTask, Sizes, load_receiver, save_receiver};
use crate::systems::system_of;
use crate::tensor::Chosen;
use crate::training::TrainingPoint;
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
    let schedule = config.training.clone().unwrap_or_default();
    // Channel files count by their content, wherever they lie; a file that cannot be read is reported when training wants it.
    let link = point.scenario.named();
    let sum = |path: &Option<String>| path.as_ref().and_then(|p| file_sha256(Path::new(p)).ok());
    let file = sum(&point.scenario.channel_file).unwrap_or_default();
    let text = match config.kind {
        // One receiver serves all SNRs; its signatures may be its own and not the scenario's.
        DetectorKind::Sicnn => {
            let mut noma = point.scenario.noma();
            noma.snr_db = 0.0;
            noma.signatures = given_signatures(config, point);
            serde_json::json!([noma, seed, config.receiver.clone().unwrap_or_default(), schedule])
        }
        DetectorKind::Autoencoder => {
            let decoder = config.decoder.clone().unwrap_or_default();
            match sum(&decoder.pilots_file) {
                Some(sum) => serde_json::json!([link, seed, decoder, schedule, sum]),
                None => serde_json::json!([link, seed, decoder, schedule]),
            }
        }
        DetectorKind::PcAdmmNet => {
            // Tested on many links, trained for one: the link it is trained for counts.
            let admm = config.admm.clone().unwrap_or_default();
            let link = admm.training_scenario(&link);
            serde_json::json!([link, seed, AdmmConfig { trained_at: None, ..admm }, schedule])
        }
        // A prior of channels: noise and pilots do not enter, so one network serves all of them.
        DetectorKind::Score => {
            let prior = config.prior_of(&link);
            serde_json::json!([prior, seed, config.score.clone().unwrap_or_default(), schedule])
        }
        _ => serde_json::json!([link, seed, config.model.clone().unwrap_or_default(), schedule]),
    };
    sha256_hex((text.to_string() + &file).as_bytes())
}

/// The signatures that a receiver is given; one that learns its own does not look at them.
fn given_signatures(config: &DetectorConfig, point: &Point) -> SignatureKind {
    config.signatures.unwrap_or(point.scenario.noma().signatures)
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
    // One network may serve several samplers; it bears the name of the detector that trains it.
    let owner = config.network_of.as_deref().unwrap_or(id);
    let folder = settings.out.join("models").join(format!("{owner}-{}", &fingerprint[..12]));
    let first_time = !trained.folders.values().any(|f| *f == folder);
    if settings.fresh && first_time && settings.mode != Mode::Evaluate {
        drop(std::fs::remove_dir_all(&folder));
        drop(std::fs::remove_dir_all(checkpoint(&folder)));
    }
    trained.folders.insert(key(point, id), folder.clone());
    let opened = || {
        let mut ready = open(&folder, owner, &label, config, point, settings)?;
        // Its training is told once.
        ready.record = ready.record.filter(|_| owner == id || !point.detectors.contains_key(owner));
        Ok(Some(ready))
    };
    if folder.exists() {
        return opened();
    }
    if settings.mode == Mode::Evaluate {
        return Err(ExperimentError::NotTrained { detector: id.into(), point: point.id.clone() });
    }
    let job = Job { config, point, seed, settings, label: &label, folder: &folder, fingerprint };
    let finished = match config.kind {
        DetectorKind::Sicnn if job.form() == ReceiverForm::BeamMetric => job.beam()?,
        DetectorKind::Sicnn => job.receiver()?,
        DetectorKind::Autoencoder => job.autoencoder()?,
        DetectorKind::PcAdmmNet => job.pc_admm()?,
        DetectorKind::Score => match config.score.clone().unwrap_or_default().architecture {
            ScoreArchitecture::Refine => job.score::<ScoreNet>()?,
            ScoreArchitecture::Set => job.score::<SetNet>()?,
        },
        _ => job.mampnet()?,
    };
    if !finished {
        return Ok(None);
    }
    // The bundle is complete: the checkpoint has done its work.
    drop(std::fs::remove_dir_all(checkpoint(&folder)));
    opened()
}

/// One network to be trained into `folder`.
struct Job<'a> {
    config: &'a DetectorConfig,
    point: &'a Point,
    seed: u64,
    settings: &'a Settings,
    label: &'a str,
    folder: &'a Path,
    fingerprint: String,
}

impl Job<'_> {
    /// Runs a task; `None` when it was interrupted.
    fn run<T: TrainTask>(&self, task: &T) -> Result<Option<(T::Net, serde_json::Value)>, ExperimentError> {
        let s = self.settings;
        let outcome = train(task, &checkpoint(self.folder), s.train_observer.as_ref(), &s.interrupt)?;
        if outcome.stop == TrainStop::Interrupted {
            return Ok(None);
        }
        let trail = Trail {
            fingerprint: self.fingerprint.clone(),
            seconds: outcome.seconds,
            steps: outcome.steps,
            termination: if outcome.steps < task.phases().iter().map(|p| p.steps).sum() {
                "early stopping on validation".into()
            } else {
                "all steps done".into()
            },
            curve: outcome.curve,
        };
        Ok(Some((outcome.net, serde_json::to_value(&trail).unwrap_or_default())))
    }

    fn shown(&self) -> String {
        format!("{} at {}", self.label, self.point.id)
    }

    /// System A; false when it was interrupted.
    fn mampnet(&self) -> Result<bool, ExperimentError> {
        let model = self.config.model.clone().unwrap_or_default();
        let schedule = self.config.training.clone().unwrap_or_default();
        let device = &self.settings.device.device;
        let task = MampTask::new(&self.shown(), &self.point.scenario, self.seed, &model, &schedule, device)?;
        let Some((net, metrics)) = self.run(&task)? else { return Ok(false) };
        let info = BundleInfo {
            model,
            side: task.side(),
            pilot_energy: task.pilots().energy(),
            parameters: net.parameters().entries.iter().map(|e| e.3).sum(),
            label: self.label.to_owned(),
        };
        let pilots = net.learned_pilots(task.pilots().energy())?.unwrap_or_else(|| task.pilots().as_ref().clone());
        save_bundle(self.folder, &net, &pilots, &info, metrics)?;
        Ok(true)
    }

    /// System B; false when it was interrupted. The threshold is chosen on training frames once the network is trained.
    fn autoencoder(&self) -> Result<bool, ExperimentError> {
        let decoder = self.config.decoder.clone().unwrap_or_default();
        let schedule = self.config.training.clone().unwrap_or_default();
        let chosen = &self.settings.device;
        let (scenario, device) = (&self.point.scenario, &chosen.device);
        let task = AutoEncoderTask::new(&self.shown(), scenario, self.seed, &decoder, &schedule, device)?;
        let Some((net, metrics)) = self.run(&task)? else { return Ok(false) };
        let energy = task.pilots().energy();
        let pilots = match &net.pilots {
            Some(p) => p.to_host(1, energy)?,
            None => task.pilots().as_ref().clone(),
        };
        let shared = Arc::new(pilots.clone());
        let detector =
            AutoEncoderDetector::new(net.clone(), shared.clone(), task.sizes(), device.clone(), chosen.name, 0.0);
        let train = Scenario::new(scenario, self.seed, Split::Train)?;
        let info = AutoEncoderInfo {
            decoder,
            sizes: task.sizes(),
            pilot_energy: energy,
            threshold: best_threshold(&detector, &train, Some(&shared))?,
            parameters: net.parameters(),
            label: self.label.to_owned(),
        };
        save_autoencoder(self.folder, &net, &pilots, &info, metrics)?;
        Ok(true)
    }

    /// System C; false when it was interrupted. The threshold is chosen on frames of the link it was trained for.
    fn pc_admm(&self) -> Result<bool, ExperimentError> {
        let admm = self.config.admm.clone().unwrap_or_default();
        let schedule = self.config.training.clone().unwrap_or_default();
        let chosen = &self.settings.device;
        let (scenario, device) = (admm.training_scenario(&self.point.scenario), &chosen.device);
        let admm = AdmmConfig { trained_at: None, ..admm };
        let task = PcAdmmTask::new(&self.shown(), &scenario, self.seed, &admm, &schedule, device)?;
        let Some((net, metrics)) = self.run(&task)? else { return Ok(false) };
        let pilots = Arc::clone(task.pilots());
        let detector =
            PcAdmmDetector::new(net.clone(), Arc::clone(&pilots), task.sizes(), device.clone(), chosen.name, 0.0);
        let train = Scenario::new(&scenario, self.seed, Split::Train)?;
        let info = PcAdmmInfo {
            admm,
            sizes: task.sizes(),
            pilot_energy: pilots.energy(),
            threshold: best_threshold(&detector, &train, Some(&pilots))?,
            parameters: net.parameters(),
            label: self.label.to_owned(),
        };
        save_pc_admm(self.folder, &net, &pilots, &info, metrics)?;
        Ok(true)
    }

    /// System D; false when it was interrupted. The threshold stays where the configuration has it: the best one depends
    /// on the noise, of which the network knows nothing.
    fn score<N: ScoreModel>(&self) -> Result<bool, ExperimentError> {
        let score = self.config.score.clone().unwrap_or_default();
        let schedule = self.config.training.clone().unwrap_or_default();
        let scenario = self.config.prior_of(&self.point.scenario);
        let device = &self.settings.device.device;
        let task = ScoreTask::<N>::new(&self.shown(), &scenario, self.seed, &score, &schedule, device)?;
        let Some((net, metrics)) = self.run(&task)? else { return Ok(false) };
        let info = ScoreInfo {
            score,
            langevin: self.config.langevin.clone().unwrap_or_default(),
            threshold: match self.config.threshold {
                Some(Threshold::Value(t)) => t,
                _ => score::DEFAULT_ROW_THRESHOLD,
            },
            parameters: net.num_params(),
            label: self.label.to_owned(),
        };
        save_score(self.folder, &net, &info, metrics)?;
        Ok(true)
    }

    fn receiver_info(&self, receiver: ReceiverConfig, sizes: &Sizes, parameters: usize) -> ReceiverInfo {
        ReceiverInfo { receiver, sizes: sizes.clone(), parameters, label: self.label.to_owned() }
    }

    fn form(&self) -> ReceiverForm {
        self.config.receiver.as_ref().map_or(ReceiverForm::SoftSic, |r| r.form)
    }

    /// Beam search of system E; false when it was interrupted.
    fn beam(&self) -> Result<bool, ExperimentError> {
        let receiver = self.config.receiver.clone().unwrap_or_default();
        let schedule = self.config.training.clone().unwrap_or_default();
        let (noma, given) = (self.point.scenario.noma(), given_signatures(self.config, self.point));
        let device = &self.settings.device.device;
        let task = BeamTask::new(&self.shown(), &noma, given, self.seed, &receiver, &schedule, device)?;
        let Some((net, metrics)) = self.run(&task)? else { return Ok(false) };
        let info = self.receiver_info(receiver, task.sizes(), net.num_params());
        save_beam(self.folder, &net, task.signatures(), &info, metrics)?;
        Ok(true)
    }

    /// System E; false when it was interrupted.
    fn receiver(&self) -> Result<bool, ExperimentError> {
        let receiver = self.config.receiver.clone().unwrap_or_default();
        let schedule = self.config.training.clone().unwrap_or_default();
        let (noma, given) = (self.point.scenario.noma(), given_signatures(self.config, self.point));
        let device = &self.settings.device.device;
        let task = ReceiverTask::new(&self.shown(), &noma, given, self.seed, &receiver, &schedule, device)?;
        let Some((net, metrics)) = self.run(&task)? else { return Ok(false) };
        let info = self.receiver_info(receiver, task.sizes(), net.parameters());
        let signatures = match &net.encoder {
            Some(encoder) => encoder.to_host()?,
            None => task.signatures().as_ref().clone(),
        };
        save_receiver(self.folder, &net, &signatures, &info, metrics)?;
        Ok(true)
    }
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
    let opened = load(folder, &settings.device, Some(config))?;
    let trail = serde_json::from_value::<Trail>(opened.metrics).ok();
    let record = trail.map(|t| TrainingRecord {
        point: point.id.clone(),
        detector: id.into(),
        label: label.into(),
        parameters: opened.detector.parameters(),
        seconds: t.seconds,
        steps: t.steps,
        bundle: folder.strip_prefix(&settings.out).unwrap_or(folder).display().to_string(),
        curve: t.curve,
        termination: t.termination,
    });
    Ok(Ready { checksum: opened.checksum, detector: opened.detector, record })
}

/// A bundle of any system as a detector.
struct Loaded {
    detector: Box<dyn Detector>,
    metrics: serde_json::Value,
    checksum: String,
}

fn load(folder: &Path, device: &Chosen, config: Option<&DetectorConfig>) -> Result<Loaded, ExperimentError> {
    let threshold = config.and_then(|c| c.threshold);
    let system = system_of(folder)?;
    if system == signature::beam::SYSTEM {
        let b = load_beam(folder, &device.device)?;
        return Ok(Loaded { detector: Box::new(b.detector), metrics: b.metrics, checksum: b.checksum });
    }
    if system == signature::SYSTEM {
        let r = load_receiver(folder, &device.device)?;
        let (metrics, checksum) = (r.metrics.clone(), r.checksum.clone());
        let detector = ReceiverDetector::new(r, device.device.clone(), device.name);
        return Ok(Loaded { detector: Box::new(detector), metrics, checksum });
    }
    if system == autoencoder::SYSTEM {
        let a = load_autoencoder(folder, &device.device)?;
        let threshold = match threshold {
            Some(Threshold::Value(t)) => t,
            _ => a.info.threshold,
        };
        let detector =
            AutoEncoderDetector::new(a.net, a.pilots, a.info.sizes, device.device.clone(), device.name, threshold);
        return Ok(Loaded { detector: Box::new(detector), metrics: a.metrics, checksum: a.checksum });
    }
    if system == pc_admm::SYSTEM {
        let p = load_pc_admm(folder, &device.device)?;
        let threshold = match threshold {
            Some(Threshold::Value(t)) => t,
            _ => p.info.threshold,
        };
        let detector =
            PcAdmmDetector::new(p.net, p.pilots, p.info.sizes, device.device.clone(), device.name, threshold);
        return Ok(Loaded { detector: Box::new(detector), metrics: p.metrics, checksum: p.checksum });
    }
    if system == score::SYSTEM {
        let s = load_score(folder, &device.device)?;
        let threshold = match threshold {
            Some(Threshold::Value(t)) => t,
            _ => s.info.threshold,
        };
        // The sampler is part of the experiment: one network is used at many noise levels and with many budgets.
        // A file that trains its network says how it samples; a bundle from elsewhere brings a sampler along.
        let own = config.filter(|c| c.bundle.is_none()).map(|_| LangevinConfig::default());
        let options = config.and_then(|c| c.langevin.clone()).or(own).unwrap_or(s.info.langevin);
        let detector = ScoreDetector::new(s.net, options, &s.info.score, device.device.clone(), device.name, threshold);
        return Ok(Loaded { detector: Box::new(detector), metrics: s.metrics, checksum: s.checksum });
    }
    let m = load_bundle(folder, &device.device)?;
    let detector = MampDetector::new(m.net, m.pilots, m.info.side, device.device.clone(), device.name, threshold)?;
    Ok(Loaded { detector: Box::new(detector), metrics: m.metrics, checksum: m.checksum })
}

/// The detector of a bundle on a device, for inference.
///
/// # Errors
/// [`ExperimentError::Model`] when the bundle is damaged or of another version.
pub fn load_detector(folder: &Path, device: &Chosen) -> Result<Box<dyn Detector>, ExperimentError> {
    load_detector_as(folder, device, None)
}

/// The same with the options that an experiment gives it, where it comes from one.
///
/// # Errors
/// [`ExperimentError::Model`] when the bundle is damaged or of another version.
pub fn load_detector_as(
    folder: &Path,
    device: &Chosen,
    config: Option<&DetectorConfig>,
) -> Result<Box<dyn Detector>, ExperimentError> {
    Ok(load(folder, device, config)?.detector)
}
