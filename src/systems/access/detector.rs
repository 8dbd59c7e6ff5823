//! A trained network of one pilot per device as a [`Detector`].

use std::sync::Arc;

use burn::tensor::{Device, Tensor};

use super::inputs::{FrameTensors, check_pilots};
use super::outcome::{check_sizes, decide, file_rows, read};
use super::sizes::LinkSizes;
use crate::link::{AccessModel, Decisions, DetectError, Detector, Facts, FrameBatch, Pilots};
use crate::systems::ModelError;
use crate::training::Rated;

/// Frames of one forward pass; bounds the memory of large batches.
const CHUNK: usize = 128;

/// What a network finds in F frames.
pub struct Found {
    /// Scores of the activities, `[F, N]`.
    pub score: Tensor<2>,
    /// Rows of X, `[F*M, 2N]`, where it estimates them.
    pub x: Option<Tensor<2>>,
}

/// A network that decides about frames with one pilot per device.
pub trait AccessNet: Rated + Sync + std::fmt::Debug {
    /// The pilots in force, `[2L, N]`: learned ones, or those given.
    fn pilots_in_force(&self, given: &Pilots, device: &Device) -> Tensor<2>;

    /// Whether it estimates rows of X.
    fn estimates_rows(&self) -> bool;

    /// Refuses frames for a reason of its own. Default: none.
    ///
    /// # Errors
    /// [`DetectError::Mismatch`].
    fn check(&self, _frames: &FrameBatch) -> Result<(), DetectError> {
        Ok(())
    }

    /// Scores and rows; `s [2L, N]` are the pilots in force.
    fn find(&self, frames: &FrameTensors, model: &AccessModel, s: Tensor<2>) -> Found;

    /// Activity probabilities that it has learned. Default: none.
    ///
    /// # Errors
    /// [`ModelError::Values`] when the device fails.
    fn learned_probs(&self) -> Result<Option<Vec<f64>>, ModelError> {
        Ok(None)
    }
}

/// A network with its pilots on a device.
#[derive(Debug)]
pub struct AccessDetector<N> {
    net: N,
    pilots: Arc<Pilots>,
    /// The pilots in force, `[2L, N]`.
    s: Tensor<2>,
    sizes: LinkSizes,
    device: Device,
    backend: String,
    parameters: usize,
    threshold: f64,
    activity_probs: Option<Vec<f64>>,
}

impl<N: AccessNet> AccessDetector<N> {
    /// `net` must live on `device`; `pilots` are those it was trained with. A device is active when its score exceeds
    /// `threshold`.
    ///
    /// # Errors
    /// [`ModelError::Values`] when learned probabilities cannot be read from the device.
    pub fn new(
        net: N,
        pilots: Arc<Pilots>,
        sizes: LinkSizes,
        device: Device,
        backend: &str,
        threshold: f64,
    ) -> Result<Self, ModelError> {
        let parameters = net.trained_parameters();
        let s = net.pilots_in_force(&pilots, &device);
        let (backend, activity_probs) = (backend.to_owned(), net.learned_probs()?);
        Ok(Self { net, pilots, s, sizes, device, backend, parameters, threshold, activity_probs })
    }

    fn check(&self, frames: &FrameBatch) -> Result<(), DetectError> {
        if frames.frames() == 0 {
            return Ok(());
        }
        check_sizes(self.sizes.against(frames.model()))?;
        self.net.check(frames)?;
        check_pilots(frames.model().pilots(), &self.pilots)
    }
}

impl<N: AccessNet> Detector for AccessDetector<N> {
    fn detect(&self, frames: &FrameBatch) -> Result<Decisions, DetectError> {
        self.check(frames)?;
        let m = frames.model();
        let mut out = Decisions { x: self.net.estimates_rows().then(Vec::new), ..Decisions::default() };
        for first in (0..frames.frames()).step_by(CHUNK) {
            let count = CHUNK.min(frames.frames() - first);
            let tensors = FrameTensors::from_frames(&frames.observed(first..first + count), &self.device);
            let found = self.net.find(&tensors, m, self.s.clone());
            decide(&mut out, frames, first, &read(found.score, &self.backend)?, self.threshold);
            if let (Some(rows), Some(x)) = (&mut out.x, found.x) {
                rows.extend(file_rows(&read(x, &self.backend)?, m, count));
            }
        }
        Ok(out)
    }

    /// Its pilots are part of the network, learned or not.
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
