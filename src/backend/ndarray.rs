//! NdArray: the same CPU bodies through copies to and from `TensorData`; a second opinion, not a fast path.

// burn-ndarray is deprecated upstream in favour of flex; it is kept as a second opinion on every number.
#![allow(deprecated)]

use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::tensor::{DType, TensorData};
use burn_ndarray::{NdArray, NdArrayTensor};

use super::cpu::{self, Element, RowShape};
use super::ops::Backend;
use super::sweep;

type F = FloatTensor<NdArray>;

fn read(t: F) -> TensorData {
    burn::backend::read_sync(<NdArray as FloatTensorOps<NdArray>>::float_into_data(t))
        .expect("a tensor in host memory can be read")
}

fn slice<T: Element>(data: &TensorData) -> &[T] {
    data.as_slice().expect("the type was chosen by dtype")
}

fn rows(z: &TensorData, antennas: usize) -> RowShape {
    RowShape { frames: z.shape()[0] / antennas, antennas, columns: z.shape()[1] / 2 }
}

fn tensor<T: Element>(data: Vec<T>, shape: [usize; 2]) -> F {
    NdArrayTensor::from_data(TensorData::new(data, shape))
}

fn dot<T: Element>(a: &TensorData, b: &TensorData, m: usize) -> F {
    let shape = rows(a, m);
    tensor(cpu::row_dot::<T>(slice(a), slice(b), shape), [shape.frames, shape.columns])
}

fn scale<T: Element>(z: &TensorData, c: &TensorData, m: usize) -> F {
    let shape = rows(z, m);
    tensor(cpu::row_scale::<T>(slice(z), slice(c), shape), [shape.frames * m, 2 * shape.columns])
}

fn onsager<T: Element>(z: &TensorData, t: &TensorData, r: &TensorData, m: usize) -> F {
    let (shape, l) = (rows(z, m), r.shape()[1] / 2);
    tensor(cpu::row_onsager::<T>(slice(z), slice(t), slice(r), shape, l), [shape.frames * m, 2 * l])
}

fn onsager_backward<T: Element>(z: &TensorData, t: &TensorData, r: &TensorData, g: &TensorData, m: usize) -> (F, F, F) {
    let (shape, l) = (rows(z, m), r.shape()[1] / 2);
    let (gz, gt, gr) = cpu::row_onsager_backward::<T>(slice(z), slice(t), slice(r), slice(g), shape, l);
    (
        tensor(gz, [shape.frames * m, 2 * shape.columns]),
        tensor(gt, [shape.frames, shape.columns]),
        tensor(gr, [shape.frames * m, 2 * l]),
    )
}

impl Backend for NdArray {
    fn row_dot(a: F, b: F, antennas: usize) -> F {
        let (a, b) = (read(a), read(b));
        match a.dtype() {
            DType::F64 => dot::<f64>(&a, &b, antennas),
            _ => dot::<f32>(&a, &b, antennas),
        }
    }

    fn row_scale(z: F, c: F, antennas: usize) -> F {
        let (z, c) = (read(z), read(c));
        match z.dtype() {
            DType::F64 => scale::<f64>(&z, &c, antennas),
            _ => scale::<f32>(&z, &c, antennas),
        }
    }

    fn row_onsager(z: F, t: F, r: F, antennas: usize) -> F {
        let (z, t, r) = (read(z), read(t), read(r));
        match z.dtype() {
            DType::F64 => onsager::<f64>(&z, &t, &r, antennas),
            _ => onsager::<f32>(&z, &t, &r, antennas),
        }
    }

    fn row_onsager_backward(z: F, t: F, r: F, g: F, antennas: usize) -> (F, F, F) {
        let (z, t, r, g) = (read(z), read(t), read(r), read(g));
        match z.dtype() {
            DType::F64 => onsager_backward::<f64>(&z, &t, &r, &g, antennas),
            _ => onsager_backward::<f32>(&z, &t, &r, &g, antennas),
        }
    }

    fn quantize_ste(x: F, levels: f64) -> F {
        let x = read(x);
        let shape = [x.shape()[0], x.shape()[1]];
        match x.dtype() {
            DType::F64 => tensor(cpu::quantize::<f64>(slice(&x), levels), shape),
            _ => tensor(cpu::quantize::<f32>(slice(&x), levels as f32), shape),
        }
    }

    fn coordinate_sweep(log_odds: F, s: F, y: F, antennas: usize, sweeps: usize, noise_var: f64) -> F {
        sweep::on_host::<Self>(log_odds, s, y, antennas, sweeps, noise_var)
    }

    fn covariance_filter(gamma: F, s: F, y: F, antennas: usize, noise_var: f64) -> F {
        let (gamma, s, y) = (read(gamma), read(s), read(y));
        NdArrayTensor::from_data(match gamma.dtype() {
            DType::F64 => cpu::filter_on_data::<f64>(&gamma, &s, &y, antennas, noise_var),
            _ => cpu::filter_on_data::<f32>(&gamma, &s, &y, antennas, noise_var),
        })
    }

    fn covariance_filter_backward(gamma: F, s: F, y: F, g: F, antennas: usize, noise_var: f64) -> (F, F, F) {
        let (gamma, s, y, g) = (read(gamma), read(s), read(y), read(g));
        let [a, b, c] = match gamma.dtype() {
            DType::F64 => cpu::filter_backward_on_data::<f64>(&gamma, &s, &y, &g, antennas, noise_var),
            _ => cpu::filter_backward_on_data::<f32>(&gamma, &s, &y, &g, antennas, noise_var),
        };
        (NdArrayTensor::from_data(a), NdArrayTensor::from_data(b), NdArrayTensor::from_data(c))
    }

    fn covariance_score(gamma: F, s: F, y: F, antennas: usize, noise_var: f64) -> F {
        let (gamma, s, y) = (read(gamma), read(s), read(y));
        NdArrayTensor::from_data(match gamma.dtype() {
            DType::F64 => cpu::on_data::<f64>(&gamma, &s, &y, antennas, noise_var),
            _ => cpu::on_data::<f32>(&gamma, &s, &y, antennas, noise_var),
        })
    }

    fn covariance_score_backward(gamma: F, s: F, y: F, g: F, antennas: usize, noise_var: f64) -> (F, F, F) {
        let (gamma, s, y, g) = (read(gamma), read(s), read(y), read(g));
        let [a, b, c] = match gamma.dtype() {
            DType::F64 => cpu::backward_on_data::<f64>(&gamma, &s, &y, &g, antennas, noise_var),
            _ => cpu::backward_on_data::<f32>(&gamma, &s, &y, &g, antennas, noise_var),
        };
        (NdArrayTensor::from_data(a), NdArrayTensor::from_data(b), NdArrayTensor::from_data(c))
    }
}
