//! Invariants that hold for every detector, on simulated frames.

mod lassos;

use super::*;
use crate::link::{AccessModel, Beta, FrameBatch, Split};
use crate::link::{Decisions, DetectError};
use crate::scenario::{Draws, Realizations, Scenario};
use crate::scenario::{PilotKind, ScenarioConfig};

/// An algorithm with every option at its default.
pub(crate) fn named(kind: &str) -> Classical {
    Classical::named(kind).expect("a registered kind")
}

/// `config!(kind, key = value, ...)`: an algorithm with options; a value of `None` leaves its key out.
macro_rules! config {
    ($kind:expr $(, $key:ident = $value:expr)*) => {{
        let mut table = toml::Table::new();
        $(
            if let Ok(value) = toml::Value::try_from(&$value) {
                table.insert(stringify!($key).into(), value);
            }
        )*
        crate::detect::Classical::from_table($kind, table)
    }};
}
pub(crate) use config;

const DECIDING: [&str; 6] = ["amp", "amp-section", "covariance", "covariance-section", "ml", "map"];

/// Detectors with one precision only.
const PLAIN: [&str; 6] = ["ml-mmse", "covariance-lasso", "group-lasso", "group-lasso-admm", "pc-admm", "lasso"];

/// Every deciding detector in every precision it has.
fn every_precision() -> impl Iterator<Item = Classical> {
    let both = |kind| [Precision::F64, Precision::F32].map(|precision| config!(kind, precision = precision).unwrap());
    DECIDING.into_iter().flat_map(both).chain(PLAIN.map(named))
}

fn frames(config: &ScenarioConfig, count: usize, edit: impl Fn(&mut Draws)) -> FrameBatch {
    let scenario = Scenario::new(config, 5, Split::Test).expect("a scenario without files");
    let mut draws = scenario.realize(0, count).into_draws();
    edit(&mut draws);
    Realizations::new(draws).expect("finite draws").observe(&scenario.pilots(0)).expect("pilots of the same scenario")
}

fn small() -> ScenarioConfig {
    ScenarioConfig { devices: 30, antennas: 8, pilot_length: 24, ..ScenarioConfig::default() }
}

fn run(config: &Classical, batch: &FrameBatch) -> Decisions {
    build(config).expect("valid options").detect(batch).expect("fitting frames")
}

fn errors(batch: &FrameBatch, decisions: &Decisions) -> usize {
    let truth = batch.truth().expect("simulated").activity();
    truth.iter().zip(&decisions.activity).filter(|(a, b)| a != b).count()
}

#[test]
fn without_noise_and_with_few_devices_nobody_errs() {
    let config = ScenarioConfig { active_devices: Some(3), antennas: 16, ..small() };
    let batch = frames(&config, 20, |r| {
        r.noise.fill(Default::default());
        r.noise_var = 1e-3;
        // Equal gains: a deep fade over 16 antennas is the only other cause of errors.
        let n = r.devices;
        let mut beta = r.beta.values().to_vec();
        for (d, b) in beta.iter_mut().enumerate() {
            let m = r.antennas;
            let h = &mut r.channel[d * m..(d + 1) * m];
            let norm = h.iter().map(|v| v.norm_sqr()).sum::<f64>().sqrt();
            h.iter_mut().filter(|_| norm > 0.0).for_each(|v| *v *= (m as f64).sqrt() / norm);
            *b = 1.0;
        }
        assert_eq!(beta.len(), 20 * n);
        r.beta = Beta::per_frame(n, beta).unwrap();
    });
    for kind in DECIDING.into_iter().chain(PLAIN).chain(["single-user-bound", "genie-mmse"]) {
        assert_eq!(errors(&batch, &run(&named(kind), &batch)), 0, "{kind:?}");
    }
}

