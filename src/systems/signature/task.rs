//! Training of receivers, and of signatures with them (Algorithm 1).

use std::sync::Arc;

use burn::module::Module;
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
use crate::training::{Judged, Phase, PhaseKind, Plan, TrainError, TrainTask, TrainingConfig, Validation, in_chunks};

/// Frames drawn by one worker at a time.
const DRAW: usize = 64;
/// Validation frames of one forward pass.
const CHUNK: usize = 1024;

/// A receiver, its link and its schedule.
pub struct ReceiverTask {
    plan: Plan,
    config: ReceiverConfig,
    sizes: Sizes,
    alphabet: Alphabet,
    weights: Vec<f64>,
    source: Source,
    signatures: Arc<Pilots>,
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
        let validation =
            in_chunks(training.validation_frames, CHUNK, |first, count| held_out.draw(first, count, device));
        let (source, signatures) = (Source::new(noma, config, seed, Split::Train)?, signature_set(given, noma)?);
        let (link, s) = (source.scenario.config().canonical(), signatures.data());
        let s: Vec<[f64; 2]> = s.iter().map(|v| [v.re, v.im]).collect();
        let phases = training.unfold(0, |kind| if kind == PhaseKind::Receiver { "receiver" } else { "joint" });
        let plan =
            Plan::new(label, seed, training, phases, device, &serde_json::json!([link, s, seed, config, training]));
        let sizes = Sizes::of(noma);
        Ok(Self {
            plan,
            alphabet: sizes.alphabet(),
            weights: config.weights(noma.users),
            signatures: Arc::new(signatures),
            source,
            config: config.clone(),
            sizes,
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
        net.encoder.as_ref().map_or_else(|| stack_signatures(&self.signatures, &self.plan.device), |e| e.signatures())
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

    /// Wrong decisions and decisions, wrong bits and bits.
    fn count_errors(&self, out: &ReceiverOutput, draws: &DrawTensors) -> Result<[[f64; 2]; 2], TrainError> {
        let c = self.alphabet.symbols.len();
        let [users, _, frames] = draws.sent.dims();
        let scores = self.plan.values(out.scores(&self.alphabet))?;
        let sent = self.plan.values(draws.sent.clone())?;
        let (mut wrong, mut wrong_bits, mut bits) = (0_u64, 0_u64, 0_u64);
        for user in 0..users {
            for f in 0..frames {
                let at = |symbol: usize| (user * c + symbol) * frames + f;
                let decided = strongest(c, |symbol| scores[at(symbol)]);
                let truth = strongest(c, |symbol| sent[at(symbol)]);
                wrong += u64::from(decided != truth);
                let (errors, sent_bits) = bit_errors(truth, decided, c.ilog2());
                wrong_bits += u64::from(errors);
                bits += u64::from(sent_bits);
            }
        }
        Ok([[wrong as f64, (users * frames) as f64], [wrong_bits as f64, bits as f64]])
    }
}

impl TrainTask for ReceiverTask {
    type Net = ReceiverNet;
    type Batch = DrawTensors;

    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn init(&self) -> ReceiverNet {
        ReceiverNet::init(&self.config, &self.sizes, self.plan.seed, &self.plan.training_device()).train()
    }

    fn batch(&self, step: u64, _: &Phase) -> Result<DrawTensors, TrainError> {
        let training = &self.plan.training;
        Ok(self.source.draw(training.first_frame(step), training.batch, &self.plan.device))
    }

    fn loss(&self, net: &ReceiverNet, batch: &DrawTensors, phase: &Phase) -> Tensor<1> {
        let observed = batch.observe(self.signatures_of(net));
        let out = net.forward(&observed, &self.alphabet);
        self.with_correlation(self.loss_of(&out, batch, phase.config.auxiliary), net)
    }

    fn validate(&self, net: &ReceiverNet, _: &Phase) -> Result<Validation, TrainError> {
        let s = self.signatures_of(net);
        self.plan.validate(&self.validation, |chunk| {
            let out = net.forward(&chunk.observe(s.clone()), &self.alphabet);
            let loss = self.with_correlation(self.loss_of(&out, chunk, 0.0), net);
            let [symbols, bits] = self.count_errors(&out, chunk)?;
            Ok(Judged { frames: chunk.sent.dims()[2], loss, symbols: Some(symbols), bits: Some(bits) })
        })
    }
}
