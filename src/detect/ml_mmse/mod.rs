//! ML support, then MMSE channels (ml-mmse).
//!
//! # Model
//!
//! `Y = A X + W`, Y `[L, M]`, A `[L, N*Q]`, few rows of X are not zero and then `CN(0, beta_n I)`, W `CN(0, sigma2)`. Known are A,
//! `beta` and `sigma2`.
//!
//! # Algorithm
//!
//! 1. Coordinate descent on the powers gamma, as detector ml does it (see [`covariance`](crate::detect::covariance)).
//! 2. Support `S = {i : gamma_i >= threshold * beta_n}`.
//! 3. `X_S = B_S A_S^H (A_S B_S A_S^H + sigma2 I)^-1 Y` with `B = diag(beta)`, the MMSE estimate for that support; other
//!    rows are zero.
//!
//! Columns are treated alone: of a device with Q sequences several rows may be estimated; its activity is the one of largest
//! gamma. With the true support the estimate is that of [genie-mmse](crate::detect::genie_mmse). Reports `x`, `gamma` (of
//! step 1), `score = gamma/beta` and the activity.
//!
//! # Assumptions and cost
//!
//! Those of the covariance methods; `O(n L^2)` a sweep, and `O(|S| (L^2 + L M))` for the channels. [Inputs and outputs](crate::detect#inputs-and-outputs) are those of all detectors.
//!
//! # Source
//!
//! With `beta = 1` this is the ML-MMSE baseline of the auto-encoder paper (section V-A), see
//! [references](crate::docs::references).
//!
//! # Example
//!
//! Three active devices of thirty, heard at 29 dB by 64 antennas: no decision is wrong.
//!
//! ```
//! use grantfree::detect::{MlMmse, MlMmseOptions};
//! use grantfree::prelude::*;
//! use grantfree::scenario::ScenarioKind::UnitGain;
//!
//! let config = ScenarioConfig {
//!     devices: 30, antennas: 64, pilot_length: 24, active_devices: Some(3),
//!     kind: UnitGain, noise_var: Some(0.03), ..Default::default()
//! };
//! let scenario = Scenario::new(&config, 1, Split::Test)?;
//! let frames = scenario.realize(0, 8).observe(&scenario.pilots(0))?;
//! let decisions = MlMmse::new(MlMmseOptions::default())?.detect(&frames)?;
//! assert_eq!(decisions.activity, frames.truth().unwrap().activity());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::detect::algorithm::{Algorithm, Context, Info};
use crate::detect::built::Built;
use crate::detect::common::frames::{FrameDetector, FrameOut, Frames};
use crate::detect::common::mmse::mmse_rows;
use crate::detect::covariance::descent::{Covariance, Settings, Shared, Workspace as PowerWorkspace, judge_powers};
use crate::detect::{ClassicalError, Threshold};
use crate::link::FrameBatch;
use crate::link::{DetectError, Detector, options};
use crate::math::isa::Isa;

options! {
    /// Options of ML support and MMSE channels.
    pub struct MlMmseOptions {
        /// Sweeps over all columns.
        iterations: usize = 55, "1..=1000000" if |v| (1..=1_000_000).contains(v);
        /// On the support when `gamma >= threshold * beta`.
        threshold: Threshold = Threshold::Value(0.5), "\"best\", or a finite number compared with gamma/beta" if Threshold::is_number;
        /// Stop when the largest change of one sweep relative to the largest power falls below; 0 never stops early.
        tolerance: f64 = 0.0, ">= 0" if |v| v.is_finite() && *v >= 0.0;
    }
}

impl Algorithm for MlMmseOptions {
    const INFO: Info = Info::receiver("ml-mmse", "support by maximum likelihood, then MMSE channels");

    fn detector(&self, _: &Context) -> Result<Box<dyn Detector>, ClassicalError> {
        let threshold = self.threshold.number();
        let options = Settings { sweeps: self.iterations, threshold, tolerance: self.tolerance, prior: false };
        let powers = Covariance { options, precision: std::marker::PhantomData };
        Ok(Box::new(Frames(Engine { powers, threshold })))
    }

    fn estimate_thresholds(&self) -> &'static [f64] {
        &[0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.15, 0.18, 0.22, 0.27, 0.33, 0.4, 0.5, 0.6]
    }

    fn threshold(&self) -> Option<Threshold> {
        Some(self.threshold)
    }

    fn set_threshold(&mut self, threshold: Threshold) {
        self.threshold = threshold;
    }
}

/// ML coordinate descent for the support, MMSE for the channels.
pub type MlMmse = Built<MlMmseOptions>;

/// The algorithm with its options.
pub(crate) struct Engine {
    powers: Covariance<f64>,
    threshold: f64,
}

/// Buffers of one thread.
pub(crate) struct Workspace {
    powers: PowerWorkspace<f64>,
    /// beta on the support, 0 elsewhere.
    support: Vec<f64>,
}

impl FrameDetector for Engine {
    type Shared = Shared<f64>;
    type Workspace = Workspace;
    const ESTIMATES_X: bool = true;
    const ESTIMATES_GAMMA: bool = true;

    fn prepare(&self, batch: &FrameBatch) -> Result<Shared<f64>, DetectError> {
        self.powers.prepare(batch)
    }

    fn workspace(&self, shared: &Shared<f64>, batch: &FrameBatch) -> Workspace {
        Workspace { powers: self.powers.workspace(shared, batch), support: vec![0.0; batch.model().columns()] }
    }

    #[inline(always)]
    fn frame<I: Isa>(
        &self,
        isa: I,
        shared: &Shared<f64>,
        batch: &FrameBatch,
        f: usize,
        work: &mut Workspace,
        mut out: FrameOut<'_>,
    ) {
        let (m, q) = (batch.model().antennas(), batch.model().sequences());
        let beta = batch.beta_of(f);
        self.powers.descend(isa, shared, batch, f, &mut work.powers);
        // The support holds powers at the threshold too: "above" the number just below it.
        judge_powers(&work.powers.gamma, beta, q, self.threshold.next_down(), &mut out);
        for (i, (power, &score)) in work.support.iter_mut().zip(out.score.iter()).enumerate() {
            *power = if score >= self.threshold { beta[i / q] } else { 0.0 };
        }
        let inverse = &mut work.powers.inverse;
        mmse_rows(isa, inverse, &shared.columns, &work.support, batch.frame(f), m, out.x);
    }
}
