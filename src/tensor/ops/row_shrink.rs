//! The AMP denoiser of a batch: energies, posterior, shrink and Onsager product from the fused kernels.

use burn::tensor::Tensor;

use super::onsager::row_onsager;
use super::rows::{row_dot, row_scale};

/// What one application of the denoiser gives.
#[derive(Debug, Clone)]
pub struct RowShrink {
    /// Denoised rows `w omega z`, `[F*M, 2K]`.
    pub x: Tensor<2>,
    /// Onsager product `(sum_k J_k) r`, `[F*M, 2L]`, not yet divided by L.
    pub onsager: Tensor<2>,
    /// Log-likelihood ratio of every sequence, `[F, K]`.
    pub llr: Tensor<2>,
    /// Posterior probability of every sequence, `[F, K]`.
    pub posterior: Tensor<2>,
}

/// Posterior probabilities of the sequences of every device: softmax over the `section` sequences and the idle state.
///
/// `w_q = e^{llr_q + log_prior} / (1 + sum_r e^{llr_r + log_prior})` with `log_prior = ln(eps/(Q (1 - eps)))` for
/// activity probability eps: the posterior of a device that sends one of its Q sequences or none. `section = 1` treats
/// every row on its own: `sigmoid(llr + log_prior)`.
///
/// `logits [F, K]` = `llr + log_prior` -> `[F, K]`.
pub fn section_posterior(logits: Tensor<2>, section: usize) -> Tensor<2> {
    let [frames, k] = logits.dims();
    if section == 1 {
        return burn::tensor::activation::sigmoid(logits);
    }
    let logits = logits.reshape([frames, k / section, section]);
    // The idle state has logit 0; the largest logit (or 0) is subtracted for stability, as a constant.
    let top = logits.clone().detach().max_dim(2).clamp_min(0.0);
    let weights = (logits - top.clone()).exp();
    let total = weights.clone().sum_dim(2) + top.neg().exp();
    (weights / total).reshape([frames, k])
}

/// Coefficients of the row-energy denoiser, each `[F, K]` unless said otherwise.
#[derive(Debug, Clone)]
pub struct ShrinkRule {
    /// Shrink of a surely active row: `beta/(beta + tau2)`, times the step size where a layer has one.
    pub gain: Tensor<2>,
    /// Slope of the log-likelihood ratio in the row energy: `beta/(tau2 (beta + tau2))`.
    pub slope: Tensor<2>,
    /// `llr = slope ||z||^2 - offset`; `M ln(1 + beta/tau2)`.
    pub offset: Tensor<2>,
    /// Added to the LLR before the posterior; `[F, K]` or `[1, 1]`.
    pub log_prior: Tensor<2>,
    /// Rows that exclude each other: Q, or 1 for rows on their own.
    pub section: usize,
    /// Matrix Onsager term; false takes the mean of the traces, which diverges often.
    pub matrix_onsager: bool,
}

/// One application of the row-energy denoiser with its Jacobians (Theorem 1 of the DL-mAMPnet paper, with
/// the section-wise posterior of [`section_posterior`]).
///
/// `z [F*M, 2K]`: pseudo-observation `X + S^H R`; `r [F*M, 2L]`: the residual that the Onsager term multiplies.
/// `J_k = gain w I + gain slope w (1 - w) z z^H`: the exact Jacobian of `gain w(z) z` but for a factor two that belongs
/// to the real derivative (complex Jacobians differentiate by z at fixed conj(z)).
pub fn row_shrink(z: Tensor<2>, r: Tensor<2>, rule: ShrinkRule, antennas: usize) -> RowShrink {
    let [frames, _] = rule.gain.dims();
    let [rows, width] = r.dims();
    let energy = row_dot(z.clone(), z.clone(), antennas);
    let llr = rule.slope.clone() * energy.clone() - rule.offset;
    let posterior = section_posterior(llr.clone() + rule.log_prior, rule.section);
    let weight = posterior.clone() * rule.gain;
    let curvature = weight.clone() * rule.slope * (posterior.clone().neg() + 1.0);
    let per_row = |t: Tensor<2>| t.reshape([frames, 1, 1]).expand([frames, antennas, width]).reshape([rows, width]);
    let trace = weight.clone().sum_dim(1);
    let onsager = if rule.matrix_onsager {
        row_onsager(z.clone(), curvature, r.clone(), antennas) + r * per_row(trace)
    } else {
        r * per_row(trace + (curvature * energy).sum_dim(1) / antennas as f64)
    };
    RowShrink { x: row_scale(z, weight, antennas), onsager, llr, posterior }
}
