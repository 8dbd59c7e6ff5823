//! AMP-NN: unfolded AMP with a prior per device.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use crate::link::Pilots;
use crate::systems::access::{AmpLayer, AmpScalars, AmpState, AmpStep, FrameTensors, LinkSizes};
use crate::tensor::complex::synthesis_matrix;
use crate::training::{Rate, Rated, Rates};

/// Algorithm 2 with the matrix Onsager term, U iterations from zero.
#[derive(Module, Debug)]
pub struct AmpDecoder {
    /// `theta_1 = ln((1 - eps)/eps)` of every device, `[1, K]`.
    pub theta_1: Param<Tensor<2>>,
    /// Untied form: parameters of each iteration, whose own `theta_1` is added; empty when every iteration works with the
    /// pilots themselves.
    pub layers: Vec<AmpLayer>,
    /// Iterations U.
    pub iterations: usize,
}

/// Results of the iterations.
pub(super) struct AmpPass {
    /// Estimates after every iteration of the untied form, of the last one otherwise; `[F*M, 2K]`.
    pub x: Vec<Tensor<2>>,
    /// Posterior logits at the same places, `[F, K]`.
    pub logits: Vec<Tensor<2>>,
}

/// A row of one value.
pub(super) fn row(value: f64, columns: usize, device: &Device) -> Param<Tensor<2>> {
    Param::from_tensor(Tensor::full([1, columns], value, device))
}

impl Rated for AmpDecoder {
    fn rates(&self, to: &mut Rates) {
        to.set(Rate::Scalar, &self.theta_1);
        self.layers.rates(to);
    }
}

impl AmpDecoder {
    pub(super) fn init(iterations: usize, tied: bool, pilots: &Pilots, sizes: &LinkSizes, device: &Device) -> Self {
        let layers = if tied { 0 } else { iterations };
        Self {
            theta_1: row(sizes.theta_1(), sizes.devices, device),
            layers: (0..layers).map(|_| AmpLayer::init(pilots, 0.0, device)).collect(),
            iterations,
        }
    }

    /// `s [2L, K]`: the pilots the frames were made with.
    pub(super) fn forward(&self, frames: &FrameTensors, s: Tensor<2>) -> AmpPass {
        let step = AmpStep::new(frames, synthesis_matrix(s), 1, true);
        let mut state = AmpState::start(frames);
        let mut pass = AmpPass { x: Vec::new(), logits: Vec::new() };
        let tied = AmpScalars::classical(self.theta_1.val());
        for t in 0..self.iterations {
            let layer = self.layers.get(t);
            let scalars = match layer {
                Some(l) => AmpScalars { theta_1: tied.theta_1.clone() + l.theta_1.val(), ..l.scalars() },
                None => tied.clone(),
            };
            let theta_1 = scalars.theta_1.clone();
            state = step.run(&state, layer.map(AmpLayer::filter), scalars);
            if layer.is_some() || t + 1 == self.iterations {
                pass.x.push(state.x());
                pass.logits.push(state.llr() - theta_1);
            }
        }
        pass
    }
}
