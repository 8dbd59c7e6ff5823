//! What a system defines so that it can be trained: data, losses, phases.

use burn::module::ParamId;
use burn::tensor::Tensor;

use super::curve::TrainingPoint;
use super::error::TrainError;
use super::parameters::{RateGroup, Rated, rate_groups};
use super::plan::{Phase, Plan};

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
    type Net: Rated + 'static;
    /// Frames of one step on the training device.
    type Batch: Send;

    /// Largest norm of the gradient of each parameter; larger ones are scaled down. Default: no limit.
    const CLIP: Option<f32> = None;

    /// Name, schedule, device and identity.
    fn plan(&self) -> &Plan;
    /// A fresh network on the training (autodiff) device.
    fn init(&self) -> Self::Net;
    /// Parameters that a phase may train; `None` for all. Default: all.
    fn trained(&self, _net: &Self::Net, _phase: &Phase) -> Option<Vec<ParamId>> {
        None
    }
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

    /// Phases in order.
    fn phases(&self) -> &[Phase] {
        &self.plan().phases
    }
    /// Parameters a phase trains, by learning rate.
    fn groups(&self, net: &Self::Net, phase: &Phase) -> Vec<RateGroup> {
        rate_groups(net, &phase.config, self.trained(net, phase).as_deref())
    }
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
    fn on_event(&self, event: &TrainEvent<'_>);
}

impl TrainObserver for () {
    fn on_event(&self, _: &TrainEvent<'_>) {}
}
