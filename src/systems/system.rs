//! What makes a network a detector: the one trait of all learned systems.

use std::sync::Arc;

use burn::tensor::Device;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{ModelError, SystemError};
use super::options::Kind;
use super::pilots::{OwnPilots, PilotShape};
use super::saved::Saved;
use crate::detect::best_threshold;
use crate::link::{ConfigError, Detector, Pilots, Split};
use crate::scenario::{Scenario, ScenarioConfig, ScenarioError, SignatureKind};
use crate::tensor::Chosen;
use crate::training::{Rated, TrainTask};

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
    /// The threshold that makes the fewest errors on validation frames of a scenario, with the network's own pilots.
    ///
    /// # Errors
    /// [`SystemError`] when frames cannot be made or the device fails.
    pub(super) fn best_threshold(&self, scenario: &ScenarioConfig, target: &Target<'_>) -> Result<f64, SystemError> {
        let validation = Scenario::new(scenario, target.seed, Split::Validation)?;
        let detector = N::detector(self.clone(), None, target.device)?;
        Ok(best_threshold::<SystemError>(detector.as_ref(), &validation, Some(&self.pilots))?.value)
    }
}
