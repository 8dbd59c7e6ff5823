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
//! | [`covariance_filter`] | LMMSE filter outputs of all K sequences | `L^2 K` |
//! | [`group_shrink`] | row soft threshold | one pass |
//! | [`coordinate_sweep`] | coordinate descent on the powers of all devices, in f64 on the host | `U K L^2` |
//! | [`entry_denoise`] | the entry-wise denoiser of the DL-mAMPnet paper, or its slope | one pass |
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
//! Sources: Theorem 1 of the DL-mAMPnet paper (denoiser, AMP iteration) and its (47), (48) ([`entry_denoise`]), Algorithm 3 of
//! the auto-encoder paper ([`coordinate_sweep`]), (18) of the NOMA signature paper ([`quantize_ste`]), Song and Ermon (2020)
//! ([`norm_plus`]), Kingma and Ba (2015) ([`adam_step`]); see [references](crate::docs::references).
//!
//! A kernel is one method of [`Backend`], which burn dispatches to the device of its tensors, and one of [`Adjoint`], its
//! hand-written backward pass. The default bodies of both are the specification, in burn primitives (of coordinate descent:
//! in plain arithmetic). The NdArray backend has no other: it is the second opinion that the fast bodies are tested
//! against, those for Flex (gemm, SIMD, rayon over frames) and the CubeCL kernels for GPUs. On a GPU the products of the
//! covariance statistics are burn's; the factorisation and the triangular systems are kernels.

mod autodiff;
mod backend;
pub mod complex;
mod cpu;
#[cfg(feature = "wgpu")]
mod cube;
mod device;
#[cfg(feature = "flex")]
mod flex;
mod memory;
mod ops;
mod workers;

pub use backend::{Adjoint, Backend};
pub use device::{Adapter, BackendChoice, BackendError, Chosen, adapters, choose, compiled};
pub use memory::keep_freed_memory;
pub use ops::adam::{AdamRule, adam_step};
pub use ops::amp::{AmpArguments, AmpForm, amp_iteration};
pub use ops::conv::conv_same;
pub use ops::covariance::filter::covariance_filter;
pub use ops::covariance::score::covariance_score;
pub use ops::dense::dense;
pub use ops::entry::{EntryPart, entry_denoise};
pub use ops::exp_linear::exp_linear;
pub use ops::group_shrink::group_shrink;
pub use ops::norm::norm_plus;
pub use ops::onsager::row_onsager;
pub use ops::pool::max_pool_same;
pub use ops::quantize::quantize_ste;
pub use ops::row_shrink::{RowShrink, ShrinkRule, row_shrink, section_posterior};
pub use ops::rows::{row_dot, row_scale};
pub use ops::sweep::{SweepRecord, coordinate_sweep};
pub use ops::{AmpInputs, CovarianceInputs, EntryInputs, SweepInputs};
pub use workers::on_workers;
