//! Exhaustive joint MAP (joint-map).
//!
//! [Model, inputs and outputs](crate::detect::spreading) are those of all receivers of the spreading link.
//!
//! # Algorithm
//!
//! `min ||y - G x||^2 / sigma2 - ln prior(x)` over all `(C+1)^N` hypotheses x, by depth-first search with the residual of the
//! users above. Scores are max-log posterior odds over all hypotheses.
//!
//! # Assumptions and cost
//!
//! No receiver has fewer wrong frames. `O((C+1)^N)`; more than [`MAX_HYPOTHESES`] are refused ([`DetectError::Mismatch`]).
//!
//! # Source
//!
//! Textbook: S. Verdu, *Multiuser Detection* (1998), see [references](crate::docs::references).
//!
//! # Example
//!
//! Six users on four chips at 60 dB: no decision is wrong, though there are more users than chips.
//!
//! ```
//! use grantfree::detect::{JointMap, JointMapOptions};
//! use grantfree::prelude::*;
//! use grantfree::scenario::{NomaConfig, ScenarioKind};
//!
//! let noma = NomaConfig { snr_db: 60.0, ..Default::default() };
//! let config = ScenarioConfig { kind: ScenarioKind::Noma, noma: Some(noma), ..Default::default() };
//! let scenario = Scenario::new(&config, 1, Split::Test)?;
//! let frames = scenario.realize(0, 4).observe(&scenario.pilots(0))?;
//! let decisions = JointMap::new(JointMapOptions::default())?.detect(&frames)?;
//! assert_eq!(decisions.activity, frames.truth().unwrap().activity());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::detect::ClassicalError;
use crate::detect::algorithm::{Algorithm, Context, Info};
use crate::detect::built::Built;
use crate::detect::spreading::algebra::{dot, energy};
use crate::detect::spreading::link::Receivers;
use crate::detect::spreading::link::{Link, LinkDetector, LinkModel, odds_of_costs};
use crate::link::DetectError;
use crate::link::{C64, FrameBatch};
use crate::link::{Detector, options};

/// Most hypotheses that are searched.
pub const MAX_HYPOTHESES: u64 = 20_000_000;

options! {
    /// Options of: exhaustive search over every hypothesis of all users.
    pub struct JointMapOptions {
    }
}

impl Algorithm for JointMapOptions {
    const INFO: Info = Info::spreading("joint-map", "exhaustive search over every hypothesis of all users");

    fn detector(&self, _: &Context) -> Result<Box<dyn Detector>, ClassicalError> {
        Ok(Box::new(Receivers(Engine)))
    }
}

/// Exhaustive search over every hypothesis of all users.
pub type JointMap = Built<JointMapOptions>;

/// The algorithm.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Engine;

/// Buffers of one thread.
#[derive(Default)]
pub(crate) struct Workspace {
    /// Residual after the decisions of the first users, `[N, H]`.
    residuals: Vec<C64>,
    /// The path, `[N]`.
    path: Vec<usize>,
    /// Least cost with decision a of user n, `[N, C + 1]`.
    costs: Vec<f64>,
    best: f64,
}

impl LinkDetector for Engine {
    const NAME: &'static str = "joint-map";
    type Workspace = Workspace;

    fn check(&self, model: &LinkModel<'_>, _: &FrameBatch) -> Result<(), DetectError> {
        let branches = model.constellation.len() as u64 + 1;
        let count = u32::try_from(model.users).ok().and_then(|n| branches.checked_pow(n));
        match count {
            Some(count) if count <= MAX_HYPOTHESES => Ok(()),
            _ => Err(DetectError::Mismatch(format!(
                "detector joint-map searches (C+1)^N hypotheses: {branches}^{} = {:.1e} for N = {} users and C = {} \
                 symbols, at most {MAX_HYPOTHESES} are searched; take beam-sic, which is close to it with \
                 detector.beam=16",
                model.users,
                (branches as f64).powf(model.users as f64),
                model.users,
                branches - 1
            ))),
        }
    }

    fn frame(
        &self,
        model: &LinkModel<'_>,
        link: &Link,
        _: Option<&[i64]>,
        work: &mut Workspace,
        activity: &mut [i64],
        score: &mut [f64],
    ) {
        let (n, c) = (model.users, model.constellation.len());
        work.residuals.resize(n * model.chips, C64::default());
        work.residuals[..model.chips].copy_from_slice(&link.y);
        work.path.clear();
        work.path.resize(n, 0);
        work.costs.clear();
        work.costs.resize(n * (c + 1), f64::INFINITY);
        work.best = f64::INFINITY;
        descend(model, link, work, 0, 0.0, activity);
        for (costs, odds) in work.costs.chunks_exact(c + 1).zip(score.chunks_exact_mut(c)) {
            odds_of_costs(costs, odds);
        }
    }
}

/// Searches below the path of the users before `user`; returns the least cost found there.
fn descend(
    model: &LinkModel<'_>,
    link: &Link,
    work: &mut Workspace,
    user: usize,
    prior: f64,
    activity: &mut [i64],
) -> f64 {
    let (h, branches) = (model.chips, model.constellation.len() + 1);
    let last = user + 1 == model.users;
    let above = &work.residuals[user * h..(user + 1) * h];
    let leaf = if last { (energy(above), dot(link.g(user), above)) } else { Default::default() };
    let mut least = f64::INFINITY;
    for decision in 0..branches {
        let x = model.symbol(decision);
        let prior = prior + model.cost(user, decision);
        let cost = if last {
            // ||r - g x||^2 of all leaves from two products.
            let distance = leaf.0 - 2.0 * (x.conj() * leaf.1).re + x.norm_sqr() * link.energy[user];
            let cost = distance / model.noise_var + prior;
            if cost < work.best {
                work.best = cost;
                work.path[user] = decision;
                activity.iter_mut().zip(&work.path).for_each(|(a, d)| *a = *d as i64);
            }
            cost
        } else if prior < f64::INFINITY {
            let (above, below) = work.residuals[user * h..].split_at_mut(h);
            for ((below, above), g) in below.iter_mut().zip(above).zip(link.g(user)) {
                *below = *above - g * x;
            }
            work.path[user] = decision;
            descend(model, link, work, user + 1, prior, activity)
        } else {
            f64::INFINITY
        };
        let known = &mut work.costs[user * branches + decision];
        *known = known.min(cost);
        least = least.min(cost);
    }
    least
}
