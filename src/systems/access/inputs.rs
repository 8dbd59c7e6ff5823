//! Frames as tensors.

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use crate::link::DetectError;
use crate::link::{FrameBatch, Pilots};
use crate::scenario::{Realizations, Scenario};
use crate::tensor::complex::stack_frames;

/// Frames drawn by one worker at a time.
const DRAW: usize = 16;

/// What a network sees of F frames; everything is divided by the noise standard deviation and the pilot energy, so that
/// networks always work at unit noise variance and unit-norm pilots.
#[derive(Debug, Clone)]
pub struct FrameTensors {
    /// Observations, `[F*M, 2L]` stacked.
    pub y: Tensor<2>,
    /// Large-scale gain of every sequence (the gain of its device), `[F, K]`.
    pub beta: Tensor<2>,
    /// Antennas M.
    pub antennas: usize,
}

/// Truth of F frames, for losses.
#[derive(Debug, Clone)]
pub struct Labels {
    /// One-hot sent sequences, `[F, K]`; all zero for an idle device.
    pub sent: Tensor<2>,
    /// True rows of X, `[F*M, 2K]` stacked.
    pub x: Tensor<2>,
}

impl Labels {
    /// One-hot sent sequences, `[F, K]`, all zero for idle devices.
    pub fn one_hot(r: &Realizations, q: usize, device: &Device) -> Tensor<2> {
        let mut sent = vec![0.0_f32; r.frames() * r.devices() * q];
        for (i, &a) in r.activity().iter().enumerate() {
            if a > 0 {
                sent[i * q + (a - 1) as usize] = 1.0;
            }
        }
        Tensor::from_data(TensorData::new(sent, [r.frames(), r.devices() * q]), device)
    }
}

/// `[F, N]` gains to `[F, K]` values, each repeated for the Q sequences of its device and divided by `scale`.
fn spread_gains(beta: impl Iterator<Item = f64>, frames: usize, devices: usize, q: usize, scale: f64) -> TensorData {
    let data: Vec<f32> = beta.flat_map(|b| std::iter::repeat_n((b * scale) as f32, q)).collect();
    TensorData::new(data, [frames, devices * q])
}

impl FrameTensors {
    /// Moves a batch to `device`.
    pub fn from_frames(batch: &FrameBatch, device: &Device) -> Self {
        let m = batch.model();
        let (f, n, q) = (batch.frames(), m.devices(), m.sequences());
        // y/sigma = (S/root(E)) (root(E)/sigma X) + w: the gains grow by E/sigma^2.
        let scale = m.pilots().energy() / m.noise_var();
        let y: Vec<_> = batch.y().iter().map(|v| v / m.noise_var().sqrt()).collect();
        let gains = (0..f).flat_map(|i| batch.beta_of(i).iter().copied());
        Self {
            y: stack_frames(&y, f, m.pilot_length(), m.antennas(), device),
            beta: Tensor::from_data(spread_gains(gains, f, n, q, scale), device),
            antennas: m.antennas(),
        }
    }
}

/// Draws as tensors, before any pilot: what training with learned pilots starts from.
#[derive(Debug, Clone)]
pub struct DrawTensors {
    /// Receiver noise, `[F*M, 2L]`.
    pub noise: Tensor<2>,
    /// Gains, `[F, K]`.
    pub beta: Tensor<2>,
    /// Truth.
    pub labels: Labels,
    /// Antennas M.
    pub antennas: usize,
}

impl DrawTensors {
    /// Moves draws to `device`; `q` sequences per device, pilot columns of norm `root(energy)` on the link.
    pub fn new(r: &Realizations, q: usize, energy: f64, device: &Device) -> Self {
        // In units of the noise and for unit-norm pilots, as in `FrameTensors::from_frames`.
        let noise_scale = r.noise_var().sqrt().recip();
        let x_scale = (energy / r.noise_var()).sqrt();
        let (f, n, m, l) = (r.frames(), r.devices(), r.antennas(), r.pilot_length());
        let k = n * q;
        let mut x = vec![0.0_f32; f * m * 2 * k];
        for frame in 0..f {
            for d in 0..n {
                let a = r.activity()[frame * n + d];
                if a == 0 {
                    continue;
                }
                let column = d * q + (a - 1) as usize;
                for ant in 0..m {
                    let h = r.channel()[(frame * n + d) * m + ant];
                    let at = (frame * m + ant) * 2 * k + column;
                    x[at] = (h.re * x_scale) as f32;
                    x[at + k] = (h.im * x_scale) as f32;
                }
            }
        }
        let gains = (0..f).flat_map(|i| r.beta().frame(i).iter().copied());
        let noise: Vec<_> = r.noise().iter().map(|w| w * noise_scale).collect();
        Self {
            noise: stack_frames(&noise, f, l, m, device),
            beta: Tensor::from_data(spread_gains(gains, f, n, q, energy / r.noise_var()), device),
            labels: Labels {
                sent: Labels::one_hot(r, q, device),
                x: Tensor::from_data(TensorData::new(x, [f * m, 2 * k]), device),
            },
            antennas: m,
        }
    }

    /// The frames these draws make through a synthesis matrix `[2K, 2L]`: `Y = S X + W`.
    pub fn observe(&self, synthesis: Tensor<2>) -> FrameTensors {
        FrameTensors {
            y: self.labels.x.clone().matmul(synthesis) + self.noise.clone(),
            beta: self.beta.clone(),
            antennas: self.antennas,
        }
    }
}

/// Draws frames in parallel; the result is that of one sequential draw.
pub fn draw(scenario: &Scenario, first: u64, count: usize) -> Realizations {
    let parts: Vec<Realizations> = (0..count.div_ceil(DRAW))
        .into_par_iter()
        .map(|i| scenario.realize(first + (i * DRAW) as u64, DRAW.min(count - i * DRAW)))
        .collect();
    Realizations::concat(parts)
}

/// Frames must have been made with the pilots of the model, whatever their energy.
pub(in crate::systems) fn check_pilots(found: &Pilots, own: &Pilots) -> Result<(), DetectError> {
    let (scale, own_scale) = (found.energy().sqrt(), own.energy().sqrt());
    let squares = found.data().iter().zip(own.data()).map(|(a, b)| (a / scale - b / own_scale).norm_sqr());
    let difference = squares.fold(0.0, f64::max).sqrt();
    if difference > 1e-3 {
        return Err(DetectError::Mismatch(format!(
            "the frames were made with other pilots than the model was trained with (largest difference {difference:.2e}); \
             export the model's pilots with `grantfree export BUNDLE --format npz` and transmit those"
        )));
    }
    Ok(())
}
