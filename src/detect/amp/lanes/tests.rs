use super::*;
use crate::detect::Threshold;
use crate::detect::amp::iteration::Amp;
use crate::link::{Beta, Split};
use crate::link::{Decisions, Detector};
use crate::scenario::Scenario;
use crate::scenario::{PilotKind, ScenarioConfig, ScenarioKind};

/// AMP as it is by default.
fn settings() -> Settings {
    Settings {
        iterations: 50,
        damping: 1.0,
        threshold: Threshold::MAP,
        onsager: Onsager::Matrix,
        section: false,
        mean_activity: false,
    }
}

fn frames(config: ScenarioConfig, count: usize) -> FrameBatch {
    let scenario = Scenario::new(&config, 3, Split::Test).unwrap();
    scenario.realize(0, count).observe(&scenario.pilots(0)).unwrap()
}

/// Long pilots, so that AMP converges and its rounding errors stay small.
fn links() -> Vec<FrameBatch> {
    let unit = |antennas, bits| ScenarioConfig {
        kind: ScenarioKind::UnitGain,
        devices: 50,
        antennas,
        pilot_length: 37,
        bits,
        activity_prob: 0.08,
        pilots: PilotKind::UnitNorm,
        ..ScenarioConfig::default()
    };
    let far = ScenarioConfig { devices: 40, antennas: 3, pilot_length: 40, ..ScenarioConfig::default() };
    vec![frames(unit(1, 0), 13), frames(unit(4, 0), 8), frames(unit(5, 1), 4), frames(far, 9)]
}

fn part(batch: &FrameBatch, first: usize, count: usize) -> FrameBatch {
    let beta = (first..first + count).flat_map(|f| batch.beta_of(f).iter().copied()).collect();
    let y = batch.observed(first..first + count).y().to_vec();
    FrameBatch::new(batch.model().clone(), y, Beta::per_frame(batch.model().devices(), beta).unwrap()).unwrap()
}

fn close(single: &Decisions, double: &Decisions, name: &str) {
    let gap = |a: &mut dyn Iterator<Item = (f64, f64)>| {
        a.fold((0.0_f64, 1e-30_f64), |(d, n), (a, b)| (d + (a - b).powi(2), n + b * b))
    };
    let rows = single.x.as_ref().unwrap().iter().zip(double.x.as_ref().unwrap());
    let (d, n) = gap(&mut rows.flat_map(|(a, b)| [(a.re, b.re), (a.im, b.im)]));
    assert!((d / n).sqrt() < 1e-4, "{name}: x {}", (d / n).sqrt());
    let (d, n) = gap(&mut single.score.iter().copied().zip(double.score.iter().copied()));
    assert!((d / n).sqrt() < 1e-4, "{name}: score {}", (d / n).sqrt());
}

#[test]
fn eight_frames_side_by_side_decide_as_one_at_a_time_in_double_precision() {
    for (link, batch) in links().iter().enumerate() {
        for (section, damping, onsager) in
            [(false, 1.0, Onsager::Matrix), (true, 0.6, Onsager::Matrix), (false, 0.7, Onsager::Scalar)]
        {
            let options =
                Settings { iterations: 12, damping, threshold: Threshold::MAP, onsager, section, mean_activity: false };
            let single = Amp::<f32>::new(options.clone()).detect(batch).unwrap();
            let double = Amp::<f64>::new(options).detect(batch).unwrap();
            close(&single, &double, &format!("link {link}, section {section}, damping {damping}"));
            let differ = single.activity.iter().zip(&double.activity).filter(|(a, b)| a != b).count();
            assert!(differ <= 1, "link {link}: {differ} decisions differ");
        }
    }
}

#[test]
fn sixteen_frames_side_by_side_are_eight_twice_bit_for_bit() {
    for (link, batch) in links().iter().enumerate() {
        for damping in [1.0, 0.6] {
            let options = Settings { damping, ..settings() };
            let amp = Amp::<f32>::new(options);
            let (narrow, wide) = (amp.side_by_side(batch, false).unwrap(), amp.side_by_side(batch, true).unwrap());
            assert_eq!(narrow.activity, wide.activity, "link {link}");
            assert_eq!(narrow.score, wide.score, "link {link}");
            assert_eq!(narrow.x, wide.x, "link {link}");
        }
    }
}

#[test]
fn neighbours_change_no_bit_of_a_frame() {
    let batch = &links()[3];
    let amp = Amp::<f32>::new(settings());
    let (all, last) = (amp.detect(batch).unwrap(), amp.detect(&part(batch, 4, 5)).unwrap());
    let n = batch.model().devices();
    assert_eq!(all.activity[4 * n..], last.activity);
    assert_eq!(all.score[4 * n * 2..], last.score);
    assert_eq!(all.x.unwrap()[4 * n * 2 * 3..], last.x.unwrap());
}

#[test]
fn an_overflowing_frame_keeps_its_last_finite_iterate_and_harms_nobody() {
    let batch = links().remove(1);
    let amp = Amp::<f32>::new(settings());
    let before = amp.detect(&batch).unwrap();
    let per_frame = batch.y().len() / batch.frames();
    let mut y = batch.y().to_vec();
    y[..per_frame].iter_mut().for_each(|v| *v *= 1e18);
    let batch = FrameBatch::new(batch.model().clone(), y, batch.beta().clone()).unwrap();
    let after = amp.detect(&batch).unwrap();
    assert!(after.score.iter().all(|s| s.is_finite()), "an infinite score");
    let n = batch.model().devices();
    assert_eq!(before.score[n..], after.score[n..]);
}

#[test]
fn packed_pilots_are_those_of_the_batch() {
    let (amp, links) = (Amp::<f32>::new(settings()), links());
    let fresh = |batch: &FrameBatch| Amp::<f32>::new(settings()).detect(batch).unwrap();
    for i in [1, 1, 2, 1, 3, 3] {
        assert_eq!(amp.detect(&links[i]).unwrap().score, fresh(&links[i]).score, "link {i}");
    }
}
