//! Orthogonal approximate message passing with the prior's Tweedie estimate as its denoiser.
//!
//! A point estimate, not a sample: two evaluations of the score an iteration, a few dozen in all. With `r` the estimate of X and
//! v its variance, and `A A^H = Q diag(e) Q^H`:
//!
//! 1. linear: `R = r + v/(1 - eta) A^H (noise_var I + v A A^H)^-1 (Y - A r)`, `eta = 1 - v/N sum_j e_j/(noise_var + v e_j)`, of variance
//!    `tau^2 = v eta/(1 - eta)`: X with noise that is nearly white and Gaussian;
//! 2. prior: `D = R + tau^2 s(R, tau)` = E[X | R], of variance `a tau^2` with the divergence a of D, measured by a random probe;
//! 3. what D knows beyond R: `r = (D - a R)/(1 - a)`, `v = tau^2 a/(1 - a)`, damped.
//!
//! It ends with D, or with the D of the iteration that fits Y best where the last one fits it far worse: near a decision a
//! denoiser changes so fast that the probe is no measure, and iterates may run away. The variance is that of all rows alike,
//! so the gains of all devices that can be heard must be about the same ([`check_gains`]); devices that cannot be heard
//! (gain 0) do not take part. No matrix Onsager term is needed.
//!
//! Source: Ma and Ping (2017), orthogonal AMP; Rangan, Schniter and Fletcher (2019), vector AMP; the probe after Ramani, Blu
//! and Unser (2008).

use num_complex::Complex64;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::anneal::{Chains, Schedule};
use super::prior::{Prior, Shape};
use crate::detect::{LangevinConfig, Sampler};
use crate::link::DetectError;
use crate::math::hermitian::Eigen;
use crate::math::isa::Isa;
use crate::math::kernels::combine_conjugate;
use crate::math::planes::Planes;

/// Part of the new iterate.
const DAMPING: f64 = 0.8;
/// Size of the probe relative to the noise.
const PROBE: f64 = 1e-2;
/// Divergences are kept within these: noise of the probe must not turn the sign of a variance.
const DIVERGENCE: [f64; 2] = [1e-4, 0.995];
/// The last estimate is taken unless its misfit is larger by this factor than the least one and than the noise.
const RUNAWAY: f64 = 4.0;
/// Smallest variance.
const TINY: f64 = 1e-12;

/// Sum over the entries of one chain.
fn over(shape: &Shape, stride: usize, chain: usize) -> impl Iterator<Item = usize> {
    let (m, rows) = (shape.antennas, shape.rows);
    (0..rows).flat_map(move |row| row * stride + chain * m..row * stride + (chain + 1) * m)
}

