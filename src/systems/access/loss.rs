//! Losses: cross-entropy of the section posterior; mean squared error (58) and binary cross-entropy (59) of the DL-mAMPnet
//! paper.

use burn::tensor::Tensor;

/// Logits enter the loss as `BOUND tanh(logit/BOUND)`.
///
/// In a frame where unfolded AMP runs away, a few devices are wrong with logits of thousands; their gradients would
/// swamp those of all other frames and, through Adam's second moments, stop learning for a thousand steps.
const BOUND: f64 = 16.0;

/// Mean over devices of `-ln P(truth)` under the section posterior (Q sequences and the idle state).
///
/// `logits [F, K]` are log posterior odds against idle, `sent [F, K]` one-hot; the result is one number in nats. The
/// difference `ln(1 + sum_q e^{logit_q}) - logit_truth` is taken device by device: sums of logits in single precision
/// would drown losses of 1e-3.
pub fn cross_entropy(logits: Tensor<2>, sent: Tensor<2>, q: usize) -> Tensor<1> {
    let [frames, k] = logits.dims();
    let shape = [frames, k / q, q];
    let logits = (logits / BOUND).tanh() * BOUND;
    let picked = (logits.clone() * sent).reshape(shape).sum_dim(2);
    let logits = logits.reshape(shape);
    let top = logits.clone().detach().max_dim(2).clamp_min(0.0);
    let sum = (logits - top.clone()).exp().sum_dim(2) + top.clone().neg().exp();
    (sum.log() + (top - picked)).mean()
}

/// Binary cross-entropy (59) of the activity estimates `alpha [F, K]` in [0, 1), mean over sequences.
pub fn output_cross_entropy(alpha: Tensor<2>, sent: Tensor<2>) -> Tensor<1> {
    let alpha = alpha.clamp(1e-6, 1.0 - 1e-6);
    let idle = sent.clone().neg() + 1.0;
    (sent * alpha.clone().log() + idle * (alpha.neg() + 1.0).log()).mean().neg()
}

/// Normalised mean squared error (58) of an estimate: `||x - truth||^2/||truth||^2` over the batch.
pub fn normalised_mse(x: Tensor<2>, truth: Tensor<2>) -> Tensor<1> {
    let scale = truth.clone().powi_scalar(2).sum() + 1e-12;
    (x - truth).powi_scalar(2).sum() / scale
}

/// How many of the logits `[F, N]` are on the wrong side of even odds; `sent [F, N]` is 1 for active devices.
pub fn wrong_sides(logits: Tensor<2>, sent: Tensor<2>) -> Tensor<1> {
    ((logits.sign() + 1.0) / 2.0 - sent).abs().sum()
}
