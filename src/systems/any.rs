//! A system without its types: what experiments train and load.

use std::marker::PhantomData;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use burn::tensor::Device;

use super::LearnedConfig;
use super::error::{ModelError, SystemError};
use super::options::Kind;
use super::saved::{Saved, Trail, info};
use super::system::{Stage, System, Target};
use crate::container::Manifest;
use crate::link::Detector;
use crate::scenario::Scenario;
use crate::tensor::Chosen;
use crate::training::{TrainObserver, TrainStop, TrainTask, train};

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
        // A manifest that cannot be read fails when it is loaded, with a message.
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
            // A bundle made by another program may hold other metrics, or none.
            trail: serde_json::from_value(saved.metrics.clone()).ok(),
            checksum: saved.checksum.clone(),
            detector: N::detector(saved, options, device)?,
        })
    }

    fn stages(&self, dir: &Path, scenario: &Scenario, device: &Device) -> Result<Vec<Stage>, SystemError> {
        N::stages(&Saved::load(dir, device)?, scenario, device)
    }
}
