//! The score network: its parts against plain formulas, its sizes, and that training approaches a known score.

use burn::tensor::{Tensor, TensorData};
use grantfree::link::{Split, StreamKey};
use grantfree::scenario::{ScenarioConfig, ScenarioKind};
use grantfree::systems::score::{
    InstanceNormPlus, ScoreFunction, ScoreModel, ScoreNet, ScoreTask, SetNet, noise_levels, resize, to_beams,
};
use grantfree::systems::score::{ScoreArchitecture, ScoreConfig, ScoreDomain};
use grantfree::training::{PhaseConfig, PhaseKind, TrainingConfig};
use grantfree::training::{TrainStop, TrainTask, train};

use super::{cpu, devices, normals, values};

fn image(seed: u64, shape: [usize; 4], device: &burn::tensor::Device) -> Tensor<4> {
    let data: Vec<f32> = normals(seed, shape.iter().product()).iter().map(|v| *v as f32).collect();
    Tensor::from_data(TensorData::new(data, shape), device)
}

fn net(width: usize, depth: usize, device: &burn::tensor::Device) -> ScoreNet {
    ScoreNet::init(
        &ScoreConfig { width, depth, ..ScoreConfig::default() },
        &StreamKey::new(3, Split::Train, "test"),
        device,
    )
}

#[test]
fn resizing_interpolates_linearly_between_the_corners() {
    for (name, device) in devices() {
        // A plane stays a plane, whatever the sizes.
        let plane = |h: usize, w: usize| -> Vec<f32> {
            let at = |i: usize, n: usize| i as f32 / (n.max(2) - 1) as f32;
            (0..h * w).map(|p| 1.0 + 2.0 * at(p / w, h) - 3.0 * at(p % w, w)).collect()
        };
        for ([h, w], [th, tw]) in [([4, 6], [7, 3]), ([3, 5], [3, 9]), ([2, 2], [5, 5])] {
            let x = Tensor::<4>::from_data(TensorData::new(plane(h, w), [1, 1, h, w]), &device);
            let got = values(resize(x, [th, tw]));
            for (a, b) in got.iter().zip(plane(th, tw)) {
                assert!((a - f64::from(b)).abs() < 1e-5, "{name}");
            }
        }
    }
}

#[test]
fn a_trained_scale_of_the_input_means_nothing_to_the_norm_but_its_means_do() {
    let device = cpu();
    let norm = net(3, 1, &device).normalizer;
    let check = |norm: &InstanceNormPlus, x: Tensor<4>| values(norm.forward(x));
    let x = image(1, [2, 3, 5, 4], &device) * 2.0 + 1.0;
    let (a, b) = (check(&norm, x.clone()), check(&norm, x.clone() * 10.0));
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-2), "instance normalisation removes the scale");
    // Per image and channel: variance 1, and a mean that is the normalised mean of the channel.
    let x = values(x);
    for f in 0..2 {
        let means: Vec<f64> = (0..3).map(|c| x[(f * 3 + c) * 20..][..20].iter().sum::<f64>() / 20.0).collect();
        let centre = means.iter().sum::<f64>() / 3.0;
        let spread = (means.iter().map(|m| (m - centre).powi(2)).sum::<f64>() / 2.0 + 1e-5).sqrt();
        for c in 0..3 {
            let part = &a[(f * 3 + c) * 20..][..20];
            let mean = part.iter().sum::<f64>() / 20.0;
            let variance = part.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 20.0;
            assert!((mean - (means[c] - centre) / spread).abs() < 1e-4, "{mean}");
            assert!((variance - 1.0).abs() < 1e-3, "{variance}");
        }
    }
}

#[test]
fn one_network_serves_every_size_and_level_on_every_backend() {
    let reference = net(4, 3, &cpu());
    for [m, n] in [[8, 32], [7, 15], [2, 3], [16, 16]] {
        let want = {
            let x = image(5, [2, 2, m, n], &cpu());
            values(reference.score(x, Tensor::ones([2, 1, 1, 1], &cpu())))
        };
        assert_eq!(want.len(), 4 * m * n);
        for (name, device) in devices() {
            let sigma = Tensor::<4>::from_data(TensorData::new(vec![1.0_f32, 4.0], [2, 1, 1, 1]), &device);
            let got = values(net(4, 3, &device).score(image(5, [2, 2, m, n], &device), sigma));
            for (i, (a, b)) in got.iter().zip(&want).enumerate() {
                let level = if i < 2 * m * n { 1.0 } else { 4.0 };
                assert!((a * level - b).abs() < 1e-3 * (1.0 + b.abs()), "{name}, {m} x {n}: {a} {b}");
            }
        }
    }
}