impl Chains {
    /// Runs `config.steps` iterations from `r = 0`; the arguments are those of [`Chains::run`].
    ///
    /// # Errors
    /// That of the prior.
    #[inline(always)]
    pub(crate) fn pass_messages<P: Prior, I: Isa>(
        &mut self,
        isa: I,
        config: &LangevinConfig,
        prior: &P,
        schedule: &Schedule,
        y: &Planes<f64>,
        rngs: &mut [ChaCha8Rng],
    ) -> Result<(), P::Error> {
        let Some(gram) = &schedule.gram else { return Ok(()) };
        let (shape, stride) = (&{ self.shape }, self.u.stride);
        let m = shape.antennas;
        self.u.re.fill(0.0);
        self.u.im.fill(0.0);
        let heard = schedule.root.iter().filter(|r| **r > 0.0).count().max(1);
        let mut v: Vec<f64> = (0..shape.chains).map(|chain| power(y, shape, schedule, gram, chain)).collect();
        let (mut noisy, mut denoised, mut best) = (self.u.clone(), self.u.clone(), self.u.clone());
        let (mut misfit, mut least) = (vec![0.0; shape.chains], vec![f64::INFINITY; shape.chains]);
        for step in 0..config.steps {
            // Linear: u becomes R.
            let before = self.u.clone();
            self.residual(isa, shape, schedule, y);
            let tau: Vec<f64> = (0..shape.chains)
                .map(|chain| {
                    let part = v[chain];
                    let share: f64 =
                        gram.values.iter().map(|e| e.max(0.0) / (schedule.noise_var + part * e.max(0.0))).sum();
                    let eta = (1.0 - part * share / heard as f64).clamp(1e-6, 1.0 - 1e-6);
                    self.filter(shape, schedule, gram, chain, part, part / (1.0 - eta));
                    (part * eta / (1.0 - eta)).sqrt()
                })
                .collect();
            self.project(isa, shape, schedule);
            // Prior: D, and how it follows a small change of R.
            let [lowest, highest] = prior.levels();
            let level: Vec<f64> = tau.iter().map(|t| t.clamp(lowest, highest)).collect();
            prior.score(shape, &self.u, &level, &mut self.score)?;
            noisy.clone_from(&self.u);
            tweedie(&mut denoised, &noisy, &self.score, shape, &level);
            std::mem::swap(&mut self.u, &mut denoised);
            self.residual(isa, shape, schedule, y);
            std::mem::swap(&mut self.u, &mut denoised);
            for chain in 0..shape.chains {
                misfit[chain] = self.misfit(shape, schedule, chain);
                if misfit[chain] < least[chain] {
                    least[chain] = misfit[chain];
                    copy_chain(&mut best, &denoised, shape, chain);
                }
            }
            if step + 1 == config.steps {
                break;
            }
            let probe = self.probe(shape, schedule, &level, rngs);
            prior.score(shape, &self.u, &level, &mut self.score)?;
            for (chain, v) in v.iter_mut().enumerate() {
                let square = level[chain] * level[chain];
                let mut sum = 0.0;
                for i in over(shape, stride, chain) {
                    let (re, im) = (self.u.re[i] + square * self.score.re[i], self.u.im[i] + square * self.score.im[i]);
                    sum += probe.re[i] * (re - denoised.re[i]) + probe.im[i] * (im - denoised.im[i]);
                }
                let size = PROBE * level[chain];
                let a = (sum / (size * size * (heard * m) as f64)).clamp(DIVERGENCE[0], DIVERGENCE[1]);
                let next = tau[chain] * tau[chain] * a / (1.0 - a);
                *v = (DAMPING * next + (1.0 - DAMPING) * *v).max(TINY);
                for i in over(shape, stride, chain) {
                    let extrinsic = |d: f64, r: f64| (d - a * r) / (1.0 - a);
                    let (re, im) = (extrinsic(denoised.re[i], noisy.re[i]), extrinsic(denoised.im[i], noisy.im[i]));
                    self.u.re[i] = DAMPING * re + (1.0 - DAMPING) * before.re[i];
                    self.u.im[i] = DAMPING * im + (1.0 - DAMPING) * before.im[i];
                }
            }
        }
        let noise = schedule.noise_var * (schedule.length * m) as f64;
        for chain in 0..shape.chains {
            // Not a number compares with nothing: such a chain takes its best state, too.
            let holds = misfit[chain] <= RUNAWAY * least[chain].max(noise);
            if !holds {
                copy_chain(&mut denoised, &best, shape, chain);
            }
        }
        std::mem::swap(&mut self.u, &mut denoised);
        Ok(())
    }

    /// Energy of the residual of one chain.
    fn misfit(&self, shape: &Shape, schedule: &Schedule, chain: usize) -> f64 {
        let (m, stride) = (shape.antennas, self.residual.stride);
        (0..schedule.length)
            .flat_map(|l| l * stride + chain * m..l * stride + (chain + 1) * m)
            .map(|i| self.residual.re[i] * self.residual.re[i] + self.residual.im[i] * self.residual.im[i])
            .sum()
    }

    /// `residual <- scale (noise_var I + v A A^H)^-1 residual` for one chain.
    fn filter(&mut self, shape: &Shape, schedule: &Schedule, gram: &Eigen, chain: usize, v: f64, scale: f64) {
        let (m, l, stride) = (shape.antennas, schedule.length, self.residual.stride);
        let mut column = vec![Complex64::default(); l];
        for a in chain * m..(chain + 1) * m {
            for (k, c) in column.iter_mut().enumerate() {
                *c = Complex64::new(self.residual.re[k * stride + a], self.residual.im[k * stride + a]);
            }
            let mut out = vec![Complex64::default(); l];
            for (j, value) in gram.values.iter().enumerate() {
                let q = |k: usize| gram.vectors[k * l + j];
                let along: Complex64 = column.iter().enumerate().map(|(k, c)| q(k).conj() * c).sum();
                let along = along * (scale / (schedule.noise_var + v * value.max(0.0)));
                out.iter_mut().enumerate().for_each(|(k, o)| *o += q(k) * along);
            }
            for (k, o) in out.iter().enumerate() {
                (self.residual.re[k * stride + a], self.residual.im[k * stride + a]) = (o.re, o.im);
            }
        }
    }

