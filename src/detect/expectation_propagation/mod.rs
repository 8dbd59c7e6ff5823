//! Expectation propagation with the discrete prior (expectation-propagation).
//!
//! [Model, inputs and outputs](crate::detect::spreading) are those of all receivers of the spreading link.
//!
//! # Algorithm
//!
//! The posterior is approximated by a Gaussian, the prior of each `x_n` (idle or a symbol) by a factor
//! `CN(gamma_n/Lambda_n, 1/Lambda_n)`, first of the prior's own moments. One iteration, G `[H, N]` with columns `g_n`:
//!
//! 1. `Sigma = (G^H G / sigma2 + diag Lambda)^-1`, `mu = Sigma (G^H y / sigma2 + gamma)`;
//! 2. the cavity of each user, `CN(t_n, h_n)`: `h_n = Sigma_nn / (1 - Sigma_nn Lambda_n)`, `t_n = h_n (mu_n / Sigma_nn - gamma_n)`;
//! 3. the factor is set so that cavity times factor has the mean and variance of cavity times discrete prior, and damped.
//!
//! The decision uses the cavities after the last iteration.
//!
//! # Assumptions and cost
//!
//! With more users than chips it does not reach joint MAP: at 20 dB (N = 6, H = 4, chip fading) its error rate is that of
//! mmse-sic, because some frames settle on a wrong symbol. `O(N^3)` an iteration.
//!
//! # Source
//!
//! Minka (2001); Cespedes, Olmos, Sanchez-Fernandez and Perez-Cruz (2014), with an idle symbol, see
//! [references](crate::docs::references).
//!
//! # Example
//!
//! Four users on four chips at 50 dB: no decision is wrong.
//!
//! ```
//! use grantfree::detect::{ExpectationPropagation, ExpectationPropagationOptions};
//! use grantfree::prelude::*;
//! use grantfree::scenario::{NomaConfig, ScenarioKind};
//!
//! let noma = NomaConfig { users: 4, snr_db: 50.0, ..Default::default() };
//! let config = ScenarioConfig { kind: ScenarioKind::Noma, noma: Some(noma), ..Default::default() };
//! let scenario = Scenario::new(&config, 1, Split::Test)?;
//! let frames = scenario.realize(0, 8).observe(&scenario.pilots(0))?;
//! let decisions = ExpectationPropagation::new(ExpectationPropagationOptions::default())?.detect(&frames)?;
//! assert_eq!(decisions.activity, frames.truth().unwrap().activity());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::detect::ClassicalError;
use crate::detect::algorithm::{Algorithm, Context, Info};
use crate::detect::built::Built;
use crate::detect::spreading::algebra::{apply, dot, invert};
use crate::detect::spreading::link::Receivers;
use crate::detect::spreading::link::{Link, LinkDetector, LinkModel};
use crate::link::C64;
use crate::link::{Detector, options};

/// Smallest variance of a matched moment, relative to the energy of a symbol: keeps precisions finite once a symbol is
/// certain (Cespedes et al., 2014).
const VARIANCE_FLOOR: f64 = 1e-7;

options! {
    /// Options of: expectation propagation with the discrete prior.
    pub struct ExpectationPropagationOptions {
        /// Iterations.
        iterations: usize = 10, "1..=1000000" if |v| (1..=1_000_000).contains(v);
        /// Share of the new parameters.
        damping: f64 = 0.5, "in (0, 1]" if |v| *v > 0.0 && *v <= 1.0;
    }
}

impl Algorithm for ExpectationPropagationOptions {
    const INFO: Info = Info::spreading("expectation-propagation", "expectation propagation with the discrete prior");

    fn detector(&self, _: &Context) -> Result<Box<dyn Detector>, ClassicalError> {
        Ok(Box::new(Receivers(Engine { iterations: self.iterations, damping: self.damping })))
    }
}

/// Expectation propagation with the discrete prior.
pub type ExpectationPropagation = Built<ExpectationPropagationOptions>;

/// The algorithm with its options.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Engine {
    /// Iterations, >= 1.
    pub iterations: usize,
    /// Fraction of the new parameters, in (0, 1].
    pub damping: f64,
}

