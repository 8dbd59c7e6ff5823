//! Optimality, invariants and bad options of the lassos and of ml-mmse, on the frames of system B.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::link::{AccessModel, Beta, C64, FrameBatch, Truth};
use crate::link::{Decisions, DetectError};

/// 16 frames of N = 100, L = 20, M = 4, p = 0.1, sigma2 = 0.1, beta = 1.
fn reference() -> FrameBatch {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/mmv.npz");
    crate::scenario::files::read_frames(&path).expect("committed frames").observed(0..4)
}

fn run(config: &Classical, batch: &FrameBatch) -> Decisions {
    build(config).expect("valid options").detect(batch).expect("fitting frames")
}

/// Runs until nothing moves any more.
fn converged(kind: &str, lambda: f64, batch: &FrameBatch) -> Decisions {
    let config = config!(kind, lambda = lambda, iterations = 1_000_000, tolerance = 1e-11).unwrap();
    run(&config, batch)
}

/// `A^H (Y - A X)` of one frame, `[N*Q, M]`.
fn correlations(model: &AccessModel, y: &[C64], x: &[C64]) -> Vec<C64> {
    let (l, n, m) = (model.pilot_length(), model.columns(), model.antennas());
    let mut residual = y.to_vec();
    for k in 0..l {
        for i in 0..n {
            for j in 0..m {
                residual[k * m + j] -= model.pilots().at(k, i) * x[i * m + j];
            }
        }
    }
    let mut out = vec![C64::default(); n * m];
    for i in 0..n {
        for k in 0..l {
            for j in 0..m {
                out[i * m + j] += model.pilots().at(k, i).conj() * residual[k * m + j];
            }
        }
    }
    out
}

fn norm(v: &[C64]) -> f64 {
    v.iter().map(|v| v.norm_sqr()).sum::<f64>().sqrt()
}

/// Largest violation of the optimality conditions of the group LASSO over all frames.
fn group_lasso_kkt(batch: &FrameBatch, x: &[C64], lambda: f64) -> f64 {
    let (n, m) = (batch.model().columns(), batch.model().antennas());
    let mut worst = 0.0_f64;
    for (f, x) in x.chunks_exact(n * m).enumerate() {
        let g = correlations(batch.model(), batch.frame(f), x);
        for (g, x) in g.chunks_exact(m).zip(x.chunks_exact(m)) {
            let size = norm(x);
            let violation = if size > 0.0 {
                norm(&g.iter().zip(x).map(|(g, x)| g - x * (lambda / size)).collect::<Vec<_>>())
            } else {
                (norm(g) - lambda).max(0.0)
            };
            worst = worst.max(violation);
        }
    }
    worst
}

/// `||a - b||/||b||`.
fn relative_gap(a: &[C64], b: &[C64]) -> f64 {
    norm(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>()) / norm(b)
}

#[test]
fn coordinate_descent_meets_the_optimality_conditions_of_the_group_lasso() {
    let batch = reference();
    for lambda in [0.5, 1.0, 3.0] {
        let x = converged("group-lasso", lambda, &batch).x.expect("estimates");
        let worst = group_lasso_kkt(&batch, &x, lambda);
        assert!(worst < 1e-6, "lambda {lambda}: {worst}");
        assert!(x.chunks_exact(4).any(|row| norm(row) == 0.0), "lambda {lambda}: nothing was set to zero");
    }
}

#[test]
fn sharing_admm_reaches_the_optimum_of_coordinate_descent() {
    let batch = reference();
    let optimum = converged("group-lasso", 1.0, &batch).x.expect("estimates");
    let admm = |iterations| {
        let config = config!("group-lasso-admm", lambda = 1.0, rho = 2.0, iterations = iterations).unwrap();
        run(&config, &batch).x.expect("estimates")
    };
    let late = admm(20_000);
    assert!(relative_gap(&late, &optimum) < 1e-6, "{}", relative_gap(&late, &optimum));
    assert!(group_lasso_kkt(&batch, &late, 1.0) < 1e-6, "{}", group_lasso_kkt(&batch, &late, 1.0));
    // Far from optimal after the 200 iterations that the auto-encoder paper unfolds.
    assert!(group_lasso_kkt(&batch, &admm(200), 1.0) > 1e-3);
}

