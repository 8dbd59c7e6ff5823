//! The second opinion: every kernel on every device against its specification, which the NdArray backend runs. Results and
//! the gradients of all inputs, in double precision and in single.

use burn::tensor::{DType, Device, Tensor, TensorData};
use grantfree::tensor::{
    AdamRule, AmpArguments, AmpForm, BackendChoice, EntryPart, adam_step, amp_iteration, choose, conv_same,
    coordinate_sweep, covariance_filter, covariance_score, dense, entry_denoise, exp_linear, group_shrink,
    max_pool_same, norm_plus, quantize_ste, row_dot, row_onsager, row_scale,
};

use super::{devices, tensor, values};

/// An input, folded to a matrix.
type Input = (Vec<f64>, [usize; 2]);

/// Scattered numbers between -scale and scale that single precision holds.
fn numbers(seed: usize, shape: [usize; 2], scale: f64) -> Input {
    let value = |i: usize| ((((i * 37 + seed * 101) * 7919) % 1009) as f64 / 504.5 - 1.0) * scale;
    ((0..shape[0] * shape[1]).map(|i| f64::from(value(i) as f32)).collect(), shape)
}

fn mapped((data, shape): Input, f: impl Fn(f64) -> f64) -> Input {
    (data.into_iter().map(|v| f64::from(f(v) as f32)).collect(), shape)
}

fn specification() -> Device {
    choose(BackendChoice::NdArray).expect("this module is part of builds with ndarray only").device
}

/// What a comparison allows, in units of the largest number of the specification or of one.
struct Tolerances {
    single: Option<f64>,
    double: f64,
    /// Whether GPUs compute it in double precision; they have no exponential there.
    gpu_double: bool,
}

fn within(single: f64, double: f64) -> Tolerances {
    Tolerances { single: Some(single), double, gpu_double: false }
}

fn assert_close(what: &str, got: &[f64], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{what}");
    let scale = want.iter().fold(1.0, |a: f64, b| a.max(b.abs()));
    let worst = got.iter().zip(want).map(|(a, b)| (a - b).abs() / scale).fold(0.0, f64::max);
    assert!(worst <= tolerance, "{what}: {worst:.1e} of the largest number, {tolerance:.1e} allowed");
    assert!(got.iter().all(|v| v.is_finite()), "{what}");
}

/// The result, then the gradients of a weighted sum of it by all inputs.
fn pass(device: &Device, dtype: DType, inputs: &[Input], f: &dyn Fn(&[Tensor<2>]) -> Tensor<2>) -> Vec<Vec<f64>> {
    let device = device.clone().autodiff();
    let inputs: Vec<Tensor<2>> =
        inputs.iter().map(|(data, shape)| tensor(data, *shape, &device, dtype).require_grad()).collect();
    let out = f(&inputs);
    let (weights, shape) = numbers(99, out.dims(), 1.0);
    let grads = (out.clone() * tensor(&weights, shape, &device, dtype)).sum().backward();
    let gradients = inputs.iter().map(|t| values(t.grad(&grads).expect("every input has a gradient")));
    std::iter::once(values(out)).chain(gradients).collect()
}

fn agree(name: &str, inputs: &[Input], allowed: &Tolerances, f: impl Fn(&[Tensor<2>]) -> Tensor<2>) {
    let want = pass(&specification(), DType::F64, inputs, &f);
    assert!(want.iter().all(|array| array.iter().any(|v| *v != 0.0)), "{name}: an array of zeros says nothing");
    agree_with(name, inputs, allowed, &want, &f);
}

fn agree_with(
    name: &str,
    inputs: &[Input],
    allowed: &Tolerances,
    want: &[Vec<f64>],
    f: &dyn Fn(&[Tensor<2>]) -> Tensor<2>,
) {
    for (backend, device) in devices() {
        let gpu = backend == "wgpu";
        let double = device.supports_dtype(DType::F64) && (!gpu || allowed.gpu_double);
        let double = double.then_some((DType::F64, allowed.double));
        for (dtype, tolerance) in allowed.single.map(|t| (DType::F32, t)).into_iter().chain(double) {
            for (i, (got, want)) in pass(&device, dtype, inputs, f).iter().zip(want).enumerate() {
                let array = if i == 0 { "result".into() } else { format!("gradient {}", i - 1) };
                assert_close(&format!("{name} on {backend}, {dtype:?}, {array}"), got, want, tolerance);
            }
        }
    }
}

