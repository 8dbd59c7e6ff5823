//! ML support, then MMSE channels (ml-mmse).
//!
//! Model: `Y = A X + W`, Y `[L, M]`, A `[L, N*Q]`, few rows of X are not zero and then `CN(0, beta_n I)`, W `CN(0, sigma2)`.
//!
//! 1. Coordinate descent on the powers gamma, as detector ml does it (see [`covariance`](crate::detect::covariance)).
//! 2. Support `S = {i : gamma_i >= threshold * beta_n}`.
//! 3. `X_S = B_S A_S^H (A_S B_S A_S^H + sigma2 I)^-1 Y` with `B = diag(beta)`, the MMSE estimate for that support; other
//!    rows are zero.
//!
//! With `beta = 1` this is the ML-MMSE baseline of the auto-encoder paper (field guide B). Columns are treated alone: of a
//! device with Q sequences several rows may be estimated; its activity is the one of largest gamma. With the true
//! support the estimate is that of genie-mmse. Reports `x`, `gamma` (of step 1), `score = gamma/beta` and the activity.

use crate::detect::common::frames::{FrameDetector, FrameOut, detect_frames};
use crate::detect::common::mmse::mmse_rows;
use crate::detect::covariance::descent::{
    Covariance, CovarianceOptions, Shared, Workspace as PowerWorkspace, judge_powers,
};
use crate::link::FrameBatch;
use crate::link::{Decisions, DetectError, Detector};
use crate::math::isa::Isa;

/// ML coordinate descent for the support, MMSE for the channels.
pub(crate) struct MlMmse {
    powers: Covariance<f64>,
    threshold: f64,
}

impl MlMmse {
    /// The detector; `options.prior` must be false for the support of ML.
    pub fn new(options: CovarianceOptions) -> Self {
        Self { threshold: options.threshold, powers: Covariance { options, precision: std::marker::PhantomData } }
    }
}

/// Buffers of one thread.
pub(crate) struct Workspace {
    powers: PowerWorkspace<f64>,
    /// beta on the support, 0 elsewhere.
    support: Vec<f64>,
}

impl FrameDetector for MlMmse {
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

impl Detector for MlMmse {
    fn detect(&self, frames: &FrameBatch) -> Result<Decisions, DetectError> {
        detect_frames(self, frames)
    }
}
