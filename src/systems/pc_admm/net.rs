//! Layers and the decision in one module.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Tensor};

use super::attention::Attention;
use super::layer::{AdmmLayer, State, initial_map};
use super::start::Start;
use crate::link::{Pilots, StreamKey};
use crate::systems::access::FrameTensors;
use crate::systems::access::LinkSizes;
use crate::systems::pc_admm::{AdmmConfig, MapSharing};
use crate::tensor::complex::{analysis_matrix, synthesis_matrix};

/// An unfolded PC-ADMM.
#[derive(Module, Debug)]
pub struct PcAdmmNet {
    /// The matrix of all layers, where they share one: `W^H` in the layout of the pilots, `[2L, K]`, or a real `[2L, 2K]`.
    pub map: Option<Param<Tensor<2>>>,
    /// The layers.
    pub layers: Vec<AdmmLayer>,
    /// The decision about activities.
    pub head: Attention,
    /// Whether the shared matrix stays as it is.
    pub fixed_map: bool,
}

/// What the layers find in F frames.
#[derive(Debug, Clone)]
pub struct PcAdmmPass {
    /// Estimates of every layer that ran, `[F*M, 2K]`.
    pub x: Vec<Tensor<2>>,
    /// Logits of the attention of every layer that has one, `[F, K]`.
    pub attended: Vec<Tensor<2>>,
    /// Logits of the activities after the last layer that ran, `[F, K]`.
    pub logits: Tensor<2>,
}

/// Learning-rate group of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    /// The matrices of the layers.
    Map,
    /// Dense layers of the attention.
    Dense,
    Scalar,
}

/// Parameters with their path, group and number of real values.
#[derive(Debug, Default)]
pub(super) struct ParameterIndex {
    path: Vec<String>,
    pub entries: Vec<(ParamId, String, Group, usize)>,
}

impl ModuleVisitor for ParameterIndex {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path = self.path.join(".");
        let group = if path.starts_with("map") || path.ends_with(".b") {
            Group::Map
        } else if path.ends_with(".weight") || path.ends_with(".bias") {
            Group::Dense
        } else {
            Group::Scalar
        };
        self.entries.push((param.id, path, group, param.lazy_shape().num_elements()));
    }
}

impl PcAdmmNet {
    /// An untrained network: its estimate is that of K iterations of pc-admm at its defaults.
    pub fn init(config: &AdmmConfig, pilots: &Pilots, sizes: &LinkSizes, key: &StreamKey, device: &Device) -> Self {
        let start = Start::of(pilots, sizes);
        let own = config.sharing == MapSharing::PerLayer;
        let layer = |t| AdmmLayer::init(config, &start, own, key, t, device);
        Self {
            map: (!own).then(|| initial_map(&start, config.map, device)),
            layers: (0..config.layers as u64).map(layer).collect(),
            head: Attention::init(&start, config.hidden, key, config.layers as u64, device),
            fixed_map: config.sharing == MapSharing::Fixed,
        }
    }

    /// Runs the first `depth` layers; `detach_before` cuts the graph before a layer. `s [2L, K]` are the pilots the frames
    /// were made with, `log_odds [1, K]` of the activity of each device.
    pub fn forward(
        &self,
        frames: &FrameTensors,
        s: Tensor<2>,
        log_odds: Tensor<2>,
        depth: usize,
        detach_before: Option<usize>,
    ) -> PcAdmmPass {
        let k = s.dims()[1];
        let synthesis = synthesis_matrix(s);
        let matrix = |stored: Tensor<2>| if stored.dims()[1] == k { analysis_matrix(stored) } else { stored };
        let shared = self.map.as_ref().map(|m| matrix(m.val()));
        let (mut state, mut x, mut attended, mut last) = (State::default(), Vec::new(), Vec::new(), None);
        for (t, layer) in self.layers.iter().take(depth).enumerate() {
            if detach_before == Some(t) {
                state = state.detach();
            }
            let analysis = layer.b.as_ref().map(|b| matrix(b.val())).or_else(|| shared.clone());
            let analysis = analysis.expect("a layer has its own matrix or shares one");
            let step = layer.run(state, frames, synthesis.clone(), analysis, log_odds.clone());
            state = step.state;
            x.push(step.x);
            attended.extend(step.logits);
            last = Some(step.rows);
        }
        let logits = self.head.look(&last.expect("at least one layer ran")).logits;
        PcAdmmPass { x, attended, logits }
    }

    pub(super) fn index(&self) -> ParameterIndex {
        let mut index = ParameterIndex::default();
        self.visit(&mut index);
        if self.fixed_map {
            index.entries.retain(|(_, path, ..)| !path.starts_with("map"));
        }
        index
    }

    /// Trained real parameters.
    pub fn parameters(&self) -> usize {
        self.index().entries.iter().map(|e| e.3).sum()
    }
}

/// Log-odds of activity as the network takes them, `[1, N]`.
pub(super) fn log_odds(activity_prob: &[f64], device: &Device) -> Tensor<2> {
    let odds = |&p: &f64| {
        let p = p.clamp(1e-6, 1.0 - 1e-6);
        (p / (1.0 - p)).ln() as f32
    };
    let data: Vec<f32> = activity_prob.iter().map(odds).collect();
    let n = data.len();
    Tensor::from_data(burn::tensor::TensorData::new(data, [1, n]), device)
}
