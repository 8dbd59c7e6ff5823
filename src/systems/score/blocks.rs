//! Pre-activation residual blocks.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::module::avg_pool2d;
use burn::tensor::ops::AvgPoolOptions;

use super::conv::{Conv, Init};
use super::norm::InstanceNormPlus;

/// What a residual block does to the size of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resample {
    /// Keeps it.
    None,
    /// Halves it (a mean over 2 x 2 pixels).
    Down,
    /// Keeps it, with taps at this distance (dilation) in place of a smaller image.
    Dilated(usize),
}

/// `shortcut(x) + conv2(act(norm2(conv1(act(norm1(x))))))`.
#[derive(Module, Debug)]
pub struct ResidualBlock {
    /// First normalisation.
    pub normalize1: InstanceNormPlus,
    /// First convolution.
    pub conv1: Conv,
    /// Second normalisation.
    pub normalize2: InstanceNormPlus,
    /// Second convolution.
    pub conv2: Conv,
    /// Of the shortcut, where size or width change.
    pub shortcut: Option<Conv>,
    /// Mean over 2 x 2 pixels at the end.
    pub halves: bool,
}

fn halve(x: Tensor<4>) -> Tensor<4> {
    avg_pool2d(x, AvgPoolOptions::new([2, 2]).with_stride([2, 2]))
}

impl ResidualBlock {
    /// `changes` is true for the first block of a stage of lower resolution (or dilated instead): its first convolution keeps
    /// the number of channels.
    pub(super) fn init(init: &mut Init<'_>, [inputs, outputs]: [usize; 2], resample: Resample, changes: bool) -> Self {
        let dilation = match resample {
            Resample::Dilated(d) => d,
            _ => 1,
        };
        let down = resample == Resample::Down;
        let middle = if changes { inputs } else { outputs };
        // A dilated shortcut where the published network has one; a single pixel otherwise.
        let kernel = if dilation > 1 { [3, 3] } else { [1, 1] };
        let needed = changes || inputs != outputs;
        Self {
            normalize1: InstanceNormPlus::init(inputs, init.device),
            conv1: Conv::init(init, [inputs, middle], [3, 3], dilation, true),
            normalize2: InstanceNormPlus::init(middle, init.device),
            conv2: Conv::init(init, [middle, outputs], [3, 3], dilation, true),
            shortcut: needed.then(|| Conv::init(init, [inputs, outputs], kernel, dilation, true)),
            halves: down,
        }
    }

    /// `x [B, C, H, W]` -> `[B, C', H, W]`, or half of H and W.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let y = self.conv1.activated(self.normalize1.forward(x.clone()));
        let y = self.conv2.activated(self.normalize2.forward(y));
        let around = match &self.shortcut {
            Some(conv) => conv.forward(x),
            None => x,
        };
        let y = y + around;
        if self.halves { halve(y) } else { y }
    }
}
