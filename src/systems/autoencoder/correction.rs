//! Correction layers.

use burn::module::{Module, Param};
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor};

use super::amp::row;
use crate::systems::access::{CovarianceLayer, FrameTensors, LinkSizes, scalar};
use crate::systems::dense::Mlp;
use crate::tensor::{covariance_filter, row_scale};
use crate::training::{Rate, Rated, Rates};

/// Turns powers into logits: `e^gain (power - centre)`. A monotone map: the best threshold decides as it does on the power.
#[derive(Module, Debug)]
pub struct Evidence {
    /// Log of the slope, `[1, 1]`; starts at `ln 8`.
    pub gain: Param<Tensor<2>>,
    /// Power of even odds, `[1, 1]`.
    pub centre: Param<Tensor<2>>,
}

impl Rated for Evidence {
    fn rates(&self, to: &mut Rates) {
        to.set(Rate::Scalar, self);
    }
}

impl Evidence {
    pub(super) fn init(centre: f64, device: &Device) -> Self {
        Self { gain: scalar(8.0_f64.ln(), device), centre: scalar(centre, device) }
    }

    pub(super) fn logits(&self, power: Tensor<2>) -> Tensor<2> {
        (power - self.centre.val()) * self.gain.val().exp()
    }
}

/// A covariance layer whose prior also depends on the other devices: `logit_n = llr_n - theta_n + sum_k w_k C_kn`.
#[derive(Module, Debug)]
pub struct CorrectionLayer {
    /// Likelihood ratios given the current probabilities; `theta_1` per device.
    pub covariance: CovarianceLayer,
    /// C, `[K, K]`; starts at zero. What the activity of one device says of another (groups).
    pub coupling: Param<Tensor<2>>,
}

impl Rated for CorrectionLayer {
    fn rates(&self, to: &mut Rates) {
        self.covariance.rates(to);
        to.set(Rate::Matrix, &self.coupling);
    }
}

/// The correction part of a decoder.
#[derive(Module, Debug)]
pub struct Corrections {
    /// Dense layers (the form of the auto-encoder paper).
    pub dense: Option<Mlp>,
    /// Covariance layers (ours).
    pub covariance: Vec<CorrectionLayer>,
}

/// What covariance layers find.
pub(super) struct CovariancePass {
    /// Logits after every layer, `[F, K]`.
    pub logits: Vec<Tensor<2>>,
    /// Posterior mean of the rows after the last layer, `[F*M, 2K]`, where it was asked for.
    pub x: Option<Tensor<2>>,
}

impl Rated for Corrections {
    fn rates(&self, to: &mut Rates) {
        self.dense.rates(to);
        self.covariance.rates(to);
    }
}

impl Corrections {
    /// No correction.
    pub(super) fn none() -> Self {
        Self { dense: None, covariance: Vec::new() }
    }

    pub(super) fn covariance(layers: usize, sizes: &LinkSizes, device: &Device) -> Self {
        let n = sizes.devices;
        let layer = |_| CorrectionLayer {
            covariance: CovarianceLayer::init(row(sizes.theta_1(), n, device), device),
            coupling: Param::from_tensor(Tensor::zeros([n, n], device)),
        };
        Self { dense: None, covariance: (0..layers).map(layer).collect() }
    }

    /// Adds to each antenna's estimate `[F*M, 2K]` what the dense layers make of it, in units of the received amplitude.
    pub(super) fn of_rows(mlp: &Mlp, x: Tensor<2>, frames: &FrameTensors) -> Tensor<2> {
        let amplitude = frames.beta.clone().clamp_min(1e-12).sqrt();
        let relative = row_scale(x.clone(), amplitude.clone().recip(), frames.antennas);
        let correction = mlp.forward(relative.transpose()).transpose();
        x + row_scale(correction, amplitude, frames.antennas)
    }

    /// Adds to the logits `[F, K]` what the dense layers make of the probabilities.
    pub(super) fn of_logits(mlp: &Mlp, logits: Tensor<2>) -> Tensor<2> {
        let correction = mlp.forward(sigmoid(logits.clone()).transpose()).transpose();
        logits + correction
    }

    /// Runs the covariance layers from given logits; `s [2L, K]`.
    ///
    /// With `Sigma` at the probabilities w that enter the last layer, `gamma = w beta`, and the leave-one-out
    /// `c_k = s_k^H Sigma_k^-1 s_k`, the posterior mean of row k is
    /// `w'_k beta s_k^H Sigma_k^-1 Y/(1 + beta c_k) = w'_k beta (1 + gamma_k c_k)/(1 + beta c_k) s_k^H Sigma^-1 Y`.
    pub(super) fn refine(
        &self,
        logits: Tensor<2>,
        frames: &FrameTensors,
        s: Tensor<2>,
        estimate_rows: bool,
    ) -> CovariancePass {
        let mut w = sigmoid(logits);
        let mut pass = CovariancePass { logits: Vec::new(), x: None };
        for (t, layer) in self.covariance.iter().enumerate() {
            let c = &layer.covariance;
            let (llr, interference) = c.evidence(w.clone(), frames, s.clone());
            let logits = llr - c.theta_1.val() + w.clone().matmul(layer.coupling.val());
            let posterior = sigmoid(logits.clone());
            if estimate_rows && t + 1 == self.covariance.len() {
                let beta = c.beta(frames);
                let gamma = w.clone() * beta.clone();
                let z = covariance_filter(gamma.clone(), s.clone(), frames.y.clone(), frames.antennas, 1.0);
                let gain = posterior.clone() * beta.clone() * (gamma * interference.clone() + 1.0)
                    / (beta * interference + 1.0);
                pass.x = Some(row_scale(z, gain, frames.antennas));
            }
            // A learned step beyond 1 must not leave the range of probabilities.
            w = (w.clone() + (posterior - w) * c.v.val()).clamp(0.0, 1.0);
            pass.logits.push(logits);
        }
        pass
    }
}
