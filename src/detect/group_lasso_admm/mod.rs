//! Group LASSO by sharing ADMM (group-lasso-admm), Algorithm 1 of the auto-encoder paper.
//!
//! # Model
//!
//! That of [`group_lasso`](crate::detect::group_lasso): `1/2 ||Y - A X||_F^2 + lambda sum_i ||x_i||_2`, Y `[L, M]`, A `[L, n]`, n = NQ.
//!
//! # Algorithm
//!
//! The n products `a_i x_i` share the fit through their **average** `P = (1/n) sum_i a_i x_i`; B is its copy and C the
//! scaled dual, all `[L, M]`. From zero, one iteration is
//!
//! 1. `t_i = ||a_i||^2 x_i + a_i^H (B - P - C)`, `x_i = (1 - lambda/(rho ||t_i||))_+ t_i/||a_i||^2` (9);
//! 2. `P = (1/n) A X`, `B = (Y + rho (P + C))/(n + rho)` (10);
//! 3. `C <- C + P - B` (8).
//!
//! Score and decision are those of group-lasso.
//!
//! # Assumptions and cost
//!
//! It takes a few thousand iterations to the optimum of coordinate descent (tested); the auto-encoder paper unfolds 200. The
//! number of iterations is fixed: a small step of X does not tell that B has stopped moving. The penalty rho has no unit. By
//! simulation (N = 40, 100, 300, L = 12 to 40, M = 4 and 16, sigma2 = 0.1) rho = 1 is within 1 % of the optimum after 200
//! iterations at N <= 100 and within 5 % at N = 300; rho = 4 is 2 to 20 % off. An iteration costs `4nLM`, and `4LM` for
//! every row that is not zero. [Inputs and outputs](crate::detect#inputs-and-outputs) are those of all detectors.
//!
//! # Source
//!
//! Equation numbers are those of the auto-encoder paper; sharing ADMM: Boyd et al. (2011), section 7.3, see
//! [references](crate::docs::references).
//!
//! # Example
//!
//! Three active devices of thirty, heard at 29 dB: no decision is wrong.
//!
//! ```
//! use grantfree::detect::{GroupLassoAdmm, GroupLassoAdmmOptions};
//! use grantfree::prelude::*;
//! use grantfree::scenario::ScenarioKind::UnitGain;
//!
//! let config = ScenarioConfig {
//!     devices: 30, pilot_length: 24, active_devices: Some(3),
//!     kind: UnitGain, noise_var: Some(0.03), ..Default::default()
//! };
//! let scenario = Scenario::new(&config, 1, Split::Test)?;
//! let frames = scenario.realize(0, 8).observe(&scenario.pilots(0))?;
//! let decisions = GroupLassoAdmm::new(GroupLassoAdmmOptions::default())?.detect(&frames)?;
//! assert_eq!(decisions.activity, frames.truth().unwrap().activity());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::detect::algorithm::{Algorithm, Candidates, Context, Info};
use crate::detect::amp::steps::{PackedPilots, matched_filter};
use crate::detect::built::Built;
use crate::detect::common::frames::Solved;
use crate::detect::common::frames::{FrameDetector, FrameOut};
use crate::detect::common::kkt::{Solver, solve};
use crate::detect::common::row_energy::{column_energies, default_lambda, judge_rows};
use crate::detect::{ClassicalError, Threshold};
use crate::link::options;
use crate::link::{AccessModel, C64, FrameBatch};
use crate::link::{DetectError, Detector};
use crate::math::isa::Isa;
use crate::math::kernels::energy;
use crate::math::planes::{Planes, pack};
use crate::math::real::{Real, TILE_ROWS};

