//! What makes a network a detector: the one trait of all learned systems, and its form without types.

use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use burn::tensor::Device;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::LearnedConfig;
use super::options::Kind;
use super::saved::{ModelError, OwnPilots, PilotShape, Saved, Trail, info};
use crate::container::Manifest;
use crate::detect::best_threshold;
use crate::link::{ConfigError, DetectError, Detector, Pilots, Split};
use crate::scenario::{Scenario, ScenarioConfig, ScenarioError, SignatureKind};
use crate::tensor::Chosen;
use crate::training::{Rated, TrainError, TrainObserver, TrainStop, TrainTask, train};

/// Errors of learned systems.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SystemError {
    /// Frames that cannot be made.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A detector that refuses frames.
    #[error(transparent)]
    Detect(#[from] DetectError),
    /// Training.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Model bundles.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// What a network is trained for, and where.
#[derive(Clone)]
pub struct Target<'a> {
    /// Name in legends.
    pub label: &'a str,
    /// Where in an experiment, for messages.
    pub place: &'a str,
    /// The link.
    pub scenario: &'a ScenarioConfig,
    /// Spreading link: signatures of this detector in the place of the scenario's.
    pub signatures: Option<SignatureKind>,
    /// Seed of all random streams.
    pub seed: u64,
    /// Tensor device.
    pub device: &'a Chosen,
}

impl Target<'_> {
    /// Name in messages.
    pub fn shown(&self) -> String {
        format!("{} at {}", self.label, self.place)
    }
}

/// A stage of one frame as a grey image.
#[derive(Debug, Clone)]
pub struct Stage {
    /// What it shows.
    pub title: &'static str,
    /// Rows (antennas, or one).
    pub rows: usize,
    /// Columns (sequences).
    pub columns: usize,
    /// Values, row-major.
    pub pixels: Vec<f32>,
}

/// A network with all that makes it a detector.
pub trait System: Rated + std::fmt::Debug + 'static {
    /// The `system` of manifests.
    const NAME: &'static str;
    /// Keys of the detector in experiment files.
    type Options: Kind;
    /// What a manifest says besides metrics, enough to build the network again.
    type Info: Clone + std::fmt::Debug + Serialize + DeserializeOwned;
    /// The pilots (or signatures) that belong to it, or `()`.
    type Pilots: OwnPilots;
    /// Its training.
    type Task: TrainTask<Net = Self>;

    /// The training for a link.
    ///
    /// # Errors
    /// [`ScenarioError`] when the scenario cannot be prepared.
    fn task(options: &Self::Options, target: &Target<'_>) -> Result<Self::Task, ScenarioError>;

    /// What is kept of a network that has just been trained, with the threshold that suits it.
    ///
    /// # Errors
    /// [`SystemError`] when frames to choose a threshold on cannot be made.
    fn finish(
        self,
        options: &Self::Options,
        target: &Target<'_>,
        task: &Self::Task,
    ) -> Result<Saved<Self>, SystemError>;

    /// Whether a manifest of this name is of this network. Default: yes; networks that share a name differ in it.
    fn holds(_: &Self::Info) -> bool {
        true
    }

    /// Checks what a manifest says.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    fn check(info: &Self::Info) -> Result<(), ConfigError>;

    /// The pilots that belong to it.
    fn pilot_shape(info: &Self::Info) -> PilotShape;

    /// A network of the architecture in a manifest; its values are replaced by those of the file.
    fn fresh(info: &Self::Info, pilots: &Self::Pilots, device: &Device) -> Self;

    /// Pilots that follow from the weights more exactly than the file has them. Default: none.
    ///
    /// # Errors
    /// [`ModelError::Values`].
    fn exact_pilots(&self) -> Result<Option<Self::Pilots>, ModelError> {
        Ok(None)
    }

    /// The detector, with the options of an experiment where it comes from one.
    ///
    /// # Errors
    /// [`ModelError::Values`] when the device fails.
    fn detector(
        saved: Saved<Self>,
        options: Option<&Self::Options>,
        device: &Chosen,
    ) -> Result<Box<dyn Detector>, ModelError>;

    /// Stages of the first frame of a scenario as images. Default: it shows none.
    ///
    /// # Errors
    /// [`SystemError`] when the frame cannot be made or the device fails.
    fn stages(_: &Saved<Self>, _: &Scenario, _: &Device) -> Result<Vec<Stage>, SystemError> {
        Ok(Vec::new())
    }
}

