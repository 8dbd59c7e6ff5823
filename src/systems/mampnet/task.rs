//! DL-mAMPnet as a training task: layer-wise phases, refinement, joint phase (the paper's schedule and ours).

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::net::{Group, MampNet, NetOutput, Side};
use crate::link::{Pilots, Split};
use crate::scenario::ScenarioConfig;
use crate::scenario::{Scenario, ScenarioError};
use crate::systems::access::{
    DrawTensors, FrameTensors, Labels, cross_entropy, draw, normalised_mse, output_cross_entropy,
};
use crate::systems::mampnet::ModelConfig;
use crate::tensor::complex::{stack_pilots, synthesis_matrix};
use crate::training::{Phase, RateGroup, TrainError, TrainTask, Validation};
use crate::training::{PhaseKind, TrainingConfig};

/// Validation frames of one forward pass.
const CHUNK: usize = 256;

/// A network, its scenario and its schedule.
pub struct MampTask {
    label: String,
    model: ModelConfig,
    training: TrainingConfig,
    side: Side,
    seed: u64,
    pilots: Arc<Pilots>,
    train: Scenario,
    device: Device,
    validation: Vec<DrawTensors>,
    schedule: Vec<(Phase, usize)>,
}

/// Frames of one step with their truth.
pub enum StepBatch {
    /// Drawn; the network's own pilots make the frames inside the graph.
    Draws(DrawTensors),
    /// Made with fixed pilots on the host.
    Frames(FrameTensors, Labels),
}

/// Shapes of the networks of a scenario.
pub fn side_of(scenario: &ScenarioConfig) -> Side {
    Side {
        devices: scenario.devices,
        sequences: scenario.sequences(),
        pilot_length: scenario.pilot_length,
        antennas: scenario.antennas,
        activity_prob: scenario.effective_activity_prob(),
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
        let train = Scenario::new(scenario, seed, Split::Train)?;
        let held_out = Scenario::new(scenario, seed, Split::Validation)?;
        let frames = training.validation_frames;
        let validation = (0..frames)
            .step_by(CHUNK)
            .map(|first| {
                let draws = draw(&held_out, first as u64, CHUNK.min(frames - first));
                DrawTensors::new(&draws, scenario.sequences(), train.pilots(0).energy(), device)
            })
            .collect();
        Ok(Self {
            label: label.to_owned(),
            side: side_of(scenario),
            pilots: train.pilots(0),
            schedule: schedule(model, training),
            model: model.clone(),
            training: training.clone(),
            seed,
            train,
            device: device.clone(),
            validation,
        })
    }

    /// The pilots training starts from.
    pub fn pilots(&self) -> &Arc<Pilots> {
        &self.pilots
    }

    /// Shapes of the network.
    pub fn side(&self) -> Side {
        self.side
    }

    fn kind(&self, phase: &Phase) -> (PhaseKind, usize, f64) {
        let config = &self.training.phases[self.schedule[phase.index].1];
        let layer = match config.kind {
            PhaseKind::LayerWise => {
                self.schedule[..phase.index].iter().filter(|(_, c)| *c == self.schedule[phase.index].1).count()
            }
            _ => 0,
        };
        (config.kind, layer, config.auxiliary)
    }

    fn run(&self, net: &MampNet, frames: &FrameTensors, s: Tensor<2>, phase: &Phase) -> NetOutput {
        match self.kind(phase) {
            (PhaseKind::LayerWise, layer, _) => net.forward(frames, s, layer + 1, Some(layer)),
            (PhaseKind::Refinement, ..) => net.forward(frames, s, net.full_depth(), Some(net.depth())),
            (PhaseKind::Joint | PhaseKind::Receiver, ..) => net.forward(frames, s, net.full_depth(), None),
        }
    }

    fn loss_of(&self, out: &NetOutput, labels: &Labels, phase: &Phase) -> Tensor<1> {
        let (kind, _, auxiliary) = self.kind(phase);
        let q = self.side.sequences;
        if kind == PhaseKind::LayerWise {
            return normalised_mse(out.x.last().expect("a layer ran").clone(), labels.x.clone());
        }
        let main = match &out.stages {
            Some(stages) => output_cross_entropy(stages.alpha.clone(), labels.sent.clone()),
            None => cross_entropy(out.decision(), labels.sent.clone(), q),
        };
        if kind == PhaseKind::Refinement || auxiliary == 0.0 {
            return main;
        }
        let others = if out.stages.is_some() { &out.logits[..] } else { &out.logits[..out.logits.len() - 1] };
        others.iter().fold(main, |sum, logits| {
            sum + cross_entropy(logits.clone(), labels.sent.clone(), q) * (auxiliary / others.len() as f64)
        })
    }

    fn wants_x(&self, phase: &Phase) -> bool {
        self.kind(phase).0 == PhaseKind::LayerWise
    }
}

/// Phases of the run, each with the index of its `[[phases]]` entry.
fn schedule(model: &ModelConfig, training: &TrainingConfig) -> Vec<(Phase, usize)> {
    let mut out: Vec<(Phase, usize)> = Vec::new();
    for (c, config) in training.phases.iter().enumerate() {
        let names: Vec<String> = match config.kind {
            PhaseKind::LayerWise => (1..=model.layers).map(|t| format!("layer {t}")).collect(),
            PhaseKind::Refinement => vec!["refinement".into()],
            PhaseKind::Joint | PhaseKind::Receiver => vec!["joint".into()],
        };
        for name in names {
            out.push((Phase { name, steps: config.steps, cosine: config.cosine, index: out.len() }, c));
        }
    }
    out
}

impl TrainTask for MampTask {
    type Net = MampNet;
    type Batch = StepBatch;