    /// `U <- U + A^H residual`.
    #[inline(always)]
    fn project<I: Isa>(&mut self, isa: I, shape: &Shape, schedule: &Schedule) {
        let stride = self.u.stride;
        for row in 0..shape.rows {
            let [re, im] = schedule.columns.row(row);
            let column = [&re[..schedule.length], &im[..schedule.length]];
            combine_conjugate(isa, self.residual.parts(), stride, column, self.row.parts_mut());
            let span = row * stride..(row + 1) * stride;
            self.u.re[span.clone()].iter_mut().zip(&self.row.re).for_each(|(u, v)| *u += v);
            self.u.im[span].iter_mut().zip(&self.row.im).for_each(|(u, v)| *u += v);
        }
    }

    /// Moves U by a random probe and returns the probe.
    fn probe(&mut self, shape: &Shape, schedule: &Schedule, level: &[f64], rngs: &mut [ChaCha8Rng]) -> Planes<f64> {
        let mut probe = self.u.clone();
        let stride = probe.stride;
        for (chain, rng) in rngs.iter_mut().enumerate() {
            let scale = PROBE * level[chain] * 0.5_f64.sqrt();
            for i in over(shape, stride, chain) {
                let (a, b): (f64, f64) = (StandardNormal.sample(rng), StandardNormal.sample(rng));
                let scale = if schedule.root[i / stride] > 0.0 { scale } else { 0.0 };
                (probe.re[i], probe.im[i]) = (scale * a, scale * b);
                self.u.re[i] += probe.re[i];
                self.u.im[i] += probe.im[i];
            }
        }
        probe
    }
}

/// Largest ratio of the gains of two devices that message passing works with.
const SPREAD: f64 = 2.0;

/// Refuses gains that differ too much for one variance of all rows.
pub(crate) fn check_gains(sampler: Sampler, beta: &[f64]) -> Result<(), DetectError> {
    let heard = || beta.iter().copied().filter(|b| *b > 0.0);
    let (low, high) = (heard().fold(f64::INFINITY, f64::min), heard().fold(0.0, f64::max));
    if sampler == Sampler::Oamp && high > SPREAD * low {
        return Err(DetectError::Mismatch(format!(
            "langevin.sampler = \"oamp\" needs gains that differ by less than 3 dB; those of these frames differ by {:.1} dB. \
             Use \"decoupled\" or \"langevin\"",
            10.0 * (high / low).log10()
        )));
    }
    Ok(())
}

/// One chain from one state into another.
fn copy_chain(to: &mut Planes<f64>, from: &Planes<f64>, shape: &Shape, chain: usize) {
    for i in over(shape, from.stride, chain) {
        (to.re[i], to.im[i]) = (from.re[i], from.im[i]);
    }
}

/// `out = u + sigma^2 score`.
fn tweedie(out: &mut Planes<f64>, u: &Planes<f64>, score: &Planes<f64>, shape: &Shape, level: &[f64]) {
    for (chain, sigma) in level.iter().enumerate() {
        for i in over(shape, u.stride, chain) {
            out.re[i] = u.re[i] + sigma * sigma * score.re[i];
            out.im[i] = u.im[i] + sigma * sigma * score.im[i];
        }
    }
}

/// Mean power of an entry of X as the observation shows it.
fn power(y: &Planes<f64>, shape: &Shape, schedule: &Schedule, gram: &Eigen, chain: usize) -> f64 {
    let (m, l) = (shape.antennas, schedule.length);
    let columns = chain * m..(chain + 1) * m;
    let energy: f64 = (0..l)
        .flat_map(|k| columns.clone().map(move |a| k * y.stride + a))
        .map(|i| y.re[i] * y.re[i] + y.im[i] * y.im[i])
        .sum();
    let gain: f64 = gram.values.iter().sum();
    // With less noise than expected the difference can be negative.
    ((energy / m as f64 - l as f64 * schedule.noise_var) / gain.max(f64::MIN_POSITIVE)).max(0.02)
}
