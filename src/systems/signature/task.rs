//! Training of receivers, and of signatures with them (Algorithm 1).

use std::sync::Arc;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Tensor};
use rand::RngExt;
use rayon::prelude::*;

use super::link::{DrawTensors, stack_signatures};
use super::loss::{cross_entropy, weighted_mse};
use super::net::{ReceiverNet, ReceiverOutput, Sizes, strongest};
use super::soft_sic::Alphabet;
use crate::link::{Pilots, Purpose, Split, StreamKey};
use crate::metrics::bit_errors;
use crate::scenario::signatures::signature_set;
use crate::scenario::{NomaConfig, ScenarioConfig, ScenarioKind, SignatureKind};
use crate::scenario::{Realizations, Scenario, ScenarioError};
use crate::systems::signature::ReceiverConfig;
use crate::training::{Phase, RateGroup, TrainError, TrainTask, Validation};
use crate::training::{PhaseKind, TrainingConfig};

/// Frames drawn by one worker at a time.
const DRAW: usize = 64;
/// Validation frames of one forward pass.
const CHUNK: usize = 1024;

/// A receiver, its link and its schedule.
pub struct ReceiverTask {
    label: String,
    config: ReceiverConfig,
    training: TrainingConfig,
    sizes: Sizes,
    alphabet: Alphabet,
    weights: Vec<f64>,
    seed: u64,
    source: Source,
    signatures: Arc<Pilots>,
    device: Device,
    validation: Vec<DrawTensors>,
}

/// Draws of the training stream, each frame at one of the noise levels.
struct Source {
    scenario: Scenario,
    levels: StreamKey,
    noise_var: Vec<f64>,
}

impl Source {
    fn new(noma: &NomaConfig, config: &ReceiverConfig, seed: u64, split: Split) -> Result<Self, ScenarioError> {
        // The level is drawn for every frame: one network serves all points of a sweep over the SNR.
        let noma = NomaConfig { snr_db: 0.0, ..noma.clone() };
        let noise_var = config.training_snr_db.iter().map(|snr| noma.noise_var_at(*snr)).collect();
        let scenario = ScenarioConfig { kind: ScenarioKind::Noma, noma: Some(noma), ..Default::default() };
        let levels = StreamKey::new(seed, split, format!("noise levels {}", scenario.canonical()));
        Ok(Self { scenario: Scenario::new(&scenario, seed, split)?, levels, noise_var })
    }

    fn draw(&self, first: u64, count: usize, device: &Device) -> DrawTensors {
        let parts: Vec<Realizations> = (0..count.div_ceil(DRAW))
            .into_par_iter()
            .map(|i| self.scenario.realize(first + (i * DRAW) as u64, DRAW.min(count - i * DRAW)))
            .collect();
        let levels = self.levels.family(Purpose::Noise);
        let level = |f: u64| self.noise_var[levels.rng(f).random_range(0..self.noise_var.len())];
        let noise_var: Vec<f64> = (first..first + count as u64).map(level).collect();
        DrawTensors::new(&Realizations::concat(parts), &noise_var, device)
    }
}

/// Tells the signatures from the other parameters.
#[derive(Default)]
struct Parts {
    path: Vec<String>,
    signatures: Vec<ParamId>,
    others: Vec<ParamId>,
}

impl ModuleVisitor for Parts {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let target = if self.path.iter().any(|p| p == "encoder") { &mut self.signatures } else { &mut self.others };
        target.push(param.id);
    }
}

impl ReceiverTask {
    /// Draws the validation frames; `device` is a plain device, `given` the signatures when they are not learned.
    ///
    /// # Errors
    /// [`ScenarioError`] when the signatures do not exist.
    pub fn new(
        label: &str,
        noma: &NomaConfig,
        given: SignatureKind,
        seed: u64,
        config: &ReceiverConfig,
        training: &TrainingConfig,
        device: &Device,
    ) -> Result<Self, ScenarioError> {
        let held_out = Source::new(noma, config, seed, Split::Validation)?;
        let frames = training.validation_frames;
        let validation = (0..frames)
            .step_by(CHUNK)
            .map(|first| held_out.draw(first as u64, CHUNK.min(frames - first), device))
            .collect();
        let sizes = Sizes::of(noma);
        Ok(Self {
            label: label.to_owned(),
            alphabet: sizes.alphabet(),
            weights: config.weights(noma.users),
            signatures: Arc::new(signature_set(given, noma)?),
            source: Source::new(noma, config, seed, Split::Train)?,
            config: config.clone(),
            training: training.clone(),
            sizes,
            seed,
            device: device.clone(),
            validation,
        })
    }

    /// Shapes of the network.
    pub fn sizes(&self) -> &Sizes {
        &self.sizes
    }

    /// The given signatures.
    pub fn signatures(&self) -> &Arc<Pilots> {
        &self.signatures
    }

    fn signatures_of(&self, net: &ReceiverNet) -> Tensor<2> {
        net.encoder.as_ref().map_or_else(|| stack_signatures(&self.signatures, &self.device), |e| e.signatures())
    }

    fn with_correlation(&self, loss: Tensor<1>, net: &ReceiverNet) -> Tensor<1> {
        match &net.encoder {
            Some(encoder) if self.config.correlation > 0.0 => {
                loss + encoder.correlation(&self.sizes.prob) * self.config.correlation
            }
            _ => loss,
        }
    }

