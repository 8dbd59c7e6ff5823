//! The correction condition, convergence from random starts, and iterations to the optimum beside other solvers.

use std::path::Path;

use super::*;
use crate::detect::common::frames::FrameDetector;
use crate::detect::common::kkt::{Solver, kkt_residual};
use crate::detect::tests::config;
use crate::detect::{Classical, LassoMethod, build};
use crate::link::{C64, FrameBatch, Split};
use crate::scenario::Scenario;
use crate::scenario::{PilotKind, PilotRedraw, ScenarioConfig, ScenarioKind};

/// 16 frames of N = 100, L = 20, M = 4, p = 0.1, sigma2 = 0.1, beta = 1, and their group LASSO optimum at lambda = 1.
fn reference() -> (FrameBatch, Vec<C64>) {
    let file = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let batch = crate::scenario::files::read_frames(&file("mmv.npz")).expect("committed frames");
    let expected = crate::container::npz::NpzFile::open(&file("mmv.expected.npz")).expect("committed answers");
    (batch, expected.complex("group_lasso_x").expect("the optimum").data)
}

/// Problems of reference: N = 100, p = 0.1, sigma2 = 0.1, Gaussian pilots that change every ten problems.
fn problems(pilot_length: usize, antennas: usize, count: usize) -> Vec<FrameBatch> {
    let config = ScenarioConfig {
        kind: ScenarioKind::UnitGain,
        bits: 0,
        pilot_length,
        antennas,
        pilots: PilotKind::Gaussian,
        pilot_redraw: PilotRedraw::Block,
        ..ScenarioConfig::default()
    };
    let scenario = Scenario::new(&config, 11, Split::Test).expect("no files");
    let block = |b: u64| scenario.realize(b * 10, 10).observe(&scenario.pilots(b)).expect("pilots fit");
    (0..count as u64 / 10).map(block).collect()
}

type Matrix = [[f64; 2]; 2];

fn product(a: Matrix, b: Matrix) -> Matrix {
    [0, 1].map(|i| [0, 1].map(|j| a[i][0] * b[0][j] + a[i][1] * b[1][j]))
}

fn transposed(a: Matrix) -> Matrix {
    [[a[0][0], a[1][0]], [a[0][1], a[1][1]]]
}

/// Smaller eigenvalue of a symmetric matrix.
fn smallest(a: Matrix) -> f64 {
    assert!((a[0][1] - a[1][0]).abs() < 1e-12, "not symmetric: {a:?}");
    let (mean, half) = (0.5 * (a[0][0] + a[1][1]), 0.5 * (a[0][0] - a[1][1]));
    mean - (half * half + a[0][1] * a[0][1]).sqrt()
}

/// Q, M_c and H of the module's documentation in units of rho.
fn framework(theta: f64) -> [Matrix; 3] {
    let h = [[1.0 - theta + theta * theta, -theta], [-theta, 1.0]];
    [[[1.0, -theta], [-1.0, 1.0]], [[1.0, 0.0], [theta - 1.0, 1.0]], h]
}

#[test]
fn the_correction_condition_holds_for_every_relaxation_and_ends_where_documented() {
    for step in 1..200 {
        let alpha = f64::from(step) / 100.0;
        let g = |theta: f64| -> Matrix {
            let [q, m, h] = framework(theta);
            let rest = product(transposed(m), product(h, m));
            [0, 1].map(|i| [0, 1].map(|j| q[i][j] + q[j][i] - alpha * rest[i][j]))
        };
        let theta = default_extrapolation(alpha);
        let [q, m, h] = framework(theta);
        let hm = product(h, m);
        assert!((0..4).all(|at| (hm[at / 2][at % 2] - q[at / 2][at % 2]).abs() < 1e-12), "H M_c = Q at {theta}");
        assert!(smallest(h) > 0.0 && smallest(g(theta)) > 0.0, "alpha = {alpha}");
        let edge = 1.0 - (2.0 - alpha) * (2.0 - alpha);
        assert!(smallest(g(edge)).abs() < 1e-9 && smallest(g(edge - 1e-3)) < 0.0, "alpha = {alpha}");
    }
}

