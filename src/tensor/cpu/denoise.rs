//! The AMP denoiser of one frame, and its gradients.
//!
//! [`Forward`] and [`Backward`] are the entries: everything is inlined into the one function that is compiled for the
//! vector unit at hand. A closure given to `Arch::dispatch` may stay a function of its own, without vector instructions.

use pulp::{Simd, WithSimd};

use super::antennas::{Apply, Outer, twice_hermitian_part};
use super::element::Element;
use super::rows::{row_dots, scale_frame};
use super::sums;

/// What the denoisers of all frames share.
pub struct Rule<T> {
    /// Antennas M.
    pub antennas: usize,
    /// Complex columns K.
    pub columns: usize,
    /// Pilot length L.
    pub length: usize,
    /// Rows that exclude each other.
    pub section: usize,
    /// Matrix Onsager term, else the mean of the traces.
    pub matrix_onsager: bool,
    /// Factor on the shrink.
    pub v: T,
    /// Factor on the received powers, `e^theta_2`.
    pub power: T,
    /// Factor on the residual power, `e^tau`.
    pub residual: T,
    /// Factor on the Onsager product, divided by L.
    pub onsager: T,
    /// `theta_1` of every sequence, `[K]`.
    pub theta_1: Vec<T>,
}

/// What is known of a frame.
#[derive(Clone, Copy)]
pub struct Frame<'a, T> {
    /// Pseudo-observation, `[M, 2K]`.
    pub z: &'a [T],
    /// Residual that the Onsager term multiplies, `[M, 2L]`.
    pub r: &'a [T],
    /// Gains, `[K]`.
    pub beta: &'a [T],
}

/// Buffers of a worker.
pub struct Denoiser<T> {
    /// `||z_k||^2`.
    energy: Vec<T>,
    /// `beta/(beta + tau2)`.
    omega: Vec<T>,
    /// `omega/tau2`.
    slope: Vec<T>,
    /// Posterior w.
    posterior: Vec<T>,
    /// `v omega w`.
    weight: Vec<T>,
    /// `weight slope (1 - w)`.
    curvature: Vec<T>,
    /// Gradients with respect to the last two, then to other things of a sequence.
    by_weight: Vec<T>,
    by_curvature: Vec<T>,
    by_posterior: Vec<T>,
    by_energy: Vec<T>,
    /// `[M, 2K]`.
    rows: Vec<T>,
    /// `[M, M]`.
    j: [Vec<T>; 2],
    p: [Vec<T>; 2],
    h: [Vec<T>; 2],
}

/// Partial sums of a frame.
const SUMS: usize = 16;

#[inline(always)]
fn dot<T: Element>(a: &[T], b: &[T]) -> T {
    sums::dot::<SUMS, T>(a, b, |v| v)
}

#[inline(always)]
fn sum<T: Element>(a: &[T]) -> T {
    sums::sum::<SUMS, T>(a, |v| v)
}

#[inline(always)]
fn ratios<T: Element>(omega: &mut [T], slope: &mut [T], beta: &[T], power: T, tau2: T) {
    for ((omega, slope), &beta) in omega.iter_mut().zip(slope).zip(beta) {
        let beta = beta * power;
        *omega = beta / (beta + tau2);
        *slope = *omega / tau2;
    }
}

/// `llr = slope energy - M ln(1 + beta/tau2)`.
#[inline(always)]
fn likelihood<T: Element>(llr: &mut [T], energy: &[T], slope: &[T], beta: &[T], [scale, antennas]: [T; 2]) {
    for (((llr, &energy), &slope), &beta) in llr.iter_mut().zip(energy).zip(slope).zip(beta) {
        *llr = slope * energy - antennas * (beta * scale).log1p_of_positive();
    }
}

/// Posterior of every sequence from logits; `top` and `idle` are buffers.
#[inline(always)]
fn posterior<T: Element>(w: &mut [T], top: &mut [T], idle: &mut [T], section: usize) {
    if section == 1 {
        for w in w {
            let e = (-w.abs()).exp_of_negative();
            *w = (if *w < T::zero() { e } else { T::one() }) / (T::one() + e);
        }
        return;
    }
    // The largest logit of a section, or that of the idle state (0), is subtracted.
    for (top, w) in top.chunks_exact_mut(section).zip(w.chunks_exact(section)) {
        top.fill(w.iter().fold(T::zero(), |top, &w| if w < top { top } else { w }));
    }
    for ((w, idle), &top) in w.iter_mut().zip(idle.iter_mut()).zip(top.iter()) {
        *w = (*w - top).exp_of_negative();
        *idle = (-top).exp_of_negative();
    }
    for (w, idle) in w.chunks_exact_mut(section).zip(idle.chunks_exact(section)) {
        let total = w.iter().copied().sum::<T>() + idle[0];
        for w in w {
            *w /= total;
        }
    }
}

