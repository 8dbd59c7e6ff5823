//! LASSO by proximal gradient steps (lasso): ISTA and FISTA.
//!
//! # Model
//!
//! `Y = A X + W`, Y `[L, M]`, A `[L, n]` with columns as they are. The estimate is the minimiser of the convex
//!
//! `1/2 ||Y - A X||_F^2 + lambda sum_{i, m} |x_im|`,
//!
//! with the sum of the complex moduli of the entries: every antenna is estimated on its own, and nothing ties the entries of
//! a row together. With one antenna this is the [group LASSO](crate::detect::group_lasso).
//!
//! # Algorithm
//!
//! From zero, with `c >= ||A||^2` (squared spectral norm), one iteration is
//!
//! 1. `X_new = soft(Z + A^H (Y - A Z)/c, lambda/c)`, `soft(z, t) = (1 - t/|z|)_+ z`;
//! 2. `Z = X_new` (ISTA), or `Z = X_new + (s - 1)/s' (X_new - X)`, `s' = (1 + sqrt(1 + 4 s^2))/2`, `s = 1` at first (FISTA).
//!
//! Score and decision are those of group-lasso.
//!
//! # Assumptions and cost
//!
//! The default weight `sqrt(sigma2 mean||a||^2)` is the r.m.s. size of what noise alone leaves in an entry of `A^H Y`. An
//! iteration costs `8nLM`; c costs `O(n L^2 + L^3)` per batch. [Inputs and outputs](crate::detect#inputs-and-outputs) are those of all detectors.
//!
//! # Source
//!
//! (4.1)-(4.3) of Beck and Teboulle (2009), with complex moduli, see [references](crate::docs::references).
//!
//! # Example
//!
//! Three active devices of thirty, heard at 29 dB: no decision is wrong.
//!
//! ```
//! use grantfree::detect::{Lasso, LassoOptions};
//! use grantfree::prelude::*;
//! use grantfree::scenario::ScenarioKind::UnitGain;
//!
//! let config = ScenarioConfig {
//!     devices: 30, pilot_length: 24, active_devices: Some(3),
//!     kind: UnitGain, noise_var: Some(0.03), ..Default::default()
//! };
//! let scenario = Scenario::new(&config, 1, Split::Test)?;
//! let frames = scenario.realize(0, 8).observe(&scenario.pilots(0))?;
//! let decisions = Lasso::new(LassoOptions::default())?.detect(&frames)?;
//! assert_eq!(decisions.activity, frames.truth().unwrap().activity());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::detect::LassoMethod;
use crate::detect::algorithm::{Algorithm, Candidates, Context, Info};
use crate::detect::amp::steps::{PackedPilots, matched_filter};
use crate::detect::built::Built;
use crate::detect::common::fit::misfit;
use crate::detect::common::frames::Solved;
use crate::detect::common::frames::{FrameDetector, FrameOut};
use crate::detect::common::kkt::{Solver, solve};
use crate::detect::common::row_energy::{column_energies, judge_rows, weight_of};
use crate::detect::{ClassicalError, Threshold};
use crate::link::options;
use crate::link::{AccessModel, C64, FrameBatch};
use crate::link::{DetectError, Detector};
use crate::math::isa::Isa;
use crate::math::planes::{Planes, pack};
use crate::math::real::{Real, TILE_ROWS};

options! {
    /// Options of the LASSO.
    pub struct LassoOptions {
        /// Iterations.
        iterations: usize = 500, "1..=1000000" if |v| (1..=1_000_000).contains(v);
        /// Weight of the moduli.
        lambda: Option<f64> = None => "sqrt(noise_var mean||a||^2)", "> 0"
            if |v| v.is_none_or(|v| v.is_finite() && v > 0.0);
        /// Proximal gradient steps with or without momentum.
        method: LassoMethod = LassoMethod::Fista, "\"fista\" or \"ista\"";
        /// Active when `||x||^2 > threshold * M * beta`.
        threshold: Threshold = Threshold::Value(0.1), "\"best\", or a finite number compared with ||x||^2/(M beta)" if Threshold::is_number;
        /// Stop when the largest change of one iteration relative to the largest modulus falls below; 0 never stops early.
        tolerance: f64 = 0.0, ">= 0" if |v| v.is_finite() && *v >= 0.0;
    }
}

impl Algorithm for LassoOptions {
    const INFO: Info = Info::receiver("lasso", "LASSO of the entries by ISTA or FISTA");

    fn detector(&self, _: &Context) -> Result<Box<dyn Detector>, ClassicalError> {
        Ok(Box::new(Solved(Engine { options: self.clone() })))
    }

    fn candidates(&self, model: &AccessModel) -> Vec<Candidates> {
        vec![Candidates::around("lambda", weight_of(1, model.noise_var(), &column_energies(model)))]
    }

    fn threshold(&self) -> Option<Threshold> {
        Some(self.threshold)
    }

    fn set_threshold(&mut self, threshold: Threshold) {
        self.threshold = threshold;
    }
}

/// LASSO of the entries by ISTA or FISTA.
pub type Lasso = Built<LassoOptions>;

/// The algorithm with its options.
pub(crate) struct Engine {
    pub options: LassoOptions,
}

/// What a batch shares.
pub(crate) struct Shared {
    /// `A^H/c` as the adjoint, A as it is.
    pilots: PackedPilots<f64>,
    lambda: f64,
    /// `lambda/c`.
    weight: f64,
}

