//! Laws of the sampler: scores are gradients, samples follow the posterior.

use pulp::Scalar;
use rand_distr::{Distribution, StandardNormal};

use super::anneal::{Chains, Schedule};
use super::prior::{BernoulliGaussian, Prior, Shape};
use crate::detect::build;
use crate::detect::common::columns::pilot_columns;
use crate::detect::langevin::detector::{generators, mean, repeat};
use crate::detect::tests::config;
use crate::detect::{LangevinConfig, Likelihood, Sampler};
use crate::link::Decisions;
use crate::link::{Beta, C64, FrameBatch, Split, Truth};
use crate::math::planes::Planes;
use crate::math::real::Real;
use crate::scenario::Scenario;
use crate::scenario::{PilotKind, ScenarioConfig, ScenarioKind};

fn link() -> ScenarioConfig {
    ScenarioConfig {
        kind: ScenarioKind::Coherent,
        devices: 32,
        antennas: 8,
        pilot_length: 20,
        bits: 0,
        active_devices: Some(8),
        pilots: PilotKind::Qpsk,
        ..ScenarioConfig::default()
    }
}

fn frames(config: &ScenarioConfig, count: usize) -> FrameBatch {
    config.validate().unwrap();
    let scenario = Scenario::new(config, 3, Split::Validation).unwrap();
    scenario.realize(0, count).observe(&scenario.pilots(0)).unwrap()
}

fn run(kind: &str, langevin: Option<LangevinConfig>, batch: &FrameBatch) -> Decisions {
    build(&config!(kind, langevin = langevin).unwrap()).unwrap().detect(batch).unwrap()
}

fn nmse_db(d: &Decisions, batch: &FrameBatch) -> f64 {
    let truth = batch.truth().unwrap().channel();
    let x = d.x.as_ref().unwrap();
    let error: f64 = x.iter().zip(truth).map(|(a, b)| (a - b).norm_sqr()).sum();
    10.0 * (error / truth.iter().map(|v| v.norm_sqr()).sum::<f64>()).log10()
}

/// Log density of a noised row up to a constant.
fn log_density(u: &[C64], p: f64, sigma: f64) -> f64 {
    let (m, e) = (u.len() as i32, u.iter().map(|v| v.norm_sqr()).sum::<f64>());
    let part = |v: f64| (-e / v).exp() / v.powi(m);
    ((1.0 - p) * part(sigma * sigma) + p * part(1.0 + sigma * sigma)).ln()
}

#[test]
fn the_exact_score_is_the_gradient_of_the_log_density() {
    let shape = Shape { rows: 2, chains: 2, antennas: 3 };
    let probs = [0.25, 0.6];
    let prior = BernoulliGaussian::new(probs.into_iter());
    let mut rng = generators(&[], 1).remove(0);
    for sigma in [0.3, 0.7, 2.0] {
        let mut u = Planes::zeros(2, 6, 2 * f64::LANES);
        for v in u.re.iter_mut().chain(&mut u.im) {
            *v = StandardNormal.sample(&mut rng);
        }
        let mut out = u.clone();
        let Ok(()) = prior.score(&shape, &u, &[sigma; 2], &mut out);
        for (row, chain, a) in [(0, 0, 0), (0, 1, 2), (1, 0, 1), (1, 1, 0)] {
            let at = row * u.stride + chain * 3;
            let held: Vec<C64> = (at..at + 3).map(|i| C64::new(u.re[i], -u.im[i])).collect();
            let slope = |direction: C64| {
                let moved = |h: f64| {
                    let mut v = held.clone();
                    v[a] += h * direction;
                    log_density(&v, probs[row], sigma)
                };
                (moved(1e-5) - moved(-1e-5)) / 2e-5
            };
            // d/du* = (d/dx + j d/dy)/2.
            let numerical = 0.5 * C64::new(slope(C64::ONE), slope(C64::I));
            let found = C64::new(out.re[at + a], -out.im[at + a]);
            assert!((numerical - found).norm() < 1e-6 * (1.0 + found.norm()), "{sigma} {row} {numerical} {found}");
        }
    }
}

