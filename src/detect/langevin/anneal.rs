//! Annealed Langevin dynamics for `Y = A X + W` with a prior given by its score.
//!
//! Rows are scaled by their gains, `x_i = sqrt(beta_i) u_i`, so that all noise levels mean the same for every device. Level
//! sigma looks at `U = X + sigma CN(0, I)` and takes `Y` given U as Gaussian of mean `A U` and covariance C:
//!
//! `C = noise_var I + sigma^2 A A^H` (matched), `C = (noise_var + sigma^2) I` (paper: (11) of the score paper, its sign
//! corrected).
//!
//! One step at level i, with the posterior score `s(U) + A^H C^-1 (Y - A U)` and `alpha_i = alpha_0 r^i sigma_i^2`:
//!
//! `U <- U + alpha_i score + sqrt(2 beta alpha_i) CN(0, I)`.
//!
//! The stationary law of small steps is `p(U) p(Y | U)` when `beta = 1`. The last state is a sample; its Tweedie estimate is
//! `E[X | U, Y] = U + sigma^2 score`.
//!
//! Two samplers need far fewer scores. **Predictor-corrector** (Song et al., 2021) goes from one level to the next by a step of
//! the reverse diffusion, so that the Langevin steps only correct:
//! `U <- U + (sigma_i^2 - sigma_j^2) score + sqrt(sigma_j^2 (sigma_i^2 - sigma_j^2)/sigma_i^2) CN(0, I)`, j = i + 1.
//!
//! **Decoupled** annealing (Zhang et al., 2024) takes `X | U` for `CN(D, v I)` with the prior's Tweedie estimate
//! `D = U + sigma^2 s(U)` and `v = sigma^2/(1 + sigma^2)`, for which the posterior mean is in closed form, and blurs it to the
//! next level: `X^ = D + v A^H (noise_var I + v A A^H)^-1 (Y - A D)`, `U <- X^ + sigma_j CN(0, I)`. It ends with `X^`. A state
//! may jump as far as a level allows, where a Langevin step is bound to be small. The fourth, orthogonal AMP, is a point estimate
//! ([`super::orthogonal`]).

use num_complex::Complex64;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::prior::{Prior, Shape};
use crate::detect::{LangevinConfig, Likelihood, Sampler};
use crate::math::hermitian::{Eigen, eigen};
use crate::math::inverse::InverseCovariance;
use crate::math::isa::Isa;
use crate::math::kernels::combine_conjugate;
use crate::math::planes::Planes;
use crate::math::real::Real;

/// The dynamics at one noise level.
pub(crate) struct Level {
    pub sigma: f64,
    /// Step size `alpha_i`.
    pub step: f64,
    /// Decoupled: variance v of X given U and the prior.
    pub variance: f64,
    /// Conjugate of `A^H C^-1`, `[N*Q, L]` padded, of the scaled columns.
    pub filter: Planes<f64>,
}

/// The link of some frames whose gains are the same: scaled pilots and all levels.
pub(crate) struct Schedule {
    pub levels: Vec<Level>,
    /// Scaled pilots, `[L, N*Q]` padded.
    pub pilots: Planes<f64>,
    /// The same as columns, `[N*Q, L]` padded.
    pub columns: Planes<f64>,
    /// Of the scaled pilots, `A A^H`, where the sampler wants it.
    pub gram: Option<Eigen>,
    pub noise_var: f64,
    /// `sqrt(beta)` of each column.
    pub root: Vec<f64>,
    pub length: usize,
}

