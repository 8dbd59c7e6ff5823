//! Dense layers in the layout with the frame last.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;

use crate::link::{Purpose, StreamKey};
use crate::tensor::dense;
use crate::training::Rated;

/// `W x + b`, `W [out, in]`, `x [in, F]`.
#[derive(Module, Debug)]
pub struct Dense {
    /// Weights, `[out, in]`.
    pub weight: Param<Tensor<2>>,
    /// Bias, `[out, 1]`.
    pub bias: Param<Tensor<2>>,
}

impl Dense {
    /// Weights uniform in `+-sqrt(6/in)` (He), bias zero. Drawn from a keyed stream: burn's own initialisers draw from
    /// one generator of the process, and a resumed run would start from other weights.
    fn init(key: &StreamKey, counter: u64, inputs: usize, outputs: usize, device: &Device) -> Self {
        let mut rng = key.rng(Purpose::Parameters, counter);
        let bound = (6.0 / inputs as f32).sqrt();
        let data: Vec<f32> = (0..inputs * outputs).map(|_| rng.random_range(-bound..bound)).collect();
        Self {
            weight: Param::from_data(TensorData::new(data, [outputs, inputs]), device),
            bias: Param::from_tensor(Tensor::zeros([outputs, 1], device)),
        }
    }

    /// All zero: an output layer whose network starts by changing nothing.
    fn zero(inputs: usize, outputs: usize, device: &Device) -> Self {
        Self {
            weight: Param::from_tensor(Tensor::zeros([outputs, inputs], device)),
            bias: Param::from_tensor(Tensor::zeros([outputs, 1], device)),
        }
    }

    /// `x [in, F]` -> `[out, F]`; negative results are cut off where `rectify`.
    pub fn forward(&self, x: Tensor<2>, rectify: bool) -> Tensor<2> {
        dense(self.weight.val(), x, self.bias.val(), rectify)
    }
}

/// Dense layers with ReLU between them.
#[derive(Module, Debug)]
pub struct Mlp {
    /// The layers, the last one linear.
    pub layers: Vec<Dense>,
}

impl Rated for Mlp {}

impl Mlp {
    /// `widths` are input, hidden layers, output. `zero_output` starts with an output of zero.
    pub fn init(key: &StreamKey, number: u64, widths: &[usize], zero_output: bool, device: &Device) -> Self {
        let last = widths.len() - 2;
        let layer = |(i, w): (usize, &[usize])| {
            if zero_output && i == last {
                Dense::zero(w[0], w[1], device)
            } else {
                Dense::init(key, number * 64 + i as u64, w[0], w[1], device)
            }
        };
        Self { layers: widths.windows(2).enumerate().map(layer).collect() }
    }

    /// `x [in, F]` -> `[out, F]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let last = self.layers.len() - 1;
        self.layers.iter().enumerate().fold(x, |x, (i, layer)| layer.forward(x, i < last))
    }
}

/// Real parameters of an MLP.
pub fn parameters(widths: &[usize]) -> usize {
    widths.windows(2).map(|w| (w[0] + 1) * w[1]).sum()
}