#[test]
fn row_kernels() {
    let allowed = Tolerances { gpu_double: true, ..within(1e-5, 1e-12) };
    for (frames, m, k, l) in [(2, 3, 7, 5), (3, 5, 40, 9), (1, 1, 1, 1)] {
        let z = |seed| numbers(seed, [frames * m, 2 * k], 1.0);
        let (t, r) = (numbers(2, [frames, k], 1.0), numbers(3, [frames * m, 2 * l], 1.0));
        agree("row_dot", &[z(1), z(5)], &allowed, |t| row_dot(t[0].clone(), t[1].clone(), m));
        agree("row_scale", &[z(1), t.clone()], &allowed, |t| row_scale(t[0].clone(), t[1].clone(), m));
        agree("row_onsager", &[z(1), t, r], &allowed, |t| row_onsager(t[0].clone(), t[1].clone(), t[2].clone(), m));
    }
}

/// Small thresholds keep all rows, large ones remove some, and rows of zeros stay.
#[test]
fn row_thresholds() {
    let allowed = Tolerances { gpu_double: true, ..within(1e-5, 1e-13) };
    for (frames, m, k, size, scale) in
        [(1, 1, 1, 0.1, 1.0), (3, 2, 13, 1.0, 1.0), (2, 4, 40, 3.0, 1.0), (5, 3, 7, 0.0, 0.0)]
    {
        let inputs = [numbers(1, [frames * m, 2 * k], scale), mapped(numbers(2, [frames, k], size), f64::abs)];
        let f = |t: &[Tensor<2>]| group_shrink(t[0].clone(), t[1].clone(), m);
        let want = pass(&specification(), DType::F64, &inputs, &f);
        assert_eq!(want[0].iter().any(|v| *v != 0.0), scale != 0.0);
        assert!(size < 1.0 || want[0].contains(&0.0));
        agree_with("group_shrink", &inputs, &allowed, &want, &f);
    }
}

#[test]
fn entry_denoisers() {
    for (frames, m, k) in [(1, 1, 1), (3, 2, 13), (2, 4, 40)] {
        let weights = |seed, scale| numbers(seed, [frames, k], scale);
        let inputs = [numbers(1, [frames * m, 2 * k], 3.0), weights(2, 1.0), weights(3, 2.0), weights(4, 5.0)];
        for part in [EntryPart::Estimate, EntryPart::Slope] {
            agree(&format!("entry_denoise {part:?}"), &inputs, &within(1e-4, 1e-12), |t| {
                entry_denoise(t[0].clone(), t[1].clone(), t[2].clone(), t[3].clone(), m, part)
            });
        }
    }
}

#[test]
fn dense_layers() {
    for (outputs, inputs, frames) in [(1, 3, 1), (7, 5, 33), (64, 20, 301)] {
        let shapes = [[outputs, inputs], [inputs, frames], [outputs, 1]];
        let tensors = [1, 2, 3].map(|i| numbers(i, shapes[i - 1], 1.0));
        for rectify in [false, true] {
            let allowed = Tolerances { gpu_double: true, ..within(1e-4, 1e-12) };
            let f = |t: &[Tensor<2>]| dense(t[0].clone(), t[1].clone(), t[2].clone(), rectify);
            let want = pass(&specification(), DType::F64, &tensors, &f);
            agree_with(&format!("dense {outputs} {rectify}"), &tensors, &allowed, &want, &f);
        }
    }
}

/// Folds a batch of images to a matrix.
fn folded(t: Tensor<4>) -> Tensor<2> {
    let [b, c, h, w] = t.dims();
    t.reshape([b * c, h * w])
}

