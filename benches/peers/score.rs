//! Cases of system D.

use std::path::Path;

use burn::tensor::{Tensor, TensorData};
use grantfree::container::tensors;
use grantfree::detect::LangevinConfig;
use grantfree::link::Detector;
use grantfree::link::{C64, Split};
use grantfree::scenario::Scenario;
use grantfree::systems::Saved;
use grantfree::systems::score::ScoreConfig;
use grantfree::systems::score::{NoisyImages, ScoreDetector, ScoreFunction, ScoreNet, ScoreTask};
use grantfree::training::TrainTask;

use crate::case::{Arrays, Case, device};
use crate::step;
use crate::support::coherent;

/// Denoising score matching on 32 images of 16 x 32.
pub fn step() -> Case {
    let training = step::schedule(32, 0.0);
    let score = ScoreConfig::default();
    let task =
        ScoreTask::<ScoreNet>::new("peer", &coherent(16, 20), 1, &score, &training, &device()).expect("no files");
    let batch = task.batch(0, &task.phases()[0]).expect("no files");
    let NoisyImages { x, z, sigma } = &batch;
    let inputs = Arrays::default().tensor("x", x).tensor("z", z).tensor("sigma", sigma);
    step::case(task, batch, inputs)
}

/// Annealed Langevin sampling of 16 frames with the committed RefineNet.
pub fn langevin() -> Case {
    let (frames, n, m) = (16, 32, 8);
    let scenario = Scenario::new(&coherent(m, 20), 1, Split::Test).expect("no files");
    let batch = scenario.realize(0, frames).observe(&scenario.pilots(0)).expect("the pilots are its own");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("artifacts/models/score-n32-m8-refine");
    let loaded = Saved::<ScoreNet>::load(&folder, &device()).expect("a committed model");
    let options = LangevinConfig { samples: 1, levels: 20, steps: 6, sigma_min: 0.01, ..LangevinConfig::default() };

    let model = batch.model();
    let truth = &batch.truth().expect("simulated frames know the truth");
    let channel: Vec<C64> = (0..frames * n * m)
        .map(|i| if truth.activity()[i / m] > 0 { truth.channel()[i] } else { C64::new(0.0, 0.0) })
        .collect();
    let probe = probe(frames, n, m);
    let level = Tensor::<4>::from_data(
        TensorData::new((0..frames).map(|f| 0.05 * 1.2_f32.powi(f as i32)).collect(), [frames, 1, 1, 1]),
        &device(),
    );
    let score = loaded.net.score(probe.clone(), level.clone());
    let weights = tensors::read(&folder.join("weights.safetensors")).expect("a committed model");
    let inputs = Arrays::default()
        .complex("y", &[frames, model.pilot_length(), m], batch.y())
        .complex("pilots", &[model.pilot_length(), n], model.pilots().data())
        .complex("channel", &[frames, n, m], &channel)
        .scalar("noise_var", model.noise_var())
        .scalar("beta", batch.beta_of(0)[0])
        .numbers("sigmas", &options.sigmas())
        .scalar("steps", options.steps as f64)
        .scalar("alpha_0", options.first_step(model.pilot_length(), n))
        .scalar("denoise", f64::from(u8::from(options.denoise)))
        .tensor("probe_x", &probe)
        .tensor("probe_sigma", &level);
    let inputs = weights
        .iter()
        .filter(|(name, ..)| name != "pilots")
        .fold(inputs, |arrays, (name, shape, data)| arrays.floats(&format!("param.{name}"), shape, data));

    let detector =
        ScoreDetector::new(Box::new(loaded.net), options, &loaded.info.score, device(), "flex", loaded.info.threshold);
    let x = detector.detect(&batch).expect("the frames fit").x.expect("channels are estimated");
    let energy = |v: &mut dyn Iterator<Item = C64>| v.map(|v| v.norm_sqr()).sum::<f64>();
    let nmse = energy(&mut x.iter().zip(&channel).map(|(a, b)| a - b)) / energy(&mut channel.iter().copied());
    let outputs = Arrays::default().tensor("score", &score).scalar("nmse", nmse);
    Case { inputs, outputs, run: Box::new(move || drop(detector.detect(&batch).expect("the frames fit"))) }
}

/// Images of no particular law, the same everywhere.
fn probe(frames: usize, n: usize, m: usize) -> Tensor<4> {
    let value = |i: usize| ((i * 7919 + 13) % 1009) as f32 / 504.5 - 1.0;
    let data: Vec<f32> = (0..frames * 2 * m * n).map(value).collect();
    Tensor::from_data(TensorData::new(data, [frames, 2, m, n]), &device())
}
