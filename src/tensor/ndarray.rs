//! NdArray: the same CPU bodies through copies to and from `TensorData`; a second opinion, not a fast path.

// burn-ndarray is deprecated upstream in favour of flex; it is kept as a second opinion on every number.
#![allow(deprecated)]

use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::tensor::{DType, TensorData};
use burn_ndarray::{NdArray, NdArrayTensor};

use super::cpu::{self, AmpInputs, AmpOutputs, ConvShape, Element, NormShape, PoolShape, RowShape};
use super::images::EPSILON;
use super::iteration::AmpForm;
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

fn tensor<T: Element, const D: usize>(data: Vec<T>, shape: [usize; D]) -> F {
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

fn amp_inputs<T: Element>(inputs: &[TensorData; 7]) -> AmpInputs<'_, T> {
    let [state, y, synthesis, analysis, beta, factors, theta_1] = inputs.each_ref().map(|t| slice::<T>(t));
    AmpInputs { state, y, synthesis, analysis, beta, factors, theta_1 }
}

fn amp<T: Element>(inputs: &[TensorData; 7], form: AmpForm) -> (F, F) {
    let shape = form.shape(inputs[4].shape(), inputs[1].shape());
    let (state, z) = cpu::amp_iteration::<T>(amp_inputs(inputs), shape);
    (tensor(state, [shape.state()]), tensor(z, [shape.frames * shape.antennas, 2 * shape.columns]))
}

fn amp_backward<T: Element>(
    inputs: &[TensorData; 7],
    outputs: &[TensorData; 2],
    g: TensorData,
    form: AmpForm,
    wanted: [bool; 2],
) -> [F; 7] {
    let shape = form.shape(inputs[4].shape(), inputs[1].shape());
    let [state, z] = outputs.each_ref().map(|t| slice::<T>(t));
    let gradient = g.try_into_vec().expect("the type was chosen by dtype");
    let outputs = AmpOutputs { state, z };
    let found = cpu::amp_iteration_backward::<T>(amp_inputs(inputs), outputs, gradient, shape, wanted);
    let of = |i: usize, data: Vec<T>| NdArrayTensor::from_data(TensorData::new(data, inputs[i].shape().clone()));
    [
        of(0, found.state),
        of(1, found.y),
        of(2, found.synthesis),
        of(3, found.analysis),
        of(4, found.beta),
        of(5, found.factors),
        of(6, found.theta_1),
    ]
}

fn conv<T: Element>(x: &TensorData, w: &TensorData, b: &TensorData, shape: ConvShape) -> F {
    let out = cpu::conv_same::<T>(slice(x), slice(w), slice(b), shape);
    tensor(out, [shape.images, shape.outputs, shape.size[0], shape.size[1]])
}

fn conv_backward<T: Element>(x: &TensorData, w: &TensorData, g: &TensorData, shape: ConvShape) -> (F, F, F) {
    let found = cpu::conv_same_backward::<T>(slice(x), slice(w), slice(g), shape);
    let ([height, width], [kh, kw]) = (shape.size, shape.kernel);
    (
        tensor(found.x, [shape.images, shape.inputs, height, width]),
        tensor(found.weight, [shape.outputs, shape.inputs, kh, kw]),
        tensor(found.bias, [shape.outputs]),
    )
}

/// A batch of the shape of `like`.
fn image<T: Element>(data: Vec<T>, like: &TensorData) -> F {
    NdArrayTensor::from_data(TensorData::new(data, like.shape().clone()))
}

fn norm<T: Element>(x: &TensorData, [a, g, b]: [&TensorData; 3]) -> F {
    let out = cpu::norm_plus::<T>(slice(x), [slice(a), slice(g), slice(b)], NormShape::of(x.shape(), EPSILON));
    NdArrayTensor::from_data(TensorData::new(out, x.shape().clone()))
}

fn norm_backward<T: Element>(x: &TensorData, [alpha, gamma]: [&TensorData; 2], g: &TensorData) -> (F, F, F, F) {
    let found = cpu::norm_plus_backward::<T>(
        slice(x),
        [slice(alpha), slice(gamma)],
        slice(g),
        NormShape::of(x.shape(), EPSILON),
    );
    let c = [x.shape()[1]];
    let gx = NdArrayTensor::from_data(TensorData::new(found.x, x.shape().clone()));
    (gx, tensor(found.alpha, c), tensor(found.gamma, c), tensor(found.beta, c))
}

