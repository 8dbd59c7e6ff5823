//! The laws of activity and the link with unit gains.

use super::*;
use crate::link::{Beta, C64, Split};
use crate::scenario::{ActivityLaw, PilotKind, ScenarioConfig, ScenarioKind};

fn config() -> ScenarioConfig {
    ScenarioConfig {
        kind: ScenarioKind::UnitGain,
        devices: 12,
        antennas: 2,
        pilot_length: 6,
        bits: 0,
        activity_prob: 0.2,
        noise_var: Some(0.25),
        ..ScenarioConfig::default()
    }
}

fn draws(config: &ScenarioConfig, frames: usize) -> Realizations {
    config.validate().expect("a valid scenario");
    Scenario::new(config, 5, Split::Test).expect("no files").realize(0, frames)
}

const FRAMES: usize = 8000;

#[test]
fn two_halves_have_their_own_probabilities() {
    let ratio = ScenarioConfig { activity_ratio: Some(3.0), ..config() };
    let r = draws(&ratio, FRAMES);
    let rate = |half: std::ops::Range<usize>| {
        let active = r.activity().chunks_exact(12).flat_map(|f| &f[half.clone()]).filter(|a| **a > 0).count();
        active as f64 / (FRAMES * half.len()) as f64
    };
    // Mean 0.2 and ratio 3: 0.3 and 0.1; five standard deviations are 0.011 and 0.007.
    let (first, second) = (rate(0..6), rate(6..12));
    assert!((first - 0.3).abs() < 0.011 && (second - 0.1).abs() < 0.007, "{first} {second}");
    let probs = ratio.activity_probs();
    assert!((probs[0] - 0.3).abs() < 1e-12 && (probs[11] - 0.1).abs() < 1e-12);
    let batch = r.observe(&Scenario::new(&ratio, 5, Split::Test).unwrap().pilots(0)).unwrap();
    assert_eq!(batch.model().activity_prob(), probs);
}

#[test]
fn one_group_at_a_time() {
    let one = ScenarioConfig { activity_law: Some(ActivityLaw::SingleGroup), groups: Some(4), ..config() };
    assert_eq!(one.effective_activity_prob(), 0.25);
    let mut seen = [0_usize; 4];
    for frame in draws(&one, FRAMES).activity().chunks_exact(12) {
        let active: Vec<usize> = (0..12).filter(|&n| frame[n] > 0).collect();
        assert_eq!(active.len(), 3);
        assert!(active[0].is_multiple_of(3) && active[2] == active[0] + 2, "{active:?}");
        seen[active[0] / 3] += 1;
    }
    // 2000 each; five standard deviations are 194.
    assert!(seen.iter().all(|&s| s.abs_diff(FRAMES / 4) < 194), "{seen:?}");
}

#[test]
fn groups_on_their_own() {
    let groups = ScenarioConfig { activity_law: Some(ActivityLaw::IidGroups), groups: Some(4), ..config() };
    let (mut active, mut both) = (0, 0);
    for frame in draws(&groups, FRAMES).activity().chunks_exact(12) {
        for group in frame.chunks_exact(3) {
            assert!(group.iter().all(|a| (*a > 0) == (group[0] > 0)));
            active += usize::from(group[0] > 0);
        }
        both += usize::from(frame[0] > 0 && frame[3] > 0);
    }
    // 0.2 of 32000, and 0.04 of 8000 for two groups at once; five standard deviations are 358 and 88.
    assert!(active.abs_diff(6400) < 358 && both.abs_diff(320) < 88, "{active} {both}");
}

#[test]
fn unit_gains_have_unit_power_and_pilots_of_energy_l() {
    for kind in [PilotKind::UnitNorm, PilotKind::Gaussian, PilotKind::TightFrame, PilotKind::Qpsk] {
        let c = ScenarioConfig { pilots: kind, ..config() };
        let pilots = Scenario::new(&c, 5, Split::Test).unwrap().pilots(0);
        assert_eq!(pilots.energy(), 6.0);
        let energies: Vec<f64> = (0..12).map(|n| pilots.column(n).iter().map(|v| v.norm_sqr()).sum()).collect();
        if kind == PilotKind::Gaussian {
            assert!(energies.iter().any(|e| (e - 6.0).abs() > 0.5), "{energies:?}");
        } else {
            assert!(energies.iter().all(|e| (e - 6.0).abs() < 1e-9), "{kind:?}: {energies:?}");
        }
    }
    let r = draws(&config(), FRAMES);
    let mean = |v: &[C64]| v.iter().map(|v| v.norm_sqr()).sum::<f64>() / v.len() as f64;
    assert!(r.beta().frame(0).iter().all(|b| *b == 1.0));
    let of_active = r.channel().chunks_exact(2).zip(r.activity()).filter(|(_, a)| **a > 0).flat_map(|(h, _)| h);
    let channels: Vec<C64> = of_active.copied().collect();
    assert!((mean(&channels) - 1.0).abs() < 0.04, "{}", mean(&channels));
    assert!((mean(r.noise()) / 0.25 - 1.0).abs() < 0.02, "{}", mean(r.noise()));
    let batch = r.observe(&Scenario::new(&config(), 5, Split::Test).unwrap().pilots(0)).unwrap();
    assert_eq!(batch.model().noise_var(), 0.25);
}

