//! One type for both forms.

use burn::module::{Module, ParamId, list_param_ids};
use burn::tensor::{Device, Tensor};

use super::paper::PaperNet;
use super::refinement::Stages;
use super::shared::{Constants, SharedNet};
use crate::link::Pilots;
use crate::scenario::ScenarioConfig;
use crate::systems::ModelError;
use crate::systems::access::FrameTensors;
use crate::systems::mampnet::{ModelConfig, ModelForm};
use crate::tensor::complex::stack_pilots;
use crate::training::{Rated, Rates};

/// DL-mAMPnet in one of its forms.
#[expect(clippy::large_enum_variant, reason = "a process holds a handful of networks, and tensors are handles")]
#[derive(Module, Debug)]
pub enum MampNet {
    /// The form of the DL-mAMPnet paper.
    Paper(PaperNet),
    /// The antenna-shared form.
    Shared(SharedNet),
}

/// Sizes that fix the shapes of a network.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Side {
    /// Devices N.
    pub devices: usize,
    /// Sequences per device Q.
    pub sequences: usize,
    /// Pilot length L.
    pub pilot_length: usize,
    /// Antennas M.
    pub antennas: usize,
    /// Activity probability the priors start from.
    pub activity_prob: f64,
}

impl Side {
    /// Sizes of a scenario.
    pub fn of(scenario: &ScenarioConfig) -> Self {
        Self {
            devices: scenario.devices,
            sequences: scenario.sequences(),
            pilot_length: scenario.pilot_length,
            antennas: scenario.antennas,
            activity_prob: scenario.effective_activity_prob(),
        }
    }
}

/// Tensors that all frames of a forward pass share: pilots, and matrices computed from pilots and parameters.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The pilots the frames were made with, `[2L, K]`.
    s: Tensor<2>,
    /// Of the antenna-shared form.
    shared: Option<Constants>,
}

/// Results of a forward pass.
#[derive(Debug, Clone)]
pub struct NetOutput {
    /// Posterior logits of every layer, `[F, K]` each.
    pub logits: Vec<Tensor<2>>,
    /// Estimates of X of every AMP layer, `[F*M, 2K]` each.
    pub x: Vec<Tensor<2>>,
    /// Refinement stages (paper form).
    pub stages: Option<Stages>,
}

impl NetOutput {
    /// The logits a decision is made from: active when the largest of a device is above 0.
    pub fn decision(&self) -> Tensor<2> {
        match &self.stages {
            Some(s) => {
                let alpha = s.alpha.clone().clamp(1e-6, 1.0 - 1e-6);
                alpha.clone().log() - (alpha.neg() + 1.0).log()
            }
            None => self.logits.last().expect("a network has at least one layer").clone(),
        }
    }
}

impl Rated for MampNet {
    fn rates(&self, to: &mut Rates) {
        match self {
            Self::Paper(n) => n.rates(to),
            Self::Shared(n) => n.rates(to),
        }
    }
}

impl MampNet {
    /// An untrained network: equal to its classical algorithm.
    pub fn init(config: &ModelConfig, pilots: &Pilots, side: Side, device: &Device) -> Self {
        match config.form {
            ModelForm::Paper => Self::Paper(PaperNet::init(config, pilots, side.antennas, side.activity_prob, device)),
            ModelForm::Shared => Self::Shared(SharedNet::init(config, pilots, side.activity_prob, device)),
        }
    }

    /// AMP layers T.
    pub fn depth(&self) -> usize {
        match self {
            Self::Paper(n) => n.layers.len(),
            Self::Shared(n) => n.layers.len(),
        }
    }

    /// The depth at which everything runs.
    pub fn full_depth(&self) -> usize {
        self.depth() + 1
    }

    /// The pilots in force, `[2L, K]`: the learned ones, or those given.
    pub fn pilots(&self, fixed: &Pilots, device: &Device) -> Tensor<2> {
        match self {
            Self::Shared(SharedNet { pilots: Some(p), .. }) => p.columns(),
            _ => stack_pilots(fixed, device),
        }
    }

    /// The learned pilots on the host with columns of squared norm `energy`, where there are any.
    ///
    /// # Errors
    /// As [`to_host`](crate::systems::access::LearnedPilots::to_host).
    pub fn learned_pilots(&self, energy: f64) -> Result<Option<Pilots>, ModelError> {
        match self {
            Self::Shared(SharedNet { pilots: Some(p), sequences, .. }) => p.to_host(*sequences, energy).map(Some),
            _ => Ok(None),
        }
    }

    /// Runs the first `depth` layers, and what comes after them when `depth` is [`MampNet::full_depth`]; the state that
    /// enters layer `detach_before` is detached: no gradient reaches earlier layers.
    pub fn forward(
        &self,
        frames: &FrameTensors,
        s: Tensor<2>,
        depth: usize,
        detach_before: Option<usize>,
    ) -> NetOutput {
        self.forward_prepared(frames, &self.prepare(s, depth), depth, detach_before)
    }

    /// What is the same for all frames at a depth; `s [2L, K]`: the pilots the frames were made with.
    pub fn prepare(&self, s: Tensor<2>, depth: usize) -> Prepared {
        let shared = match self {
            Self::Paper(_) => None,
            Self::Shared(n) => Some(n.constants(s.clone(), depth)),
        };
        Prepared { s, shared }
    }

    /// [`MampNet::forward`] with what was prepared for the same depth by the same network.
    pub fn forward_prepared(
        &self,
        frames: &FrameTensors,
        prepared: &Prepared,
        depth: usize,
        detach_before: Option<usize>,
    ) -> NetOutput {
        let s = prepared.s.clone();
        match self {
            Self::Paper(n) => {
                let p = n.forward(frames, s, depth, detach_before);
                NetOutput { logits: p.logits, x: p.x, stages: p.stages }
            }
            Self::Shared(n) => {
                let constants = prepared.shared.as_ref().expect("prepared by this network");
                let p = n.forward(frames, s, constants, depth, detach_before);
                NetOutput { logits: p.logits, x: p.x, stages: None }
            }
        }
    }

    /// Parameters of an AMP layer.
    pub(super) fn layer_parameters(&self, t: usize) -> Vec<ParamId> {
        match self {
            Self::Paper(n) => list_param_ids(&n.layers[t]),
            Self::Shared(n) => list_param_ids(&n.layers[t]),
        }
    }

    /// Parameters of what comes after the AMP layers: the refinement module, the covariance layers, or else the last layer.
    pub(super) fn last_parameters(&self) -> Vec<ParamId> {
        let after = match self {
            Self::Paper(n) => list_param_ids(&n.refinement),
            Self::Shared(n) => list_param_ids(&n.covariance),
        };
        if after.is_empty() { self.layer_parameters(self.depth() - 1) } else { after }
    }
}
