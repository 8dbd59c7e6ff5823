//! Devices, and the project's own fused tensor kernels.
//!
//! burn dispatches every operation at run time, so a model is written once and a [`Device`](burn::tensor::Device)
//! value chooses where it runs ([`choose`]). [`Backend`] adds the kernels that burn does not have:
//!
//! | kernel | computes | cost per frame |
//! |---|---|---|
//! | [`row_dot`] | `Re <a_k, b_k>` over the antennas of every row k: row energies | one pass |
//! | [`row_scale`] | `c_k z_k`: the shrink of every row | one pass |
//! | [`row_onsager`] | `(sum_k t_k z_k z_k^H) r`: the matrix Onsager term, never forming the K Jacobians | `K M^2` |
//! | [`amp_iteration`] | an iteration of unfolded AMP, from state to state | `K M (L + M)` |
//! | [`covariance_score`] | leave-one-out covariance statistics of all K sequences | `L^2 K` |
//! | [`coordinate_sweep`] | coordinate descent on the powers of all devices, in f64 on the host | `U K L^2` |
//! | [`entry_denoise`] | the entry-wise denoiser of the paper's DL-mAMPnet, or its slope | one pass |
//! | [`dense`] | dense layer, bias and rectifier included | `O I` |
//! | [`conv_same`] | convolution of images, activation included | `C C' k^2 H W` |
//! | [`max_pool_same`] | maximum over the window around every pixel | one pass |
//! | [`exp_linear`] | exponential linear unit | one pass |
//! | [`norm_plus`] | instance normalisation "++" | one pass |
//! | [`quantize_ste`] | uniform quantiser with the gradient of the identity | one pass |
//! | [`adam_step`] | all three updates of Adam | one pass over the parameters |
//!
//! The first three make up the AMP denoiser ([`row_shrink`]): between them stand only tensors of `[frames, K]`, so that the
//! posterior can be row-wise, section-wise or learned without touching a kernel. [`amp_iteration`] is the whole iteration
//! around it for the unfolded networks, whose graphs would otherwise cost more than their arithmetic. burn's custom
//! operations have a single output: it is the packed state, which the next iteration takes as it is, because unpacking
//! costs a zero-filled buffer per part in the backward pass.
//!
//! Each kernel has a default body of burn primitives (the specification), a fast CPU body (gemm, SIMD, rayon over
//! frames) for Flex and NdArray, CubeCL kernels for GPUs and a hand-written backward for Autodiff. On a GPU the
//! products of the covariance statistics are burn's; the factorisation and the triangular systems are kernels.

mod adam;
mod autodiff;
pub mod complex;
mod covariance;
mod cpu;
#[cfg(feature = "wgpu")]
mod cube;
mod dense;
mod device;
mod entry;
#[cfg(feature = "flex")]
mod flex;
mod images;
mod iteration;
mod memory;
#[cfg(feature = "ndarray")]
mod ndarray;
mod ops;
mod shrink;
mod shrink_rows;
mod spec;
mod sweep;
#[cfg(all(test, feature = "flex"))]
mod testing;
mod workers;

pub use adam::AdamRule;
pub use device::{Adapter, BackendChoice, BackendError, Chosen, adapters, choose, compiled};
pub use entry::EntryPart;
pub use iteration::AmpForm;
pub use memory::keep_freed_memory;
pub use ops::{
    Backend, adam_step, amp_iteration, conv_same, coordinate_sweep, covariance_filter, covariance_score, dense,
    entry_denoise, exp_linear, group_shrink, max_pool_same, norm_plus, quantize_ste, row_dot, row_onsager, row_scale,
};
pub use shrink::{RowShrink, ShrinkRule, row_shrink, section_posterior};
pub use sweep::SweepRecord;
pub use workers::on_workers;
