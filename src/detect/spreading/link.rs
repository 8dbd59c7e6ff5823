//! The link of one frame, `g_n = diag(h_n) s_n`, the prior, and the loop over frames of all receivers.

use rayon::prelude::*;

use super::algebra::energy;
use crate::link::{C64, FrameBatch};
use crate::link::{Decisions, DetectError, Detector};

/// Log prior that stands for "never" in scores, so that they stay finite (ln 1e-300).
pub(crate) const LOG_NEVER: f64 = -690.8;

/// What all frames of a batch share.
pub(crate) struct LinkModel<'a> {
    /// Symbols, `[C]`.
    pub constellation: &'a [C64],
    /// Prior variance of each `x_n`, p_n times the mean energy of a symbol, `[N]`.
    pub power: Vec<f64>,
    /// `ln(1 - p_n)`, minus infinity for a user that is always active, `[N]`.
    pub log_idle: Vec<f64>,
    /// `ln(p_n / C)`, `[N]`.
    pub log_symbol: Vec<f64>,
    /// Noise variance of a chip.
    pub noise_var: f64,
    /// Users N.
    pub users: usize,
    /// Chips H.
    pub chips: usize,
    /// Signatures as rows, `[N, H]`.
    signatures: Vec<C64>,
}

impl<'a> LinkModel<'a> {
    /// Takes what the frames of a batch share.
    ///
    /// # Errors
    /// [`DetectError::Mismatch`] when it is no spreading link.
    pub fn new(batch: &'a FrameBatch, name: &str) -> Result<Self, DetectError> {
        let Some(spreading) = batch.spreading() else {
            return Err(DetectError::Mismatch(format!(
                "detector {name} is one of system E: it needs frames of a spreading link (arrays signatures, h and \
                 constellation), these have pilots; take amp, covariance or another access detector"
            )));
        };
        let model = batch.model();
        let (users, chips) = (model.columns(), model.pilot_length());
        let constellation = &spreading.constellation()[..];
        let mean = energy(constellation) / constellation.len() as f64;
        let p = model.activity_prob();
        Ok(Self {
            constellation,
            power: p.iter().map(|p| p * mean).collect(),
            log_idle: p.iter().map(|p| (1.0 - p).ln()).collect(),
            log_symbol: p.iter().map(|p| (p / constellation.len() as f64).ln()).collect(),
            noise_var: model.noise_var(),
            users,
            chips,
            signatures: (0..users).flat_map(|n| model.pilots().column(n)).collect(),
        })
    }

    /// The five-point decision (for QPSK) on `z = x_n + CN(0, variance)`: writes the log odds of each symbol against
    /// idle, `[C]`, and returns 0 or the symbol plus one.
    #[inline]
    pub fn decide(&self, user: usize, z: C64, variance: f64, odds: &mut [f64]) -> i64 {
        for (odds, x) in odds.iter_mut().zip(self.constellation) {
            // |z|^2 - |z - x|^2 without the cancellation.
            *odds = (2.0 * (x.conj() * z).re - x.norm_sqr()) / variance;
        }
        let (best, value) = largest(odds);
        let (symbol, idle) = (self.log_symbol[user], self.log_idle[user]);
        odds.iter_mut().for_each(|o| *o += symbol - idle.max(LOG_NEVER));
        if value + symbol > idle { best as i64 + 1 } else { 0 }
    }

    /// The symbol of a decision: zero for 0.
    #[inline]
    pub fn symbol(&self, decision: usize) -> C64 {
        if decision == 0 { C64::default() } else { self.constellation[decision - 1] }
    }

    /// `-ln` of the prior of a decision.
    #[inline]
    pub fn cost(&self, user: usize, decision: usize) -> f64 {
        -if decision == 0 { self.log_idle[user] } else { self.log_symbol[user] }
    }
}

