//! Untrained networks equal their classical algorithms; bundles give the same decisions everywhere.

use std::sync::Arc;

use burn::module::Module;
use grantfree::detect::Classical;
use grantfree::link::Detector;
use grantfree::link::{C64, FrameBatch, Split};
use grantfree::scenario::Scenario;
use grantfree::scenario::{PilotKind, ScenarioConfig};
use grantfree::systems::Saved;
use grantfree::systems::access::FrameTensors;
use grantfree::systems::mampnet::{MampDetector, MampNet, MampnetInfo, Side};
use grantfree::systems::mampnet::{ModelConfig, ModelForm};

use super::{cpu, devices, with_other_pilots};

fn scenario(bits: u32) -> ScenarioConfig {
    ScenarioConfig {
        devices: 30,
        antennas: 4,
        pilot_length: 24,
        bits,
        pilots: PilotKind::Gaussian,
        ..ScenarioConfig::default()
    }
}

fn frames(config: &ScenarioConfig, count: usize) -> FrameBatch {
    let s = Scenario::new(config, 3, Split::Test).unwrap();
    s.realize(0, count).observe(&s.pilots(0)).unwrap()
}

fn net(config: &ScenarioConfig, model: &ModelConfig, batch: &FrameBatch, device: &burn::tensor::Device) -> MampNet {
    MampNet::init(model, batch.model().pilots(), Side::of(config), device)
}

