//! Untrained networks equal their algorithm, training changes what it should, bundles keep their decisions, and the
//! experiment files of system C are valid.

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::Device;
use grantfree::config::Experiment;
use grantfree::detect::{PcAdmm, PcAdmmOptions};
use grantfree::link::{C64, DetectError, Detector, FrameBatch, Split, StreamKey};
use grantfree::scenario::{PilotKind, Scenario, ScenarioConfig, ScenarioKind};
use grantfree::systems::Saved;
use grantfree::systems::access::LinkSizes;
use grantfree::systems::pc_admm::{
    AdmmConfig, LinearMap, MapSharing, NominalLink, PcAdmmDetector, PcAdmmInfo, PcAdmmNet, PcAdmmTask, Proximal,
};
use grantfree::training::{PhaseConfig, PhaseKind, Rated, TrainStop, TrainTask, TrainingConfig, parameters, train};

use super::{cpu, devices, with_other_pilots};

/// Columns that a seeded Gaussian matrix gives: their energies differ.
fn scenario(antennas: usize) -> ScenarioConfig {
    ScenarioConfig {
        kind: ScenarioKind::UnitGain,
        devices: 24,
        antennas,
        pilot_length: 10,
        bits: 0,
        pilots: PilotKind::Gaussian,
        ..ScenarioConfig::default()
    }
}

fn frames(config: &ScenarioConfig, count: usize) -> FrameBatch {
    let s = Scenario::new(config, 3, Split::Test).expect("no files");
    s.realize(0, count).observe(&s.pilots(0)).expect("pilots fit")
}

fn untrained(admm: &AdmmConfig, config: &ScenarioConfig, batch: &FrameBatch, device: &Device) -> PcAdmmNet {
    let key = StreamKey::new(1, Split::Train, "test");
    PcAdmmNet::init(admm, batch.model().pilots(), &LinkSizes::of(config), &key, device)
}

fn relative(a: &[C64], b: &[C64]) -> f64 {
    let d: f64 = a.iter().zip(b).map(|(a, b)| (a - b).norm_sqr()).sum();
    (d / b.iter().map(|v| v.norm_sqr()).sum::<f64>()).sqrt()
}

#[test]
fn the_untrained_network_is_pc_admm() {
    for antennas in [1, 3] {
        let config = scenario(antennas);
        let batch = frames(&config, 8);
        for (map, sharing, prox, layers) in [
            (LinearMap::Complex, MapSharing::PerLayer, Proximal::Attention, 10),
            (LinearMap::Complex, MapSharing::Shared, Proximal::SoftThreshold, 3),
            (LinearMap::Real, MapSharing::PerLayer, Proximal::SoftThreshold, 1),
            (LinearMap::Real, MapSharing::Fixed, Proximal::Attention, 25),
        ] {
            let classical = PcAdmm::new(PcAdmmOptions { iterations: layers, ..PcAdmmOptions::default() });
            let reference = classical.expect("defaults").detect(&batch).expect("fits");
            for (name, device) in devices() {
                let admm = AdmmConfig { layers, map, sharing, prox, ..AdmmConfig::default() };
                let net = untrained(&admm, &config, &batch, &device);
                let pilots = Arc::clone(batch.model().pilots());
                let detector =
                    PcAdmmDetector::new(net, pilots, LinkSizes::of(&config), device, name, 0.0).expect("read");
                let found = detector.detect(&batch).expect("fits");
                let error = relative(found.x.as_ref().expect("rows"), reference.x.as_ref().expect("rows"));
                assert!(error < 1e-4, "{name}, M = {antennas}, {admm:?}: {error}");
            }
        }
    }
}

fn schedule(phases: &[(PhaseKind, u64)]) -> TrainingConfig {
    let phase = |&(kind, steps): &(PhaseKind, u64)| PhaseConfig {
        kind,
        steps,
        lr: 1e-3,
        scalar_lr: 1e-2,
        pilot_lr: 1e-3,
        cosine: false,
        auxiliary: 0.1,
    };
    TrainingConfig {
        batch: 16,
        phases: phases.iter().map(phase).collect(),
        validation_frames: 64,
        validation_every: 20,
        ..TrainingConfig::default()
    }
}

#[test]
fn every_form_improves_on_its_start() {
    let device = cpu();
    for (map, sharing, prox) in [
        (LinearMap::Complex, MapSharing::PerLayer, Proximal::Attention),
        (LinearMap::Complex, MapSharing::Fixed, Proximal::SoftThreshold),
        (LinearMap::Real, MapSharing::Shared, Proximal::Attention),
    ] {
        let admm = AdmmConfig { layers: 3, map, sharing, prox, ..AdmmConfig::default() };
        let plan = schedule(&[(PhaseKind::Joint, 60)]);
        let task = PcAdmmTask::new("test", &scenario(3), 7, &admm, &plan, &device).expect("no files");
        let phase = &task.phases()[0];
        let start = task.validate(&task.init().valid(), phase).expect("runs").loss;
        let folder = temp_dir::TempDir::new().expect("a folder");
        let outcome = train(&task, &folder.path().join("c"), &(), &false.into()).expect("trains");
        assert_eq!(outcome.stop, TrainStop::Finished);
        let trained = task.validate(&outcome.net, phase).expect("runs").loss;
        assert!(trained < 0.95 * start, "{admm:?}: {start} {trained}");
    }
}