#[test]
fn the_covariance_lasso_meets_its_optimality_conditions() {
    let batch = reference();
    let (model, m) = (batch.model(), batch.model().antennas());
    let (l, n) = (model.pilot_length(), model.columns());
    for lambda in [0.0, 8.0] {
        let gamma = converged("covariance-lasso", lambda, &batch).gamma.expect("powers");
        for (f, gamma) in gamma.chunks_exact(n).enumerate() {
            let y = batch.frame(f);
            // Sh - sigma2 I - sum gamma a a^H, entry by entry.
            let rest = |r: usize, c: usize| {
                let sample: C64 = (0..m).map(|j| y[r * m + j] * y[c * m + j].conj()).sum();
                let model_part: C64 =
                    (0..n).map(|i| model.pilots().at(r, i) * model.pilots().at(c, i).conj() * gamma[i]).sum();
                sample / m as f64 - model_part - if r == c { model.noise_var() } else { 0.0 }
            };
            let rest: Vec<C64> = (0..l * l).map(|at| rest(at / l, at % l)).collect();
            for (i, &power) in gamma.iter().enumerate() {
                let a = model.pilots().column(i);
                let g: C64 = (0..l * l).map(|at| a[at / l].conj() * rest[at] * a[at % l]).sum();
                let violation = if power > 0.0 { (g.re - lambda).abs() } else { (g.re - lambda).max(0.0) };
                assert!(violation < 1e-6, "lambda {lambda}, frame {f}, column {i}: {violation}");
            }
        }
    }
}

/// One frame in which one device of ten sends the second of its two sequences, nearly without noise.
fn one_device() -> (FrameBatch, usize) {
    let (n, q, l, m) = (10, 2, 8, 4);
    let config =
        ScenarioConfig { devices: n, pilot_length: l, antennas: m, active_devices: Some(1), ..Default::default() };
    let scenario = Scenario::new(&config, 3, Split::Test).expect("no files");
    let pilots = Arc::clone(&scenario.pilots(0));
    let (device, beta) = (6, 2.5_f64);
    let channel: Vec<C64> = (0..m).map(|j| C64::from_polar(beta.sqrt(), j as f64)).collect();
    let column = pilots.column(device * q + 1);
    let noise = |at: usize| C64::from_polar(1e-6, (at * at) as f64);
    let y = (0..l * m).map(|at| column[at / m] * channel[at % m] + noise(at)).collect();
    let mut activity = vec![0; n];
    activity[device] = 2;
    let mut truth = vec![C64::default(); n * m];
    truth[device * m..(device + 1) * m].copy_from_slice(&channel);
    let model = AccessModel::new(pilots, m, 1e-12, vec![0.1; n]).unwrap();
    let batch = FrameBatch::new(model, y, Beta::shared(vec![beta; n]).unwrap()).unwrap();
    (batch.with_truth(Truth::new(activity, truth)).unwrap(), device)
}

#[test]
fn one_device_without_noise_is_found_with_its_channel() {
    let (batch, device) = one_device();
    let truth = batch.truth().expect("simulated");
    for kind in ["group-lasso", "group-lasso-admm", "covariance-lasso", "ml-mmse"] {
        // With a weight that vanishes with the noise, both solvers would take for ever: a small one, and many iterations.
        let group_lasso = matches!(kind, "group-lasso" | "group-lasso-admm");
        let (iterations, lambda) = (group_lasso.then_some(100_000), group_lasso.then_some(1e-3));
        let decisions = run(&config!(kind, iterations = iterations, lambda = lambda).unwrap(), &batch);
        // The estimate is shorter than the channel by lambda; ml-mmse works at a condition number of 1e12.
        let tolerance = if group_lasso { 1e-3 } else { 2e-3 };
        assert_eq!(decisions.activity, truth.activity(), "{kind:?}");
        let score = decisions.score[device * 2 + 1];
        assert!((score - 1.0).abs() < 1e-3, "{kind:?}: score {score}");
        let Some(x) = decisions.x else { continue };
        let mut want = vec![C64::default(); x.len()];
        let row = (device * 2 + 1) * 4;
        want[row..row + 4].copy_from_slice(&truth.channel()[device * 4..device * 4 + 4]);
        assert!(relative_gap(&x, &want) < tolerance, "{kind:?}: {}", relative_gap(&x, &want));
    }
}

