//! Untrained auto-encoders equal their classical algorithms; training is honest about what it changes; bundles keep
//! their decisions.

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::Device;
use grantfree::detect::Classical;
use grantfree::link::{C64, FrameBatch, Split, StreamKey};
use grantfree::link::{DetectError, Detector};
use grantfree::scenario::Scenario;
use grantfree::scenario::{PilotKind, ScenarioConfig, ScenarioKind};
use grantfree::systems::Saved;
use grantfree::systems::autoencoder::{AutoEncoder, AutoEncoderDetector, AutoEncoderInfo, AutoEncoderTask, LinkSizes};
use grantfree::systems::autoencoder::{CorrectionKind, DecoderConfig, DecoderForm, DecoderTarget};
use grantfree::training::{PhaseConfig, PhaseKind, Rated, TrainingConfig};
use grantfree::training::{TrainStop, TrainTask, train};

use super::{cpu, devices, with_other_pilots};

/// Columns that a seeded Gaussian matrix gives: their energies differ.
fn scenario() -> ScenarioConfig {
    ScenarioConfig {
        kind: ScenarioKind::UnitGain,
        devices: 24,
        antennas: 3,
        pilot_length: 10,
        bits: 0,
        pilots: PilotKind::Gaussian,
        ..ScenarioConfig::default()
    }
}

fn frames(config: &ScenarioConfig, count: usize) -> FrameBatch {
    let s = Scenario::new(config, 3, Split::Test).unwrap();
    s.realize(0, count).observe(&s.pilots(0)).unwrap()
}

fn untrained(decoder: &DecoderConfig, batch: &FrameBatch, device: &Device) -> AutoEncoder {
    let key = StreamKey::new(1, Split::Train, "test");
    AutoEncoder::init(decoder, batch.model().pilots(), &LinkSizes::of(&scenario()), &key, device)
}

fn detector(decoder: &DecoderConfig, batch: &FrameBatch, name: &str, device: &Device) -> AutoEncoderDetector {
    let net = untrained(decoder, batch, device);
    let pilots = Arc::clone(batch.model().pilots());
    AutoEncoderDetector::new(net, pilots, LinkSizes::of(&scenario()), device.clone(), name, 0.0).unwrap()
}