impl<N: System<Pilots = Arc<Pilots>>> Saved<N> {
    /// The threshold that makes the fewest errors on training frames of a scenario, with the network's own pilots.
    ///
    /// # Errors
    /// [`SystemError`] when frames cannot be made or the device fails.
    pub(super) fn best_threshold(&self, scenario: &ScenarioConfig, target: &Target<'_>) -> Result<f64, SystemError> {
        let train = Scenario::new(scenario, target.seed, Split::Train)?;
        let detector = N::detector(self.clone(), None, target.device)?;
        best_threshold(detector.as_ref(), &train, Some(&self.pilots))
    }
}

/// A bundle as a detector.
pub struct Loaded {
    /// The detector.
    pub detector: Box<dyn Detector>,
    /// How it was trained, where that was here.
    pub trail: Option<Trail>,
    /// SHA-256 of weights and pilots by value.
    pub checksum: String,
}

/// Where a training keeps its state and its result, and who follows it.
pub struct Session<'a> {
    /// Folder of the bundle.
    pub folder: &'a Path,
    /// Folder of the checkpoint.
    pub checkpoint: &'a Path,
    /// Identity of the network, for the manifest.
    pub fingerprint: String,
    /// Follows the training.
    pub observer: &'a dyn TrainObserver,
    /// Ctrl-C.
    pub interrupt: &'a AtomicBool,
}

/// A [`System`] without its types.
pub trait AnySystem {
    /// The `system` of manifests.
    fn name(&self) -> &'static str;

    /// Whether a manifest is of this network.
    fn holds(&self, manifest: &Manifest) -> bool;

    /// Trains a network into `session.folder`; false when it was interrupted.
    ///
    /// # Errors
    /// [`SystemError`]; the checkpoint holds what was done.
    fn train(&self, options: &LearnedConfig, target: &Target<'_>, session: &Session<'_>) -> Result<bool, SystemError>;

    /// The detector of a bundle, with the options of an experiment where it comes from one.
    ///
    /// # Errors
    /// [`ModelError`] names the folder and the file.
    fn load(&self, dir: &Path, options: Option<&LearnedConfig>, device: &Chosen) -> Result<Loaded, ModelError>;

    /// Stages of the first frame of a scenario as images, where it shows any.
    ///
    /// # Errors
    /// [`SystemError`].
    fn stages(&self, dir: &Path, scenario: &Scenario, device: &Device) -> Result<Vec<Stage>, SystemError>;
}

struct Typed<N>(PhantomData<fn() -> N>);

/// A system without its types.
pub(super) fn any<N: System>() -> &'static dyn AnySystem {
    &Typed::<N>(PhantomData)
}

impl<N: System> AnySystem for Typed<N> {
    fn name(&self) -> &'static str {
        N::NAME
    }

    fn holds(&self, manifest: &Manifest) -> bool {
        // A manifest that cannot be read is reported by the loading.
        manifest.system == N::NAME && info::<N>(manifest).as_ref().map_or(true, N::holds)
    }

    fn train(&self, options: &LearnedConfig, target: &Target<'_>, session: &Session<'_>) -> Result<bool, SystemError> {
        let defaults = N::Options::default();
        let options = N::Options::of(options).unwrap_or(&defaults);
        let task = N::task(options, target)?;
        let outcome = train(&task, session.checkpoint, session.observer, session.interrupt)?;
        if outcome.stop == TrainStop::Interrupted {
            return Ok(false);
        }
        let all: u64 = task.phases().iter().map(|p| p.config.steps).sum();
        let early = outcome.steps < all;
        let trail = Trail {
            fingerprint: session.fingerprint.clone(),
            seconds: outcome.seconds,
            steps: outcome.steps,
            termination: if early { "early stopping on validation" } else { "all steps done" }.into(),
            curve: outcome.curve,
        };
        let mut saved = outcome.net.finish(options, target, &task)?;
        saved.metrics = serde_json::to_value(&trail).map_err(|e| ModelError::content(session.folder, e))?;
        saved.save(session.folder)?;
        Ok(true)
    }

    fn load(&self, dir: &Path, options: Option<&LearnedConfig>, device: &Chosen) -> Result<Loaded, ModelError> {
        let options = match options {
            Some(given) => Some(N::Options::of(given).ok_or_else(|| {
                let problem = format!("holds a model of system {}, the detector is of kind {}", N::NAME, given.kind());
                ModelError::content(dir, problem)
            })?),
            None => None,
        };
        let saved = Saved::<N>::load(dir, &device.device)?;
        Ok(Loaded {
            // A bundle that was made elsewhere says other things there, or nothing.
            trail: serde_json::from_value(saved.metrics.clone()).ok(),
            checksum: saved.checksum.clone(),
            detector: N::detector(saved, options, device)?,
        })
    }

    fn stages(&self, dir: &Path, scenario: &Scenario, device: &Device) -> Result<Vec<Stage>, SystemError> {
        N::stages(&Saved::load(dir, device)?, scenario, device)
    }
}
