//! Instance normalisation "++": plain instance normalisation forgets the mean of a channel; this one gives it back relative
//! to the means of the other channels.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use crate::tensor::norm_plus;

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
        norm_plus(x, self.alpha.val(), self.gamma.val(), self.beta.val())
    }
}
