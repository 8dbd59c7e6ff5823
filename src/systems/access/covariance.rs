//! One parallel step of the covariance method.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use super::inputs::FrameTensors;
use super::scalar::scalar;
use crate::tensor::covariance_score;
use crate::training::{Rate, Rated, Rates};

/// One parallel step of the covariance method: leave-one-out likelihood ratios from the current activity probabilities.
///
/// This layer is ours. The covariance `Sigma = sum_k w_k beta_k s_k s_k^H + I` uses the whole frame at once; given it,
/// the likelihood ratio of every sequence against the covariance without that sequence has the closed form of
/// [`covariance_score`]. Iterated, this is expectation propagation over the discrete activities.
#[derive(Module, Debug)]
pub struct CovarianceLayer {
    /// Prior: the posterior's logit is `llr - theta_1`; `[1, 1]` or `[1, K]`.
    pub theta_1: Param<Tensor<2>>,
    /// Log of the factor on the received power; starts at 0.
    pub theta_2: Param<Tensor<2>>,
    /// Log of the factor on the energy term of the likelihood ratio; starts at 0.
    pub slope: Param<Tensor<2>>,
    /// Step towards the new probabilities; starts at 0.8.
    pub v: Param<Tensor<2>>,
}

impl Rated for CovarianceLayer {
    fn rates(&self, to: &mut Rates) {
        to.set(Rate::Scalar, self);
    }
}

impl CovarianceLayer {
    /// An untrained layer for the prior `theta_1`.
    pub(in crate::systems) fn init(theta_1: Param<Tensor<2>>, device: &Device) -> Self {
        Self { theta_1, theta_2: scalar(0.0, device), slope: scalar(0.0, device), v: scalar(0.8, device) }
    }

    /// Received powers as the layer sees them, `[F, K]`.
    pub(in crate::systems) fn beta(&self, frames: &FrameTensors) -> Tensor<2> {
        frames.beta.clone() * self.theta_2.val().exp()
    }

    /// Likelihood ratios given activity probabilities `w [F, K]`, and what they rest on: `c_k = s_k^H Sigma_k^-1 s_k`, the
    /// signal-to-interference ratio per unit of power. Both `[F, K]`; `s [2L, K]`.
    pub(in crate::systems) fn evidence(
        &self,
        w: Tensor<2>,
        frames: &FrameTensors,
        s: Tensor<2>,
    ) -> (Tensor<2>, Tensor<2>) {
        let (m, k) = (frames.antennas, w.dims()[1]);
        let beta = self.beta(frames);
        let score = covariance_score(w * beta.clone(), s, frames.y.clone(), m, 1.0);
        let (c, e) = (score.clone().narrow(1, 0, k), score.narrow(1, k, k));
        let power = beta.clone() * c.clone();
        let llr = beta * e / (power.clone() + 1.0) * self.slope.val().exp() - power.log1p() * m as f64;
        (llr, c)
    }
}
