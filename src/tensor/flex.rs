//! Flex: the CPU bodies straight on burn's storage.

use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::{DType, Shape, TensorData};
use burn_flex::FlexTensor;

use super::backend::{Adjoint, Backend};
use super::cpu::{self, AmpOutputs, ConvShape, CovarianceShape, Element, NormShape, PoolShape, RowShape};
use super::ops::adam::AdamRule;
use super::ops::entry::EntryPart;
use super::ops::group_shrink::TINY;
use super::ops::norm::EPSILON;
use super::ops::sweep::{SweepRecord, host};
use super::ops::{AmpInputs, CovarianceInputs, EntryInputs, SweepInputs};

type F = FloatTensor<Flex>;

/// A body with `$t` the number type of a tensor.
macro_rules! typed {
    ($t:ident of $tensor:expr, $body:expr) => {
        match $tensor.dtype() {
            DType::F64 => {
                type $t = f64;
                $body
            }
            _ => {
                type $t = f32;
                $body
            }
        }
    };
}

fn rows(z: &F, antennas: usize) -> RowShape {
    let shape = z.shape();
    RowShape { frames: shape[0] / antennas, antennas, columns: shape[1] / 2 }
}

fn covariance([gamma, s, _]: [&F; 3], antennas: usize) -> CovarianceShape {
    let (gamma, s) = (gamma.shape(), s.shape());
    CovarianceShape { frames: gamma[0], antennas, columns: gamma[1], length: s[0] / 2 }
}

fn tensor<T: Element>(data: Vec<T>, shape: impl Into<Shape>) -> F {
    FlexTensor::from_data(TensorData::new(data, shape))
}

/// The tensor in row-major order. It takes the handle, so storage that only this handle held stays unshared and may be
/// changed in place.
fn contiguous(t: F) -> F {
    t.to_contiguous()
}

fn amp_inputs<T: Element>(inputs: [&F; 7]) -> cpu::AmpInputs<'_, T> {
    let [state, y, synthesis, analysis, beta, factors, theta_1] = inputs.map(|t| t.storage());
    cpu::AmpInputs { state, y, synthesis, analysis, beta, factors, theta_1 }
}

fn entry_inputs<T: Element>(inputs: [&F; 4]) -> cpu::EntryInputs<'_, T> {
    let [z, omega, a, offset] = inputs.map(|t| t.storage());
    cpu::EntryInputs { z, omega, a, offset }
}

/// Gradients of gamma, s and y for that of a result.
type CovarianceBackward<T> = fn(&[T], &[T], &[T], &[T], CovarianceShape, f64) -> (Vec<T>, Vec<T>, Vec<T>);

fn covariance_gradients(
    inputs: CovarianceInputs<Flex>,
    g: F,
    single: CovarianceBackward<f32>,
    double: CovarianceBackward<f64>,
) -> [F; 3] {
    fn run<T: Element>(tensors: [F; 3], g: &F, m: usize, noise_var: f64, body: CovarianceBackward<T>) -> [F; 3] {
        let shape = covariance(tensors.each_ref(), m);
        let [gamma, s, y] = tensors.each_ref().map(|t| t.storage());
        let (by_gamma, by_s, by_y) = body(gamma, s, y, g.storage(), shape, noise_var);
        let of = |i: usize, data: Vec<T>| tensor(data, tensors[i].shape());
        [of(0, by_gamma), of(1, by_s), of(2, by_y)]
    }
    let (tensors, (antennas, noise_var)) = inputs.split();
    let (tensors, g) = (tensors.map(contiguous), contiguous(g));
    match g.dtype() {
        DType::F64 => run(tensors, &g, antennas, noise_var, double),
        _ => run(tensors, &g, antennas, noise_var, single),
    }
}

impl Backend for Flex {
    fn row_dot(a: F, b: F, antennas: usize) -> F {
        let [a, b] = [a, b].map(contiguous);
        let shape = rows(&a, antennas);
        typed!(T of a, tensor(cpu::row_dot::<T>(a.storage(), b.storage(), shape), [shape.frames, shape.columns]))
    }

