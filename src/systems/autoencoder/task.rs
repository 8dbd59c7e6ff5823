//! Auto-encoders as a training task (sections III-C and IV-B of paper B).

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::net::{AutoEncoder, Estimate, Group};
use crate::link::{Pilots, Split, StreamKey};
use crate::scenario::ScenarioConfig;
use crate::scenario::{Scenario, ScenarioError, read_pilots};
use crate::systems::access::{DrawTensors, FrameTensors, Labels, LinkSizes, cross_entropy, draw, wrong_sides};
use crate::systems::autoencoder::DecoderConfig;
use crate::tensor::complex::synthesis_matrix;
use crate::training::{Phase, RateGroup, TrainError, TrainTask, Validation};
use crate::training::{PhaseConfig, PhaseKind, TrainingConfig};

/// Validation frames of one forward pass.
const CHUNK: usize = 128;
/// Largest norm of the gradient of one parameter: a frame in which an unfolded algorithm runs away has a gradient of
/// thousands, which Adam would remember for a thousand steps.
const CLIP: f32 = 1.0;

/// An auto-encoder, its scenario and its schedule.
pub struct AutoEncoderTask {
    label: String,
    decoder: DecoderConfig,
    training: TrainingConfig,
    sizes: LinkSizes,
    seed: u64,
    pilots: Arc<Pilots>,
    train: Scenario,
    device: Device,
    validation: Vec<DrawTensors>,
}

impl AutoEncoderTask {
    /// Draws the validation frames; `device` is a plain device.
    ///
    /// # Errors
    /// [`ScenarioError`] when the scenario cannot be prepared.
    pub fn new(
        label: &str,
        scenario: &ScenarioConfig,
        seed: u64,
        decoder: &DecoderConfig,
        training: &TrainingConfig,
        device: &Device,
    ) -> Result<Self, ScenarioError> {
        let train = Scenario::new(scenario, seed, Split::Train)?;
        let held_out = Scenario::new(scenario, seed, Split::Validation)?;
        let drawn = train.pilots(0);
        let pilots = match &decoder.pilots_file {
            Some(path) => Arc::new(read_pilots(path, drawn.length(), drawn.columns(), drawn.energy())?),
            None => drawn,
        };
        let frames = training.validation_frames;
        let validation = (0..frames)
            .step_by(CHUNK)
            .map(|first| {
                let draws = draw(&held_out, first as u64, CHUNK.min(frames - first));
                DrawTensors::new(&draws, 1, pilots.energy(), device)
            })
            .collect();
        Ok(Self {
            label: label.to_owned(),
            sizes: LinkSizes::of(scenario),
            decoder: decoder.clone(),
            training: training.clone(),
            seed,
            pilots,
            train,
            device: device.clone(),
            validation,
        })
    }

    /// The pilots training starts from, or keeps.
    pub fn pilots(&self) -> &Arc<Pilots> {
        &self.pilots
    }

    /// Shapes of the network.
    pub fn sizes(&self) -> LinkSizes {
        self.sizes
    }

    fn phase(&self, phase: &Phase) -> &PhaseConfig {
        &self.training.phases[phase.index]
    }

    /// Loss of the estimate: mean squared error per device relative to the received power of an active one, or binary
    /// cross-entropy per device in nats.
    fn main_loss(&self, out: &Estimate, labels: &Labels, frames: &FrameTensors) -> Tensor<1> {
        match (&out.x, &out.logits) {
            (Some(x), _) if self.rows() => row_error(x, labels, frames),
            (_, Some(logits)) => cross_entropy(logits.clone(), labels.sent.clone(), 1),
            _ => unreachable!("a decoder estimates what its target names"),
        }
    }

    fn rows(&self) -> bool {
        self.decoder.target() == crate::systems::autoencoder::DecoderTarget::Signal
    }

    /// `auxiliary` times the mean of the same losses at earlier layers, and of the cross-entropy of logits on the way
    /// to rows.
    fn auxiliary_loss(&self, out: &Estimate, labels: &Labels, frames: &FrameTensors) -> Option<Tensor<1>> {
        let mut terms: Vec<Tensor<1>> = Vec::new();
        if self.rows() {
            terms.extend(out.earlier_x.iter().map(|x| row_error(x, labels, frames)));
        }
        let last = out.logits.iter().filter(|_| self.rows());
        terms.extend(out.earlier_logits.iter().chain(last).map(|l| cross_entropy(l.clone(), labels.sent.clone(), 1)));
        let count = terms.len() as f64;
        terms.into_iter().reduce(|a, b| a + b).map(|sum| sum / count)
    }
}