impl Backend for NdArray {
    fn conv_same(x: F, weight: F, bias: F, dilation: usize, activate: bool) -> F {
        let (x, w, b) = (read(x), read(weight), read(bias));
        let shape = ConvShape::of(x.shape(), w.shape(), dilation, activate);
        match x.dtype() {
            DType::F64 => conv::<f64>(&x, &w, &b, shape),
            _ => conv::<f32>(&x, &w, &b, shape),
        }
    }

    fn conv_same_backward(x: F, weight: F, g: F, dilation: usize, activate: bool) -> (F, F, F) {
        let (x, w, g) = (read(x), read(weight), read(g));
        let shape = ConvShape::of(x.shape(), w.shape(), dilation, activate);
        match x.dtype() {
            DType::F64 => conv_backward::<f64>(&x, &w, &g, shape),
            _ => conv_backward::<f32>(&x, &w, &g, shape),
        }
    }

    fn exp_linear(x: F) -> F {
        let x = read(x);
        match x.dtype() {
            DType::F64 => image(cpu::exp_linear::<f64>(slice(&x)), &x),
            _ => image(cpu::exp_linear::<f32>(slice(&x)), &x),
        }
    }

    fn exp_linear_backward(x: F, g: F) -> F {
        let (x, g) = (read(x), read(g));
        match x.dtype() {
            DType::F64 => image(cpu::exp_linear_backward::<f64>(slice(&x), slice(&g)), &x),
            _ => image(cpu::exp_linear_backward::<f32>(slice(&x), slice(&g)), &x),
        }
    }

    fn max_pool_same(x: F, side: usize) -> F {
        let x = read(x);
        let shape = PoolShape::of(x.shape(), side);
        match x.dtype() {
            DType::F64 => image(cpu::max_pool_same::<f64>(slice(&x), shape), &x),
            _ => image(cpu::max_pool_same::<f32>(slice(&x), shape), &x),
        }
    }

    fn max_pool_same_backward(x: F, g: F, side: usize) -> F {
        let (x, g) = (read(x), read(g));
        let shape = PoolShape::of(x.shape(), side);
        match x.dtype() {
            DType::F64 => image(cpu::max_pool_same_backward::<f64>(slice(&x), slice(&g), shape), &x),
            _ => image(cpu::max_pool_same_backward::<f32>(slice(&x), slice(&g), shape), &x),
        }
    }

    fn norm_plus(x: F, alpha: F, gamma: F, beta: F) -> F {
        let (x, weights) = (read(x), [read(alpha), read(gamma), read(beta)]);
        match x.dtype() {
            DType::F64 => norm::<f64>(&x, weights.each_ref()),
            _ => norm::<f32>(&x, weights.each_ref()),
        }
    }

    fn norm_plus_backward(x: F, alpha: F, gamma: F, g: F) -> (F, F, F, F) {
        let (x, weights, g) = (read(x), [read(alpha), read(gamma)], read(g));
        match x.dtype() {
            DType::F64 => norm_backward::<f64>(&x, weights.each_ref(), &g),
            _ => norm_backward::<f32>(&x, weights.each_ref(), &g),
        }
    }

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

    fn amp_iteration_kept(state: F, y: F, s: F, a: F, beta: F, factors: F, theta: F, form: AmpForm) -> (F, F) {
        let inputs = [state, y, s, a, beta, factors, theta].map(read);
        match inputs[1].dtype() {
            DType::F64 => amp::<f64>(&inputs, form),
            _ => amp::<f32>(&inputs, form),
        }
    }

    fn amp_iteration_backward(
        state: F,
        y: F,
        s: F,
        a: F,
        beta: F,
        factors: F,
        theta: F,
        after: F,
        z: F,
        g: F,
        form: AmpForm,
        wanted: [bool; 2],
    ) -> (F, F, F, F, F, F, F) {
        let inputs = [state, y, s, a, beta, factors, theta].map(read);
        let (outputs, g) = ([after, z].map(read), read(g));
        let [state, y, s, a, beta, factors, theta] = match inputs[1].dtype() {
            DType::F64 => amp_backward::<f64>(&inputs, &outputs, g, form, wanted),
            _ => amp_backward::<f32>(&inputs, &outputs, g, form, wanted),
        };
        (state, y, s, a, beta, factors, theta)
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
