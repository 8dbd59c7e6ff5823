//! The covariance body on burn's `TensorData`, for a backend whose storage is not reached directly.

use burn::tensor::TensorData;

use super::covariance::{
    CovarianceShape, covariance_filter, covariance_filter_backward, covariance_score, covariance_score_backward,
};
use super::element::Element;

fn shape(gamma: &TensorData, s: &TensorData, y: &TensorData, antennas: usize) -> CovarianceShape {
    debug_assert_eq!(s.shape()[0], y.shape()[1]);
    CovarianceShape { frames: gamma.shape()[0], antennas, columns: gamma.shape()[1], length: s.shape()[0] / 2 }
}

fn slice<T: Element>(data: &TensorData) -> &[T] {
    data.as_slice().expect("the caller chose the type by dtype")
}

/// Forward pass of the covariance statistics.
pub fn on_data<T: Element>(gamma: &TensorData, s: &TensorData, y: &TensorData, m: usize, noise_var: f64) -> TensorData {
    let sizes = shape(gamma, s, y, m);
    let out = covariance_score::<T>(slice(gamma), slice(s), slice(y), sizes, noise_var);
    TensorData::new(out, [sizes.frames, 2 * sizes.columns])
}

/// Backward pass of the covariance statistics.
pub fn backward_on_data<T: Element>(
    gamma: &TensorData,
    s: &TensorData,
    y: &TensorData,
    g: &TensorData,
    m: usize,
    noise_var: f64,
) -> [TensorData; 3] {
    let sizes = shape(gamma, s, y, m);
    let (a, b, c) = covariance_score_backward::<T>(slice(gamma), slice(s), slice(y), slice(g), sizes, noise_var);
    [
        TensorData::new(a, gamma.shape().clone()),
        TensorData::new(b, s.shape().clone()),
        TensorData::new(c, y.shape().clone()),
    ]
}

/// Forward pass of the filter outputs.
pub fn filter_on_data<T: Element>(
    gamma: &TensorData,
    s: &TensorData,
    y: &TensorData,
    m: usize,
    noise_var: f64,
) -> TensorData {
    let sizes = shape(gamma, s, y, m);
    let out = covariance_filter::<T>(slice(gamma), slice(s), slice(y), sizes, noise_var);
    TensorData::new(out, [sizes.frames * m, 2 * sizes.columns])
}

/// Backward pass of the filter outputs.
pub fn filter_backward_on_data<T: Element>(
    gamma: &TensorData,
    s: &TensorData,
    y: &TensorData,
    g: &TensorData,
    m: usize,
    noise_var: f64,
) -> [TensorData; 3] {
    let sizes = shape(gamma, s, y, m);
    let (a, b, c) = covariance_filter_backward::<T>(slice(gamma), slice(s), slice(y), slice(g), sizes, noise_var);
    [
        TensorData::new(a, gamma.shape().clone()),
        TensorData::new(b, s.shape().clone()),
        TensorData::new(c, y.shape().clone()),
    ]
}