    fn loss_of(&self, out: &ReceiverOutput, draws: &DrawTensors, auxiliary: f64) -> Tensor<1> {
        match out {
            ReceiverOutput::Estimate(x) => {
                weighted_mse(x.clone(), draws.x.clone(), &self.weights, self.config.fairness)
            }
            ReceiverOutput::Logits(rounds) => {
                let of =
                    |l: &Tensor<3>| cross_entropy(l.clone(), draws.sent.clone(), &self.weights, self.config.fairness);
                let (last, earlier) = rounds.split_last().expect("at least one round");
                let main = of(last);
                if auxiliary == 0.0 {
                    return main;
                }
                earlier.iter().fold(main, |sum, l| sum + of(l) * (auxiliary / earlier.len() as f64))
            }
        }
    }
}

impl TrainTask for ReceiverTask {
    type Net = ReceiverNet;
    type Batch = DrawTensors;

    fn label(&self) -> &str {
        &self.label
    }

    fn fingerprint(&self) -> String {
        let text = serde_json::json!([
            self.source.scenario.config().canonical(),
            self.signatures.data().iter().map(|v| [v.re, v.im]).collect::<Vec<_>>(),
            self.seed,
            self.config,
            self.training
        ]);
        crate::container::sha256_hex(text.to_string().as_bytes())
    }

    fn phases(&self) -> Vec<Phase> {
        let name = |kind| match kind {
            PhaseKind::Receiver => "receiver",
            _ => "joint",
        };
        let of = |(index, p): (usize, &crate::training::PhaseConfig)| Phase {
            name: name(p.kind).into(),
            steps: p.steps,
            cosine: p.cosine,
            index,
        };
        self.training.phases.iter().enumerate().map(of).collect()
    }

    fn training(&self) -> &TrainingConfig {
        &self.training
    }

    fn init(&self) -> ReceiverNet {
        ReceiverNet::init(&self.config, &self.sizes, self.seed, &self.device.clone().autodiff()).train()
    }

    fn groups(&self, net: &ReceiverNet, phase: &Phase) -> Vec<RateGroup> {
        let config = &self.training.phases[phase.index];
        let mut found = Parts::default();
        net.visit(&mut found);
        let mut groups = vec![RateGroup { ids: found.others, rate: config.lr }];
        if config.kind == PhaseKind::Joint && !found.signatures.is_empty() {
            groups.push(RateGroup { ids: found.signatures, rate: config.pilot_lr });
        }
        groups
    }

    fn batch(&self, step: u64, _: &Phase) -> Result<DrawTensors, TrainError> {
        Ok(self.source.draw(self.training.first_frame(step), self.training.batch, &self.device))
    }

    fn loss(&self, net: &ReceiverNet, batch: &DrawTensors, phase: &Phase) -> Tensor<1> {
        let observed = batch.observe(self.signatures_of(net));
        let out = net.forward(&observed, &self.alphabet);
        let loss = self.loss_of(&out, batch, self.training.phases[phase.index].auxiliary);
        self.with_correlation(loss, net)
    }

    fn validate(&self, net: &ReceiverNet, _: &Phase) -> Result<Validation, TrainError> {
        let device_error = |message: String| TrainError::Device { label: self.label.clone(), message };
        let s = self.signatures_of(net);
        let c = self.alphabet.symbols.len();
        let bits = c.ilog2();
        let (mut loss, mut seen, mut wrong, mut decisions) = (0.0, 0, 0_u64, 0_u64);
        let (mut wrong_bits, mut all_bits) = (0_u64, 0_u64);
        for chunk in &self.validation {
            let out = net.forward(&chunk.observe(s.clone()), &self.alphabet);
            let value = self
                .with_correlation(self.loss_of(&out, chunk, 0.0), net)
                .try_into_scalar::<f32>()
                .map_err(|e| device_error(format!("{e:?}")))?;
            let read = |t: Tensor<3>| -> Result<Vec<f32>, TrainError> {
                let data = t.try_into_data().map_err(|e| device_error(e.to_string()))?;
                data.convert::<f32>().try_into_vec().map_err(|e| device_error(format!("{e:?}")))
            };
            let [users, _, frames] = chunk.sent.dims();
            let (scores, sent) = (read(out.scores(&self.alphabet))?, read(chunk.sent.clone())?);
            loss += f64::from(value) * frames as f64;
            seen += frames;
            for user in 0..users {
                for f in 0..frames {
                    let at = |symbol: usize| (user * c + symbol) * frames + f;
                    let decided = strongest(c, |symbol| scores[at(symbol)]);
                    let truth = strongest(c, |symbol| sent[at(symbol)]);
                    wrong += u64::from(decided != truth);
                    decisions += 1;
                    let (errors, sent_bits) = bit_errors(truth, decided, bits);
                    wrong_bits += u64::from(errors);
                    all_bits += u64::from(sent_bits);
                }
            }
        }
        Ok(Validation {
            loss: loss / seen as f64,
            ser: Some(wrong as f64 / decisions as f64),
            ber: (all_bits > 0).then(|| wrong_bits as f64 / all_bits as f64),
        })
    }
}
