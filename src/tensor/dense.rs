//! Dense layers in burn primitives: the specification, and what runs on GPUs.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata};

pub(super) fn dense<B: Backend>(
    weight: FloatTensor<B>,
    x: FloatTensor<B>,
    bias: FloatTensor<B>,
    rectify: bool,
) -> FloatTensor<B> {
    let product = B::float_matmul(weight, x);
    let bias = B::float_expand(bias, product.shape());
    let out = B::float_add(product, bias);
    if rectify { B::relu(out) } else { out }
}

pub(super) fn dense_gate<B: Backend>(
    out: FloatTensor<B>,
    g: FloatTensor<B>,
    rectify: bool,
) -> (FloatTensor<B>, FloatTensor<B>) {
    // The output is not negative: its sign is one where the gradient passes and zero where it does not.
    let g = if rectify { B::float_mul(g, B::float_sign(out)) } else { g };
    (g.clone(), B::float_sum_dim(g, 1))
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::{DType, Device, Tensor, TensorData};

    use super::super::testing::{assert_same, numbers};
    use super::*;
    use crate::tensor::dense as front_door;

    fn values(seed: usize, count: usize) -> Vec<f64> {
        (0..count).map(|i| (((i * 37 + seed * 101) * 7919) % 1009) as f64 / 504.5 - 1.0).collect()
    }

    #[test]
    fn the_fast_layer_is_the_specification() {
        type Fast = Flex;
        for (dtype, tolerance) in [(DType::F32, 1e-4), (DType::F64, 1e-12)] {
            for (outputs, inputs, frames) in [(1, 3, 1), (7, 5, 33), (64, 20, 301)] {
                for rectify in [false, true] {
                    let w = || numbers(1, [outputs, inputs], dtype);
                    let (x, b) = (|| numbers(2, [inputs, frames], dtype), || numbers(3, [outputs, 1], dtype));
                    let g = || numbers(4, [outputs, frames], dtype);
                    let out = || dense::<Flex>(w(), x(), b(), rectify);
                    let fast = <Fast as crate::tensor::Backend>::dense(w(), x(), b(), rectify);
                    assert_same("output", fast, out(), tolerance);
                    let fast = <Fast as crate::tensor::Backend>::dense_gate(out(), g(), rectify);
                    let spec = dense_gate::<Flex>(out(), g(), rectify);
                    assert_same("gradient", fast.0, spec.0, tolerance);
                    assert_same("bias", fast.1, spec.1, tolerance * 10.0);
                }
            }
        }
    }

    /// Loss `sum(c dense(w, x, b))` and its gradients, against differences.
    #[test]
    fn gradients_match_finite_differences() {
        let device = Device::flex();
        let shapes = [[4, 3], [3, 5], [4, 1]];
        let inputs: Vec<Vec<f64>> = shapes.iter().enumerate().map(|(i, s)| values(i + 7, s[0] * s[1])).collect();
        let tensor = |data: &Vec<f64>, shape: [usize; 2], device: &Device| {
            Tensor::<2>::from_data(TensorData::new(data.clone(), shape), (device, DType::F64))
        };
        let weights = values(23, 20);
        for rectify in [false, true] {
            let loss = |parts: &[Vec<f64>]| -> f64 {
                let t: Vec<_> = parts.iter().zip(shapes).map(|(p, s)| tensor(p, s, &device)).collect();
                let out = front_door(t[0].clone(), t[1].clone(), t[2].clone(), rectify);
                (out * tensor(&weights, [4, 5], &device)).sum().into_data().iter::<f64>().next().unwrap()
            };
            let tracking = device.clone().autodiff();
            let t: Vec<_> = inputs.iter().zip(shapes).map(|(p, s)| tensor(p, s, &tracking).require_grad()).collect();
            let out = front_door(t[0].clone(), t[1].clone(), t[2].clone(), rectify);
            let grads = (out * tensor(&weights, [4, 5], &tracking)).sum().backward();
            for (i, t) in t.iter().enumerate() {
                let found: Vec<f64> = t.grad(&grads).unwrap().into_data().iter::<f64>().collect();
                for (j, found) in found.into_iter().enumerate() {
                    let moved = |by: f64| {
                        let mut parts = inputs.clone();
                        parts[i][j] += by;
                        loss(&parts)
                    };
                    let want = (moved(1e-6) - moved(-1e-6)) / 2e-6;
                    assert!((found - want).abs() < 1e-7, "rectify {rectify}, input {i}, entry {j}: {found}, {want}");
                }
            }
        }
    }
}
