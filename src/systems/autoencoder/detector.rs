//! A trained auto-encoder as a detector.

use burn::tensor::{Device, Tensor};

use super::net::{AutoEncoder, Decoder, relative_energy};
use crate::link::{AccessModel, DetectError, FrameBatch, Pilots};
use crate::systems::ModelError;
use crate::systems::access::{AccessDetector, AccessNet, Found, FrameTensors};

/// An auto-encoder with its pilots on a device. A device is active when its score exceeds the threshold: the logit of its
/// activity, or `||x||^2/(M beta)` for a decoder of signals that has no logits.
pub type AutoEncoderDetector = AccessDetector<AutoEncoder>;

impl AccessNet for AutoEncoder {
    fn pilots_in_force(&self, given: &Pilots, device: &Device) -> Tensor<2> {
        self.pilots(given, device)
    }

    fn estimates_rows(&self) -> bool {
        self.estimates_rows
    }

    fn check(&self, frames: &FrameBatch) -> Result<(), DetectError> {
        if matches!(self.decoder, Decoder::Map(_)) {
            let first = frames.beta_of(0);
            if let Some(f) = (0..frames.frames()).find(|&f| frames.beta_of(f) != first) {
                return Err(DetectError::Mismatch(format!(
                    "MAP-NN needs the same gains in all frames (power control); those of frame {f} differ from frame 0"
                )));
            }
        }
        Ok(())
    }

    fn find(&self, frames: &FrameTensors, _: &AccessModel, s: Tensor<2>) -> Found {
        let found = self.forward(frames, s);
        let score = match (found.logits, &found.x) {
            (Some(logits), _) => logits,
            (None, Some(x)) => relative_energy(x.clone(), frames),
            (None, None) => frames.beta.zeros_like(),
        };
        Found { score, x: found.x }
    }

    fn learned_probs(&self) -> Result<Option<Vec<f64>>, ModelError> {
        self.activity_probs()
    }
}
