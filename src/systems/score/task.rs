//! Denoising score matching as a training task.

use std::marker::PhantomData;

use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use super::dsm::{denoising_loss, geometric_levels};
use super::function::ScoreModel;
use crate::link::{Purpose, Split, StreamKey};
use crate::scenario::ScenarioConfig;
use crate::scenario::{Realizations, Scenario, ScenarioError};
use crate::systems::access::draw;
use crate::systems::score::ScoreConfig;
use crate::training::{Judged, Phase, Plan, TrainError, TrainTask, TrainingConfig, Validation, in_chunks};

/// Validation frames of one forward pass.
const CHUNK: usize = 64;

/// The noise levels a network is trained for, standard deviations per real part, from large to small.
pub fn noise_levels(score: &ScoreConfig) -> Vec<f64> {
    let real = 0.5_f64.sqrt();
    geometric_levels(score.sigma_max * real, score.sigma_min * real, score.levels)
}

/// Channel matrices with the noise they meet.
#[derive(Debug, Clone)]
pub struct NoisyImages {
    /// X, `[B, 2, M, N]`: real and imaginary parts of the columns `a_n h_n`.
    pub x: Tensor<4>,
    /// Standard normal, `[B, 2, M, N]`.
    pub z: Tensor<4>,
    /// Noise level of each image, `[B, 1, 1, 1]`.
    pub sigma: Tensor<4>,
}

/// Channel matrices of drawn frames as images, row-major `[F, 2, M, N]`, in units of the root of each device's gain; columns
/// of idle devices, and of those that cannot be heard, are zero.
pub fn images(r: &Realizations) -> Vec<f32> {
    let (n, m) = (r.devices(), r.antennas());
    let mut data = vec![0.0_f32; r.frames() * 2 * m * n];
    for (frame, image) in data.chunks_exact_mut(2 * m * n).enumerate() {
        let (re, im) = image.split_at_mut(m * n);
        let beta = r.beta().frame(frame);
        for d in (0..n).filter(|&d| r.activity()[frame * n + d] > 0 && beta[d] > 0.0) {
            for ant in 0..m {
                let h = r.channel()[(frame * n + d) * m + ant] / beta[d].sqrt();
                re[ant * n + d] = h.re as f32;
                im[ant * n + d] = h.im as f32;
            }
        }
    }
    data
}

/// A score network, its scenario and its schedule.
pub struct ScoreTask<N> {
    plan: Plan,
    score: ScoreConfig,
    train: Scenario,
    noise: StreamKey,
    validation: Vec<NoisyImages>,
    net: PhantomData<fn() -> N>,
}

impl<N: ScoreModel> ScoreTask<N> {
    /// Draws the validation frames; `device` is a plain device.
    ///
    /// # Errors
    /// [`ScenarioError`] when the scenario cannot be prepared.
    pub fn new(
        label: &str,
        scenario: &ScenarioConfig,
        seed: u64,
        score: &ScoreConfig,
        training: &TrainingConfig,
        device: &Device,
    ) -> Result<Self, ScenarioError> {
        let train = Scenario::new(scenario, seed, Split::Train)?;
        let held_out = Scenario::new(scenario, seed, Split::Validation)?;
        let noise = StreamKey::new(seed, Split::Validation, "score matching");
        let validation = in_chunks(training.validation_frames, CHUNK, |first, count| {
            noisy(&draw(&held_out, first, count), first, &noise, score, device)
        });
        let identity = serde_json::json!([train.config().named(), seed, score, training]);
        let phases = training.unfold(0, |_| "joint");
        let plan = Plan::new(label, seed, training, phases, device, &identity);
        let noise = StreamKey::new(seed, Split::Train, "score matching");
        Ok(Self { plan, score: score.clone(), train, noise, validation, net: PhantomData })
    }
}

/// Images of drawn frames with keyed noise at keyed levels; frame `first + i` is the i-th.
fn noisy(r: &Realizations, first: u64, key: &StreamKey, score: &ScoreConfig, device: &Device) -> NoisyImages {
    let shape = [r.frames(), 2, r.antennas(), r.devices()];
    let per_image = 2 * r.antennas() * r.devices();
    let values = noise_levels(score);
    let mut z = Vec::with_capacity(r.frames() * per_image);
    let mut sigma = Vec::with_capacity(r.frames());
    for f in 0..r.frames() as u64 {
        let mut rng = key.rng(Purpose::Noise, first + f);
        sigma.push(values[rng.random_range(0..values.len())] as f32);
        z.extend((0..per_image).map(|_| -> f32 { StandardNormal.sample(&mut rng) }));
    }
    let put = |data: Vec<f32>, shape: [usize; 4]| Tensor::from_data(TensorData::new(data, shape), device);
    NoisyImages { x: put(images(r), shape), z: put(z, shape), sigma: put(sigma, [r.frames(), 1, 1, 1]) }
}

impl<N: ScoreModel> TrainTask for ScoreTask<N> {
    type Net = N;
    type Batch = NoisyImages;

    const CLIP: Option<f32> = Some(1.0);

    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn init(&self) -> N {
        let key = StreamKey::new(self.plan.seed, Split::Train, "score network");
        N::init(&self.score, &key, &self.plan.training_device()).train()
    }

    fn batch(&self, step: u64, _: &Phase) -> Result<NoisyImages, TrainError> {
        let training = &self.plan.training;
        // The same channels may come again (a fixed set of frames), never the same noise.
        let draws = draw(&self.train, training.first_frame(step), training.batch);
        Ok(noisy(&draws, step * training.batch as u64, &self.noise, &self.score, &self.plan.device))
    }

    fn loss(&self, net: &N, batch: &NoisyImages, _: &Phase) -> Tensor<1> {
        denoising_loss(net, batch.x.clone(), batch.z.clone(), batch.sigma.clone())
    }

    fn validate(&self, net: &N, phase: &Phase) -> Result<Validation, TrainError> {
        self.plan.validate(&self.validation, |chunk| {
            let frames = chunk.x.dims()[0];
            Ok(Judged { frames, loss: self.loss(net, chunk, phase), symbols: None, bits: None })
        })
    }
}