    fn label(&self) -> &str {
        &self.label
    }

    fn fingerprint(&self) -> String {
        let text = serde_json::json!([self.train.config().named(), self.seed, self.model, self.training]).to_string();
        crate::container::sha256_hex(text.as_bytes())
    }

    fn phases(&self) -> Vec<Phase> {
        self.schedule.iter().map(|(p, _)| p.clone()).collect()
    }

    fn training(&self) -> &TrainingConfig {
        &self.training
    }

    fn init(&self) -> MampNet {
        MampNet::init(&self.model, &self.pilots, self.side, &self.device.clone().autodiff()).train()
    }

    fn groups(&self, net: &MampNet, phase: &Phase) -> Vec<RateGroup> {
        let config = &self.training.phases[self.schedule[phase.index].1];
        let (kind, layer, _) = self.kind(phase);
        let entries = net.parameters().entries;
        let after_layers = entries.iter().any(|(_, p, ..)| p.contains("refinement") || p.contains("covariance"));
        let chosen = |path: &str| match kind {
            PhaseKind::Joint | PhaseKind::Receiver => true,
            PhaseKind::LayerWise => path.contains(&format!("layers.{layer}.")),
            PhaseKind::Refinement if after_layers => path.contains("refinement") || path.contains("covariance"),
            PhaseKind::Refinement => path.contains(&format!("layers.{}.", net.depth() - 1)),
        };
        [(Group::Matrix, config.lr), (Group::Scalar, config.scalar_lr), (Group::Pilots, config.pilot_lr)]
            .into_iter()
            .map(|(group, rate)| RateGroup {
                ids: entries.iter().filter(|(_, p, g, _)| *g == group && chosen(p)).map(|e| e.0).collect(),
                rate,
            })
            .filter(|g| !g.ids.is_empty())
            .collect()
    }

    fn batch(&self, step: u64, phase: &Phase) -> Result<StepBatch, TrainError> {
        let draws = draw(&self.train, self.training.first_frame(step), self.training.batch);
        let q = self.side.sequences;
        if self.model.learn_pilots || self.wants_x(phase) {
            return Ok(StepBatch::Draws(DrawTensors::new(&draws, q, self.pilots.energy(), &self.device)));
        }
        let batch = draws.observe(&self.pilots)?;
        let frames = FrameTensors::from_frames(&batch, &self.device);
        let labels = Labels { sent: Labels::one_hot(&draws, q, &self.device), x: frames.beta.clone() };
        Ok(StepBatch::Frames(frames, labels))
    }

    fn loss(&self, net: &MampNet, batch: &StepBatch, phase: &Phase) -> Tensor<1> {
        let device = self.device.clone();
        let s = net.pilots(&self.pilots, &device);
        match batch {
            StepBatch::Draws(d) => {
                let frames = d.observe(synthesis_matrix(s.clone()));
                self.loss_of(&self.run(net, &frames, s, phase), &d.labels, phase)
            }
            StepBatch::Frames(frames, labels) => self.loss_of(&self.run(net, frames, s, phase), labels, phase),
        }
    }

    fn validate(&self, net: &MampNet, phase: &Phase) -> Result<Validation, TrainError> {
        let q = self.side.sequences;
        let device_error = |message: String| TrainError::Device { label: self.label.clone(), message };
        let s = net.pilots(&self.pilots, &self.device);
        let synthesis = synthesis_matrix(match net.learns_pilots() {
            true => s.clone(),
            false => stack_pilots(&self.pilots, &self.device),
        });
        let (mut loss, mut errors, mut frames_seen) = (0.0, 0_u64, 0_usize);
        let decides = !self.wants_x(phase);
        for chunk in &self.validation {
            let frames = chunk.observe(synthesis.clone());
            let count = frames.beta.dims()[0];
            let out = self.run(net, &frames, s.clone(), phase);
            let value = self
                .loss_of_validation(&out, &chunk.labels, phase)
                .try_into_scalar::<f32>()
                .map_err(|e| device_error(format!("{e:?}")))?;
            loss += f64::from(value) * count as f64;
            frames_seen += count;
            if decides {
                let read = |t: Tensor<2>| -> Result<Vec<f32>, TrainError> {
                    let data = t.try_into_data().map_err(|e| device_error(e.to_string()))?;
                    data.convert::<f32>().try_into_vec().map_err(|e| device_error(format!("{e:?}")))
                };
                let (logits, sent) = (read(out.decision())?, read(chunk.labels.sent.clone())?);
                for (logits, sent) in logits.chunks_exact(q).zip(sent.chunks_exact(q)) {
                    let best =
                        logits.iter().enumerate().fold((0, 0.0), |a, (i, &v)| if v > a.1 { (i + 1, v) } else { a }).0;
                    let truth = sent.iter().position(|&v| v > 0.5).map_or(0, |i| i + 1);
                    errors += u64::from(best != truth);
                }
            }
        }
        let decisions = (frames_seen * self.side.devices) as f64;
        Ok(Validation { loss: loss / frames_seen as f64, ser: decides.then(|| errors as f64 / decisions), ber: None })
    }
}

impl MampTask {
    /// Checkpoints are chosen by the loss of the output alone, without the auxiliary terms.
    fn loss_of_validation(&self, out: &NetOutput, labels: &Labels, phase: &Phase) -> Tensor<1> {
        if self.wants_x(phase) {
            return normalised_mse(out.x.last().expect("a layer ran").clone(), labels.x.clone());
        }
        match &out.stages {
            Some(stages) => output_cross_entropy(stages.alpha.clone(), labels.sent.clone()),
            None => cross_entropy(out.decision(), labels.sent.clone(), self.side.sequences),
        }
    }
}
