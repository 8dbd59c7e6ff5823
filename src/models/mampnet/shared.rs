//! The antenna-shared form.
//!
//! Antennas are exchangeable: a dense `B_t` learns M^2 copies of what one `B~_t (x) I_M` says. Each layer keeps one
//! complex `NQ x L` matrix, starts it at `S^H` and works on row energies, so it can run at any number of antennas.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use super::inputs::FrameTensors;
use super::layer::{residual_power, scalar};
use super::pilots::LearnedPilots;
use crate::backend::{ShrinkRule, covariance_score, row_shrink, section_posterior};
use crate::complex::{analysis_matrix, synthesis_matrix};
use crate::config::{Denoiser, ModelConfig, Onsager};
use crate::scenario::Pilots;

/// One unfolded AMP layer: `Z = X + B~ R`, denoise, Onsager-corrected residual.
#[derive(Module, Debug)]
pub struct SharedLayer {
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

/// One parallel step of the covariance method: leave-one-out likelihood ratios from the current activity probabilities.
///
/// This layer is ours. The covariance `Sigma = sum_k w_k beta_k s_k s_k^H + I` uses the whole frame at once; given it,
/// the likelihood ratio of every sequence against the covariance without that sequence has the closed form of
/// [`covariance_score`]. Iterated, this is expectation propagation over the discrete activities.
#[derive(Module, Debug)]
pub struct CovarianceLayer {
    /// Prior as in [`SharedLayer::theta_1`].
    pub theta_1: Param<Tensor<2>>,
    /// Log of the factor on the received power; starts at 0.
    pub theta_2: Param<Tensor<2>>,
    /// Log of the factor on the energy term of the likelihood ratio; starts at 0.
    pub slope: Param<Tensor<2>>,
    /// Step towards the new probabilities; starts at 0.8.
    pub v: Param<Tensor<2>>,
}

/// DL-mAMPnet, antenna-shared form.
#[derive(Module, Debug)]
pub struct SharedNet {
    /// AMP layers.
    pub layers: Vec<SharedLayer>,
    /// Covariance layers.
    pub covariance: Vec<CovarianceLayer>,
    /// Pilots, when they are learned.
    pub pilots: Option<LearnedPilots>,
    /// Rows that exclude each other: Q (section-wise) or 1.
    pub section: usize,
    /// Sequences per device Q.
    pub sequences: usize,
    /// Matrix Onsager term (else the mean of the traces).
    pub matrix_onsager: bool,
}

/// What a pass through the layers leaves behind.
#[derive(Debug, Clone)]
pub struct SharedPass {
    /// Posterior logits (likelihood ratio minus theta_1) after every layer, `[F, K]` each; covariance layers last.
    pub logits: Vec<Tensor<2>>,
    /// Likelihood ratios of the last layer, `[F, K]`.
    pub llr: Tensor<2>,
    /// Estimates of X after every AMP layer, `[F*M, 2K]` each.
    pub x: Vec<Tensor<2>>,
}

impl SharedNet {
    /// A network that equals the classical algorithm until it is trained.
    pub fn init(config: &ModelConfig, pilots: &Pilots, activity_prob: f64, device: &Device) -> Self {
        let q = pilots.sequences as f64;
        let theta_1 = match config.denoiser {
            Denoiser::Section => (q * (1.0 - activity_prob) / activity_prob).ln(),
            Denoiser::Row => ((q - activity_prob) / activity_prob).ln(),
        };
        let section_theta = (q * (1.0 - activity_prob) / activity_prob).ln();
        let layer = |_| SharedLayer {
            // A tensor of its own per layer: clones of one tensor share its place in the autodiff graph, and a single
            // gradient, summed over all layers, would reach the first of them only.
            b: Param::from_tensor(crate::complex::stack_pilots(pilots, device)),
            v: scalar(1.0, device),
            theta_1: scalar(theta_1, device),
            theta_2: scalar(0.0, device),
            tau: scalar(0.0, device),
            onsager: scalar(1.0, device),
        };
        let covariance = |_| CovarianceLayer {
            theta_1: scalar(section_theta, device),
            theta_2: scalar(0.0, device),
            slope: scalar(0.0, device),
            v: scalar(0.8, device),
        };
        Self {
            layers: (0..config.layers).map(layer).collect(),
            covariance: (0..config.covariance_layers).map(covariance).collect(),
            pilots: config.learn_pilots.then(|| LearnedPilots::init(pilots, device)),
            section: match config.denoiser {
                Denoiser::Section => pilots.sequences,
                Denoiser::Row => 1,
            },
            sequences: pilots.sequences,
            matrix_onsager: config.onsager == Onsager::Matrix,
        }
    }

