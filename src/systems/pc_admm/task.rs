//! PC-ADMM networks as a training task: layer by layer, and end to end.
//!
//! Loss of a joint phase: NMSE of the last estimate, `sum |X - truth|^2 / sum |truth|^2` over the batch, plus `detection`
//! times the cross-entropy of the activities per device in nats, plus `auxiliary` times one K-th of the sums of the NMSE of
//! the earlier layers and of `detection` times the cross-entropy of every layer's attention. A layer-wise phase trains one
//! layer after another on the NMSE of its own output (with attention, and its cross-entropy), together with the correction
//! of the layer before it, which acts on this one alone; the rest stays as it is. The last one trains the decision about
//! activities too.

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::layer::CORRECTION;
use super::net::{Group, PcAdmmNet, PcAdmmPass, log_odds};
use crate::link::{Pilots, Split, StreamKey};
use crate::scenario::ScenarioConfig;
use crate::scenario::{Scenario, ScenarioError};
use crate::systems::access::{DrawTensors, Labels, LinkSizes, cross_entropy, draw, normalised_mse, wrong_sides};
use crate::systems::pc_admm::AdmmConfig;
use crate::tensor::complex::{stack_pilots, synthesis_matrix};
use crate::training::{Phase, RateGroup, TrainError, TrainTask, Validation};
use crate::training::{PhaseConfig, PhaseKind, TrainingConfig};

/// Validation frames of one forward pass.
const CHUNK: usize = 128;
/// Largest norm of the gradient of one parameter.
const CLIP: f32 = 1.0;

/// A network, its scenario and its schedule.
pub struct PcAdmmTask {
    label: String,
    admm: AdmmConfig,
    training: TrainingConfig,
    sizes: LinkSizes,
    seed: u64,
    pilots: Arc<Pilots>,
    train: Scenario,
    device: Device,
    validation: Vec<DrawTensors>,
    /// Phases, each with its entry of the schedule and, layer by layer, its layer.
    schedule: Vec<(Phase, usize, Option<usize>)>,
}

impl PcAdmmTask {
    /// Draws the validation frames; `scenario` is the one to train for, `device` a plain device.
    ///
    /// # Errors
    /// [`ScenarioError`] when the scenario cannot be prepared.
    pub fn new(
        label: &str,
        scenario: &ScenarioConfig,
        seed: u64,
        admm: &AdmmConfig,
        training: &TrainingConfig,
        device: &Device,
    ) -> Result<Self, ScenarioError> {
        let train = Scenario::new(scenario, seed, Split::Train)?;
        let held_out = Scenario::new(scenario, seed, Split::Validation)?;
        let pilots = Arc::clone(&train.pilots(0));
        let frames = training.validation_frames;
        let chunk = |first: usize| {
            let draws = draw(&held_out, first as u64, CHUNK.min(frames - first));
            DrawTensors::new(&draws, 1, pilots.energy(), device)
        };
        Ok(Self {
            label: label.to_owned(),
            sizes: LinkSizes::of(scenario),
            validation: (0..frames).step_by(CHUNK).map(chunk).collect(),
            schedule: schedule(admm, training),
            admm: admm.clone(),
            training: training.clone(),
            seed,
            pilots,
            train,
            device: device.clone(),
        })
    }

    /// The pilots of the link.
    pub fn pilots(&self) -> &Arc<Pilots> {
        &self.pilots
    }

    /// Shapes of the network.
    pub fn sizes(&self) -> LinkSizes {
        self.sizes
    }

    fn config(&self, phase: &Phase) -> (&PhaseConfig, Option<usize>) {
        let (_, entry, layer) = &self.schedule[phase.index];
        (&self.training.phases[*entry], *layer)
    }

    fn run(&self, net: &PcAdmmNet, batch: &DrawTensors, phase: &Phase) -> PcAdmmPass {
        let s = stack_pilots(&self.pilots, &self.device);
        let frames = batch.observe(synthesis_matrix(s.clone()));
        let odds = log_odds(&self.train.config().activity_probs(), &self.device);
        match self.config(phase).1 {
            Some(layer) => net.forward(&frames, s, odds, layer + 1, Some(layer.saturating_sub(1))),
            None => net.forward(&frames, s, odds, net.layers.len(), None),
        }
    }

    /// NMSE of the last estimate, and the cross-entropy of what decides in this phase.
    fn main_loss(&self, out: &PcAdmmPass, labels: &Labels, phase: &Phase) -> Tensor<1> {
        let error = normalised_mse(out.x.last().expect("a layer ran").clone(), labels.x.clone());
        let entropy = |logits: &Tensor<2>| cross_entropy(logits.clone(), labels.sent.clone(), 1) * self.admm.detection;
        match self.config(phase).1 {
            Some(layer) if layer + 1 < self.admm.layers => match out.attended.last() {
                Some(logits) => error + entropy(logits),
                None => error,
            },
            _ => error + entropy(&out.logits),
        }
    }

