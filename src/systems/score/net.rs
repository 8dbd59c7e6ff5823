//! The score network.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::blocks::{Resample, ResidualBlock};
use super::conv::{Conv, Init};
use super::function::{ScoreFunction, ScoreModel};
use super::norm::InstanceNormPlus;
use super::refine::RefineBlock;
use crate::link::StreamKey;
use crate::systems::score::{ScoreArchitecture, ScoreConfig};
use crate::training::Rated;

/// Width (in units of the first stage's) and change of size of every stage after the first. Three, four and five are the
/// published NCSNv2, NCSNv2Deeper and NCSNv2Deepest; one and two are the first stages of NCSNv2.
pub(super) fn stages_after_first(depth: usize) -> &'static [(usize, Resample)] {
    use Resample::{Dilated, Down};
    const PUBLISHED: [&[(usize, Resample)]; 3] = [
        &[(2, Down), (2, Dilated(2)), (2, Dilated(4))],
        &[(2, Down), (2, Down), (4, Dilated(2)), (4, Dilated(4))],
        &[(2, Down), (2, Down), (2, Down), (4, Dilated(2)), (4, Dilated(4))],
    ];
    match depth {
        0..=3 => &PUBLISHED[0][..depth],
        4 => PUBLISHED[1],
        _ => PUBLISHED[2],
    }
}

/// NCSNv2 and its relatives, see [`ScoreConfig::depth`].
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
    /// False where the first convolution takes 2x - 1 instead of x.
    pub rescaled: bool,
}

impl Rated for ScoreNet {}

impl ScoreModel for ScoreNet {
    const ARCHITECTURE: ScoreArchitecture = ScoreArchitecture::Refine;

    fn init(config: &ScoreConfig, key: &StreamKey, device: &Device) -> Self {
        let narrow = config.width;
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
        let mut widths = vec![narrow];
        for &(width, resample) in stages_after_first(config.depth) {
            let outputs = width * narrow;
            stages.push(stage(init, widths[widths.len() - 1], outputs, resample, true));
            widths.push(outputs);
        }
        // From the coarsest stage on, which keeps its width; the others give that of the next finer stage.
        let mut refine = Vec::new();
        let mut above = None;
        for i in (0..stages.len()).rev() {
            let outputs = if above.is_none() { widths[i] } else { widths[i.saturating_sub(1)] };
            let inputs: Vec<usize> = std::iter::once(widths[i]).chain(above).collect();
            refine.push(RefineBlock::init(init, &inputs, outputs, above.is_some() && i == 0));
            above = Some(outputs);
        }
        Self {
            begin_conv,
            stages,
            refine,
            normalizer: InstanceNormPlus::init(narrow, device),
            end_conv: Conv::init(init, [narrow, 2], [3, 3], 1, true),
            rescaled: config.rescaled,
        }
    }
}

impl ScoreFunction for ScoreNet {
    fn smallest_side(&self) -> usize {
        1 << self.stages.iter().flatten().filter(|block| block.halves).count()
    }

    fn score(&self, x: Tensor<4>, sigma: Tensor<4>) -> Tensor<4> {
        let mut images = Vec::with_capacity(self.stages.len());
        let mut h = self.begin_conv.forward(if self.rescaled { x } else { x * 2.0 - 1.0 });
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