#[test]
fn a_lone_device_meets_the_single_user_bound_exactly() {
    let config = ScenarioConfig { devices: 1, activity_prob: 0.5, ..small() };
    let batch = frames(&config, 200, |_| {});
    let bound = run(&named("single-user-bound"), &batch);
    let section = run(&named("covariance-section"), &batch);
    assert_eq!(bound.activity, section.activity);
    for (a, b) in bound.score.iter().zip(&section.score) {
        // Taking a device of 50 dB out of the covariance again costs twice its dynamic range.
        assert!((a - b).abs() <= 1e-5 * a.abs().max(1.0), "{a} {b}");
    }
}

#[test]
fn nobody_beats_the_single_user_bound_and_the_section_detector_comes_closest() {
    let config = ScenarioConfig { pilots: PilotKind::Gaussian, ..ScenarioConfig::default() };
    let batch = frames(&config, 64, |_| {});
    let wrong = |kind| errors(&batch, &run(&named(kind), &batch));
    let (bound, section) = (wrong("single-user-bound"), wrong("covariance-section"));
    assert!(bound <= section, "{bound} {section}");
    for kind in ["amp", "amp-section", "covariance"] {
        assert!(section < wrong(kind), "{kind:?}: {} against {section}", wrong(kind));
    }
}

#[test]
fn decisions_do_not_depend_on_threads_or_batches() {
    let batch = frames(&small(), 12, |_| {});
    let half = batch.observed(0..5);
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    for config in every_precision() {
        let one = pool(1).install(|| run(&config, &batch));
        assert_eq!(one, pool(3).install(|| run(&config, &batch)), "{config:?}");
        let part = run(&config, &half);
        assert_eq!(part.activity, one.activity[..5 * 30]);
        assert_eq!(part.score, one.score[..5 * 60]);
        assert_eq!(part.x.as_deref(), one.x.as_ref().map(|x| &x[..5 * 60 * 8]));
        assert_eq!(part.gamma.as_deref(), one.gamma.as_ref().map(|g| &g[..5 * 60]));
    }
}

#[test]
fn single_precision_decides_like_double() {
    let batch = frames(&small(), 40, |_| {});
    for kind in DECIDING {
        let wide = run(&named(kind), &batch);
        let narrow = run(&config!(kind, precision = Precision::F32).unwrap(), &batch);
        let differ = wide.activity.iter().zip(&narrow.activity).filter(|(a, b)| a != b).count();
        assert!(differ <= 3, "{kind:?}: {differ} of 1200 decisions");
    }
}

#[test]
fn pilot_energy_is_a_change_of_units() {
    let batch = frames(&small(), 6, |_| {});
    let model = batch.model();
    let pilots = model.pilots().with_data(9.0, model.pilots().data().iter().map(|v| v * 3.0).collect()).unwrap();
    let model =
        AccessModel::new(pilots.into(), model.antennas(), model.noise_var(), model.activity_prob().to_vec()).unwrap();
    let y = batch.y().iter().map(|v| v * 3.0).collect();
    let scaled = FrameBatch::new(model, y, batch.beta().clone()).unwrap();
    let config = config!("amp", iterations = 5).unwrap();
    let (a, b) = (run(&config, &batch), run(&config, &scaled));
    let size: f64 = a.x.iter().flatten().map(|v| v.norm_sqr()).sum();
    let gap: f64 = a.x.iter().flatten().zip(b.x.iter().flatten()).map(|(a, b)| (a - b).norm_sqr()).sum();
    assert!(gap < 1e-18 * size, "{gap} {size}");
}

#[test]
fn genie_channels_are_exact_without_noise_and_shrink_with_it() {
    let config = ScenarioConfig { active_devices: Some(4), ..small() };
    let batch = frames(&config, 5, |r| {
        r.noise.fill(Default::default());
        r.noise_var = 1e-6;
    });
    let counts = |batch: &FrameBatch| {
        let d = run(&named("genie-mmse"), batch);
        let (x, truth) = (d.x.expect("estimates"), batch.truth().expect("simulated"));
        let (mut error, mut energy) = (0.0, 0.0);
        for (i, &a) in truth.activity().iter().enumerate().filter(|(_, a)| **a > 0) {
            for m in 0..8 {
                let h = truth.channel()[i * 8 + m];
                error += (x[(i * 2 + a as usize - 1) * 8 + m] - h).norm_sqr();
                energy += h.norm_sqr();
            }
        }
        error / energy
    };
    assert!(counts(&batch) < 1e-10, "{}", counts(&batch));
    assert!(counts(&frames(&config, 5, |_| {})) > 1e-6);
}

