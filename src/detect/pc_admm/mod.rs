//! Group LASSO by prediction-correction ADMM (pc-admm).
//!
//! # Model
//!
//! The problem is that of [`group_lasso`](crate::detect::group_lasso): `1/2 ||Y - A X||_F^2 + lambda sum_i ||x_i||_2`, Y `[L, M]`,
//! A `[L, n]`, any M.
//!
//! # Algorithm
//!
//! Split it as `f(X) + g(V)` with `X = V`, `f = 1/2 ||Y - A X||_F^2`, `g = lambda sum_i ||v_i||`, scaled dual U (the dual is
//! `rho U`), penalty `rho`. From `w = (V, U)` one iteration is
//!
//! Predict:
//! 1. `X~ = (A^H A + rho I)^-1 (A^H Y + rho (V - U))`
//! 2. `U~ = U + (X~ - V)`
//! 3. `V~ = prox_{g/rho}(X~ + U + theta (U~ - U))`, the row soft threshold at `lambda/rho`
//!
//! Correct: `w <- w - alpha M_c (w - w~)`, `M_c = [I, 0; -(1 - theta) I, I]`, that is
//! `V <- V - alpha (V - V~)` and `U <- U - alpha ((U - U~) - (1 - theta) (V - V~))`.
//!
//! # Why it converges
//!
//! Optimality of the two sub-problems and of the multiplier says
//! `grad f(X~) + rho U~ = 0`, `d g(V~) - rho U~ + rho [(V~ - V) - theta (U~ - U)] ∋ 0` and
//! `X~ - V~ = (V - V~) - (U - U~)`. This is the variational inequality of the problem at `w~` with the term `Q (w - w~)`,
//!
//! `Q = rho [I, -theta I; -I, I]`, `H = Q M_c^-1 = rho [(1 - theta + theta^2) I, -theta I; -theta I, I]`.
//!
//! Among unit triangular matrices this `M_c` is the lower one for which H is symmetric. `det H ~ 1 - theta`, so H is positive
//! definite for `theta < 1`. The condition of He and Yuan on the correction is that
//! `G = Q^T + Q - alpha M_c^T H M_c` be positive semi-definite; here
//!
//! `G = rho [2 - alpha (2 - theta), alpha - 1 - theta; alpha - 1 - theta, 2 - alpha]`,
//! `det G ~ (1 - theta) ((2 - alpha)^2 - (1 - theta))`,
//!
//! so it holds exactly for `alpha <= 2 - sqrt(1 - theta)`, and then `||w - w*||_H` falls in every iteration. The family has
//! plain ADMM at one end (`theta = 0`, `alpha <= 1`: `M_c` is its dual step). At the other end, `theta = 1`, the prox sees
//! `X~ + U~`, `M_c = I` and `alpha < 2`; there H is singular and only `V - U` contracts (relaxed Douglas-Rachford). We
//! take `theta = 1 - min(1, (2 - alpha)^2/2)`, for which G and H are positive definite at every `alpha` in (0, 2).
//!
//! # One iteration in two products
//!
//! With `W = (A^H A + rho I)^-1 A^H = A^H (A A^H + rho I)^-1` (Woodbury; the L x L
//! inverse is computed once) and `T = V - U`, `X~ = T + W (Y - A T)` and `U~ = W (Y - A T)`.
//!
//! # The penalty
//!
//! Near the optimum ADMM is a linear iteration whose rate is best at the geometric mean of the extreme
//! eigenvalues of `A^H A` on the active rows. For K of them and random pilots these are `||a||^2 (1 -+ sqrt(K/L))^2`, with
//! the geometric mean `||a||^2 (1 - K/L)`: the default, `rho = mean||a||^2 max(1 - K/L, 1/4)`, `K = sum of the activity
//! probabilities`. Iterations to a KKT residual of 1e-6 beside other solvers: configs/c_convergence.toml.
//!
//! # Assumptions and cost
//!
//! Score and decision are those of group-lasso; the activity probabilities enter the default penalty by their sum. An
//! iteration costs `8nLM`, the inverse `O(L^3 + n L^2)` per batch. [Inputs and
//! outputs](crate::detect#inputs-and-outputs) are those of all detectors.
//!
//! # Source
//!
//! Derived here, within the framework of He and Yuan (2012) and He, Tao and Yuan (2012); the network built on it is that of
//! the PC-ADMM paper, see [references](crate::docs::references).
//!
//! # Example
//!
//! Three active devices of thirty, heard at 29 dB: no decision is wrong.
//!
//! ```
//! use grantfree::detect::{PcAdmm, PcAdmmOptions};
//! use grantfree::prelude::*;
//! use grantfree::scenario::ScenarioKind::UnitGain;
//!
//! let config = ScenarioConfig {
//!     devices: 30, pilot_length: 24, active_devices: Some(3),
//!     kind: UnitGain, noise_var: Some(0.03), ..Default::default()
//! };
//! let scenario = Scenario::new(&config, 1, Split::Test)?;
//! let frames = scenario.realize(0, 8).observe(&scenario.pilots(0))?;
//! let decisions = PcAdmm::new(PcAdmmOptions::default())?.detect(&frames)?;
//! assert_eq!(decisions.activity, frames.truth().unwrap().activity());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use pulp::Scalar;

