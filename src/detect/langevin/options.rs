//! `[detectors.ID.langevin]`: annealed Langevin sampling (system D).

use serde::{Deserialize, Serialize};

use crate::link::{ConfigError, check};

/// What the sampler takes for the likelihood of a noised signal `U = X + CN(0, sigma^2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Likelihood {
    /// Covariance `noise_var I + sigma^2 A A^H`: what is known of X is uncertain by `sigma^2`.
    Matched,
    /// The score paper's `(noise_var + sigma^2) I`, over-confident by about N.
    Paper,
}

/// How a chain goes through the noise levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sampler {
    /// `steps` Langevin steps at each level, as in Algorithm 1 of the score paper.
    #[default]
    Langevin,
    /// A step of the reverse diffusion from level to level, `steps` Langevin steps at each.
    PredictorCorrector,
    /// Orthogonal approximate message passing: no sample but a point estimate, with the fewest scores.
    Oamp,
    /// The prior's estimate joined with the observation in closed form, blurred again at each level.
    Decoupled,
}

/// Noise levels, steps and samples of annealed Langevin dynamics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LangevinConfig {
    /// "langevin" (default), "predictor-corrector", "decoupled" or "oamp" (`steps` iterations of two scores, for equal gains;
    /// `samples` runs with other probes, of which one is enough; the other keys do not matter).
    pub sampler: Sampler,
    /// "matched" (default) or "paper".
    pub likelihood: Likelihood,
    /// Samples per frame whose mean is the estimate, 1..=1024. Default 8.
    pub samples: usize,
    /// Noise levels, geometric from `sigma_max` to `sigma_min`, 1..=1000. Default 30.
    pub levels: usize,
    /// Steps at each level, 1..=10000 (predictor-corrector: 0..=10000). Default 40.
    pub steps: usize,
    /// First noise level, in (0, 100], relative to the standard deviation of an active device's channel. Default 1.
    pub sigma_max: f64,
    /// Last noise level, > 0 and at most `sigma_max`. Default 0.003.
    pub sigma_min: f64,
    /// Step of level i: `alpha_0 r^i sigma_i^2`; in (0, 10]. Default 0.3 (matched), `1/(sqrt(N) + sqrt(L))^2` for N columns
    /// (paper: the largest curvature of its likelihood is about the inverse).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpha_0: Option<f64>,
    /// Further factor of the step from one level to the next, in (0, 2]. Default 1: steps already shrink with `sigma_i^2`.
    pub r: f64,
    /// Temperature of the injected noise, in [0, 1]. Default 1, which samples the posterior.
    pub beta: f64,
    /// Levels that are run before the sampler stops, 1..=levels: later levels add nothing to an observation with noise.
    /// Default: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<usize>,
    /// End with the mean of X given the last state (Tweedie's formula) in place of that state. Default true.
    pub denoise: bool,
}

impl Default for LangevinConfig {
    fn default() -> Self {
        Self {
            sampler: Sampler::Langevin,
            likelihood: Likelihood::Matched,
            samples: 8,
            levels: 30,
            steps: 40,
            sigma_max: 1.0,
            sigma_min: 0.003,
            alpha_0: None,
            r: 1.0,
            beta: 1.0,
            stop: None,
            denoise: true,
        }
    }
}

impl LangevinConfig {
    /// Evaluations of the score for one chain.
    pub fn calls(&self) -> usize {
        let levels = self.stop.unwrap_or(usize::MAX).min(self.levels);
        match self.sampler {
            Sampler::Decoupled => levels * self.steps,
            Sampler::Oamp => 2 * self.steps - 1,
            Sampler::Langevin => levels * self.steps + usize::from(self.denoise),
            Sampler::PredictorCorrector => levels * (self.steps + 1) - 1 + usize::from(self.denoise),
        }
    }

    /// Noise levels from the largest to the smallest.
    pub fn sigmas(&self) -> Vec<f64> {
        let last = (self.levels - 1).max(1) as f64;
        let ratio = (self.sigma_min / self.sigma_max).ln();
        // A single level is the last one.
        (0..self.levels)
            .map(|i| if self.levels == 1 { self.sigma_min } else { self.sigma_max * (ratio * i as f64 / last).exp() })
            .collect()
    }

    /// `alpha_0` for a pilot matrix `[length, columns]` of entries with unit power.
    pub fn first_step(&self, length: usize, columns: usize) -> f64 {
        self.alpha_0.unwrap_or(match self.likelihood {
            Likelihood::Matched => 0.3,
            Likelihood::Paper => ((columns as f64).sqrt() + (length as f64).sqrt()).powi(-2),
        })
    }

    /// Checks every range; `prefix` is the dotted key of the table.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    pub fn validate(&self, prefix: &str) -> Result<(), ConfigError> {
        let d = Self::default();
        let key = |name: &str| format!("{prefix}.{name}");
        check((1..=1024).contains(&self.samples), &key("samples"), self.samples, "1..=1024", d.samples)?;
        check((1..=1000).contains(&self.levels), &key("levels"), self.levels, "1..=1000", d.levels)?;
        let fewest = usize::from(self.sampler != Sampler::PredictorCorrector);
        let range = format!("{fewest}..=10000");
        check((fewest..=10_000).contains(&self.steps), &key("steps"), self.steps, &range, d.steps)?;
        if let Some(stop) = self.stop {
            check((1..=self.levels).contains(&stop), &key("stop"), stop, "1..=levels", "all levels")?;
        }
        let (top, bottom) = (self.sigma_max, self.sigma_min);
        check(top > 0.0 && top <= 100.0, &key("sigma_max"), top, "in (0, 100]", d.sigma_max)?;
        check(bottom > 0.0 && bottom <= top, &key("sigma_min"), bottom, "> 0 and <= sigma_max", d.sigma_min)?;
        if let Some(a) = self.alpha_0 {
            check(
                a > 0.0 && a <= 10.0,
                &key("alpha_0"),
                a,
                "in (0, 10]",
                "0.3 (matched), 1/(sqrt(N) + sqrt(L))^2 (paper)",
            )?;
        }
        let joins = matches!(self.sampler, Sampler::Decoupled | Sampler::Oamp);
        let plain = !joins || self.likelihood == Likelihood::Matched;
        let range = "\"matched\" with sampler = \"decoupled\" or \"oamp\"";
        check(plain, &key("likelihood"), "paper", range, "matched")?;
        check(self.r > 0.0 && self.r <= 2.0, &key("r"), self.r, "in (0, 2]", d.r)?;
        check((0.0..=1.0).contains(&self.beta), &key("beta"), self.beta, "in [0, 1]", d.beta)
    }
}
