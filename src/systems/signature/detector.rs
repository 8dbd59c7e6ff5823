//! A trained receiver as a [`Detector`].

use std::sync::Arc;

use burn::tensor::Device;

use super::link::{Observed, stack_signatures};
use super::net::{ReceiverNet, Sizes, strongest};
use crate::link::{Decisions, DetectError, Detector};
use crate::link::{FrameBatch, Pilots};
use crate::systems::Saved;
use crate::training::Rated;

/// Frames of one forward pass; bounds the memory of large batches.
const CHUNK: usize = 1024;

/// A receiver with its signatures on a device.
#[derive(Debug)]
pub struct ReceiverDetector {
    net: ReceiverNet,
    signatures: Arc<Pilots>,
    learned: bool,
    sizes: Sizes,
    device: Device,
    backend: String,
    parameters: usize,
}

impl ReceiverDetector {
    /// A saved network, which must live on `device`.
    pub fn new(saved: Saved<ReceiverNet>, device: Device, backend: &str) -> Self {
        Self {
            learned: saved.net.encoder.is_some(),
            parameters: saved.net.trained_parameters(),
            net: saved.net,
            signatures: saved.pilots,
            sizes: saved.info.sizes,
            device,
            backend: backend.to_owned(),
        }
    }

    /// Refuses frames of another link.
    fn check(&self, frames: &FrameBatch) -> Result<(), DetectError> {
        let m = frames.model();
        let Some(spreading) = frames.spreading() else {
            return Err(DetectError::Mismatch(
                "the model receives spread symbols (system E), the frames hold pilots; see the arrays h, signatures and \
                 constellation of system E"
                    .into(),
            ));
        };
        let symbols = 1 << self.sizes.constellation.bits();
        for (name, found, wanted) in [
            ("users", m.devices(), self.sizes.users),
            ("chips", m.pilot_length(), self.sizes.length),
            ("symbols", spreading.constellation().len(), symbols),
        ] {
            if found != wanted {
                return Err(DetectError::Mismatch(format!(
                    "the model was trained for {wanted} {name}, the frames have {found}"
                )));
            }
        }
        let difference =
            m.pilots().data().iter().zip(self.signatures.data()).map(|(a, b)| (a - b).norm()).fold(0.0, f64::max);
        if difference > 1e-3 {
            return Err(DetectError::Mismatch(format!(
                "the frames were made with other signatures than the model was trained with (largest difference \
                 {difference:.2e}); export the model's with `grantfree export BUNDLE --format npz` and transmit those"
            )));
        }
        Ok(())
    }
}

impl Detector for ReceiverDetector {
    fn detect(&self, frames: &FrameBatch) -> Result<Decisions, DetectError> {
        self.check(frames)?;
        let spreading = frames.spreading().expect("checked above");
        let (n, c) = (frames.model().devices(), spreading.constellation().len());
        let alphabet = self.sizes.alphabet();
        let s = stack_signatures(frames.model().pilots(), &self.device);
        let device_error = |message: String| DetectError::Device { backend: self.backend.clone(), message };
        let mut out = Decisions::default();
        for first in (0..frames.frames()).step_by(CHUNK) {
            let count = CHUNK.min(frames.frames() - first);
            let observed = Observed::from_frames(&frames.observed(first..first + count), s.clone(), &self.device);
            let scores = self.net.forward(&observed, &alphabet).scores(&alphabet);
            let data = scores.try_into_data().map_err(|e| device_error(e.to_string()))?;
            let data: Vec<f32> = data.convert::<f32>().try_into_vec().map_err(|e| device_error(format!("{e:?}")))?;
            for f in 0..count {
                for user in 0..n {
                    let of = |symbol: usize| data[(user * c + symbol) * count + f];
                    out.activity.push(strongest(c, of));
                    out.score.extend((0..c).map(|symbol| f64::from(of(symbol))));
                }
            }
        }
        Ok(out)
    }

    fn pilots(&self) -> Option<Arc<Pilots>> {
        self.learned.then(|| Arc::clone(&self.signatures))
    }

    fn parameters(&self) -> usize {
        self.parameters
    }
}
