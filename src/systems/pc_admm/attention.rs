//! Channel attention: a weight per row from energies.

use burn::module::{Module, Param};
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor};

use super::start::Start;
use crate::link::StreamKey;
use crate::systems::access::scalar;
use crate::systems::dense::Mlp;
use crate::training::{Rate, Rated, Rates};

/// What the dense layers see of a row.
const FEATURES: usize = 5;
/// Likelihood ratios enter the dense layers as `tanh(llr/SCALE)`.
const SCALE: f64 = 16.0;

/// The logit of the activity of every row. With dense layers of zero it is the posterior log-odds of Theorem 1,
/// `||z||^2 beta/(tau2 (beta + tau2)) - M ln(1 + beta/tau2) + ln(p/(1 - p))`, at `tau2 = e^spread ||R||^2/(LM) + e^floor`.
#[derive(Module, Debug)]
pub struct Attention {
    /// Log of the part of the residual power that is effective noise, `[1, 1]`.
    pub spread: Param<Tensor<2>>,
    /// Log of the effective noise without a residual, `[1, 1]`.
    pub floor: Param<Tensor<2>>,
    /// Log of the factor on the energy term, `[1, 1]`; starts at 0.
    pub slope: Param<Tensor<2>>,
    /// Factor on the log-odds of activity, `[1, 1]`; starts at 1.
    pub prior: Param<Tensor<2>>,
    /// Added to the logit, `[1, 1]`; starts at 0.
    pub offset: Param<Tensor<2>>,
    /// Factor on the weight, `[1, 1]`; starts at 1.
    pub gain: Param<Tensor<2>>,
    /// Two dense layers, added to the logit; they start at zero.
    pub dense: Mlp,
}

/// What attention is paid to.
pub(super) struct Squeezed {
    /// Row energies `||z_k||^2`, `[F, K]`.
    pub energy: Tensor<2>,
    /// Residual power `||R||^2/(LM)`, `[F, 1]`.
    pub power: Tensor<2>,
    /// Gains, `[F, K]`.
    pub beta: Tensor<2>,
    /// Log-odds of activity, `[1, K]`.
    pub log_odds: Tensor<2>,
    pub antennas: usize,
}

/// What attention finds.
pub(super) struct Look {
    /// Logits of the activities, `[F, K]`.
    pub logits: Tensor<2>,
    /// Weights of the rows, `[F, K]`.
    pub weight: Tensor<2>,
    /// Mean over the rows of the divergence of `z -> weight z` per complex entry (without the dense layers'), `[F, 1]`.
    pub divergence: Tensor<2>,
}

impl Rated for Attention {
    /// Entries of the maps are small and many, those of the dense layers neither: they learn at a rate in between.
    fn rates(&self, to: &mut Rates) {
        to.set(Rate::Scalar, self);
        to.set(Rate::Between, &self.dense);
    }
}

impl Attention {
    pub(super) fn init(start: &Start, hidden: usize, key: &StreamKey, number: u64, device: &Device) -> Self {
        Self {
            spread: scalar(start.spread.ln(), device),
            floor: scalar(start.floor.ln(), device),
            slope: scalar(0.0, device),
            prior: scalar(1.0, device),
            offset: scalar(0.0, device),
            gain: scalar(1.0, device),
            dense: Mlp::init(key, number, &[FEATURES, hidden, 1], true, device),
        }
    }

    /// Logits, weights and their divergence.
    pub(super) fn look(&self, rows: &Squeezed) -> Look {
        let [frames, k] = rows.energy.dims();
        let m = rows.antennas as f64;
        let tau2 = rows.power.clone() * self.spread.val().exp() + self.floor.val().exp();
        let ratio = rows.beta.clone() / tau2.clone();
        let omega = ratio.clone() / (ratio.clone() + 1.0);
        let relative = rows.energy.clone() / tau2;
        let volume = ratio.log1p();
        let energy_term = relative.clone() * omega.clone() * self.slope.val().exp();
        let llr = energy_term.clone() - volume.clone() * m;
        let odds = (rows.log_odds.clone() * self.prior.val() + self.offset.val()).expand([frames, k]);
        let base = llr.clone() + odds.clone();
        let crowd = sigmoid(base.clone()).mean_dim(1).expand([frames, k]) * 4.0;
        let features = [(relative / m).log1p(), volume, (llr / SCALE).tanh(), odds / 4.0, crowd];
        let features = Tensor::cat(features.into_iter().map(|f| f.reshape([1, frames * k])).collect(), 0);
        let logits = base + self.dense.forward(features).reshape([frames, k]);
        let active = sigmoid(logits.clone());
        let weight = omega * active.clone() * self.gain.val();
        // d(weight)/d(energy) energy = weight (1 - active) energy_term, spread over M complex entries.
        let slope = (active.neg() + 1.0) * energy_term / m + 1.0;
        let divergence = (weight.clone() * slope).mean_dim(1);
        Look { logits, weight, divergence }
    }
}