    fn row_scale(z: F, c: F, antennas: usize) -> F {
        let [z, c] = [z, c].map(contiguous);
        typed!(T of z, tensor(cpu::row_scale::<T>(z.storage(), c.storage(), rows(&z, antennas)), z.shape()))
    }

    fn row_onsager(z: F, t: F, r: F, antennas: usize) -> F {
        let [z, t, r] = [z, t, r].map(contiguous);
        let (shape, l) = (rows(&z, antennas), r.shape()[1] / 2);
        typed!(T of z, tensor(cpu::row_onsager::<T>(z.storage(), t.storage(), r.storage(), shape, l), r.shape()))
    }

    fn amp_iteration(inputs: AmpInputs<Self>) -> F {
        let [state, _] = Self::amp_iteration_recorded(inputs);
        state
    }

    fn covariance_score(inputs: CovarianceInputs<Self>) -> F {
        let (tensors, (antennas, noise_var)) = inputs.split();
        let [gamma, s, y] = tensors.map(contiguous);
        let shape = covariance([&gamma, &s, &y], antennas);
        typed!(T of gamma, {
            let out = cpu::covariance_score::<T>(gamma.storage(), s.storage(), y.storage(), shape, noise_var);
            tensor(out, [shape.frames, 2 * shape.columns])
        })
    }

    fn covariance_filter(inputs: CovarianceInputs<Self>) -> F {
        let (tensors, (antennas, noise_var)) = inputs.split();
        let [gamma, s, y] = tensors.map(contiguous);
        let shape = covariance([&gamma, &s, &y], antennas);
        typed!(T of gamma, {
            let out = cpu::covariance_filter::<T>(gamma.storage(), s.storage(), y.storage(), shape, noise_var);
            tensor(out, [shape.frames * antennas, 2 * shape.columns])
        })
    }

    fn group_shrink(z: F, tau: F, antennas: usize) -> F {
        let [z, tau] = [z, tau].map(contiguous);
        let shape = rows(&z, antennas);
        typed!(T of z, {
            tensor(cpu::group_shrink::<T>(z.storage(), tau.storage(), shape, T::narrow(TINY)), z.shape())
        })
    }

    fn coordinate_sweep(inputs: SweepInputs<Self>) -> F {
        host::forward(inputs)
    }

    fn entry_denoise(inputs: EntryInputs<Self>) -> F {
        let (tensors, (antennas, part)) = inputs.split();
        let tensors = tensors.map(contiguous);
        let shape = rows(&tensors[0], antennas);
        let size = match part {
            EntryPart::Estimate => [shape.frames * antennas, 2 * shape.columns],
            EntryPart::Slope => [shape.frames, 1],
        };
        typed!(T of tensors[0], {
            tensor(cpu::entry_denoise::<T>(entry_inputs(tensors.each_ref()), shape, part), size)
        })
    }

    fn conv_same(x: F, weight: F, bias: F, dilation: usize, activate: bool) -> F {
        let [x, weight, bias] = [x, weight, bias].map(contiguous);
        let shape = ConvShape::of(&x.shape(), &weight.shape(), dilation, activate);
        let [height, width] = shape.size;
        typed!(T of x, {
            let out = cpu::conv_same::<T>(x.storage(), weight.storage(), bias.storage(), shape);
            tensor(out, [shape.images, shape.outputs, height, width])
        })
    }

    fn exp_linear(x: F) -> F {
        let x = contiguous(x);
        typed!(T of x, tensor(cpu::exp_linear::<T>(x.storage()), x.shape()))
    }

    fn max_pool_same(x: F, side: usize) -> F {
        let x = contiguous(x);
        let shape = PoolShape::of(&x.shape(), side);
        typed!(T of x, tensor(cpu::max_pool_same::<T>(x.storage(), shape), x.shape()))
    }

