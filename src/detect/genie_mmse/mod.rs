//! Genie-aided MMSE (genie-mmse): the support is known, the channels are estimated.
//!
//! # Model
//!
//! `Y = A_S X_S + W` with the active columns `A_S [L, K]` only, rows of `X_S` independent `CN(0, beta_n I)`, W `CN(0, sigma2)`. Known
//! are the truth of the activity, the pilots, `beta` and `sigma2`.
//!
//! # Algorithm
//!
//! `X_S = B A_S^H (A_S B A_S^H + sigma2 I)^-1 Y`, `B = diag(beta)`: the posterior mean of Gaussian channels. Activity is the truth; the
//! score is 1 for the sent sequence and 0 elsewhere.
//!
//! # Assumptions and cost
//!
//! No detector that has to find the support can have a lower mean squared error under the model. `O(K (L^2 + L M))`. Frames
//! without truth are refused ([`DetectError::NeedsTruth`]). [Inputs and outputs](crate::detect#inputs-and-outputs) are those of all detectors.
//!
//! # Source
//!
//! Textbook: S. M. Kay, *Estimation Theory* (1993), chapter 12, see [references](crate::docs::references).
//!
//! # Example
//!
//! At 29 dB the estimated channels differ from the true ones by a small part of their energy.
//!
//! ```
//! use grantfree::detect::{GenieMmse, GenieMmseOptions};
//! use grantfree::prelude::*;
//! use grantfree::scenario::ScenarioKind::UnitGain;
//!
//! let config = ScenarioConfig {
//!     devices: 30, pilot_length: 24, active_devices: Some(3), bits: 0,
//!     kind: UnitGain, noise_var: Some(0.03), ..Default::default()
//! };
//! let scenario = Scenario::new(&config, 1, Split::Test)?;
//! let frames = scenario.realize(0, 8).observe(&scenario.pilots(0))?;
//! let decisions = GenieMmse::new(GenieMmseOptions::default())?.detect(&frames)?;
//! let (x, truth) = (decisions.x.unwrap(), frames.truth().unwrap());
//! let error: f64 = x.iter().zip(truth.channel()).map(|(x, h)| (x - h).norm_sqr()).sum();
//! let energy: f64 = truth.channel().iter().map(|h| h.norm_sqr()).sum();
//! assert!(error < 0.01 * energy);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::detect::algorithm::{Algorithm, Context, Info, Role};
use crate::detect::built::Built;
use crate::detect::{ClassicalError, RowCovariance};
use std::sync::Arc;

use crate::detect::common::columns::pilot_columns;
use crate::detect::common::frames::{FrameDetector, FrameOut, Frames};
use crate::detect::common::mmse::mmse_rows;
use crate::detect::common::spatial::{Spatial, check_antennas};
use crate::link::FrameBatch;
use crate::link::{DetectError, Detector, options};
use crate::math::inverse::InverseCovariance;
use crate::math::isa::Isa;
use crate::math::planes::Planes;

options! {
    /// Options of the genie-aided MMSE estimate.
    pub struct GenieMmseOptions {
        /// Independent antennas of equal power, or their covariance over training frames (experiment files only).
        covariance: RowCovariance = RowCovariance::White, "\"white\" or \"pooled\"";
    }
}

impl Algorithm for GenieMmseOptions {
    const INFO: Info = Info::receiver("genie-mmse", "MMSE estimate when the support is known").with_truth(Role::Bound);

    fn detector(&self, context: &Context) -> Result<Box<dyn Detector>, ClassicalError> {
        Ok(Box::new(Frames(Engine { spatial: context.spatial_if(self.wants_spatial()) })))
    }

    fn wants_spatial(&self) -> bool {
        self.covariance == RowCovariance::Pooled
    }
}

/// MMSE channel estimates for a known support; needs the truth.
pub type GenieMmse = Built<GenieMmseOptions>;

/// The algorithm with its options.
#[derive(Debug, Clone, Default)]
pub(crate) struct Engine {
    /// Correlation of the antennas; without it they count as independent.
    pub spatial: Option<Arc<Spatial>>,
}

/// Buffers of one thread.
pub struct Workspace {
    inverse: InverseCovariance<f64>,
    gamma: Vec<f64>,
}

impl FrameDetector for Engine {
    type Shared = Planes<f64>;
    type Workspace = Workspace;
    const ESTIMATES_X: bool = true;
    const ESTIMATES_GAMMA: bool = false;

    fn prepare(&self, batch: &FrameBatch) -> Result<Planes<f64>, DetectError> {
        check_truth(batch, "genie-mmse")?;
        check_antennas(self.spatial.as_deref(), batch)?;
        Ok(pilot_columns(batch.model(), 1.0))
    }

    fn workspace(&self, _: &Planes<f64>, batch: &FrameBatch) -> Workspace {
        Workspace {
            inverse: InverseCovariance::new(batch.model().pilot_length(), batch.model().noise_var()),
            gamma: vec![0.0; batch.model().columns()],
        }
    }

    #[inline(always)]
    fn frame<I: Isa>(
        &self,
        isa: I,
        columns: &Planes<f64>,
        batch: &FrameBatch,
        f: usize,
        work: &mut Workspace,
        out: FrameOut<'_>,
    ) {
        let Some(truth) = batch.truth() else { return };
        let (n, m, q) = (batch.model().devices(), batch.model().antennas(), batch.model().sequences());
        out.activity.copy_from_slice(&truth.activity()[f * n..(f + 1) * n]);
        work.gamma.fill(0.0);
        for ((d, &sent), &beta) in out.activity.iter().enumerate().zip(batch.beta_of(f)) {
            if sent > 0 {
                let i = d * q + (sent - 1) as usize;
                work.gamma[i] = beta;
                out.score[i] = 1.0;
            }
        }
        match &self.spatial {
            Some(spatial) => spatial
                .filters(isa, &mut work.inverse, columns, &work.gamma, batch.model().pilot_length())
                .apply(batch.frame(f), out.x),
            None => mmse_rows(isa, &mut work.inverse, columns, &work.gamma, batch.frame(f), m, out.x),
        }
    }
}

/// The truth is there, complete, and names sequences that exist.
pub(crate) fn check_truth(batch: &FrameBatch, name: &str) -> Result<(), DetectError> {
    let Some(truth) = batch.truth() else { return Err(DetectError::NeedsTruth(name.into())) };
    let (f, n, m, q) = (batch.frames(), batch.model().devices(), batch.model().antennas(), batch.model().sequences());
    if truth.activity().len() != f * n || truth.channel().len() != f * n * m {
        return Err(DetectError::Mismatch(format!(
            "activity and channel hold {} and {} values, these frames need {} ([F, N]) and {} ([F, N, M])",
            truth.activity().len(),
            truth.channel().len(),
            f * n,
            f * n * m
        )));
    }
    if let Some(bad) = truth.activity().iter().find(|&&a| a < 0 || a > q as i64) {
        return Err(DetectError::Mismatch(format!(
            "activity {bad} is out of range: 0 (idle) or 1..={q} (sequence + 1)"
        )));
    }
    Ok(())
}
