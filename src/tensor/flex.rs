//! Flex: the CPU bodies straight on burn's storage.

use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::{DType, TensorData};
use burn_flex::FlexTensor;

use super::adam::AdamRule;
use super::cpu::{
    self, AmpInputs, AmpOutputs, ConvShape, CovarianceShape, Element, EntryInputs, NormShape, PoolShape, RowShape,
};
use super::entry::EntryPart;
use super::images::EPSILON;
use super::iteration::AmpForm;
use super::ops::Backend;
use super::shrink_rows::TINY;
use super::sweep;

type F = FloatTensor<Flex>;

fn rows(z: &F, antennas: usize) -> RowShape {
    let shape = z.shape();
    RowShape { frames: shape[0] / antennas, antennas, columns: shape[1] / 2 }
}

fn tensor<T: Element, const D: usize>(data: Vec<T>, shape: [usize; D]) -> F {
    FlexTensor::from_data(TensorData::new(data, shape))
}

/// Runs the body for the dtype of the first tensor; all tensors are made contiguous first.
macro_rules! typed {
    ($first:ident $(, $other:ident)*; $body:ident::<T>($($arg:expr),*)) => {{
        let $first = $first.to_contiguous();
        $(let $other = $other.to_contiguous();)*
        match $first.dtype() {
            DType::F64 => $body::<f64>($(&$arg),*),
            _ => $body::<f32>($(&$arg),*),
        }
    }};
}

fn dot<T: Element>(a: &F, b: &F, m: &usize) -> F {
    let shape = rows(a, *m);
    tensor(cpu::row_dot::<T>(a.storage(), b.storage(), shape), [shape.frames, shape.columns])
}

fn scale<T: Element>(z: &F, c: &F, m: &usize) -> F {
    let shape = rows(z, *m);
    tensor(cpu::row_scale::<T>(z.storage(), c.storage(), shape), [shape.frames * m, 2 * shape.columns])
}

fn shrink<T: Element>(z: &F, tau: &F, m: &usize) -> F {
    let shape = rows(z, *m);
    let out = cpu::group_shrink::<T>(z.storage(), tau.storage(), shape, T::narrow(TINY));
    tensor(out, [shape.frames * m, 2 * shape.columns])
}

fn shrink_backward<T: Element>(z: &F, tau: &F, g: &F, m: &usize) -> (F, F) {
    let shape = rows(z, *m);
    let (by_z, by_tau) =
        cpu::group_shrink_backward::<T>(z.storage(), tau.storage(), g.storage(), shape, T::narrow(TINY));
    (tensor(by_z, [shape.frames * m, 2 * shape.columns]), tensor(by_tau, [shape.frames, shape.columns]))
}

fn entry_inputs<'a, T: Element>(inputs: [&'a F; 4]) -> EntryInputs<'a, T> {
    let [z, omega, a, offset] = inputs.map(|t| t.storage());
    EntryInputs { z, omega, a, offset }
}

fn entry<T: Element>(inputs: [&F; 4], m: &usize, part: &EntryPart) -> F {
    let shape = rows(inputs[0], *m);
    let out = cpu::entry_denoise::<T>(entry_inputs(inputs), shape, *part);
    match part {
        EntryPart::Estimate => tensor(out, [shape.frames * m, 2 * shape.columns]),
        EntryPart::Slope => tensor(out, [shape.frames, 1]),
    }
}

fn entry_backward<T: Element>(inputs: [&F; 4], g: &F, m: &usize, part: &EntryPart) -> (F, F, F, F) {
    let shape = rows(inputs[0], *m);
    let found = cpu::entry_denoise_backward::<T>(entry_inputs(inputs), g.storage(), shape, *part);
    let weights = [shape.frames, shape.columns];
    (
        tensor(found.z, [shape.frames * m, 2 * shape.columns]),
        tensor(found.omega, weights),
        tensor(found.a, weights),
        tensor(found.offset, weights),
    )
}

fn onsager<T: Element>(z: &F, t: &F, r: &F, m: &usize) -> F {
    let (shape, l) = (rows(z, *m), r.shape()[1] / 2);
    tensor(cpu::row_onsager::<T>(z.storage(), t.storage(), r.storage(), shape, l), [shape.frames * m, 2 * l])
}

fn onsager_backward<T: Element>(z: &F, t: &F, r: &F, g: &F, m: &usize) -> (F, F, F) {
    let (shape, l) = (rows(z, *m), r.shape()[1] / 2);
    let (gz, gt, gr) = cpu::row_onsager_backward::<T>(z.storage(), t.storage(), r.storage(), g.storage(), shape, l);
    (
        tensor(gz, [shape.frames * m, 2 * shape.columns]),
        tensor(gt, [shape.frames, shape.columns]),
        tensor(gr, [shape.frames * m, 2 * l]),
    )
}