#[test]
fn ml_mmse_is_ml_for_powers_and_the_genie_for_channels_of_the_right_support() {
    let batch = reference();
    let ml = run(&named("ml"), &batch);
    let both = run(&named("ml-mmse"), &batch);
    assert_eq!((ml.gamma, ml.score, ml.activity.clone()), (both.gamma, both.score, both.activity));
    // Told that its support is the truth, genie-mmse gives the same rows.
    let told = batch.with_truth(Truth::new(ml.activity, vec![C64::default(); 4 * 100 * 4])).unwrap();
    assert_eq!(run(&named("genie-mmse"), &told).x, both.x);
}

#[test]
fn the_default_weights_do_not_depend_on_units() {
    let batch = reference();
    let (y_unit, pilot_unit) = (8.0, 0.25);
    let model = batch.model();
    let pilots = model.pilots();
    let pilots = pilots.with_data(pilots.energy(), pilots.data().iter().map(|v| v * pilot_unit).collect()).unwrap();
    let noise_var = model.noise_var() * (y_unit * y_unit);
    let model = AccessModel::new(pilots.into(), model.antennas(), noise_var, model.activity_prob().to_vec()).unwrap();
    let beta: f64 = (y_unit / pilot_unit) * (y_unit / pilot_unit);
    let y = batch.y().iter().map(|v| v * y_unit).collect();
    let scaled = FrameBatch::new(model, y, Beta::shared(vec![beta; 100]).unwrap()).unwrap();
    // Powers of two: every rounding is the same, so are all decisions and scores.
    for kind in ["group-lasso", "group-lasso-admm", "covariance-lasso", "ml-mmse"] {
        let (a, b) = (run(&named(kind), &batch), run(&named(kind), &scaled));
        assert_eq!(a.activity, b.activity, "{kind:?}");
        let gap = a.score.iter().zip(&b.score).fold(0.0_f64, |g, (a, b)| g.max((a - b).abs()));
        assert!(gap < 1e-9, "{kind:?}: {gap}");
    }
}

#[test]
fn bad_options_name_their_range_and_default() {
    let refused = |config: Classical| build(&config).err().expect("refused").to_string();
    let with = |kind, lambda| config!(kind, lambda = lambda).unwrap();
    for kind in ["group-lasso", "group-lasso-admm"] {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let message = refused(with(kind, bad));
            assert!(message.contains("detector.lambda") && message.contains("> 0 (default: sqrt(M"), "{message}");
        }
        let named = config!(kind, threshold = Threshold::MAP).unwrap();
        assert!(refused(named).contains("default: 0.1"));
    }
    assert!(build(&with("covariance-lasso", 0.0)).is_ok());
    assert!(refused(with("covariance-lasso", -1.0)).contains(">= 0 (default: 8 noise_var"));
    let elsewhere = config!("ml-mmse", lambda = 1.0).unwrap_err().to_string();
    assert!(elsewhere.contains("not an option of detector ml-mmse"), "{elsewhere}");
    for bad in [0.0, f64::NAN] {
        let config = config!("group-lasso-admm", rho = bad).unwrap();
        assert!(refused(config).contains("detector.rho"));
    }
    let elsewhere = config!("group-lasso", rho = 1.0).unwrap_err().to_string();
    assert!(elsewhere.contains("it belongs to group-lasso-admm"), "{elsewhere}");
    for kind in ["group-lasso", "group-lasso-admm", "covariance-lasso", "ml-mmse"] {
        let single = config!(kind, precision = Precision::F32).unwrap_err().to_string();
        assert!(single.contains("precision"), "{kind:?}: {single}");
    }
}

#[test]
fn too_many_columns_for_the_covariance_lasso_are_an_error() {
    let batch = reference();
    let pilots = crate::link::Pilots::new(1, 20_000, 1, 1.0, vec![C64::new(1.0, 0.0); 20_000]).unwrap();
    let model = AccessModel::new(pilots.into(), 4, batch.model().noise_var(), vec![0.1; 20_000]).unwrap();
    let many = FrameBatch::new(model, vec![C64::default(); 4], Beta::ones(20_000)).unwrap();
    let found = build(&named("covariance-lasso")).expect("defaults").detect(&many);
    assert!(matches!(found, Err(DetectError::Mismatch(m)) if m.contains("16384") && m.contains("ml")));
}
