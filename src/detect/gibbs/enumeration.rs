//! The posterior summed over every state: the reference of the chains where devices are few.

use super::GibbsOptions;
use super::chain::Shared;
use super::marginals::Marginals;
use super::state::{Idle, State};
use crate::detect::common::frames::{Ending, FrameDetector, FrameOut};
use crate::link::{DetectError, FrameBatch};
use crate::math::isa::Isa;

/// States at most.
const MOST: u64 = 1 << 20;
/// States between two computations from the activities alone.
const REBUILD_EVERY: u64 = 64;

/// The detector.
pub(super) struct Sums {
    pub options: GibbsOptions,
}

/// Buffers of one thread.
pub(super) struct Workspace {
    state: State,
    sum: Marginals,
}

impl FrameDetector for Sums {
    type Shared = Shared;
    type Workspace = Workspace;
    const ESTIMATES_X: bool = true;
    const ESTIMATES_GAMMA: bool = false;

    fn ends(&self) -> bool {
        true
    }

    fn prepare(&self, batch: &FrameBatch) -> Result<Shared, DetectError> {
        let model = batch.model();
        let (n, states) = (model.devices(), model.sequences() as u64 + 1);
        let count = u32::try_from(n).ok().and_then(|n| states.checked_pow(n));
        if count.is_none_or(|count| count > MOST) {
            return Err(DetectError::Mismatch(format!(
                "detector gibbs with method = \"enumeration\" sums over (Q + 1)^N = {states}^{n} states, at most {MOST}; take \
                 method = \"chains\""
            )));
        }
        Shared::new(&self.options, batch)
    }

    fn workspace(&self, shared: &Shared, batch: &FrameBatch) -> Workspace {
        let model = batch.model();
        Workspace {
            state: State::new(&shared.columns, model.pilot_length(), model.devices(), shared.noise_var),
            sum: Marginals::zeros(model.devices(), model.sequences(), model.antennas()),
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
        let Workspace { state, sum } = work;
        let (beta, columns) = (batch.beta_of(f), &shared.columns);
        let idle = Idle::of(isa, columns, batch.frame(f), beta, shared.noise_var);
        sum.clear();
        state.sent.fill(0);
        state.rebuild(isa, columns, &idle, beta);
        let mut top = f64::NEG_INFINITY;
        for count in 1_u64.. {
            let prior: f64 = state.sent.iter().zip(&shared.log_odds).filter(|(s, _)| **s > 0).map(|(_, p)| p).sum();
            let exponent = state.log_likelihood + prior;
            if exponent > top {
                // Sums are kept relative to the largest term.
                sum.scale((top - exponent).exp());
                top = exponent;
            }
            let weight = (exponent - top).exp();
            sum.total += weight;
            for (n, &beta) in beta.iter().enumerate() {
                match state.sent[n] {
                    0 => sum.idle[n] += weight,
                    sent => {
                        let at = n * columns.sequences + sent - 1;
                        sum.active[at] += weight;
                        let m = columns.antennas;
                        state.add_mean(columns, at, weight * beta, &mut sum.x[at * m..(at + 1) * m]);
                    }
                }
            }
            // The next state in the order of numbers with base Q + 1.
            let Some(n) = state.sent.iter().position(|s| *s < columns.sequences) else { break };
            for lower in 0..n {
                state.change(isa, columns, &idle, beta, lower, 0);
            }
            let next = state.sent[n] + 1;
            state.change(isa, columns, &idle, beta, n, next);
            if count % REBUILD_EVERY == 0 {
                state.rebuild(isa, columns, &idle, beta);
            }
        }
        if let Some(ending) = out.ending.as_mut() {
            **ending = Ending { converged: true, residual: 0.0 };
        }
        sum.decide(&shared.log_odds, &shared.thresholds, &mut out);
    }
}
