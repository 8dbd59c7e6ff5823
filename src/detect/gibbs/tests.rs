//! Chains and sums against the posterior computed from scratch: one Cholesky factor per state.

use super::*;
use crate::detect::{Classical, CovarianceSection, CovarianceSectionOptions, Map, MapOptions};
use crate::link::{C64, Decisions, FrameBatch, Split};
use crate::scenario::{ActivityLaw, Scenario, ScenarioConfig, ScenarioKind};

/// Seven devices with two sequences each, or groups of devices with one.
fn frames(config: ScenarioConfig, count: usize) -> FrameBatch {
    let scenario = Scenario::new(&config, 5, Split::Test).unwrap();
    scenario.realize(0, count).observe(&scenario.pilots(0)).unwrap()
}

fn small() -> ScenarioConfig {
    ScenarioConfig {
        devices: 5,
        antennas: 2,
        pilot_length: 4,
        bits: 1,
        activity_prob: 0.3,
        kind: ScenarioKind::UnitGain,
        noise_var: Some(0.5),
        ..ScenarioConfig::default()
    }
}

fn grouped(law: ActivityLaw) -> ScenarioConfig {
    ScenarioConfig { devices: 12, bits: 0, activity_law: Some(law), groups: Some(4), noise_var: Some(2.0), ..small() }
}

/// `-M ln det Sigma - tr(Y^H Sigma^-1 Y)` and `Sigma^-1 Y` of one state.
fn likelihood(batch: &FrameBatch, f: usize, sent: &[usize]) -> (f64, Vec<C64>) {
    let model = batch.model();
    let (l, m, q) = (model.pilot_length(), model.antennas(), model.sequences());
    let mut sigma = vec![C64::default(); l * l];
    for i in 0..l {
        sigma[i * l + i] = model.noise_var().into();
    }
    for (n, &s) in sent.iter().enumerate().filter(|(_, s)| **s > 0) {
        let column = model.pilots().column(n * q + s - 1);
        for i in 0..l {
            for j in 0..l {
                sigma[i * l + j] += batch.beta_of(f)[n] * column[i] * column[j].conj();
            }
        }
    }
    // Gauss-Jordan; the matrix is positive definite.
    let mut solved = batch.frame(f).to_vec();
    let mut log_det = 0.0;
    for k in 0..l {
        let pivot = sigma[k * l + k];
        log_det += pivot.re.ln();
        (0..l).for_each(|j| sigma[k * l + j] /= pivot);
        (0..m).for_each(|j| solved[k * m + j] /= pivot);
        for i in (0..l).filter(|i| *i != k) {
            let factor = sigma[i * l + k];
            for j in 0..l {
                let row = sigma[k * l + j];
                sigma[i * l + j] -= factor * row;
            }
            for j in 0..m {
                let row = solved[k * m + j];
                solved[i * m + j] -= factor * row;
            }
        }
    }
    let quadratic: f64 = batch.frame(f).iter().zip(&solved).map(|(y, s)| (y.conj() * s).re).sum();
    (-(m as f64) * log_det - quadratic, solved)
}

/// Marginals `[N*Q]` and means `[N*Q, M]` of one frame, from states with their log priors.
fn posterior(batch: &FrameBatch, f: usize, states: &[(Vec<usize>, f64)]) -> (Vec<f64>, Vec<C64>) {
    let model = batch.model();
    let (m, q, columns) = (model.antennas(), model.sequences(), model.columns());
    let all: Vec<(f64, Vec<C64>)> = states
        .iter()
        .map(|(sent, prior)| {
            let (likelihood, solved) = likelihood(batch, f, sent);
            (likelihood + prior, solved)
        })
        .collect();
    let top = all.iter().map(|a| a.0).fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = all.iter().map(|a| (a.0 - top).exp()).sum();
    let (mut marginals, mut x) = (vec![0.0; columns], vec![C64::default(); columns * m]);
    for ((sent, _), (exponent, solved)) in states.iter().zip(&all) {
        let weight = (exponent - top).exp() / total;
        for (n, &s) in sent.iter().enumerate().filter(|(_, s)| **s > 0) {
            let at = n * q + s - 1;
            marginals[at] += weight;
            for (l, s) in model.pilots().column(at).iter().enumerate() {
                for j in 0..m {
                    x[at * m + j] += weight * batch.beta_of(f)[n] * s.conj() * solved[l * m + j];
                }
            }
        }
    }
    (marginals, x)
}

