//! Refinement: residual units, fusion of resolutions, chained pooling.

use burn::module::Module;
use burn::tensor::Tensor;

use super::conv::{Conv, Init};
use super::resize::resize;
use crate::tensor::{exp_linear, max_pool_same};

/// Blocks of two convolutions (activation first, no bias), each block with a shortcut.
#[derive(Module, Debug)]
pub struct ResidualUnits {
    /// Two convolutions per block.
    pub convs: Vec<Vec<Conv>>,
}

impl ResidualUnits {
    fn init(init: &mut Init<'_>, channels: usize, blocks: usize) -> Self {
        let block = |_| (0..2).map(|_| Conv::init(init, [channels, channels], [3, 3], 1, false)).collect();
        Self { convs: (0..blocks).map(block).collect() }
    }

    /// Keeps the shape.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.convs.iter().fold(x, |x, block| block.iter().fold(x.clone(), |y, conv| conv.activated(y)) + x)
    }
}

/// Two max-poolings over 5 x 5 pixels, each followed by a convolution; all stages are summed.
#[derive(Module, Debug)]
pub struct ChainedPooling {
    /// One convolution per stage.
    pub convs: Vec<Conv>,
}

impl ChainedPooling {
    fn init(init: &mut Init<'_>, channels: usize) -> Self {
        Self { convs: (0..2).map(|_| Conv::init(init, [channels, channels], [3, 3], 1, false)).collect() }
    }

    /// Keeps the shape.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let start = exp_linear(x);
        let (sum, _) = self.convs.iter().fold((start.clone(), start), |(sum, path), conv| {
            let path = conv.forward(max_pool_same(path, 5));
            (sum + path.clone(), path)
        });
        sum
    }
}

/// Sums images of several resolutions after one convolution each.
#[derive(Module, Debug)]
pub struct Fusion {
    /// One convolution per image.
    pub convs: Vec<Conv>,
}

impl Fusion {
    fn init(init: &mut Init<'_>, inputs: &[usize], outputs: usize) -> Self {
        Self { convs: inputs.iter().map(|&c| Conv::init(init, [c, outputs], [3, 3], 1, true)).collect() }
    }

    fn forward(&self, images: Vec<Tensor<4>>, size: [usize; 2]) -> Tensor<4> {
        let parts = self.convs.iter().zip(images).map(|(conv, x)| resize(conv.forward(x), size));
        parts.reduce(|a, b| a + b).expect("at least one image")
    }
}

/// Residual units per input, fusion, chained pooling, residual units.
#[derive(Module, Debug)]
pub struct RefineBlock {
    /// Two blocks for every input.
    pub adapt_convs: Vec<ResidualUnits>,
    /// Where there is more than one input.
    pub msf: Option<Fusion>,
    /// Pooling.
    pub crp: ChainedPooling,
    /// One block, three at the end of the network.
    pub output_convs: ResidualUnits,
}

impl RefineBlock {
    pub(super) fn init(init: &mut Init<'_>, inputs: &[usize], outputs: usize, last: bool) -> Self {
        Self {
            adapt_convs: inputs.iter().map(|&c| ResidualUnits::init(init, c, 2)).collect(),
            msf: (inputs.len() > 1).then(|| Fusion::init(init, inputs, outputs)),
            crp: ChainedPooling::init(init, outputs),
            output_convs: ResidualUnits::init(init, outputs, if last { 3 } else { 1 }),
        }
    }

    /// Images `[B, C_i, h_i, w_i]` -> `[B, C, H, W]`.
    pub fn forward(&self, images: Vec<Tensor<4>>, size: [usize; 2]) -> Tensor<4> {
        let mut adapted: Vec<Tensor<4>> =
            self.adapt_convs.iter().zip(images).map(|(units, x)| units.forward(x)).collect();
        let x = match &self.msf {
            Some(fusion) => fusion.forward(adapted, size),
            None => adapted.remove(0),
        };
        self.output_convs.forward(self.crp.forward(x))
    }
}
