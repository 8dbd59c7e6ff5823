//! Successive decisions that keep the best hypotheses (beam-sic).
//!
//! [Model, inputs and outputs](crate::detect::spreading) are those of all receivers of the spreading link.
//!
//! # Algorithm
//!
//! Users are decided in the order of [mmse-sic](crate::detect::mmse_sic) ("sinr"). From one empty hypothesis, at each user:
//!
//! 1. every hypothesis is extended by idle and each symbol;
//! 2. the cost of an extension is `r^H C^-1 r - ln prior(decided)`, r the residual and C the covariance of the undecided users
//!    plus noise: minus the log posterior of the decided users when the others are Gaussian (`ln det C` is common to all);
//! 3. the `beam` extensions of least cost survive; with a `window`, those more than `window` nats behind the best are dropped
//!    too: at high SNR most steps then have one or two survivors, whatever the beam.
//!
//! The best full hypothesis is the decision. Scores are max-log over the final hypotheses and the changes of one user in the
//! best of them.
//!
//! # Assumptions and cost
//!
//! With one hypothesis the decisions are those of mmse-sic, with `(C+1)^N` those of [joint-map](crate::detect::joint_map).
//! `O(N H^3 + N B (H^2 + C))` for B hypotheses.
//!
//! # Source
//!
//! The M-algorithm, Anderson and Mohan (1984), on the ordered link, see [references](crate::docs::references).
//!
//! # Example
//!
//! Six users on four chips at 60 dB, 64 hypotheses: what exhaustive search decides.
//!
//! ```
//! use grantfree::detect::{BeamSic, BeamSicOptions, JointMap, JointMapOptions};
//! use grantfree::prelude::*;
//! use grantfree::scenario::{NomaConfig, ScenarioKind};
//!
//! let noma = NomaConfig { snr_db: 60.0, ..Default::default() };
//! let config = ScenarioConfig { kind: ScenarioKind::Noma, noma: Some(noma), ..Default::default() };
//! let scenario = Scenario::new(&config, 1, Split::Test)?;
//! let frames = scenario.realize(0, 4).observe(&scenario.pilots(0))?;
//! let decisions = BeamSic::new(BeamSicOptions { beam: 64, ..Default::default() })?.detect(&frames)?;
//! assert_eq!(decisions.activity, JointMap::new(JointMapOptions::default())?.detect(&frames)?.activity);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::detect::ClassicalError;
use crate::detect::Order;
use crate::detect::algorithm::{Algorithm, Context, Info};
use crate::detect::built::Built;
use crate::detect::spreading::algebra::{apply, dot, energy, subtract};
use crate::detect::spreading::link::Receivers;
use crate::detect::spreading::link::{Link, LinkDetector, LinkModel, odds_of_costs};
use crate::detect::spreading::schedule::Schedule;
use crate::link::C64;
use crate::link::{Detector, options};

options! {
    /// Options of: successive decisions that keep the best hypotheses.
    pub struct BeamSicOptions {
        /// Hypotheses kept after each decision.
        beam: usize = 4, "1..=4096" if |v| (1..=4096).contains(v);
        /// Nats behind the best beyond which a hypothesis is dropped.
        window: Option<f64> = None => "none", "> 0" if |v| v.is_none_or(|v| v > 0.0);
    }
}

impl Algorithm for BeamSicOptions {
    const INFO: Info = Info::spreading("beam-sic", "successive decisions that keep the best hypotheses");

    fn detector(&self, _: &Context) -> Result<Box<dyn Detector>, ClassicalError> {
        Ok(Box::new(Receivers(Engine { beam: self.beam, window: self.window.unwrap_or(f64::INFINITY) })))
    }
}

/// Successive decisions that keep the best hypotheses.
pub type BeamSic = Built<BeamSicOptions>;

/// The algorithm with its options.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Engine {
    /// Hypotheses kept after each decision, >= 1.
    pub beam: usize,
    /// Nats behind the best of a step beyond which a hypothesis is dropped, > 0; infinite for none.
    pub window: f64,
}