/// Single pixels, dilations beyond the image, images larger than one tile, more images than a group.
#[test]
fn convolutions() {
    let cases = [
        ([5, 3, 4, 6], 2, [3, 3], 1),
        ([2, 3, 5, 3], 4, [3, 3], 4),
        ([6, 4, 3, 7], 3, [1, 1], 1),
        ([3, 2, 6, 5], 2, [1, 3], 2),
        ([1, 40, 16, 32], 5, [3, 3], 2),
    ];
    for (i, (shape, outputs, [kh, kw], dilation)) in cases.into_iter().enumerate() {
        let [b, c, h, w] = shape;
        let inputs =
            [numbers(1, [b * c, h * w], 1.0), numbers(2, [outputs * c, kh * kw], 1.0), numbers(3, [1, outputs], 1.0)];
        for activate in [false, true] {
            agree(&format!("case {i} {activate}"), &inputs, &within(2e-5, 1e-12), |t| {
                let weight = t[1].clone().reshape([outputs, c, kh, kw]);
                let bias = t[2].clone().reshape([outputs]);
                folded(conv_same(t[0].clone().reshape(shape), weight, bias, dilation, activate))
            });
        }
    }
}

/// Windows larger than the image, and numbers that repeat within a window.
#[test]
fn pooling_and_activation() {
    for (shape, side) in [([2, 3, 4, 6], 5), ([3, 1, 7, 9], 3), ([1, 2, 1, 2], 5), ([2, 2, 16, 32], 5)] {
        let [b, c, h, w] = shape;
        let few = (0..b * c * h * w).map(|i| (i * 7919 % 5) as f64 - 2.5).collect();
        for inputs in [[numbers(1, [b * c, h * w], 1.0)], [(few, [b * c, h * w])]] {
            let pool = |t: &[Tensor<2>]| folded(max_pool_same(t[0].clone().reshape(shape), side));
            agree(&format!("max_pool_same {shape:?}"), &inputs, &within(1e-6, 1e-12), pool);
            let activate = |t: &[Tensor<2>]| folded(exp_linear(t[0].clone().reshape(shape)));
            agree(&format!("exp_linear {shape:?}"), &inputs, &within(1e-6, 1e-12), activate);
        }
    }
}

#[test]
fn normalisation() {
    for shape in [[5, 3, 4, 6], [2, 1, 3, 3], [9, 4, 5, 5]] {
        let [b, c, h, w] = shape;
        let [alpha, gamma, beta] = [2, 3, 4].map(|seed| numbers(seed, [1, c], 1.0));
        let inputs = [numbers(1, [b * c, h * w], 1.0), alpha, gamma, beta];
        let f = |t: &[Tensor<2>]| {
            let [alpha, gamma, beta] = [1, 2, 3].map(|i| t[i].clone().reshape([c]));
            folded(norm_plus(t[0].clone().reshape(shape), alpha, gamma, beta))
        };
        let want = pass(&specification(), DType::F64, &inputs, &f);
        agree_with(&format!("norm_plus {shape:?}"), &inputs, &within(1e-4, 1e-10), &want, &f);
    }
}

/// Halves, and numbers beyond the last level.
#[test]
fn quantisers() {
    let inputs = [mapped(numbers(1, [9, 31], 12.0), |v| (2.0 * v).round() / 2.0)];
    agree("quantize_ste", &inputs, &within(0.0, 0.0), |t| quantize_ste(t[0].clone(), 4));
}

#[test]
fn covariance_statistics() {
    let (f, m, k, l) = (3, 2, 9, 5);
    let tensors = |powers| [powers, numbers(2, [2 * l, k], 1.0), numbers(3, [f * m, 2 * l], 1.0)];
    let ordinary = mapped(numbers(1, [f, k], 1.0), |v| (v * v).max(0.05));
    // One frame without any power, one with a sequence beyond the smallest ratio.
    let mut extreme = ordinary.clone();
    extreme.0[..k].fill(0.0);
    extreme.0[k] = 1e6;
    let exact = Tolerances { gpu_double: true, ..within(1e-4, 1e-9) };
    for (powers, single) in [(ordinary, Some(1e-4)), (extreme, None)] {
        let (inputs, allowed) = (tensors(powers), Tolerances { single, ..exact });
        agree("covariance_score", &inputs, &allowed, |t| {
            covariance_score(t[0].clone(), t[1].clone(), t[2].clone(), m, 0.5)
        });
        agree("covariance_filter", &inputs, &allowed, |t| {
            covariance_filter(t[0].clone(), t[1].clone(), t[2].clone(), m, 0.5)
        });
    }
}

