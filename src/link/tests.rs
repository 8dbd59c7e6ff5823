use std::sync::Arc;

use super::*;

const F: usize = 2;
const L: usize = 3;
const M: usize = 2;
const N: usize = 2;
const Q: usize = 2;

fn ones(count: usize) -> Vec<C64> {
    vec![C64::new(1.0, -1.0); count]
}

fn pilots() -> Arc<Pilots> {
    Arc::new(Pilots::new(L, N * Q, Q, 2.0, ones(L * N * Q)).unwrap())
}

fn model() -> AccessModel {
    AccessModel::new(pilots(), M, 0.5, vec![0.1, 0.2]).unwrap()
}

/// Frames whose entries tell their place.
fn batch() -> FrameBatch {
    let y = (0..F * L * M).map(|i| C64::new(i as f64, 0.0)).collect();
    let beta = Beta::per_frame(N, vec![1.0, 2.0, 3.0, 0.0]).unwrap();
    let truth = Truth::new(vec![0, 1, 2, 0], (0..F * N * M).map(|i| C64::new(0.0, i as f64)).collect());
    FrameBatch::new(model(), y, beta).unwrap().with_truth(truth).unwrap()
}

fn spread() -> FrameBatch {
    let signatures = Arc::new(Pilots::new(L, N, 1, 1.0, ones(L * N)).unwrap());
    let model = AccessModel::new(signatures, 1, 0.5, vec![1.0, 0.5]).unwrap();
    let spreading = Spreading::new(Arc::new(ones(4)), ones(F * N * L)).unwrap();
    FrameBatch::spread(model, ones(F * L), spreading).unwrap()
}

/// Fails unless the error is about `array` and says all of `words`.
#[track_caller]
fn refused<T: std::fmt::Debug>(made: Result<T, ArrayError>, array: &str, words: &[&str]) {
    let error = made.unwrap_err();
    let text = error.to_string();
    assert_eq!(error.array(), array, "{text}");
    assert_eq!(text, format!("{array} {}", error.problem()));
    assert!(words.iter().all(|w| text.contains(w)), "{text}");
}

#[test]
fn pilots_that_cannot_be_are_refused() {
    let new = |l, k, q, energy, count| Pilots::new(l, k, q, energy, ones(count));
    refused(new(0, 4, 2, 1.0, 0), "pilots", &["[0, 4]", "at least one row and column"]);
    refused(new(3, 0, 1, 1.0, 0), "pilots", &["[3, 0]"]);
    refused(new(3, 4, 0, 1.0, 12), "sequences", &["is 0", "divides the 4 columns"]);
    refused(new(3, 4, 3, 1.0, 12), "sequences", &["is 3", "divides the 4 columns"]);
    refused(new(3, 4, 2, 1.0, 11), "pilots", &["holds 11 values", "need 12", "[L, N*Q] = [3, 4]"]);
    for energy in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        refused(new(3, 4, 2, energy, 12), "pilot_energy", &["finite number > 0"]);
    }
    let mut data = ones(12);
    data[7] = C64::new(0.0, f64::INFINITY);
    refused(Pilots::new(3, 4, 2, 1.0, data.clone()), "pilots", &["inf", "[1, 3]", "1 of 12"]);
    refused(pilots().with_data(1.0, data), "pilots", &["[1, 3]"]);
}

#[test]
fn models_and_gains_that_cannot_be_are_refused() {
    let new = |m, noise_var, prob: &[f64]| AccessModel::new(pilots(), m, noise_var, prob.to_vec());
    refused(new(0, 1.0, &[0.1; 2]), "antennas", &["at least one"]);
    for noise_var in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        refused(new(1, noise_var, &[0.1; 2]), "noise_var", &["finite number > 0"]);
    }
    refused(new(1, 1.0, &[0.1; 4]), "activity_prob", &["holds 4 values", "need 2", "[N] = [2]"]);
    for p in [0.0, -0.1, 1.1, f64::NAN] {
        refused(new(1, 1.0, &[0.1, p]), "activity_prob", &["at [1]", "(0, 1]"]);
    }
    for gain in [-1.0, f64::NAN, f64::INFINITY] {
        refused(Beta::shared(vec![1.0, gain]), "beta", &["at [1]", "finite gains >= 0"]);
        refused(Beta::per_frame(2, vec![1.0, 1.0, 1.0, gain]), "beta", &["at [1, 1]"]);
    }
    refused(Beta::per_frame(2, vec![1.0; 3]), "beta", &["holds 3 values", "multiple of N = 2"]);
    refused(Beta::per_frame(0, vec![]), "beta", &["N = 0"]);
}

