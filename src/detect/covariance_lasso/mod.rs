//! Covariance LASSO: powers that fit the sample covariance in least squares (covariance-lasso).
//!
//! # Model
//!
//! The M columns of Y `[L, M]` have covariance `sum_i gamma_i a_i a_i^H + sigma2 I`. The estimate minimises, over `gamma >= 0`,
//!
//! `1/2 ||Sh - sigma2 I - sum_i gamma_i a_i a_i^H||_F^2 + lambda sum_i gamma_i`, `Sh = Y Y^H/M`.
//!
//! # Algorithm
//!
//! From zero, one sweep visits the columns in order. With `g_i = a_i^H (Sh - sigma2 I - sum_j gamma_j a_j a_j^H) a_i` the step is
//!
//! 1. `gamma_i <- max(0, gamma_i + (g_i - lambda)/||a_i||^4)`;
//! 2. a change d of it takes `d |a_j^H a_i|^2` from every `g_j`.
//!
//! Optimality (tested): `g_i <= lambda` where `gamma_i = 0`, `g_i = lambda` elsewhere. Score and decision are those of
//! [covariance](crate::detect::covariance): the largest gamma of the device's Q columns, active when `gamma > threshold * beta`.
//!
//! # Assumptions and cost
//!
//! Least squares weighs all entries of Sh alike, though those of strong devices are the least certain: at N = 100 and few
//! antennas it errs far more often than ml, which is why it serves as a baseline of the auto-encoder paper. All g are kept,
//! so a power that stays zero costs one comparison and a change costs n real products instead of `L^2` complex ones; the
//! squared overlaps take `8 n^2` bytes per batch, and more than 16384 columns are refused
//! ([`DetectError::Mismatch`]). [Inputs and outputs](crate::detect#inputs-and-outputs) are those of all detectors.
//!
//! # Source
//!
//! The LASSO on (13)-(15) of the auto-encoder paper, see [references](crate::docs::references).
//!
//! # Example
//!
//! Three active devices of thirty, heard at 29 dB by 64 antennas: no decision is wrong.
//!
//! ```
//! use grantfree::detect::{CovarianceLasso, CovarianceLassoOptions};
//! use grantfree::prelude::*;
//! use grantfree::scenario::ScenarioKind::UnitGain;
//!
//! let config = ScenarioConfig {
//!     devices: 30, antennas: 64, pilot_length: 24, active_devices: Some(3),
//!     kind: UnitGain, noise_var: Some(0.03), ..Default::default()
//! };
//! let scenario = Scenario::new(&config, 1, Split::Test)?;
//! let frames = scenario.realize(0, 8).observe(&scenario.pilots(0))?;
//! let decisions = CovarianceLasso::new(CovarianceLassoOptions::default())?.detect(&frames)?;
//! assert_eq!(decisions.activity, frames.truth().unwrap().activity());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::detect::algorithm::{Algorithm, Candidates, Context, Info};
use crate::detect::built::Built;
use crate::detect::common::frames::Frames;
use crate::detect::{ClassicalError, Threshold};
use crate::link::options;
use rayon::prelude::*;

use crate::detect::common::columns::pilot_columns;
use crate::detect::common::frames::{FrameDetector, FrameOut};
use crate::detect::common::row_energy::column_energies;
use crate::detect::covariance::descent::judge_powers;
use crate::link::{AccessModel, C64, FrameBatch};
use crate::link::{DetectError, Detector};
use crate::math::inverse::Observation;
use crate::math::isa::Isa;
use crate::math::planes::Planes;

/// Most columns whose squared overlaps are stored (2 GiB).
const MOST_COLUMNS: usize = 1 << 14;

options! {
    /// Options of the covariance LASSO.
    pub struct CovarianceLassoOptions {
        /// Sweeps over all columns.
        iterations: usize = 200, "1..=1000000" if |v| (1..=1_000_000).contains(v);
        /// Weight of the powers.
        lambda: Option<f64> = None => "8 noise_var mean||a||^2/sqrt(M)", ">= 0"
            if |v| v.is_none_or(|v| v.is_finite() && v >= 0.0);
        /// Active when `gamma > threshold * beta`.
        threshold: Threshold = Threshold::Value(0.5), "\"best\", or a finite number compared with gamma/beta" if Threshold::is_number;
        /// Stop when the largest change of one sweep relative to the largest power falls below; 0 never stops early.
        tolerance: f64 = 0.0, ">= 0" if |v| v.is_finite() && *v >= 0.0;
    }
}

impl Algorithm for CovarianceLassoOptions {
    const INFO: Info =
        Info::receiver("covariance-lasso", "least-squares fit of the sample covariance with an l1 weight");

    fn detector(&self, _: &Context) -> Result<Box<dyn Detector>, ClassicalError> {
        Ok(Box::new(Frames(Engine { options: self.clone() })))
    }

    fn candidates(&self, model: &AccessModel) -> Vec<Candidates> {
        vec![Candidates::around("lambda", default_lambda(model.antennas(), model.noise_var(), &column_energies(model)))]
    }

