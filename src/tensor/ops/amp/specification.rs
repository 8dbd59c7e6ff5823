//! An iteration of unfolded AMP in burn primitives and row kernels, forward and backward.

use burn::backend::TensorMetadata;
use burn::backend::tensor::FloatTensor;
use burn::tensor::Slice;

use crate::tensor::cpu::AmpShape;
use crate::tensor::ops::AmpInputs;
use crate::tensor::ops::primitives::{add, complement, div, matmul, mul, reshape, sub, times_scalar};
use crate::tensor::{Adjoint, Backend};

fn transpose<B: Backend>(a: &FloatTensor<B>) -> FloatTensor<B> {
    B::float_swap_dims(a.clone(), 0, 1)
}

/// Sum of everything, `[1, 1]`.
fn total<B: Backend>(a: &FloatTensor<B>) -> FloatTensor<B> {
    B::float_sum_dim(B::float_sum_dim(a.clone(), 0), 1)
}

/// Rows of X, residuals and likelihood ratios of a state.
fn split<B: Backend>(state: &FloatTensor<B>, s: AmpShape) -> [FloatTensor<B>; 3] {
    let rows = s.frames * s.antennas;
    let shapes = [[rows, 2 * s.columns], [rows, 2 * s.length], [s.frames, s.columns]];
    let mut first = 0;
    shapes.map(|shape| {
        let part = Slice::from(first..first + shape[0] * shape[1]);
        first += shape[0] * shape[1];
        reshape::<B, _>(&B::float_slice(state.clone(), &[part]), shape)
    })
}

/// The inverse of [`split`].
fn join<B: Backend>(parts: [FloatTensor<B>; 3]) -> FloatTensor<B> {
    B::float_cat(parts.iter().map(|p| reshape::<B, _>(p, [p.shape().num_elements()])).collect(), 0)
}

/// Everything between the pseudo-observations and the result.
struct Denoiser<B: Backend> {
    /// tau2, `[F, 1]`.
    tau2: FloatTensor<B>,
    /// beta with its factor, `[F, K]` as the following.
    power: FloatTensor<B>,
    omega: FloatTensor<B>,
    slope: FloatTensor<B>,
    energy: FloatTensor<B>,
    llr: FloatTensor<B>,
    posterior: FloatTensor<B>,
    weight: FloatTensor<B>,
    curvature: FloatTensor<B>,
    /// v, theta_2, tau, Onsager factor, `[1, 1]` each.
    factors: [FloatTensor<B>; 4],
}

impl<B: Backend> Denoiser<B> {
    fn new(inputs: &AmpInputs<B>, r: &FloatTensor<B>, z: &FloatTensor<B>, s: AmpShape) -> Self {
        let factors =
            [0, 1, 2, 3].map(|i| B::float_slice(inputs.factors.clone(), &[Slice::from(0..1), Slice::from(i..i + 1)]));
        let power = mul::<B>(&inputs.beta, &B::float_exp(factors[1].clone()));
        let mean = times_scalar::<B>(&per_frame::<B>(&mul::<B>(r, r), s), 1.0 / (s.length * s.antennas) as f64);
        let tau2 = mul::<B>(&mean, &B::float_exp(factors[2].clone()));
        // omega = beta/(beta + tau2); llr = (omega/tau2) ||z||^2 - M ln(1 + beta/tau2).
        let omega = div::<B>(&power, &add::<B>(&power, &tau2));
        let slope = div::<B>(&omega, &tau2);
        let energy = B::row_dot(z.clone(), z.clone(), s.antennas);
        let offset = times_scalar::<B>(&B::float_log1p(div::<B>(&power, &tau2)), s.antennas as f64);
        let llr = sub::<B>(&mul::<B>(&slope, &energy), &offset);
        let posterior = posterior::<B>(&sub::<B>(&llr, &inputs.theta_1), s);
        let weight = mul::<B>(&mul::<B>(&posterior, &omega), &factors[0]);
        let curvature = mul::<B>(&mul::<B>(&weight, &slope), &complement::<B>(&posterior));
        Self { tau2, power, omega, slope, energy, llr, posterior, weight, curvature, factors }
    }

    /// `(sum_k J_k) r` without its factor, and what multiplies r alone, `[F, 1]`.
    fn onsager(&self, z: &FloatTensor<B>, r: &FloatTensor<B>, s: AmpShape) -> (FloatTensor<B>, FloatTensor<B>) {
        let trace = B::float_sum_dim(self.weight.clone(), 1);
        if s.matrix_onsager {
            let product = B::row_onsager(z.clone(), self.curvature.clone(), r.clone(), s.antennas);
            (add::<B>(&product, &times_frame::<B>(r, &trace, s)), trace)
        } else {
            let curved = B::float_sum_dim(mul::<B>(&self.curvature, &self.energy), 1);
            let trace = add::<B>(&trace, &times_scalar::<B>(&curved, 1.0 / s.antennas as f64));
            (times_frame::<B>(r, &trace, s), trace)
        }
    }
}

