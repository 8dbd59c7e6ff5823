//! Denoising score matching as a training task.

use std::marker::PhantomData;

use burn::module::{ModuleVisitor, Param, ParamId};
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
use crate::training::{Phase, RateGroup, TrainError, TrainTask, Validation};
use crate::training::{PhaseConfig, TrainingConfig};

/// Validation frames of one forward pass.
const CHUNK: usize = 64;
/// Largest norm of the gradient of one parameter.
const CLIP: f32 = 1.0;

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
    label: String,
    score: ScoreConfig,
    training: TrainingConfig,
    seed: u64,
    train: Scenario,
    noise: StreamKey,
    device: Device,
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
        let frames = training.validation_frames;
        let noise = StreamKey::new(seed, Split::Validation, "score matching");
        let validation = (0..frames)
            .step_by(CHUNK)
            .map(|first| {
                let count = CHUNK.min(frames - first);
                noisy(&draw(&held_out, first as u64, count), first as u64, &noise, score, device)
            })
            .collect();
        Ok(Self {
            label: label.to_owned(),
            score: score.clone(),
            training: training.clone(),
            seed,
            train,
            noise: StreamKey::new(seed, Split::Train, "score matching"),
            device: device.clone(),
            validation,
            net: PhantomData,
        })
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

/// Ids of all parameters.
#[derive(Default)]
struct Ids(Vec<ParamId>);

impl ModuleVisitor for Ids {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push(param.id);
    }
}

impl<N: ScoreModel> TrainTask for ScoreTask<N> {
    type Net = N;
    type Batch = NoisyImages;

    fn label(&self) -> &str {
        &self.label
    }

    fn fingerprint(&self) -> String {
        let text = serde_json::json!([self.train.config().named(), self.seed, self.score, self.training]).to_string();
        crate::container::sha256_hex(text.as_bytes())
    }

    fn phases(&self) -> Vec<Phase> {
        let of =
            |(index, p): (usize, &PhaseConfig)| Phase { name: "joint".into(), steps: p.steps, cosine: p.cosine, index };
        self.training.phases.iter().enumerate().map(of).collect()
    }

    fn training(&self) -> &TrainingConfig {
        &self.training
    }

    fn clip(&self) -> Option<f32> {
        Some(CLIP)
    }

    fn init(&self) -> N {
        let key = StreamKey::new(self.seed, Split::Train, "score network");
        N::init(&self.score, &key, &self.device.clone().autodiff()).train()
    }

    fn groups(&self, net: &N, phase: &Phase) -> Vec<RateGroup> {
        let mut ids = Ids::default();
        net.visit(&mut ids);
        vec![RateGroup { ids: ids.0, rate: self.training.phases[phase.index].lr }]
    }

    fn batch(&self, step: u64, _: &Phase) -> Result<NoisyImages, TrainError> {
        let count = self.training.batch as u64;
        // The same channels may come again (a fixed set of frames), never the same noise.
        let draws = draw(&self.train, self.training.first_frame(step), self.training.batch);
        Ok(noisy(&draws, step * count, &self.noise, &self.score, &self.device))
    }

    fn loss(&self, net: &N, batch: &NoisyImages, _: &Phase) -> Tensor<1> {
        denoising_loss(net, batch.x.clone(), batch.z.clone(), batch.sigma.clone())
    }

    fn validate(&self, net: &N, _: &Phase) -> Result<Validation, TrainError> {
        let (mut loss, mut seen) = (0.0, 0);
        for chunk in &self.validation {
            let count = chunk.x.dims()[0];
            let value = denoising_loss(net, chunk.x.clone(), chunk.z.clone(), chunk.sigma.clone())
                .try_into_scalar::<f32>()
                .map_err(|e| TrainError::Device { label: self.label.clone(), message: format!("{e:?}") })?;
            loss += f64::from(value) * count as f64;
            seen += count;
        }
        Ok(Validation { loss: loss / seen as f64, ser: None, ber: None })
    }
}
