//! Devices that are active on their own.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::chain::{Scene, Shared, Walk};
use super::marginals::Marginals;
use super::state::{Idle, State};
use crate::link::AccessModel;
use crate::math::elementary::exp_of_negative;
use crate::math::isa::Isa;

/// One device after the other.
pub(super) struct DeviceWalk {
    state: State,
    idle: Option<Idle>,
    weights: Vec<f64>,
    /// Of all columns, for a relocation.
    all: Vec<f64>,
}

/// Softmax over the sequences and idle, whose exponent is 0; returns the weight of idle.
#[inline(always)]
pub(super) fn softmax(exponents: impl Iterator<Item = f64> + Clone, weights: &mut [f64]) -> f64 {
    let top = exponents.clone().fold(0.0_f64, f64::max);
    let idle = (-top).exp();
    let mut sum = idle;
    for (w, e) in weights.iter_mut().zip(exponents) {
        *w = (e - top).exp();
        sum += *w;
    }
    weights.iter_mut().for_each(|w| *w /= sum);
    idle / sum
}

/// The sequence plus one that a number in [0, 1) falls on, 0 for idle.
#[inline(always)]
pub(super) fn pick(weights: &[f64], number: f64) -> usize {
    let mut below = 0.0;
    for (k, w) in weights.iter().enumerate() {
        below += w;
        if number < below {
            return k + 1;
        }
    }
    0
}

/// Takes a random active device out and draws which idle device (itself among them) is active in its place, with which
/// sequence. The number of active devices stays, and so does the chance to pick the same state again: the move keeps
/// the posterior.
#[inline(always)]
fn relocate<I: Isa>(
    isa: I,
    scene: &Scene<'_>,
    state: &mut State,
    idle: &Idle,
    weights: &mut [f64],
    temper: f64,
    rng: &mut ChaCha8Rng,
) {
    let Shared { columns, log_odds, .. } = scene.shared;
    let active = state.sent.iter().filter(|s| **s > 0).count();
    if active == 0 {
        return;
    }
    let chosen = rng.random_range(0..active);
    let Some(n) = (0..state.sent.len()).filter(|n| state.sent[*n] > 0).nth(chosen) else { return };
    state.ratios_without(isa, columns, idle, scene.beta, n, weights);
    let q = columns.sequences;
    let mut top = f64::NEG_INFINITY;
    for (device, weights) in weights.chunks_exact_mut(q).enumerate() {
        let taken = state.sent[device] > 0 && device != n;
        for w in weights {
            *w = if taken { f64::NEG_INFINITY } else { temper * *w + log_odds[device] };
            top = top.max(*w);
        }
    }
    let mut sum = 0.0;
    for w in weights.iter_mut() {
        *w = f64::from(exp_of_negative((*w - top) as f32));
        sum += *w;
    }
    // Rounding at the last place may leave nothing picked: then nothing moves.
    let Some(at) = pick(weights, rng.random::<f64>() * sum).checked_sub(1) else { return };
    let (device, sequence) = (at / q, at % q + 1);
    if device == n {
        if sequence != state.sent[n] {
            state.change(isa, columns, idle, scene.beta, n, sequence);
        }
    } else if state.sent[device] == 0 {
        state.change(isa, columns, idle, scene.beta, n, 0);
        state.change(isa, columns, idle, scene.beta, device, sequence);
    }
}

impl Walk for DeviceWalk {
    fn new(shared: &Shared, model: &AccessModel) -> Self {
        Self {
            state: State::new(&shared.columns, model.pilot_length(), model.devices(), shared.noise_var),
            idle: None,
            weights: vec![0.0; model.sequences()],
            all: vec![0.0; model.columns()],
        }
    }

    #[inline(always)]
    fn begin<I: Isa>(&mut self, isa: I, scene: &Scene<'_>, sent: &[usize]) {
        let idle = Idle::of(isa, &scene.shared.columns, scene.y, scene.beta, scene.shared.noise_var);
        self.state.sent.copy_from_slice(sent);
        self.state.rebuild(isa, &scene.shared.columns, &idle, scene.beta);
        self.idle = Some(idle);
    }

    #[inline(always)]
    fn sweep<I: Isa>(
        &mut self,
        isa: I,
        scene: &Scene<'_>,
        temper: f64,
        rng: &mut ChaCha8Rng,
        mut marginals: Option<&mut Marginals>,
    ) {
        let Self { state, idle: Some(idle), weights, all } = self else { return };
        for (n, &beta) in scene.beta.iter().enumerate() {
            let log_odds = scene.shared.log_odds[n];
            state.look(isa, &scene.shared.columns, idle, scene.beta, n);
            let rest = softmax(state.seen.llr.iter().map(|llr| temper * llr + log_odds), weights);
            if let Some(marginals) = marginals.as_deref_mut() {
                marginals.add(n, weights, rest, beta, &state.seen);
            }
            let drawn = pick(weights, rng.random());
            if drawn != state.sent[n] {
                state.change(isa, &scene.shared.columns, idle, scene.beta, n, drawn);
            }
        }
        for _ in 0..scene.shared.relocations {
            relocate(isa, scene, state, idle, all, temper, rng);
        }
    }

    #[inline(always)]
    fn rebuild<I: Isa>(&mut self, isa: I, scene: &Scene<'_>) {
        if let Some(idle) = &self.idle {
            self.state.rebuild(isa, &scene.shared.columns, idle, scene.beta);
        }
    }

    fn log_likelihood(&self) -> f64 {
        self.state.log_likelihood
    }
}
