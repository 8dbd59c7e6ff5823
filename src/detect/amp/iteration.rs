//! The iteration of AMP, one frame at a time, and the choice between it and frames side by side.

use rayon::prelude::*;

use crate::detect::amp::lanes;
use crate::detect::amp::steps::{Gain, Jacobians, PackedPilots, Residual, effective_noise, matched_filter, posterior};
use crate::detect::common::decide::{decide, log_prior_odds, row_threshold, safe_prob};
use crate::detect::common::frames::{FrameDetector, FrameOut, check_batch, decisions, detect_frames};
use crate::detect::{Onsager, Threshold};
use crate::link::FrameBatch;
use crate::link::{Decisions, DetectError, Detector};
use crate::math::isa::{Isa, dispatch, has_wide_vectors};
use crate::math::kernels::energy;
use crate::math::lanes::{F8, F16, Lanes};
use crate::math::planes::{Planes, pack};
use crate::math::real::Real;

/// How AMP iterates and decides.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    /// Iterations, >= 1.
    pub iterations: usize,
    /// Share of the new iterate, in (0, 1].
    pub damping: f64,
    /// Threshold on the log-likelihood ratio.
    pub threshold: Threshold,
    /// Onsager term.
    pub onsager: Onsager,
    /// Section-wise posterior (softmax over the Q rows and idle) instead of row-wise.
    pub section: bool,
    /// Every device has the mean of the activity probabilities.
    pub mean_activity: bool,
}

impl Settings {
    /// Logit of the posterior of a row without an observation, per device.
    fn log_odds(&self, activity_prob: &[f64], q: usize) -> Vec<f64> {
        let of = |eps: f64| {
            if self.section { log_prior_odds(eps, q) } else { -row_threshold(Threshold::MAP, eps, q) }
        };
        self.told(activity_prob).map(of).collect()
    }

    /// The activity probabilities that the detector is told, of what is known.
    fn told<'a>(&self, activity_prob: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
        let mean = activity_prob.iter().sum::<f64>() / activity_prob.len() as f64;
        let only_mean = self.mean_activity;
        activity_prob.iter().map(move |&eps| if only_mean { mean } else { eps })
    }

    /// Threshold on the likelihood ratio, per device.
    fn thresholds(&self, activity_prob: &[f64], q: usize) -> Vec<f64> {
        self.told(activity_prob).map(|eps| row_threshold(self.threshold, safe_prob(eps), q)).collect()
    }
}

pub(crate) struct Amp<T> {
    options: Settings,
    packed: lanes::LastPacked,
    precision: std::marker::PhantomData<T>,
}

impl<T> Amp<T> {
    pub fn new(options: Settings) -> Self {
        Self { options, packed: lanes::LastPacked::default(), precision: std::marker::PhantomData }
    }
}

/// What a batch shares.
pub(crate) struct Shared<T> {
    pilots: PackedPilots<T>,
    scale: f64,
    log_odds: Vec<f64>,
    thresholds: Vec<f64>,
}

/// Buffers of one thread.
pub(crate) struct Workspace<T> {
    y: Planes<T>,
    residual: Residual<T>,
    x: Planes<T>,
    /// `eta(Z)` before damping.
    fresh: Planes<T>,
    z: Planes<T>,
    jacobians: Jacobians<T>,
    support: Vec<usize>,
    llr: Vec<f64>,
    weights: Vec<f64>,
}

impl<T: Real> FrameDetector for Amp<T> {
    type Shared = Shared<T>;
    type Workspace = Workspace<T>;
    const ESTIMATES_X: bool = true;
    const ESTIMATES_GAMMA: bool = false;

