//! The form of the DL-mAMPnet paper, (38)-(57): dense real matrices and an entry-wise denoiser.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use super::refinement::{Refinement, Stages};
use crate::link::Pilots;
use crate::systems::access::{FrameTensors, residual_power, scalar};
use crate::systems::mampnet::ModelConfig;
use crate::tensor::complex::{analysis_matrix, stack_pilots, synthesis_matrix};
use crate::tensor::{EntryPart, entry_denoise, row_dot};
use crate::training::{Rate, Rated, Rates};

/// One layer (44)-(48): `X_t = v_t eta(X + B_t R)`.
#[derive(Module, Debug)]
pub struct PaperLayer {
    /// `B_t`, `[2LM, 2KM]` acting on row vectors; starts at `S~^H (x) I_M`.
    pub b: Param<Tensor<2>>,
    /// Step size v_t; starts at 1.
    pub v: Param<Tensor<2>>,
    /// theta_1; starts at `ln((Q-eps)/eps)`.
    pub theta_1: Param<Tensor<2>>,
    /// Log of the factor of theta_2 on the received power of every sequence, `[1, K]`; starts at 0.
    pub theta_2: Param<Tensor<2>>,
}

/// DL-mAMPnet as printed.
#[derive(Module, Debug)]
pub struct PaperNet {
    /// AMP layers.
    pub layers: Vec<PaperLayer>,
    /// Refinement module.
    pub refinement: Option<Refinement>,
    /// Sequences per device Q.
    pub sequences: usize,
    /// Antennas M the dense matrices were made for.
    pub antennas: usize,
}

/// What a pass leaves behind.
#[derive(Debug, Clone)]
pub struct PaperPass {
    /// Posterior logits by the row energies of every layer's pseudo-observation, `[F, K]`.
    pub logits: Vec<Tensor<2>>,
    /// Estimates of X after every layer, `[F*M, 2K]`.
    pub x: Vec<Tensor<2>>,
    /// Refinement stages.
    pub stages: Option<Stages>,
}

/// The entry-wise denoiser (47) of real entries, and the sum of its derivative (48) over the entries of a frame.
///
/// `eta(z) = omega phi z`, `phi = sigmoid(a z^2 - ln(1 + theta_2/tau2)/2 - theta_1)` with `omega = theta_2/(theta_2 +
/// tau2)` and `a = omega/(2 tau2)`; `eta' = omega phi (1 + 2 a z^2 (1 - phi))`. `theta_2` is the variance of a real
/// entry (half the received power) and tau2 the noise variance of a real entry.
///
/// `z [F*M, 2K]`; `theta_2`, `tau2 [F, K]`; `theta_1 [1, 1]` -> (eta `[F*M, 2K]`, sums `[F, 1]`).
pub fn entry_denoiser(
    z: Tensor<2>,
    theta_1: Tensor<2>,
    theta_2: Tensor<2>,
    tau2: Tensor<2>,
    antennas: usize,
) -> (Tensor<2>, Tensor<2>) {
    let omega = theta_2.clone() / (theta_2.clone() + tau2.clone());
    let a = omega.clone() / (tau2.clone() * 2.0);
    let offset = (theta_2 / tau2).log1p() * 0.5 + theta_1;
    let part = |part| entry_denoise(z.clone(), omega.clone(), a.clone(), offset.clone(), antennas, part);
    (part(EntryPart::Estimate), part(EntryPart::Slope))
}

impl Rated for PaperLayer {
    fn rates(&self, to: &mut Rates) {
        to.set(Rate::Scalar, self);
        to.set(Rate::Matrix, &self.b);
    }
}

impl Rated for PaperNet {
    fn rates(&self, to: &mut Rates) {
        self.layers.rates(to);
        self.refinement.rates(to);
    }
}

