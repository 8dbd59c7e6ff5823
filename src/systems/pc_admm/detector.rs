//! A trained PC-ADMM network as a detector.

use burn::tensor::{Device, Tensor};

use super::net::{PcAdmmNet, log_odds};
use crate::link::{AccessModel, Pilots};
use crate::systems::access::{AccessDetector, AccessNet, Found, FrameTensors};
use crate::tensor::complex::stack_pilots;

/// A network with its pilots on a device: a device is active when the logit of its activity exceeds the threshold.
pub type PcAdmmDetector = AccessDetector<PcAdmmNet>;

impl AccessNet for PcAdmmNet {
    fn pilots_in_force(&self, given: &Pilots, device: &Device) -> Tensor<2> {
        stack_pilots(given, device)
    }

    fn estimates_rows(&self) -> bool {
        true
    }

    fn find(&self, frames: &FrameTensors, model: &AccessModel, s: Tensor<2>) -> Found {
        let odds = log_odds(model.activity_prob(), &s.device());
        let mut found = self.forward(frames, s, odds, self.layers.len(), None);
        Found { score: found.logits, x: found.x.pop() }
    }
}