    fn prepare(&self, batch: &FrameBatch) -> Result<Shared<T>, DetectError> {
        let model = batch.model();
        let (l, columns, q) = (model.pilot_length(), model.columns(), model.sequences());
        let scale = 1.0 / model.pilots().energy().sqrt();
        let entry = |row: usize, column: usize| model.pilots().at(row, column) * scale;
        Ok(Shared {
            pilots: PackedPilots {
                adjoint: pack(columns, l, |i, k| entry(k, i).conj()),
                forward: pack(l, columns, entry),
                length: l,
                columns,
            },
            scale,
            log_odds: self.options.log_odds(model.activity_prob(), q),
            thresholds: self.options.thresholds(model.activity_prob(), q),
        })
    }

    fn workspace(&self, shared: &Shared<T>, batch: &FrameBatch) -> Workspace<T> {
        let (l, columns, m) = (shared.pilots.length, shared.pilots.columns, batch.model().antennas());
        Workspace {
            y: Planes::zeros(l, m, T::LANES),
            residual: Residual::new(l, m),
            x: Planes::zeros(columns, m, T::LANES),
            fresh: Planes::zeros(columns, m, T::LANES),
            z: Planes::zeros(columns, m, T::LANES),
            jacobians: Jacobians { transposed: Planes::zeros(m, m, T::LANES), identity: 0.0 },
            support: Vec::with_capacity(columns),
            llr: vec![0.0; columns],
            weights: vec![0.0; batch.model().sequences()],
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
        let (l, m, q) = (batch.model().pilot_length(), batch.model().antennas(), batch.model().sequences());
        let beta = batch.beta_of(f);
        work.y.load(batch.frame(f), m, shared.scale);
        work.residual.r.re.copy_from_slice(&work.y.re);
        work.residual.r.im.copy_from_slice(&work.y.im);
        work.x.re.fill(T::ZERO);
        work.x.im.fill(T::ZERO);
        work.llr.fill(0.0);
        // Below the rounding of Y itself the residual says nothing any more.
        let rounding = 4.0 * T::EPSILON.wide();
        let floor = (rounding * rounding * effective_noise(isa, &work.y, l, m)).max(1e-300);
        for iteration in 0..self.options.iterations {
            let tau2 = effective_noise(isa, &work.residual.r, l, m);
            if !tau2.is_finite() {
                break;
            }
            let tau2 = tau2.max(floor);
            let Residual { r, tile, .. } = &mut work.residual;
            matched_filter(isa, &shared.pilots, r, &work.x, &mut work.z, tile);
            self.denoise(isa, shared, beta, tau2, [q, m], work);
            if iteration + 1 == self.options.iterations {
                break;
            }
            work.jacobians.finish(m, l, self.options.onsager == Onsager::Scalar);
            let (rows, damping) = ((&work.fresh, &work.support[..]), T::of(self.options.damping));
            work.residual.renew(isa, &shared.pilots, &work.y, rows, &work.jacobians, damping);
        }
        work.x.store(out.x, m);
        out.score.copy_from_slice(&work.llr);
        for ((a, llr), &t) in out.activity.iter_mut().zip(work.llr.chunks_exact(q)).zip(&shared.thresholds) {
            *a = decide(llr, t);
        }
    }
}

impl<T: Real> Amp<T> {
    /// `X_new = eta(Z)`, `X <- d X_new + (1 - d) X`, the Jacobian sums, the ratios, and the rows of X_new that matter.
    #[inline(always)]
    fn denoise<I: Isa>(
        &self,
        isa: I,
        shared: &Shared<T>,
        beta: &[f64],
        tau2: f64,
        [q, m]: [usize; 2],
        work: &mut Workspace<T>,
    ) {
        let damping = T::of(self.options.damping);
        let flush = T::EPSILON.wide().powi(3);
        // A row whose energy is this far below the residual's rounding changes nothing in S X.
        let negligible = T::EPSILON.wide() * 1e-3;
        let negligible = T::of(negligible * negligible * tau2);
        work.jacobians.clear();
        work.support.clear();
        for (n, &beta) in beta.iter().enumerate() {
            let gain = Gain::new(beta, tau2, m);
            let llr = &mut work.llr[n * q..(n + 1) * q];
            for (k, llr) in llr.iter_mut().enumerate() {
                *llr = gain.llr(energy(isa, work.z.row(n * q + k)).wide());
            }
            posterior(self.options.section, llr, shared.log_odds[n], &mut work.weights);
            for (k, &w) in work.weights.iter().enumerate() {
                let i = n * q + k;
                let z = work.z.row(i);
                // Subnormal products would be slow and change nothing.
                let shrink = if w > flush { T::of(w * gain.omega) } else { T::ZERO };
                let weight = gain.omega * gain.omega / tau2 * w * (1.0 - w);
                let at = i * work.x.stride;
                let end = at + work.x.stride;
                scale_row(&mut work.fresh.re[at..end], &mut work.x.re[at..end], z[0], shrink, damping);
                scale_row(&mut work.fresh.im[at..end], &mut work.x.im[at..end], z[1], shrink, damping);
                if energy(isa, work.fresh.row(i)) > negligible {
                    work.support.push(i);
                }
                // The rank-one part weighs |z|^2 <= (LLR range): skip it where it is below rounding.
                if weight * tau2 > T::EPSILON.wide() * 1e-3 {
                    work.jacobians.add(isa, w * gain.omega, T::of(weight), work.z.row(i), m);
                } else {
                    work.jacobians.identity += w * gain.omega;
                }
            }
        }
    }
}

/// One plane of one row: `fresh = shrink z`, `x <- d fresh + (1 - d) x`.
#[inline(always)]
fn scale_row<T: Real>(fresh: &mut [T], x: &mut [T], z: &[T], shrink: T, damping: T) {
    let keep = T::ONE - damping;
    for ((fresh, x), &z) in fresh.iter_mut().zip(x).zip(z) {
        *fresh = shrink * z;
        *x = damping * *fresh + keep * *x;
    }
}

/// From this many frames on, single precision takes them side by side; fewer leave most lanes empty.
const FEWEST_SIDE_BY_SIDE: usize = 4;

impl<T: Real> Amp<T> {
    /// `wide` takes sixteen frames side by side instead of eight: faster where vectors have 512 bits, the same numbers everywhere.
    pub(crate) fn side_by_side(&self, batch: &FrameBatch, wide: bool) -> Result<Decisions, DetectError> {
        check_batch(batch)?;
        let (prob, q) = (batch.model().activity_prob(), batch.model().sequences());
        let packed = self.packed.of(batch);
        let shared = lanes::Shared::new(packed, self.options.log_odds(prob, q), self.options.thresholds(prob, q));
        Ok(decisions(batch, [true, false, false], |mut outs| {
            if wide {
                self.in_groups::<F16>(batch, &shared, &mut outs);
            } else {
                self.in_groups::<F8>(batch, &shared, &mut outs);
            }
        }))
    }

    /// All frames, as many at a time as a vector has lanes.
    fn in_groups<V: Lanes<Number = f32>>(&self, batch: &FrameBatch, shared: &lanes::Shared, outs: &mut [FrameOut<'_>]) {
        outs.par_chunks_mut(V::COUNT).enumerate().for_each_init(
            || lanes::Workspace::<V>::new(batch),
            |work, (group, outs)| {
                let (options, first) = (&self.options, group * V::COUNT);
                dispatch(lanes::Task { options, shared, batch, first, outs, work });
            },
        );
    }
}

impl<T: Real> Detector for Amp<T> {
    fn detect(&self, frames: &FrameBatch) -> Result<Decisions, DetectError> {
        if T::SINGLE && frames.frames() >= FEWEST_SIDE_BY_SIDE {
            // Sixteen take as long as eight.
            let wide = has_wide_vectors() && frames.frames() > F8::COUNT;
            return self.side_by_side(frames, wide);
        }
        detect_frames(self, frames)
    }
}
