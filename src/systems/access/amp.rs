//! One iteration of unfolded AMP (Theorem 1 of the DL-mAMPnet paper; Algorithm 2 of the auto-encoder paper).

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use super::inputs::FrameTensors;
use super::scalar::scalar;
use crate::link::Pilots;
use crate::tensor::complex::{stack_pilots, synthesis_matrix};
use crate::tensor::{AmpArguments, AmpForm, amp_iteration};
use crate::training::{Rate, Rated, Rates};

/// What an iteration works with; pilots are those the frames were made with.
pub(in crate::systems) struct AmpStep<'a> {
    /// Frames.
    pub frames: &'a FrameTensors,
    /// `X -> S X`, `[2K, 2L]`.
    pub synthesis: Tensor<2>,
    /// Antennas, section, Onsager term.
    pub form: AmpForm,
}

/// Parameters of an iteration.
#[derive(Debug, Clone)]
pub struct AmpScalars {
    /// Factor on the shrink of the denoiser (v), log of the factor on the received power (theta_2), log of the factor on
    /// the residual power (tau), factor on the Onsager term; `[1, 4]`.
    pub factors: Tensor<2>,
    /// The posterior's logit is `llr - theta_1`; `[1, 1]` or `[1, K]`.
    pub theta_1: Tensor<2>,
}

impl AmpScalars {
    /// Those of the classical algorithm.
    pub fn classical(theta_1: Tensor<2>) -> Self {
        Self { factors: Tensor::from_floats([[1.0, 0.0, 0.0, 1.0]], &theta_1.device()), theta_1 }
    }
}

/// State between iterations: estimate, residual and likelihood ratios in one row, as
/// [`amp_iteration`] packs them.
#[derive(Debug, Clone)]
pub(in crate::systems) struct AmpState {
    packed: Tensor<1>,
    frames: usize,
    antennas: usize,
    columns: usize,
}

impl AmpState {
    /// `X = 0`, `R = Y`.
    pub fn start(frames: &FrameTensors) -> Self {
        let ([f, k], [rows, width]) = (frames.beta.dims(), frames.y.dims());
        let zeros = |count: usize| Tensor::<1>::zeros([count], (&frames.y.device(), frames.y.dtype()));
        let parts = vec![zeros(rows * 2 * k), frames.y.clone().reshape([rows * width]), zeros(f * k)];
        Self { packed: Tensor::cat(parts, 0), frames: f, antennas: frames.antennas, columns: k }
    }

    /// Cuts the state from the graph.
    pub fn detach(self) -> Self {
        Self { packed: self.packed.detach(), ..self }
    }

    /// Estimate X, `[F*M, 2K]`.
    pub fn x(&self) -> Tensor<2> {
        let [rows, width] = [self.frames * self.antennas, 2 * self.columns];
        self.packed.clone().narrow(0, 0, rows * width).reshape([rows, width])
    }

    /// Likelihood ratios of the last iteration, `[F, K]`.
    pub fn llr(&self) -> Tensor<2> {
        let count = self.frames * self.columns;
        let first = self.packed.dims()[0] - count;
        self.packed.clone().narrow(0, first, count).reshape([self.frames, self.columns])
    }
}

impl<'a> AmpStep<'a> {
    /// For the [`synthesis_matrix`] of the pilots.
    pub fn new(frames: &'a FrameTensors, synthesis: Tensor<2>, section: usize, matrix_onsager: bool) -> Self {
        let form = AmpForm { antennas: frames.antennas, section, matrix_onsager };
        Self { frames, synthesis, form }
    }

    /// `Z = X + B~ R`, denoise, Onsager-corrected residual. `filter` is an [`AmpLayer::filter`], or `None` for
    /// `B~ = S^H`.
    pub fn run(&self, state: &AmpState, filter: Option<Tensor<2>>, p: AmpScalars) -> AmpState {
        let packed = amp_iteration(AmpArguments {
            state: state.packed.clone(),
            y: self.frames.y.clone(),
            synthesis: self.synthesis.clone(),
            analysis: filter.unwrap_or_else(|| self.synthesis.clone()),
            beta: self.frames.beta.clone(),
            factors: p.factors,
            theta_1: p.theta_1,
            form: self.form,
        });
        AmpState { packed, ..state.clone() }
    }
}

/// One unfolded AMP layer: `Z = X + B~ R`, denoise, Onsager-corrected residual.
#[derive(Module, Debug)]
pub struct AmpLayer {
    /// `B~_t^H` in the layout of the pilots, `[2L, K]`; starts at S.
    pub b: Param<Tensor<2>>,
    /// Step size v_t; starts at 1.
    pub v: Param<Tensor<2>>,
    /// Prior: the posterior's logit is `llr - theta_1`; starts at `ln(Q (1-eps)/eps)` (section) or `ln((Q-eps)/eps)`.
    pub theta_1: Param<Tensor<2>>,
    /// Log of the factor on the received power beta; starts at 0.
    pub theta_2: Param<Tensor<2>>,
    /// Log of the factor on the residual power tau^2; starts at 0.
    pub tau: Param<Tensor<2>>,
    /// Factor on the Onsager term; starts at 1.
    pub onsager: Param<Tensor<2>>,
}

impl Rated for AmpLayer {
    fn rates(&self, to: &mut Rates) {
        to.set(Rate::Scalar, self);
        to.set(Rate::Matrix, &self.b);
    }
}

impl AmpLayer {
    /// An untrained layer.
    pub fn init(pilots: &Pilots, theta_1: f64, device: &Device) -> Self {
        Self {
            // A tensor of its own per layer: clones of one tensor share its place in the autodiff graph, and a single
            // gradient, summed over all layers, would reach the first of them only.
            b: Param::from_tensor(stack_pilots(pilots, device)),
            v: scalar(1.0, device),
            theta_1: scalar(theta_1, device),
            theta_2: scalar(0.0, device),
            tau: scalar(0.0, device),
            onsager: scalar(1.0, device),
        }
    }

    /// `B~_t` as the [`synthesis_matrix`] of its adjoint, `[2K, 2L]`.
    pub fn filter(&self) -> Tensor<2> {
        synthesis_matrix(self.b.val())
    }

    /// The layer's parameters for one iteration.
    pub fn scalars(&self) -> AmpScalars {
        let factors = vec![self.v.val(), self.theta_2.val(), self.tau.val(), self.onsager.val()];
        AmpScalars { factors: Tensor::cat(factors, 1), theta_1: self.theta_1.val() }
    }
}
