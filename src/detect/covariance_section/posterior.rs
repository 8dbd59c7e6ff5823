//! The coordinate posterior of the activities.

use super::CovarianceSectionOptions;
use crate::detect::amp::steps::posterior;
use crate::detect::common::columns::pilot_columns;
use crate::detect::common::decide::{decide, log_prior_odds, section_threshold};
use crate::detect::common::frames::{FrameDetector, FrameOut};
use crate::link::DetectError;
use crate::link::{C64, FrameBatch};
use crate::math::inverse::{InverseCovariance, Observation};
use crate::math::isa::Isa;
use crate::math::kernels::energy;
use crate::math::planes::Planes;
use crate::math::real::Real;

/// Tempered sweeps at the start (at most half of all).
const TEMPERED_SWEEPS: usize = 4;
/// Sweeps between two rebuilds of the inverse covariance: taking strong devices out and in costs digits.
pub(super) const REBUILD_EVERY: usize = 2;
/// A contribution of this signal-to-interference ratio or less is left out of the covariance.
const NEGLIGIBLE: f64 = 1e-9;

/// How the ratios are tempered from sweep to sweep, and when sweeps end.
pub(super) struct Schedule {
    warm_up: usize,
    last: f64,
    tolerance: f64,
}

impl Schedule {
    pub fn of(options: &CovarianceSectionOptions) -> Self {
        let warm_up = TEMPERED_SWEEPS.min(options.iterations / 2);
        Self { warm_up, last: options.tempering, tolerance: options.tolerance }
    }

    /// What the ratios of a sweep are multiplied by.
    pub fn temper(&self, sweep: usize) -> f64 {
        self.last * ((sweep + 1) as f64 / (self.warm_up + 1) as f64).min(1.0)
    }

    /// Whether a sweep whose largest change of a weight was `change` is the last. Tempered weights do not tell whether the
    /// last ones will move.
    pub fn settled(&self, sweep: usize, change: f64, largest: f64) -> bool {
        sweep >= self.warm_up && self.tolerance > 0.0 && change <= self.tolerance * largest
    }
}

pub(crate) struct CovarianceSection<T> {
    pub options: CovarianceSectionOptions,
    pub precision: std::marker::PhantomData<T>,
}

/// What a batch shares.
pub(crate) struct Shared<T> {
    columns: Planes<T>,
    /// `ln((eps/Q)/(1 - eps))` per device.
    log_odds: Vec<f64>,
    thresholds: Vec<f64>,
    noise_var: f64,
}

/// Buffers of one thread.
pub(crate) struct Workspace<T> {
    inverse: InverseCovariance<T>,
    observation: Observation<T>,
    /// `w beta` of every column as it stands in the covariance.
    gamma: Vec<f64>,
    llr: Vec<f64>,
    /// `c_q` of the device at hand.
    c: Vec<f64>,
    tempered: Vec<f64>,
    /// Weights of the device before the visit.
    before: Vec<f64>,
    weights: Vec<f64>,
}

impl<T: Real> FrameDetector for CovarianceSection<T> {
    type Shared = Shared<T>;
    type Workspace = Workspace<T>;
    const ESTIMATES_X: bool = true;
    const ESTIMATES_GAMMA: bool = true;

    fn prepare(&self, batch: &FrameBatch) -> Result<Shared<T>, DetectError> {
        let (q, eps) = (batch.model().sequences(), batch.model().activity_prob());
        Ok(Shared {
            columns: pilot_columns(batch.model(), 1.0),
            log_odds: eps.iter().map(|&e| log_prior_odds(e, q)).collect(),
            thresholds: eps.iter().map(|&e| section_threshold(self.options.threshold, e, q)).collect(),
            noise_var: batch.model().noise_var(),
        })
    }

    fn workspace(&self, _: &Shared<T>, batch: &FrameBatch) -> Workspace<T> {
        let (model, q) = (batch.model(), batch.model().sequences());
        Workspace {
            inverse: InverseCovariance::new(model.pilot_length(), model.noise_var()),
            observation: Observation::new(model.pilot_length(), model.antennas()),
            gamma: vec![0.0; model.columns()],
            llr: vec![0.0; model.columns()],
            c: vec![0.0; q],
            tempered: vec![0.0; q],
            before: vec![0.0; q],
            weights: vec![0.0; q],
        }
    }

