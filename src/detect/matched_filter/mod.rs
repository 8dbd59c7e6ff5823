//! Matched filter (matched-filter): every user for itself.
//!
//! [Model, inputs and outputs](crate::detect::spreading) are those of all receivers of the spreading link.
//!
//! # Algorithm
//!
//! 1. `z_n = g_n^H y / ||g_n||^2`;
//! 2. z is taken as `x_n + CN(0, v_n)`, `v_n = (sum_(m != n) p_m |g_n^H g_m|^2 + sigma2 ||g_n||^2) / ||g_n||^4`;
//! 3. the most likely of idle and the C symbols.
//!
//! # Assumptions and cost
//!
//! The interference of the others counts as Gaussian noise: optimal for a single user, and for orthogonal `g_n`. `O(N^2 H)`.
//!
//! # Source
//!
//! Textbook: S. Verdu, *Multiuser Detection* (1998), see [references](crate::docs::references).
//!
//! # Example
//!
//! Orthogonal signatures without fading: no decision is wrong.
//!
//! ```
//! use grantfree::detect::{MatchedFilter, MatchedFilterOptions};
//! use grantfree::prelude::*;
//! use grantfree::scenario::{Fading, NomaConfig, ScenarioKind};
//!
//! let noma = NomaConfig { users: 4, snr_db: 30.0, fading: Fading::Awgn, ..Default::default() };
//! let config = ScenarioConfig { kind: ScenarioKind::Noma, noma: Some(noma), ..Default::default() };
//! let scenario = Scenario::new(&config, 1, Split::Test)?;
//! let frames = scenario.realize(0, 8).observe(&scenario.pilots(0))?;
//! let decisions = MatchedFilter::new(MatchedFilterOptions::default())?.detect(&frames)?;
//! assert_eq!(decisions.activity, frames.truth().unwrap().activity());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::detect::ClassicalError;
use crate::detect::algorithm::{Algorithm, Context, Info};
use crate::detect::built::Built;
use crate::detect::spreading::algebra::dot;
use crate::detect::spreading::link::Receivers;
use crate::detect::spreading::link::{Link, LinkDetector, LinkModel};
use crate::link::{Detector, options};

options! {
    /// Options of: one matched filter per user, five-point decision.
    pub struct MatchedFilterOptions {
    }
}

impl Algorithm for MatchedFilterOptions {
    const INFO: Info = Info::spreading("matched-filter", "one matched filter per user, five-point decision");

    fn detector(&self, _: &Context) -> Result<Box<dyn Detector>, ClassicalError> {
        Ok(Box::new(Receivers(Engine)))
    }
}

/// One matched filter per user.
pub type MatchedFilter = Built<MatchedFilterOptions>;

/// The algorithm.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Engine;

impl LinkDetector for Engine {
    const NAME: &'static str = "matched-filter";
    type Workspace = ();

    fn frame(
        &self,
        model: &LinkModel<'_>,
        link: &Link,
        _: Option<&[i64]>,
        (): &mut (),
        activity: &mut [i64],
        score: &mut [f64],
    ) {
        for (n, odds) in score.chunks_exact_mut(model.constellation.len()).enumerate() {
            let (g, energy) = (link.g(n), link.energy[n]);
            let interference: f64 =
                (0..model.users).filter(|m| *m != n).map(|m| model.power[m] * dot(g, link.g(m)).norm_sqr()).sum();
            let variance = (interference / energy + model.noise_var) / energy;
            // A user that is not heard at all keeps its prior.
            activity[n] = if energy > 0.0 && variance.is_finite() {
                model.decide(n, dot(g, &link.y) / energy, variance, odds)
            } else {
                model.decide(n, Default::default(), f64::INFINITY, odds)
            };
        }
    }
}
