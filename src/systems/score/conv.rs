//! Convolutions that keep the size of the image.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;

use crate::link::{Purpose, StreamKey};
use crate::tensor::conv_same;

/// Numbers the layers of a network, so that each draws its weights from a stream of its own.
pub(super) struct Init<'a> {
    key: &'a StreamKey,
    next: u64,
    /// Where the weights live.
    pub device: &'a Device,
}

impl<'a> Init<'a> {
    pub fn new(key: &'a StreamKey, device: &'a Device) -> Self {
        Self { key, next: 0, device }
    }

    /// `count` numbers, uniform in `+-bound`.
    pub fn uniform(&mut self, count: usize, bound: f32) -> Vec<f32> {
        let mut rng = self.key.rng(Purpose::Parameters, self.next);
        self.next += 1;
        (0..count).map(|_| rng.random_range(-bound..bound)).collect()
    }
}

/// A convolution with zero padding, `[B, C, H, W]` -> `[B, C', H, W]`.
#[derive(Module, Debug)]
pub struct Conv {
    /// `[C', C, k, k']`, both sizes odd.
    pub weight: Param<Tensor<4>>,
    /// `[C']`.
    pub bias: Option<Param<Tensor<1>>>,
    /// Distance between the taps.
    pub dilation: usize,
}

impl Conv {
    /// All weights zero.
    pub(super) fn zeros([inputs, outputs]: [usize; 2], [height, width]: [usize; 2], device: &Device) -> Self {
        Self {
            weight: Param::from_tensor(Tensor::zeros([outputs, inputs, height, width], device)),
            bias: Some(Param::from_tensor(Tensor::zeros([outputs], device))),
            dilation: 1,
        }
    }

    /// Weights uniform in `+-1/sqrt(fan in)`, bias zero.
    pub(super) fn init(
        init: &mut Init<'_>,
        channels: [usize; 2],
        [height, width]: [usize; 2],
        dilation: usize,
        bias: bool,
    ) -> Self {
        let [inputs, outputs] = channels;
        let fan_in = inputs * height * width;
        let data = init.uniform(outputs * fan_in, (fan_in as f32).sqrt().recip());
        Self {
            weight: Param::from_data(TensorData::new(data, [outputs, inputs, height, width]), init.device),
            bias: bias.then(|| Param::from_tensor(Tensor::zeros([outputs], init.device))),
            dilation,
        }
    }

    /// `x [B, C, H, W]` -> `[B, C', H, W]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.apply(x, false)
    }

    /// The same of the exponential linear unit of x.
    pub fn activated(&self, x: Tensor<4>) -> Tensor<4> {
        self.apply(x, true)
    }

    fn apply(&self, x: Tensor<4>, activate: bool) -> Tensor<4> {
        let weight = self.weight.val();
        let bias = match &self.bias {
            Some(bias) => bias.val(),
            None => Tensor::zeros([weight.dims()[0]], (&x.device(), x.dtype())),
        };
        conv_same(x, weight, bias, self.dilation, activate)
    }
}
