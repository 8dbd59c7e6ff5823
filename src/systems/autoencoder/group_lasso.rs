//! GROUP LASSO-NN: unfolded sharing ADMM.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use crate::link::Pilots;
use crate::systems::access::{FrameTensors, scalar};
use crate::tensor::complex::synthesis_matrix;
use crate::tensor::{group_shrink, row_scale};
use crate::training::{Rate, Rated, Rates};

/// Algorithm 1 with equations (9) and (10), U iterations from zero; lambda and rho are trained through their logarithms.
#[derive(Module, Debug)]
pub struct GroupLassoDecoder {
    /// `ln(lambda)` at unit noise and unit pilots, `[1, 1]`; starts at the default of group-lasso-admm,
    /// `ln sqrt(M mean||a||^2)`.
    pub lambda: Param<Tensor<2>>,
    /// `ln(rho)`, `[1, 1]`; starts at 0.
    pub rho: Param<Tensor<2>>,
    /// Iterations U.
    pub iterations: usize,
}

impl Rated for GroupLassoDecoder {
    fn rates(&self, to: &mut Rates) {
        to.set(Rate::Scalar, self);
    }
}

impl GroupLassoDecoder {
    pub(super) fn init(iterations: usize, antennas: usize, pilots: &Pilots, learned: bool, device: &Device) -> Self {
        let mean = pilots.data().iter().map(|v| v.norm_sqr()).sum::<f64>() / pilots.columns() as f64 / pilots.energy();
        // Learned pilots have unit norm from the first step.
        let energy = if learned { 1.0 } else { mean };
        Self { lambda: scalar(0.5 * (antennas as f64 * energy).ln(), device), rho: scalar(0.0, device), iterations }
    }

    /// `s [2L, K]` -> X, `[F*M, 2K]`.
    pub(super) fn forward(&self, frames: &FrameTensors, s: Tensor<2>) -> Tensor<2> {
        let [batch, k] = frames.beta.dims();
        let (m, n) = (frames.antennas, k as f64);
        let energies = s.clone().powi_scalar(2).sum_dim(0).clamp_min(1e-12);
        let analysis = synthesis_matrix(s.clone()).transpose();
        // The iterate is ||a_k||^2 x_k; this matrix takes it to the average (1/n) A X.
        let average = synthesis_matrix(s / (energies.clone() * n));
        let rho = self.rho.val().exp();
        let tau = (self.lambda.val() - self.rho.val()).exp().expand([batch, k]);
        // copy = (y + rho h)/(rho + n) for h = p + c; the dual is h - copy, and the gap copy - p - dual.
        let weight = (rho.clone() + n).recip();
        let held_part = rho * weight.clone();
        let (in_dual, in_gap) = (held_part.clone().neg() + 1.0, held_part * 2.0 - 1.0);
        let given = frames.y.clone() * weight;
        let twice = given.clone() * 2.0;
        let mut scaled: Option<Tensor<2>> = None;
        let mut dual: Option<Tensor<2>> = None;
        let mut gap: Option<Tensor<2>> = None;
        for _ in 0..self.iterations {
            // The first step finds nothing to move: X = 0, and P = 0.
            if let Some(gap) = gap.take() {
                let correlated = gap.matmul(analysis.clone());
                let t = match scaled.take() {
                    Some(x) => x + correlated,
                    None => correlated,
                };
                scaled = Some(group_shrink(t, tau.clone(), m));
            }
            let p = scaled.clone().map(|x| x.matmul(average.clone()));
            let held = match (p.clone(), dual.clone()) {
                (Some(p), Some(c)) => Some(p + c),
                (Some(p), None) => Some(p),
                (None, c) => c,
            };
            let moved = match held.clone() {
                Some(h) => h * in_gap.clone() + twice.clone(),
                None => twice.clone(),
            };
            gap = Some(match p {
                Some(p) => moved - p,
                None => moved,
            });
            dual = Some(match held {
                Some(h) => h * in_dual.clone() - given.clone(),
                None => given.clone().neg(),
            });
        }
        let inverse = energies.recip().expand([batch, k]);
        match scaled {
            Some(x) => row_scale(x, inverse, m),
            None => Tensor::zeros([batch * m, 2 * k], &frames.y.device()),
        }
    }
}