impl Schedule {
    /// Filters of every level; `columns` are the pilots as `[N*Q, L]`, `beta` the gains of the columns.
    #[inline(always)]
    pub fn new<I: Isa>(
        isa: I,
        config: &LangevinConfig,
        columns: &Planes<f64>,
        length: usize,
        noise_var: f64,
        beta: &[f64],
    ) -> Self {
        let n = beta.len();
        let root: Vec<f64> = beta.iter().map(|b| b.max(0.0).sqrt()).collect();
        let mut pilots = Planes::zeros(length, n, 2 * f64::LANES);
        let mut scaled = columns.clone();
        // The curvature of the score paper's likelihood: its step assumes pilots of unit power per entry.
        let mut power = 0.0;
        for (i, root) in root.iter().enumerate() {
            let [re, im] = columns.row(i);
            for l in 0..length {
                let at = l * pilots.stride + i;
                (pilots.re[at], pilots.im[at]) = (root * re[l], root * im[l]);
                let at_column = i * scaled.stride + l;
                (scaled.re[at_column], scaled.im[at_column]) = (root * re[l], root * im[l]);
                power += pilots.re[at] * pilots.re[at] + pilots.im[at] * pilots.im[at];
            }
        }
        let power = power / (n * length) as f64;
        let mut first = config.first_step(length, n);
        if config.likelihood == Likelihood::Paper && config.alpha_0.is_none() {
            first /= power.max(f64::MIN_POSITIVE);
        }
        let mut inverse = InverseCovariance::new(length, noise_var);
        let levels = config.sigmas().into_iter().enumerate().map(|(i, sigma)| {
            let v = sigma * sigma;
            let variance = match config.sampler {
                Sampler::Decoupled => v / (1.0 + v),
                _ => v,
            };
            let mut filter = Planes::zeros(n, length, 2 * f64::LANES);
            if config.likelihood == Likelihood::Matched {
                let gamma: Vec<f64> = beta.iter().map(|b| variance * b.max(0.0)).collect();
                inverse.rebuild(isa, columns, &gamma);
            }
            for (row, root) in root.iter().enumerate() {
                let a = columns.row(row);
                let (scale, [re, im]) = match config.likelihood {
                    Likelihood::Matched => {
                        inverse.apply(isa, a);
                        (*root, inverse.v.parts())
                    }
                    Likelihood::Paper => (root / (noise_var + variance), a),
                };
                for l in 0..length {
                    filter.re[row * filter.stride + l] = scale * re[l];
                    filter.im[row * filter.stride + l] = scale * im[l];
                }
            }
            Level { sigma, step: first * config.r.powi(i as i32) * v, variance, filter }
        });
        let passes = config.sampler == Sampler::Oamp;
        let levels = if passes { Vec::new() } else { levels.collect() };
        let gram = passes.then(|| gram(&scaled, n, length));
        Self { levels, pilots, columns: scaled, gram, noise_var, root, length }
    }
}

/// Eigenvalues of `A A^H` for columns `[n, L]`.
fn gram(columns: &Planes<f64>, n: usize, length: usize) -> Eigen {
    let mut sum = vec![Complex64::default(); length * length];
    for i in 0..n {
        let [re, im] = columns.row(i);
        let entry = |l: usize| Complex64::new(re[l], im[l]);
        for (a, row) in sum.chunks_exact_mut(length).enumerate() {
            row.iter_mut().enumerate().for_each(|(b, s)| *s += entry(a) * entry(b).conj());
        }
    }
    eigen(length, &sum)
}

/// State of the chains and what a step needs.
pub(crate) struct Chains {
    pub(super) shape: Shape,
    /// **Conjugate** of U, `[N*Q, chains*M]` padded: the kernels conjugate one factor.
    pub u: Planes<f64>,
    /// Conjugate of the posterior score.
    pub(crate) score: Planes<f64>,
    /// `Y - A U`, `[L, chains*M]` padded.
    pub(crate) residual: Planes<f64>,
    /// One row.
    pub(crate) row: Planes<f64>,
}

impl Chains {
    /// Buffers for chains of this shape.
    pub fn new(shape: &Shape, length: usize) -> Self {
        let width = shape.chains * shape.antennas;
        let zeros = |rows| Planes::zeros(rows, width, 2 * f64::LANES);
        Self { shape: *shape, u: zeros(shape.rows), score: zeros(shape.rows), residual: zeros(length), row: zeros(1) }
    }

    /// Runs all levels from noise; `y` is `[L, chains*M]` padded as [`Chains::u`], and chain c takes its noise from `rngs[c]`.
    ///
    /// # Errors
    /// That of the prior.
    #[inline(always)]
    pub fn run<P: Prior, I: Isa>(
        &mut self,
        isa: I,
        config: &LangevinConfig,
        prior: &P,
        schedule: &Schedule,
        y: &Planes<f64>,
        rngs: &mut [ChaCha8Rng],
    ) -> Result<(), P::Error> {
        if config.sampler == Sampler::Oamp {
            return self.pass_messages(isa, config, prior, schedule, y, rngs);
        }
        let shape = &{ self.shape };
        self.u.re.fill(0.0);
        self.u.im.fill(0.0);
        let levels = &schedule.levels[..config.stop.unwrap_or(usize::MAX).min(schedule.levels.len())];
        let Some(last) = levels.last() else { return Ok(()) };
        self.disturb(shape, levels[0].sigma, rngs);
        for (i, level) in levels.iter().enumerate() {
            let next = levels.get(i + 1).map(|l| l.sigma);
            if config.sampler == Sampler::Decoupled {
                for step in 0..config.steps {
                    self.combine(isa, prior, shape, schedule, level, y)?;
                    let blur = if step + 1 < config.steps { Some(level.sigma) } else { next };
                    if let Some(sigma) = blur {
                        self.disturb(shape, config.beta.sqrt() * sigma, rngs);
                    }
                }
                continue;
            }
            let noise = (2.0 * config.beta * level.step).sqrt();
            for _ in 0..config.steps {
                self.climb(isa, prior, shape, schedule, (level, level.step), y)?;
                if noise > 0.0 {
                    self.disturb(shape, noise, rngs);
                }
            }
            if let Some(next) = next.filter(|_| config.sampler == Sampler::PredictorCorrector) {
                let (old, new) = (level.sigma * level.sigma, next * next);
                self.climb(isa, prior, shape, schedule, (level, old - new), y)?;
                self.disturb(shape, (config.beta * new * (old - new) / old).sqrt(), rngs);
            }
        }
        if config.denoise && config.sampler != Sampler::Decoupled {
            self.climb(isa, prior, shape, schedule, (last, last.sigma * last.sigma), y)?;
        }
        Ok(())
    }