#[test]
fn bad_frames_are_errors_and_wild_numbers_do_not_panic() {
    let batch = frames(&small(), 2, |_| {});
    let model = batch.model();
    let with_y = |y| FrameBatch::new(model.clone(), y, batch.beta().clone());
    assert!(with_y(batch.y()[1..].to_vec()).unwrap_err().to_string().contains("y holds"));
    let silent = AccessModel::new(model.pilots().clone(), 8, 0.0, model.activity_prob().to_vec());
    assert!(silent.unwrap_err().to_string().contains("noise_var"));
    let mut undefined = batch.y().to_vec();
    undefined[3] = crate::link::C64::new(f64::NAN, 0.0);
    assert!(with_y(undefined).unwrap_err().to_string().contains("y holds NaN"));
    let blind = batch.clone().without_truth();
    for kind in ["genie-mmse", "single-user-bound"] {
        let detector = build(&named(kind)).expect("defaults");
        assert!(matches!(detector.detect(&blind), Err(DetectError::NeedsTruth(_))));
    }
    let wild = with_y(batch.y().iter().map(|v| v * 1e200).collect()).unwrap();
    let zero = with_y(vec![Default::default(); batch.y().len()]).unwrap();
    for config in every_precision() {
        assert_eq!(run(&config, &wild).activity.len(), 60);
        assert!(run(&config, &zero).activity.iter().all(|&a| a == 0), "{config:?}");
    }
}

#[test]
fn the_scalar_onsager_term_diverges_and_still_decides() {
    let config = ScenarioConfig { pilots: PilotKind::Gaussian, ..ScenarioConfig::default() };
    let batch = frames(&config, 24, |_| {});
    let options = |onsager| config!("amp", onsager = onsager).unwrap();
    let scalar = run(&options(Onsager::Scalar), &batch);
    let matrix = run(&options(Onsager::Matrix), &batch);
    assert!(errors(&batch, &scalar) > errors(&batch, &matrix));
    assert!(scalar.activity.iter().all(|a| (0..=2).contains(a)));
}

#[test]
fn state_evolution_meets_the_reference_table() {
    // Reference values of an independent simulation: 6.9e-4 at L = 40 and 4.1e-4 at L = 80 (M = 16, J = 1, MAP threshold).
    for (length, want) in [(40, 6.9e-4), (80, 4.1e-4)] {
        let config = ScenarioConfig { pilot_length: length, pilots: PilotKind::Gaussian, ..ScenarioConfig::default() };
        let found = state_evolution(&config, Threshold::MAP, 50, 100_000, 1).expect("a valid scenario");
        assert!((found.ser / want - 1.0).abs() < 0.15, "L = {length}: {} for {want}", found.ser);
        let equal = state_evolution(&config, Threshold::EQUAL_PRIOR, 50, 100_000, 1).expect("a valid scenario");
        assert!(equal.ser > found.ser && equal.missed_detection < found.missed_detection);
        assert!(found.tau2.windows(2).all(|t| t[1] <= t[0] * (1.0 + 1e-9)), "{:?}", found.tau2);
    }
    assert!(state_evolution(&small(), Threshold::MAP, 0, 10, 1).is_err());
}

#[test]
fn kinds_that_are_not_frame_detectors_are_refused() {
    for kind in ["state-evolution", "welch-bound"] {
        assert!(matches!(build(&named(kind)), Err(ClassicalError::NotAFrameDetector { .. })));
    }
    assert!(Classical::named("mampnet").is_none());
    let named = config!("covariance", threshold = Threshold::MAP).unwrap();
    assert!(build(&named).err().is_some_and(|e| e.to_string().contains("0.5")));
}