fn relative(a: &[C64], b: &[C64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let d: f64 = a.iter().zip(b).map(|(a, b)| (a - b).norm_sqr()).sum();
    (d / b.iter().map(|v| v.norm_sqr()).sum::<f64>()).sqrt()
}

#[test]
fn untrained_shared_layers_equal_classical_amp() {
    for bits in [0, 1, 2] {
        let config = scenario(bits);
        let batch = frames(&config, 8);
        for (kind, denoiser) in [
            ("amp", grantfree::systems::mampnet::Denoiser::Row),
            ("amp-section", grantfree::systems::mampnet::Denoiser::Section),
        ] {
            // Few iterations: rounding grows with depth where AMP is far from its fixed point.
            let model = ModelConfig { layers: 4, denoiser, ..ModelConfig::default() };
            let four = Classical::from_toml(&format!("kind = \"{kind}\"\niterations = 4")).unwrap();
            let classical = grantfree::detect::build(&four).unwrap().detect(&batch).unwrap();
            for (name, device) in devices() {
                let side = Side::of(&config);
                let detector = MampDetector::new(
                    net(&config, &model, &batch, &device),
                    Arc::clone(batch.model().pilots()),
                    side,
                    device,
                    name,
                    None,
                )
                .unwrap();
                let d = detector.detect(&batch).unwrap();
                let error = relative(d.x.as_ref().unwrap(), classical.x.as_ref().unwrap());
                assert!(error < 1e-4, "{kind:?}, J = {bits}, {name}: relative difference {error:.2e}");
            }
        }
    }
}

/// The real entry-wise AMP of (44)-(48), written once more in plain Rust and f64.
fn entry_amp(batch: &FrameBatch, f: usize, iterations: usize) -> Vec<C64> {
    let model = batch.model();
    let (l, k, m) = (model.pilot_length(), model.columns(), model.antennas());
    let (q, eps) = (model.sequences() as f64, model.activity_prob()[0]);
    let y = batch.frame(f);
    let mut x = vec![C64::default(); k * m];
    let mut r = y.to_vec();
    for _ in 0..iterations {
        let tau2 = r.iter().map(|v| v.norm_sqr()).sum::<f64>() / (2 * l * m) as f64;
        let mut slopes = 0.0;
        let mut next = vec![C64::default(); k * m];
        for c in 0..k {
            let theta = batch.beta_of(f)[c / model.sequences()] / 2.0;
            let omega = theta / (theta + tau2);
            let mut eta = |z: f64| {
                let a = omega / (2.0 * tau2);
                let exponent = a * z * z - 0.5 * (theta / tau2).ln_1p() - ((q - eps) / eps).ln();
                let phi = 1.0 / (1.0 + (-exponent).exp());
                slopes += omega * phi * (1.0 + 2.0 * a * z * z * (1.0 - phi));
                omega * phi * z
            };
            for ant in 0..m {
                let z = x[c * m + ant] + (0..l).map(|t| model.pilots().at(t, c).conj() * r[t * m + ant]).sum::<C64>();
                next[c * m + ant] = C64::new(eta(z.re), eta(z.im));
            }
        }
        let factor = slopes / (2 * l * m) as f64;
        let old = r.clone();
        for t in 0..l {
            for ant in 0..m {
                let sx: C64 = (0..k).map(|c| model.pilots().at(t, c) * next[c * m + ant]).sum();
                r[t * m + ant] = y[t * m + ant] - sx + old[t * m + ant] * factor;
            }
        }
        x = next;
    }
    x
}

#[test]
fn untrained_paper_layers_equal_the_real_entry_wise_amp() {
    let config = scenario(1);
    let batch = frames(&config, 3);
    let model = ModelConfig { form: ModelForm::Paper, layers: 3, refinement: false, ..ModelConfig::default() };
    for (name, device) in devices() {
        let detector = MampDetector::new(
            net(&config, &model, &batch, &device),
            Arc::clone(batch.model().pilots()),
            Side::of(&config),
            device,
            name,
            None,
        )
        .unwrap();
        let x = detector.detect(&batch).unwrap().x.unwrap();
        let want: Vec<C64> = (0..3).flat_map(|f| entry_amp(&batch, f, 3)).collect();
        let error = relative(&x, &want);
        assert!(error < 1e-4, "{name}: relative difference {error:.2e}");
    }
}

#[test]
fn the_refinement_module_keeps_one_row_a_device_and_stays_in_range() {
    let config = scenario(2);
    let batch = frames(&config, 5);
    let device = cpu();
    let model = ModelConfig { form: ModelForm::Paper, layers: 2, ..ModelConfig::default() };
    let net = net(&config, &model, &batch, &device);
    let tensors = FrameTensors::from_frames(&batch, &device);
    let s = net.pilots(batch.model().pilots(), &device);
    let stages = net.forward(&tensors, s, net.full_depth(), None).stages.unwrap();
    let rows = super::values(stages.unpooled);
    assert!(rows.chunks(4).all(|d| d.iter().filter(|v| **v > 0.0).count() <= 1));
    assert!(rows.iter().any(|v| *v > 0.0));
    assert!(super::values(stages.alpha).iter().all(|a| (0.0..1.0).contains(a)));
}

#[test]
fn learned_pilots_keep_unit_norm() {
    let config = scenario(1);
    let batch = frames(&config, 1);
    let model = ModelConfig { learn_pilots: true, ..ModelConfig::default() };
    let pilots = net(&config, &model, &batch, &cpu()).learned_pilots(1.0).unwrap().unwrap();
    for c in 0..pilots.columns() {
        let norm: f64 = pilots.column(c).iter().map(|v| v.norm_sqr()).sum();
        assert!((norm - 1.0).abs() < 1e-5, "column {c}: {norm}");
    }
}

#[test]
fn a_bundle_decides_alike_on_every_backend_and_refuses_other_pilots() {
    let config = scenario(1);
    let batch = frames(&config, 20);
    let model = ModelConfig { layers: 3, covariance_layers: 2, ..ModelConfig::default() };
    let device = cpu();
    let net = net(&config, &model, &batch, &device);
    let dir = temp_dir::TempDir::new().unwrap();
    let path = dir.path().join("bundle");
    let info = MampnetInfo {
        model,
        side: Side::of(&config),
        pilot_energy: 1.0,
        parameters: net.num_params(),
        label: "test".into(),
    };
    Saved::new(net, batch.model().pilots().clone(), info).save(&path).unwrap();
    let mut first: Option<Vec<i64>> = None;
    for (name, device) in devices() {
        let loaded = Saved::<MampNet>::load(&path, &device).unwrap();
        let detector = MampDetector::new(loaded.net, loaded.pilots, loaded.info.side, device, name, None).unwrap();
        let activity = detector.detect(&batch).unwrap().activity;
        match &first {
            None => first = Some(activity),
            Some(first) => assert_eq!(first, &activity, "{name}"),
        }
        let other = with_other_pilots(&batch, 0.5);
        let error = detector.detect(&other).unwrap_err().to_string();
        assert!(error.contains("other pilots"), "{error}");
        let error = detector.detect(&frames(&ScenarioConfig { devices: 29, ..config.clone() }, 1)).unwrap_err();
        assert!(error.to_string().contains("30 devices"), "{error}");
    }
}