#[test]
fn samples_of_a_gaussian_prior_have_the_mean_and_variance_of_the_posterior() {
    // Always active: X is Gaussian and its posterior is known.
    let config = ScenarioConfig {
        devices: 6,
        antennas: 2,
        pilot_length: 4,
        active_devices: Some(6),
        snr_db: Some(10.0),
        ..link()
    };
    let batch = frames(&config, 1);
    let options = LangevinConfig {
        samples: 3000,
        levels: 12,
        steps: 60,
        sigma_min: 0.05,
        alpha_0: Some(0.1),
        denoise: false,
        ..Default::default()
    };
    let columns = pilot_columns(batch.model(), 1.0);
    let (n, l, m) = (6, 4, 2);
    let schedule = Schedule::new(Scalar, &options, &columns, l, batch.model().noise_var(), &vec![1.0; n]);
    let shape = Shape { rows: n, chains: options.samples, antennas: m };
    let mut y = Planes::zeros(l, shape.chains * m, 2 * f64::LANES);
    repeat(batch.y(), m, 0..shape.chains, &mut y);
    let mut chains = Chains::new(&shape, l);
    let prior = BernoulliGaussian::new(std::iter::repeat_n(1.0, n));
    let Ok(()) = chains.run(Scalar, &options, &prior, &schedule, &y, &mut generators(batch.y(), shape.chains));
    let mut found = vec![C64::default(); n * m];
    mean(&shape, &schedule, &chains.u, 0..shape.chains, &mut found);
    // With every device active the genie's estimate is the posterior mean.
    let expected = run("genie-mmse", None, &batch).x.unwrap();
    for (a, b) in found.iter().zip(&expected) {
        assert!((a - b).norm() < 0.06, "{a} {b}");
    }
    // tr C / (N M): spread of the chains against I - A^H (A A^H + noise_var I)^-1 A, plus the last level's variance.
    let mut spread = 0.0;
    for row in 0..n {
        for i in 0..shape.chains * m {
            let v = C64::new(chains.u.re[row * chains.u.stride + i], -chains.u.im[row * chains.u.stride + i]);
            spread += (v - found[row * m + i % m]).norm_sqr();
        }
    }
    spread /= (n * m * shape.chains) as f64;
    let mut inverse = crate::math::inverse::InverseCovariance::<f64>::new(l, batch.model().noise_var());
    inverse.rebuild(Scalar, &columns, &vec![1.0; n]);
    let exact = (0..n).map(|i| 1.0 - inverse.apply(Scalar, columns.row(i))).sum::<f64>() / n as f64;
    assert!((spread - exact - 0.0025).abs() < 0.05 * exact, "{spread} {exact}");
}

#[test]
fn without_noise_enough_pilots_tell_everything() {
    let config = ScenarioConfig { pilot_length: 32, active_devices: Some(4), snr_db: Some(60.0), ..link() };
    let batch = frames(&config, 8);
    let options = LangevinConfig { samples: 2, sigma_min: 0.0005, levels: 40, ..Default::default() };
    let d = run("langevin", Some(options), &batch);
    assert_eq!(d.activity, batch.truth().unwrap().activity());
    assert!(nmse_db(&d, &batch) < -45.0, "{}", nmse_db(&d, &batch));
}

#[test]
fn estimates_depend_on_neither_threads_nor_batch_nor_units() {
    let batch = frames(&link(), 6);
    let options = || Some(LangevinConfig { samples: 2, levels: 5, steps: 3, ..Default::default() });
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let one = pool(1).install(|| run("langevin", options(), &batch));
    assert_eq!(one, pool(3).install(|| run("langevin", options(), &batch)));
    let last = batch.observed(5..6);
    let alone = run("langevin", options(), &last);
    assert_eq!(alone.x.unwrap()[..], one.x.as_ref().unwrap()[5 * 256..]);
    // Gains of every frame on their own give what shared ones give.
    let beta = Beta::per_frame(32, vec![1.0; 6 * 32]).unwrap();
    let own = FrameBatch::new(batch.model().clone(), batch.y().to_vec(), beta).unwrap();
    let own = run("langevin", options(), &own);
    for (a, b) in own.x.unwrap().iter().zip(one.x.as_ref().unwrap()) {
        assert!((a - b).norm() < 1e-9);
    }
}

#[test]
fn the_average_of_samples_beats_one_and_both_beat_the_linear_estimate() {
    let batch = frames(&ScenarioConfig { snr_db: Some(20.0), ..link() }, 24);
    let options = |samples, likelihood| Some(LangevinConfig { samples, likelihood, ..Default::default() });
    let linear = nmse_db(&run("lmmse", None, &batch), &batch);
    let one = nmse_db(&run("langevin", options(1, Likelihood::Matched), &batch), &batch);
    let eight = nmse_db(&run("langevin", options(8, Likelihood::Matched), &batch), &batch);
    let paper = nmse_db(&run("langevin", options(8, Likelihood::Paper), &batch), &batch);
    let genie = nmse_db(&run("genie-mmse", None, &batch), &batch);
    assert!(genie < eight && eight < one - 1.0 && one < linear - 2.0, "{genie} {eight} {one} {linear}");
    assert!(paper > eight, "{paper} {eight}");
}

#[test]
fn a_diverging_chain_leaves_finite_estimates() {
    let batch = frames(&link(), 2);
    let options = LangevinConfig { alpha_0: Some(10.0), steps: 400, samples: 2, ..Default::default() };
    let d = run("langevin", Some(options), &batch);
    assert!(d.x.unwrap().iter().all(|v| v.is_finite()));
}

#[test]
fn message_passing_finds_the_posterior_mean_of_gaussian_channels() {
    // Every device active: the posterior mean is the linear estimate.
    for (devices, length, snr_db) in [(6, 4, 10.0), (12, 12, 20.0)] {
        let config = ScenarioConfig {
            devices,
            antennas: 2,
            pilot_length: length,
            active_devices: Some(devices),
            snr_db: Some(snr_db),
            ..link()
        };
        let batch = frames(&config, 8);
        let options =
            LangevinConfig { sampler: Sampler::Oamp, samples: 2, steps: 30, sigma_max: 10.0, ..Default::default() };
        let found = run("langevin", Some(options), &batch).x.unwrap();
        let linear = run("lmmse", None, &batch).x.unwrap();
        let error: f64 = found.iter().zip(&linear).map(|(a, b)| (a - b).norm_sqr()).sum();
        let energy: f64 = linear.iter().map(|v| v.norm_sqr()).sum();
        assert!(error < 2e-3 * energy, "{devices} devices: {}", error / energy);
    }
}