    #[inline(always)]
    fn frame<I: Isa>(
        &self,
        isa: I,
        shared: &Shared<T>,
        batch: &FrameBatch,
        f: usize,
        work: &mut Workspace<T>,
        out: FrameOut<'_>,
    ) {
        let (m, q) = (batch.model().antennas(), batch.model().sequences());
        let beta = batch.beta_of(f);
        let schedule = Schedule::of(&self.options);
        work.gamma.fill(0.0);
        work.llr.fill(0.0);
        work.inverse.reset();
        work.observation.load(batch.frame(f), m);
        for sweep in 0..self.options.iterations {
            if sweep > 0 && sweep % REBUILD_EVERY == 0 {
                work.inverse.rebuild(isa, &shared.columns, &work.gamma);
            }
            let temper = schedule.temper(sweep);
            let (mut change, mut largest) = (0.0_f64, 0.0_f64);
            for (n, &beta) in beta.iter().enumerate() {
                // A device that cannot be heard keeps the ratio 0: nothing is known about it.
                if beta > 0.0 {
                    let moved = visit(isa, shared, work, n, beta, [m, q], temper);
                    change = change.max(moved);
                    largest = work.weights.iter().copied().fold(largest, f64::max);
                }
            }
            if schedule.settled(sweep, change, largest) {
                break;
            }
        }
        out.score.copy_from_slice(&work.llr);
        out.gamma.copy_from_slice(&work.gamma);
        estimate(isa, shared, beta, batch.frame(f), [m, q], work, out.x);
        for ((a, llr), &t) in out.activity.iter_mut().zip(work.llr.chunks_exact(q)).zip(&shared.thresholds) {
            *a = decide(llr, t);
        }
    }
}

/// Posterior means of the rows: `w beta/(1 + beta c) s^H Sigma_n^-1 Y` with the covariance of all others.
#[inline(always)]
fn estimate<T: Real, I: Isa>(
    isa: I,
    shared: &Shared<T>,
    beta: &[f64],
    y: &[C64],
    [m, q]: [usize; 2],
    work: &mut Workspace<T>,
    x: &mut [C64],
) {
    work.inverse.rebuild(isa, &shared.columns, &work.gamma);
    for (i, x) in x.chunks_exact_mut(m).enumerate() {
        let (gamma, beta) = (work.gamma[i], beta[i / q]);
        if gamma <= 0.0 {
            continue;
        }
        let s = work.inverse.apply(isa, shared.columns.row(i));
        // Leave-one-out by Sherman-Morrison: s^H Sigma_n^-1 = s^H Sigma^-1/(1 - gamma s).
        let rest = (1.0 - gamma * s).max(1e-12);
        let scale = gamma / (rest + beta * s);
        for (l, row) in y.chunks_exact(m).enumerate() {
            let v = C64::new(work.inverse.v.re[l].wide(), -work.inverse.v.im[l].wide()) * scale;
            x.iter_mut().zip(row).for_each(|(x, y)| *x += v * y);
        }
    }
}

/// Takes device n out, judges it against all others, puts it back; returns the largest change of its weights.
#[inline(always)]
fn visit<T: Real, I: Isa>(
    isa: I,
    shared: &Shared<T>,
    work: &mut Workspace<T>,
    n: usize,
    beta: f64,
    [antennas, q]: [usize; 2],
    temper: f64,
) -> f64 {
    for (k, before) in work.before.iter_mut().enumerate() {
        *before = work.gamma[n * q + k] / beta;
    }
    take_out(isa, shared, work, n * q, q);
    for k in 0..q {
        let i = n * q + k;
        work.c[k] = work.inverse.apply(isa, shared.columns.row(i)).max(0.0);
        let power = work.observation.power(isa, work.inverse.v.parts());
        let snr = beta * work.c[k];
        work.llr[i] = beta * power / (1.0 + snr) - antennas as f64 * snr.ln_1p();
        work.tempered[k] = temper * work.llr[i];
    }
    posterior(true, &work.tempered, shared.log_odds[n], &mut work.weights);
    for k in 0..q {
        let gamma = work.weights[k] * beta;
        if gamma * work.c[k] > NEGLIGIBLE {
            let s = work.inverse.apply(isa, shared.columns.row(n * q + k));
            work.inverse.update(isa, gamma, s);
            work.gamma[n * q + k] = gamma;
        }
    }
    work.weights.iter().zip(&work.before).fold(0.0, |change, (w, before)| change.max((w - before).abs()))
}

/// Takes the columns `first .. first + q` out of the covariance.
#[inline(always)]
fn take_out<T: Real, I: Isa>(isa: I, shared: &Shared<T>, work: &mut Workspace<T>, first: usize, q: usize) {
    let mut lost = false;
    for i in first..first + q {
        let gamma = work.gamma[i];
        if gamma > 0.0 {
            work.gamma[i] = 0.0;
            let s = work.inverse.apply(isa, shared.columns.row(i));
            // 1 - gamma s = 1/(1 + gamma c) is known to about EPSILON gamma ||s||^2/sigma2: below a hundred times that,
            // the inverse is computed anew (f32: devices above 25 dB, f64: above 68 dB).
            let doubt = T::EPSILON.wide() * gamma * energy(isa, shared.columns.row(i)).wide() / shared.noise_var;
            if s > 0.0 && 1.0 - gamma * s > 100.0 * doubt {
                work.inverse.update(isa, -gamma, s);
            } else {
                lost = true;
            }
        }
    }
    if lost {
        work.inverse.rebuild(isa, &shared.columns, &work.gamma);
    }
}