/// Runs from a random start; returns the distances `||w - w*||_H^2` to the last iterate and the final KKT residual.
fn from_random_start(alpha: f64, seed: u64, batch: &FrameBatch) -> (Vec<f64>, f64) {
    let solver = Engine { options: PcAdmmOptions { alpha, lambda: Some(1.0), ..PcAdmmOptions::default() } };
    let shared = solver.prepare(batch).expect("fitting frames");
    let mut work = solver.workspace(&shared, batch);
    let m = batch.model().antennas();
    solver.start(&shared, batch.frame(0), m, &mut work);
    let noise = |at: usize| (((at as u64 + 1) * 2_654_435_761 + seed * 40_503) % 10_007) as f64 / 1000.0 - 5.0;
    for (i, planes) in [&mut work.v, &mut work.u].into_iter().enumerate() {
        planes.re.iter_mut().enumerate().for_each(|(at, v)| *v = noise(2 * at + 7919 * i));
        planes.im.iter_mut().enumerate().for_each(|(at, v)| *v = noise(2 * at + 1 + 7919 * i));
    }
    let mut path = Vec::new();
    for _ in 0..3000 {
        path.push([work.v.re.clone(), work.v.im.clone(), work.u.re.clone(), work.u.im.clone()]);
        solver.step(Scalar, &shared, &mut work);
    }
    let [.., h] = framework(default_extrapolation(alpha));
    let end = path.last().expect("3000 iterates").clone();
    let distance = |w: &[Vec<f64>; 4]| -> f64 {
        let gap = |part: usize, at: usize| w[part][at] - end[part][at];
        let pair = |part: usize| {
            (0..end[part].len())
                .map(|at| {
                    let (v, u) = (gap(part, at), gap(part + 2, at));
                    h[0][0] * v * v + 2.0 * h[0][1] * v * u + h[1][1] * u * u
                })
                .sum::<f64>()
        };
        pair(0) + pair(1)
    };
    let distances = path.iter().map(distance).collect();
    let mut x = vec![C64::default(); batch.model().columns() * m];
    solver.estimate(&shared, &work, m, &mut x);
    (distances, kkt_residual(batch.model(), batch.frame(0), &x, 1.0, m))
}

#[test]
fn random_starts_end_at_the_optimum_and_never_move_away_from_it() {
    for batch in [reference().0, problems(40, 1, 10).remove(0)] {
        for (seed, alpha) in [0.4, 1.0, 1.7, 1.9].into_iter().enumerate() {
            let (distances, kkt) = from_random_start(alpha, seed as u64, &batch);
            assert!(kkt < 1e-6, "alpha = {alpha}: {kkt}");
            let floor = 1e-9 * distances[0];
            assert!(
                distances.windows(2).all(|d| d[1] <= d[0] * (1.0 + 1e-9) || d[0] < floor),
                "alpha = {alpha}: ||w - w*||_H grew"
            );
        }
    }
}

fn run(config: &Classical, batch: &FrameBatch) -> Vec<C64> {
    build(config).expect("valid options").detect(batch).expect("fitting frames").x.expect("estimates")
}

fn relative(a: &[C64], b: &[C64]) -> f64 {
    let energy = |v: &mut dyn Iterator<Item = C64>| v.map(|v| v.norm_sqr()).sum::<f64>();
    (energy(&mut a.iter().zip(b).map(|(a, b)| a - b)) / energy(&mut b.iter().copied())).sqrt()
}

#[test]
fn the_optimum_is_the_one_of_the_reference_vectors() {
    let (batch, optimum) = reference();
    let config = config!("pc-admm", lambda = 1.0, iterations = 20_000, tolerance = 1e-11).unwrap();
    let x = run(&config, &batch);
    // The reference is stored in single precision.
    assert!(relative(&x, &optimum) < 1e-6, "{}", relative(&x, &optimum));
    assert!(x.chunks_exact(4).any(|row| row.iter().all(|v| v.norm_sqr() == 0.0)), "nothing was set to zero");
}

