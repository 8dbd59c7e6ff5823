//! Trainable scalars, and the residual power of a frame.

use burn::module::Param;
use burn::tensor::{Device, Tensor};

/// A trainable scalar, `[1, 1]`.
pub(in crate::systems) fn scalar(value: f64, device: &Device) -> Param<Tensor<2>> {
    Param::from_tensor(Tensor::from_floats([[value as f32]], device))
}

/// Residual power `||R||_F^2/(L M)` of every frame, `[F, 1]`; `r [F*M, 2L]`. The estimate of `tau^2` of the DL-mAMPnet paper,
/// with the square that its print omits.
pub(in crate::systems) fn residual_power(r: Tensor<2>, antennas: usize) -> Tensor<2> {
    let [rows, width] = r.dims();
    let (frames, l) = (rows / antennas, width / 2);
    r.powi_scalar(2).reshape([frames, antennas * width]).sum_dim(1) / (l * antennas) as f64
}
