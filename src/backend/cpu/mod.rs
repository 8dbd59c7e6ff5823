//! CPU bodies on plain slices: one frame is one task, rayon runs the frames, gemm and SIMD do the inner loops.

mod covariance;
mod element;
mod on_data;
mod quantize;
mod rows;

pub(super) use covariance::{CovarianceShape, covariance_score, covariance_score_backward};
pub(super) use element::Element;
pub(super) use on_data::{backward_on_data, on_data};
pub(super) use quantize::quantize;
pub(super) use rows::{RowShape, row_dot, row_onsager, row_onsager_backward, row_scale};