use crate::detect::DEFAULT_ALPHA;
use crate::detect::algorithm::{Algorithm, Candidates, Context, Info, Prior};
use crate::detect::amp::steps::{PackedPilots, matched_filter};
use crate::detect::built::Built;
use crate::detect::common::columns::pilot_columns;
use crate::detect::common::fit::misfit;
use crate::detect::common::frames::Solved;
use crate::detect::common::frames::{FrameDetector, FrameOut};
use crate::detect::common::kkt::{Solver, solve};
use crate::detect::common::row_energy::{column_energies, default_lambda, judge_rows};
use crate::detect::{ClassicalError, Threshold};
use crate::link::options;
use crate::link::{AccessModel, C64, FrameBatch};
use crate::link::{ConfigError, check};
use crate::link::{DetectError, Detector};
use crate::math::inverse::InverseCovariance;
use crate::math::isa::Isa;
use crate::math::kernels::energy;
use crate::math::planes::{Planes, pack};
use crate::math::real::{Real, TILE_ROWS};

options! {
    /// Options of prediction-correction ADMM for the group LASSO.
    pub struct PcAdmmOptions {
        /// Iterations.
        iterations: usize = 200, "1..=1000000" if |v| (1..=1_000_000).contains(v);
        /// Weight of the row norms.
        lambda: Option<f64> = None => "sqrt(M noise_var mean||a||^2)", "> 0"
            if |v| v.is_none_or(|v| v.is_finite() && v > 0.0);
        /// Penalty of the augmented Lagrangian for K active devices on average, see [`default_rho`].
        rho: Option<f64> = None => "mean||a||^2 max(1 - K/L, 1/4)", "> 0"
            if |v| v.is_none_or(|v| v.is_finite() && v > 0.0);
        /// Relaxation of the correction.
        alpha: f64 = DEFAULT_ALPHA, "in (0, 2)" if |v| *v > 0.0 && *v < 2.0;
        /// theta: how far the prox looks ahead along the change of the dual, see [`default_extrapolation`].
        /// `alpha = 1, extrapolation = 0` is plain ADMM.
        extrapolation: Option<f64> = None => "1 - min(1, (2 - alpha)^2/2)",
            "in [0, 1) with alpha <= 2 - sqrt(1 - extrapolation)";
        /// Active when `||x||^2 > threshold * M * beta`.
        threshold: Threshold = Threshold::Value(0.1), "\"best\", or a finite number compared with ||x||^2/(M beta)" if Threshold::is_number;
        /// Stop when the largest change of one iteration relative to the largest row norm falls below; 0 never stops early.
        tolerance: f64 = 0.0, ">= 0" if |v| v.is_finite() && *v >= 0.0;
    }
}

impl Algorithm for PcAdmmOptions {
    const INFO: Info = Info::receiver("pc-admm", "group LASSO by prediction-correction ADMM").with_prior(Prior::Mean);

    fn detector(&self, _: &Context) -> Result<Box<dyn Detector>, ClassicalError> {
        Ok(Box::new(Solved(Engine { options: self.clone() })))
    }

    fn check(&self, prefix: &str) -> Result<(), ConfigError> {
        let Some(theta) = self.extrapolation else { return Ok(()) };
        let alpha = self.alpha;
        let range = format!("in [0, 1) with alpha <= 2 - sqrt(1 - extrapolation); alpha is {alpha}");
        let fits = (0.0..1.0).contains(&theta) && alpha <= 2.0 - (1.0 - theta).sqrt();
        check(fits, &format!("{prefix}.extrapolation"), theta, &range, "1 - min(1, (2 - alpha)^2/2)")
    }

    fn candidates(&self, model: &AccessModel) -> Vec<Candidates> {
        vec![Candidates::around("lambda", default_lambda(model, &column_energies(model)))]
    }

    fn threshold(&self) -> Option<Threshold> {
        Some(self.threshold)
    }