    fn norm_plus(x: F, alpha: F, gamma: F, beta: F) -> F {
        let [x, alpha, gamma, beta] = [x, alpha, gamma, beta].map(contiguous);
        let shape = NormShape::of(&x.shape(), EPSILON);
        typed!(T of x, {
            let weights = [alpha.storage(), gamma.storage(), beta.storage()];
            tensor(cpu::norm_plus::<T>(x.storage(), weights, shape), x.shape())
        })
    }

    fn dense(weight: F, x: F, bias: F, rectify: bool) -> F {
        let mut product = contiguous(Self::float_matmul(weight, x));
        let bias = contiguous(bias);
        typed!(T of product, cpu::add_bias::<T>(product.storage_mut(), bias.storage(), rectify));
        product
    }

    fn quantize_ste(x: F, levels: f64) -> F {
        let x = contiguous(x);
        typed!(T of x, tensor(cpu::quantize::<T>(x.storage(), T::narrow(levels)), x.shape()))
    }

    fn adam_step(p: F, m: F, v: F, g: F, rule: AdamRule) -> (F, F, F) {
        let [mut p, mut m, mut v, g] = [p, m, v, g].map(contiguous);
        typed!(T of g, {
            cpu::adam_step::<T>(p.storage_mut(), m.storage_mut(), v.storage_mut(), g.storage(), rule);
        });
        (p, m, v)
    }
}

impl Adjoint for Flex {
    fn row_onsager_backward(z: F, t: F, r: F, g: F, antennas: usize) -> [F; 3] {
        let [z, t, r, g] = [z, t, r, g].map(contiguous);
        let (shape, l) = (rows(&z, antennas), r.shape()[1] / 2);
        typed!(T of z, {
            let (by_z, by_t, by_r) =
                cpu::row_onsager_backward::<T>(z.storage(), t.storage(), r.storage(), g.storage(), shape, l);
            [tensor(by_z, z.shape()), tensor(by_t, t.shape()), tensor(by_r, r.shape())]
        })
    }

    fn amp_iteration_recorded(inputs: AmpInputs<Self>) -> [F; 2] {
        let (tensors, (form,)) = inputs.split();
        let tensors = tensors.map(contiguous);
        let shape = form.shape(&tensors[4].shape(), &tensors[1].shape());
        typed!(T of tensors[1], {
            let (state, z) = cpu::amp_iteration::<T>(amp_inputs(tensors.each_ref()), shape);
            [tensor(state, [shape.state()]), tensor(z, [shape.frames * shape.antennas, 2 * shape.columns])]
        })
    }

    fn amp_iteration_backward(inputs: AmpInputs<Self>, outputs: [F; 2], g: F, wanted: [bool; 2]) -> [F; 7] {
        let (tensors, (form,)) = inputs.split();
        let (tensors, [state, z]) = (tensors.map(contiguous), outputs.map(contiguous));
        let shape = form.shape(&tensors[4].shape(), &tensors[1].shape());
        typed!(T of tensors[1], {
            let outputs = AmpOutputs { state: state.storage(), z: z.storage() };
            // No copy where this is the only handle of the gradient.
            let g = g.into_data().try_into_vec().expect("the type was chosen by dtype");
            let found =
                cpu::amp_iteration_backward::<T>(amp_inputs(tensors.each_ref()), outputs, g, shape, wanted);
            let of = |i: usize, data: Vec<T>| tensor(data, tensors[i].shape());
            [
                of(0, found.state),
                of(1, found.y),
                of(2, found.synthesis),
                of(3, found.analysis),
                of(4, found.beta),
                of(5, found.factors),
                of(6, found.theta_1),
            ]
        })
    }

    fn covariance_score_backward(inputs: CovarianceInputs<Self>, g: F) -> [F; 3] {
        covariance_gradients(inputs, g, cpu::covariance_score_backward, cpu::covariance_score_backward)
    }

    fn covariance_filter_backward(inputs: CovarianceInputs<Self>, g: F) -> [F; 3] {
        covariance_gradients(inputs, g, cpu::covariance_filter_backward, cpu::covariance_filter_backward)
    }

