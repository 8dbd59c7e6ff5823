//! An iteration of unfolded AMP in burn primitives and row kernels, forward and backward.

use burn::backend::TensorMetadata;
use burn::backend::tensor::FloatTensor;
use burn::tensor::{Shape, Slice};

use super::cpu::AmpShape;
use super::ops::Backend;

/// Forms of an iteration that are no tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AmpForm {
    /// Antennas M.
    pub antennas: usize,
    /// Rows that exclude each other: Q, or 1 for rows on their own.
    pub section: usize,
    /// Matrix Onsager term; false takes the mean of the traces, which diverges often.
    pub matrix_onsager: bool,
}

impl AmpForm {
    /// All sizes, for gains `[F, K]` and observations `[F*M, 2L]`.
    pub(super) fn shape(self, beta: &Shape, y: &Shape) -> AmpShape {
        let Self { antennas, section, matrix_onsager } = self;
        AmpShape { frames: beta[0], antennas, columns: beta[1], length: y[1] / 2, section, matrix_onsager }
    }
}

/// Tensors of an iteration, as [`amp_iteration`](super::ops::amp_iteration) takes them.
pub(super) struct Inputs<B: Backend> {
    pub state: FloatTensor<B>,
    pub y: FloatTensor<B>,
    pub synthesis: FloatTensor<B>,
    pub analysis: FloatTensor<B>,
    pub beta: FloatTensor<B>,
    pub factors: FloatTensor<B>,
    pub theta_1: FloatTensor<B>,
}

type T<B> = FloatTensor<B>;

fn add<B: Backend>(a: &T<B>, b: &T<B>) -> T<B> {
    B::float_add(a.clone(), b.clone())
}

fn sub<B: Backend>(a: &T<B>, b: &T<B>) -> T<B> {
    B::float_sub(a.clone(), b.clone())
}

fn mul<B: Backend>(a: &T<B>, b: &T<B>) -> T<B> {
    B::float_mul(a.clone(), b.clone())
}

fn div<B: Backend>(a: &T<B>, b: &T<B>) -> T<B> {
    B::float_div(a.clone(), b.clone())
}

fn scale<B: Backend>(a: &T<B>, factor: f64) -> T<B> {
    B::float_mul_scalar(a.clone(), factor.into())
}

fn matmul<B: Backend>(a: &T<B>, b: &T<B>) -> T<B> {
    B::float_matmul(a.clone(), b.clone())
}

fn transpose<B: Backend>(a: &T<B>) -> T<B> {
    B::float_swap_dims(a.clone(), 0, 1)
}

fn reshape<B: Backend>(a: &T<B>, shape: impl Into<Shape>) -> T<B> {
    B::float_reshape(a.clone(), shape.into())
}

/// `1 - a`.
fn complement<B: Backend>(a: &T<B>) -> T<B> {
    B::float_add_scalar(B::float_neg(a.clone()), 1.0.into())
}

/// Sum of everything, `[1, 1]`.
fn total<B: Backend>(a: &T<B>) -> T<B> {
    B::float_sum_dim(B::float_sum_dim(a.clone(), 0), 1)
}

/// Rows of X, residuals and likelihood ratios of a state.
fn split<B: Backend>(state: &T<B>, s: AmpShape) -> [T<B>; 3] {
    let rows = s.frames * s.antennas;
    let shapes = [[rows, 2 * s.columns], [rows, 2 * s.length], [s.frames, s.columns]];
    let mut first = 0;
    shapes.map(|shape| {
        let part = Slice::from(first..first + shape[0] * shape[1]);
        first += shape[0] * shape[1];
        reshape::<B>(&B::float_slice(state.clone(), &[part]), shape)
    })
}

/// The inverse of [`split`].
fn join<B: Backend>(parts: [T<B>; 3]) -> T<B> {
    B::float_cat(parts.iter().map(|p| reshape::<B>(p, [p.shape().num_elements()])).collect(), 0)
}

/// Everything between the pseudo-observations and the result.
struct Denoiser<B: Backend> {
    /// tau2, `[F, 1]`.
    tau2: T<B>,
    /// beta with its factor, `[F, K]` as the following.
    power: T<B>,
    omega: T<B>,
    slope: T<B>,
    energy: T<B>,
    llr: T<B>,
    posterior: T<B>,
    weight: T<B>,
    curvature: T<B>,
    /// v, theta_2, tau, Onsager factor, `[1, 1]` each.
    factors: [T<B>; 4],
}

