//! PC-ADMM networks as a training task: layer by layer, and end to end.
//!
//! Loss of a joint phase: NMSE of the last estimate, `sum |X - truth|^2 / sum |truth|^2` over the batch, plus `detection`
//! times the cross-entropy of the activities per device in nats, plus `auxiliary` times one K-th of the sums of the NMSE of
//! the earlier layers and of `detection` times the cross-entropy of every layer's attention. A layer-wise phase trains one
//! layer after another on the NMSE of its own output (with attention, and its cross-entropy), together with the correction
//! of the layer before it, which acts on this one alone; the rest is frozen. The phase of the last layer trains the
//! decision about activities too.

use std::sync::Arc;

use burn::module::{Module, ParamId};
use burn::tensor::{Device, Tensor};

use super::net::{PcAdmmNet, PcAdmmPass, log_odds};
use crate::link::{Pilots, Split, StreamKey};
use crate::scenario::{ScenarioConfig, ScenarioError};
use crate::systems::access::{DrawTensors, Labels, LinkSizes, Source, cross_entropy, normalised_mse, wrong_sides};
use crate::systems::pc_admm::AdmmConfig;
use crate::tensor::complex::{stack_pilots, synthesis_matrix};
use crate::training::{Judged, Phase, Plan, TrainError, TrainTask, TrainingConfig, Validation};

/// Validation frames of one forward pass.
const CHUNK: usize = 128;

/// A network, its scenario and its schedule.
pub struct PcAdmmTask {
    plan: Plan,
    admm: AdmmConfig,
    sizes: LinkSizes,
    source: Source,
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
        let source = Source::new(scenario, seed, training, CHUNK, device)?;
        let identity = serde_json::json!([source.scenario.config().named(), seed, admm, training]);
        let phases = training.unfold(admm.layers, |_| "joint");
        let plan = Plan::new(label, seed, training, phases, device, &identity);
        Ok(Self { plan, sizes: LinkSizes::of(scenario), admm: admm.clone(), source })
    }

    /// The pilots of the link.
    pub fn pilots(&self) -> &Arc<Pilots> {
        &self.source.pilots
    }

    /// Shapes of the network.
    pub fn sizes(&self) -> LinkSizes {
        self.sizes
    }

    /// Whether the decision about activities is trained in a phase.
    fn decides(&self, phase: &Phase) -> bool {
        phase.layer.is_none_or(|t| t + 1 == self.admm.layers)
    }

    fn run(&self, net: &PcAdmmNet, batch: &DrawTensors, phase: &Phase) -> PcAdmmPass {
        let device = &self.plan.device;
        let s = stack_pilots(self.pilots(), device);
        let frames = batch.observe(synthesis_matrix(s.clone()));
        let odds = log_odds(&self.source.scenario.config().activity_probs(), device);
        match phase.layer {
            Some(layer) => net.forward(&frames, s, odds, layer + 1, Some(layer.saturating_sub(1))),
            None => net.forward(&frames, s, odds, net.layers.len(), None),
        }
    }

    /// NMSE of the last estimate, and the cross-entropy of what decides in this phase.
    fn main_loss(&self, out: &PcAdmmPass, labels: &Labels, phase: &Phase) -> Tensor<1> {
        let error = normalised_mse(out.x.last().expect("a layer ran").clone(), labels.x.clone());
        let entropy = |logits: &Tensor<2>| cross_entropy(logits.clone(), labels.sent.clone(), 1) * self.admm.detection;
        let logits = if self.decides(phase) { Some(&out.logits) } else { out.attended.last() };
        match logits {
            Some(logits) => error + entropy(logits),
            None => error,
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

impl TrainTask for PcAdmmTask {
    type Net = PcAdmmNet;
    type Batch = DrawTensors;

    const CLIP: Option<f32> = Some(1.0);

    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn init(&self) -> PcAdmmNet {
        let key = StreamKey::new(self.plan.seed, Split::Train, "pc-admm-net");
        PcAdmmNet::init(&self.admm, self.pilots(), &self.sizes, &key, &self.plan.training_device()).train()
    }

    fn trained(&self, net: &PcAdmmNet, phase: &Phase) -> Option<Vec<ParamId>> {
        phase.layer.map(|t| net.layer_parameters(t))
    }

    fn batch(&self, step: u64, _: &Phase) -> Result<DrawTensors, TrainError> {
        Ok(self.source.batch(step, &self.plan))
    }

    fn loss(&self, net: &PcAdmmNet, batch: &DrawTensors, phase: &Phase) -> Tensor<1> {
        let out = self.run(net, batch, phase);
        let main = self.main_loss(&out, &batch.labels, phase);
        let auxiliary = phase.config.auxiliary;
        if phase.layer.is_some() || auxiliary == 0.0 {
            return main;
        }
        match self.auxiliary_loss(&out, &batch.labels) {
            Some(other) => main + other * auxiliary,
            None => main,
        }
    }

    fn validate(&self, net: &PcAdmmNet, phase: &Phase) -> Result<Validation, TrainError> {
        self.plan.validate(&self.source.validation, |chunk| {
            let out = self.run(net, chunk, phase);
            let frames = chunk.beta.dims()[0];
            let loss = self.main_loss(&out, &chunk.labels, phase);
            // Idle and active devices on the wrong side of even odds.
            let wrong = || self.plan.scalar(wrong_sides(out.logits.clone(), chunk.labels.sent.clone()));
            let wrong = self.decides(phase).then(wrong).transpose()?;
            let symbols = wrong.map(|wrong| [wrong, (frames * self.sizes.devices) as f64]);
            Ok(Judged { frames, loss, symbols, bits: None })
        })
    }
}
