use std::sync::Arc;

use crate::detect::build;
use crate::detect::tests::{config, named};
use crate::link::{AccessModel, C64, FrameBatch, Split, Spreading, Truth};
use crate::link::{Decisions, DetectError};
use crate::scenario::Scenario;
use crate::scenario::{Activation, Constellation, Fading, NomaConfig, ScenarioConfig, ScenarioKind, SignatureKind};

const BLIND: [&str; 5] = ["matched-filter", "mmse-sic", "beam-sic", "expectation-propagation", "joint-map"];

fn frames(noma: NomaConfig, count: usize) -> FrameBatch {
    let config = ScenarioConfig { kind: ScenarioKind::Noma, noma: Some(noma), ..Default::default() };
    let scenario = Scenario::new(&config, 5, Split::Test).unwrap();
    scenario.realize(0, count).observe(&scenario.pilots(0)).unwrap()
}

fn run(kind: &str, batch: &FrameBatch) -> Decisions {
    build(&named(kind)).unwrap().detect(batch).unwrap()
}

fn refusal(kind: &str, batch: &FrameBatch) -> String {
    match build(&named(kind)).unwrap().detect(batch) {
        Err(DetectError::Mismatch(message)) => message,
        other => panic!("{kind:?}: {other:?}"),
    }
}

fn few_users() -> NomaConfig {
    NomaConfig { users: 3, signatures: SignatureKind::WbeProjected, ..NomaConfig::default() }
}

#[test]
fn without_noise_nothing_is_wrong() {
    for constellation in [Constellation::Bpsk, Constellation::Qpsk, Constellation::Qam16] {
        let batch = frames(NomaConfig { snr_db: 90.0, constellation, ..few_users() }, 300);
        for kind in ["mmse-sic", "beam-sic", "expectation-propagation", "joint-map", "oracle-ls"] {
            let wrong = run(kind, &batch).activity != batch.truth().unwrap().activity();
            assert!(!wrong, "{kind:?} {constellation:?}");
        }
        // The matched filter needs orthogonal signatures.
        let batch = frames(NomaConfig { snr_db: 90.0, constellation, fading: Fading::Flat, ..few_users() }, 300);
        assert_eq!(run("matched-filter", &batch).activity, batch.truth().unwrap().activity());
    }
}

#[test]
fn for_one_user_the_matched_filter_is_optimal() {
    let one = NomaConfig { users: 1, signatures: SignatureKind::WbeProjected, snr_db: 3.0, ..NomaConfig::default() };
    let batch = frames(one, 500);
    let best = run("joint-map", &batch);
    for kind in BLIND {
        let d = run(kind, &batch);
        assert_eq!(d.activity, best.activity, "{kind:?}");
        assert!(d.score.iter().zip(&best.score).all(|(a, b)| (a - b).abs() < 1e-6 * (1.0 + b.abs())), "{kind:?}");
    }
}

#[test]
fn decisions_follow_the_scores() {
    let batch = frames(NomaConfig { snr_db: 12.0, ..NomaConfig::default() }, 200);
    for kind in ["matched-filter", "mmse-sic", "expectation-propagation", "joint-map"] {
        let d = run(kind, &batch);
        for (decided, odds) in d.activity.iter().zip(d.score.chunks_exact(4)) {
            let (at, top) = crate::detect::spreading::link::largest(odds);
            assert_eq!(*decided, if top > 0.0 { at as i64 + 1 } else { 0 }, "{kind:?} {odds:?}");
        }
    }
}

