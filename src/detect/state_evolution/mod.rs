//! State evolution (state-evolution): what AMP achieves on large systems, without simulating a single frame.
//!
//! # Model
//!
//! AMP's Z behaves like `X + tau V` with `V ~ CN(0, I)` (27), and the effective noise follows a scalar recursion. Known are the
//! law of the gains, `sigma2`, N, Q, L, M and the activity probability eps.
//!
//! # Algorithm
//!
//! Equation numbers are those of the DL-mAMPnet paper.
//!
//! 1. `tau2_0 = sigma2 + (N/L) eps E[beta]` (33);
//! 2. `tau2_(t+1) = sigma2 + (N Q/L) E ||eta(x + tau v) - x||^2 / M`, which is (18) with (26); the mean over q is a mean over rows;
//! 3. the decision of AMP on rows `x + tau v` at the last tau gives the error rates.
//!
//! The expectation is a Monte-Carlo mean over gains and energies; two averages are taken exactly: over activity (both
//! branches are computed and weighted), and over the channel given z, because only `||z||^2` enters:
//! for an active row `E[||w omega z - x||^2 | z] = omega^2 (1 - w)^2 ||z||^2 + M omega tau2`, for an idle one it is
//! `omega^2 w^2 ||z||^2`; and `||z||^2` is a Gamma(M) variable times `beta + tau2` or `tau2`. The same random numbers serve all
//! iterations, so the recursion is smooth.
//!
//! # Assumptions and cost
//!
//! N and L large, i.i.d. pilots, uncorrelated Rayleigh antennas: from a channel file it takes the gains only, so correlated
//! channels do worse than predicted. `O(Q)` per random device and iteration, whatever N, L and M. Rates are probabilities,
//! `tau2` is in the units of `sigma2` over the pilot energy.
//!
//! # Source
//!
//! Liu and Yu (2018); Theorem 1 of the DL-mAMPnet paper, see [references](crate::docs::references).
//!
//! # Example
//!
//! At N = 100, M = 16, L = 40, one bit and 10 % activity, AMP errs with a probability of 7e-4 (independent simulation: 6.9e-4).
//!
//! ```
//! use grantfree::detect::{Threshold, state_evolution};
//! use grantfree::prelude::*;
//! use grantfree::scenario::PilotKind;
//!
//! let config = ScenarioConfig { pilots: PilotKind::Gaussian, ..Default::default() };
//! let predicted = state_evolution(&config, Threshold::MAP, 50, 20_000, 1)?;
//! assert!((4e-4..1.1e-3).contains(&predicted.ser), "{}", predicted.ser);
//! assert!(predicted.tau2[49] < predicted.tau2[0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::detect::algorithm::{Algorithm, Context, Info, Prediction, Prior};
use crate::link::{Detector, check, options};
use rand_distr::{Distribution, Gamma};
use rayon::prelude::*;

use crate::detect::Threshold;
use crate::detect::amp::steps::{Gain, posterior};
use crate::detect::common::decide::{decide, row_threshold};
use crate::detect::common::error::ClassicalError;
use crate::link::{Purpose, Split, StreamKey};
use crate::metrics::MetricName;
use crate::scenario::Scenario;
use crate::scenario::ScenarioConfig;

options! {
    /// Options of the prediction.
    pub struct StateEvolutionOptions {
        /// Iterations.
        iterations: usize = 50, "1..=1000000" if |v| (1..=1_000_000).contains(v);
        /// Threshold on the log-likelihood ratio.
        threshold: Threshold = Threshold::MAP, "\"equal-prior\", \"map\", or a finite number compared with the log-likelihood ratio"
            if |v| v.is_finite() && *v != Threshold::BEST;
    }
}

impl Algorithm for StateEvolutionOptions {
    const INFO: Info = Info::receiver("state-evolution", "state-evolution prediction of AMP")
        .with_prior(Prior::PerDevice)
        .prediction();

    fn detector(&self, _: &Context) -> Result<Box<dyn Detector>, ClassicalError> {
        let hint = "state evolution predicts without frames; call state_evolution";
        Err(ClassicalError::NotAFrameDetector { kind: Self::INFO.name, hint })
    }

    fn threshold(&self) -> Option<Threshold> {
        Some(self.threshold)
    }

    fn set_threshold(&mut self, threshold: Threshold) {
        self.threshold = threshold;
    }

    fn predict(&self, scenario: &ScenarioConfig, seed: u64) -> Result<Option<Prediction>, ClassicalError> {
        let p = state_evolution(scenario, self.threshold, self.iterations, SAMPLES, seed)?;
        Ok(Some(vec![
            (MetricName::Ser, p.ser),
            (MetricName::MissedDetection, p.missed_detection),
            (MetricName::FalseAlarm, p.false_alarm),
            (MetricName::Mse, p.mse),
            (MetricName::MseEntry, p.mse / scenario.antennas as f64),
        ]))
    }
}

/// Random devices of a prediction in experiment files.
const SAMPLES: usize = 1_000_000;

/// What state evolution predicts.
#[derive(Debug, Clone, PartialEq)]
pub struct StateEvolution {
    /// Effective noise at the start of each iteration, `[iterations]` (the last one decides).
    pub tau2: Vec<f64>,
    /// Probability that a device is decided wrongly (missed, false alarm or wrong sequence).
    pub ser: f64,
    /// Probability that an active device is decided idle.
    pub missed_detection: f64,
    /// Probability that an idle device is decided active.
    pub false_alarm: f64,
    /// Expected squared error of the rows of a device, summed over the antennas (in the units of the rows of X).
    pub mse: f64,
}

