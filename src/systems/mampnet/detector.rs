//! A trained network as a [`Detector`].

use std::sync::Arc;

use burn::tensor::Device;

use super::net::{MampNet, Prepared, Side};
use crate::detect::Threshold;
use crate::link::{Decisions, DetectError, Detector};
use crate::link::{FrameBatch, Pilots};
use crate::systems::ModelError;
use crate::systems::access::{FrameTensors, check_pilots, check_sizes, file_rows, read};
use crate::training::Rated;

/// Frames of one forward pass; bounds the memory of large batches.
const CHUNK: usize = 256;

/// DL-mAMPnet with its pilots on a device.
#[derive(Debug)]
pub struct MampDetector {
    net: MampNet,
    /// Matrices of all layers, computed once.
    prepared: Prepared,
    pilots: Arc<Pilots>,
    learned: bool,
    side: Side,
    device: Device,
    backend: String,
    parameters: usize,
    threshold: f64,
}

impl MampDetector {
    /// `net` must live on `device`. `threshold` acts on the posterior logit; `None` decides for the largest posterior
    /// (logit > 0).
    ///
    /// # Errors
    /// [`ModelError::Values`] when learned pilots cannot be read from the device or are not finite.
    pub fn new(
        net: MampNet,
        pilots: Arc<Pilots>,
        side: Side,
        device: Device,
        backend: &str,
        threshold: Option<Threshold>,
    ) -> Result<Self, ModelError> {
        let learned = net.learned_pilots(pilots.energy())?.map(Arc::new);
        let q = side.sequences as f64;
        // The logit contains the prior; for equal priors it is subtracted again.
        let prior = (q * (1.0 - side.activity_prob) / side.activity_prob).ln();
        let threshold = match threshold {
            Some(Threshold::Value(t)) => t,
            Some(t) if t == Threshold::EQUAL_PRIOR => -prior,
            _ => 0.0,
        };
        let parameters = net.trained_parameters();
        let (is_learned, pilots) = (learned.is_some(), learned.unwrap_or(pilots));
        let prepared = net.prepare(net.pilots(&pilots, &device), net.full_depth());
        Ok(Self {
            learned: is_learned,
            prepared,
            pilots,
            net,
            side,
            device,
            backend: backend.to_owned(),
            parameters,
            threshold,
        })
    }

    fn check(&self, frames: &FrameBatch) -> Result<(), DetectError> {
        let m = frames.model();
        let s = &self.side;
        // The shared form runs at any number of antennas.
        let antennas = matches!(self.net, MampNet::Paper(_)).then_some(("antennas", m.antennas(), s.antennas));
        let sizes = [
            ("devices", m.devices(), s.devices),
            ("sequences", m.sequences(), s.sequences),
            ("pilot length", m.pilot_length(), s.pilot_length),
        ];
        check_sizes(sizes.into_iter().chain(antennas))?;
        check_pilots(m.pilots(), &self.pilots)
    }
}

impl Detector for MampDetector {
    fn detect(&self, frames: &FrameBatch) -> Result<Decisions, DetectError> {
        self.check(frames)?;
        let m = frames.model();
        let (n, q) = (m.devices(), m.sequences());
        let mut out = Decisions { x: Some(Vec::new()), ..Decisions::default() };
        for first in (0..frames.frames()).step_by(CHUNK) {
            let count = CHUNK.min(frames.frames() - first);
            let tensors = FrameTensors::from_frames(&frames.observed(first..first + count), &self.device);
            let output = self.net.forward_prepared(&tensors, &self.prepared, self.net.full_depth(), None);
            let logits = read(output.decision(), &self.backend)?;
            for device in logits.chunks_exact(q) {
                let (best, value) = device
                    .iter()
                    .enumerate()
                    .fold((0, f32::NEG_INFINITY), |a, (i, &v)| if v > a.1 { (i, v) } else { a });
                out.activity.push(if f64::from(value) > self.threshold { best as i64 + 1 } else { 0 });
            }
            out.score.extend(logits.iter().map(|&v| f64::from(v)));
            if let (Some(x), Some(last)) = (&mut out.x, output.x.last()) {
                x.extend(file_rows(&read(last.clone(), &self.backend)?, m, count));
            }
        }
        debug_assert_eq!(out.activity.len(), frames.frames() * n);
        Ok(out)
    }

    fn pilots(&self) -> Option<Arc<Pilots>> {
        self.learned.then(|| Arc::clone(&self.pilots))
    }

    fn parameters(&self) -> usize {
        self.parameters
    }
}