/// Buffers of one thread.
#[derive(Default)]
pub(crate) struct Workspace {
    /// `G^H G / sigma2`, `[N, N]`.
    gram: Vec<C64>,
    /// `G^H y / sigma2`, `[N]`.
    matched: Vec<C64>,
    lambda: Vec<f64>,
    gamma: Vec<C64>,
    sigma: Vec<C64>,
    shifted: Vec<C64>,
    mu: Vec<C64>,
    /// Mean and variance of each cavity, `[N]`.
    cavity: Vec<(C64, f64)>,
    weights: Vec<f64>,
}

impl LinkDetector for Engine {
    const NAME: &'static str = "expectation-propagation";
    type Workspace = Workspace;

    fn frame(
        &self,
        model: &LinkModel<'_>,
        link: &Link,
        _: Option<&[i64]>,
        work: &mut Workspace,
        activity: &mut [i64],
        score: &mut [f64],
    ) {
        let n = model.users;
        work.begin(model, link);
        work.cavities(n);
        for _ in 0..self.iterations {
            for user in 0..n {
                let (t, h) = work.cavity[user];
                if !h.is_finite() {
                    continue;
                }
                let (mean, variance) = moments(model, user, t, h, &mut work.weights);
                let lambda = 1.0 / variance - 1.0 / h;
                // A posterior wider than the cavity has no Gaussian factor: the old one stays.
                if lambda > 0.0 {
                    let gamma = mean / variance - t / h;
                    work.lambda[user] += self.damping * (lambda - work.lambda[user]);
                    work.gamma[user] = work.gamma[user] * (1.0 - self.damping) + gamma * self.damping;
                }
            }
            work.cavities(n);
        }
        for (user, odds) in score.chunks_exact_mut(model.constellation.len()).enumerate() {
            let (t, h) = work.cavity[user];
            activity[user] = model.decide(user, t, h, odds);
        }
    }
}

impl Workspace {
    /// Products of the frame; the factors start as the prior's own mean (zero) and variance.
    fn begin(&mut self, model: &LinkModel<'_>, link: &Link) {
        let n = model.users;
        self.gram.clear();
        for i in 0..n {
            self.gram.extend((0..n).map(|j| dot(link.g(i), link.g(j)) / model.noise_var));
        }
        self.matched.clear();
        self.matched.extend((0..n).map(|i| dot(link.g(i), &link.y) / model.noise_var));
        self.lambda.clear();
        self.lambda.extend(model.power.iter().map(|p| 1.0 / p));
        self.gamma.clear();
        self.gamma.resize(n, C64::default());
    }

    /// Gaussian posterior, and the cavity of each user.
    fn cavities(&mut self, n: usize) {
        self.sigma.clone_from(&self.gram);
        self.shifted.clear();
        for i in 0..n {
            self.sigma[i * n + i] += self.lambda[i];
            self.shifted.push(self.matched[i] + self.gamma[i]);
        }
        invert(&mut self.sigma, n);
        self.mu.resize(n, C64::default());
        apply(&self.sigma, &self.shifted, &mut self.mu);
        self.cavity.clear();
        for i in 0..n {
            let s = self.sigma[i * n + i].re;
            let rest = 1.0 - s * self.lambda[i];
            // A user that is not heard has no cavity.
            self.cavity.push(if rest > 1e-12 {
                let h = s / rest;
                (h * (self.mu[i] / s - self.gamma[i]), h)
            } else {
                (C64::default(), f64::INFINITY)
            });
        }
    }
}

/// Mean and variance of `CN(x; t, h)` times the discrete prior.
fn moments(model: &LinkModel<'_>, user: usize, t: C64, h: f64, weights: &mut Vec<f64>) -> (C64, f64) {
    let c = model.constellation.len();
    weights.clear();
    weights.extend((0..=c).map(|d| -model.cost(user, d) - (model.symbol(d) - t).norm_sqr() / h));
    let top = weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    weights.iter_mut().for_each(|w| *w = (*w - top).exp());
    let total: f64 = weights.iter().sum();
    let mean: C64 = weights.iter().enumerate().map(|(d, w)| model.symbol(d) * (w / total)).sum();
    let spread: f64 = weights.iter().enumerate().map(|(d, w)| (model.symbol(d) - mean).norm_sqr() * (w / total)).sum();
    let energy = model.power[user].max(f64::MIN_POSITIVE);
    (mean, spread.max(VARIANCE_FLOOR * energy))
}