#[test]
fn joint_map_is_the_minimum_over_all_hypotheses() {
    let batch = frames(NomaConfig { snr_db: 6.0, ..few_users() }, 20);
    let model = crate::detect::spreading::link::LinkModel::new(&batch, "test").unwrap();
    let h = batch.spreading().unwrap().coefficients();
    let d = run("joint-map", &batch);
    for f in 0..20 {
        let cost = |x: [usize; 3]| -> f64 {
            let distance: f64 = (0..4)
                .map(|chip| {
                    let sum: C64 = (0..3)
                        .map(|n| h[(f * 3 + n) * 4 + chip] * batch.model().pilots().at(chip, n) * model.symbol(x[n]))
                        .sum();
                    (batch.frame(f)[chip] - sum).norm_sqr()
                })
                .sum();
            distance / batch.model().noise_var() + (0..3).map(|n| model.cost(n, x[n])).sum::<f64>()
        };
        let all: Vec<([usize; 3], f64)> = (0..125).map(|i| [i % 5, i / 5 % 5, i / 25]).map(|x| (x, cost(x))).collect();
        let least = |keep: &dyn Fn(&[usize; 3]) -> bool| {
            all.iter().filter(|(x, _)| keep(x)).map(|a| a.1).fold(f64::INFINITY, f64::min)
        };
        let decided: Vec<usize> = d.activity[f * 3..f * 3 + 3].iter().map(|a| *a as usize).collect();
        assert!(cost([decided[0], decided[1], decided[2]]) <= least(&|_| true) + 1e-9);
        for n in 0..3 {
            for c in 0..4 {
                let odds = least(&|x| x[n] == 0) - least(&|x| x[n] == c + 1);
                assert!((odds - d.score[(f * 3 + n) * 4 + c]).abs() < 1e-8 * (1.0 + odds.abs()));
            }
        }
    }
}

#[test]
fn a_beam_of_all_hypotheses_is_joint_map() {
    let batch = frames(NomaConfig { snr_db: 5.0, ..few_users() }, 200);
    let wide = config!("beam-sic", beam = 125).unwrap();
    let (beam, map) = (build(&wide).unwrap().detect(&batch).unwrap(), run("joint-map", &batch));
    assert_eq!(beam.activity, map.activity);
    assert!(beam.score.iter().zip(&map.score).all(|(a, b)| (a - b).abs() < 1e-7 * (1.0 + b.abs())));
}

#[test]
fn a_wide_window_drops_nothing_and_a_narrow_one_leaves_mmse_sic() {
    let batch = frames(NomaConfig { snr_db: 8.0, ..Default::default() }, 200);
    let beam = |window: Option<f64>| {
        let config = config!("beam-sic", beam = 8, window = window).unwrap();
        build(&config).unwrap().detect(&batch).unwrap()
    };
    assert_eq!(beam(Some(1e9)), beam(None));
    assert_ne!(beam(Some(2.0)).activity, beam(None).activity);
    assert_eq!(beam(Some(1e-12)).activity, run("mmse-sic", &batch).activity);
}

#[test]
fn a_beam_of_one_is_mmse_sic() {
    let batch = frames(NomaConfig { snr_db: 10.0, ..NomaConfig::default() }, 300);
    let one = config!("beam-sic", beam = 1).unwrap();
    assert_eq!(build(&one).unwrap().detect(&batch).unwrap().activity, run("mmse-sic", &batch).activity);
}

#[test]
fn reference_error_rates_are_in_order() {
    // 20 dB, chip fading, p_asy, an independent simulation: MF .335, MMSE-SIC 3.05e-2, oracle LS .023, beam of four 7.0e-4.
    let batch = frames(NomaConfig { snr_db: 20.0, ..NomaConfig::default() }, 2000);
    let ber = |kind| {
        let counts = crate::metrics::count_frames(&batch, &run(kind, &batch));
        let sums = counts.iter().flat_map(|c| c.user_bits.iter().flatten());
        let (wrong, bits) = sums.fold((0, 0), |s, b| (s.0 + b.0, s.1 + b.1));
        f64::from(wrong) / f64::from(bits)
    };
    assert!((0.31..0.36).contains(&ber("matched-filter")));
    assert!((0.025..0.036).contains(&ber("mmse-sic")));
    assert!((0.018..0.028).contains(&ber("oracle-ls")));
    assert!(ber("beam-sic") < 2e-3);
    assert!((0.025..0.045).contains(&ber("expectation-propagation")));
}

#[test]
fn a_user_that_is_always_active_is_never_decided_idle() {
    let batch = frames(
        NomaConfig {
            activation: Activation::PerUser(vec![1.0, 1.0, 0.5, 0.5, 0.1, 0.1]),
            snr_db: 0.0,
            ..NomaConfig::default()
        },
        300,
    );
    for kind in BLIND {
        let d = run(kind, &batch);
        assert!(d.activity.chunks_exact(6).all(|a| a[0] > 0 && a[1] > 0), "{kind:?}");
        assert!(d.score.iter().all(|s| s.is_finite()), "{kind:?}");
    }
}

