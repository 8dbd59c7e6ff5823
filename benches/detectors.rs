//! Each detector on one batch of 32 frames (N = 100, M = 16, L = 40, one bit), those of systems B and E on frames of
//! their own, and the frames themselves.

mod support;

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use grantfree::detect::{Classical, build};
use grantfree::link::Detector;
use grantfree::link::{FrameBatch, Split};
use grantfree::scenario::Scenario;
use grantfree::scenario::files::read_frames;
use grantfree::scenario::signatures::signature_set;
use grantfree::scenario::{NomaConfig, ScenarioConfig, ScenarioKind, SignatureKind};
use grantfree::systems::mampnet::ModelConfig;
use grantfree::systems::mampnet::{MampDetector, MampNet, Side};
use support::timing::Bench;

const FRAMES: usize = 32;

/// Test frames of [`support::scenario`].
fn batch() -> FrameBatch {
    let scenario = Scenario::new(&support::scenario(), 1, Split::Test).expect("the scenario needs no file");
    scenario.realize(0, FRAMES).observe(&scenario.pilots(0)).expect("the pilots are the scenario's own")
}

/// Every classical detector at its default iterations, in both precisions where it has two.
fn classical(c: &mut Bench) {
    let batch = batch();
    let mut group = c.group("detectors");
    group.elements(FRAMES as u64);
    let both = [Some("f64"), Some("f32")];
    let rows = ["amp", "amp-section", "covariance", "covariance-section", "ml", "map"]
        .into_iter()
        .flat_map(|kind| both.map(|precision| (kind, precision)))
        .chain([("genie-mmse", None), ("single-user-bound", None)]);
    for (kind, precision) in rows {
        let text = precision.map_or(String::new(), |p| format!("precision = \"{p}\""));
        let algorithm = Classical::from_toml(&format!("kind = \"{kind}\"\n{text}")).expect("known options");
        let detector = build(&algorithm).expect("default options");
        let name = precision.map_or(kind.to_owned(), |p| format!("{kind}, {p}"));
        group.row(name, |b| b.iter(|| detector.detect(black_box(&batch)).expect("the frames fit")));
    }
}

/// The detectors of system B on its reference frames (N = 100, L = 20, M = 4, p = 0.1, 10 dB), at their defaults.
fn learned_pilots_baselines(c: &mut Bench) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/mmv.npz");
    let batch = read_frames(&path).expect("committed frames");
    let mut group = c.group("detectors, L = 20, M = 4");
    group.elements(batch.frames() as u64);
    for kind in ["group-lasso", "group-lasso-admm", "pc-admm", "lasso", "covariance-lasso", "ml-mmse"] {
        let detector = build(&Classical::named(kind).expect("a registered kind")).expect("default options");
        group.row(kind, |b| {
            b.iter(|| detector.detect(black_box(&batch)).expect("the frames fit"));
        });
    }
}

/// The receivers of system E (N = 6 users, H = 4 chips, QPSK, 20 dB, chip fading) on 1,000 frames.
fn receivers(c: &mut Bench) {
    let noma = NomaConfig { snr_db: 20.0, ..NomaConfig::default() };
    let signatures = Arc::new(signature_set(SignatureKind::Wbe, &noma).expect("these signatures exist"));
    let config = ScenarioConfig { kind: ScenarioKind::Noma, noma: Some(noma), ..ScenarioConfig::default() };
    let scenario = Scenario::new(&config, 1, Split::Test).expect("no files");
    let batch = scenario.realize(0, 1000).observe(&signatures).expect("the signatures fit");
    let mut group = c.group("receivers, N = 6, H = 4");
    group.elements(batch.frames() as u64);
    let kinds =
        ["matched-filter", "mmse-sic", "soft-sic", "expectation-propagation", "beam-sic", "oracle-ls", "joint-map"];
    for kind in kinds {
        let detector = build(&Classical::named(kind).expect("a registered kind")).expect("default options");
        group.row(kind, |b| {
            b.iter(|| detector.detect(black_box(&batch)).expect("the frames fit"));
        });
    }
}

/// A network of eight layers on the same frames; its weights do not change its time.
fn learned(c: &mut Bench) {
    let batch = batch();
    let side = Side::of(&support::scenario());
    let mut group = c.group("detectors");
    group.elements(FRAMES as u64);
    for (label, model) in [
        ("mampnet, 8 AMP layers", ModelConfig { layers: 8, ..ModelConfig::default() }),
        (
            "mampnet, 4 AMP + 4 covariance layers",
            ModelConfig { layers: 4, covariance_layers: 4, ..ModelConfig::default() },
        ),
    ] {
        for (backend, device) in support::devices() {
            let pilots = Arc::clone(batch.model().pilots());
            let net = MampNet::init(&model, &pilots, side, &device);
            let detector = MampDetector::new(net, pilots, side, device, backend, None).expect("finite pilots");
            group.row(format!("{label}, {backend}"), |b| {
                b.iter(|| detector.detect(black_box(&batch)).expect("the frames fit"));
            });
        }
    }
}

/// Drawing frames, and passing them through the pilots.
fn simulation(c: &mut Bench) {
    let scenario = Scenario::new(&support::scenario(), 1, Split::Test).expect("the scenario needs no file");
    let pilots = scenario.pilots(0);
    let draws = scenario.realize(0, FRAMES);
    let mut group = c.group("scenario");
    group.elements(FRAMES as u64);
    group.row("realize", |b| b.iter(|| scenario.realize(black_box(0), FRAMES)));
    group.row("observe", |b| b.iter(|| draws.observe(black_box(&pilots)).expect("the pilots fit")));
}

fn main() {
    let mut bench = Bench::from_args();
    classical(&mut bench);
    learned_pilots_baselines(&mut bench);
    receivers(&mut bench);
    learned(&mut bench);
    simulation(&mut bench);
}
