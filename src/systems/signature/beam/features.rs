//! What the metric sees of a hypothesis.

use crate::detect::beam_sic::{Extension, Workspace};
use crate::detect::spreading::algebra::{apply, dot};
use crate::detect::spreading::link::{Link, LinkModel};
use crate::link::C64;

/// Largest size of a feature: beyond it a hypothesis is out of the question whatever its rank.
const BOUND: f64 = 30.0;

/// Features of a hypothesis after `step`: its whitened distance, the noise level, and one number per undecided user.
pub fn count(users: usize, step: usize) -> usize {
    2 + users - 1 - step
}

/// Buffers of one thread.
#[derive(Default)]
pub struct Scratch {
    filters: Vec<C64>,
    undecided: Vec<Undecided>,
    /// `g^H C^-1 r` of every hypothesis and undecided user, `[B, left]`.
    matched: Vec<C64>,
    noise: f64,
}

/// An undecided user as all hypotheses of a step see it, with `C` the covariance of all undecided users plus noise.
struct Undecided {
    user: usize,
    /// `a = g^H C^-1 g`.
    gain: f64,
    /// `g^H C^-1 g_decided`.
    cross: C64,
    /// `|C without the user| / |C| = 1 - p a`, its inverse and its logarithm.
    inverse_share: f64,
    log_share: f64,
}

/// Log ratio of the evidence of a discrete symbol to that of a Gaussian one of the same power, all other undecided users
/// Gaussian; `m = g^H C^-1 r`. The discrete evidence is its largest term (max-log): no exponential stands in the search.
fn evidence_ratio(model: &LinkModel<'_>, u: &Undecided, m: C64) -> f64 {
    let fit = |x: &C64| 2.0 * (x.re * m.re + x.im * m.im) - u.gain * x.norm_sqr();
    let best = model.constellation.iter().map(fit).fold(f64::NEG_INFINITY, f64::max);
    let discrete = model.log_idle[u.user].max(model.log_symbol[u.user] + best * u.inverse_share);
    discrete - u.log_share - model.power[u.user] * m.norm_sqr() * u.inverse_share
}

impl Scratch {
    /// Takes what all extensions of a step share.
    pub fn prepare(&mut self, model: &LinkModel<'_>, link: &Link, work: &Workspace, step: usize) {
        let h = model.chips;
        let (user, inverse) = (work.schedule.order[step], work.schedule.inverse(step + 1));
        let left = &work.schedule.order[step + 1..];
        self.filters.clear();
        self.filters.resize(left.len() * h, C64::default());
        self.undecided.clear();
        for (&other, filter) in left.iter().zip(self.filters.chunks_exact_mut(h)) {
            apply(inverse, link.g(other), filter);
            let gain = dot(link.g(other), filter).re;
            let share = (1.0 - model.power[other] * gain).max(1e-12);
            self.undecided.push(Undecided {
                user: other,
                gain,
                cross: dot(filter, link.g(user)),
                inverse_share: 1.0 / share,
                log_share: share.ln(),
            });
        }
        self.noise = 0.25 * model.noise_var.ln();
        self.matched.clear();
        for parent in 0..work.beam.prior.len() {
            let r = work.beam.residual(parent, h);
            self.matched.extend(self.filters.chunks_exact(h).map(|f| dot(f, r)));
        }
    }

    /// Appends the features of one extension, [`count`] numbers.
    pub fn row(&self, model: &LinkModel<'_>, work: &Workspace, step: usize, e: &Extension, out: &mut Vec<f64>) {
        let x = model.symbol(e.decision);
        let user = work.schedule.order[step];
        let distance = e.cost - work.beam.prior[e.parent] - model.cost(user, e.decision);
        out.push((distance / model.chips as f64).min(BOUND));
        out.push(self.noise);
        let left = self.undecided.len();
        for (u, matched) in self.undecided.iter().zip(&self.matched[e.parent * left..]) {
            out.push(evidence_ratio(model, u, matched - x * u.cross).clamp(-BOUND, BOUND));
        }
    }
}
