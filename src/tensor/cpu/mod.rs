//! CPU bodies on plain slices: one frame is one task, rayon runs the frames, gemm and SIMD do the inner loops.

mod activation;
mod adam;
mod amp;
mod antennas;
mod conv;
mod covariance;
mod denoise;
mod dense;
mod element;
mod entry;
mod geometry;
mod norm;
mod pool;
mod quantize;
mod rows;
mod shrink;
mod sums;
mod sweep;
mod tiles;

pub(super) use activation::{exp_linear, exp_linear_backward};
pub(super) use adam::adam_step;
pub(super) use amp::{AmpInputs, AmpOutputs, AmpShape, amp_iteration, amp_iteration_backward};
pub(super) use conv::{conv_same, conv_same_backward};
pub(super) use covariance::{
    CovarianceShape, SMALLEST_RATIO, covariance_filter, covariance_filter_backward, covariance_score,
    covariance_score_backward,
};
pub(super) use dense::{add_bias, gate};
pub(super) use element::Element;
pub(super) use entry::{EntryInputs, entry_denoise, entry_denoise_backward};
pub(super) use geometry::ConvShape;
pub(super) use norm::{NormShape, norm_plus, norm_plus_backward};
pub(super) use pool::{PoolShape, max_pool_same, max_pool_same_backward};
pub(super) use quantize::quantize;
pub(super) use rows::{RowShape, row_dot, row_onsager, row_onsager_backward, row_scale};
pub(super) use shrink::{group_shrink, group_shrink_backward};
pub(super) use sweep::{
    SweepGradients, SweepRecord, SweepShape, coordinate_sweep, coordinate_sweep_backward, coordinate_sweep_recorded,
};