/// Hypotheses side by side.
#[derive(Default)]
pub(crate) struct Beam {
    /// `-ln prior` of the decided users, `[B]`.
    pub prior: Vec<f64>,
    /// `[B, H]`.
    residual: Vec<C64>,
    /// 0 idle or symbol plus one, `[B, N]`.
    decided: Vec<usize>,
}

/// An extension of a hypothesis.
#[derive(Clone, Copy)]
pub(crate) struct Extension {
    pub cost: f64,
    pub parent: usize,
    pub decision: usize,
}

/// Buffers of one thread.
#[derive(Default)]
pub(crate) struct Workspace {
    pub(crate) schedule: Schedule,
    pub(crate) beam: Beam,
    next: Beam,
    pub(crate) extensions: Vec<Extension>,
    filter: Vec<C64>,
    product: Vec<C64>,
    costs: Vec<f64>,
}

impl Beam {
    #[inline]
    fn clear(&mut self) {
        self.prior.clear();
        self.residual.clear();
        self.decided.clear();
    }
    #[inline]
    pub fn residual(&self, b: usize, h: usize) -> &[C64] {
        &self.residual[b * h..(b + 1) * h]
    }
}

impl LinkDetector for Engine {
    const NAME: &'static str = "beam-sic";
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
        work.start(model, link, Order::Sinr);
        for step in 0..model.users {
            extend(model, link, work, step);
            work.prune(self.window);
            keep(model, link, work, step, self.beam);
        }
        work.decide(model, link, activity, score);
    }
}

impl Workspace {
    /// One empty hypothesis.
    pub(crate) fn start(&mut self, model: &LinkModel<'_>, link: &Link, order: Order) {
        self.schedule.plan(model, link, order);
        self.beam.clear();
        self.beam.prior.push(0.0);
        self.beam.residual.extend_from_slice(&link.y);
        self.beam.decided.resize(model.users, 0);
    }

    /// Drops the extensions of the present step that are `window` nats behind the best.
    #[inline]
    pub(crate) fn prune(&mut self, window: f64) {
        if window < f64::INFINITY {
            let limit = self.extensions.iter().map(|e| e.cost).fold(f64::INFINITY, f64::min) + window;
            self.extensions.retain(|e| e.cost <= limit);
        }
    }

    /// Decisions and scores after the last step.
    pub(crate) fn decide(&mut self, model: &LinkModel<'_>, link: &Link, activity: &mut [i64], score: &mut [f64]) {
        // Survivors are sorted: the first is the best.
        let best = &self.beam.decided[..model.users];
        activity.iter_mut().zip(best).for_each(|(a, d)| *a = *d as i64);
        scores(model, link, self, score);
    }

    /// Whether a hypothesis holds the decisions `sent` for the users before `step`.
    fn holds(&self, hypothesis: usize, step: usize, sent: &[i64]) -> bool {
        let n = sent.len();
        self.schedule.order[..step].iter().all(|&u| self.beam.decided[hypothesis * n + u] as i64 == sent[u])
    }

    /// Whether an extension of `step` leads to the decisions `sent`.
    pub(crate) fn is_path(&self, e: &Extension, step: usize, sent: &[i64]) -> bool {
        e.decision as i64 == sent[self.schedule.order[step]] && self.holds(e.parent, step, sent)
    }

    /// Puts the hypothesis `sent` beside the survivors of `step` when it is not among them.
    pub(crate) fn keep_path(&mut self, model: &LinkModel<'_>, link: &Link, step: usize, sent: &[i64]) {
        if (0..self.beam.prior.len()).any(|b| self.holds(b, step + 1, sent)) {
            return;
        }
        let (mut prior, mut residual, mut decided) = (0.0, link.y.clone(), vec![0; model.users]);
        for &user in &self.schedule.order[..=step] {
            let decision = sent[user] as usize;
            prior += model.cost(user, decision);
            subtract(&mut residual, link.g(user), model.symbol(decision));
            decided[user] = decision;
        }
        self.beam.prior.push(prior);
        self.beam.residual.extend(residual);
        self.beam.decided.extend(decided);
    }
}