#[test]
fn frames_that_cannot_be_are_refused() {
    let new = |y, beta| FrameBatch::new(model(), y, beta);
    // A short batch, which a detector would read past its end.
    refused(new(ones(F * L * M - 1), Beta::ones(N)), "y", &["holds 11 values", "need 12", "[F, L, M] = [2, 3, 2]"]);
    let mut y = ones(F * L * M);
    y[9].re = f64::NAN;
    refused(new(y, Beta::ones(N)), "y", &["NaN", "[1, 1, 1]"]);
    refused(new(ones(F * L * M), Beta::ones(N + 1)), "beta", &["holds 3 values", "[N] = [2]"]);
    let one_frame = Beta::per_frame(N, vec![1.0; N]).unwrap();
    refused(new(ones(F * L * M), one_frame), "beta", &["holds 2 values", "[F, N] = [2, 2]"]);
    let always = AccessModel::new(pilots(), M, 0.5, vec![0.1, 1.0]).unwrap();
    refused(FrameBatch::new(always, ones(L * M), Beta::ones(N)), "activity_prob", &["holds 1 at [1]", "(0, 1)"]);
    assert_eq!(new(Vec::new(), Beta::ones(N)).unwrap().frames(), 0);
}

#[test]
fn a_truth_of_other_frames_is_refused() {
    let with = |activity: &[i64], count| batch().with_truth(Truth::new(activity.to_vec(), ones(count)));
    refused(with(&[0; 3], 8), "activity", &["holds 3 values", "[F, N] = [2, 2]"]);
    for bad in [-1, 3] {
        refused(with(&[0, 0, bad, 0], 8), "activity", &["at [1, 0]", "1..=2"]);
    }
    refused(with(&[0; 4], 7), "channel", &["holds 7 values", "[F, N, M] = [2, 2, 2]"]);
    let mut channel = ones(8);
    channel[5].im = f64::NAN;
    refused(batch().with_truth(Truth::new(vec![0; 4], channel)), "channel", &["[1, 0, 1]"]);
    refused(spread().with_truth(Truth::new(vec![5; 4], Vec::new())), "activity", &["1..=4"]);
    refused(spread().with_truth(Truth::new(vec![4; 4], ones(4))), "channel", &["spreading link"]);
}

#[test]
fn spread_frames_that_cannot_be_are_refused() {
    refused(Spreading::new(Arc::new(Vec::new()), Vec::new()), "constellation", &["at least one symbol"]);
    refused(Spreading::new(Arc::new(vec![C64::default()]), Vec::new()), "constellation", &["[0]", "idle"]);
    let spreading = |count| Spreading::new(Arc::new(ones(4)), ones(count)).unwrap();
    refused(FrameBatch::spread(model(), ones(F * L), spreading(12)), "antennas", &["is 2", "spreading link"]);
    let model = spread().model().clone();
    refused(FrameBatch::spread(model.clone(), ones(F * L - 1), spreading(12)), "y", &["[F, H]"]);
    refused(FrameBatch::spread(model.clone(), ones(F * L), spreading(11)), "h", &["[F, N, H] = [2, 2, 3]"]);
    let mut bad = ones(12);
    bad[4].re = f64::NAN;
    let bad = Spreading::new(Arc::new(ones(4)), bad).unwrap();
    refused(FrameBatch::spread(model, ones(F * L), bad), "h", &["[0, 1, 1]"]);
}

#[test]
fn decisions_are_checked_against_their_frames() {
    let decisions = |activity: &[i64], score| Decisions::new(activity.to_vec(), vec![0.0; score]);
    let check = |d: Decisions| d.check(&batch());
    check(decisions(&[0, 1, 2, 0], 8).with_x(ones(16)).with_gamma(vec![0.0; 8])).unwrap();
    refused(check(decisions(&[0; 3], 8)), "activity", &["[F, N] = [2, 2]"]);
    refused(check(decisions(&[0, 0, 0, 3], 8)), "activity", &["3", "0 (idle) to 2"]);
    refused(check(decisions(&[0; 4], 7)), "score", &["[F, N*Q] = [2, 4]"]);
    refused(check(decisions(&[0; 4], 8).with_x(ones(8))), "x", &["[F, N*Q, M] = [2, 4, 2]"]);
    refused(check(decisions(&[0; 4], 8).with_gamma(vec![0.0; 4])), "gamma", &["[F, N*Q] = [2, 4]"]);
    decisions(&[4; 4], 16).check(&spread()).unwrap();
}

#[test]
fn a_part_holds_the_frames_asked_for() {
    let (whole, second) = (batch(), batch().part(1..2));
    assert_eq!((second.frames(), second.y(), second.beta_of(0)), (1, whole.frame(1), whole.beta_of(1)));
    let (truth, part) = (whole.truth().unwrap(), second.truth().unwrap());
    assert_eq!((part.activity(), part.channel()), (&truth.activity()[2..], &truth.channel()[4..]));
    assert!(whole.observed(0..2).truth().is_none());
    assert_eq!(spread().observed(1..2).spreading().unwrap().coefficients(), ones(N * L));
    assert_eq!(whole.part(1..1).frames(), 0);
    let d = Decisions::new(vec![1, 2, 3, 4], vec![0.5; 8]).with_gamma((0..8).map(f64::from).collect());
    let part = d.part(2, 1..2);
    assert_eq!((part.activity, part.gamma), (vec![3, 4], Some(vec![4.0, 5.0, 6.0, 7.0])));
}
