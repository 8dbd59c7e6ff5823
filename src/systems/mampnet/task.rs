//! DL-mAMPnet as a training task: layer-wise phases, refinement, joint phase (the schedule of the DL-mAMPnet paper and ours).

use std::sync::Arc;

use burn::module::{Module, ParamId};
use burn::tensor::{Device, Tensor};

use super::net::{MampNet, NetOutput, Side};
use crate::link::Pilots;
use crate::scenario::{ScenarioConfig, ScenarioError};
use crate::systems::access::{
    DrawTensors, FrameTensors, Labels, Source, cross_entropy, normalised_mse, output_cross_entropy,
};
use crate::systems::mampnet::ModelConfig;
use crate::tensor::complex::synthesis_matrix;
use crate::training::{Judged, Phase, PhaseKind, Plan, TrainError, TrainTask, TrainingConfig, Validation};

/// Validation frames of one forward pass.
const CHUNK: usize = 256;

/// A network, its scenario and its schedule.
pub struct MampTask {
    plan: Plan,
    model: ModelConfig,
    side: Side,
    source: Source,
}

/// Frames of one step with their truth.
#[expect(clippy::large_enum_variant, reason = "one value per step, and tensors are handles")]
pub enum StepBatch {
    /// Drawn; the network's own pilots make the frames inside the graph.
    Draws(DrawTensors),
    /// Made with fixed pilots on the host, with the sequences that were sent, one-hot `[F, K]`.
    Frames(FrameTensors, Tensor<2>),
}

