//! A trained network as a [`Detector`].

use std::sync::Arc;

use burn::tensor::Device;

use super::net::{MampNet, Side};
use crate::complex::unstack_rows;
use crate::config::Threshold;
use crate::detection::{Decisions, DetectError, Detector};
use crate::models::access::{FrameTensors, check_pilots, part_of};
use crate::scenario::{FrameBatch, Pilots};

/// Frames of one forward pass; bounds the memory of large batches.
const CHUNK: usize = 256;

/// DL-mAMPnet with its pilots on a device.
#[derive(Debug)]
pub struct MampDetector {
    net: MampNet,
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
    pub fn new(
        net: MampNet,
        pilots: Arc<Pilots>,
        side: Side,
        device: Device,
        backend: &str,
        threshold: Option<Threshold>,
    ) -> Self {
        let learned = net.learned_pilots(pilots.energy).map(Arc::new);
        let q = side.sequences as f64;
        // The logit already holds the prior: equal priors means undoing it.
        let prior = (q * (1.0 - side.activity_prob) / side.activity_prob).ln();
        let threshold = match threshold {
            Some(Threshold::Value(t)) => t,
            Some(t) if t == Threshold::EQUAL_PRIOR => -prior,
            _ => 0.0,
        };
        let parameters = net.parameters().entries.iter().map(|e| e.3).sum();
        Self {
            learned: learned.is_some(),
            pilots: learned.unwrap_or(pilots),
            net,
            side,
            device,
            backend: backend.to_owned(),
            parameters,
            threshold,
        }
    }

    fn check(&self, frames: &FrameBatch) -> Result<(), DetectError> {
        let m = &frames.model;
        let s = &self.side;
        let found = [m.devices(), m.sequences(), m.pilot_length(), m.antennas];
        let wanted = [s.devices, s.sequences, s.pilot_length, s.antennas];
        let paper = matches!(self.net, MampNet::Paper(_));
        for ((name, found), wanted) in
            ["devices", "sequences", "pilot length", "antennas"].iter().zip(found).zip(wanted)
        {
            // The shared form runs at any number of antennas.
            if found != wanted && (*name != "antennas" || paper) {
                return Err(DetectError::Mismatch(format!(
                    "the model was trained for {wanted} {name}, the frames have {found}"
                )));
            }
        }
        check_pilots(&m.pilots, &self.pilots)
    }
}

impl Detector for MampDetector {
    fn detect(&self, frames: &FrameBatch) -> Result<Decisions, DetectError> {
        self.check(frames)?;
        let m = &frames.model;
        let (n, q, k) = (m.devices(), m.sequences(), m.columns());
        let device_error = |message: String| DetectError::Device { backend: self.backend.clone(), message };
        let mut out = Decisions { x: Some(Vec::new()), ..Decisions::default() };
        let s = self.net.pilots(&self.pilots, &self.device);
        for first in (0..frames.frames).step_by(CHUNK) {
            let count = CHUNK.min(frames.frames - first);
            let tensors = FrameTensors::from_frames(&part_of(frames, first, count), &self.device);
            let output = self.net.forward(&tensors, s.clone(), self.net.full_depth(), None);
            let logits = output.decision().try_into_data().map_err(|e| device_error(e.to_string()))?;
            let logits: Vec<f32> =
                logits.convert::<f32>().try_into_vec().map_err(|e| device_error(format!("{e:?}")))?;
            for device in logits.chunks_exact(q) {
                let (best, value) = device
                    .iter()
                    .enumerate()
                    .fold((0, f32::NEG_INFINITY), |a, (i, &v)| if v > a.1 { (i, v) } else { a });
                out.activity.push(if f64::from(value) > self.threshold { best as i64 + 1 } else { 0 });
            }
            out.score.extend(logits.iter().map(|&v| f64::from(v)));
            if let (Some(x), Some(last)) = (&mut out.x, output.x.last()) {
                let data = last.clone().try_into_data().map_err(|e| device_error(e.to_string()))?;
                let data: Vec<f32> =
                    data.convert::<f32>().try_into_vec().map_err(|e| device_error(format!("{e:?}")))?;
                // Back to the units of the file: the network worked at unit noise and unit pilot energy.
                let scale = (m.noise_var / m.pilots.energy).sqrt();
                x.extend(unstack_rows(&data, count, k, m.antennas).into_iter().map(|v| v * scale));
            }
        }
        debug_assert_eq!(out.activity.len(), frames.frames * n);
        Ok(out)
    }

    fn pilots(&self) -> Option<Arc<Pilots>> {
        self.learned.then(|| Arc::clone(&self.pilots))
    }

    fn parameters(&self) -> usize {
        self.parameters
    }
}