/// `sum |x - truth|^2/(F N beta)`.
fn row_error(x: &Tensor<2>, labels: &Labels, frames: &FrameTensors) -> Tensor<1> {
    let [f, n] = frames.beta.dims();
    let beta = frames.beta.clone().mean();
    (x.clone() - labels.x.clone()).powi_scalar(2).sum() / (beta * (f * n) as f64)
}

impl TrainTask for AutoEncoderTask {
    type Net = AutoEncoder;
    type Batch = DrawTensors;

    fn label(&self) -> &str {
        &self.label
    }

    fn fingerprint(&self) -> String {
        let given: Option<Vec<[f64; 2]>> =
            self.decoder.pilots_file.as_ref().map(|_| self.pilots.data().iter().map(|v| [v.re, v.im]).collect());
        let text =
            serde_json::json!([self.train.config().named(), self.seed, self.decoder, self.training, given]).to_string();
        crate::container::sha256_hex(text.as_bytes())
    }

    fn phases(&self) -> Vec<Phase> {
        let of = |(index, p): (usize, &PhaseConfig)| Phase {
            name: if p.kind == PhaseKind::Receiver { "decoder" } else { "joint" }.into(),
            steps: p.steps,
            cosine: p.cosine,
            index,
        };
        self.training.phases.iter().enumerate().map(of).collect()
    }

    fn training(&self) -> &TrainingConfig {
        &self.training
    }

    fn clip(&self) -> Option<f32> {
        Some(CLIP)
    }

    fn init(&self) -> AutoEncoder {
        let key = StreamKey::new(self.seed, Split::Train, "autoencoder");
        AutoEncoder::init(&self.decoder, &self.pilots, &self.sizes, &key, &self.device.clone().autodiff()).train()
    }

    fn groups(&self, net: &AutoEncoder, phase: &Phase) -> Vec<RateGroup> {
        let config = self.phase(phase);
        let entries = net.index().entries;
        let pilots = if config.kind == PhaseKind::Receiver { None } else { Some((Group::Pilots, config.pilot_lr)) };
        [(Group::Matrix, config.lr), (Group::Scalar, config.scalar_lr)]
            .into_iter()
            .chain(pilots)
            .map(|(group, rate)| RateGroup {
                ids: entries.iter().filter(|(_, g, _)| *g == group).map(|e| e.0).collect(),
                rate,
            })
            .filter(|g| !g.ids.is_empty())
            .collect()
    }

    fn batch(&self, step: u64, _: &Phase) -> Result<DrawTensors, TrainError> {
        let draws = draw(&self.train, self.training.first_frame(step), self.training.batch);
        Ok(DrawTensors::new(&draws, 1, self.pilots.energy(), &self.device))
    }

    fn loss(&self, net: &AutoEncoder, batch: &DrawTensors, phase: &Phase) -> Tensor<1> {
        let s = net.pilots(&self.pilots, &self.device);
        let frames = batch.observe(synthesis_matrix(s.clone()));
        let out = net.forward(&frames, s);
        let main = self.main_loss(&out, &batch.labels, &frames);
        let auxiliary = self.phase(phase).auxiliary;
        if auxiliary == 0.0 {
            return main;
        }
        match self.auxiliary_loss(&out, &batch.labels, &frames) {
            Some(other) => main + other * auxiliary,
            None => main,
        }
    }

    fn validate(&self, net: &AutoEncoder, _: &Phase) -> Result<Validation, TrainError> {
        let device_error = |message: String| TrainError::Device { label: self.label.clone(), message };
        let s = net.pilots(&self.pilots, &self.device);
        let synthesis = synthesis_matrix(s.clone());
        let (mut loss, mut errors, mut seen, mut decided) = (0.0, 0.0, 0_usize, false);
        for chunk in &self.validation {
            let frames = chunk.observe(synthesis.clone());
            let count = frames.beta.dims()[0];
            let out = net.forward(&frames, s.clone());
            let scalar = |t: Tensor<1>| t.try_into_scalar::<f32>().map_err(|e| device_error(format!("{e:?}")));
            loss += f64::from(scalar(self.main_loss(&out, &chunk.labels, &frames))?) * count as f64;
            seen += count;
            if let Some(logits) = out.logits {
                // Idle and active devices on the wrong side of even odds.
                errors += f64::from(scalar(wrong_sides(logits, chunk.labels.sent.clone()))?);
                decided = true;
            }
        }
        let decisions = (seen * self.sizes.devices) as f64;
        Ok(Validation { loss: loss / seen as f64, ser: decided.then(|| errors / decisions), ber: None })
    }
}