    fn set_threshold(&mut self, threshold: Threshold) {
        self.threshold = threshold;
    }
}

/// Group LASSO by prediction-correction ADMM.
pub type PcAdmm = Built<PcAdmmOptions>;

/// Default of theta: `1 - min(1, (2 - alpha)^2/2)`, half way (in `1 - theta`) to where the correction condition ends.
pub fn default_extrapolation(alpha: f64) -> f64 {
    1.0 - (0.5 * (2.0 - alpha) * (2.0 - alpha)).min(1.0)
}

/// Default of the penalty relative to the mean energy of a pilot column: `max(1 - K/L, 1/4)` for K active rows on average.
pub fn default_rho(active: f64, length: usize) -> f64 {
    (1.0 - active / length as f64).max(0.25)
}

/// The default penalty of a link, in the units of its pilots.
fn rho_of(model: &AccessModel, energies: &[f64]) -> f64 {
    let mean = energies.iter().sum::<f64>() / energies.len() as f64;
    // Pilots of zeros would make the inverse infinite; there is nothing to find then.
    let unit = if mean > 0.0 && mean.is_finite() { mean } else { 1.0 };
    unit * default_rho(model.activity_prob().iter().sum(), model.pilot_length())
}

/// The algorithm with its options.
pub(crate) struct Engine {
    pub options: PcAdmmOptions,
}

/// What a batch shares.
pub(crate) struct Shared {
    /// W as the adjoint, A as it is.
    pilots: PackedPilots<f64>,
    lambda: f64,
    rho: f64,
    theta: f64,
}

/// Buffers of one thread, each `[n, M]` unless said otherwise.
pub(crate) struct Workspace {
    /// `[L, M]`.
    y: Planes<f64>,
    pub(crate) v: Planes<f64>,
    pub(crate) u: Planes<f64>,
    /// `T = V - U`, then `V + U~`.
    t: Planes<f64>,
    /// `Y - A T`, `[L, M]`.
    r: Planes<f64>,
    /// `V~`, the estimate: its idle rows are exactly zero.
    predicted: Planes<f64>,
    tile: Planes<f64>,
}

/// `W = A^H (A A^H + rho I)^-1`, `[n, L]` row-major, from the columns of A as rows `[n, L]`.
pub(crate) fn woodbury(columns: &Planes<f64>, length: usize, rho: f64) -> Vec<C64> {
    let n = columns.re.len() / columns.stride;
    let mut inverse = InverseCovariance::<f64>::new(length, rho);
    inverse.rebuild(Scalar, columns, &vec![1.0; n]);
    let mut w = vec![C64::default(); n * length];
    for (i, row) in w.chunks_exact_mut(length).enumerate() {
        inverse.apply(Scalar, columns.row(i));
        row.iter_mut().enumerate().for_each(|(k, w)| *w = C64::new(inverse.v.re[k], -inverse.v.im[k]));
    }
    w
}

/// W as the adjoint, and A.
fn packed(model: &AccessModel, rho: f64) -> PackedPilots<f64> {
    let (l, columns) = (model.pilot_length(), model.columns());
    let w = woodbury(&pilot_columns::<f64>(model, 1.0), l, rho);
    PackedPilots {
        adjoint: pack(columns, l, |i, k| w[i * l + k]),
        forward: pack(l, columns, |k, i| model.pilots().at(k, i)),
        length: l,
        columns,
    }
}

impl FrameDetector for Engine {
    type Shared = Shared;
    type Workspace = Workspace;
    const ESTIMATES_X: bool = true;
    const ESTIMATES_GAMMA: bool = false;

    fn prepare(&self, batch: &FrameBatch) -> Result<Shared, DetectError> {
        let (model, o) = (batch.model(), &self.options);
        let energies = column_energies(model);
        let rho = o.rho.unwrap_or_else(|| rho_of(model, &energies));
        Ok(Shared {
            pilots: packed(model, rho),
            lambda: o.lambda.unwrap_or_else(|| default_lambda(model, &energies)),
            rho,
            theta: o.extrapolation.unwrap_or_else(|| default_extrapolation(o.alpha)),
        })
    }

    fn workspace(&self, shared: &Shared, batch: &FrameBatch) -> Workspace {
        let (l, columns, m) = (shared.pilots.length, shared.pilots.columns, batch.model().antennas());
        let planes = |rows| Planes::zeros(rows, m, f64::LANES);
        Workspace {
            y: planes(l),
            v: planes(columns),
            u: planes(columns),
            t: planes(columns),
            r: planes(l),
            predicted: planes(columns),
            tile: Planes::zeros(TILE_ROWS, f64::LANES, f64::LANES),
        }
    }

