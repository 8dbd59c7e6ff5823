//! Soft interference cancellation with LMMSE estimates (soft-sic).
//!
//! [Model, inputs and outputs](crate::detect::spreading) are those of all receivers of the spreading link.
//!
//! # Algorithm
//!
//! Means `m_j` and variances `v_j` of all symbols start as those of the prior. Every user in turn, `iterations` times, in the
//! order of the first error variances, smallest first:
//!
//! 1. `C = sum_j v_j g_j g_j^H + sigma2 I`, `e = y - sum_j m_j g_j`;
//! 2. `r = m_n + g_n^H C^-1 e / a`, `a = g_n^H C^-1 g_n`, is taken as `x_n + CN(0, (1 - v_n a)/a)`;
//! 3. the mean and the variance of `x_n` given r replace `m_n` and `v_n`.
//!
//! # Assumptions and cost
//!
//! Symbols of the other users count as Gaussian. `O(N (N H^2 + H^3))` a round.
//!
//! # Source
//!
//! Wang and Poor (1999), with an idle symbol, see [references](crate::docs::references).
//!
//! # Example
//!
//! Four users on four chips at 50 dB: no decision is wrong.
//!
//! ```
//! use grantfree::detect::{SoftSic, SoftSicOptions};
//! use grantfree::prelude::*;
//! use grantfree::scenario::{NomaConfig, ScenarioKind};
//!
//! let noma = NomaConfig { users: 4, snr_db: 50.0, ..Default::default() };
//! let config = ScenarioConfig { kind: ScenarioKind::Noma, noma: Some(noma), ..Default::default() };
//! let scenario = Scenario::new(&config, 1, Split::Test)?;
//! let frames = scenario.realize(0, 8).observe(&scenario.pilots(0))?;
//! let decisions = SoftSic::new(SoftSicOptions::default())?.detect(&frames)?;
//! assert_eq!(decisions.activity, frames.truth().unwrap().activity());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::detect::ClassicalError;
use crate::detect::algorithm::{Algorithm, Context, Info};
use crate::detect::built::Built;
use crate::detect::spreading::algebra::{add_outer, apply, dot, energy, invert, subtract};
use crate::detect::spreading::link::Receivers;
use crate::detect::spreading::link::{Link, LinkDetector, LinkModel};
use crate::link::C64;
use crate::link::{Detector, options};

options! {
    /// Options of: soft interference cancellation in rounds.
    pub struct SoftSicOptions {
        /// Rounds over all users.
        iterations: usize = 4, "1..=1000000" if |v| (1..=1_000_000).contains(v);
    }
}

impl Algorithm for SoftSicOptions {
    const INFO: Info = Info::spreading("soft-sic", "soft interference cancellation in rounds");

    fn detector(&self, _: &Context) -> Result<Box<dyn Detector>, ClassicalError> {
        Ok(Box::new(Receivers(Engine { rounds: self.iterations })))
    }
}

/// Soft interference cancellation with LMMSE estimates.
pub type SoftSic = Built<SoftSicOptions>;

/// The algorithm with its options.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Engine {
    /// Passes over all users, >= 1.
    pub rounds: usize,
}

/// Buffers of one thread.
#[derive(Default)]
pub(crate) struct Workspace {
    inverse: Vec<C64>,
    filter: Vec<C64>,
    residual: Vec<C64>,
    mean: Vec<C64>,
    variance: Vec<f64>,
    order: Vec<(f64, usize)>,
    weights: Vec<f64>,
}

impl LinkDetector for Engine {
    const NAME: &'static str = "soft-sic";
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
        let (n, h, c) = (model.users, model.chips, model.constellation.len());
        work.mean.clear();
        work.mean.resize(n, C64::default());
        work.variance.clone_from(&model.power);
        work.residual.clone_from(&link.y);
        work.filter.resize(h, C64::default());
        covariance_inverse(model, link, work);
        work.order.clear();
        for user in 0..n {
            apply(&work.inverse, link.g(user), &mut work.filter);
            let a = dot(link.g(user), &work.filter).re;
            work.order.push(((1.0 - model.power[user] * a) / a, user));
        }
        work.order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for _ in 0..self.rounds {
            for at in 0..n {
                let user = work.order[at].1;
                covariance_inverse(model, link, work);
                apply(&work.inverse, link.g(user), &mut work.filter);
                let a = dot(link.g(user), &work.filter).re;
                let odds = &mut score[user * c..(user + 1) * c];
                if a > 0.0 {
                    // 1 - v a is the error variance over that without the user's own prior; noise bounds it from below.
                    let share = (1.0 - work.variance[user] * a).max(a * model.noise_var / link.energy[user]);
                    let r = work.mean[user] + dot(&work.filter, &work.residual) / a;
                    activity[user] = model.decide(user, r, share / a, odds);
                } else {
                    activity[user] = model.decide(user, C64::default(), f64::INFINITY, odds);
                }
                update(model, link, work, user, odds);
            }
        }
    }
}

/// `(sum_j v_j g_j g_j^H + sigma2 I)^-1`.
fn covariance_inverse(model: &LinkModel<'_>, link: &Link, work: &mut Workspace) {
    let h = model.chips;
    work.inverse.clear();
    work.inverse.resize(h * h, C64::default());
    for i in 0..h {
        work.inverse[i * h + i] = model.noise_var.into();
    }
    for user in 0..model.users {
        add_outer(&mut work.inverse, work.variance[user], link.g(user));
    }
    invert(&mut work.inverse, h);
}

/// Posterior mean and variance from the log odds of the symbols against idle.
fn update(model: &LinkModel<'_>, link: &Link, work: &mut Workspace, user: usize, odds: &[f64]) {
    let top = odds.iter().copied().fold(0.0, f64::max);
    work.weights.clear();
    work.weights.extend(odds.iter().map(|o| (o - top).exp()));
    let total = work.weights.iter().sum::<f64>() + (-top).exp();
    let mean: C64 = work.weights.iter().zip(model.constellation).map(|(w, x)| x * (w / total)).sum();
    let square: f64 = work.weights.iter().zip(model.constellation).map(|(w, x)| x.norm_sqr() * (w / total)).sum();
    subtract(&mut work.residual, link.g(user), mean - work.mean[user]);
    work.variance[user] = (square - energy(&[mean])).max(0.0);
    work.mean[user] = mean;
}
