//! Group LASSO by block coordinate descent (group-lasso).
//!
//! # Model
//!
//! `Y = A X + W`, Y `[L, M]`, A `[L, N*Q]` with columns as they are (nothing is normalised), few rows of X not zero. The estimate
//! is the minimiser of the convex (13) of the DL-mAMPnet paper, (4) of the auto-encoder paper:
//!
//! `1/2 ||Y - A X||_F^2 + lambda sum_i ||x_i||_2`.
//!
//! # Algorithm
//!
//! From `X = 0` one sweep visits the columns in order and solves for one row with the others fixed; the residual
//! `R = Y - A X` is kept up to date:
//!
//! 1. `t = a_i^H R + ||a_i||^2 x_i`;
//! 2. `x_i = (1 - lambda/||t||)_+ t/||a_i||^2`.
//!
//! Optimality (tested): `||a_i^H R|| <= lambda` where `x_i = 0`, `a_i^H R = lambda x_i/||x_i||` elsewhere.
//!
//! Most rows are zero and stay so, which a bound proves without computing t: when R has moved by at most p in the
//! Frobenius norm since `||t|| = lambda - c` was seen, `||t|| <= lambda - c + ||a_i|| p`. Such a row is not visited until
//! `||a_i|| p` reaches c; the sweep gives what visits to all rows would give.
//!
//! Score: `||x_i||^2/(M beta_n)`; decision: the largest of the Q rows, active above `threshold`. Shrinkage makes scores smaller
//! than one.
//!
//! # Assumptions and cost
//!
//! Columns are treated alone. Neither activity prior nor gains enter the estimate; gains scale the decision. The noise
//! variance sets the default weight, `lambda = sqrt(M sigma2 mean||a||^2)`. A visit costs `4LM`, or `8LM` where the row moves.
//! [Inputs and outputs](crate::detect#inputs-and-outputs) are those of all detectors.
//!
//! # Source
//!
//! Yuan and Lin (2006); block coordinate descent after Tseng (2001); a baseline of the auto-encoder paper, see
//! [references](crate::docs::references).
//!
//! # Example
//!
//! Three active devices of thirty, heard at 29 dB: no decision is wrong.
//!
//! ```
//! use grantfree::detect::{GroupLasso, GroupLassoOptions};
//! use grantfree::prelude::*;
//! use grantfree::scenario::ScenarioKind::UnitGain;
//!
//! let config = ScenarioConfig {
//!     devices: 30, pilot_length: 24, active_devices: Some(3),
//!     kind: UnitGain, noise_var: Some(0.03), ..Default::default()
//! };
//! let scenario = Scenario::new(&config, 1, Split::Test)?;
//! let frames = scenario.realize(0, 8).observe(&scenario.pilots(0))?;
//! let decisions = GroupLasso::new(GroupLassoOptions::default())?.detect(&frames)?;
//! assert_eq!(decisions.activity, frames.truth().unwrap().activity());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::detect::algorithm::{Algorithm, Candidates, Context, Info};
use crate::detect::built::Built;
use crate::detect::common::columns::pilot_columns;
use crate::detect::common::frames::Solved;
use crate::detect::common::frames::{FrameDetector, FrameOut};
use crate::detect::common::kkt::{Solver, solve};
use crate::detect::common::row_energy::{column_energies, default_lambda, judge_rows};
use crate::detect::{ClassicalError, Threshold};
use crate::link::options;
use crate::link::{AccessModel, C64, FrameBatch};
use crate::link::{DetectError, Detector};
use crate::math::isa::Isa;
use crate::math::kernels::{combine_conjugate, energy, subtract_outer};
use crate::math::planes::Planes;
use crate::math::real::Real;

options! {
    /// Options of block coordinate descent for the group LASSO.
    pub struct GroupLassoOptions {
        /// Sweeps over all columns.
        iterations: usize = 200, "1..=1000000" if |v| (1..=1_000_000).contains(v);
        /// Weight of the row norms.
        lambda: Option<f64> = None => "sqrt(M noise_var mean||a||^2)", "> 0"
            if |v| v.is_none_or(|v| v.is_finite() && v > 0.0);
        /// Active when `||x||^2 > threshold * M * beta`.
        threshold: Threshold = Threshold::Value(0.1), "\"best\", or a finite number compared with ||x||^2/(M beta)" if Threshold::is_number;
        /// Stop when the largest change of one sweep relative to the largest row norm falls below; 0 never stops early.
        tolerance: f64 = 0.0, ">= 0" if |v| v.is_finite() && *v >= 0.0;
    }
}

impl Algorithm for GroupLassoOptions {
    const INFO: Info = Info::receiver("group-lasso", "group LASSO by block coordinate descent");

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

/// Group LASSO by block coordinate descent.
pub type GroupLasso = Built<GroupLassoOptions>;

/// The algorithm with its options.
pub(crate) struct Engine {
    pub options: GroupLassoOptions,
}

/// What a batch shares.
pub(crate) struct Shared {
    columns: Planes<f64>,
    energies: Vec<f64>,
    lambda: f64,
    length: usize,
}

/// Buffers of one thread.
pub(crate) struct Workspace {
    /// `R = Y - A X`, `[L, M]`.
    residual: Planes<f64>,
    /// The **conjugate** of X, `[N*Q, M]`: the kernels give `conj(a^H R)` and take `a conj(v)`.
    x: Planes<f64>,
    /// conj(t), then the conjugate of the change of the row.
    t: Planes<f64>,
    /// `sum ||a_i|| ||change of x_i||`: R has moved by no more than a difference of two values of it.
    path: f64,
    /// The path at which a zero row must be looked at again; -inf for a row that is not zero.
    wake: Vec<f64>,
}

impl FrameDetector for Engine {
    type Shared = Shared;
    type Workspace = Workspace;
    const ESTIMATES_X: bool = true;
    const ESTIMATES_GAMMA: bool = false;