    /// Runs the first `depth` AMP layers (and the covariance layers when `depth` covers all); with `detach_before`
    /// the state entering that layer is cut from the graph (layer-wise training).
    ///
    /// `s [2L, K]`: the pilots the frames were made with.
    pub fn forward(
        &self,
        frames: &FrameTensors,
        s: Tensor<2>,
        depth: usize,
        detach_before: Option<usize>,
    ) -> SharedPass {
        let m = frames.antennas;
        let [_, width] = frames.y.dims();
        let [batch, k] = frames.beta.dims();
        let l = width / 2;
        let synthesis = synthesis_matrix(s.clone());
        let mut r = frames.y.clone();
        let mut x: Option<Tensor<2>> = None;
        let mut pass = SharedPass { logits: Vec::new(), llr: frames.beta.clone(), x: Vec::new() };
        for (t, layer) in self.layers.iter().enumerate().take(depth) {
            if detach_before == Some(t) {
                r = r.detach();
                x = x.map(Tensor::detach);
            }
            let correlated = r.clone().matmul(analysis_matrix(layer.b.val()));
            let z = match &x {
                Some(x) => x.clone() + correlated,
                None => correlated,
            };
            let tau2 = residual_power(r.clone(), m) * layer.tau.val().exp();
            let tau2 = tau2.expand([batch, k]);
            let beta = frames.beta.clone() * layer.theta_2.val().exp();
            // omega = beta/(beta + tau2); llr = (omega/tau2) ||z||^2 - M ln(1 + beta/tau2).
            let omega = beta.clone() / (beta.clone() + tau2.clone());
            let log_prior = layer.theta_1.val().neg();
            let rule = ShrinkRule {
                gain: omega.clone() * layer.v.val(),
                slope: omega / tau2.clone(),
                offset: (beta / tau2).log1p() * m as f64,
                log_prior: log_prior.clone(),
                section: self.section,
                matrix_onsager: self.matrix_onsager,
            };
            let out = row_shrink(z, r.clone(), rule, m);
            r = frames.y.clone() - out.x.clone().matmul(synthesis.clone())
                + out.onsager * (layer.onsager.val() / l as f64);
            pass.logits.push(out.llr.clone() + log_prior);
            pass.llr = out.llr;
            pass.x.push(out.x.clone());
            x = Some(out.x);
        }
        if depth > self.layers.len() && !self.covariance.is_empty() {
            self.covariance_layers(frames, s, detach_before == Some(self.layers.len()), &mut pass);
        }
        pass
    }

    fn covariance_layers(&self, frames: &FrameTensors, s: Tensor<2>, detach: bool, pass: &mut SharedPass) {
        let m = frames.antennas;
        let [_, k] = frames.beta.dims();
        let logits = pass.logits.last().expect("at least one AMP layer").clone();
        let mut w = section_posterior(if detach { logits.detach() } else { logits }, self.sequences);
        for layer in &self.covariance {
            let beta = frames.beta.clone() * layer.theta_2.val().exp();
            let score = covariance_score(w.clone() * beta.clone(), s.clone(), frames.y.clone(), m, 1.0);
            let (c, e) = (score.clone().narrow(1, 0, k), score.narrow(1, k, k));
            let power = beta.clone() * c;
            let llr = beta * e / (power.clone() + 1.0) * layer.slope.val().exp() - power.log1p() * m as f64;
            let logits = llr.clone() - layer.theta_1.val();
            let v = layer.v.val();
            w = w.clone() + (section_posterior(logits.clone(), self.sequences) - w) * v;
            pass.logits.push(logits);
            pass.llr = llr;
        }
    }
}