fn training_approaches_the_score_of_gaussian_channels<N: ScoreModel>(architecture: ScoreArchitecture) {
    // Every device active with unit power: x ~ N(0, 1/2) per real part, and the blurred score is -x/(1/2 + sigma^2).
    let device = cpu();
    let scenario = ScenarioConfig {
        kind: ScenarioKind::UnitGain,
        devices: 8,
        antennas: 4,
        pilot_length: 4,
        bits: 0,
        active_devices: Some(8),
        ..ScenarioConfig::default()
    };
    let training = TrainingConfig {
        batch: 16,
        phases: vec![PhaseConfig {
            kind: PhaseKind::Joint,
            steps: 150,
            lr: 3e-3,
            scalar_lr: 3e-3,
            pilot_lr: 3e-3,
            cosine: true,
            auxiliary: 0.0,
        }],
        validation_frames: 64,
        validation_every: 50,
        ..TrainingConfig::default()
    };
    let config = ScoreConfig {
        architecture,
        width: 4,
        depth: 1,
        sigma_max: 2.8,
        sigma_min: 0.35,
        levels: 6,
        ..ScoreConfig::default()
    };
    let task = ScoreTask::<N>::new("test", &scenario, 7, &config, &training, &device).unwrap();
    let folder = temp_dir::TempDir::new().unwrap();
    let outcome = train(&task, &folder.path().join("c"), &(), &false.into()).unwrap();
    assert_eq!(outcome.stop, TrainStop::Finished);
    // The smallest loss: E||z - E[z|x + sigma z]||^2/2 per pixel = (1/2)/(1/2 + sigma^2)/2, mean over the levels.
    let best = noise_levels(&config).iter().map(|s| 0.25 / (0.5 + s * s)).sum::<f64>() / 6.0;
    let start = task.validate(&task.init().valid(), &task.phases()[0]).unwrap().loss;
    let end = task.validate(&outcome.net, &task.phases()[0]).unwrap().loss;
    assert!(start > 1.1 * best, "the untrained network is too good for this test: {start}, {best}");
    assert!(end < best + 0.5 * (start - best) && end > 0.8 * best, "start {start}, end {end}, smallest {best}");
}

#[test]
fn training_a_refine_net_approaches_the_score_of_gaussian_channels() {
    training_approaches_the_score_of_gaussian_channels::<ScoreNet>(ScoreArchitecture::Refine);
}

#[test]
fn training_a_set_net_approaches_the_score_of_gaussian_channels() {
    training_approaches_the_score_of_gaussian_channels::<SetNet>(ScoreArchitecture::Set);
}

/// A set network whose last layers are not zero.
fn set_net(domain: ScoreDomain, device: &burn::tensor::Device) -> SetNet {
    let config =
        ScoreConfig { architecture: ScoreArchitecture::Set, domain, width: 6, depth: 4, ..ScoreConfig::default() };
    let mut net = SetNet::init(&config, &StreamKey::new(3, Split::Train, "test"), device);
    let fill = |p: burn::module::Param<Tensor<4>>, seed| {
        let shape = p.val().dims();
        p.map(|_| image(seed, shape, device) * 0.3)
    };
    net.end_conv.weight = fill(net.end_conv.weight, 81);
    net.gate.weight = fill(net.gate.weight, 82);
    net
}

#[test]
fn a_set_network_knows_no_order_of_the_users_and_is_alike_on_every_backend() {
    let (b, m, n) = (2, 5, 7);
    let turn = |data: &[f64]| -> Vec<f64> { (0..data.len()).map(|i| data[i / n * n + (i % n + 3) % n]).collect() };
    let put = |data: &[f64], device: &burn::tensor::Device| {
        let data: Vec<f32> = data.iter().map(|v| *v as f32).collect();
        Tensor::<4>::from_data(TensorData::new(data, [b, 2, m, n]), device)
    };
    let x = normals(83, b * 2 * m * n);
    let level = |device: &burn::tensor::Device| {
        Tensor::<4>::from_data(TensorData::new(vec![0.3_f32, 1.5], [b, 1, 1, 1]), device)
    };
    for domain in [ScoreDomain::Antenna, ScoreDomain::Beam] {
        let want = values(set_net(domain, &cpu()).score(put(&x, &cpu()), level(&cpu())));
        assert!(want.iter().all(|v| v.is_finite()));
        for (name, device) in devices() {
            let net = set_net(domain, &device);
            let same = values(net.score(put(&x, &device), level(&device)));
            let turned = values(net.score(put(&turn(&x), &device), level(&device)));
            for ((a, b), c) in same.iter().zip(&want).zip(turn(&want).iter().zip(&turned).map(|(a, b)| (a - b).abs())) {
                assert!((a - b).abs() < 1e-3 * (1.0 + b.abs()) && c < 1e-3 * (1.0 + b.abs()), "{name}: {a} {b} {c}");
            }
        }
    }
}

#[test]
fn beams_are_the_unitary_transform_of_the_antennas() {
    let (m, n) = (6, 2);
    let x = normals(91, 2 * m * n);
    for (name, device) in devices() {
        let data: Vec<f32> = x.iter().map(|v| *v as f32).collect();
        let beams = to_beams(Tensor::<4>::from_data(TensorData::new(data, [1, 2, m, n]), &device), false);
        let got = values(beams.clone());
        for (k, user) in (0..m).flat_map(|k| (0..n).map(move |u| (k, u))) {
            let (mut re, mut im) = (0.0, 0.0);
            for a in 0..m {
                let (s, c) = (-2.0 * std::f64::consts::PI * (k * a) as f64 / m as f64).sin_cos();
                let (xr, xi) = (x[a * n + user], x[(m + a) * n + user]);
                re += (xr * c - xi * s) / (m as f64).sqrt();
                im += (xr * s + xi * c) / (m as f64).sqrt();
            }
            assert!((got[k * n + user] - re).abs() < 1e-5 && (got[(m + k) * n + user] - im).abs() < 1e-5, "{name}");
        }
        let back = values(to_beams(beams, true));
        assert!(back.iter().zip(&x).all(|(a, b)| (a - b).abs() < 1e-5), "{name}");
    }
}
