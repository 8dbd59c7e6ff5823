//! The search with a trained metric.

use super::features::Scratch;
use super::metric::{BeamNet, HostMetric};
use crate::detect::Order;
use crate::detect::beam_sic;
use crate::detect::beam_sic::{extend, keep};
use crate::detect::spreading::link::{Link, LinkDetector, LinkModel, detect_link};
use crate::link::FrameBatch;
use crate::link::{Decisions, DetectError, Detector};
use crate::systems::ModelError;
use crate::systems::signature::ReceiverConfig;
use crate::training::Rated;

/// Beam search with a learned metric. It serves any signatures of the users it was trained for.
#[derive(Debug)]
pub struct BeamDetector {
    metric: HostMetric,
    beam: usize,
    window: f64,
    users: usize,
    parameters: usize,
}

/// Buffers of one thread.
#[derive(Default)]
pub struct Workspace {
    beam: beam_sic::Workspace,
    scratch: Scratch,
    row: Vec<f64>,
    buffers: [Vec<f64>; 2],
}

impl BeamDetector {
    /// A metric with the beam and window of a configuration.
    ///
    /// # Errors
    /// [`ModelError::Values`] when the weights cannot be read from the device.
    pub fn new(net: &BeamNet, config: &ReceiverConfig) -> Result<Self, ModelError> {
        let (beam, window) = (config.beam, config.window());
        let (metric, parameters) = (net.to_host()?, net.trained_parameters());
        Ok(Self { metric, beam, window, users: net.stages.len() + 1, parameters })
    }
}

impl LinkDetector for BeamDetector {
    const NAME: &'static str = "beam-metric";
    type Workspace = Workspace;

    fn check(&self, model: &LinkModel<'_>, _: &FrameBatch) -> Result<(), DetectError> {
        if model.users == self.users {
            return Ok(());
        }
        Err(DetectError::Mismatch(format!(
            "the model was trained for {} users, the frames have {}",
            self.users, model.users
        )))
    }

    fn frame(
        &self,
        model: &LinkModel<'_>,
        link: &Link,
        _: Option<&[i64]>,
        work: &mut Workspace,
        activity: &mut [i64],
        score: &mut [f64],
    ) {
        work.beam.start(model, link, Order::Sinr);
        for step in 0..model.users {
            extend(model, link, &mut work.beam, step);
            work.beam.prune(self.window);
            correct(&self.metric, model, link, work, step, self.beam);
            keep(model, link, &mut work.beam, step, self.beam);
        }
        work.beam.decide(model, link, activity, score);
    }
}

/// Adds the corrections of a step where they matter: with no more extensions than places all survive.
fn correct(metric: &HostMetric, model: &LinkModel<'_>, link: &Link, work: &mut Workspace, step: usize, beam: usize) {
    let Workspace { beam: search, scratch, row, buffers } = work;
    if !metric.corrects(step) || search.extensions.len() <= beam {
        return;
    }
    scratch.prepare(model, link, search, step);
    let mut extensions = std::mem::take(&mut search.extensions);
    for e in &mut extensions {
        row.clear();
        scratch.row(model, search, step, e, row);
        e.cost += metric.correction(step, row, buffers);
    }
    search.extensions = extensions;
}

impl Detector for BeamDetector {
    fn detect(&self, frames: &FrameBatch) -> Result<Decisions, DetectError> {
        detect_link(self, frames)
    }

    fn parameters(&self) -> usize {
        self.parameters
    }
}