/// Gradient of the logits from that of the posterior, in place: `w_q (g_q - sum_r w_r g_r)`.
#[inline(always)]
fn posterior_backward<T: Element>(g: &mut [T], w: &[T], section: usize) {
    if section == 1 {
        for (g, &w) in g.iter_mut().zip(w) {
            *g *= w * (T::one() - w);
        }
        return;
    }
    for (g, w) in g.chunks_exact_mut(section).zip(w.chunks_exact(section)) {
        let mean: T = g.iter().zip(w).map(|(&g, &w)| g * w).sum();
        for (g, &w) in g.iter_mut().zip(w) {
            *g = w * (*g - mean);
        }
    }
}

#[inline(always)]
fn weights<T: Element>(weight: &mut [T], curvature: &mut [T], w: &[T], omega: &[T], slope: &[T], v: T) {
    for ((((weight, curvature), &w), &omega), &slope) in weight.iter_mut().zip(curvature).zip(w).zip(omega).zip(slope) {
        *weight = w * omega * v;
        *curvature = *weight * slope * (T::one() - w);
    }
}

impl<T: Element> Denoiser<T> {
    /// Buffers for frames of `rule`.
    pub fn new(rule: &Rule<T>) -> Self {
        let (m, k) = (rule.antennas, rule.columns);
        let row = || vec![T::zero(); k];
        let square = || [vec![T::zero(); m * m], vec![T::zero(); m * m]];
        Self {
            energy: row(),
            omega: row(),
            slope: row(),
            posterior: row(),
            weight: row(),
            curvature: row(),
            by_weight: row(),
            by_curvature: row(),
            by_posterior: row(),
            by_energy: row(),
            rows: vec![T::zero(); m * 2 * k],
            j: square(),
            p: square(),
            h: square(),
        }
    }

    /// Energies and ratios; the residual power tau2, with its factor.
    #[inline(always)]
    fn observe(&mut self, rule: &Rule<T>, frame: Frame<'_, T>) -> T {
        let tau2 = dot(frame.r, frame.r) / T::narrow((rule.length * rule.antennas) as f64) * rule.residual;
        row_dots(&mut self.energy, frame.z, frame.z);
        ratios(&mut self.omega, &mut self.slope, frame.beta, rule.power, tau2);
        tau2
    }

    /// Posterior, weights and curvatures from the likelihood ratios.
    #[inline(always)]
    fn weigh(&mut self, rule: &Rule<T>, llr: &[T]) {
        for ((w, &llr), &theta) in self.posterior.iter_mut().zip(llr).zip(&rule.theta_1) {
            *w = llr - theta;
        }
        posterior(&mut self.posterior, &mut self.weight, &mut self.curvature, rule.section);
        let (weight, curvature) = (&mut self.weight, &mut self.curvature);
        weights(weight, curvature, &self.posterior, &self.omega, &self.slope, rule.v);
    }

    /// Factor on r of the scalar Onsager term: the mean trace of the Jacobians.
    #[inline(always)]
    fn mean_trace(&self, rule: &Rule<T>) -> T {
        sum(&self.weight) + dot(&self.curvature, &self.energy) / T::narrow(rule.antennas as f64)
    }

    /// `J = sum_k (weight_k I + curvature_k z_k z_k^H)`.
    #[inline(always)]
    fn jacobian<S: Simd>(&mut self, simd: S, rule: &Rule<T>, z: &[T]) {
        let (m, k) = (rule.antennas, rule.columns);
        scale_frame(&mut self.rows, z, &self.curvature);
        let [jr, ji] = &mut self.j;
        Outer { jr, ji, a: &self.rows, b: z, antennas: m, columns: k, hermitian: true }.with_simd(simd);
        let trace = sum(&self.weight);
        for i in 0..m {
            self.j[0][i * m + i] += trace;
        }
    }

