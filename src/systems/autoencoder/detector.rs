//! A trained auto-encoder as a [`Detector`].

use std::sync::Arc;

use burn::tensor::{Device, Tensor};

use super::net::{AutoEncoder, Decoder, relative_energy};
use crate::link::{Decisions, DetectError, Detector, Facts};
use crate::link::{FrameBatch, Pilots};
use crate::systems::ModelError;
use crate::systems::access::{FrameTensors, LinkSizes, check_pilots, check_sizes, decide, file_rows, read};
use crate::training::Rated;

/// Frames of one forward pass; bounds the memory of large batches.
const CHUNK: usize = 128;

/// An auto-encoder with its pilots on a device.
#[derive(Debug)]
pub struct AutoEncoderDetector {
    net: AutoEncoder,
    pilots: Arc<Pilots>,
    /// The pilots in force, `[2L, K]`.
    s: Tensor<2>,
    sizes: LinkSizes,
    device: Device,
    backend: String,
    parameters: usize,
    threshold: f64,
    activity_probs: Option<Vec<f64>>,
}

impl AutoEncoderDetector {
    /// `net` must live on `device`; `pilots` are those it was trained with. A device is active when its score exceeds
    /// `threshold`: the logit of its activity, or `||x||^2/(M beta)` for a decoder of signals that has no logits.
    ///
    /// # Errors
    /// [`ModelError::Values`] when learned probabilities cannot be read from the device.
    pub fn new(
        net: AutoEncoder,
        pilots: Arc<Pilots>,
        sizes: LinkSizes,
        device: Device,
        backend: &str,
        threshold: f64,
    ) -> Result<Self, ModelError> {
        let parameters = net.trained_parameters();
        let s = net.pilots(&pilots, &device);
        let (backend, activity_probs) = (backend.to_owned(), net.activity_probs()?);
        Ok(Self { net, pilots, s, sizes, device, backend, parameters, threshold, activity_probs })
    }

    fn check(&self, frames: &FrameBatch) -> Result<(), DetectError> {
        let m = frames.model();
        if frames.frames() == 0 {
            return Ok(());
        }
        check_sizes(self.sizes.against(m))?;
        if matches!(self.net.decoder, Decoder::Map(_)) {
            let first = frames.beta_of(0);
            if let Some(f) = (0..frames.frames()).find(|&f| frames.beta_of(f) != first) {
                return Err(DetectError::Mismatch(format!(
                    "MAP-NN needs the same gains in all frames (power control); those of frame {f} differ from frame 0"
                )));
            }
        }
        check_pilots(m.pilots(), &self.pilots)
    }
}

impl Detector for AutoEncoderDetector {
    fn detect(&self, frames: &FrameBatch) -> Result<Decisions, DetectError> {
        self.check(frames)?;
        let m = frames.model();
        let mut out = Decisions { x: self.net.estimates_rows.then(Vec::new), ..Decisions::default() };
        for first in (0..frames.frames()).step_by(CHUNK) {
            let count = CHUNK.min(frames.frames() - first);
            let tensors = FrameTensors::from_frames(&frames.observed(first..first + count), &self.device);
            let found = self.net.forward(&tensors, self.s.clone());
            let score = match (&found.logits, &found.x) {
                (Some(l), _) => l.clone(),
                (None, Some(x)) => relative_energy(x.clone(), &tensors),
                (None, None) => Tensor::zeros([count, m.devices()], &self.device),
            };
            decide(&mut out, frames, first, &read(score, &self.backend)?, self.threshold);
            if let (Some(rows), Some(x)) = (&mut out.x, found.x) {
                rows.extend(file_rows(&read(x, &self.backend)?, m, count));
            }
        }
        Ok(out)
    }

    /// Its pilots are part of the auto-encoder, learned or not.
    fn pilots(&self) -> Option<Arc<Pilots>> {
        Some(Arc::clone(&self.pilots))
    }

    fn facts(&self) -> Facts {
        Facts { activity_probs: self.activity_probs.clone(), ..Facts::default() }
    }

    fn parameters(&self) -> usize {
        self.parameters
    }
}
