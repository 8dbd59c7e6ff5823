//! Losses: weighted mean squared error with fairness, (11)-(12) of the NOMA signature paper, and cross-entropy of the symbol posterior.

use burn::tensor::{Device, Tensor, TensorData};

/// Logits enter the cross-entropy as `BOUND tanh(logit/BOUND)`: where cancellation went wrong at high SNR, logits of
/// hundreds would swamp the gradients of all other frames.
const BOUND: f64 = 16.0;

/// The loss (12): `mean_n lambda_n e_n + fairness * mean_n |e_n - mean(e)|`, `e_n` the mean squared error of user n.
///
/// The NOMA signature paper prints the comparison of the fairness term (11) with the *sum* of the users' errors; with the mean it
/// vanishes when all users fare alike. `estimate`, `x`: real and imaginary parts, `[N, F]` each.
pub fn weighted_mse(estimate: [Tensor<2>; 2], x: [Tensor<2>; 2], weights: &[f64], fairness: f64) -> Tensor<1> {
    let [er, ei] = estimate;
    let [xr, xi] = x;
    let device = er.device();
    let errors = ((er - xr).powi_scalar(2) + (ei - xi).powi_scalar(2)).mean_dim(1);
    let main = (errors.clone() * column(weights, &device)).mean();
    if fairness == 0.0 {
        return main;
    }
    let mean = errors.clone().mean_dim(0);
    main + (errors - mean).abs().mean() * fairness
}

/// Mean over users of `-lambda_n ln P(truth)`, in nats; `logits [N, C, F]` are log posterior odds against idle, `sent
/// [N, C, F]` one-hot (all zero when idle). With `fairness > 0` the same term as in [`weighted_mse`] is added for the
/// users' cross-entropies.
pub fn cross_entropy(logits: Tensor<3>, sent: Tensor<3>, weights: &[f64], fairness: f64) -> Tensor<1> {
    let [n, _, f] = logits.dims();
    let device = logits.device();
    let logits = (logits / BOUND).tanh() * BOUND;
    let picked = (logits.clone() * sent).sum_dim(1);
    let top = logits.clone().detach().max_dim(1).clamp_min(0.0);
    let sum = (logits - top.clone()).exp().sum_dim(1) + top.clone().neg().exp();
    let losses = (sum.log() + top - picked).reshape([n, f]).mean_dim(1);
    let main = (losses.clone() * column(weights, &device)).mean();
    if fairness == 0.0 {
        return main;
    }
    let mean = losses.clone().mean_dim(0);
    main + (losses - mean).abs().mean() * fairness
}

fn column(weights: &[f64], device: &Device) -> Tensor<2> {
    let data: Vec<f32> = weights.iter().map(|w| *w as f32).collect();
    Tensor::from_data(TensorData::new(data, [weights.len(), 1]), device)
}
