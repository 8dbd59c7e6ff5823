//! Sums of conditional distributions over the visits of a chain, and the decisions they give.

use crate::detect::common::decide::decide;
use crate::detect::common::frames::FrameOut;
use crate::link::C64;

use super::state::Seen;

/// A weight below this adds nothing to a mean that double precision would show.
pub(super) const NEGLIGIBLE: f64 = 1e-9;

/// Marginal posteriors and means of one frame; all sums have the weight [`Marginals::total`].
#[derive(Debug, Clone, Default)]
pub(super) struct Marginals {
    /// Weight of every sequence, `[NQ]`.
    pub active: Vec<f64>,
    /// Weight of idle, `[N]`: kept apart, because one minus the others has no digits where a device is surely active.
    pub idle: Vec<f64>,
    /// Sums of the rows, `[NQ, M]`.
    pub x: Vec<C64>,
    pub total: f64,
}

impl Marginals {
    pub fn zeros(devices: usize, sequences: usize, antennas: usize) -> Self {
        let n = devices * sequences;
        Self { active: vec![0.0; n], idle: vec![0.0; devices], x: vec![C64::default(); n * antennas], total: 0.0 }
    }

    pub fn clear(&mut self) {
        self.active.fill(0.0);
        self.idle.fill(0.0);
        self.x.fill(C64::default());
        self.total = 0.0;
    }

    /// Adds the conditional distribution of device n; `weights` `[Q]` and `idle` sum to one, `seen` tells the means of its rows.
    #[inline(always)]
    pub fn add(&mut self, n: usize, weights: &[f64], idle: f64, beta: f64, seen: &Seen) {
        let (q, m) = (weights.len(), seen.u.len() / weights.len());
        self.idle[n] += idle;
        for (k, &w) in weights.iter().enumerate() {
            self.active[n * q + k] += w;
            if w > NEGLIGIBLE {
                let scale = w * beta / (1.0 + beta * seen.c[k]);
                let x = &mut self.x[(n * q + k) * m..(n * q + k + 1) * m];
                x.iter_mut().zip(&seen.u[k * m..(k + 1) * m]).for_each(|(x, u)| *x += scale * u);
            }
        }
    }

    /// Multiplies all sums.
    pub fn scale(&mut self, factor: f64) {
        self.active.iter_mut().chain(&mut self.idle).for_each(|v| *v *= factor);
        self.x.iter_mut().for_each(|x| *x *= factor);
        self.total *= factor;
    }

    /// Adds the sums of another chain.
    pub fn merge(&mut self, other: &Self) {
        self.active.iter_mut().zip(&other.active).for_each(|(a, b)| *a += b);
        self.idle.iter_mut().zip(&other.idle).for_each(|(a, b)| *a += b);
        self.x.iter_mut().zip(&other.x).for_each(|(a, b)| *a += b);
        self.total += other.total;
    }

    /// Largest total variation between the marginals of a device here and there.
    pub fn distance(&self, other: &Self) -> f64 {
        let q = self.active.len() / self.idle.len();
        let of = |a: f64, b: f64| (a / self.total - b / other.total).abs();
        let device = |n: usize| {
            let sequences = n * q..(n + 1) * q;
            let rest: f64 =
                self.active[sequences.clone()].iter().zip(&other.active[sequences]).map(|(&a, &b)| of(a, b)).sum();
            0.5 * (rest + of(self.idle[n], other.idle[n]))
        };
        (0..self.idle.len()).map(device).fold(0.0, f64::max)
    }

    /// Scores, decisions and means; `log_odds` are the prior odds of a sequence against idle, `[N]`.
    pub fn decide(&self, log_odds: &[f64], thresholds: &[f64], out: &mut FrameOut<'_>) {
        let q = self.active.len() / self.idle.len();
        for (n, (&idle, &prior)) in self.idle.iter().zip(log_odds).enumerate() {
            let score = &mut out.score[n * q..(n + 1) * q];
            for (score, &active) in score.iter_mut().zip(&self.active[n * q..(n + 1) * q]) {
                // No weight at all is a weight below the smallest number.
                let odds = active.max(f64::MIN_POSITIVE) / idle.max(f64::MIN_POSITIVE);
                *score = odds.ln() - prior;
            }
            out.activity[n] = decide(score, thresholds[n]);
        }
        out.x.iter_mut().zip(&self.x).for_each(|(x, sum)| *x = sum / self.total);
    }
}