    fn auxiliary_loss(&self, out: &PcAdmmPass, labels: &Labels) -> Option<Tensor<1>> {
        let (_, earlier) = out.x.split_last()?;
        let errors = earlier.iter().map(|x| normalised_mse(x.clone(), labels.x.clone()));
        let entropies = out
            .attended
            .iter()
            .map(|logits| cross_entropy(logits.clone(), labels.sent.clone(), 1) * self.admm.detection);
        errors.chain(entropies).reduce(|a, b| a + b).map(|sum| sum / self.admm.layers as f64)
    }
}

/// Phases of the run: a layer-wise entry is one phase per layer.
fn schedule(admm: &AdmmConfig, training: &TrainingConfig) -> Vec<(Phase, usize, Option<usize>)> {
    let mut out = Vec::new();
    for (entry, config) in training.phases.iter().enumerate() {
        let layers = match config.kind {
            PhaseKind::LayerWise => (0..admm.layers).map(Some).collect(),
            _ => vec![None],
        };
        for layer in layers {
            let name = layer.map_or_else(|| "joint".to_owned(), |t| format!("layer {}", t + 1));
            out.push((Phase { name, steps: config.steps, cosine: config.cosine, index: out.len() }, entry, layer));
        }
    }
    out
}

impl TrainTask for PcAdmmTask {
    type Net = PcAdmmNet;
    type Batch = DrawTensors;

    fn label(&self) -> &str {
        &self.label
    }

    fn fingerprint(&self) -> String {
        let text = serde_json::json!([self.train.config().named(), self.seed, self.admm, self.training]).to_string();
        crate::container::sha256_hex(text.as_bytes())
    }

    fn phases(&self) -> Vec<Phase> {
        self.schedule.iter().map(|(p, ..)| p.clone()).collect()
    }

    fn training(&self) -> &TrainingConfig {
        &self.training
    }

    fn clip(&self) -> Option<f32> {
        Some(CLIP)
    }

    fn init(&self) -> PcAdmmNet {
        let key = StreamKey::new(self.seed, Split::Train, "pc-admm-net");
        PcAdmmNet::init(&self.admm, &self.pilots, &self.sizes, &key, &self.device.clone().autodiff()).train()
    }

    fn groups(&self, net: &PcAdmmNet, phase: &Phase) -> Vec<RateGroup> {
        let (config, layer) = self.config(phase);
        let entries = net.index().entries;
        let last = layer.is_none_or(|t| t + 1 == self.admm.layers);
        let chosen = |path: &str| {
            let own = layer.is_none_or(|t| path.starts_with(&format!("layers.{t}.")));
            let before = layer.filter(|&t| t > 0).is_some_and(|t| {
                let prefix = format!("layers.{}.", t - 1);
                path.strip_prefix(&prefix).is_some_and(|name| CORRECTION.contains(&name))
            });
            own || before || path.starts_with("map") || (last && path.starts_with("head"))
        };
        // Entries of the maps are small and many, those of the dense layers neither: they learn at a rate in between.
        let between = (config.lr * config.scalar_lr).sqrt();
        [(Group::Map, config.lr), (Group::Dense, between), (Group::Scalar, config.scalar_lr)]
            .into_iter()
            .map(|(group, rate)| RateGroup {
                ids: entries.iter().filter(|(_, p, g, _)| *g == group && chosen(p)).map(|e| e.0).collect(),
                rate,
            })
            .filter(|g| !g.ids.is_empty())
            .collect()
    }

    fn batch(&self, step: u64, _: &Phase) -> Result<DrawTensors, TrainError> {
        let draws = draw(&self.train, self.training.first_frame(step), self.training.batch);
        Ok(DrawTensors::new(&draws, 1, self.pilots.energy(), &self.device))
    }

    fn loss(&self, net: &PcAdmmNet, batch: &DrawTensors, phase: &Phase) -> Tensor<1> {
        let out = self.run(net, batch, phase);
        let main = self.main_loss(&out, &batch.labels, phase);
        let (config, layer) = self.config(phase);
        if layer.is_some() || config.auxiliary == 0.0 {
            return main;
        }
        match self.auxiliary_loss(&out, &batch.labels) {
            Some(other) => main + other * config.auxiliary,
            None => main,
        }
    }

    fn validate(&self, net: &PcAdmmNet, phase: &Phase) -> Result<Validation, TrainError> {
        let read = |t: Tensor<1>| {
            let error = |message| TrainError::Device { label: self.label.clone(), message };
            t.try_into_scalar::<f32>().map(f64::from).map_err(|e| error(format!("{e:?}")))
        };
        let decides = self.config(phase).1.is_none_or(|t| t + 1 == self.admm.layers);
        let (mut loss, mut errors, mut seen) = (0.0, 0.0, 0_usize);
        for chunk in &self.validation {
            let out = self.run(net, chunk, phase);
            let count = chunk.beta.dims()[0];
            loss += read(self.main_loss(&out, &chunk.labels, phase))? * count as f64;
            seen += count;
            if decides {
                // Idle and active devices on the wrong side of even odds.
                errors += read(wrong_sides(out.logits, chunk.labels.sent.clone()))?;
            }
        }
        let decisions = (seen * self.sizes.devices) as f64;
        Ok(Validation { loss: loss / seen as f64, ser: decides.then(|| errors / decisions), ber: None })
    }
}