    /// With `P = G r^H`, `H = P + P^H`: `g_r = J G`, `H z` into `rows`, `g_curvature = z^H H z / 2`; returns the gradients
    /// with respect to the trace of all weights and to the Onsager factor (times L).
    #[inline(always)]
    fn matrix_onsager_backward<S: Simd>(
        &mut self,
        simd: S,
        rule: &Rule<T>,
        frame: Frame<'_, T>,
        g: &[T],
        by_r: &mut [T],
    ) -> [T; 2] {
        let (m, k, l) = (rule.antennas, rule.columns, rule.length);
        self.jacobian(simd, rule, frame.z);
        let ([jr, ji], [pr, pi], [hr, hi]) = (&mut self.j, &mut self.p, &mut self.h);
        Outer { jr: pr, ji: pi, a: g, b: frame.r, antennas: m, columns: l, hermitian: false }.with_simd(simd);
        let by_onsager = dot(jr, pr) + dot(ji, pi);
        for value in jr.iter_mut().chain(ji.iter_mut()).chain(pr.iter_mut()).chain(pi.iter_mut()) {
            *value *= rule.onsager;
        }
        Apply { out: by_r, jr, ji, x: g, antennas: m, columns: l }.with_simd(simd);
        let by_trace = (0..m).map(|i| pr[i * m + i]).sum();
        twice_hermitian_part([hr, hi], [pr, pi], m);
        Apply { out: &mut self.rows, jr: hr, ji: hi, x: frame.z, antennas: m, columns: k }.with_simd(simd);
        row_dots(&mut self.by_curvature, frame.z, &self.rows);
        self.by_curvature.iter_mut().for_each(|c| *c *= T::narrow(0.5));
        self.by_energy.fill(T::zero());
        [by_trace, by_onsager]
    }

    /// The same for the mean of the traces.
    #[inline(always)]
    fn scalar_onsager_backward(&mut self, rule: &Rule<T>, frame: Frame<'_, T>, g: &[T], by_r: &mut [T]) -> [T; 2] {
        let (aligned, trace) = (dot(g, frame.r), self.mean_trace(rule));
        let (by_trace, factor) = (aligned * rule.onsager, rule.onsager * trace);
        for (by_r, &g) in by_r.iter_mut().zip(g) {
            *by_r = factor * g;
        }
        let per_antenna = by_trace / T::narrow(rule.antennas as f64);
        let gradients = self.by_curvature.iter_mut().zip(&mut self.by_energy);
        for ((by_curvature, by_energy), (&energy, &curvature)) in gradients.zip(self.energy.iter().zip(&self.curvature))
        {
            *by_curvature = per_antenna * energy;
            *by_energy = per_antenna * curvature;
        }
        [by_trace, aligned * trace]
    }

    /// From the gradients of weights, curvatures and likelihood ratios to those of energies, gains and priors; returns
    /// those of v, theta_2 and tau2.
    #[inline(always)]
    fn sequences_backward(
        &mut self,
        rule: &Rule<T>,
        beta: &[T],
        [tau2, by_trace]: [T; 2],
        by_llr: &[T],
        by_beta: &mut [T],
        by_theta: &mut [T],
    ) -> [T; 3] {
        let (by_gain, by_slope, by_logit) = (&mut self.by_weight, &mut self.by_curvature, &mut self.by_posterior);
        let (w, omega, slope) = (&self.posterior[..], &self.omega[..], &self.slope[..]);
        through_weights(by_gain, by_slope, by_logit, [w, &self.weight, omega, slope], [by_trace, rule.v]);
        posterior_backward(by_logit, w, rule.section);
        let by_energy = &mut self.by_energy;
        through_likelihood(by_theta, by_slope, by_energy, by_logit, by_llr, &self.energy, slope);
        let antennas = T::narrow(rule.antennas as f64);
        let constants = [rule.v, rule.power, tau2, antennas];
        through_ratios(by_gain, by_slope, by_logit, by_beta, [beta, omega, slope], constants);
        [sum(by_gain), sum(by_logit), sum(by_slope)]
    }
}