/// Section-wise softmax with the idle state, `[F, K]`.
fn posterior<B: Backend>(logits: &FloatTensor<B>, s: AmpShape) -> FloatTensor<B> {
    let logits = reshape::<B, _>(logits, [s.frames, s.columns / s.section, s.section]);
    let top = B::float_clamp_min(B::float_max_dim(logits.clone(), 2), 0.0.into());
    let weights = B::float_exp(sub::<B>(&logits, &top));
    let all = add::<B>(&B::float_sum_dim(weights.clone(), 2), &B::float_exp(B::float_neg(top)));
    reshape::<B, _>(&div::<B>(&weights, &all), [s.frames, s.columns])
}

/// `w_q (g_q - sum_r w_r g_r)` over the sections.
fn posterior_backward<B: Backend>(g: &FloatTensor<B>, w: &FloatTensor<B>, s: AmpShape) -> FloatTensor<B> {
    let sections = [s.frames, s.columns / s.section, s.section];
    let (g, w) = (reshape::<B, _>(g, sections), reshape::<B, _>(w, sections));
    let mean = B::float_sum_dim(mul::<B>(&g, &w), 2);
    reshape::<B, _>(&mul::<B>(&w, &sub::<B>(&g, &mean)), [s.frames, s.columns])
}

/// Sum over a frame of `[F*M, 2L]`, `[F, 1]`.
fn per_frame<B: Backend>(rows: &FloatTensor<B>, s: AmpShape) -> FloatTensor<B> {
    B::float_sum_dim(reshape::<B, _>(rows, [s.frames, s.antennas * 2 * s.length]), 1)
}

/// `[F*M, 2L]` times a number of each frame, `[F, 1]`.
fn times_frame<B: Backend>(rows: &FloatTensor<B>, number: &FloatTensor<B>, s: AmpShape) -> FloatTensor<B> {
    let flat = reshape::<B, _>(rows, [s.frames, s.antennas * 2 * s.length]);
    reshape::<B, _>(&mul::<B>(&flat, number), [s.frames * s.antennas, 2 * s.length])
}

/// The state after an iteration, and the pseudo-observations.
pub(in crate::tensor) fn forward<B: Backend>(inputs: &AmpInputs<B>) -> [FloatTensor<B>; 2] {
    let s = inputs.form.shape(&inputs.beta.shape(), &inputs.y.shape());
    let [x, r, _] = split::<B>(&inputs.state, s);
    let z = add::<B>(&x, &matmul::<B>(&r, &transpose::<B>(&inputs.analysis)));
    let d = Denoiser::new(inputs, &r, &z, s);
    let x = B::row_scale(z.clone(), d.weight.clone(), s.antennas);
    let (onsager, _) = d.onsager(&z, &r, s);
    let onsager = times_scalar::<B>(&mul::<B>(&onsager, &d.factors[3]), 1.0 / s.length as f64);
    let r = add::<B>(&sub::<B>(&inputs.y, &matmul::<B>(&x, &inputs.synthesis)), &onsager);
    [join::<B>([x, r, d.llr]), z]
}

/// Gradients of the state before, y, S, the filter, beta, the factors and theta_1.
pub(in crate::tensor) fn backward<B: Adjoint>(
    inputs: &AmpInputs<B>,
    [after, z]: [FloatTensor<B>; 2],
    g: &FloatTensor<B>,
) -> [FloatTensor<B>; 7] {
    let s = inputs.form.shape(&inputs.beta.shape(), &inputs.y.shape());
    let (m, length) = (s.antennas, s.length as f64);
    let [x_old, r, _] = split::<B>(&inputs.state, s);
    let [x, _, _] = split::<B>(&after, s);
    let [g_x, g_r_new, g_llr] = split::<B>(g, s);
    let d = Denoiser::new(inputs, &r, &z, s);
    let [v, _, tau_factor, onsager_factor] = &d.factors;

    let g_x = sub::<B>(&g_x, &matmul::<B>(&g_r_new, &transpose::<B>(&inputs.synthesis)));
    let g_s = B::float_neg(matmul::<B>(&transpose::<B>(&x), &g_r_new));
    let (onsager, trace) = d.onsager(&z, &r, s);
    let g_factor = times_scalar::<B>(&total::<B>(&mul::<B>(&g_r_new, &onsager)), 1.0 / length);
    let g_onsager = times_scalar::<B>(&mul::<B>(&g_r_new, onsager_factor), 1.0 / length);
    let g_trace = per_frame::<B>(&mul::<B>(&g_onsager, &r), s);
    let g_r = times_frame::<B>(&g_onsager, &trace, s);
    let g_z = B::row_scale(g_x.clone(), d.weight.clone(), m);
    let (g_z, g_curvature, g_energy, g_r) = if s.matrix_onsager {
        let [through_z, g_curvature, through_r] =
            B::row_onsager_backward(z.clone(), d.curvature.clone(), r.clone(), g_onsager, m);
        (add::<B>(&g_z, &through_z), g_curvature, None, add::<B>(&g_r, &through_r))
    } else {
        let part = times_scalar::<B>(&g_trace, 1.0 / m as f64);
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
    let g_offset = times_scalar::<B>(&g_llr, -(m as f64));
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

    let g_z = add::<B>(&g_z, &times_scalar::<B>(&B::row_scale(z, g_energy, m), 2.0));
    let g_a = matmul::<B>(&transpose::<B>(&g_z), &r);
    let g_mean = times_scalar::<B>(&mul::<B>(&g_tau2, &B::float_exp(tau_factor.clone())), 2.0 / (length * m as f64));
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
