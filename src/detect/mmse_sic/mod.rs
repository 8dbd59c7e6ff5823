//! MMSE filter and successive cancellation of hard decisions (mmse-sic).
//!
//! [Model, inputs and outputs](crate::detect::spreading) are those of all receivers of the spreading link.
//!
//! # Algorithm
//!
//! From `r = y` and all users undecided, with `C = sum over undecided p_m g_m g_m^H + sigma2 I`:
//!
//! 1. the user of smallest error variance `1/k_n - p_n`, `k_n = g_n^H C^-1 g_n`, is next ("sinr", default; "fixed": users in order);
//! 2. its MMSE output without bias, `g_n^H C^-1 r / k_n`, is taken as `x_n + CN(0, 1/k_n - p_n)` and decided;
//! 3. `r <- r - g_n x_n` with the decision.
//!
//! # Assumptions and cost
//!
//! Undecided users count as Gaussian; a wrong decision harms all later ones. The order and the filters do not depend on the
//! decisions. `O(N H^3 + N^2 H^2)`.
//!
//! # Source
//!
//! Wolniansky, Foschini, Golden and Valenzuela (1998), with an idle symbol, see [references](crate::docs::references).
//!
//! # Example
//!
//! Four users on four chips at 50 dB: no decision is wrong.
//!
//! ```
//! use grantfree::detect::{MmseSic, MmseSicOptions};
//! use grantfree::prelude::*;
//! use grantfree::scenario::{NomaConfig, ScenarioKind};
//!
//! let noma = NomaConfig { users: 4, snr_db: 50.0, ..Default::default() };
//! let config = ScenarioConfig { kind: ScenarioKind::Noma, noma: Some(noma), ..Default::default() };
//! let scenario = Scenario::new(&config, 1, Split::Test)?;
//! let frames = scenario.realize(0, 8).observe(&scenario.pilots(0))?;
//! let decisions = MmseSic::new(MmseSicOptions::default())?.detect(&frames)?;
//! assert_eq!(decisions.activity, frames.truth().unwrap().activity());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::detect::ClassicalError;
use crate::detect::Order;
use crate::detect::algorithm::{Algorithm, Context, Info};
use crate::detect::built::Built;
use crate::detect::spreading::algebra::{dot, subtract};
use crate::detect::spreading::link::Receivers;
use crate::detect::spreading::link::{Link, LinkDetector, LinkModel};
use crate::detect::spreading::schedule::Schedule;
use crate::link::C64;
use crate::link::{Detector, options};

options! {
    /// Options of: MMSE filter and successive cancellation of decisions.
    pub struct MmseSicOptions {
        /// Smallest error variance first, or users in order.
        order: Order = Order::Sinr, "\"sinr\" or \"fixed\"";
    }
}

impl Algorithm for MmseSicOptions {
    const INFO: Info = Info::spreading("mmse-sic", "MMSE filter and successive cancellation of decisions");

    fn detector(&self, _: &Context) -> Result<Box<dyn Detector>, ClassicalError> {
        Ok(Box::new(Receivers(Engine { order: self.order })))
    }
}

/// MMSE filter and successive cancellation of hard decisions.
pub type MmseSic = Built<MmseSicOptions>;

/// The algorithm with its options.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Engine {
    /// Smallest variance first, or users in order.
    pub order: Order,
}

/// Buffers of one thread.
#[derive(Default)]
pub(crate) struct Workspace {
    schedule: Schedule,
    residual: Vec<C64>,
}

impl LinkDetector for Engine {
    const NAME: &'static str = "mmse-sic";
    type Workspace = Workspace;

    fn frame(
        &self,
        model: &LinkModel<'_>,
        link: &Link,
        _: Option<&[i64]>,
        work: &mut Workspace,
        activity: &mut [i64],
        score: &mut [f64],
    ) {
        let c = model.constellation.len();
        let Workspace { schedule, residual } = work;
        schedule.plan(model, link, self.order);
        residual.clone_from(&link.y);
        for step in 0..model.users {
            let (user, gain) = (schedule.order[step], schedule.gain[step]);
            let odds = &mut score[user * c..(user + 1) * c];
            let variance = schedule.variance(model, link, step);
            activity[user] = if gain > 0.0 && variance.is_finite() {
                model.decide(user, dot(schedule.filter(step), residual) / gain, variance, odds)
            } else {
                model.decide(user, C64::default(), f64::INFINITY, odds)
            };
            subtract(residual, link.g(user), model.symbol(activity[user] as usize));
        }
    }
}
