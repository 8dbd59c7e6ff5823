//! One unfolded iteration of prediction-correction ADMM.

use burn::module::{Module, Param, ParamId};
use burn::tensor::{Device, Tensor};

use super::attention::{Attention, Squeezed};
use super::start::Start;
use crate::link::StreamKey;
use crate::systems::access::{FrameTensors, residual_power, scalar};
use crate::systems::pc_admm::{AdmmConfig, LinearMap, Proximal};
use crate::tensor::{group_shrink, row_dot, row_scale};
use crate::training::{Rate, Rated, Rates};

/// Trainable scalars of a layer, each `[1, 1]`, its prox, and its matrix where layers do not share one.
#[derive(Module, Debug)]
pub struct AdmmLayer {
    /// The matrix; see [`PcAdmmNet::map`](super::PcAdmmNet).
    pub b: Option<Param<Tensor<2>>>,
    /// Log of the factor on the matrix; starts at 0.
    pub step: Param<Tensor<2>>,
    /// `ln(lambda)`.
    pub lambda: Param<Tensor<2>>,
    /// `ln(rho)`.
    pub rho: Param<Tensor<2>>,
    /// theta, how far the prox looks ahead.
    pub theta: Param<Tensor<2>>,
    /// `a_v`.
    pub relax_v: Param<Tensor<2>>,
    /// `a_u`.
    pub relax_u: Param<Tensor<2>>,
    /// c, the entry of the correction below its diagonal.
    pub couple: Param<Tensor<2>>,
    /// d; starts at 1.
    pub dual: Param<Tensor<2>>,
    /// How much of the weight is attention; starts at 0, where the prox is the soft threshold.
    pub blend: Option<Param<Tensor<2>>>,
    /// How far d and c follow the divergence of the attention in each frame; starts at 0.
    pub onsager: Option<Param<Tensor<2>>>,
    /// Channel attention.
    pub attention: Option<Attention>,
}

/// Largest divergence a that `a/(1 - a)` is taken of.
const MOST_DIVERGENCE: f64 = 0.8;

/// Between layers; `None` is zero.
#[derive(Default)]
pub(super) struct State {
    pub v: Option<Tensor<2>>,
    pub u: Option<Tensor<2>>,
}

impl State {
    /// Cuts the state from the graph.
    pub fn detach(self) -> Self {
        Self { v: self.v.map(Tensor::detach), u: self.u.map(Tensor::detach) }
    }
}

/// What a layer gives.
pub(super) struct Step {
    pub state: State,
    /// `V~`, `[F*M, 2K]`.
    pub x: Tensor<2>,
    /// Logits of its attention, `[F, K]`.
    pub logits: Option<Tensor<2>>,
    /// What the decision about activities looks at.
    pub rows: Squeezed,
}

/// The matrix of a layer as it is stored: `W^H` as `[2L, K]` (complex), or `[2L, 2K]` (real).
pub(super) fn initial_map(start: &Start, map: LinearMap, device: &Device) -> Param<Tensor<2>> {
    let stacked = crate::tensor::complex::stack_pilots(&start.map, device);
    Param::from_tensor(match map {
        LinearMap::Complex => stacked,
        LinearMap::Real => crate::tensor::complex::analysis_matrix(stacked),
    })
}

/// `[F, 1]` to one number per row of `[F*M, 2K]`.
fn per_row(values: Tensor<2>, antennas: usize) -> Tensor<2> {
    let frames = values.dims()[0];
    values.expand([frames, antennas]).reshape([frames * antennas, 1])
}

impl Rated for AdmmLayer {
    fn rates(&self, to: &mut Rates) {
        to.set(Rate::Scalar, self);
        to.set(Rate::Matrix, &self.b);
        self.attention.rates(to);
    }
}

impl AdmmLayer {
    /// Parameters by which it acts on the next layer alone.
    pub(super) fn correction_parameters(&self) -> Vec<ParamId> {
        let always = [&self.relax_v, &self.relax_u, &self.couple, &self.dual];
        always.into_iter().chain(&self.onsager).map(|p| p.id).collect()
    }

