//! The score network.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::blocks::{Resample, ResidualBlock};
use super::conv::{Conv, Init};
use super::function::{ScoreFunction, ScoreModel};
use super::norm::InstanceNormPlus;
use super::refine::RefineBlock;
use crate::config::ScoreConfig;
use crate::scenario::StreamKey;

/// NCSNv2 with `depth` = 3, smaller with less: the first stage after the fine one halves the image, the others dilate by 2
/// and 4.
#[derive(Module, Debug)]
pub struct ScoreNet {
    /// 2 -> width.
    pub begin_conv: Conv,
    /// Stages of two residual blocks each, from fine to coarse.
    pub stages: Vec<Vec<ResidualBlock>>,
    /// Refinement from coarse to fine.
    pub refine: Vec<RefineBlock>,
    /// Before the last convolution.
    pub normalizer: InstanceNormPlus,
    /// width -> 2.
    pub end_conv: Conv,
}

impl ScoreModel for ScoreNet {
    fn init(config: &ScoreConfig, key: &StreamKey, device: &Device) -> Self {
        let (narrow, wide) = (config.width, 2 * config.width);
        let init = &mut Init::new(key, device);
        let begin_conv = Conv::init(init, [2, narrow], [3, 3], 1, true);
        let stage = |init: &mut Init<'_>, inputs: usize, outputs: usize, resample: Resample, changes: bool| {
            let second = if resample == Resample::Down { Resample::None } else { resample };
            vec![
                ResidualBlock::init(init, [inputs, outputs], resample, changes),
                ResidualBlock::init(init, [outputs, outputs], second, false),
            ]
        };
        let mut stages = vec![stage(init, narrow, narrow, Resample::None, false)];
        let kinds = [Resample::Down, Resample::Dilated(2), Resample::Dilated(4)];
        for (i, kind) in kinds.into_iter().take(config.depth).enumerate() {
            stages.push(stage(init, if i == 0 { narrow } else { wide }, wide, kind, true));
        }
        let widths: Vec<usize> = (0..stages.len()).map(|i| if i == 0 { narrow } else { wide }).collect();
        // From the coarsest stage on; the last two give the narrow width.
        let mut refine = Vec::new();
        let mut above = None;
        for i in (0..stages.len()).rev() {
            let outputs = if i <= 1 { narrow } else { wide };
            match above {
                None => refine.push(RefineBlock::init(init, &[widths[i]], widths[i], false)),
                Some(c) => refine.push(RefineBlock::init(init, &[widths[i], c], outputs, i == 0)),
            }
            above = Some(if above.is_none() { widths[i] } else { outputs });
        }
        Self {
            begin_conv,
            stages,
            refine,
            normalizer: InstanceNormPlus::init(narrow, device),
            end_conv: Conv::init(init, [narrow, 2], [3, 3], 1, true),
        }
    }
}

impl ScoreFunction for ScoreNet {
    fn score(&self, x: Tensor<4>, sigma: Tensor<4>) -> Tensor<4> {
        let mut images = Vec::with_capacity(self.stages.len());
        let mut h = self.begin_conv.forward(x);
        for stage in &self.stages {
            h = stage.iter().fold(h, |h, block| block.forward(h));
            images.push(h.clone());
        }
        let mut refined: Option<Tensor<4>> = None;
        for (block, image) in self.refine.iter().zip(images.into_iter().rev()) {
            let [_, _, height, width] = image.dims();
            let inputs = std::iter::once(image).chain(refined).collect();
            refined = Some(block.forward(inputs, [height, width]));
        }
        let h = refined.expect("at least one stage");
        self.end_conv.activated(self.normalizer.forward(h)) / sigma
    }

    fn parameters(&self) -> usize {
        self.num_params()
    }
}
