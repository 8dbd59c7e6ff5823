//! Layers and the decision in one module.

use burn::module::{Module, Param, ParamId, list_param_ids};
use burn::tensor::{Device, Tensor};

use super::attention::Attention;
use super::layer::{AdmmLayer, State, initial_map};
use super::start::Start;
use crate::link::{Pilots, StreamKey};
use crate::systems::access::FrameTensors;
use crate::systems::access::LinkSizes;
use crate::systems::pc_admm::{AdmmConfig, MapSharing};
use crate::tensor::complex::{analysis_matrix, synthesis_matrix};
use crate::training::{Rate, Rated, Rates};

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

impl Rated for PcAdmmNet {
    fn rates(&self, to: &mut Rates) {
        self.layers.rates(to);
        self.head.rates(to);
        if self.fixed_map {
            to.set(Rate::Fixed, &self.map);
        }
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

    /// Parameters of one layer, with the correction of the layer before it (which acts on this one alone), the shared
    /// matrix and, for the last layer, the decision.
    pub(super) fn layer_parameters(&self, t: usize) -> Vec<ParamId> {
        let mut ids = list_param_ids(&self.layers[t]);
        ids.extend(list_param_ids(&self.map));
        if let Some(before) = t.checked_sub(1) {
            ids.extend(self.layers[before].correction_parameters());
        }
        if t + 1 == self.layers.len() {
            ids.extend(list_param_ids(&self.head));
        }
        ids
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
