//! One iteration of unfolded AMP (Theorem 1 of paper A; Algorithm 2 of paper B).

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use super::inputs::FrameTensors;
use super::scalar::{residual_power, scalar};
use crate::backend::{ShrinkRule, row_shrink};
use crate::complex::{analysis_matrix, stack_pilots, synthesis_matrix};
use crate::scenario::Pilots;

/// What an iteration works with; pilots are those the frames were made with.
pub(in crate::models) struct AmpStep<'a> {
    /// Frames.
    pub frames: &'a FrameTensors,
    /// `X -> S X`, `[2K, 2L]`.
    pub synthesis: Tensor<2>,
    /// Rows that exclude each other: Q, or 1.
    pub section: usize,
    /// Matrix Onsager term (else the mean of the traces).
    pub matrix_onsager: bool,
}

/// Parameters of an iteration, each `[1, 1]` unless said otherwise; the classical algorithm is in brackets.
pub struct AmpScalars {
    /// Factor on the shrink of the denoiser (1).
    pub v: Tensor<2>,
    /// The posterior's logit is `llr - theta_1`; `[1, 1]` or `[1, K]`.
    pub theta_1: Tensor<2>,
    /// Log of the factor on the received power (0).
    pub theta_2: Tensor<2>,
    /// Log of the factor on the residual power (0).
    pub tau: Tensor<2>,
    /// Factor on the Onsager term (1).
    pub onsager: Tensor<2>,
}

/// State between iterations.
pub(in crate::models) struct AmpState {
    /// Residual R, `[F*M, 2L]`; starts at Y.
    pub r: Tensor<2>,
    /// Estimate X, `[F*M, 2K]`; `None` is zero.
    pub x: Option<Tensor<2>>,
}

impl AmpState {
    /// `X = 0`, `R = Y`.
    pub fn start(frames: &FrameTensors) -> Self {
        Self { r: frames.y.clone(), x: None }
    }

    /// Cuts the state from the graph.
    pub fn detach(self) -> Self {
        Self { r: self.r.detach(), x: self.x.map(Tensor::detach) }
    }
}

impl<'a> AmpStep<'a> {
    /// For pilots `s [2L, K]`.
    pub fn new(frames: &'a FrameTensors, s: Tensor<2>, section: usize, matrix_onsager: bool) -> Self {
        Self { frames, synthesis: synthesis_matrix(s), section, matrix_onsager }
    }

    /// `Z = X + B~ R`, denoise, Onsager-corrected residual. `b [2L, K]` is `B~^H` in the layout of the pilots, or `None`
    /// for `B~ = S^H`. Returns the new state (with an estimate) and the likelihood ratios `[F, K]`.
    pub fn run(&self, state: AmpState, b: Option<Tensor<2>>, p: AmpScalars) -> (AmpState, Tensor<2>) {
        let m = self.frames.antennas;
        let [batch, k] = self.frames.beta.dims();
        let l = self.frames.y.dims()[1] / 2;
        let analysis = match b {
            Some(b) => analysis_matrix(b),
            None => self.synthesis.clone().transpose(),
        };
        let correlated = state.r.clone().matmul(analysis);
        let z = match state.x {
            Some(x) => x + correlated,
            None => correlated,
        };
        let tau2 = residual_power(state.r.clone(), m) * p.tau.exp();
        let tau2 = tau2.expand([batch, k]);
        let beta = self.frames.beta.clone() * p.theta_2.exp();
        // omega = beta/(beta + tau2); llr = (omega/tau2) ||z||^2 - M ln(1 + beta/tau2).
        let omega = beta.clone() / (beta.clone() + tau2.clone());
        let rule = ShrinkRule {
            gain: omega.clone() * p.v,
            slope: omega / tau2.clone(),
            offset: (beta / tau2).log1p() * m as f64,
            log_prior: p.theta_1.neg(),
            section: self.section,
            matrix_onsager: self.matrix_onsager,
        };
        let out = row_shrink(z, state.r, rule, m);
        let r =
            self.frames.y.clone() - out.x.clone().matmul(self.synthesis.clone()) + out.onsager * (p.onsager / l as f64);
        (AmpState { r, x: Some(out.x) }, out.llr)
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

    /// The layer's parameters for one iteration.
    pub fn scalars(&self) -> AmpScalars {
        AmpScalars {
            v: self.v.val(),
            theta_1: self.theta_1.val(),
            theta_2: self.theta_2.val(),
            tau: self.tau.val(),
            onsager: self.onsager.val(),
        }
    }
}