fn amp_inputs<'a, T: Element>(inputs: [&'a F; 7]) -> AmpInputs<'a, T> {
    let [state, y, synthesis, analysis, beta, factors, theta_1] = inputs.map(|t| t.storage());
    AmpInputs { state, y, synthesis, analysis, beta, factors, theta_1 }
}

fn amp<T: Element>(inputs: [&F; 7], form: &AmpForm) -> (F, F) {
    let shape = form.shape(&inputs[4].shape(), &inputs[1].shape());
    let (state, z) = cpu::amp_iteration::<T>(amp_inputs(inputs), shape);
    (tensor(state, [shape.state()]), tensor(z, [shape.frames * shape.antennas, 2 * shape.columns]))
}

fn amp_backward<T: Element>(inputs: [&F; 7], outputs: [&F; 2], g: F, form: &AmpForm, wanted: &[bool; 2]) -> [F; 7] {
    let shape = form.shape(&inputs[4].shape(), &inputs[1].shape());
    let [state, z] = outputs.map(|t| t.storage());
    // Without a copy where nobody else holds the gradient.
    let gradient = g.into_data().try_into_vec().expect("the type was chosen by dtype");
    let outputs = AmpOutputs { state, z };
    let found = cpu::amp_iteration_backward::<T>(amp_inputs(inputs), outputs, gradient, shape, *wanted);
    let of = |i: usize, data: Vec<T>| FlexTensor::from_data(TensorData::new(data, inputs[i].shape()));
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

fn covariance_shape(gamma: &F, s: &F, antennas: usize) -> CovarianceShape {
    let (g, s) = (gamma.shape(), s.shape());
    CovarianceShape { frames: g[0], antennas, columns: g[1], length: s[0] / 2 }
}

fn covariance<T: Element>(gamma: &F, s: &F, y: &F, m: &usize, noise_var: &f64) -> F {
    let shape = covariance_shape(gamma, s, *m);
    let out = cpu::covariance_score::<T>(gamma.storage(), s.storage(), y.storage(), shape, *noise_var);
    tensor(out, [shape.frames, 2 * shape.columns])
}

fn covariance_backward<T: Element>(gamma: &F, s: &F, y: &F, g: &F, m: &usize, noise_var: &f64) -> (F, F, F) {
    let shape = covariance_shape(gamma, s, *m);
    let (a, b, c) =
        cpu::covariance_score_backward::<T>(gamma.storage(), s.storage(), y.storage(), g.storage(), shape, *noise_var);
    (
        tensor(a, [shape.frames, shape.columns]),
        tensor(b, [2 * shape.length, shape.columns]),
        tensor(c, [shape.frames * m, 2 * shape.length]),
    )
}

fn filter<T: Element>(gamma: &F, s: &F, y: &F, m: &usize, noise_var: &f64) -> F {
    let shape = covariance_shape(gamma, s, *m);
    let out = cpu::covariance_filter::<T>(gamma.storage(), s.storage(), y.storage(), shape, *noise_var);
    tensor(out, [shape.frames * m, 2 * shape.columns])
}

fn filter_backward<T: Element>(gamma: &F, s: &F, y: &F, g: &F, m: &usize, noise_var: &f64) -> (F, F, F) {
    let shape = covariance_shape(gamma, s, *m);
    let (a, b, c) =
        cpu::covariance_filter_backward::<T>(gamma.storage(), s.storage(), y.storage(), g.storage(), shape, *noise_var);
    (
        tensor(a, [shape.frames, shape.columns]),
        tensor(b, [2 * shape.length, shape.columns]),
        tensor(c, [shape.frames * m, 2 * shape.length]),
    )
}

fn conv<T: Element>(x: &F, w: &F, b: &F, dilation: &usize, activate: &bool) -> F {
    let shape = ConvShape::of(&x.shape(), &w.shape(), *dilation, *activate);
    let out = cpu::conv_same::<T>(x.storage(), w.storage(), b.storage(), shape);
    tensor(out, [shape.images, shape.outputs, shape.size[0], shape.size[1]])
}

fn conv_backward<T: Element>(x: &F, w: &F, g: &F, dilation: &usize, activate: &bool) -> (F, F, F) {
    let shape = ConvShape::of(&x.shape(), &w.shape(), *dilation, *activate);
    let found = cpu::conv_same_backward::<T>(x.storage(), w.storage(), g.storage(), shape);
    let ([h, width], [kh, kw]) = (shape.size, shape.kernel);
    (
        tensor(found.x, [shape.images, shape.inputs, h, width]),
        tensor(found.weight, [shape.outputs, shape.inputs, kh, kw]),
        tensor(found.bias, [shape.outputs]),
    )
}

/// A batch of the shape of `like`.
fn image<T: Element>(data: Vec<T>, like: &F) -> F {
    let s = like.shape();
    tensor(data, [s[0], s[1], s[2], s[3]])
}

fn elu<T: Element>(x: &F) -> F {
    image(cpu::exp_linear::<T>(x.storage()), x)
}

fn elu_backward<T: Element>(x: &F, g: &F) -> F {
    image(cpu::exp_linear_backward::<T>(x.storage(), g.storage()), x)
}

fn pool<T: Element>(x: &F, side: &usize) -> F {
    image(cpu::max_pool_same::<T>(x.storage(), PoolShape::of(&x.shape(), *side)), x)
}

fn pool_backward<T: Element>(x: &F, g: &F, side: &usize) -> F {
    image(cpu::max_pool_same_backward::<T>(x.storage(), g.storage(), PoolShape::of(&x.shape(), *side)), x)
}

fn norm<T: Element>(x: &F, alpha: &F, gamma: &F, beta: &F) -> F {
    let weights = [alpha.storage(), gamma.storage(), beta.storage()];
    let s = x.shape();
    tensor(cpu::norm_plus::<T>(x.storage(), weights, NormShape::of(&x.shape(), EPSILON)), [s[0], s[1], s[2], s[3]])
}

fn norm_backward<T: Element>(x: &F, alpha: &F, gamma: &F, g: &F) -> (F, F, F, F) {
    let weights = [alpha.storage(), gamma.storage()];
    let found = cpu::norm_plus_backward::<T>(x.storage(), weights, g.storage(), NormShape::of(&x.shape(), EPSILON));
    let s = x.shape();
    let c = [s[1]];
    (tensor(found.x, [s[0], s[1], s[2], s[3]]), tensor(found.alpha, c), tensor(found.gamma, c), tensor(found.beta, c))
}

fn quantize<T: Element>(x: &F, levels: &f64) -> F {
    let shape = x.shape();
    tensor(cpu::quantize::<T>(x.storage(), T::narrow(*levels)), [shape[0], shape[1]])
}

/// The same tensor in order, its storage shared with nobody where it was not before: the handle that came in is gone.
fn contiguous(t: F) -> F {
    t.to_contiguous()
}

/// The gate leaves a gradient that nobody else holds where it is.
fn gated<T: Element>(out: &F, mut g: F, rectify: bool) -> (F, F) {
    let rows = g.shape()[0];
    let sums = cpu::gate::<T>(out.storage(), g.storage_mut(), rows, rectify);
    (g, tensor(sums, [rows, 1]))
}

fn adam<T: Element>([mut p, mut m, mut v]: [F; 3], g: &F, rule: AdamRule) -> (F, F, F) {
    cpu::adam_step::<T>(p.storage_mut(), m.storage_mut(), v.storage_mut(), g.storage(), rule);
    (p, m, v)
}

impl Backend for Flex {
    fn dense(weight: F, x: F, bias: F, rectify: bool) -> F {
        let mut product = contiguous(Self::float_matmul(weight, x));
        let bias = bias.to_contiguous();
        match product.dtype() {
            DType::F64 => cpu::add_bias::<f64>(product.storage_mut(), bias.storage(), rectify),
            _ => cpu::add_bias::<f32>(product.storage_mut(), bias.storage(), rectify),
        }
        product
    }

    fn dense_gate(out: F, g: F, rectify: bool) -> (F, F) {
        let out = out.to_contiguous();
        let g = contiguous(g);
        match g.dtype() {
            DType::F64 => gated::<f64>(&out, g, rectify),
            _ => gated::<f32>(&out, g, rectify),
        }
    }

    fn adam_step(p: F, m: F, v: F, g: F, rule: AdamRule) -> (F, F, F) {
        let parts = [p, m, v].map(contiguous);
        let g = g.to_contiguous();
        match g.dtype() {
            DType::F64 => adam::<f64>(parts, &g, rule),
            _ => adam::<f32>(parts, &g, rule),
        }
    }

    fn entry_denoise(z: F, omega: F, a: F, offset: F, antennas: usize, part: EntryPart) -> F {
        let inputs = [z, omega, a, offset].map(contiguous);
        match inputs[0].dtype() {
            DType::F64 => entry::<f64>(inputs.each_ref(), &antennas, &part),
            _ => entry::<f32>(inputs.each_ref(), &antennas, &part),
        }
    }

    fn entry_denoise_backward(z: F, omega: F, a: F, offset: F, g: F, antennas: usize, part: EntryPart) -> (F, F, F, F) {
        let (inputs, g) = ([z, omega, a, offset].map(contiguous), contiguous(g));
        match g.dtype() {
            DType::F64 => entry_backward::<f64>(inputs.each_ref(), &g, &antennas, &part),
            _ => entry_backward::<f32>(inputs.each_ref(), &g, &antennas, &part),
        }
    }

    fn row_dot(a: F, b: F, antennas: usize) -> F {
        typed!(a, b; dot::<T>(a, b, antennas))
    }

    fn row_scale(z: F, c: F, antennas: usize) -> F {
        typed!(z, c; scale::<T>(z, c, antennas))
    }

    fn row_onsager(z: F, t: F, r: F, antennas: usize) -> F {
        typed!(z, t, r; onsager::<T>(z, t, r, antennas))
    }

    fn row_onsager_backward(z: F, t: F, r: F, g: F, antennas: usize) -> (F, F, F) {
        typed!(z, t, r, g; onsager_backward::<T>(z, t, r, g, antennas))
    }

    fn group_shrink(z: F, tau: F, antennas: usize) -> F {
        typed!(z, tau; shrink::<T>(z, tau, antennas))
    }

    fn group_shrink_backward(z: F, tau: F, g: F, antennas: usize) -> (F, F) {
        typed!(z, tau, g; shrink_backward::<T>(z, tau, g, antennas))
    }

    fn amp_iteration_kept(state: F, y: F, s: F, a: F, beta: F, factors: F, theta: F, form: AmpForm) -> (F, F) {
        let inputs = [state, y, s, a, beta, factors, theta].map(|t| t.to_contiguous());
        let inputs = inputs.each_ref();
        match inputs[1].dtype() {
            DType::F64 => amp::<f64>(inputs, &form),
            _ => amp::<f32>(inputs, &form),
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
        let inputs = [state, y, s, a, beta, factors, theta].map(|t| t.to_contiguous());
        let outputs = [after, z].map(|t| t.to_contiguous());
        let (inputs, outputs) = (inputs.each_ref(), outputs.each_ref());
        let [state, y, s, a, beta, factors, theta] = match inputs[1].dtype() {
            DType::F64 => amp_backward::<f64>(inputs, outputs, g, &form, &wanted),
            _ => amp_backward::<f32>(inputs, outputs, g, &form, &wanted),
        };
        (state, y, s, a, beta, factors, theta)
    }

    fn covariance_score(gamma: F, s: F, y: F, antennas: usize, noise_var: f64) -> F {
        typed!(gamma, s, y; covariance::<T>(gamma, s, y, antennas, noise_var))
    }

    fn covariance_score_backward(gamma: F, s: F, y: F, g: F, antennas: usize, noise_var: f64) -> (F, F, F) {
        typed!(gamma, s, y, g; covariance_backward::<T>(gamma, s, y, g, antennas, noise_var))
    }

    fn covariance_filter(gamma: F, s: F, y: F, antennas: usize, noise_var: f64) -> F {
        typed!(gamma, s, y; filter::<T>(gamma, s, y, antennas, noise_var))
    }

    fn covariance_filter_backward(gamma: F, s: F, y: F, g: F, antennas: usize, noise_var: f64) -> (F, F, F) {
        typed!(gamma, s, y, g; filter_backward::<T>(gamma, s, y, g, antennas, noise_var))
    }

    fn coordinate_sweep(log_odds: F, s: F, y: F, antennas: usize, sweeps: usize, noise_var: f64) -> F {
        sweep::on_host::<Self>(log_odds, s, y, antennas, sweeps, noise_var)
    }

    fn conv_same(x: F, weight: F, bias: F, dilation: usize, activate: bool) -> F {
        typed!(x, weight, bias; conv::<T>(x, weight, bias, dilation, activate))
    }

    fn conv_same_backward(x: F, weight: F, g: F, dilation: usize, activate: bool) -> (F, F, F) {
        typed!(x, weight, g; conv_backward::<T>(x, weight, g, dilation, activate))
    }

    fn exp_linear(x: F) -> F {
        typed!(x; elu::<T>(x))
    }

    fn exp_linear_backward(x: F, g: F) -> F {
        typed!(x, g; elu_backward::<T>(x, g))
    }

    fn max_pool_same(x: F, side: usize) -> F {
        typed!(x; pool::<T>(x, side))
    }

    fn max_pool_same_backward(x: F, g: F, side: usize) -> F {
        typed!(x, g; pool_backward::<T>(x, g, side))
    }

    fn norm_plus(x: F, alpha: F, gamma: F, beta: F) -> F {
        typed!(x, alpha, gamma, beta; norm::<T>(x, alpha, gamma, beta))
    }

    fn norm_plus_backward(x: F, alpha: F, gamma: F, g: F) -> (F, F, F, F) {
        typed!(x, alpha, gamma, g; norm_backward::<T>(x, alpha, gamma, g))
    }

    fn quantize_ste(x: F, levels: f64) -> F {
        typed!(x; quantize::<T>(x, levels))
    }
}