/// Scores from the costs (minus log posterior) of idle and each symbol, `[C + 1]`: `cost(idle) - cost(symbol)`.
#[inline]
pub(crate) fn odds_of_costs(costs: &[f64], odds: &mut [f64]) {
    let (idle, symbols) = (costs[0], &costs[1..]);
    let best = symbols.iter().copied().fold(f64::INFINITY, f64::min);
    // An impossible idle stays below every symbol by a finite amount.
    let idle = if idle.is_finite() { idle } else { best - LOG_NEVER };
    for (odds, cost) in odds.iter_mut().zip(symbols) {
        *odds = (idle - cost).max(LOG_NEVER);
    }
}

/// Index and value of the largest number, the first of equal ones.
#[inline]
pub(crate) fn largest(values: &[f64]) -> (usize, f64) {
    values.iter().copied().enumerate().fold((0, f64::NEG_INFINITY), |a, b| if b.1 > a.1 { b } else { a })
}

/// One frame: what was received and how each user's symbol arrives.
#[derive(Default)]
pub(crate) struct Link {
    /// `[H]`.
    pub y: Vec<C64>,
    /// `g_n` as rows, `[N, H]`.
    g: Vec<C64>,
    /// `||g_n||^2`, `[N]`.
    pub energy: Vec<f64>,
}

impl Link {
    /// `g_n`, `[H]`.
    #[inline]
    pub fn g(&self, user: usize) -> &[C64] {
        &self.g[user * self.y.len()..(user + 1) * self.y.len()]
    }

    pub fn load(&mut self, model: &LinkModel<'_>, batch: &FrameBatch, f: usize) {
        let size = model.users * model.chips;
        let h = batch.spreading().map_or(&[][..], |s| &s.coefficients()[f * size..(f + 1) * size]);
        self.y.clear();
        self.y.extend_from_slice(batch.frame(f));
        self.g.clear();
        self.g.extend(h.iter().zip(&model.signatures).map(|(h, s)| h * s));
        self.energy.clear();
        self.energy.extend(self.g.chunks_exact(model.chips).map(energy));
    }
}

/// A receiver that works on one frame at a time.
pub(crate) trait LinkDetector: Sync {
    /// Name in errors.
    const NAME: &'static str;
    /// Buffers of one thread.
    type Workspace: Default + Send;

    /// Checks that are the receiver's own.
    fn check(&self, _: &LinkModel<'_>, _: &FrameBatch) -> Result<(), DetectError> {
        Ok(())
    }

    /// Decides one frame into `activity [N]` and `score [N*C]`; `truth [N]` is there when `check` has asked for it.
    fn frame(
        &self,
        model: &LinkModel<'_>,
        link: &Link,
        truth: Option<&[i64]>,
        work: &mut Self::Workspace,
        activity: &mut [i64],
        score: &mut [f64],
    );
}

/// A receiver as a [`Detector`].
pub(crate) struct Receivers<D>(pub D);

impl<D: LinkDetector + Send> Detector for Receivers<D> {
    fn detect(&self, frames: &FrameBatch) -> Result<Decisions, DetectError> {
        detect_link(&self.0, frames)
    }
}

/// Decides all frames of the batch on the threads of the current rayon pool.
///
/// # Errors
/// [`DetectError`] when the batch does not fit.
pub(crate) fn detect_link<D: LinkDetector>(detector: &D, batch: &FrameBatch) -> Result<Decisions, DetectError> {
    let model = LinkModel::new(batch, D::NAME)?;
    detector.check(&model, batch)?;
    let (n, columns) = (model.users, model.users * model.constellation.len());
    let mut activity = vec![0; batch.frames() * n];
    let mut score = vec![0.0; batch.frames() * columns];
    activity.par_chunks_exact_mut(n).zip(score.par_chunks_exact_mut(columns)).enumerate().for_each_init(
        || (Link::default(), D::Workspace::default()),
        |(link, work), (f, (activity, score))| {
            link.load(&model, batch, f);
            let truth = batch.truth().map(|t| &t.activity()[f * n..(f + 1) * n]);
            detector.frame(&model, link, truth, work, activity, score);
        },
    );
    Ok(Decisions { activity, score, ..Decisions::default() })
}