options! {
    /// Options of sharing ADMM for the group LASSO.
    pub struct GroupLassoAdmmOptions {
        /// Iterations.
        iterations: usize = 200, "1..=1000000" if |v| (1..=1_000_000).contains(v);
        /// Weight of the row norms.
        lambda: Option<f64> = None => "sqrt(M noise_var mean||a||^2)", "> 0"
            if |v| v.is_none_or(|v| v.is_finite() && v > 0.0);
        /// Penalty of the augmented Lagrangian.
        rho: f64 = 1.0, "> 0" if |v| v.is_finite() && *v > 0.0;
        /// Active when `||x||^2 > threshold * M * beta`.
        threshold: Threshold = Threshold::Value(0.1), "\"best\", or a finite number compared with ||x||^2/(M beta)" if Threshold::is_number;
    }
}

impl Algorithm for GroupLassoAdmmOptions {
    const INFO: Info = Info::receiver("group-lasso-admm", "group LASSO by sharing ADMM");

    fn detector(&self, _: &Context) -> Result<Box<dyn Detector>, ClassicalError> {
        Ok(Box::new(Solved(Engine { options: self.clone() })))
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

/// Group LASSO by sharing ADMM.
pub type GroupLassoAdmm = Built<GroupLassoAdmmOptions>;

/// The algorithm with its options.
pub(crate) struct Engine {
    pub options: GroupLassoAdmmOptions,
}

/// What a batch shares.
pub(crate) struct Shared {
    /// `A^H`, and A with columns divided by `n ||a_i||^2`.
    pilots: PackedPilots<f64>,
    /// `1/||a_i||^2`; 0 for a column of zeros, whose row stays zero.
    inverse_energies: Vec<f64>,
    lambda: f64,
}

/// Buffers of one thread.
pub(crate) struct Workspace {
    y: Planes<f64>,
    /// `||a_i||^2 x_i`, `[n, M]`: what step 1 reads and, shrunk, writes.
    scaled: Planes<f64>,
    t: Planes<f64>,
    /// C.
    dual: Planes<f64>,
    /// `B - P - C`.
    gap: Planes<f64>,
    tile: Planes<f64>,
    /// Rows that are not zero.
    support: Vec<usize>,
}

impl FrameDetector for Engine {
    type Shared = Shared;
    type Workspace = Workspace;
    const ESTIMATES_X: bool = true;
    const ESTIMATES_GAMMA: bool = false;

    fn prepare(&self, batch: &FrameBatch) -> Result<Shared, DetectError> {
        let model = batch.model();
        let (l, columns) = (model.pilot_length(), model.columns());
        let energies = column_energies(model);
        let inverse_energies: Vec<f64> = energies.iter().map(|&e| if e > 0.0 { 1.0 / e } else { 0.0 }).collect();
        let share = |i: usize| inverse_energies[i] / columns as f64;
        Ok(Shared {
            pilots: PackedPilots {
                adjoint: pack(columns, l, |i, k| model.pilots().at(k, i).conj()),
                forward: pack(l, columns, |k, i| model.pilots().at(k, i) * share(i)),
                length: l,
                columns,
            },
            lambda: self.options.lambda.unwrap_or_else(|| default_lambda(model, &energies)),
            inverse_energies,
        })
    }

    fn workspace(&self, shared: &Shared, batch: &FrameBatch) -> Workspace {
        let (l, columns, m) = (shared.pilots.length, shared.pilots.columns, batch.model().antennas());
        let planes = |rows| Planes::zeros(rows, m, f64::LANES);
        Workspace {
            y: planes(l),
            scaled: planes(columns),
            t: planes(columns),
            dual: planes(l),
            gap: planes(l),
            tile: Planes::zeros(TILE_ROWS, f64::LANES, f64::LANES),
            support: Vec::with_capacity(columns),
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
        solve(isa, self, shared, (batch.frame(f), m), work, (self.options.iterations, 0.0), out.x);
        judge_rows(batch.beta_of(f), m, q, self.options.threshold.number(), &mut out);
    }
}

impl Workspace {
    /// Equation (9): `||a_i||^2 x_i = (1 - weight/||t_i||)_+ t_i` with `weight = lambda/rho`, and the rows that are left.
    #[inline(always)]
    fn shrink<I: Isa>(&mut self, isa: I, weight: f64) {
        let stride = self.t.stride;
        self.support.clear();
        for i in 0..self.t.re.len() / stride {
            let norm = energy(isa, self.t.row(i)).sqrt();
            // Overflow or NaN in Y: such a row cannot be judged.
            let keep = if norm.is_finite() && norm > weight { 1.0 - weight / norm } else { 0.0 };
            let at = i * stride..(i + 1) * stride;
            if keep > 0.0 {
                self.support.push(i);
                let (re, im) = (&self.t.re[at.clone()], &self.t.im[at.clone()]);
                self.scaled.re[at.clone()].iter_mut().zip(re).for_each(|(s, t)| *s = keep * t);
                self.scaled.im[at].iter_mut().zip(im).for_each(|(s, t)| *s = keep * t);
            } else {
                self.scaled.re[at.clone()].fill(0.0);
                self.scaled.im[at].fill(0.0);
            }
        }
    }

    /// Equation (10): P from the rows of the support, then B, C, and their gap `B - P - C`.
    #[inline(always)]
    fn share<I: Isa>(&mut self, isa: I, pilots: &PackedPilots<f64>, rho: f64) {
        let stride = self.y.stride;
        let panel = pilots.columns * TILE_ROWS;
        let weight = 1.0 / (pilots.columns as f64 + rho);
        let entry = |average: f64, y: f64, dual: &mut f64, gap: &mut f64| {
            let copy = weight * (y + rho * (average + *dual));
            *dual += average - copy;
            *gap = copy - average - *dual;
        };
        for p in 0..pilots.length.div_ceil(TILE_ROWS) {
            let a = [&pilots.forward[0][p * panel..][..panel], &pilots.forward[1][p * panel..][..panel]];
            for at in (0..stride).step_by(f64::LANES) {
                let rows = self.support.iter().copied();
                f64::tile(isa, a, self.scaled.parts(), stride, at, rows, self.tile.parts_mut());
                for l in p * TILE_ROWS..pilots.length.min((p + 1) * TILE_ROWS) {
                    let (from, to) = ((l % TILE_ROWS) * f64::LANES, l * stride + at);
                    for j in 0..f64::LANES {
                        let (from, to) = (from + j, to + j);
                        entry(self.tile.re[from], self.y.re[to], &mut self.dual.re[to], &mut self.gap.re[to]);
                        entry(self.tile.im[from], self.y.im[to], &mut self.dual.im[to], &mut self.gap.im[to]);
                    }
                }
            }
        }
    }
}

impl Solver for Engine {
    const GROUPS: bool = true;

    fn lambda(shared: &Shared) -> f64 {
        shared.lambda
    }

    #[inline(always)]
    fn start(&self, _: &Shared, y: &[C64], antennas: usize, work: &mut Workspace) {
        work.y.load(y, antennas, 1.0);
        for planes in [&mut work.scaled, &mut work.dual, &mut work.gap] {
            planes.re.fill(0.0);
            planes.im.fill(0.0);
        }
    }

    #[inline(always)]
    fn step<I: Isa>(&self, isa: I, shared: &Shared, work: &mut Workspace) -> (f64, f64) {
        matched_filter(isa, &shared.pilots, &work.gap, &work.scaled, &mut work.t, &mut work.tile);
        work.shrink(isa, shared.lambda / self.options.rho);
        work.share(isa, &shared.pilots, self.options.rho);
        // A small step of X does not tell that B has stopped moving.
        (f64::INFINITY, 1.0)
    }

    #[inline(always)]
    fn estimate(&self, shared: &Shared, work: &Workspace, antennas: usize, x: &mut [C64]) {
        work.scaled.store(x, antennas);
        for (x, &inverse) in x.chunks_exact_mut(antennas).zip(&shared.inverse_energies) {
            x.iter_mut().for_each(|v| *v *= inverse);
        }
    }
}