/// Costs of all extensions of all hypotheses by the user of a step.
pub(crate) fn extend(model: &LinkModel<'_>, link: &Link, work: &mut Workspace, step: usize) {
    let h = model.chips;
    let Workspace { schedule, beam, extensions, filter, product, .. } = work;
    let (user, after) = (schedule.order[step], schedule.inverse(step + 1));
    filter.resize(h, C64::default());
    product.resize(h, C64::default());
    apply(after, link.g(user), filter);
    let gain = dot(link.g(user), filter).re;
    extensions.clear();
    for (parent, prior) in beam.prior.iter().enumerate() {
        let r = beam.residual(parent, h);
        apply(after, r, product);
        let (whitened, matched) = (dot(r, product).re, dot(filter, r));
        for decision in 0..=model.constellation.len() {
            let x = model.symbol(decision);
            // ||r - g x||^2 in the metric C^-1.
            let distance = whitened - 2.0 * (x.conj() * matched).re + x.norm_sqr() * gain;
            let cost = prior + model.cost(user, decision) + distance;
            if cost < f64::INFINITY {
                extensions.push(Extension { cost, parent, decision });
            }
        }
    }
}

/// The survivors of a step, best first.
pub(crate) fn keep(model: &LinkModel<'_>, link: &Link, work: &mut Workspace, step: usize, width: usize) {
    let (n, h) = (model.users, model.chips);
    let Workspace { schedule, beam, next, extensions, .. } = work;
    let user = schedule.order[step];
    // Equal costs are ordered by where they come from, so that the choice is unique.
    let rank = |a: &Extension, b: &Extension| {
        a.cost.total_cmp(&b.cost).then(a.parent.cmp(&b.parent)).then(a.decision.cmp(&b.decision))
    };
    if extensions.len() > width {
        extensions.select_nth_unstable_by(width - 1, rank);
        extensions.truncate(width);
    }
    extensions.sort_unstable_by(rank);
    next.clear();
    for e in extensions.iter() {
        next.prior.push(beam.prior[e.parent] + model.cost(user, e.decision));
        let start = next.residual.len();
        next.residual.extend_from_slice(beam.residual(e.parent, h));
        subtract(&mut next.residual[start..], link.g(user), model.symbol(e.decision));
        let start = next.decided.len();
        next.decided.extend_from_slice(&beam.decided[e.parent * n..(e.parent + 1) * n]);
        next.decided[start + user] = e.decision;
    }
    std::mem::swap(beam, next);
}

/// Max-log odds over the survivors and the neighbours of the best.
fn scores(model: &LinkModel<'_>, link: &Link, work: &mut Workspace, score: &mut [f64]) {
    let (n, h, c) = (model.users, model.chips, model.constellation.len());
    let Workspace { beam, costs, .. } = work;
    let total = |b: usize| energy(beam.residual(b, h)) / model.noise_var + beam.prior[b];
    let (best, r) = (total(0), beam.residual(0, h));
    for (user, odds) in score.chunks_exact_mut(c).enumerate() {
        let now = beam.decided[user];
        let matched = dot(link.g(user), r);
        costs.clear();
        costs.extend((0..=c).map(|decision| {
            let change = model.symbol(decision) - model.symbol(now);
            let distance = change.norm_sqr() * link.energy[user] - 2.0 * (change.conj() * matched).re;
            best + distance / model.noise_var + model.cost(user, decision) - model.cost(user, now)
        }));
        for b in 1..beam.prior.len() {
            let known = &mut costs[beam.decided[b * n + user]];
            *known = known.min(total(b));
        }
        odds_of_costs(costs, odds);
    }
}
