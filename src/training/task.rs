//! What a network has to say for itself to be trained.

use burn::module::{Module, ParamId};
use burn::tensor::Tensor;

use super::error::TrainError;
use crate::training::TrainingConfig;
use crate::training::TrainingPoint;

/// One phase of a run.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Phase {
    /// Name in curves, e.g. "layer 3", "refinement", "joint".
    pub name: String,
    /// Adam steps at most.
    pub steps: u64,
    /// Half-cosine decay of all rates to zero.
    pub cosine: bool,
    /// Index the task understands (which layer, ...).
    pub index: usize,
}

/// Parameters that share a learning rate.
#[derive(Debug, Clone)]
pub struct RateGroup {
    /// Their ids.
    pub ids: Vec<ParamId>,
    /// Peak learning rate.
    pub rate: f64,
}

/// Result of one validation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Validation {
    /// Loss that chooses checkpoints.
    pub loss: f64,
    /// Symbol error rate, in phases that decide.
    pub ser: Option<f64>,
    /// Bit error rate, on spreading links.
    pub ber: Option<f64>,
}

/// A network with its data and losses.
pub trait TrainTask {
    /// The module.
    type Net: Module + 'static;
    /// Frames of one step on the training device.
    type Batch: Send;

    /// Name in messages.
    fn label(&self) -> &str;
    /// Everything that defines the run; a checkpoint with another fingerprint is refused.
    fn fingerprint(&self) -> String;
    /// Phases in order.
    fn phases(&self) -> Vec<Phase>;
    /// Schedule: when it validates, when it gives up, whether weights are averaged.
    fn training(&self) -> &TrainingConfig;
    /// Largest norm of the gradient of each parameter; larger ones are scaled down. Default: no limit.
    fn clip(&self) -> Option<f32> {
        None
    }
    /// A fresh network on the training (autodiff) device.
    fn init(&self) -> Self::Net;
    /// Parameters a phase trains.
    fn groups(&self, net: &Self::Net, phase: &Phase) -> Vec<RateGroup>;
    /// The batch of a step of the whole run; a function of the step alone.
    ///
    /// # Errors
    /// [`TrainError::Scenario`] when frames cannot be made.
    fn batch(&self, step: u64, phase: &Phase) -> Result<Self::Batch, TrainError>;
    /// The loss to minimise.
    fn loss(&self, net: &Self::Net, batch: &Self::Batch, phase: &Phase) -> Tensor<1>;
    /// Loss and error rate on the validation frames; `net` is an inference copy.
    ///
    /// # Errors
    /// [`TrainError`] when frames cannot be made or the device fails.
    fn validate(&self, net: &Self::Net, phase: &Phase) -> Result<Validation, TrainError>;
}

/// Progress of a run.
#[derive(Debug, Clone)]
pub enum TrainEvent<'a> {
    /// A phase begins.
    Phase {
        /// Network.
        label: &'a str,
        /// Phase.
        phase: &'a Phase,
        /// Steps of the whole run.
        total: u64,
    },
    /// A step was done.
    Step {
        /// Steps of the run done.
        step: u64,
        /// Steps of the whole run.
        total: u64,
        /// Steps per second of this process.
        rate: f64,
    },
    /// A validation was done.
    Validated(&'a TrainingPoint),
    /// A run was found and goes on.
    Resumed {
        /// Steps of the run done.
        step: u64,
    },
}

/// Listens to a run.
pub trait TrainObserver {
    /// Called for every event.
    fn on_event(&self, event: &TrainEvent);
}

impl TrainObserver for () {
    fn on_event(&self, _: &TrainEvent) {}
}
