//! What the metric sees of a hypothesis.

use crate::classical::noma::algebra::{apply, dot};
use crate::classical::noma::beam_sic::Workspace;
use crate::classical::noma::link::{Link, LinkModel};
use crate::scenario::C64;

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
    gains: Vec<f64>,
    cross: Vec<C64>,
    matched: Vec<C64>,
}

/// Log ratio of the evidence of a discrete symbol of `user` to that of a Gaussian one of the same power, all other
/// undecided users Gaussian; `m = g^H C^-1 r`, `a = g^H C^-1 g`, C with the user in it.
fn evidence_ratio(model: &LinkModel<'_>, user: usize, m: C64, a: f64) -> f64 {
    let p = model.power[user];
    // |C without the user| / |C|.
    let share = (1.0 - p * a).max(1e-12);
    let exponent = |x: &C64| model.log_symbol[user] + (2.0 * (x.conj() * m).re - a * x.norm_sqr()) / share;
    let top = model.constellation.iter().map(exponent).fold(model.log_idle[user], f64::max);
    let sum: f64 = model.constellation.iter().map(|x| (exponent(x) - top).exp()).sum();
    let discrete = top + (sum + (model.log_idle[user] - top).exp()).ln();
    discrete - share.ln() - p * m.norm_sqr() / share
}

/// Rows of features of all extensions of a step, in their order, `[extensions, count]`.
pub fn rows(
    model: &LinkModel<'_>,
    link: &Link,
    work: &Workspace,
    step: usize,
    scratch: &mut Scratch,
    out: &mut Vec<f64>,
) {
    let h = model.chips;
    let (user, inverse) = (work.schedule.order[step], work.schedule.inverse(step + 1));
    let left = &work.schedule.order[step + 1..];
    scratch.filters.clear();
    scratch.filters.resize(left.len() * h, C64::default());
    scratch.gains.clear();
    scratch.cross.clear();
    for (&other, filter) in left.iter().zip(scratch.filters.chunks_exact_mut(h)) {
        apply(inverse, link.g(other), filter);
        scratch.gains.push(dot(link.g(other), filter).re);
        scratch.cross.push(dot(filter, link.g(user)));
    }
    let noise = 0.25 * model.noise_var.ln();
    out.clear();
    let mut parent = usize::MAX;
    for e in &work.extensions {
        if e.parent != parent {
            parent = e.parent;
            let r = work.beam.residual(parent, h);
            scratch.matched.clear();
            scratch.matched.extend(scratch.filters.chunks_exact(h).map(|f| dot(f, r)));
        }
        let x = model.symbol(e.decision);
        let distance = e.cost - work.beam.prior[e.parent] - model.cost(user, e.decision);
        out.push((distance / h as f64).min(BOUND));
        out.push(noise);
        for (i, &other) in left.iter().enumerate() {
            let m = scratch.matched[i] - x * scratch.cross[i];
            out.push(evidence_ratio(model, other, m, scratch.gains[i]).clamp(-BOUND, BOUND));
        }
    }
}