#[test]
fn fewer_scores_do_as_well() {
    let batch = frames(&ScenarioConfig { snr_db: Some(20.0), ..link() }, 48);
    let amp = nmse_db(&build(&config!("amp", damping = 0.7).unwrap()).unwrap().detect(&batch).unwrap(), &batch);
    let with = |options: LangevinConfig| {
        (options.calls() * options.samples, nmse_db(&run("langevin", Some(options), &batch), &batch))
    };
    let d = LangevinConfig { samples: 2, ..LangevinConfig::default() };
    let (calls, langevin) = with(LangevinConfig { steps: 20, ..d.clone() });
    assert_eq!(calls, 1202);
    let short = LangevinConfig { levels: 20, steps: 3, sigma_min: 0.01, ..d };
    let (calls, corrected) = with(LangevinConfig { sampler: Sampler::PredictorCorrector, ..short.clone() });
    assert_eq!(calls, 160);
    let (_, decoupled) = with(LangevinConfig { sampler: Sampler::Decoupled, ..short.clone() });
    let (calls, passed) =
        with(LangevinConfig { sampler: Sampler::Oamp, samples: 1, steps: 10, sigma_max: 10.0, ..short });
    assert_eq!(calls, 19);
    println!(
        "AMP {amp:.2}, Langevin {langevin:.2}, predictor-corrector {corrected:.2}, decoupled {decoupled:.2}, message passing {passed:.2} dB"
    );
    assert!(passed < amp + 0.5 && decoupled < amp + 3.5 && decoupled < langevin - 1.0 && corrected < -5.0);
}

#[test]
fn a_sampler_that_stops_early_has_run_fewer_levels() {
    let batch = frames(&ScenarioConfig { snr_db: Some(20.0), ..link() }, 2);
    let whole = LangevinConfig { samples: 1, levels: 6, steps: 4, ..LangevinConfig::default() };
    let stopped = LangevinConfig { stop: Some(3), ..whole.clone() };
    assert_eq!((whole.calls(), stopped.calls()), (25, 13));
    let sigmas = whole.sigmas();
    let short = LangevinConfig { levels: 3, sigma_min: sigmas[2], ..whole };
    // Levels in equal ratios: the first three of six are three of their own.
    let [a, b] = [stopped, short].map(|o| run("langevin", Some(o), &batch).x.unwrap());
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).norm() < 1e-9));
}

#[test]
fn message_passing_leaves_out_silent_devices_and_refuses_unequal_gains() {
    let config = ScenarioConfig { snr_db: Some(20.0), ..link() };
    let loud = frames(&config, 24);
    let oamp = || Some(LangevinConfig { sampler: Sampler::Oamp, samples: 1, steps: 12, ..LangevinConfig::default() });
    // Half of the devices cannot be heard: their rows stay zero, the others are found as well as a genie does.
    let silent = |d: usize| d.is_multiple_of(2);
    let beta: Vec<f64> = (0..32).map(|d| if silent(d) { 0.0 } else { 1.0 }).collect();
    let truth = loud.truth().unwrap();
    let (mut y, mut activity, mut channel) = (loud.y().to_vec(), truth.activity().to_vec(), truth.channel().to_vec());
    let (m, l) = (8, 20);
    for f in 0..24 {
        for d in (0..32).filter(|d| silent(*d)) {
            for a in 0..m {
                let h = std::mem::take(&mut channel[(f * 32 + d) * m + a]);
                for k in 0..l {
                    let s = loud.model().pilots().at(k, d);
                    y[(f * l + k) * m + a] -= s * h;
                }
            }
            activity[f * 32 + d] = 0;
        }
    }
    let with_gains = |beta| FrameBatch::new(loud.model().clone(), y.clone(), Beta::shared(beta).unwrap()).unwrap();
    let batch = with_gains(beta).with_truth(Truth::new(activity, channel)).unwrap();
    let found = run("langevin", oamp(), &batch);
    let genie = nmse_db(&run("genie-mmse", None, &batch), &batch);
    let x = found.x.as_ref().unwrap();
    assert!((0..24 * 32).filter(|i| silent(i % 32)).all(|i| x[i * m..(i + 1) * m].iter().all(|v| v.norm() < 1e-6)));
    assert!(nmse_db(&found, &batch) < genie + 1.0, "{} {genie}", nmse_db(&found, &batch));
    let batch = with_gains((0..32).map(|d| 1.0 + d as f64).collect());
    let refused = build(&config!("langevin", langevin = oamp()).unwrap()).unwrap().detect(&batch);
    assert!(refused.unwrap_err().to_string().contains("15.1 dB"));
}