#[test]
fn the_lasso_meets_its_optimality_conditions_by_either_method() {
    let batch = reference().0.observed(0..2);
    for (method, iterations) in [(LassoMethod::Fista, 20_000), (LassoMethod::Ista, 100_000)] {
        let config =
            config!("lasso", lambda = 1.0, iterations = iterations, tolerance = 1e-13, method = method).unwrap();
        let x = run(&config, &batch);
        for (f, x) in x.chunks_exact(400).enumerate() {
            let kkt = kkt_residual(batch.model(), batch.frame(f), x, 1.0, 1);
            assert!(kkt < 1e-6, "{method:?}: {kkt}");
        }
    }
}

#[test]
fn with_one_antenna_the_lasso_is_the_group_lasso() {
    let batch = problems(40, 1, 10).remove(0);
    let config = |kind| config!(kind, iterations = 20_000, tolerance = 1e-12).unwrap();
    let (a, b) = (run(&config("lasso"), &batch), run(&config("group-lasso"), &batch));
    assert!(relative(&a, &b) < 1e-6, "{}", relative(&a, &b));
}

fn median(mut counts: Vec<usize>) -> usize {
    counts.sort_unstable();
    counts[counts.len() / 2]
}

/// Median iterations to KKT < 1e-6 over 100 problems. `plain` is ADMM on the same splitting: `alpha = 1`, `theta = 0`.
/// Compared at the default penalty of each, at a common one (ours), and each at its best of a grid.
#[test]
fn prediction_correction_needs_the_fewest_iterations() {
    println!("| problem | solver | rho | median iterations to KKT < 1e-6 |\n|---|---|---|---|");
    for (length, antennas) in [(40, 1), (20, 4)] {
        let problems = problems(length, antennas, 100);
        let count = |config: &Classical, of: &[FrameBatch]| {
            let detector = build(config).expect("valid options");
            let solver = detector.solver().expect("a convex problem");
            let counts = |batch| solver.iterations_to_optimum(batch, 1e-6).expect("fits");
            median(of.iter().flat_map(counts).collect())
        };
        let pc = |rho| config!("pc-admm", rho = rho).unwrap();
        let plain = |rho| config!("pc-admm", rho = rho, alpha = 1.0, extrapolation = 0.0).unwrap();
        let sharing = |rho| config!("group-lasso-admm", rho = rho).unwrap();
        let unit = length as f64 * default_rho(10.0, length);
        let line = |name: &str, rho: &str, n: usize| {
            println!("| N = 100, L = {length}, M = {antennas} | {name} | {rho} | {n} |");
            n
        };
        let ours = line("pc-admm", "default", count(&pc(None), &problems));
        let plain_common = line("plain ADMM, same splitting", "that of pc-admm", count(&plain(None), &problems));
        let plain_one = line("plain ADMM, same splitting", "1", count(&plain(Some(1.0)), &problems));
        let algorithm_1 = line("Algorithm 1 (group-lasso-admm)", "default 1", count(&sharing(None), &problems));
        // Each at its best penalty of a grid of factors of two, on the first 20 problems.
        let grid = |of: &dyn Fn(Option<f64>) -> Classical, unit: f64| {
            let at = |k: i32| unit * 2.0_f64.powi(k);
            (-2..=2).map(|k| (count(&of(Some(at(k))), &problems[..2]), at(k))).min_by_key(|v| v.0).expect("five values")
        };
        let best = [grid(&pc, unit), grid(&plain, unit), grid(&sharing, 2.0)];
        for (name, (n, rho)) in ["pc-admm", "plain ADMM, same splitting", "Algorithm 1"].iter().zip(best) {
            line(name, &format!("best of five, {rho:.3}; 20 problems"), n);
        }
        assert!(ours < plain_common && ours < plain_one && ours < algorithm_1);
        assert!(best[0].0 < best[1].0 && best[0].0 < best[2].0);
    }
}