/// The denoiser of a frame.
pub struct Forward<'a, T> {
    /// Buffers.
    pub denoiser: &'a mut Denoiser<T>,
    /// What the frames share.
    pub rule: &'a Rule<T>,
    /// The frame.
    pub frame: Frame<'a, T>,
    /// Out: estimate, `[M, 2K]`.
    pub x: &'a mut [T],
    /// Out: Onsager term with all its factors, `[M, 2L]`.
    pub onsager: &'a mut [T],
    /// Out: likelihood ratios, `[K]`.
    pub llr: &'a mut [T],
}

impl<T: Element> WithSimd for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { denoiser: d, rule, frame, x, onsager, llr } = self;
        let tau2 = d.observe(rule, frame);
        let scale = [rule.power / tau2, T::narrow(rule.antennas as f64)];
        likelihood(llr, &d.energy, &d.slope, frame.beta, scale);
        d.weigh(rule, llr);
        scale_frame(x, frame.z, &d.weight);
        if rule.matrix_onsager {
            d.jacobian(simd, rule, frame.z);
            let [jr, ji] = &mut d.j;
            jr.iter_mut().chain(ji.iter_mut()).for_each(|j| *j *= rule.onsager);
            Apply { out: onsager, jr, ji, x: frame.r, antennas: rule.antennas, columns: rule.length }.with_simd(simd);
        } else {
            let factor = d.mean_trace(rule) * rule.onsager;
            for (o, &r) in onsager.iter_mut().zip(frame.r) {
                *o = factor * r;
            }
        }
    }
}

/// Its gradients, from the likelihood ratios that [`Forward`] found.
pub struct Backward<'a, T> {
    /// Buffers.
    pub denoiser: &'a mut Denoiser<T>,
    /// What the frames share.
    pub rule: &'a Rule<T>,
    /// The frame.
    pub frame: Frame<'a, T>,
    /// Likelihood ratios, `[K]`.
    pub llr: &'a [T],
    /// In: gradient of the estimate; out: of z; `[M, 2K]`.
    pub rows: &'a mut [T],
    /// In: of the Onsager term, `[M, 2L]`.
    pub by_onsager: &'a [T],
    /// In: of the likelihood ratios, `[K]`.
    pub by_llr: &'a [T],
    /// Out: of r, `[M, 2L]`.
    pub by_r: &'a mut [T],
    /// Out: of the gains, `[K]`.
    pub by_beta: &'a mut [T],
    /// Out: of theta_1, `[K]`.
    pub by_theta: &'a mut [T],
    /// Out: of v, theta_2, tau and the Onsager factor.
    pub by_factors: &'a mut [T],
}

impl<T: Element> WithSimd for Backward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { denoiser: d, rule, frame, llr, rows, by_onsager, by_llr, by_r, by_beta, by_theta, by_factors } =
            self;
        let tau2 = d.observe(rule, frame);
        d.weigh(rule, llr);
        row_dots(&mut d.by_weight, frame.z, rows);
        let [by_trace, by_factor] = if rule.matrix_onsager {
            d.matrix_onsager_backward(simd, rule, frame, by_onsager, by_r)
        } else {
            d.scalar_onsager_backward(rule, frame, by_onsager, by_r)
        };
        let [by_v, by_theta_2, by_tau2] =
            d.sequences_backward(rule, frame.beta, [tau2, by_trace], by_llr, by_beta, by_theta);
        let by_power = by_tau2 * rule.residual * T::narrow(2.0 / (rule.length * rule.antennas) as f64);
        for (by_r, &r) in by_r.iter_mut().zip(frame.r) {
            *by_r += by_power * r;
        }
        if rule.matrix_onsager {
            rows_backward_curved(rows, frame.z, &d.rows, &d.weight, &d.by_energy, &d.curvature);
        } else {
            rows_backward(rows, frame.z, &d.weight, &d.by_energy);
        }
        let length = T::narrow(rule.length as f64);
        by_factors.copy_from_slice(&[by_v, by_theta_2, by_tau2 * tau2, by_factor / length]);
    }
}

// Slices that are written to are arguments of their own: known to overlap with nothing, the loops below become vector code.

