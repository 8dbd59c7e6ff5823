//! Cases of systems A and B.

use grantfree::detect::{Amp, AmpOptions, Covariance, CovarianceOptions, Precision};
use grantfree::link::{Detector, FrameBatch, Split};
use grantfree::scenario::Scenario;
use grantfree::scenario::ScenarioConfig;
use grantfree::systems::access::{DrawTensors, FrameTensors};
use grantfree::systems::autoencoder::AutoEncoderTask;
use grantfree::systems::autoencoder::{DecoderConfig, DecoderForm};
use grantfree::systems::mampnet::{MampTask, StepBatch};
use grantfree::systems::mampnet::{ModelConfig, ModelForm};
use grantfree::tensor::complex::stack_pilots;
use grantfree::training::TrainTask;

use crate::case::{Arrays, Case, device};
use crate::step;
use crate::support::{gaussian_pilots, unit_gain};

/// Sizes of a link with one pilot per device.
pub struct Size {
    devices: usize,
    length: usize,
    antennas: usize,
}

pub const SMALL: Size = Size { devices: 100, length: 20, antennas: 4 };
pub const LARGE: Size = Size { devices: 1000, length: 150, antennas: 16 };
const BATCH: usize = 32;

fn link(size: &Size) -> ScenarioConfig {
    unit_gain(size.devices, size.antennas, size.length)
}

/// Test frames with the arrays that describe them.
fn frames(config: &ScenarioConfig, count: usize) -> (FrameBatch, Arrays) {
    let scenario = Scenario::new(config, 1, Split::Test).expect("no files");
    let batch = scenario.realize(0, count).observe(&scenario.pilots(0)).expect("the pilots are its own");
    let tensors = FrameTensors::from_frames(&batch, &device());
    let arrays = Arrays::default()
        .tensor("y", &tensors.y)
        .tensor("beta", &tensors.beta)
        .tensor("pilots", &stack_pilots(batch.model().pilots(), &device()));
    (batch, arrays)
}

/// Estimated rows `[F, K, M]` as the stacked `[F*M, 2K]` of unit noise and pilots.
fn stack_rows(batch: &FrameBatch, x: &[grantfree::link::C64]) -> Vec<f32> {
    let (f, k, m) = (batch.frames(), batch.model().columns(), batch.model().antennas());
    let scale = (batch.model().pilots().energy() / batch.model().noise_var()).sqrt();
    let mut out = vec![0.0; f * m * 2 * k];
    for (i, v) in x.iter().enumerate() {
        let (frame, column, antenna) = (i / (k * m), i / m % k, i % m);
        let at = (frame * m + antenna) * 2 * k + column;
        out[at] = (v.re * scale) as f32;
        out[at + k] = (v.im * scale) as f32;
    }
    out
}

/// AMP, 50 iterations in single precision.
pub fn amp(size: &Size) -> Case {
    let config = link(size);
    let (batch, inputs) = frames(&config, BATCH);
    let options = AmpOptions { iterations: 50, precision: Precision::F32, ..AmpOptions::default() };
    let detector = Amp::new(options).expect("options in range");
    let x = detector.detect(&batch).expect("the frames fit").x.expect("amp estimates rows");
    let rows = [BATCH * size.antennas, 2 * size.devices];
    let outputs = Arrays::default().floats("x", &rows, &stack_rows(&batch, &x));
    let p = config.activity_prob;
    let inputs = inputs.scalar("log_odds", (p / (1.0 - p)).ln()).scalar("iterations", 50.0);
    Case { inputs, outputs, run: Box::new(move || drop(detector.detect(&batch).expect("the frames fit"))) }
}

/// Covariance detection, ten sweeps in single precision.
pub fn covariance() -> Case {
    let (batch, inputs) = frames(&gaussian_pilots(40), BATCH);
    let options = CovarianceOptions { iterations: 10, precision: Precision::F32, ..CovarianceOptions::default() };
    let detector = Covariance::new(options).expect("options in range");
    let gamma = detector.detect(&batch).expect("the frames fit").gamma.expect("covariance estimates powers");
    // In units of unit noise and unit pilots, as beta is.
    let scale = batch.model().pilots().energy() / batch.model().noise_var();
    let gamma: Vec<f32> = gamma.iter().map(|g| (g * scale) as f32).collect();
    let outputs = Arrays::default().floats("gamma", &[BATCH, batch.model().columns()], &gamma);
    let inputs = inputs.scalar("sweeps", 10.0);
    Case { inputs, outputs, run: Box::new(move || drop(detector.detect(&batch).expect("the frames fit"))) }
}

fn draws(d: &DrawTensors) -> Arrays {
    Arrays::default()
        .tensor("noise", &d.noise)
        .tensor("beta", &d.beta)
        .tensor("x", &d.labels.x)
        .tensor("sent", &d.labels.sent)
}

fn autoencoder(size: &Size, decoder: DecoderConfig) -> Case {
    let training = step::schedule(BATCH, 0.0);
    let task = AutoEncoderTask::new("peer", &link(size), 1, &decoder, &training, &device()).expect("no files");
    let batch = task.batch(0, &task.phases()[0]).expect("no files");
    let inputs = draws(&batch).tensor("pilots", &stack_pilots(task.pilots(), &device()));
    step::case(task, batch, inputs)
}

/// AMP-NN without corrections.
pub fn amp_nn(size: &Size) -> Case {
    autoencoder(size, DecoderConfig { form: DecoderForm::Amp, corrections: 0, ..DecoderConfig::default() })
}

/// GROUP LASSO-NN without corrections.
pub fn group_lasso_nn() -> Case {
    autoencoder(&SMALL, DecoderConfig { form: DecoderForm::GroupLasso, corrections: 0, ..DecoderConfig::default() })
}

/// MAP-NN with its three dense corrections.
pub fn map_nn() -> Case {
    let size = Size { length: 12, ..SMALL };
    autoencoder(&size, DecoderConfig { form: DecoderForm::Map, ..DecoderConfig::default() })
}

fn mampnet(batch: usize, model: ModelConfig) -> Case {
    let training = step::schedule(batch, 0.1);
    let task = MampTask::new("peer", &gaussian_pilots(40), 1, &model, &training, &device()).expect("no files");
    let batch = task.batch(0, &task.phases()[0]).expect("no files");
    let StepBatch::Frames(frames, sent) = &batch else { unreachable!("the pilots are given") };
    let inputs = Arrays::default()
        .tensor("y", &frames.y)
        .tensor("beta", &frames.beta)
        .tensor("sent", sent)
        .tensor("pilots", &stack_pilots(task.pilots(), &device()))
        .scalar("sequences", 2.0);
    step::case(task, batch, inputs)
}

/// DL-mAMPnet, antenna-shared, eight AMP layers.
pub fn mampnet_shared() -> Case {
    mampnet(500, ModelConfig { layers: 8, ..ModelConfig::default() })
}

/// DL-mAMPnet as printed, four layers and refinement.
pub fn mampnet_paper() -> Case {
    mampnet(500, ModelConfig { form: ModelForm::Paper, layers: 4, ..ModelConfig::default() })
}