#[test]
fn layers_are_trained_one_after_another() {
    let device = cpu();
    let admm = AdmmConfig { layers: 2, ..AdmmConfig::default() };
    let plan = schedule(&[(PhaseKind::LayerWise, 20), (PhaseKind::Joint, 20)]);
    let task = PcAdmmTask::new("test", &scenario(2), 7, &admm, &plan, &device).expect("no files");
    let phases = task.phases();
    assert_eq!(phases.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["layer 1", "layer 2", "joint"]);
    let net = task.init();
    let entries = parameters(&net);
    let trained = |phase: usize| -> Vec<&str> {
        let ids: Vec<_> = task.groups(&net, &phases[phase]).into_iter().flat_map(|g| g.ids).collect();
        entries.iter().filter(|e| ids.contains(&e.id)).map(|e| e.path.as_str()).collect()
    };
    assert!(trained(0).iter().all(|p| p.starts_with("layers.0.")), "{:?}", trained(0));
    let second = trained(1);
    assert!(second.contains(&"layers.0.dual") && !second.contains(&"layers.0.step"), "{second:?}");
    assert!(second.contains(&"layers.1.step") && second.iter().any(|p| p.starts_with("head.")), "{second:?}");
    assert_eq!(trained(2).len(), entries.len());
    let folder = temp_dir::TempDir::new().expect("a folder");
    let outcome = train(&task, &folder.path().join("c"), &(), &false.into()).expect("trains");
    assert_eq!((outcome.stop, outcome.steps), (TrainStop::Finished, 60));
}

#[test]
fn a_bundle_decides_as_the_network_did_and_refuses_other_frames() {
    let (name, device) = ("cpu", cpu());
    let config = scenario(3);
    let batch = frames(&config, 8);
    let admm = AdmmConfig { layers: 4, ..AdmmConfig::default() };
    let net = untrained(&admm, &config, &batch, &device);
    let info = PcAdmmInfo {
        admm,
        sizes: LinkSizes::of(&config),
        pilot_energy: batch.model().pilots().energy(),
        threshold: 0.25,
        parameters: net.trained_parameters(),
        label: "test".into(),
    };
    let folder = temp_dir::TempDir::new().expect("a folder");
    let dir = folder.path().join("bundle");
    Saved::new(net.clone(), batch.model().pilots().clone(), info.clone()).save(&dir).expect("written");
    let loaded = Saved::<PcAdmmNet>::load(&dir, &device).expect("read");
    assert_eq!(loaded.info, info);
    let of =
        |net, pilots| PcAdmmDetector::new(net, pilots, info.sizes, device.clone(), name, info.threshold).expect("read");
    let (before, after) = (of(net, Arc::clone(batch.model().pilots())), of(loaded.net, loaded.pilots));
    // Files hold the pilots in single precision.
    let (a, b) = (before.detect(&batch).expect("fits"), after.detect(&batch).expect("fits"));
    assert_eq!(a.activity, b.activity);
    assert!(relative(&a.x.expect("rows"), &b.x.expect("rows")) < 1e-5);
    let other = with_other_pilots(&batch, 1.0);
    assert!(matches!(after.detect(&other), Err(DetectError::Mismatch(m)) if m.contains("other pilots")));
}

#[test]
fn a_network_for_a_nominal_link_is_the_same_wherever_it_is_tested() {
    let file = |noise: f64| {
        format!(
            "name = \"t\"\n[scenario]\nkind = \"unit-gain\"\nbits = 0\nnoise_var = {noise}\n[detectors.net]\nkind = \"pc-admm-net\"\n\
             admm = {{ trained_at = {{ noise_var = 0.1 }} }}\n"
        )
    };
    let print = |noise: f64| {
        let point = Experiment::parse(&file(noise), "t", &[]).expect("valid").points().expect("valid").remove(0);
        grantfree::experiment::training_fingerprint(&point.detectors["net"], &point, 1).expect("learned")
    };
    assert_eq!(print(0.1), print(0.3));
    let nominal = NominalLink { activity_prob: Some(2.0), ..NominalLink::default() };
    let bad = AdmmConfig { trained_at: Some(nominal), ..AdmmConfig::default() };
    assert!(bad.training_scenario(&scenario(1)).validate().is_err());
}