impl PaperNet {
    /// A network whose AMP layers equal the real entry-wise AMP until they are trained.
    pub fn init(config: &ModelConfig, pilots: &Pilots, antennas: usize, activity_prob: f64, device: &Device) -> Self {
        let q = pilots.sequences();
        let (l, k) = (pilots.length(), pilots.columns());
        let s = stack_pilots(pilots, device);
        let block = analysis_matrix(s);
        let dense = || {
            // Block-diagonal over antennas: row block m is [0 .. S^H .. 0].
            let rows: Vec<Tensor<2>> = (0..antennas)
                .map(|m| {
                    let left = Tensor::zeros([2 * l, 2 * k * m], device);
                    let right = Tensor::zeros([2 * l, 2 * k * (antennas - 1 - m)], device);
                    let parts = [left, block.clone(), right].into_iter().filter(|t| t.dims()[1] > 0).collect();
                    Tensor::cat(parts, 1)
                })
                .collect();
            Tensor::cat(rows, 0)
        };
        let layer = |_| PaperLayer {
            b: Param::from_tensor(dense()),
            v: scalar(1.0, device),
            theta_1: scalar(((q as f64 - activity_prob) / activity_prob).ln(), device),
            theta_2: Param::from_tensor(Tensor::zeros([1, k], device)),
        };
        Self {
            layers: (0..config.layers).map(layer).collect(),
            refinement: config.refinement.then(|| Refinement::init(k / q, q, antennas, device)),
            sequences: q,
            antennas,
        }
    }

    /// See [`super::SharedNet::forward`]; the refinement module runs when `depth` exceeds the number of layers.
    pub fn forward(
        &self,
        frames: &FrameTensors,
        s: Tensor<2>,
        depth: usize,
        detach_before: Option<usize>,
    ) -> PaperPass {
        let m = frames.antennas;
        let [rows, width] = frames.y.dims();
        let [batch, k] = frames.beta.dims();
        let synthesis = synthesis_matrix(s);
        let mut r = frames.y.clone();
        let mut x: Option<Tensor<2>> = None;
        let mut pass = PaperPass { logits: Vec::new(), x: Vec::new(), stages: None };
        for (t, layer) in self.layers.iter().enumerate().take(depth) {
            if detach_before == Some(t) {
                r = r.detach();
                x = x.map(Tensor::detach);
            }
            // (44): Z = X + B R on the whole frame at once.
            let mapped = r.clone().reshape([batch, m * width]).matmul(layer.b.val()).reshape([rows, 2 * k]);
            let z = match &x {
                Some(x) => x.clone() + mapped,
                None => mapped,
            };
            // Noise variance of a complex entry; a real entry carries half of it.
            let tau2 = residual_power(r.clone(), m).expand([batch, k]);
            let power = frames.beta.clone() * layer.theta_2.val().exp();
            let (eta, slopes) =
                entry_denoiser(z.clone(), layer.theta_1.val(), power.clone() * 0.5, tau2.clone() * 0.5, m);
            let x_new = eta * layer.v.val();
            // (45) with 1/(2LM) for the sum over the 2NQM real entries: the complex 1/(LM) over NQM entries.
            let mean = slopes / (width * m) as f64;
            let mean = mean.reshape([batch, 1, 1]).expand([batch, m, width]).reshape([rows, width]);
            r = frames.y.clone() - x_new.clone().matmul(synthesis.clone()) + r * mean * layer.v.val();
            let slope = power.clone() / (tau2.clone() * (power.clone() + tau2.clone()));
            let llr = slope * row_dot(z.clone(), z, m) - (power / tau2).log1p() * m as f64;
            pass.logits.push(llr - layer.theta_1.val());
            pass.x.push(x_new.clone());
            x = Some(x_new);
        }
        if let (Some(refinement), Some(x), true) = (&self.refinement, x, depth > self.layers.len()) {
            let x = if detach_before == Some(self.layers.len()) { x.detach() } else { x };
            let tau2 = residual_power(r.detach(), m);
            pass.stages = Some(refinement.forward(x, frames.beta.clone(), tau2, m, self.sequences));
        }
        pass
    }
}
