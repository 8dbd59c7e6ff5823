use super::*;
use crate::link::{C64, Split};
use crate::scenario::Scenario;
use crate::scenario::files::{read_frames, write_decisions, write_frames};
use crate::scenario::{NomaConfig, ScenarioConfig, ScenarioKind};

const F: usize = 2;
const N: usize = 3;
const H: usize = 2;

fn one(n: usize) -> Vec<C64> {
    vec![C64::new(1.0, 0.5); n]
}

/// Sample frames, with the array `replaced` left to `change`.
fn arrays(replaced: &str, change: fn(NpzWriter) -> NpzWriter) -> Result<FrameBatch, IoError> {
    let dir = temp_dir::TempDir::new().unwrap();
    let path = dir.path().join("f.npz");
    let mut out = NpzWriter::new();
    for (name, shape) in [("y", &[F, H][..]), ("h", &[F, N, H]), ("signatures", &[H, N]), ("constellation", &[4])] {
        if name != replaced {
            out = out.complex(name, shape, &one(shape.iter().product()));
        }
    }
    for (name, value) in [("noise_var", 0.1), ("activity_prob", 1.0)] {
        if name != replaced {
            out = out.scalar(name, value);
        }
    }
    change(out).write(&path).unwrap();
    read_frames(&path)
}

#[test]
fn simulated_frames_survive_the_round_trip() {
    let noma = NomaConfig { users: N, signature_length: H, ..NomaConfig::default() };
    let config = ScenarioConfig { kind: ScenarioKind::Noma, noma: Some(noma), ..Default::default() };
    let scenario = Scenario::new(&config, 1, Split::Test).unwrap();
    let batch = scenario.realize(0, F).observe(&scenario.pilots(0)).unwrap();
    let dir = temp_dir::TempDir::new().unwrap();
    let path = dir.path().join("f.npz");
    write_frames(&path, &batch).unwrap();
    let read = read_frames(&path).unwrap();
    let close = |a: &[C64], b: &[C64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).norm() < 1e-5);
    let (a, b) = (batch.spreading().unwrap(), read.spreading().unwrap());
    assert!(close(batch.y(), read.y()) && close(a.coefficients(), b.coefficients()));
    assert!(
        close(a.constellation(), b.constellation())
            && close(batch.model().pilots().data(), read.model().pilots().data())
    );
    assert_eq!((read.frames(), read.model().antennas(), read.model().sequences()), (F, 1, 1));
    assert_eq!((read.truth(), read.model().activity_prob()), (batch.truth(), batch.model().activity_prob()));

    let d = Decisions { activity: vec![0, 1, 4, 2, 0, 0], score: vec![0.0; F * N * 4], ..Decisions::default() };
    write_decisions(&path, &d, &batch).unwrap();
    let file = NpzFile::open(&path).unwrap();
    assert_eq!(file.int("symbols").unwrap().data, [-1, 0, 3, 1, -1, -1]);
    assert_eq!(file.int("activity").unwrap().shape, [F, N]);
    assert_eq!(file.real("score").unwrap().shape, [F, N * 4]);
}

#[test]
fn absent_truth_and_one_probability_are_fine() {
    let batch = arrays("", |o| o).unwrap();
    assert!(batch.truth().is_none());
    assert_eq!(batch.model().activity_prob(), [1.0; N]);
    assert_eq!(batch.alternatives(), 4);
}

#[test]
fn every_bad_array_is_a_clear_error() {
    type Change = fn(NpzWriter) -> NpzWriter;
    let cases: [(&str, &str, Change); 17] = [
        ("y", "[F, H]", |o| o.complex("y", &[F, H, 1], &one(F * H))),
        ("y", "at least one", |o| o.complex("y", &[0, H], &[])),
        ("y", "NaN", |o| o.complex("y", &[F, H], &[C64::new(f64::NAN, 0.0); F * H])),
        ("signatures", "[2, N]", |o| o.complex("signatures", &[3, N], &one(9))),
        ("signatures", "zero", |o| o.complex("signatures", &[H, N], &[C64::default(); H * N])),
        ("h", "[2, 3, 2]", |o| o.complex("h", &[F, H, N], &one(12))),
        ("h", "has no array", |o| o),
        ("h", "inf", |o| o.complex("h", &[F, N, H], &[C64::new(f64::INFINITY, 0.0); 12])),
        ("constellation", "[C]", |o| o.complex("constellation", &[2, 2], &one(4))),
        ("constellation", "[C]", |o| o.complex("constellation", &[0], &[])),
        ("constellation", "idle", |o| o.real("constellation", &[2], &[1.0, 0.0])),
        ("noise_var", "> 0", |o| o.scalar("noise_var", 0.0)),
        ("activity_prob", "(0, 1]", |o| o.scalar("activity_prob", 1.5)),
        ("activity_prob", "(0, 1]", |o| o.real("activity_prob", &[N], &[0.5, 0.0, 0.5])),
        ("activity_prob", "[N] = [3]", |o| o.real("activity_prob", &[2], &[0.5; 2])),
        ("symbols", "[2, 3]", |o| o.int("symbols", &[F], &[0; F])),
        ("symbols", "0..=3", |o| o.int("symbols", &[F, N], &[0, 1, 2, 3, 4, -1])),
    ];
    for (i, (array, says, change)) in cases.iter().enumerate() {
        let message = arrays(array, *change).unwrap_err().to_string();
        assert!(message.contains(array) && message.contains(says), "case {i}: {message}");
    }
}
