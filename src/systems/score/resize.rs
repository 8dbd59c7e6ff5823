//! Bilinear resizing as two products with constant matrices: burn's own bilinear interpolation has a gradient on one
//! backend only.

use burn::tensor::{Device, Tensor, TensorData};

/// The matrix `[from, to]` that interpolates linearly between the ends (corner points coincide).
fn interpolation(from: usize, to: usize, device: &Device) -> Tensor<2> {
    let mut data = vec![0.0_f32; from * to];
    for j in 0..to {
        let at = if to > 1 { j as f64 * (from - 1) as f64 / (to - 1) as f64 } else { 0.0 };
        let left = (at.floor() as usize).min(from - 1);
        let weight = (at - left as f64) as f32;
        data[left * to + j] += 1.0 - weight;
        if left + 1 < from {
            data[(left + 1) * to + j] += weight;
        }
    }
    Tensor::from_data(TensorData::new(data, [from, to]), device)
}

/// Resizes images: `x [B, C, h, w]` -> `[B, C, H, W]`.
pub fn resize(x: Tensor<4>, [height, width]: [usize; 2]) -> Tensor<4> {
    let [b, c, h, w] = x.dims();
    if [h, w] == [height, width] {
        return x;
    }
    let device = x.device();
    let wide = x.reshape([b * c * h, w]).matmul(interpolation(w, width, &device));
    let turned = wide.reshape([b * c, h, width]).swap_dims(1, 2).reshape([b * c * width, h]);
    let tall = turned.matmul(interpolation(h, height, &device));
    tall.reshape([b * c, width, height]).swap_dims(1, 2).reshape([b, c, height, width])
}