/// All states of devices on their own.
fn all_states(batch: &FrameBatch) -> Vec<(Vec<usize>, f64)> {
    let (n, q) = (batch.model().devices(), batch.model().sequences());
    let eps = batch.model().activity_prob();
    (0..(q + 1).pow(n as u32))
        .map(|mut code| {
            let mut prior = 0.0;
            let sent = (0..n)
                .map(|d| {
                    let s = code % (q + 1);
                    code /= q + 1;
                    prior += if s > 0 { (eps[d] / q as f64).ln() } else { (1.0 - eps[d]).ln() };
                    s
                })
                .collect();
            (sent, prior)
        })
        .collect()
}

/// All states of groups.
fn group_states(batch: &FrameBatch) -> Vec<(Vec<usize>, f64)> {
    let (n, law, eps) = (batch.model().devices(), batch.model().groups().unwrap(), batch.model().activity_prob()[0]);
    let spread = |code: usize| (0..n).map(|d| code >> (d / (n / law.count)) & 1).collect();
    if law.single {
        return (0..law.count).map(|g| (spread(1 << g), 0.0)).collect();
    }
    let prior = |code: usize| {
        let on = code.count_ones() as f64;
        on * eps.ln() + (law.count as f64 - on) * (1.0 - eps).ln()
    };
    (0..1 << law.count).map(|code: usize| (spread(code), prior(code))).collect()
}

/// The posterior weight of a sequence against idle that a score stands for.
fn odds(score: f64, eps: f64, q: usize) -> f64 {
    (score + (eps / (q as f64 * (1.0 - eps))).ln()).exp()
}

/// Largest distances of marginals' odds (as probabilities) and of means over all frames.
fn distances(batch: &FrameBatch, states: &[(Vec<usize>, f64)], d: &Decisions) -> (f64, f64) {
    let (q, m, columns) = (batch.model().sequences(), batch.model().antennas(), batch.model().columns());
    let (mut marginal, mut mean) = (0.0_f64, 0.0_f64);
    for f in 0..batch.frames() {
        let (marginals, x) = posterior(batch, f, states);
        for (i, (want, score)) in marginals.iter().zip(&d.score[f * columns..]).enumerate() {
            let n = i / q;
            let idle = 1.0 - marginals[n * q..(n + 1) * q].iter().sum::<f64>();
            let (want, got) = (want / (want + idle), odds(*score, batch.model().activity_prob()[n], q));
            marginal = marginal.max((want - got / (1.0 + got)).abs());
        }
        let estimate = &d.x.as_ref().unwrap()[f * columns * m..(f + 1) * columns * m];
        mean = x.iter().zip(estimate).map(|(a, b)| (a - b).norm()).fold(mean, f64::max);
    }
    (marginal, mean)
}

fn run(options: GibbsOptions, batch: &FrameBatch) -> Decisions {
    Gibbs::new(options).unwrap().detect(batch).unwrap()
}

#[test]
fn enumeration_is_the_posterior() {
    let batch = frames(small(), 12);
    let exact = run(GibbsOptions { method: GibbsMethod::Enumeration, ..GibbsOptions::default() }, &batch);
    let (marginal, mean) = distances(&batch, &all_states(&batch), &exact);
    // Rounding grows for some states before all sums are computed anew.
    assert!(marginal < 1e-6 && mean < 1e-6, "{marginal} {mean}");
}

#[test]
fn chains_tend_to_the_posterior() {
    let batch = frames(small(), 12);
    let states = all_states(&batch);
    let mut last = f64::INFINITY;
    for iterations in [50, 20_000] {
        let d = run(GibbsOptions { iterations, ..GibbsOptions::default() }, &batch);
        let (marginal, mean) = distances(&batch, &states, &d);
        assert!(marginal < last, "{marginal} after {iterations} sweeps, {last} before");
        last = marginal;
        if iterations > 1000 {
            assert!(marginal < 0.03 && mean < 0.05, "{marginal} {mean}");
            assert!(d.converged.unwrap().iter().all(|c| *c));
        }
    }
}