/// `weight = v omega w`, `curvature = weight slope (1 - w)`: gradients of the gain `v omega`, the slope and the posterior,
/// the first two in place of those of weight and curvature.
#[inline(always)]
fn through_weights<T: Element>(
    by_weight: &mut [T],
    by_curvature: &mut [T],
    by_posterior: &mut [T],
    [posterior, weight, omega, slope]: [&[T]; 4],
    [by_trace, v]: [T; 2],
) {
    let k = by_weight.len();
    let (by_curvature, by_posterior) = (&mut by_curvature[..k], &mut by_posterior[..k]);
    let (posterior, weight, omega, slope) = (&posterior[..k], &weight[..k], &omega[..k], &slope[..k]);
    for i in 0..k {
        let idle = T::one() - posterior[i];
        let g = by_weight[i] + by_trace + by_curvature[i] * slope[i] * idle;
        by_posterior[i] = g * omega[i] * v - by_curvature[i] * weight[i] * slope[i];
        by_curvature[i] *= weight[i] * idle;
        by_weight[i] = g * posterior[i];
    }
}

/// `logit = llr - theta_1`, `llr = slope energy - offset`: `by_logit` becomes the gradient of the likelihood ratio.
#[inline(always)]
fn through_likelihood<T: Element>(
    by_theta: &mut [T],
    by_slope: &mut [T],
    by_energy: &mut [T],
    by_logit: &mut [T],
    by_llr: &[T],
    energy: &[T],
    slope: &[T],
) {
    let k = by_theta.len();
    let (by_slope, by_energy, by_logit) = (&mut by_slope[..k], &mut by_energy[..k], &mut by_logit[..k]);
    let (by_llr, energy, slope) = (&by_llr[..k], &energy[..k], &slope[..k]);
    for i in 0..k {
        by_theta[i] = -by_logit[i];
        by_logit[i] += by_llr[i];
        by_slope[i] += by_logit[i] * energy[i];
        by_energy[i] += by_logit[i] * slope[i];
    }
}

/// `omega = b/(b + tau2)`, `slope = omega/tau2`, `offset = M ln(1 + b/tau2)` with `b = power beta`: the gradient of beta,
/// and the terms of the sums for v, tau2 and theta_2 in place of the gradients of gain, slope and likelihood ratio.
#[inline(always)]
fn through_ratios<T: Element>(
    by_gain: &mut [T],
    by_slope: &mut [T],
    by_llr: &mut [T],
    by_beta: &mut [T],
    [beta, omega, slope]: [&[T]; 3],
    [v, power, tau2, antennas]: [T; 4],
) {
    let k = by_gain.len();
    let (by_slope, by_llr, by_beta) = (&mut by_slope[..k], &mut by_llr[..k], &mut by_beta[..k]);
    let (beta, omega, slope) = (&beta[..k], &omega[..k], &slope[..k]);
    let inverse = T::one() / tau2;
    for i in 0..k {
        let b = beta[i] * power;
        let share = T::one() / (b + tau2);
        let by_omega = by_gain[i] * v + by_slope[i] * inverse;
        let by_offset = -by_llr[i] * antennas;
        let by_b = by_omega * tau2 * share * share + by_offset * share;
        by_beta[i] = by_b * power;
        by_gain[i] *= omega[i];
        by_slope[i] = -(by_offset + by_slope[i] * inverse) * slope[i] - by_omega * b * share * share;
        by_llr[i] = by_b * b;
    }
}

/// `g = weight g + 2 by_energy z`.
#[inline(always)]
fn rows_backward<T: Element>(g: &mut [T], z: &[T], weight: &[T], by_energy: &[T]) {
    let k = weight.len();
    let by_energy = &by_energy[..k];
    for (g, z) in g.chunks_exact_mut(k).zip(z.chunks_exact(k)) {
        for i in 0..k {
            g[i] = weight[i] * g[i] + (by_energy[i] + by_energy[i]) * z[i];
        }
    }
}

/// `g = weight g + 2 by_energy z + curvature H z`.
#[inline(always)]
fn rows_backward_curved<T: Element>(g: &mut [T], z: &[T], hz: &[T], weight: &[T], by_energy: &[T], curvature: &[T]) {
    let k = weight.len();
    let (by_energy, curvature) = (&by_energy[..k], &curvature[..k]);
    for ((g, z), hz) in g.chunks_exact_mut(k).zip(z.chunks_exact(k)).zip(hz.chunks_exact(k)) {
        for i in 0..k {
            g[i] = weight[i] * g[i] + (by_energy[i] + by_energy[i]) * z[i] + curvature[i] * hz[i];
        }
    }
}