/// Likely and unlikely devices: some powers end at 0, some at 1, some between. Few frames and many take vectors of
/// different widths.
#[test]
fn coordinate_descent() {
    let (m, n, l) = (3, 9, 4);
    for (scale, frames) in [(0.0, 5), (1.5, 3), (1.5, 13), (4.0, 5)] {
        let inputs = [numbers(1, [1, n], scale), numbers(2, [2 * l, n], 1.0), numbers(3, [frames * m, 2 * l], 2.0)];
        let f = |t: &[Tensor<2>]| coordinate_sweep(t[0].clone(), t[1].clone(), t[2].clone(), m, 6, 0.3);
        let want = pass(&specification(), DType::F64, &inputs, &f);
        assert!(want[0].contains(&0.0) && want[0].iter().any(|v| *v > 0.0 && *v < 1.0), "{:?}", want[0]);
        let allowed = Tolerances { gpu_double: true, ..within(1e-6, 1e-9) };
        agree_with(&format!("coordinate_sweep {scale}, {frames}"), &inputs, &allowed, &want, &f);
    }
}

/// Frames of one group and of several, and pilots that are too large for a group.
#[test]
fn amp_iterations() {
    for [f, m, k, l] in [[2, 3, 6, 5], [41, 3, 12, 4], [3, 2, 96, 90]] {
        for (section, matrix_onsager, priors) in [(1, true, k), (1, false, 1), (3, true, 1), (2, false, k)] {
            let form = AmpForm { antennas: m, section, matrix_onsager };
            let (count, size) = (f * m * 2 * (k + l) + f * k, (l as f64).sqrt().recip());
            let between = |seed, shape, low: f64, high: f64| {
                mapped(numbers(seed, shape, 1.0), |v| (low + high) / 2.0 + v * (high - low) / 2.0)
            };
            let inputs = [
                numbers(1, [1, count], 1.0),
                numbers(2, [f * m, 2 * l], 1.0),
                numbers(3, [2 * k, 2 * l], size),
                numbers(4, [2 * k, 2 * l], size),
                between(5, [f, k], 0.1, 2.0),
                between(6, [1, 4], 0.5, 0.9),
                between(7, [1, priors], 0.0, 3.0),
            ];
            agree(&format!("{form:?}, F = {f}"), &inputs, &within(1e-4, 1e-10), |t| {
                let state = t[0].clone().reshape([count]);
                let [y, synthesis, analysis, beta, factors, theta_1] = [1, 2, 3, 4, 5, 6].map(|i| t[i].clone());
                amp_iteration(AmpArguments { state, y, synthesis, analysis, beta, factors, theta_1, form })
                    .reshape([1, count])
            });
        }
    }
}

#[test]
fn steps_of_adam_leave_shared_tensors_alone() {
    let count = 40_003;
    let rule = AdamRule::new(1e-2, [0.9, 0.999], 1e-8, 3);
    let [p, m, v, g] = [1, 2, 4, 3].map(|seed| numbers(seed, [1, count], 1.0));
    let inputs = [p, m, mapped(v, |v| v * v), g];
    let step = |device: &Device, dtype| {
        let put = |(data, _): &Input| Tensor::<1>::from_data(TensorData::new(data.clone(), [count]), (device, dtype));
        let tensors = inputs.each_ref().map(put);
        let [p, m, v, g] = tensors.clone();
        let (p, m, v) = adam_step(p, m, v, g, rule);
        for (t, (data, _)) in tensors.into_iter().zip(&inputs) {
            assert_eq!(values(t), *data);
        }
        [p, m, v].map(values)
    };
    let want = step(&specification(), DType::F64);
    for (backend, device) in devices() {
        for (dtype, tolerance) in [(DType::F32, 1e-6), (DType::F64, 1e-15)] {
            if device.supports_dtype(dtype) {
                for (got, want) in step(&device, dtype).iter().zip(&want) {
                    assert_close(&format!("{backend} {dtype:?}"), got, want, tolerance);
                }
            }
        }
    }
}
