//! A trained PC-ADMM network as a [`Detector`].

use std::sync::Arc;

use burn::tensor::{Device, Tensor};

use super::net::{PcAdmmNet, log_odds};
use crate::complex::{stack_pilots, unstack_rows};
use crate::detection::{Decisions, DetectError, Detector};
use crate::models::access::{FrameTensors, check_pilots, part_of};
use crate::models::autoencoder::LinkSizes;
use crate::scenario::{FrameBatch, Pilots};

/// Frames of one forward pass; bounds the memory of large batches.
const CHUNK: usize = 128;

/// A network with its pilots on a device.
#[derive(Debug)]
pub struct PcAdmmDetector {
    net: PcAdmmNet,
    pilots: Arc<Pilots>,
    sizes: LinkSizes,
    device: Device,
    backend: String,
    parameters: usize,
    threshold: f64,
}

impl PcAdmmDetector {
    /// `net` must live on `device`; `pilots` are those it was trained with. A device is active when the logit of its
    /// activity exceeds `threshold`.
    pub fn new(
        net: PcAdmmNet,
        pilots: Arc<Pilots>,
        sizes: LinkSizes,
        device: Device,
        backend: &str,
        threshold: f64,
    ) -> Self {
        let parameters = net.parameters();
        Self { net, pilots, sizes, device, backend: backend.to_owned(), parameters, threshold }
    }

    fn check(&self, frames: &FrameBatch) -> Result<(), DetectError> {
        let m = &frames.model;
        if frames.frames == 0 {
            return Ok(());
        }
        let wanted = [self.sizes.devices, 1, self.sizes.pilot_length];
        let found = [m.devices(), m.sequences(), m.pilot_length()];
        for ((name, found), wanted) in ["devices", "sequences", "pilot length"].iter().zip(found).zip(wanted) {
            if found != wanted {
                return Err(DetectError::Mismatch(format!(
                    "the model was trained for {wanted} {name}, the frames have {found}"
                )));
            }
        }
        check_pilots(&m.pilots, &self.pilots)
    }

    fn read(&self, t: Tensor<2>) -> Result<Vec<f32>, DetectError> {
        let error = |message: String| DetectError::Device { backend: self.backend.clone(), message };
        let data = t.try_into_data().map_err(|e| error(e.to_string()))?;
        data.convert::<f32>().try_into_vec().map_err(|e| error(format!("{e:?}")))
    }
}

impl Detector for PcAdmmDetector {
    fn detect(&self, frames: &FrameBatch) -> Result<Decisions, DetectError> {
        self.check(frames)?;
        let m = &frames.model;
        let s = stack_pilots(&self.pilots, &self.device);
        let odds = log_odds(&m.activity_prob, &self.device);
        let mut rows = Vec::new();
        let mut out = Decisions::default();
        for first in (0..frames.frames).step_by(CHUNK) {
            let count = CHUNK.min(frames.frames - first);
            let tensors = FrameTensors::from_frames(&part_of(frames, first, count), &self.device);
            let mut found = self.net.forward(&tensors, s.clone(), odds.clone(), self.net.layers.len(), None);
            let score = self.read(found.logits)?;
            for (n, &value) in score.iter().enumerate() {
                // A device that cannot be heard is idle whatever the network says.
                let heard = frames.beta_of(first + n / m.devices())[n % m.devices()] > 0.0;
                out.activity.push(i64::from(heard && f64::from(value) > self.threshold));
                out.score.push(f64::from(value));
            }
            if let Some(x) = found.x.pop() {
                // Back to the units of the file: the network worked at unit noise and unit pilot energy.
                let scale = (m.noise_var / m.pilots.energy).sqrt();
                let data = self.read(x)?;
                rows.extend(unstack_rows(&data, count, m.columns(), m.antennas).into_iter().map(|v| v * scale));
            }
        }
        out.x = Some(rows);
        Ok(out)
    }

    /// Its matrices are made for these pilots.
    fn pilots(&self) -> Option<Arc<Pilots>> {
        Some(Arc::clone(&self.pilots))
    }

    fn parameters(&self) -> usize {
        self.parameters
    }
}
