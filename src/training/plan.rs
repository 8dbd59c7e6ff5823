//! The plan of a run (name, seed, schedule, device), and what all tasks do with it.

use burn::tensor::{Device, Tensor};

use super::config::{PhaseConfig, PhaseKind, TrainingConfig};
use super::error::TrainError;
use super::task::Validation;
use crate::container::sha256_hex;

/// One phase of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// Name in curves, e.g. "layer 3", "refinement", "joint".
    pub name: String,
    /// The layer that is trained, in a layer-wise phase; from 0.
    pub layer: Option<usize>,
    /// Its entry of the schedule.
    pub config: PhaseConfig,
}

impl TrainingConfig {
    /// The phases of a run: a layer-wise entry is one phase per layer ("layer 1", ...), every other entry one phase with
    /// the name that its kind has.
    pub fn unfold(&self, layers: usize, name: impl Fn(PhaseKind) -> &'static str) -> Vec<Phase> {
        let phases = |config: &PhaseConfig| -> Vec<Phase> {
            let phase = |name: String, layer| Phase { name, layer, config: config.clone() };
            match config.kind {
                PhaseKind::LayerWise => (0..layers).map(|t| phase(format!("layer {}", t + 1), Some(t))).collect(),
                kind => vec![phase(name(kind).to_owned(), None)],
            }
        };
        self.phases.iter().flat_map(phases).collect()
    }
}

/// A run: its name, its schedule, its device.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Name in messages.
    pub label: String,
    /// Seed of all random streams.
    pub seed: u64,
    /// Schedule: when it validates, when it gives up, whether weights are averaged.
    pub training: TrainingConfig,
    /// Phases in order.
    pub phases: Vec<Phase>,
    /// A plain device (without gradients).
    pub device: Device,
    /// SHA-256 of everything that defines the run; a checkpoint with another one is refused.
    pub fingerprint: String,
}

impl Plan {
    /// A run on a plain device; `identity` is everything that defines it.
    pub fn new(
        label: &str,
        seed: u64,
        training: &TrainingConfig,
        phases: Vec<Phase>,
        device: &Device,
        identity: &serde_json::Value,
    ) -> Self {
        Self {
            label: label.to_owned(),
            seed,
            training: training.clone(),
            phases,
            device: device.clone(),
            fingerprint: sha256_hex(identity.to_string().as_bytes()),
        }
    }

    /// Where networks are trained.
    pub fn training_device(&self) -> Device {
        self.device.clone().autodiff()
    }

    fn failed(&self, message: String) -> TrainError {
        TrainError::Device { label: self.label.clone(), message }
    }

    /// A number that the device has computed.
    ///
    /// # Errors
    /// [`TrainError::Device`].
    pub fn scalar(&self, t: Tensor<1>) -> Result<f64, TrainError> {
        t.try_into_scalar::<f32>().map(f64::from).map_err(|e| self.failed(format!("{e:?}")))
    }

    /// Numbers that the device has computed, row-major.
    ///
    /// # Errors
    /// [`TrainError::Device`].
    pub fn values<const D: usize>(&self, t: Tensor<D>) -> Result<Vec<f32>, TrainError> {
        let data = t.try_into_data().map_err(|e| self.failed(e.to_string()))?;
        data.convert::<f32>().try_into_vec().map_err(|e| self.failed(format!("{e:?}")))
    }

    /// Judges a network on validation frames: the mean of the loss over all frames, and rates of errors.
    ///
    /// # Errors
    /// [`TrainError`] of `judge`, or when the device fails.
    pub fn validate<C>(
        &self,
        chunks: &[C],
        judge: impl Fn(&C) -> Result<Judged, TrainError>,
    ) -> Result<Validation, TrainError> {
        let (mut loss, mut frames) = (0.0, 0_usize);
        let mut rates: [Option<[f64; 2]>; 2] = [None; 2];
        for chunk in chunks {
            let judged = judge(chunk)?;
            loss += self.scalar(judged.loss)? * judged.frames as f64;
            frames += judged.frames;
            for (sum, found) in rates.iter_mut().zip([judged.symbols, judged.bits]) {
                if let Some([wrong, of]) = found {
                    let [a, b] = sum.unwrap_or_default();
                    *sum = Some([a + wrong, b + of]);
                }
            }
        }
        let [ser, ber] = rates.map(|sum| sum.filter(|[_, of]| *of > 0.0).map(|[wrong, of]| wrong / of));
        Ok(Validation { loss: loss / frames as f64, ser, ber })
    }
}

/// What validation finds in a chunk of frames.
#[derive(Debug)]
pub struct Judged {
    /// Frames.
    pub frames: usize,
    /// Mean loss over them.
    pub loss: Tensor<1>,
    /// Wrong decisions and decisions, in phases that decide.
    pub symbols: Option<[f64; 2]>,
    /// Wrong bits and bits, on spreading links.
    pub bits: Option<[f64; 2]>,
}

/// Validation frames, drawn once: `make(first, count)` for chunks of at most `chunk` frames.
pub fn in_chunks<T>(frames: usize, chunk: usize, make: impl Fn(u64, usize) -> T) -> Vec<T> {
    (0..frames).step_by(chunk).map(|first| make(first as u64, chunk.min(frames - first))).collect()
}