#[test]
fn a_silent_channel_leaves_the_prior() {
    let heard = frames(NomaConfig::default(), 10);
    let constellation = heard.spreading().unwrap().constellation().clone();
    let silent = Spreading::new(constellation, vec![C64::default(); 10 * 24]).unwrap();
    let batch = FrameBatch::spread(heard.model().clone(), heard.y().to_vec(), silent).unwrap();
    let batch = batch.with_truth(heard.truth().unwrap().clone()).unwrap();
    for kind in BLIND {
        let d = run(kind, &batch);
        let odds = (0.2_f64 / 0.2).ln();
        assert!(d.score[..4].iter().all(|s| (s - odds).abs() < 1e-9), "{kind:?} {:?}", &d.score[..4]);
    }
    assert!(run("oracle-ls", &batch).score.iter().all(|s| s.is_finite()));
}

#[test]
fn decisions_depend_on_neither_threads_nor_batch() {
    let batch = frames(NomaConfig::default(), 40);
    let alone = batch.part(28..29);
    for kind in BLIND.into_iter().chain(["oracle-ls"]) {
        let detect = |threads| {
            rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| run(kind, &batch))
        };
        let d = detect(1);
        assert_eq!(d, detect(3), "{kind:?}");
        assert_eq!(run(kind, &alone).score, d.score[28 * 24..29 * 24], "{kind:?}");
    }
}

#[test]
fn frames_that_do_not_fit_are_refused_with_a_reason() {
    let noma = frames(NomaConfig::default(), 2);
    let access = {
        let config = ScenarioConfig { devices: 8, pilot_length: 6, antennas: 2, ..Default::default() };
        let scenario = Scenario::new(&config, 1, Split::Test).unwrap();
        scenario.realize(0, 2).observe(&scenario.pilots(0)).unwrap()
    };
    for kind in BLIND.into_iter().chain(["oracle-ls"]) {
        assert!(refusal(kind, &access).contains("spreading link"), "{kind:?}");
    }
    for kind in ["amp", "amp-section", "covariance", "covariance-section", "ml", "map", "group-lasso", "genie-mmse"] {
        assert!(refusal(kind, &noma).contains("mmse-sic"), "{kind:?}");
    }
    assert!(refusal("single-user-bound", &noma).contains("mmse-sic"));
    let many = frames(NomaConfig { users: 12, signature_length: 8, ..NomaConfig::default() }, 1);
    let message = refusal("joint-map", &many);
    assert!(["N = 12", "C = 4", "beam-sic"].iter().all(|s| message.contains(s)), "{message}");
    assert!(refusal("oracle-ls", &noma.clone().without_truth()).contains("symbols"));
    // What no detector could use cannot be made.
    let (model, y, spreading) = (noma.model(), noma.y(), noma.spreading().unwrap());
    let truth = Truth::new(vec![5; 12], Vec::new());
    assert!(noma.clone().with_truth(truth).unwrap_err().to_string().contains("1..=4"));
    let short = FrameBatch::spread(model.clone(), y[..7].to_vec(), spreading.clone());
    assert!(short.unwrap_err().to_string().contains("[F, H]"));
    let few = Spreading::new(spreading.constellation().clone(), spreading.coefficients()[..47].to_vec()).unwrap();
    let few = FrameBatch::spread(model.clone(), y.to_vec(), few);
    assert!(few.unwrap_err().to_string().contains("[F, N, H]"));
    let signatures = || model.pilots().clone();
    let noise = |noise_var| AccessModel::new(signatures(), 1, noise_var, model.activity_prob().to_vec());
    assert!(noise(0.0).unwrap_err().to_string().contains("> 0"));
    let never = AccessModel::new(signatures(), 1, 1.0, vec![0.0; 6]);
    assert!(never.unwrap_err().to_string().contains("(0, 1]"));
    let zero = Spreading::new(Arc::new(vec![C64::default()]), Vec::new());
    assert!(zero.unwrap_err().to_string().contains("idle"));
}