impl<B: Backend> Denoiser<B> {
    fn new(inputs: &Inputs<B>, r: &T<B>, z: &T<B>, s: AmpShape) -> Self {
        let factors =
            [0, 1, 2, 3].map(|i| B::float_slice(inputs.factors.clone(), &[Slice::from(0..1), Slice::from(i..i + 1)]));
        let power = mul::<B>(&inputs.beta, &B::float_exp(factors[1].clone()));
        let mean = scale::<B>(&per_frame::<B>(&mul::<B>(r, r), s), 1.0 / (s.length * s.antennas) as f64);
        let tau2 = mul::<B>(&mean, &B::float_exp(factors[2].clone()));
        // omega = beta/(beta + tau2); llr = (omega/tau2) ||z||^2 - M ln(1 + beta/tau2).
        let omega = div::<B>(&power, &add::<B>(&power, &tau2));
        let slope = div::<B>(&omega, &tau2);
        let energy = B::row_dot(z.clone(), z.clone(), s.antennas);
        let offset = scale::<B>(&B::float_log1p(div::<B>(&power, &tau2)), s.antennas as f64);
        let llr = sub::<B>(&mul::<B>(&slope, &energy), &offset);
        let posterior = posterior::<B>(&sub::<B>(&llr, &inputs.theta_1), s);
        let weight = mul::<B>(&mul::<B>(&posterior, &omega), &factors[0]);
        let curvature = mul::<B>(&mul::<B>(&weight, &slope), &complement::<B>(&posterior));
        Self { tau2, power, omega, slope, energy, llr, posterior, weight, curvature, factors }
    }

    /// `(sum_k J_k) r` without its factor, and what multiplies r alone, `[F, 1]`.
    fn onsager(&self, z: &T<B>, r: &T<B>, s: AmpShape) -> (T<B>, T<B>) {
        let trace = B::float_sum_dim(self.weight.clone(), 1);
        if s.matrix_onsager {
            let product = B::row_onsager(z.clone(), self.curvature.clone(), r.clone(), s.antennas);
            (add::<B>(&product, &times_frame::<B>(r, &trace, s)), trace)
        } else {
            let curved = B::float_sum_dim(mul::<B>(&self.curvature, &self.energy), 1);
            let trace = add::<B>(&trace, &scale::<B>(&curved, 1.0 / s.antennas as f64));
            (times_frame::<B>(r, &trace, s), trace)
        }
    }
}

/// Section-wise softmax with the idle state, `[F, K]`.
fn posterior<B: Backend>(logits: &T<B>, s: AmpShape) -> T<B> {
    let logits = reshape::<B>(logits, [s.frames, s.columns / s.section, s.section]);
    let top = B::float_clamp_min(B::float_max_dim(logits.clone(), 2), 0.0.into());
    let weights = B::float_exp(sub::<B>(&logits, &top));
    let all = add::<B>(&B::float_sum_dim(weights.clone(), 2), &B::float_exp(B::float_neg(top)));
    reshape::<B>(&div::<B>(&weights, &all), [s.frames, s.columns])
}

/// `w_q (g_q - sum_r w_r g_r)` over the sections.
fn posterior_backward<B: Backend>(g: &T<B>, w: &T<B>, s: AmpShape) -> T<B> {
    let sections = [s.frames, s.columns / s.section, s.section];
    let (g, w) = (reshape::<B>(g, sections), reshape::<B>(w, sections));
    let mean = B::float_sum_dim(mul::<B>(&g, &w), 2);
    reshape::<B>(&mul::<B>(&w, &sub::<B>(&g, &mean)), [s.frames, s.columns])
}

/// Sum over a frame of `[F*M, 2L]`, `[F, 1]`.
fn per_frame<B: Backend>(rows: &T<B>, s: AmpShape) -> T<B> {
    B::float_sum_dim(reshape::<B>(rows, [s.frames, s.antennas * 2 * s.length]), 1)
}

/// `[F*M, 2L]` times a number of each frame, `[F, 1]`.
fn times_frame<B: Backend>(rows: &T<B>, number: &T<B>, s: AmpShape) -> T<B> {
    let flat = reshape::<B>(rows, [s.frames, s.antennas * 2 * s.length]);
    reshape::<B>(&mul::<B>(&flat, number), [s.frames * s.antennas, 2 * s.length])
}

/// The state after an iteration, and the pseudo-observations.
pub(super) fn forward<B: Backend>(inputs: Inputs<B>, form: AmpForm) -> (T<B>, T<B>) {
    let s = form.shape(&inputs.beta.shape(), &inputs.y.shape());
    let [x, r, _] = split::<B>(&inputs.state, s);
    let z = add::<B>(&x, &matmul::<B>(&r, &transpose::<B>(&inputs.analysis)));
    let d = Denoiser::new(&inputs, &r, &z, s);
    let x = B::row_scale(z.clone(), d.weight.clone(), s.antennas);
    let (onsager, _) = d.onsager(&z, &r, s);
    let onsager = scale::<B>(&mul::<B>(&onsager, &d.factors[3]), 1.0 / s.length as f64);
    let r = add::<B>(&sub::<B>(&inputs.y, &matmul::<B>(&x, &inputs.synthesis)), &onsager);
    (join::<B>([x, r, d.llr]), z)
}