fn relative(a: &[C64], b: &[C64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let d: f64 = a.iter().zip(b).map(|(a, b)| (a - b).norm_sqr()).sum();
    (d / b.iter().map(|v| v.norm_sqr()).sum::<f64>()).sqrt()
}

fn classical(kind: &str, iterations: usize, batch: &FrameBatch) -> grantfree::link::Decisions {
    let config = Classical::from_toml(&format!("kind = \"{kind}\"\niterations = {iterations}")).unwrap();
    grantfree::detect::build(&config).unwrap().detect(batch).unwrap()
}

fn fixed(form: DecoderForm, iterations: usize, corrections: usize) -> DecoderConfig {
    DecoderConfig {
        form,
        iterations: Some(iterations),
        corrections,
        learn_pilots: Some(false),
        ..DecoderConfig::default()
    }
}

#[test]
fn untrained_decoders_of_signals_equal_their_algorithms() {
    let batch = frames(&scenario(), 8);
    for (form, kind, iterations) in [
        (DecoderForm::GroupLasso, "group-lasso-admm", 60),
        // Few iterations: rounding grows with depth where AMP is far from its fixed point.
        (DecoderForm::Amp, "amp", 4),
    ] {
        let reference = classical(kind, iterations, &batch).x.unwrap();
        for (name, device) in devices() {
            // Dense corrections start by changing nothing.
            for corrections in [0, 3] {
                let decoder = fixed(form, iterations, corrections);
                let x = detector(&decoder, &batch, name, &device).detect(&batch).unwrap().x.unwrap();
                let error = relative(&x, &reference);
                assert!(error < 1e-4, "{form:?}, V = {corrections}, {name}: relative difference {error:.2e}");
            }
        }
    }
    let device = cpu();
    let untied = DecoderConfig { tied: false, ..fixed(DecoderForm::Amp, 4, 0) };
    let x = detector(&untied, &batch, "cpu", &device).detect(&batch).unwrap().x.unwrap();
    assert!(relative(&x, &classical("amp", 4, &batch).x.unwrap()) < 1e-4);
}

#[test]
fn untrained_map_nn_equals_map() {
    let batch = frames(&scenario(), 16);
    let reference = classical("map", 20, &batch);
    for (name, device) in devices() {
        for corrections in [0, 3] {
            let decoder = DecoderConfig { form: DecoderForm::Map, ..fixed(DecoderForm::Map, 20, corrections) };
            let found = detector(&decoder, &batch, name, &device).detect(&batch).unwrap();
            // The score is 8 (alpha - 1/2).
            for (a, b) in found.score.iter().zip(&reference.score) {
                assert!((a / 8.0 + 0.5 - b).abs() < 1e-4, "{name}, V = {corrections}: {a} {b}");
            }
            assert_eq!(found.activity, reference.activity, "{name}");
            assert!(found.x.is_none());
        }
    }
}

#[test]
fn logits_of_untrained_amp_are_those_of_amp() {
    let batch = frames(&scenario(), 8);
    let (name, device) = ("cpu", cpu());
    let decoder = DecoderConfig { target: Some(DecoderTarget::Support), ..fixed(DecoderForm::Amp, 4, 2) };
    let found = detector(&decoder, &batch, name, &device).detect(&batch).unwrap();
    let reference = classical("amp", 4, &batch);
    let prior = (0.9_f64 / 0.1).ln();
    for (a, b) in found.score.iter().zip(&reference.score) {
        assert!((a - (b - prior)).abs() < 1e-3 * b.abs().max(1.0), "{a} {}", b - prior);
    }
    assert_eq!(found.activity, reference.activity);
}

/// Frames nearly without noise and with one active device: whatever the form, the covariance corrections find it and
/// its channel without training.
#[test]
fn covariance_corrections_find_one_device_untrained() {
    let config = ScenarioConfig { noise_var: Some(1e-4), active_devices: Some(1), ..scenario() };
    let batch = frames(&config, 16);
    let truth = batch.truth().unwrap();
    let (name, device) = ("cpu", cpu());
    for (form, iterations) in [(DecoderForm::GroupLasso, 100), (DecoderForm::Amp, 6), (DecoderForm::Map, 10)] {
        let decoder = DecoderConfig {
            correction: CorrectionKind::Covariance,
            target: Some(DecoderTarget::Signal),
            ..fixed(form, iterations, 3)
        };
        let found = detector(&decoder, &batch, name, &device).detect(&batch).unwrap();
        assert_eq!(found.activity, truth.activity(), "{form:?}");
        let mut rows = truth.channel().to_vec();
        for (row, &a) in rows.chunks_exact_mut(3).zip(truth.activity()) {
            if a == 0 {
                row.fill(C64::default());
            }
        }
        let error = relative(found.x.as_ref().unwrap(), &rows);
        assert!(error < 0.05, "{form:?}: relative error {error}");
    }
}

fn schedule(kind: PhaseKind, steps: u64) -> TrainingConfig {
    TrainingConfig {
        batch: 16,
        phases: vec![PhaseConfig {
            kind,
            steps,
            lr: 1e-3,
            scalar_lr: 1e-2,
            pilot_lr: 1e-2,
            cosine: false,
            auxiliary: 0.1,
        }],
        validation_frames: 64,
        validation_every: 20,
        ..TrainingConfig::default()
    }
}

/// (form, target, corrections) that train quickly.
fn small() -> Vec<DecoderConfig> {
    let base = |form, iterations| DecoderConfig {
        form,
        iterations,
        corrections: 2,
        hidden: Some(16),
        learn_pilots: Some(true),
        ..DecoderConfig::default()
    };
    let ours = |d: DecoderConfig| DecoderConfig { correction: CorrectionKind::Covariance, hidden: None, ..d };
    vec![
        base(DecoderForm::GroupLasso, Some(10)),
        DecoderConfig { tied: false, ..base(DecoderForm::Amp, Some(3)) },
        DecoderConfig { target: Some(DecoderTarget::Support), ..base(DecoderForm::Amp, Some(3)) },
        base(DecoderForm::Nn, None),
        base(DecoderForm::Map, Some(5)),
        ours(base(DecoderForm::Amp, Some(3))),
        DecoderConfig { target: Some(DecoderTarget::Signal), ..ours(base(DecoderForm::Map, Some(5))) },
    ]
}

#[test]
fn every_form_improves_on_its_start_and_keeps_the_norm_of_its_pilots() {
    let device = cpu();
    for decoder in small() {
        let task =
            AutoEncoderTask::new("test", &scenario(), 7, &decoder, &schedule(PhaseKind::Joint, 60), &device).unwrap();
        let phase = &task.phases()[0];
        let start = task.validate(&task.init().valid(), phase).unwrap().loss;
        let folder = temp_dir::TempDir::new().unwrap();
        let outcome = train(&task, &folder.path().join("c"), &(), &false.into()).unwrap();
        assert_eq!(outcome.stop, TrainStop::Finished);
        let trained = task.validate(&outcome.net, phase).unwrap().loss;
        assert!(trained < start, "{decoder:?}: {start} {trained}");
        let pilots = outcome.net.pilots.as_ref().expect("learned").to_host(1, task.pilots().energy()).unwrap();
        for n in 0..24 {
            let energy: f64 = pilots.column(n).iter().map(|v| v.norm_sqr()).sum();
            assert!((energy / 10.0 - 1.0).abs() < 1e-5, "{decoder:?}: column energy {energy}");
        }
        assert!(pilots.data().iter().zip(task.pilots().data()).any(|(a, b)| (a - b).norm() > 1e-3), "{decoder:?}");
    }
}

#[test]
fn a_decoder_phase_leaves_the_pilots_alone() {
    let device = cpu();
    let decoder = DecoderConfig { tied: false, ..fixed(DecoderForm::Amp, 2, 0) };
    let decoder = DecoderConfig { learn_pilots: Some(true), ..decoder };
    let task =
        AutoEncoderTask::new("test", &scenario(), 7, &decoder, &schedule(PhaseKind::Receiver, 20), &device).unwrap();
    let folder = temp_dir::TempDir::new().unwrap();
    let outcome = train(&task, &folder.path().join("c"), &(), &false.into()).unwrap();
    let learned = outcome.net.pilots.as_ref().unwrap().to_host(1, 10.0).unwrap();
    for n in 0..24 {
        let (own, given) = (learned.column(n), task.pilots().column(n));
        let norm = (given.iter().map(|v| v.norm_sqr()).sum::<f64>() / 10.0).sqrt();
        assert!(own.iter().zip(&given).all(|(a, b)| (a - b / norm).norm() < 1e-5), "column {n}");
    }
}

#[test]
fn a_bundle_decides_as_the_network_did_and_refuses_other_frames() {
    let (name, device) = ("cpu", cpu());
    let batch = frames(&scenario(), 8);
    let decoder = fixed(DecoderForm::Amp, 4, 2);
    let net = untrained(&decoder, &batch, &device);
    let info = AutoEncoderInfo {
        decoder: decoder.clone(),
        sizes: LinkSizes::of(&scenario()),
        pilot_energy: batch.model().pilots().energy(),
        threshold: 0.25,
        parameters: net.trained_parameters(),
        label: "test".into(),
    };
    let folder = temp_dir::TempDir::new().unwrap();
    let dir = folder.path().join("bundle");
    Saved::new(net.clone(), batch.model().pilots().clone(), info.clone()).save(&dir).unwrap();
    let loaded = Saved::<AutoEncoder>::load(&dir, &device).unwrap();
    assert_eq!(loaded.info, info);
    let pilots = Arc::clone(batch.model().pilots());
    let of =
        |net, pilots| AutoEncoderDetector::new(net, pilots, info.sizes, device.clone(), name, info.threshold).unwrap();
    let (before, after) = (of(net, pilots), of(loaded.net, loaded.pilots));
    // Files hold the pilots in single precision.
    let (a, b) = (before.detect(&batch).unwrap(), after.detect(&batch).unwrap());
    assert_eq!(a.activity, b.activity);
    assert!(relative(&a.x.unwrap(), &b.x.unwrap()) < 1e-5);
    let other = with_other_pilots(&batch, 1.0);
    assert!(matches!(after.detect(&other), Err(DetectError::Mismatch(m)) if m.contains("other pilots")));
    let longer = frames(&ScenarioConfig { pilot_length: 11, ..scenario() }, 1);
    assert!(matches!(after.detect(&longer), Err(DetectError::Mismatch(m)) if m.contains("10 pilot length")));
    // A damaged file is named.
    let weights = dir.join("weights.bpk");
    let mut bytes = std::fs::read(&weights).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    let error = Saved::<AutoEncoder>::load(&dir, &device).unwrap_err();
    assert!(format!("{error:?}").contains("weights.bpk"), "{error:?}");
}
