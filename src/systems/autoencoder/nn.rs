//! NN: dense layers on the sample covariance.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::link::StreamKey;
use crate::systems::access::FrameTensors;
use crate::systems::access::LinkSizes;
use crate::systems::dense::Mlp;
use crate::training::Rated;

/// V dense layers from `vec(Re, Im) Y Y^H/M` to one logit per device.
#[derive(Module, Debug)]
pub struct NnDecoder {
    /// The layers.
    pub mlp: Mlp,
    /// Expected active devices over L: the input is divided by `1 + density * mean beta`, about its mean diagonal.
    pub density: f64,
}

impl Rated for NnDecoder {}

impl NnDecoder {
    pub(super) fn init(layers: usize, hidden: usize, sizes: &LinkSizes, key: &StreamKey, device: &Device) -> Self {
        let l = sizes.pilot_length;
        let widths: Vec<usize> =
            [2 * l * l].into_iter().chain(vec![hidden; layers - 1]).chain([sizes.devices]).collect();
        Self {
            mlp: Mlp::init(key, 0, &widths, false, device),
            density: sizes.activity_prob * sizes.devices as f64 / l as f64,
        }
    }

    /// Logits, `[F, K]`.
    pub(super) fn forward(&self, frames: &FrameTensors) -> Tensor<2> {
        let m = frames.antennas;
        let [rows, width] = frames.y.dims();
        let (f, l) = (rows / m, width / 2);
        let y = frames.y.clone().reshape([f, m, width]);
        let (re, im) = (y.clone().narrow(2, 0, l), y.narrow(2, l, l));
        let gram = |a: &Tensor<3>, b: &Tensor<3>| a.clone().swap_dims(1, 2).matmul(b.clone());
        // Y has one antenna a row: (Y Y^H)_kl = sum_m y_mk conj(y_ml).
        let real = gram(&re, &re) + gram(&im, &im);
        let imaginary = gram(&im, &re) - gram(&re, &im);
        let features = Tensor::cat(vec![real.reshape([f, l * l]), imaginary.reshape([f, l * l])], 1);
        let scale = (frames.beta.clone().mean_dim(1) * self.density + 1.0) * m as f64;
        self.mlp.forward((features / scale).transpose()).transpose()
    }
}