    fn group_shrink_backward(z: F, tau: F, g: F, antennas: usize) -> [F; 2] {
        let [z, tau, g] = [z, tau, g].map(contiguous);
        let shape = rows(&z, antennas);
        typed!(T of z, {
            let tiny = T::narrow(TINY);
            let (by_z, by_tau) =
                cpu::group_shrink_backward::<T>(z.storage(), tau.storage(), g.storage(), shape, tiny);
            [tensor(by_z, z.shape()), tensor(by_tau, tau.shape())]
        })
    }

    fn coordinate_sweep_recorded(inputs: SweepInputs<Self>) -> (F, SweepRecord) {
        host::recorded(inputs)
    }

    fn coordinate_sweep_backward(inputs: SweepInputs<Self>, record: &SweepRecord, g: F, all: bool) -> [F; 3] {
        host::backward(inputs, record, g, all)
    }

    fn entry_denoise_backward(inputs: EntryInputs<Self>, g: F) -> [F; 4] {
        let (tensors, (antennas, part)) = inputs.split();
        let (tensors, g) = (tensors.map(contiguous), contiguous(g));
        let shape = rows(&tensors[0], antennas);
        typed!(T of g, {
            let inputs = entry_inputs(tensors.each_ref());
            let found = cpu::entry_denoise_backward::<T>(inputs, g.storage(), shape, part);
            let of = |i: usize, data: Vec<T>| tensor(data, tensors[i].shape());
            [of(0, found.z), of(1, found.omega), of(2, found.a), of(3, found.offset)]
        })
    }

    fn conv_same_backward(x: F, weight: F, g: F, dilation: usize, activate: bool) -> [F; 3] {
        let [x, weight, g] = [x, weight, g].map(contiguous);
        let shape = ConvShape::of(&x.shape(), &weight.shape(), dilation, activate);
        typed!(T of x, {
            let found = cpu::conv_same_backward::<T>(x.storage(), weight.storage(), g.storage(), shape);
            let by_bias = tensor(found.bias, [shape.outputs]);
            [tensor(found.x, x.shape()), tensor(found.weight, weight.shape()), by_bias]
        })
    }

    fn exp_linear_backward(x: F, g: F) -> F {
        let [x, g] = [x, g].map(contiguous);
        typed!(T of x, tensor(cpu::exp_linear_backward::<T>(x.storage(), g.storage()), x.shape()))
    }

    fn max_pool_same_backward(x: F, g: F, side: usize) -> F {
        let [x, g] = [x, g].map(contiguous);
        let shape = PoolShape::of(&x.shape(), side);
        typed!(T of x, tensor(cpu::max_pool_same_backward::<T>(x.storage(), g.storage(), shape), x.shape()))
    }

    fn norm_plus_backward(x: F, alpha: F, gamma: F, g: F) -> [F; 4] {
        let [x, alpha, gamma, g] = [x, alpha, gamma, g].map(contiguous);
        let shape = NormShape::of(&x.shape(), EPSILON);
        typed!(T of x, {
            let weights = [alpha.storage(), gamma.storage()];
            let found = cpu::norm_plus_backward::<T>(x.storage(), weights, g.storage(), shape);
            let of_channels = |data: Vec<T>| tensor(data, [shape.channels]);
            let [by_alpha, by_gamma, by_beta] = [found.alpha, found.gamma, found.beta].map(of_channels);
            [tensor(found.x, x.shape()), by_alpha, by_gamma, by_beta]
        })
    }

    fn dense_gate(out: F, g: F, rectify: bool) -> [F; 2] {
        let out = contiguous(out);
        // A gradient with a single handle is changed in place.
        let mut g = contiguous(g);
        let rows = g.shape()[0];
        typed!(T of g, {
            let sums = cpu::gate::<T>(out.storage(), g.storage_mut(), rows, rectify);
            [g, tensor(sums, [rows, 1])]
        })
    }
}
