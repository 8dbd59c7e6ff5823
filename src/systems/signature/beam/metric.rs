//! The metric as a module, and its copy on the host.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::features::count;
use crate::link::StreamKey;
use crate::systems::ModelError;
use crate::systems::dense::{Dense, Mlp};
use crate::systems::saved::values;
use crate::training::{Rated, Rates};

/// One MLP for every step but the last, after which nothing is undecided and the cost is exact.
#[derive(Module, Debug)]
pub struct BeamNet {
    /// MLP of each step, as many inputs as there are features, one output that is added to the cost.
    pub stages: Vec<Mlp>,
}

impl Rated for BeamNet {
    fn rates(&self, to: &mut Rates) {
        self.stages.rates(to);
    }
}

impl BeamNet {
    /// Fresh weights with outputs of zero. Without hidden layers the correction is linear in the features.
    pub fn init(key: &StreamKey, users: usize, hidden: &[usize], device: &Device) -> Self {
        let widths = |step: usize| [&[count(users, step)], hidden, &[1]].concat();
        let steps = 0..users.saturating_sub(1);
        Self { stages: steps.map(|step| Mlp::init(key, step as u64, &widths(step), true, device)).collect() }
    }

    /// Corrections of the rows of one step; `features [in, R]` -> `[1, R]`.
    pub fn forward(&self, step: usize, features: Tensor<2>) -> Tensor<2> {
        self.stages[step].forward(features)
    }

    /// The weights on the host.
    ///
    /// # Errors
    /// [`ModelError::Values`] when the device fails.
    pub fn to_host(&self) -> Result<HostMetric, ModelError> {
        let read = |name: &str, t: Tensor<2>| -> Result<Vec<f64>, ModelError> {
            Ok(values(name, t)?.into_iter().map(f64::from).collect())
        };
        let layer = |d: &Dense| Ok((read("weight", d.weight.val())?, read("bias", d.bias.val())?));
        let stages = self.stages.iter().map(|m| m.layers.iter().map(layer).collect()).collect::<Result<_, _>>()?;
        Ok(HostMetric { stages })
    }
}

/// Weights `[out, in]` and bias `[out]` of one layer.
type Layer = (Vec<f64>, Vec<f64>);

/// The metric as plain numbers.
#[derive(Debug, Clone)]
pub struct HostMetric {
    stages: Vec<Vec<Layer>>,
}

impl HostMetric {
    /// Whether a step is corrected.
    pub fn corrects(&self, step: usize) -> bool {
        step < self.stages.len()
    }

    /// Correction of one hypothesis; `buffers` are scratch.
    pub fn correction(&self, step: usize, features: &[f64], buffers: &mut [Vec<f64>; 2]) -> f64 {
        let layers = &self.stages[step];
        if let [(weight, bias)] = &layers[..] {
            return bias[0] + weight.iter().zip(features).map(|(w, x)| w * x).sum::<f64>();
        }
        let [now, next] = buffers;
        now.clear();
        now.extend_from_slice(features);
        for (i, (weight, bias)) in layers.iter().enumerate() {
            next.clear();
            next.extend(weight.chunks_exact(now.len()).zip(bias).map(|(w, b)| {
                let sum = b + w.iter().zip(&*now).map(|(w, x)| w * x).sum::<f64>();
                if i + 1 < layers.len() { sum.max(0.0) } else { sum }
            }));
            std::mem::swap(now, next);
        }
        now[0]
    }
}