/// One Monte-Carlo device: gain and unit-mean energies of the Q rows.
struct Sample {
    beta: f64,
    /// Activity probability.
    eps: f64,
    /// Gamma(M) variables of the Q rows; the first belongs to the sent sequence where the device is active.
    energies: Vec<f64>,
}

/// Predicts row-wise AMP with `threshold` after `iterations` iterations from `samples` random devices.
///
/// Accuracy: the standard error of `ser` is about `sqrt(ser * eps / samples)`; 1e6 samples give 1 % at 7e-4, eps = 0.1.
///
/// # Errors
/// [`ClassicalError::Config`] for zero iterations or samples, [`ClassicalError::Scenario`] when a channel file fails.
pub fn state_evolution(
    scenario: &ScenarioConfig,
    threshold: Threshold,
    iterations: usize,
    samples: usize,
    seed: u64,
) -> Result<StateEvolution, ClassicalError> {
    scenario.validate()?;
    check(iterations >= 1, "iterations", iterations, ">= 1", 50)?;
    check(samples >= 1, "samples", samples, ">= 1", SAMPLES)?;
    let draws = draw(scenario, samples, seed)?;
    let (m, q) = (scenario.antennas, scenario.sequences());
    // Rows per equation; noise per unit of pilot energy.
    let load = scenario.devices as f64 / scenario.pilot_length as f64;
    let sigma2 = scenario.receiver_noise_var() / scenario.pilot_energy();
    // Partial sums of fixed chunks, added in order: the same for any number of threads.
    let mean = |f: &(dyn Fn(&Sample) -> f64 + Sync)| {
        let parts: Vec<f64> = draws.par_chunks(4096).map(|chunk| chunk.iter().map(f).sum()).collect();
        parts.iter().sum::<f64>() / draws.len() as f64
    };
    let error = |tau2: f64| mean(&|d| device_error(d, tau2, m));
    let mut tau2 = vec![sigma2 + load * mean(&|d| d.eps * d.beta)];
    for _ in 1..iterations {
        let last = tau2[tau2.len() - 1];
        let next = sigma2 + load * error(last) / m as f64;
        tau2.push(next);
        if (next - last).abs() <= 1e-12 * last {
            // The fixed point: the recursion is deterministic and stays there.
            tau2.resize(iterations, next);
            break;
        }
    }
    let last = tau2[tau2.len() - 1];
    let (mut active, mut missed, mut ser, mut alarm) = (0.0, 0.0, 0.0, 0.0);
    let mut llr = vec![0.0; q];
    for d in &draws {
        let gain = Gain::new(d.beta, last, m);
        let limit = row_threshold(threshold, d.eps, q);
        active += d.eps;
        for (llr, &e) in llr.iter_mut().zip(&d.energies) {
            *llr = gain.llr(last * e);
        }
        if decide(&llr, limit) > 0 {
            alarm += 1.0 - d.eps;
            ser += 1.0 - d.eps;
        }
        llr[0] = gain.llr((d.beta + last) * d.energies[0]);
        match decide(&llr, limit) {
            0 => {
                missed += d.eps;
                ser += d.eps;
            }
            1 => {}
            _ => ser += d.eps,
        }
    }
    let total = draws.len() as f64;
    Ok(StateEvolution {
        ser: ser / total,
        missed_detection: missed / active,
        false_alarm: alarm / (total - active),
        mse: error(last),
        tau2,
    })
}

/// Expected squared error of the Q rows of one device, averaged over its activity.
fn device_error(d: &Sample, tau2: f64, m: usize) -> f64 {
    let eps = d.eps;
    let log_odds = -row_threshold(Threshold::MAP, eps, d.energies.len());
    let gain = Gain::new(d.beta, tau2, m);
    let weight = |energy: f64| {
        let mut w = [0.0];
        posterior(false, &[gain.llr(energy)], log_odds, &mut w);
        w[0]
    };
    let idle = |e: f64| {
        let energy = tau2 * e;
        (gain.omega * weight(energy)).powi(2) * energy
    };
    let heard = (d.beta + tau2) * d.energies[0];
    let sent = (gain.omega * (1.0 - weight(heard))).powi(2) * heard + m as f64 * gain.omega * tau2;
    let others: f64 = d.energies[1..].iter().map(|&e| idle(e)).sum();
    others + eps * sent + (1.0 - eps) * idle(d.energies[0])
}

/// Draws gains with the scenario's own streams (test split) and the energies.
fn draw(scenario: &ScenarioConfig, samples: usize, seed: u64) -> Result<Vec<Sample>, ClassicalError> {
    let source = Scenario::new(scenario, seed, Split::Test)?;
    let mut rng = StreamKey::new(seed, Split::Test, scenario.canonical()).rng(Purpose::Integration, 0);
    let gamma = Gamma::new(scenario.antennas as f64, 1.0).expect("validated: at least one antenna");
    // Only the gains are wanted; one short observation keeps the unused fading and noise cheap.
    let mut out = Vec::with_capacity(samples);
    let mut frame = 0;
    while out.len() < samples {
        let realized = source.realize(frame, 1);
        let devices = realized.beta().frame(0).iter().zip(realized.activity_prob());
        for (&beta, &eps) in devices.take(samples - out.len()) {
            out.push(Sample {
                beta,
                eps,
                energies: (0..scenario.sequences()).map(|_| gamma.sample(&mut rng)).collect(),
            });
        }
        frame += 1;
    }
    Ok(out)
}
