//! A trained PC-ADMM network as a [`Detector`].

use std::sync::Arc;

use burn::tensor::Device;

use super::net::{PcAdmmNet, log_odds};
use crate::link::{Decisions, DetectError, Detector};
use crate::link::{FrameBatch, Pilots};
use crate::systems::access::{FrameTensors, LinkSizes, check_pilots, check_sizes, decide, file_rows, read};
use crate::tensor::complex::stack_pilots;
use crate::training::Rated;

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
        let parameters = net.trained_parameters();
        Self { net, pilots, sizes, device, backend: backend.to_owned(), parameters, threshold }
    }

    fn check(&self, frames: &FrameBatch) -> Result<(), DetectError> {
        let m = frames.model();
        if frames.frames() == 0 {
            return Ok(());
        }
        check_sizes(self.sizes.against(m))?;
        check_pilots(m.pilots(), &self.pilots)
    }
}

impl Detector for PcAdmmDetector {
    fn detect(&self, frames: &FrameBatch) -> Result<Decisions, DetectError> {
        self.check(frames)?;
        let m = frames.model();
        let s = stack_pilots(&self.pilots, &self.device);
        let odds = log_odds(m.activity_prob(), &self.device);
        let mut rows = Vec::new();
        let mut out = Decisions::default();
        for first in (0..frames.frames()).step_by(CHUNK) {
            let count = CHUNK.min(frames.frames() - first);
            let tensors = FrameTensors::from_frames(&frames.observed(first..first + count), &self.device);
            let mut found = self.net.forward(&tensors, s.clone(), odds.clone(), self.net.layers.len(), None);
            decide(&mut out, frames, first, &read(found.logits, &self.backend)?, self.threshold);
            if let Some(x) = found.x.pop() {
                rows.extend(file_rows(&read(x, &self.backend)?, m, count));
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
