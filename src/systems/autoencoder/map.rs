//! MAP-NN: unfolded coordinate descent with a prior per device.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use super::amp::row;
use crate::systems::access::FrameTensors;
use crate::systems::access::LinkSizes;
use crate::tensor::coordinate_sweep;
use crate::training::{Rate, Rated, Rates};

/// Algorithm 3: U sweeps over all devices from zero.
#[derive(Module, Debug)]
pub struct MapDecoder {
    /// `theta_1 = ln((1 - eps)/eps)` of every device, `[1, K]`.
    pub theta_1: Param<Tensor<2>>,
    /// Sweeps U.
    pub sweeps: usize,
}

impl Rated for MapDecoder {
    fn rates(&self, to: &mut Rates) {
        to.set(Rate::Scalar, self);
    }
}

impl MapDecoder {
    pub(super) fn init(sweeps: usize, sizes: &LinkSizes, device: &Device) -> Self {
        Self { theta_1: row(sizes.theta_1(), sizes.devices, device), sweeps }
    }

    /// Powers relative to the received power of an active device, `[F, K]` in `[0, 1]`; `s [2L, K]`. All frames share
    /// their gains (power control).
    pub(super) fn forward(&self, frames: &FrameTensors, s: Tensor<2>) -> Tensor<2> {
        let columns = s * frames.beta.clone().narrow(0, 0, 1).sqrt();
        coordinate_sweep(self.theta_1.val().neg(), columns, frames.y.clone(), frames.antennas, self.sweeps, 1.0)
    }
}