/// Gradients of the state before, y, S, the filter, beta, the factors and theta_1.
pub(super) fn backward<B: Backend>(inputs: Inputs<B>, (after, z): (T<B>, T<B>), g: T<B>, form: AmpForm) -> [T<B>; 7] {
    let s = form.shape(&inputs.beta.shape(), &inputs.y.shape());
    let (m, length) = (s.antennas, s.length as f64);
    let [x_old, r, _] = split::<B>(&inputs.state, s);
    let [x, _, _] = split::<B>(&after, s);
    let [g_x, g_r_new, g_llr] = split::<B>(&g, s);
    let d = Denoiser::new(&inputs, &r, &z, s);
    let [v, _, tau_factor, onsager_factor] = &d.factors;

    let g_x = sub::<B>(&g_x, &matmul::<B>(&g_r_new, &transpose::<B>(&inputs.synthesis)));
    let g_s = B::float_neg(matmul::<B>(&transpose::<B>(&x), &g_r_new));
    let (onsager, trace) = d.onsager(&z, &r, s);
    let g_factor = scale::<B>(&total::<B>(&mul::<B>(&g_r_new, &onsager)), 1.0 / length);
    let g_onsager = scale::<B>(&mul::<B>(&g_r_new, onsager_factor), 1.0 / length);
    let g_trace = per_frame::<B>(&mul::<B>(&g_onsager, &r), s);
    let g_r = times_frame::<B>(&g_onsager, &trace, s);
    let g_z = B::row_scale(g_x.clone(), d.weight.clone(), m);
    let (g_z, g_curvature, g_energy, g_r) = if s.matrix_onsager {
        let (through_z, g_curvature, through_r) =
            B::row_onsager_backward(z.clone(), d.curvature.clone(), r.clone(), g_onsager, m);
        (add::<B>(&g_z, &through_z), g_curvature, None, add::<B>(&g_r, &through_r))
    } else {
        let part = scale::<B>(&g_trace, 1.0 / m as f64);
        (g_z, mul::<B>(&d.energy, &part), Some(mul::<B>(&d.curvature, &part)), g_r)
    };

    // weight = v omega w, curvature = weight slope (1 - w).
    let idle = complement::<B>(&d.posterior);
    let g_weight = add::<B>(&B::row_dot(z.clone(), g_x, m), &g_trace);
    let g_weight = add::<B>(&g_weight, &mul::<B>(&mul::<B>(&g_curvature, &d.slope), &idle));
    let curved = mul::<B>(&g_curvature, &d.weight);
    let g_posterior = sub::<B>(&mul::<B>(&mul::<B>(&g_weight, &d.omega), v), &mul::<B>(&curved, &d.slope));
    let g_gain = mul::<B>(&g_weight, &d.posterior);
    // logit = llr - theta_1, llr = slope energy - M ln(1 + beta/tau2).
    let g_logit = posterior_backward::<B>(&g_posterior, &d.posterior, s);
    let g_llr = add::<B>(&g_llr, &g_logit);
    let g_slope = add::<B>(&mul::<B>(&curved, &idle), &mul::<B>(&g_llr, &d.energy));
    let through_llr = mul::<B>(&g_llr, &d.slope);
    let g_energy = g_energy.map_or(through_llr.clone(), |g| add::<B>(&g, &through_llr));
    let g_offset = scale::<B>(&g_llr, -(m as f64));
    // omega = beta/(beta + tau2), slope = omega/tau2.
    let share = B::float_recip(add::<B>(&d.power, &d.tau2));
    let g_slope = div::<B>(&g_slope, &d.tau2);
    let g_omega = mul::<B>(&add::<B>(&mul::<B>(&g_gain, v), &g_slope), &share);
    let g_power = mul::<B>(&add::<B>(&mul::<B>(&g_omega, &d.tau2), &g_offset), &share);
    let g_tau2 = B::float_neg(add::<B>(
        &mul::<B>(&add::<B>(&g_slope, &g_offset), &d.slope),
        &mul::<B>(&mul::<B>(&g_omega, &d.power), &share),
    ));
    let g_tau2 = B::float_sum_dim(g_tau2, 1);

    let g_z = add::<B>(&g_z, &scale::<B>(&B::row_scale(z, g_energy, m), 2.0));
    let g_a = matmul::<B>(&transpose::<B>(&g_z), &r);
    let g_mean = scale::<B>(&mul::<B>(&g_tau2, &B::float_exp(tau_factor.clone())), 2.0 / (length * m as f64));
    let g_r = add::<B>(&g_r, &times_frame::<B>(&r, &g_mean, s));
    let g_r = add::<B>(&g_r, &matmul::<B>(&g_z, &inputs.analysis));
    let g_factors = vec![
        total::<B>(&mul::<B>(&g_gain, &d.omega)),
        total::<B>(&mul::<B>(&g_power, &d.power)),
        total::<B>(&mul::<B>(&g_tau2, &d.tau2)),
        g_factor,
    ];
    let g_beta = mul::<B>(&g_power, &B::float_exp(d.factors[1].clone()));
    let mut g_theta = B::float_neg(B::float_sum_dim(g_logit, 0));
    if inputs.theta_1.shape()[1] == 1 {
        g_theta = B::float_sum_dim(g_theta, 1);
    }
    // The likelihood ratios of the state before are not used.
    let no_llr = B::float_zeros([s.frames, s.columns].into(), &x_old.device(), x_old.dtype().into());
    [join::<B>([g_z, g_r, no_llr]), g_r_new, g_s, g_a, g_beta, B::float_cat(g_factors, 1), g_theta]
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::backend::{Flex, read_sync};
    use burn::tensor::TensorData;

    use super::super::ops::Backend as Fused;
    use super::*;

    fn numbers(seed: usize, shape: impl Into<Shape>, from: f64, to: f64) -> T<Flex> {
        let shape = shape.into();
        let value = |i: usize| from + (to - from) * (((i * 37 + seed * 101) * 7919) % 1009) as f64 / 1009.0;
        let data: Vec<f64> = (0..shape.num_elements()).map(value).collect();
        T::<Flex>::from_data(TensorData::new(data, shape))
    }

    fn assert_same(name: &str, fast: T<Flex>, spec: T<Flex>) {
        use burn::backend::ops::FloatTensorOps;
        assert_eq!(fast.shape(), spec.shape(), "{name}");
        let read = |t| read_sync(<Flex as FloatTensorOps<Flex>>::float_into_data(t)).unwrap();
        let (fast, spec) = (read(fast), read(spec));
        let largest = spec.iter::<f64>().fold(0.0, |a: f64, b| a.max(b.abs()));
        for (a, b) in fast.iter::<f64>().zip(spec.iter::<f64>()) {
            assert!((a - b).abs() < 1e-10 * largest.max(1.0), "{name}: {a} {b}");
        }
    }

    #[test]
    fn the_fast_iteration_is_the_specification() {
        // Frames of one group and of several, and pilots that are too large for a group.
        for [f, m, k, l] in [[2, 3, 6, 5], [41, 3, 12, 4], [3, 2, 96, 90]] {
            for (section, matrix_onsager, priors) in [(1, true, k), (1, false, 1), (3, true, 1), (2, false, k)] {
                let form = AmpForm { antennas: m, section, matrix_onsager };
                let state = f * m * 2 * (k + l) + f * k;
                let (rows, wide, narrow) = (f * m, 2 * k, 2 * l);
                let size = (l as f64).sqrt().recip();
                let inputs = || Inputs::<Flex> {
                    state: numbers(1, [state], -1.0, 1.0),
                    y: numbers(2, [rows, narrow], -1.0, 1.0),
                    synthesis: numbers(3, [wide, narrow], -size, size),
                    analysis: numbers(4, [wide, narrow], -size, size),
                    beta: numbers(5, [f, k], 0.1, 2.0),
                    factors: numbers(6, [1, 4], 0.5, 0.9),
                    theta_1: numbers(7, [1, priors], 0.0, 3.0),
                };
                let i = inputs();
                let fast =
                    Flex::amp_iteration_kept(i.state, i.y, i.synthesis, i.analysis, i.beta, i.factors, i.theta_1, form);
                let (after, z) = forward(inputs(), form);
                assert_same("state", fast.0, after.clone());
                assert_same("z", fast.1, z.clone());
                let (i, g) = (inputs(), numbers(8, [state], -1.0, 1.0));
                let fast = Flex::amp_iteration_backward(
                    i.state,
                    i.y,
                    i.synthesis,
                    i.analysis,
                    i.beta,
                    i.factors,
                    i.theta_1,
                    after.clone(),
                    z.clone(),
                    g.clone(),
                    form,
                    [true, true],
                );
                let fast = [fast.0, fast.1, fast.2, fast.3, fast.4, fast.5, fast.6];
                let names = ["state", "y", "synthesis", "analysis", "beta", "factors", "theta_1"];
                for ((name, fast), spec) in names.iter().zip(fast).zip(backward(inputs(), (after, z), g, form)) {
                    assert_same(&format!("gradient of {name}, {form:?}, F = {f}"), fast, spec);
                }
            }
        }
    }
}