    /// `U <- D + v A^H C^-1 (Y - A D)` with `D = U + sigma^2 s(U)`.
    #[inline(always)]
    fn combine<P: Prior, I: Isa>(
        &mut self,
        isa: I,
        prior: &P,
        shape: &Shape,
        schedule: &Schedule,
        level: &Level,
        y: &Planes<f64>,
    ) -> Result<(), P::Error> {
        prior.score(shape, &self.u, &vec![level.sigma; shape.chains], &mut self.score)?;
        let square = level.sigma * level.sigma;
        for (u, s) in [(&mut self.u.re, &mut self.score.re), (&mut self.u.im, &mut self.score.im)] {
            u.iter_mut().zip(s.iter_mut()).for_each(|(u, s)| {
                *u += square * *s;
                *s = 0.0;
            });
        }
        self.follow(isa, shape, schedule, level, level.variance, y);
        Ok(())
    }

    /// `U <- U + step (s(U) + A^H C^-1 (Y - A U))`.
    #[inline(always)]
    fn climb<P: Prior, I: Isa>(
        &mut self,
        isa: I,
        prior: &P,
        shape: &Shape,
        schedule: &Schedule,
        (level, step): (&Level, f64),
        y: &Planes<f64>,
    ) -> Result<(), P::Error> {
        prior.score(shape, &self.u, &vec![level.sigma; shape.chains], &mut self.score)?;
        self.follow(isa, shape, schedule, level, step, y);
        Ok(())
    }

    /// `U <- U + step (score + A^H C^-1 (Y - A U))` with the score as it stands.
    #[inline(always)]
    fn follow<I: Isa>(
        &mut self,
        isa: I,
        shape: &Shape,
        schedule: &Schedule,
        level: &Level,
        step: f64,
        y: &Planes<f64>,
    ) {
        self.residual(isa, shape, schedule, y);
        let stride = self.u.stride;
        for n in 0..shape.rows {
            let [re, im] = level.filter.row(n);
            let filter = [&re[..schedule.length], &im[..schedule.length]];
            combine_conjugate(isa, self.residual.parts(), stride, filter, self.row.parts_mut());
            let span = n * stride..(n + 1) * stride;
            advance(&mut self.u.re[span.clone()], &self.score.re[span.clone()], &self.row.re, step);
            advance(&mut self.u.im[span.clone()], &self.score.im[span], &self.row.im, step);
        }
    }

    /// `residual = Y - A U`.
    #[inline(always)]
    pub(crate) fn residual<I: Isa>(&mut self, isa: I, shape: &Shape, schedule: &Schedule, y: &Planes<f64>) {
        let stride = self.u.stride;
        for l in 0..schedule.length {
            let [re, im] = schedule.pilots.row(l);
            let pilots = [&re[..shape.rows], &im[..shape.rows]];
            combine_conjugate(isa, self.u.parts(), stride, pilots, self.row.parts_mut());
            let span = l * stride..(l + 1) * stride;
            subtract(&mut self.residual.re[span.clone()], &y.re[span.clone()], &self.row.re);
            subtract(&mut self.residual.im[span.clone()], &y.im[span], &self.row.im);
        }
    }

    /// `U <- U + scale CN(0, I)`, chain by chain.
    fn disturb(&mut self, shape: &Shape, scale: f64, rngs: &mut [ChaCha8Rng]) {
        let scale = scale * 0.5_f64.sqrt();
        for (chain, rng) in rngs.iter_mut().enumerate() {
            for row in 0..shape.rows {
                let at = row * self.u.stride + chain * shape.antennas;
                for i in at..at + shape.antennas {
                    let (a, b): (f64, f64) = (StandardNormal.sample(rng), StandardNormal.sample(rng));
                    self.u.re[i] += scale * a;
                    self.u.im[i] += scale * b;
                }
            }
        }
    }
}

/// `out = a - b`.
#[inline(always)]
fn subtract(out: &mut [f64], a: &[f64], b: &[f64]) {
    for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
        *out = a - b;
    }
}

/// `u <- u + step (a + b)`.
#[inline(always)]
fn advance(u: &mut [f64], a: &[f64], b: &[f64], step: f64) {
    for ((u, a), b) in u.iter_mut().zip(a).zip(b) {
        *u += step * (a + b);
    }
}
