//! Linear MMSE estimate (lmmse).
//!
//! # Model
//!
//! `Y = A X + W`, Y `[L, M]`, A `[L, N*Q]`, rows of X independent of mean zero and covariance `p_i I`, W `CN(0, sigma2)`. The power
//! of a row is its mean over the activity, `p_i = activity_prob_n beta_n / Q`.
//!
//! # Algorithm
//!
//! The linear estimate of smallest mean squared error is
//!
//! `X = P A^H (A P A^H + sigma2 I)^-1 Y`, `P = diag(p)`.
//!
//! Where the antennas are correlated alike for all devices (`covariance = "pooled"`), `p_i I` becomes `p_i C`
//! ([`Spatial`]). Score: `||x_i||^2/(M beta_n)`; decision as for the [group
//! LASSO](crate::detect::group_lasso). Linear estimates are shrunk, so scores of active devices lie well below one.
//!
//! # Assumptions and cost
//!
//! It does not know that rows are zero or not, so its error floors where L < N (N = 32, M = 8, L = 20, K = 8 active: -4.2 dB
//! at an SNR of 30 dB). `O(n (L^2 + L M))`. [Inputs and outputs](crate::detect#inputs-and-outputs) are those of all detectors.
//!
//! # Source
//!
//! Textbook: S. M. Kay, *Estimation Theory* (1993), chapter 12, see [references](crate::docs::references).
//!
//! # Example
//!
//! With more symbols than sequences a linear estimate is enough: no decision is wrong.
//!
//! ```
//! use grantfree::detect::{Lmmse, LmmseOptions};
//! use grantfree::prelude::*;
//! use grantfree::scenario::ScenarioKind::UnitGain;
//!
//! let config = ScenarioConfig {
//!     devices: 12, pilot_length: 24, active_devices: Some(3), bits: 0,
//!     kind: UnitGain, noise_var: Some(0.03), ..Default::default()
//! };
//! let scenario = Scenario::new(&config, 1, Split::Test)?;
//! let frames = scenario.realize(0, 8).observe(&scenario.pilots(0))?;
//! let decisions = Lmmse::new(LmmseOptions::default())?.detect(&frames)?;
//! assert_eq!(decisions.activity, frames.truth().unwrap().activity());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::detect::algorithm::{Algorithm, Context, Info, Prior};
use crate::detect::built::Built;
use crate::detect::{ClassicalError, RowCovariance, Threshold};
use std::sync::Arc;

use pulp::Scalar;

use crate::detect::common::columns::pilot_columns;
use crate::detect::common::frames::{FrameDetector, FrameOut, Frames};
use crate::detect::common::mmse::mmse_rows;
use crate::detect::common::row_energy::judge_rows;
use crate::detect::common::spatial::{Filters, Spatial, check_antennas};
use crate::link::FrameBatch;
use crate::link::{DetectError, Detector, options};
use crate::math::inverse::InverseCovariance;
use crate::math::isa::Isa;
use crate::math::planes::Planes;

options! {
    /// Options of the linear MMSE estimate.
    pub struct LmmseOptions {
        /// Active when `||x||^2 > threshold * M * beta`.
        threshold: Threshold = Threshold::Value(0.1), "\"best\", or a finite number compared with ||x||^2/(M beta)" if Threshold::is_number;
        /// Independent antennas of equal power, or their covariance over training frames (experiment files only).
        covariance: RowCovariance = RowCovariance::White, "\"white\" or \"pooled\"";
    }
}

impl Algorithm for LmmseOptions {
    const INFO: Info =
        Info::receiver("lmmse", "linear MMSE estimate from the mean power of every row").with_prior(Prior::PerDevice);

    fn detector(&self, context: &Context) -> Result<Box<dyn Detector>, ClassicalError> {
        Ok(Box::new(Frames(Engine {
            threshold: self.threshold.number(),
            spatial: context.spatial_if(self.wants_spatial()),
        })))
    }

    fn threshold(&self) -> Option<Threshold> {
        Some(self.threshold)
    }

    fn set_threshold(&mut self, threshold: Threshold) {
        self.threshold = threshold;
    }

    fn wants_spatial(&self) -> bool {
        self.covariance == RowCovariance::Pooled
    }
}

/// The linear MMSE estimate of channels that are zero with a known probability.
pub type Lmmse = Built<LmmseOptions>;

/// The algorithm with its options.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    /// Active when `||x||^2 > threshold * M * beta`. Default 0.1.
    pub threshold: f64,
    /// Correlation of the antennas; without it they count as independent.
    pub spatial: Option<Arc<Spatial>>,
}

/// What a batch shares.
pub struct Shared {
    columns: Planes<f64>,
    /// With correlated antennas, where gains are the same in all frames.
    filters: Option<Filters>,
}

/// Mean power of every row.
fn powers(batch: &FrameBatch, beta: &[f64], out: &mut [f64]) {
    let q = batch.model().sequences();
    for (i, power) in out.iter_mut().enumerate() {
        *power = batch.model().activity_prob()[i / q] * beta[i / q] / q as f64;
    }
}

/// Buffers of one thread.
pub struct Workspace {
    inverse: InverseCovariance<f64>,
    power: Vec<f64>,
}

impl FrameDetector for Engine {
    type Shared = Shared;
    type Workspace = Workspace;
    const ESTIMATES_X: bool = true;
    const ESTIMATES_GAMMA: bool = false;

    fn prepare(&self, batch: &FrameBatch) -> Result<Shared, DetectError> {
        check_antennas(self.spatial.as_deref(), batch)?;
        let columns = pilot_columns(batch.model(), 1.0);
        let filters = match (&self.spatial, batch.beta().as_shared()) {
            (Some(spatial), Some(beta)) => {
                let length = batch.model().pilot_length();
                let mut power = vec![0.0; batch.model().columns()];
                powers(batch, beta, &mut power);
                let mut inverse = InverseCovariance::new(length, batch.model().noise_var());
                Some(spatial.filters(Scalar, &mut inverse, &columns, &power, length))
            }
            _ => None,
        };
        Ok(Shared { columns, filters })
    }

    fn workspace(&self, _: &Shared, batch: &FrameBatch) -> Workspace {
        Workspace {
            inverse: InverseCovariance::new(batch.model().pilot_length(), batch.model().noise_var()),
            power: vec![0.0; batch.model().columns()],
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
        let beta = batch.beta_of(f);
        let (columns, y) = (&shared.columns, batch.frame(f));
        if let Some(filters) = &shared.filters {
            filters.apply(y, out.x);
        } else {
            powers(batch, beta, &mut work.power);
            match &self.spatial {
                Some(spatial) => spatial
                    .filters(isa, &mut work.inverse, columns, &work.power, batch.model().pilot_length())
                    .apply(y, out.x),
                None => mmse_rows(isa, &mut work.inverse, columns, &work.power, y, m, out.x),
            }
        }
        judge_rows(beta, m, q, self.threshold, &mut out);
    }
}