#[test]
fn exchanged_temperatures_and_starts_have_the_same_limit() {
    let batch = frames(small(), 6);
    let start = vec![Start::Truth, Start::Random];
    let d = run(GibbsOptions { iterations: 40_000, temperatures: 3, start, ..GibbsOptions::default() }, &batch);
    let (marginal, _) = distances(&batch, &all_states(&batch), &d);
    assert!(marginal < 0.03, "{marginal}");
    let blind = GibbsOptions { start: vec![Start::Truth], ..GibbsOptions::default() };
    assert!(Gibbs::new(blind).unwrap().detect(&batch.without_truth()).is_err());
}

#[test]
fn groups_are_sampled_as_groups() {
    for law in [ActivityLaw::IidGroups, ActivityLaw::SingleGroup] {
        let batch = frames(grouped(law), 10);
        let states = group_states(&batch);
        let d = run(GibbsOptions { iterations: 10_000, groups: true, ..GibbsOptions::default() }, &batch);
        let (marginal, mean) = distances(&batch, &states, &d);
        assert!(marginal < 0.03 && mean < 0.03, "{law:?}: {marginal} {mean}");
    }
    let alone = frames(small(), 1);
    let error =
        Gibbs::new(GibbsOptions { groups: true, ..GibbsOptions::default() }).unwrap().detect(&alone).unwrap_err();
    assert!(error.to_string().contains("one sequence per device"), "{error}");
}

#[test]
fn other_detectors_know_groups() {
    let single = frames(grouped(ActivityLaw::SingleGroup), 10);
    let options = CovarianceSectionOptions { groups: true, ..CovarianceSectionOptions::default() };
    let section = CovarianceSection::new(options).unwrap();
    let d = section.detect(&single).unwrap();
    let (marginal, mean) = distances(&single, &group_states(&single), &d);
    assert!(marginal < 1e-9 && mean < 1e-9, "{marginal} {mean}");

    // Fewer errors than the same detectors without the groups.
    let batch = frames(ScenarioConfig { noise_var: Some(0.5), ..grouped(ActivityLaw::IidGroups) }, 200);
    let errors = |d: &Decisions| {
        let truth = batch.truth().unwrap().activity();
        truth.iter().zip(&d.activity).filter(|(a, b)| a != b).count()
    };
    let told = section.detect(&batch).unwrap();
    let not = CovarianceSection::new(CovarianceSectionOptions::default()).unwrap().detect(&batch).unwrap();
    assert!(errors(&told) < errors(&not), "{} {}", errors(&told), errors(&not));
    let map = |groups| Map::new(MapOptions { groups, ..MapOptions::default() }).unwrap().detect(&batch).unwrap();
    assert!(errors(&map(true)) < errors(&map(false)));
    // Sampling is no worse than the weights of a fixed point.
    let sampled = run(GibbsOptions { groups: true, iterations: 1000, ..GibbsOptions::default() }, &batch);
    assert!(errors(&sampled) <= errors(&told) + 6, "{} {}", errors(&sampled), errors(&told));
}

#[test]
fn decisions_do_not_depend_on_the_batch() {
    let batch = frames(small(), 5);
    let options = GibbsOptions { iterations: 20, ..GibbsOptions::default() };
    let all = run(options.clone(), &batch);
    for f in 0..5 {
        assert_eq!(run(options.clone(), &batch.part(f..f + 1)), all.part(5, f..f + 1));
    }
}

#[test]
fn too_many_states_are_refused() {
    let batch = frames(ScenarioConfig { devices: 30, ..small() }, 1);
    let exact = Classical::from_toml("kind = \"gibbs\"\nmethod = \"enumeration\"").unwrap();
    let error = crate::detect::build(&exact).unwrap().detect(&batch).unwrap_err().to_string();
    assert!(error.contains("3^30") && error.contains("chains"), "{error}");
}