/// Buffers of one thread, each `[n, M]` unless said otherwise.
pub(crate) struct Workspace {
    /// `[L, M]`.
    y: Planes<f64>,
    x: Planes<f64>,
    z: Planes<f64>,
    /// `Z + A^H (Y - A Z)/c`.
    t: Planes<f64>,
    /// `Y - A Z`, `[L, M]`.
    r: Planes<f64>,
    tile: Planes<f64>,
    /// s of FISTA.
    momentum: f64,
}

/// Squarings of the Gram matrix: the bound is then at most `L^(1/512)` times the norm, 1.4 % above it at L = 1000.
const SQUARINGS: u32 = 8;

/// An upper bound of `||A||^2`: `||(A A^H)^(2^k)||_F^(1/2^k)`, within a factor `L^(1/2^(k+1))`.
///
/// A power iteration would come from below, and a step longer than `1/||A||^2` is not covered by the theory of FISTA.
fn squared_norm(model: &AccessModel) -> f64 {
    let (l, n) = (model.pilot_length(), model.columns());
    let rows: Vec<Vec<C64>> = (0..l).map(|k| (0..n).map(|i| model.pilots().at(k, i)).collect()).collect();
    let product = |left: &[C64], right: &[C64]| left.iter().zip(right).map(|(a, b)| a * b.conj()).sum::<C64>();
    let hermitian = |rows: &[Vec<C64>]| -> Vec<Vec<C64>> {
        rows.iter().map(|a| rows.iter().map(|b| product(a, b)).collect()).collect()
    };
    let mut gram = hermitian(&rows);
    let mut log_scale = 0.0;
    for k in 0..=SQUARINGS {
        let norm = gram.iter().flatten().map(|v| v.norm_sqr()).sum::<f64>().sqrt();
        if !(norm > 0.0 && norm.is_finite()) {
            return 1.0;
        }
        log_scale += norm.ln() / f64::from(1_u32 << k);
        if k < SQUARINGS {
            gram.iter_mut().flatten().for_each(|v| *v /= norm);
            // The matrix is Hermitian: its square is the product with its own conjugate transpose.
            gram = hermitian(&gram);
        }
    }
    log_scale.exp()
}

impl FrameDetector for Engine {
    type Shared = Shared;
    type Workspace = Workspace;
    const ESTIMATES_X: bool = true;
    const ESTIMATES_GAMMA: bool = false;

    fn prepare(&self, batch: &FrameBatch) -> Result<Shared, DetectError> {
        let model = batch.model();
        let (l, columns) = (model.pilot_length(), model.columns());
        let c = squared_norm(model);
        let lambda = self.options.lambda.unwrap_or_else(|| weight_of(1, model.noise_var(), &column_energies(model)));
        Ok(Shared {
            pilots: PackedPilots {
                adjoint: pack(columns, l, |i, k| model.pilots().at(k, i).conj() / c),
                forward: pack(l, columns, |k, i| model.pilots().at(k, i)),
                length: l,
                columns,
            },
            lambda,
            weight: lambda / c,
        })
    }

    fn workspace(&self, shared: &Shared, batch: &FrameBatch) -> Workspace {
        let (l, columns, m) = (shared.pilots.length, shared.pilots.columns, batch.model().antennas());
        let planes = |rows| Planes::zeros(rows, m, f64::LANES);
        Workspace {
            y: planes(l),
            x: planes(columns),
            z: planes(columns),
            t: planes(columns),
            r: planes(l),
            tile: Planes::zeros(TILE_ROWS, f64::LANES, f64::LANES),
            momentum: 1.0,
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

impl Solver for Engine {
    const GROUPS: bool = false;

    fn lambda(shared: &Shared) -> f64 {
        shared.lambda
    }

    fn start(&self, _: &Shared, y: &[C64], antennas: usize, work: &mut Workspace) {
        work.y.load(y, antennas, 1.0);
        for planes in [&mut work.x, &mut work.z] {
            planes.re.fill(0.0);
            planes.im.fill(0.0);
        }
        work.momentum = 1.0;
    }

    #[inline(always)]
    fn step<I: Isa>(&self, isa: I, shared: &Shared, work: &mut Workspace) -> (f64, f64) {
        misfit(isa, &shared.pilots, &work.y, &work.z, &mut work.r, &mut work.tile);
        matched_filter(isa, &shared.pilots, &work.r, &work.z, &mut work.t, &mut work.tile);
        let ahead = match self.options.method {
            LassoMethod::Ista => 0.0,
            LassoMethod::Fista => {
                let next = 0.5 * (1.0 + (1.0 + 4.0 * work.momentum * work.momentum).sqrt());
                let ahead = (work.momentum - 1.0) / next;
                work.momentum = next;
                ahead
            }
        };
        let (mut change, mut largest) = (0.0_f64, 0.0_f64);
        for j in 0..work.t.re.len() {
            let (re, im) = (work.t.re[j], work.t.im[j]);
            let size = (re * re + im * im).sqrt();
            // Overflow or NaN in Y: such an entry cannot be judged.
            let keep = if size.is_finite() && size > shared.weight { 1.0 - shared.weight / size } else { 0.0 };
            let (re, im) = if keep > 0.0 { (keep * re, keep * im) } else { (0.0, 0.0) };
            let (step_re, step_im) = (re - work.x.re[j], im - work.x.im[j]);
            change = change.max(step_re * step_re + step_im * step_im);
            largest = largest.max(re * re + im * im);
            (work.x.re[j], work.x.im[j]) = (re, im);
            (work.z.re[j], work.z.im[j]) = (re + ahead * step_re, im + ahead * step_im);
        }
        (change.sqrt(), largest.sqrt())
    }

    fn estimate(&self, _: &Shared, work: &Workspace, antennas: usize, x: &mut [C64]) {
        work.x.store(x, antennas);
    }
}
