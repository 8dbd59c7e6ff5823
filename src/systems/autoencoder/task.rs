//! Auto-encoders as a training task (sections III-C and IV-B of the auto-encoder paper).

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::net::{AutoEncoder, Estimate};
use super::{DecoderConfig, DecoderTarget};
use crate::link::{Pilots, Split, StreamKey};
use crate::scenario::{ScenarioConfig, ScenarioError, read_pilots};
use crate::systems::access::{DrawTensors, FrameTensors, Labels, LinkSizes, Source, cross_entropy, wrong_sides};
use crate::tensor::complex::synthesis_matrix;
use crate::training::{Judged, Phase, PhaseKind, Plan, TrainError, TrainTask, TrainingConfig, Validation};

/// Validation frames of one forward pass.
const CHUNK: usize = 128;

/// An auto-encoder, its scenario and its schedule.
pub struct AutoEncoderTask {
    plan: Plan,
    decoder: DecoderConfig,
    sizes: LinkSizes,
    source: Source,
}

impl AutoEncoderTask {
    /// Draws the validation frames; `device` is a plain device.
    ///
    /// # Errors
    /// [`ScenarioError`] when the scenario or the file of pilots cannot be prepared.
    pub fn new(
        label: &str,
        scenario: &ScenarioConfig,
        seed: u64,
        decoder: &DecoderConfig,
        training: &TrainingConfig,
        device: &Device,
    ) -> Result<Self, ScenarioError> {
        let mut source = Source::new(scenario, seed, training, CHUNK, device)?;
        let mut given: Option<Vec<[f64; 2]>> = None;
        if let Some(path) = &decoder.pilots_file {
            let drawn = source.pilots;
            source.pilots = Arc::new(read_pilots(path, drawn.length(), drawn.columns(), drawn.energy())?);
            given = Some(source.pilots.data().iter().map(|v| [v.re, v.im]).collect());
        }
        let identity = serde_json::json!([source.scenario.config().named(), seed, decoder, training, given]);
        let phases = training.unfold(0, |kind| if kind == PhaseKind::Receiver { "decoder" } else { "joint" });
        let plan = Plan::new(label, seed, training, phases, device, &identity);
        Ok(Self { plan, sizes: LinkSizes::of(scenario), decoder: decoder.clone(), source })
    }

    /// The pilots training starts from, or keeps.
    pub fn pilots(&self) -> &Arc<Pilots> {
        &self.source.pilots
    }

    /// Shapes of the network.
    pub fn sizes(&self) -> LinkSizes {
        self.sizes
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
        self.decoder.target() == DecoderTarget::Signal
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

    /// A frame in which an unfolded algorithm runs away has a gradient of thousands, which Adam would remember for a
    /// thousand steps.
    const CLIP: Option<f32> = Some(1.0);

    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn init(&self) -> AutoEncoder {
        let key = StreamKey::new(self.plan.seed, Split::Train, "autoencoder");
        AutoEncoder::init(&self.decoder, self.pilots(), &self.sizes, &key, &self.plan.training_device()).train()
    }

    fn batch(&self, step: u64, _: &Phase) -> Result<DrawTensors, TrainError> {
        Ok(self.source.batch(step, &self.plan))
    }

    fn loss(&self, net: &AutoEncoder, batch: &DrawTensors, phase: &Phase) -> Tensor<1> {
        let s = net.pilots(self.pilots(), &self.plan.device);
        let frames = batch.observe(synthesis_matrix(s.clone()));
        let out = net.forward(&frames, s);
        let main = self.main_loss(&out, &batch.labels, &frames);
        let auxiliary = phase.config.auxiliary;
        if auxiliary == 0.0 {
            return main;
        }
        match self.auxiliary_loss(&out, &batch.labels, &frames) {
            Some(other) => main + other * auxiliary,
            None => main,
        }
    }

    fn validate(&self, net: &AutoEncoder, _: &Phase) -> Result<Validation, TrainError> {
        let s = net.pilots(self.pilots(), &self.plan.device);
        let synthesis = synthesis_matrix(s.clone());
        self.plan.validate(&self.source.validation, |chunk| {
            let frames = chunk.observe(synthesis.clone());
            let count = frames.beta.dims()[0];
            let out = net.forward(&frames, s.clone());
            let loss = self.main_loss(&out, &chunk.labels, &frames);
            // Idle and active devices on the wrong side of even odds.
            let wrong = out.logits.map(|l| self.plan.scalar(wrong_sides(l, chunk.labels.sent.clone()))).transpose()?;
            let symbols = wrong.map(|wrong| [wrong, (count * self.sizes.devices) as f64]);
            Ok(Judged { frames: count, loss, symbols, bits: None })
        })
    }
}