    #[inline(always)]
    fn frame<I: Isa>(
        &self,
        isa: I,
        shared: &Shared,
        batch: &FrameBatch,
        f: usize,
        work: &mut Workspace,
        mut out: FrameOut<'_>,
    ) {
        let (m, q) = (batch.model().antennas(), batch.model().sequences());
        let budget = (self.options.iterations, self.options.tolerance);
        solve(isa, self, shared, (batch.frame(f), m), work, budget, out.x);
        judge_rows(batch.beta_of(f), m, q, self.options.threshold.number(), &mut out);
    }
}

impl Workspace {
    /// `T = V - U`.
    #[inline(always)]
    fn difference(&mut self) {
        let parts = |t: &mut [f64], v: &[f64], u: &[f64]| t.iter_mut().zip(v).zip(u).for_each(|((t, v), u)| *t = v - u);
        parts(&mut self.t.re, &self.v.re, &self.u.re);
        parts(&mut self.t.im, &self.v.im, &self.u.im);
    }

    /// Steps 2 and 3 of the prediction and the correction of row i, where `t` holds `V + U~`; returns the change and the
    /// largest norm.
    #[inline(always)]
    fn correct<I: Isa>(&mut self, isa: I, i: usize, weight: f64, theta: f64, alpha: f64) -> (f64, f64) {
        let Self { v, u, t, predicted, .. } = self;
        let stride = t.stride;
        let at = i * stride..(i + 1) * stride;
        let ahead = |z: &mut [f64], t: &[f64], v: &[f64], u: &[f64]| {
            z.iter_mut().zip(t).zip(v.iter().zip(u)).for_each(|((z, t), (v, u))| *z = t + theta * (t - v - u));
        };
        ahead(&mut predicted.re[at.clone()], &t.re[at.clone()], &v.re[at.clone()], &u.re[at.clone()]);
        ahead(&mut predicted.im[at.clone()], &t.im[at.clone()], &v.im[at.clone()], &u.im[at.clone()]);
        let norm = energy(isa, predicted.row(i)).sqrt();
        // Overflow or NaN in Y: such a row cannot be judged.
        let keep = if norm.is_finite() && norm > weight { 1.0 - weight / norm } else { 0.0 };
        let [mut moved_v, mut moved_u, mut size_v, mut size_u] = [0.0; 4];
        let mut entry = |z: &mut f64, t: f64, v: &mut f64, u: &mut f64| {
            let dual = t - *v;
            *z = if keep > 0.0 { keep * *z } else { 0.0 };
            let (dv, du) = (*v - *z, *u - dual);
            moved_v += dv * dv;
            moved_u += du * du;
            size_v += *z * *z;
            size_u += dual * dual;
            *v -= alpha * dv;
            *u -= alpha * (du - (1.0 - theta) * dv);
        };
        for j in at {
            entry(&mut predicted.re[j], t.re[j], &mut v.re[j], &mut u.re[j]);
            entry(&mut predicted.im[j], t.im[j], &mut v.im[j], &mut u.im[j]);
        }
        (moved_v.max(moved_u).sqrt(), size_v.max(size_u).sqrt())
    }
}

impl Solver for Engine {
    const GROUPS: bool = true;

    fn lambda(shared: &Shared) -> f64 {
        shared.lambda
    }

    fn start(&self, _: &Shared, y: &[C64], antennas: usize, work: &mut Workspace) {
        work.y.load(y, antennas, 1.0);
        for planes in [&mut work.v, &mut work.u] {
            planes.re.fill(0.0);
            planes.im.fill(0.0);
        }
    }

    #[inline(always)]
    fn step<I: Isa>(&self, isa: I, shared: &Shared, work: &mut Workspace) -> (f64, f64) {
        work.difference();
        misfit(isa, &shared.pilots, &work.y, &work.t, &mut work.r, &mut work.tile);
        matched_filter(isa, &shared.pilots, &work.r, &work.v, &mut work.t, &mut work.tile);
        let (weight, alpha) = (shared.lambda / shared.rho, self.options.alpha);
        (0..shared.pilots.columns).fold((0.0_f64, 0.0_f64), |(change, largest), i| {
            let (moved, size) = work.correct(isa, i, weight, shared.theta, alpha);
            (change.max(moved), largest.max(size))
        })
    }

    fn estimate(&self, _: &Shared, work: &Workspace, antennas: usize, x: &mut [C64]) {
        work.predicted.store(x, antennas);
    }
}

#[cfg(test)]
mod tests;