#[test]
fn keys_that_contradict_each_other_are_refused() {
    let refused = |c: ScenarioConfig| c.validate().unwrap_err().to_string();
    let law = |l| ScenarioConfig { activity_law: Some(l), groups: Some(4), ..config() };
    let message = refused(ScenarioConfig { groups: None, ..law(ActivityLaw::SingleGroup) });
    assert!(message.contains("scenario.groups is missing"), "{message}");
    let message = refused(ScenarioConfig { groups: Some(5), ..law(ActivityLaw::IidGroups) });
    assert!(message.contains("scenario.groups = 5") && message.contains("divisor"), "{message}");
    for c in [
        ScenarioConfig { activity_ratio: Some(2.0), ..law(ActivityLaw::IidGroups) },
        ScenarioConfig { activity_ratio: Some(200.0), ..config() },
        ScenarioConfig { activity_ratio: Some(9.0), activity_prob: 0.6, ..config() },
        ScenarioConfig { activity_ratio: Some(2.0), active_devices: Some(3), ..config() },
    ] {
        assert!(refused(c).contains("scenario.activity_ratio"));
    }
    assert!(refused(ScenarioConfig { groups: Some(4), ..config() }).contains("scenario.groups"));
    for v in [0.0, -1.0, f64::NAN, 1e7] {
        assert!(refused(ScenarioConfig { noise_var: Some(v), ..config() }).contains("scenario.noise_var"));
    }
    let other = ScenarioConfig { kind: ScenarioKind::NonCoherent, ..config() };
    assert!(refused(other).contains("scenario.noise_var"));
}

#[test]
fn the_coherent_link_has_unit_power_and_the_stated_snr() {
    let config = ScenarioConfig {
        kind: ScenarioKind::Coherent,
        devices: 32,
        antennas: 8,
        pilot_length: 20,
        bits: 0,
        active_devices: Some(8),
        pilots: PilotKind::Qpsk,
        snr_db: Some(10.0),
        path_loss: Some(true),
        path_loss_slope_db: 37.6,
        min_distance_km: 0.3,
        ..ScenarioConfig::default()
    };
    config.validate().unwrap();
    let scenario = Scenario::new(&config, 1, Split::Test).unwrap();
    let pilots = scenario.pilots(0);
    assert!(pilots.data().iter().all(|v| (v.norm() - 1.0).abs() < 1e-12) && pilots.energy() == 20.0);
    let drawn = scenario.realize(0, 4000);
    assert!((drawn.noise_var() - 3.2).abs() < 1e-12);
    let mean = |v: &[C64]| v.iter().map(|v| v.norm_sqr()).sum::<f64>() / v.len() as f64;
    assert!((mean(drawn.noise()) / 3.2 - 1.0).abs() < 0.01);
    assert!(drawn.beta().as_shared().is_none(), "positions are drawn per frame");
    let beta = drawn.beta().values();
    assert!((beta.iter().sum::<f64>() / beta.len() as f64 - 1.0).abs() < 0.02);
    assert!((mean(drawn.channel()) - 0.25).abs() < 0.01);
    // The offset of the path loss cancels.
    let other = ScenarioConfig { path_loss_offset_db: 0.0, ..config.clone() };
    let (a, b) = (noncoherent::mean_power(3.76, 0.3, 1.0), noncoherent::mean_power(3.760001, 0.3, 1.0));
    assert!((a - b).abs() < 1e-4 * a && other.receiver_noise_var() == config.receiver_noise_var());
    // Equal powers without path loss.
    let flat = Scenario::new(&ScenarioConfig { path_loss: None, ..config }, 1, Split::Test).unwrap().realize(0, 2);
    assert_eq!(flat.beta(), &Beta::ones(32));
}

#[test]
fn mean_powers_agree_with_sums() {
    for (exponent, nearest, farthest) in [(3.76, 0.05, 1.0), (1.0, 0.1, 2.0), (2.0, 0.5, 0.5)] {
        let steps = 200_000;
        let at = |i: usize| nearest + (farthest - nearest) * (i as f64 + 0.5) / steps as f64;
        let sum = (0..steps).map(|i| at(i).powf(-exponent)).sum::<f64>() / steps as f64;
        let found = noncoherent::mean_power(exponent, nearest, farthest);
        assert!((found / sum - 1.0).abs() < 1e-6, "{exponent} {found} {sum}");
    }
}

