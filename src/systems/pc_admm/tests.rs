//! A layer can be one of orthogonal AMP, and attention the Bayes shrink of a row.

use burn::module::Param;
use burn::tensor::{Device, Tensor};

use super::net::{PcAdmmNet, log_odds};
use super::*;
use crate::link::{FrameBatch, Split, StreamKey};
use crate::scenario::{PilotKind, Scenario, ScenarioConfig, ScenarioKind};
use crate::systems::access::{FrameTensors, LinkSizes};
use crate::tensor::complex::{stack_pilots, unstack_rows};

fn cpu() -> Device {
    crate::tensor::choose(crate::tensor::BackendChoice::Auto).expect("a build has at least one backend").device
}

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

/// With `theta = 1`, `a_v = 1`, `a_u = 2` and the divergence in charge, a layer is one of orthogonal AMP.
#[test]
fn a_layer_can_be_orthogonal_amp() {
    let config = scenario(3);
    let batch = frames(&config, 4);
    let device = cpu();
    let admm = AdmmConfig { layers: 2, ..AdmmConfig::default() };
    let mut net = untrained(&admm, &config, &batch, &device);
    let constant = |v: f64| Param::from_tensor(Tensor::from_floats([[v as f32]], &device));
    for layer in &mut net.layers {
        (layer.theta, layer.relax_v, layer.relax_u) = (constant(1.0), constant(1.0), constant(2.0));
        (layer.blend, layer.onsager) = (Some(constant(1.0)), Some(constant(1.0)));
    }
    let tensors = FrameTensors::from_frames(&batch, &device);
    let s = stack_pilots(batch.model().pilots(), &device);
    let found = net.forward(&tensors, s.clone(), log_odds(batch.model().activity_prob(), &device), 2, None);
    // The same by hand: Z = T + 2 W (Y - A T), T <- V~ + b (V~ - Z).
    let analysis = crate::tensor::complex::analysis_matrix(net.layers[0].b.as_ref().expect("own").val());
    let synthesis = crate::tensor::complex::synthesis_matrix(s);
    let mut t: Tensor<2> = Tensor::zeros([12, 48], &device);
    for (layer, expected) in net.layers.iter().zip(&found.x) {
        let r = tensors.y.clone() - t.clone().matmul(synthesis.clone());
        let z = t + r.clone().matmul(analysis.clone()) * 2.0;
        let rows = attention::Squeezed {
            energy: crate::tensor::row_dot(z.clone(), z.clone(), 3),
            power: crate::systems::access::residual_power(r, 3),
            beta: tensors.beta.clone(),
            log_odds: log_odds(batch.model().activity_prob(), &device),
            antennas: 3,
        };
        let look = layer.attention.as_ref().expect("attention").look(&rows);
        let x = crate::tensor::row_scale(z.clone(), look.weight, 3);
        let gap: f32 = (x.clone() - expected.clone()).abs().max().into_scalar();
        let size: f32 = x.clone().abs().max().into_scalar();
        assert!(gap < 1e-4 * size, "{gap} of {size}");
        let b = look.divergence.clone() / (look.divergence.neg() + 1.0);
        let b = b.expand([4, 3]).reshape([12, 1]);
        t = x.clone() + (x - z) * b;
    }
}

#[test]
fn full_attention_is_the_bayes_shrink_of_a_row() {
    let config = scenario(3);
    let batch = frames(&config, 4);
    let device = cpu();
    let admm = AdmmConfig { layers: 1, ..AdmmConfig::default() };
    let mut net = untrained(&admm, &config, &batch, &device);
    let constant = |v: f64| Param::from_tensor(Tensor::from_floats([[v as f32]], &device));
    net.layers[0].blend = Some(constant(1.0));
    // Effective noise 0.7 whatever the residual; Z = U~ in the first layer.
    let attention = net.layers[0].attention.as_mut().expect("attention");
    (attention.spread, attention.floor) = (constant(-80.0), constant(0.7_f64.ln()));
    net.layers[0].theta = constant(0.0);
    let tensors = FrameTensors::from_frames(&batch, &device);
    let s = stack_pilots(batch.model().pilots(), &device);
    let found = net.forward(&tensors, s.clone(), log_odds(batch.model().activity_prob(), &device), 1, None);
    let analysis = crate::tensor::complex::analysis_matrix(net.layers[0].b.as_ref().expect("own").val());
    let host = |t: Tensor<2>| {
        let data: Vec<f32> = t.into_data().try_into_vec().expect("f32");
        unstack_rows(&data, 4, 24, 3)
    };
    let (z, x) = (host(tensors.y.clone().matmul(analysis)), host(found.x[0].clone()));
    let (tau2, beta, odds) =
        (0.7_f64, batch.model().pilots().energy() / batch.model().noise_var(), (0.1_f64 / 0.9).ln());
    let omega = beta / (beta + tau2);
    for (z, x) in z.chunks_exact(3).zip(x.chunks_exact(3)) {
        let energy: f64 = z.iter().map(|v| v.norm_sqr()).sum();
        let logit = energy * omega / tau2 - 3.0 * (beta / tau2).ln_1p() + odds;
        let weight = omega / (1.0 + (-logit).exp());
        let gap: f64 = z.iter().zip(x).map(|(z, x)| (z * weight - x).norm()).sum();
        assert!(gap < 1e-4 * (1.0 + energy.sqrt()), "{gap}");
    }
}