    fn threshold(&self) -> Option<Threshold> {
        Some(self.threshold)
    }

    fn set_threshold(&mut self, threshold: Threshold) {
        self.threshold = threshold;
    }
}

/// Least-squares fit of the sample covariance.
pub type CovarianceLasso = Built<CovarianceLassoOptions>;

/// `lambda = 8 sigma2 mean||a||^2/sqrt(M)`: eight standard deviations of what noise alone puts into `g`.
///
/// The form does not change with the units of Y and A. The error is flat in lambda: by simulation (N = 100, p = 0.1,
/// sigma2 = 0.1, M = 4, L = 12 to 20, threshold 0.5) weights from 0 to eight times the default move the error rate by
/// less than 6 %.
fn default_lambda(antennas: usize, noise_var: f64, energies: &[f64]) -> f64 {
    let mean = energies.iter().sum::<f64>() / energies.len() as f64;
    8.0 * noise_var * mean / (antennas as f64).sqrt()
}

/// The algorithm with its options.
pub(crate) struct Engine {
    pub options: CovarianceLassoOptions,
}

/// What a batch shares.
pub(crate) struct Shared {
    columns: Planes<f64>,
    energies: Vec<f64>,
    /// `|a_j^H a_i|^2`, `[N*Q, N*Q]`.
    overlaps: Vec<f64>,
    lambda: f64,
}

/// Buffers of one thread.
pub(crate) struct Workspace {
    observation: Observation<f64>,
    gamma: Vec<f64>,
    /// `g`, `[N*Q]`.
    fit: Vec<f64>,
}

impl FrameDetector for Engine {
    type Shared = Shared;
    type Workspace = Workspace;
    const ESTIMATES_X: bool = false;
    const ESTIMATES_GAMMA: bool = true;

    fn prepare(&self, batch: &FrameBatch) -> Result<Shared, DetectError> {
        let model = batch.model();
        let count = model.columns();
        if count > MOST_COLUMNS {
            return Err(DetectError::Mismatch(format!(
                "covariance-lasso stores the overlaps of all pairs of columns and takes at most {MOST_COLUMNS} columns; \
                 these frames have {count}; detector ml has no such limit"
            )));
        }
        let energies = column_energies(model);
        let columns: Vec<Vec<C64>> = (0..count).map(|i| model.pilots().column(i)).collect();
        let mut overlaps = vec![0.0; count * count];
        overlaps.par_chunks_exact_mut(count).zip(&columns).for_each(|(row, a)| {
            for (overlap, b) in row.iter_mut().zip(&columns) {
                *overlap = a.iter().zip(b).map(|(a, b)| a.conj() * b).sum::<C64>().norm_sqr();
            }
        });
        let lambda = self.options.lambda;
        Ok(Shared {
            columns: pilot_columns(model, 1.0),
            lambda: lambda.unwrap_or_else(|| default_lambda(model.antennas(), model.noise_var(), &energies)),
            energies,
            overlaps,
        })
    }

    fn workspace(&self, _: &Shared, batch: &FrameBatch) -> Workspace {
        let (model, columns) = (batch.model(), batch.model().columns());
        Workspace {
            observation: Observation::new(model.pilot_length(), model.antennas()),
            gamma: vec![0.0; columns],
            fit: vec![0.0; columns],
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
        work.gamma.fill(0.0);
        work.observation.load(batch.frame(f), m);
        for (i, (fit, energy)) in work.fit.iter_mut().zip(&shared.energies).enumerate() {
            let power = work.observation.power(isa, shared.columns.row(i));
            *fit = power / m as f64 - batch.model().noise_var() * energy;
        }
        for _ in 0..self.options.iterations {
            let change = work.sweep(shared);
            let largest = work.gamma.iter().copied().fold(0.0, f64::max);
            if self.options.tolerance > 0.0 && change <= self.options.tolerance * largest {
                break;
            }
        }
        judge_powers(&work.gamma, batch.beta_of(f), q, self.options.threshold.number(), &mut out);
    }
}

impl Workspace {
    /// One sweep; returns the largest change of a power.
    #[inline(always)]
    fn sweep(&mut self, shared: &Shared) -> f64 {
        let count = self.gamma.len();
        let mut change = 0.0_f64;
        for i in 0..count {
            let (gamma, excess) = (self.gamma[i], self.fit[i] - shared.lambda);
            if gamma == 0.0 && excess <= 0.0 {
                continue;
            }
            let row = &shared.overlaps[i * count..(i + 1) * count];
            let moved = (gamma + excess / row[i]).max(0.0);
            let d = moved - gamma;
            // A column of zeros and numbers that overflowed cannot be judged.
            if d != 0.0 && d.is_finite() {
                self.gamma[i] = moved;
                self.fit.iter_mut().zip(row).for_each(|(fit, overlap)| *fit -= d * overlap);
                change = change.max(d.abs());
            }
        }
        change
    }
}