#[test]
fn a_channel_file_with_an_snr_has_unit_power() {
    let dir = temp_dir::TempDir::new().unwrap();
    let path = dir.path().join("c.npz");
    let channel: Vec<C64> = (0..10 * 6 * 2).map(|i| C64::cis(i as f64)).collect();
    let gain: Vec<f64> = (0..60).map(|i| -110.0 - (i % 6) as f64 * 5.0).collect();
    let out = crate::container::npz::NpzWriter::new().complex("channel", &[10, 6, 2], &channel);
    out.real("gain_db", &[10, 6], &gain).write(&path).unwrap();
    let c = ScenarioConfig {
        kind: ScenarioKind::ChannelFile,
        channel_file: Some(path.to_str().unwrap().to_owned()),
        devices: 6,
        noise_var: None,
        snr_db: Some(0.0),
        pilots: PilotKind::Qpsk,
        ..config()
    };
    let r = draws(&c, 50);
    assert_eq!((r.beta(), r.noise_var()), (&Beta::ones(6), 6.0));
    let heard = r.channel().iter().filter(|h| h.norm() > 0.0);
    assert!(heard.clone().count() > 20 && heard.clone().all(|h| (h.norm() - 1.0).abs() < 1e-6));
    let r = draws(&ScenarioConfig { path_loss: Some(true), ..c }, 50);
    assert!(r.beta().as_shared().is_none(), "drops differ");
    let beta = r.beta().values();
    assert!((beta.iter().sum::<f64>() / beta.len() as f64 - 1.0).abs() < 1e-9);
    assert_eq!(Scenario::new(&config(), 5, Split::Test).unwrap().pilots(0).energy(), 6.0);
}

#[test]
fn options_out_of_range_are_errors_of_the_scenario() {
    let base = ScenarioConfig::default;
    let groups = |groups| ScenarioConfig { activity_law: Some(ActivityLaw::SingleGroup), groups, ..base() };
    let near = ScenarioConfig { min_distance_km: 1e-300, path_loss_slope_db: 200.0, ..base() };
    let cases = [
        ("scenario.groups", groups(Some(0))),
        ("scenario.groups", groups(Some(7))),
        ("scenario.groups", groups(None)),
        ("scenario.devices", ScenarioConfig { devices: 0, ..base() }),
        ("scenario.antennas", ScenarioConfig { antennas: 0, ..base() }),
        ("scenario.pilot_length", ScenarioConfig { pilot_length: 0, ..base() }),
        ("scenario.bits", ScenarioConfig { bits: 64, ..base() }),
        ("scenario.activity_prob", ScenarioConfig { activity_prob: f64::NAN, ..base() }),
        ("scenario.active_devices", ScenarioConfig { active_devices: Some(101), ..base() }),
        ("scenario.path_loss_slope_db", near),
    ];
    for (i, (key, config)) in cases.into_iter().enumerate() {
        match Scenario::new(&config, 1, Split::Test) {
            Err(ScenarioError::Config(e)) => assert!(e.to_string().contains(key), "case {i}: {e}"),
            other => panic!("case {i}: {other:?}"),
        }
    }
}

#[test]
fn draws_that_cannot_be_are_refused() {
    let good = || draws(&config(), 2).into_draws();
    assert_eq!(Realizations::new(good()).unwrap().frames(), 2);
    type Change = fn(&mut Draws);
    let cases: [(&str, Change); 11] = [
        ("devices", |d| d.devices = 0),
        ("antennas", |d| d.antennas = 0),
        ("pilot_length", |d| d.pilot_length = 0),
        ("activity", |d| d.activity.truncate(23)),
        ("activity", |d| d.activity[3] = -1),
        ("channel", |d| d.channel.truncate(47)),
        ("channel", |d| d.channel[1].re = f64::NAN),
        ("beta", |d| d.beta = Beta::ones(11)),
        ("noise", |d| d.noise.truncate(1)),
        ("noise_var", |d| d.noise_var = 0.0),
        ("activity_prob", |d| d.activity_prob[2] = 0.0),
    ];
    for (i, (array, change)) in cases.iter().enumerate() {
        let mut changed = good();
        change(&mut changed);
        assert_eq!(Realizations::new(changed).unwrap_err().array(), *array, "case {i}");
    }
    // A sequence that the pilots do not have.
    let mut sent = good();
    sent.activity.fill(1 + config().sequences() as i64);
    let pilots = Scenario::new(&config(), 5, Split::Test).unwrap().pilots(0);
    let error = Realizations::new(sent).unwrap().observe(&pilots).unwrap_err();
    assert!(matches!(error, ScenarioError::Frames(e) if e.array() == "activity"));
}
