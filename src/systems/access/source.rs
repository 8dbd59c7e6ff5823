//! Where the frames of a training come from.

use std::sync::Arc;

use burn::tensor::Device;

use super::inputs::{DrawTensors, draw};
use crate::link::{Pilots, Split};
use crate::scenario::{Realizations, Scenario, ScenarioConfig, ScenarioError};
use crate::training::{Plan, TrainingConfig, in_chunks};

/// Draws of the training stream, validation frames that are drawn once, and the pilots that training starts from.
pub(in crate::systems) struct Source {
    /// Training stream.
    pub scenario: Scenario,
    /// Pilots that training starts from, or keeps.
    pub pilots: Arc<Pilots>,
    /// Validation frames in chunks.
    pub validation: Vec<DrawTensors>,
}

impl Source {
    /// Draws the validation frames in chunks of `chunk`; `device` is a plain device.
    pub fn new(
        scenario: &ScenarioConfig,
        seed: u64,
        training: &TrainingConfig,
        chunk: usize,
        device: &Device,
    ) -> Result<Self, ScenarioError> {
        let train = Scenario::new(scenario, seed, Split::Train)?;
        let held_out = Scenario::new(scenario, seed, Split::Validation)?;
        let pilots = train.pilots(0);
        let validation = in_chunks(training.validation_frames, chunk, |first, count| {
            DrawTensors::new(&draw(&held_out, first, count), pilots.sequences(), pilots.energy(), device)
        });
        Ok(Self { scenario: train, pilots, validation })
    }

    /// Draws of a step.
    pub fn draws(&self, step: u64, plan: &Plan) -> Realizations {
        draw(&self.scenario, plan.training.first_frame(step), plan.training.batch)
    }

    /// The same as tensors.
    pub fn batch(&self, step: u64, plan: &Plan) -> DrawTensors {
        DrawTensors::new(&self.draws(step, plan), self.pilots.sequences(), self.pilots.energy(), &plan.device)
    }
}