    fn prepare(&self, batch: &FrameBatch) -> Result<Shared, DetectError> {
        let energies = column_energies(batch.model());
        Ok(Shared {
            columns: pilot_columns(batch.model(), 1.0),
            lambda: self.options.lambda.unwrap_or_else(|| default_lambda(batch.model(), &energies)),
            energies,
            length: batch.model().pilot_length(),
        })
    }

    fn workspace(&self, shared: &Shared, batch: &FrameBatch) -> Workspace {
        let (columns, m) = (shared.energies.len(), batch.model().antennas());
        Workspace {
            residual: Planes::zeros(shared.length, m, f64::LANES),
            x: Planes::zeros(columns, m, f64::LANES),
            t: Planes::zeros(1, m, f64::LANES),
            path: 0.0,
            wake: vec![0.0; columns],
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
    /// `X = 0`, `R = Y`, every column that can be judged awake.
    #[inline(always)]
    fn start(&mut self, shared: &Shared, y: &[C64], antennas: usize) {
        self.residual.load(y, antennas, 1.0);
        self.x.re.fill(0.0);
        self.x.im.fill(0.0);
        self.path = 0.0;
        for (wake, &e) in self.wake.iter_mut().zip(&shared.energies) {
            *wake = if e > 0.0 && e.is_finite() { f64::NEG_INFINITY } else { f64::INFINITY };
        }
    }

    /// One sweep; returns the largest change of a row and the largest row norm.
    #[inline(always)]
    fn sweep<I: Isa>(&mut self, isa: I, shared: &Shared) -> (f64, f64) {
        let (mut change, mut largest) = (0.0_f64, 0.0_f64);
        for i in 0..self.wake.len() {
            if self.path < self.wake[i] {
                continue;
            }
            let (step, norm) = self.visit(isa, shared, i);
            change = change.max(step);
            largest = largest.max(norm);
        }
        (change, largest)
    }

    /// Minimises over row i; returns how far it moved and its norm.
    #[inline(always)]
    fn visit<I: Isa>(&mut self, isa: I, shared: &Shared, i: usize) -> (f64, f64) {
        let (a, energy_of_a) = (shared.columns.row(i), shared.energies[i]);
        let stride = self.residual.stride;
        let coefficients = [&a[0][..shared.length], &a[1][..shared.length]];
        combine_conjugate(isa, self.residual.parts(), stride, coefficients, self.t.parts_mut());
        let x_re = &mut self.x.re[i * stride..(i + 1) * stride];
        let x_im = &mut self.x.im[i * stride..(i + 1) * stride];
        for j in 0..stride {
            self.t.re[j] = energy_of_a.madd(isa, x_re[j], self.t.re[j]);
            self.t.im[j] = energy_of_a.madd(isa, x_im[j], self.t.im[j]);
        }
        let t = energy(isa, self.t.parts()).sqrt();
        // Overflow or NaN in Y: the row cannot be judged.
        if !t.is_finite() {
            return (0.0, 0.0);
        }
        let scale = if t > shared.lambda { (1.0 - shared.lambda / t) / energy_of_a } else { 0.0 };
        for j in 0..stride {
            let (re, im) = (scale * self.t.re[j], scale * self.t.im[j]);
            self.t.re[j] = re - x_re[j];
            self.t.im[j] = im - x_im[j];
            (x_re[j], x_im[j]) = (re, im);
        }
        let step = energy(isa, self.t.parts()).sqrt();
        let norm_of_a = energy_of_a.sqrt();
        if step > 0.0 {
            subtract_outer(isa, self.residual.parts_mut(), shared.length, 1.0, a, self.t.parts());
            self.path += norm_of_a * step;
        }
        self.wake[i] = if scale > 0.0 { f64::NEG_INFINITY } else { self.path + (shared.lambda - t) / norm_of_a };
        (step, scale * t)
    }
}

impl Solver for Engine {
    const GROUPS: bool = true;

    fn lambda(shared: &Shared) -> f64 {
        shared.lambda
    }

    #[inline(always)]
    fn start(&self, shared: &Shared, y: &[C64], antennas: usize, work: &mut Workspace) {
        work.start(shared, y, antennas);
    }

    #[inline(always)]
    fn step<I: Isa>(&self, isa: I, shared: &Shared, work: &mut Workspace) -> (f64, f64) {
        work.sweep(isa, shared)
    }

    #[inline(always)]
    fn estimate(&self, _: &Shared, work: &Workspace, antennas: usize, x: &mut [C64]) {
        work.x.store(x, antennas);
        x.iter_mut().for_each(|v| *v = v.conj());
    }
}