    pub(super) fn init(
        config: &AdmmConfig,
        start: &Start,
        own: bool,
        key: &StreamKey,
        t: u64,
        device: &Device,
    ) -> Self {
        let attends = config.prox == Proximal::Attention;
        Self {
            b: own.then(|| initial_map(start, config.map, device)),
            step: scalar(0.0, device),
            lambda: scalar(start.lambda.ln(), device),
            rho: scalar(start.rho.ln(), device),
            theta: scalar(start.theta, device),
            relax_v: scalar(start.alpha, device),
            relax_u: scalar(start.alpha, device),
            couple: scalar(start.alpha * (1.0 - start.theta), device),
            dual: scalar(1.0, device),
            blend: attends.then(|| scalar(0.0, device)),
            onsager: attends.then(|| scalar(0.0, device)),
            attention: attends.then(|| Attention::init(start, config.hidden, key, t, device)),
        }
    }

    /// One iteration. `synthesis [2K, 2L]` of the pilots, `analysis [2L, 2K]` of this layer, `log_odds [1, K]`.
    pub(super) fn run(
        &self,
        state: State,
        frames: &FrameTensors,
        synthesis: Tensor<2>,
        analysis: Tensor<2>,
        log_odds: Tensor<2>,
    ) -> Step {
        let m = frames.antennas;
        let [batch, k] = frames.beta.dims();
        let State { v, u } = state;
        let t = match (v.clone(), u.clone()) {
            (Some(v), Some(u)) => Some(v - u),
            (v, u) => v.or_else(|| u.map(Tensor::neg)),
        };
        let r = match t {
            Some(t) => frames.y.clone() - t.matmul(synthesis),
            None => frames.y.clone(),
        };
        let power = residual_power(r.clone(), m);
        let dual = r.matmul(analysis) * self.step.val().exp();
        // The multiplier moves by X~ - V.
        let moved = match u.clone() {
            Some(u) => dual.clone() - u,
            None => dual.clone(),
        };
        let z = dual.clone() + moved.clone() * self.theta.val();
        let z = match v.clone() {
            Some(v) => z + v,
            None => z,
        };
        let rows = Squeezed {
            energy: row_dot(z.clone(), z.clone(), m),
            power,
            beta: frames.beta.clone(),
            log_odds,
            antennas: m,
        };
        let threshold = (self.lambda.val() - self.rho.val()).exp().expand([batch, k]);
        let soft = group_shrink(z.clone(), threshold, m);
        let (mut couple, mut shrink) = (self.couple.val(), self.dual.val());
        let (x, logits) = match (&self.attention, &self.blend, &self.onsager) {
            (Some(attention), Some(blend), Some(onsager)) => {
                let look = attention.look(&rows);
                let memory = look.divergence.clamp(0.0, MOST_DIVERGENCE);
                let memory = memory.clone() / (memory.neg() + 1.0);
                let toward = |from: Tensor<2>| from.clone() + (memory.clone() - from) * onsager.val();
                (couple, shrink) = (per_row(toward(couple), m), per_row(toward(shrink), m));
                let attended = row_scale(z, look.weight, m);
                (soft.clone() + (attended - soft) * blend.val(), Some(look.logits))
            }
            _ => (soft, None),
        };
        let gap = match v.clone() {
            Some(v) => v - x.clone(),
            None => x.clone().neg(),
        };
        let next_u = moved * self.relax_u.val();
        let next_u = match u {
            Some(u) => u + next_u,
            None => next_u,
        };
        let next_u = next_u * shrink + gap.clone() * couple;
        let next_v = gap.neg() * self.relax_v.val();
        let next_v = match v {
            Some(v) => v + next_v,
            None => next_v,
        };
        Step { state: State { v: Some(next_v), u: Some(next_u) }, x, logits, rows }
    }
}