/// What a loss compares with.
#[derive(Clone, Copy)]
enum Aim<'a> {
    /// True rows of X, `[F*M, 2K]`: of phases that train one layer on its own.
    Rows(&'a Tensor<2>),
    /// One-hot sent sequences, `[F, K]`.
    Sent(&'a Tensor<2>),
}

impl<'a> Aim<'a> {
    fn of(labels: &'a Labels, phase: &Phase) -> Self {
        if phase.layer.is_some() { Self::Rows(&labels.x) } else { Self::Sent(&labels.sent) }
    }
}

impl MampTask {
    /// Draws the validation frames and resolves the schedule; `device` is a plain device.
    ///
    /// # Errors
    /// [`ScenarioError`] when the scenario cannot be prepared.
    pub fn new(
        label: &str,
        scenario: &ScenarioConfig,
        seed: u64,
        model: &ModelConfig,
        training: &TrainingConfig,
        device: &Device,
    ) -> Result<Self, ScenarioError> {
        let source = Source::new(scenario, seed, training, CHUNK, device)?;
        let identity = serde_json::json!([source.scenario.config().named(), seed, model, training]);
        let name = |kind| if kind == PhaseKind::Refinement { "refinement" } else { "joint" };
        let phases = training.unfold(model.layers, name);
        let plan = Plan::new(label, seed, training, phases, device, &identity);
        Ok(Self { plan, model: model.clone(), side: Side::of(scenario), source })
    }

    /// The pilots training starts from.
    pub fn pilots(&self) -> &Arc<Pilots> {
        &self.source.pilots
    }

    /// Shapes of the network.
    pub fn side(&self) -> Side {
        self.side
    }

    fn run(&self, net: &MampNet, frames: &FrameTensors, s: Tensor<2>, phase: &Phase) -> NetOutput {
        match (phase.layer, phase.config.kind) {
            (Some(layer), _) => net.forward(frames, s, layer + 1, Some(layer)),
            (None, PhaseKind::Refinement) => net.forward(frames, s, net.full_depth(), Some(net.depth())),
            (None, _) => net.forward(frames, s, net.full_depth(), None),
        }
    }

    /// The loss of the output alone, by which checkpoints are chosen.
    fn main_loss(&self, out: &NetOutput, aim: Aim<'_>) -> Tensor<1> {
        match (aim, &out.stages) {
            (Aim::Rows(x), _) => normalised_mse(out.x.last().expect("a layer ran").clone(), x.clone()),
            (Aim::Sent(sent), Some(stages)) => output_cross_entropy(stages.alpha.clone(), sent.clone()),
            (Aim::Sent(sent), None) => cross_entropy(out.decision(), sent.clone(), self.side.sequences),
        }
    }

    /// The same with the auxiliary terms of a joint phase.
    fn loss_of(&self, out: &NetOutput, aim: Aim<'_>, phase: &Phase) -> Tensor<1> {
        let main = self.main_loss(out, aim);
        let Aim::Sent(sent) = aim else { return main };
        let auxiliary = phase.config.auxiliary;
        if phase.config.kind == PhaseKind::Refinement || auxiliary == 0.0 {
            return main;
        }
        let others = if out.stages.is_some() { &out.logits[..] } else { &out.logits[..out.logits.len() - 1] };
        others.iter().fold(main, |sum, logits| {
            let loss = cross_entropy(logits.clone(), sent.clone(), self.side.sequences);
            sum + loss * (auxiliary / others.len() as f64)
        })
    }
}

/// Devices whose most likely state is not the true one; one-hot `sent`, `q` sequences per device.
fn wrong_decisions(logits: &[f32], sent: &[f32], q: usize) -> u64 {
    let wrong = |(logits, sent): (&[f32], &[f32])| {
        let best = logits.iter().enumerate().fold((0, 0.0), |a, (i, &v)| if v > a.1 { (i + 1, v) } else { a }).0;
        let truth = sent.iter().position(|&v| v > 0.5).map_or(0, |i| i + 1);
        u64::from(best != truth)
    };
    logits.chunks_exact(q).zip(sent.chunks_exact(q)).map(wrong).sum()
}

impl TrainTask for MampTask {
    type Net = MampNet;
    type Batch = StepBatch;

    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn init(&self) -> MampNet {
        MampNet::init(&self.model, self.pilots(), self.side, &self.plan.training_device()).train()
    }

    fn trained(&self, net: &MampNet, phase: &Phase) -> Option<Vec<ParamId>> {
        match phase.layer {
            Some(t) => Some(net.layer_parameters(t)),
            None => (phase.config.kind == PhaseKind::Refinement).then(|| net.last_parameters()),
        }
    }

    fn batch(&self, step: u64, phase: &Phase) -> Result<StepBatch, TrainError> {
        if self.model.learn_pilots || phase.layer.is_some() {
            return Ok(StepBatch::Draws(self.source.batch(step, &self.plan)));
        }
        let draws = self.source.draws(step, &self.plan);
        let batch = draws.observe(self.pilots())?;
        let frames = FrameTensors::from_frames(&batch, &self.plan.device);
        Ok(StepBatch::Frames(frames, Labels::one_hot(&draws, self.side.sequences, &self.plan.device)))
    }

    fn loss(&self, net: &MampNet, batch: &StepBatch, phase: &Phase) -> Tensor<1> {
        let s = net.pilots(self.pilots(), &self.plan.device);
        match batch {
            StepBatch::Draws(d) => {
                let frames = d.observe(synthesis_matrix(s.clone()));
                self.loss_of(&self.run(net, &frames, s, phase), Aim::of(&d.labels, phase), phase)
            }
            StepBatch::Frames(frames, sent) => self.loss_of(&self.run(net, frames, s, phase), Aim::Sent(sent), phase),
        }
    }

    fn validate(&self, net: &MampNet, phase: &Phase) -> Result<Validation, TrainError> {
        let s = net.pilots(self.pilots(), &self.plan.device);
        let synthesis = synthesis_matrix(s.clone());
        self.plan.validate(&self.source.validation, |chunk| {
            let frames = chunk.observe(synthesis.clone());
            let count = frames.beta.dims()[0];
            let out = self.run(net, &frames, s.clone(), phase);
            let loss = self.main_loss(&out, Aim::of(&chunk.labels, phase));
            let symbols = match phase.layer {
                Some(_) => None,
                None => {
                    let logits = self.plan.values(out.decision())?;
                    let sent = self.plan.values(chunk.labels.sent.clone())?;
                    let wrong = wrong_decisions(&logits, &sent, self.side.sequences);
                    Some([wrong as f64, (count * self.side.devices) as f64])
                }
            };
            Ok(Judged { frames: count, loss, symbols, bits: None })
        })
    }
}
