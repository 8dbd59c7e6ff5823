//! Instance normalisation "++": plain instance normalisation forgets the mean of a channel; this one gives it back relative
//! to the means of the other channels.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

const EPSILON: f64 = 1e-5;

/// `gamma (norm(x) + alpha m') + beta`, with `m'` the means of the channels, normalised over the channels.
#[derive(Module, Debug)]
pub struct InstanceNormPlus {
    /// Weight of the means, `[C]`; starts at 1.
    pub alpha: Param<Tensor<1>>,
    /// Scale, `[C]`; starts at 1.
    pub gamma: Param<Tensor<1>>,
    /// Shift, `[C]`; starts at 0.
    pub beta: Param<Tensor<1>>,
}

impl InstanceNormPlus {
    pub(super) fn init(channels: usize, device: &Device) -> Self {
        Self {
            alpha: Param::from_tensor(Tensor::ones([channels], device)),
            gamma: Param::from_tensor(Tensor::ones([channels], device)),
            beta: Param::from_tensor(Tensor::zeros([channels], device)),
        }
    }

    /// `x [B, C, H, W]` -> the same shape.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [b, c, h, w] = x.dims();
        let flat = x.reshape([b * c, h * w]);
        let mean = flat.clone().mean_dim(1);
        let centred = flat - mean.clone();
        let variance = centred.clone().powi_scalar(2).mean_dim(1);
        let normal = centred / (variance + EPSILON).sqrt();
        let means = mean.reshape([b, c]);
        let centred = means.clone() - means.mean_dim(1);
        // The unbiased variance, as in the published networks.
        let spread = centred.clone().powi_scalar(2).sum_dim(1) / (c.max(2) - 1) as f64;
        let relative = centred / (spread + EPSILON).sqrt();
        let per_channel = |t: &Param<Tensor<1>>| t.val().reshape([1, c, 1]);
        let relative = relative.reshape([b, c, 1]) * per_channel(&self.alpha);
        let y = (normal.reshape([b, c, h * w]) + relative) * per_channel(&self.gamma) + per_channel(&self.beta);
        y.reshape([b, c, h, w])
    }
}
