//! System D: a score network as the prior of channel matrices.
//!
//! # Model
//!
//! `Y = X P + Z` ((14) of the score paper), X `[M, N]` with the columns `a_n h_n` (13): the detector samples X given Y by the
//! dynamics of [langevin](crate::detect::langevin), with the score `s(U, sigma)` of the noised prior from a network. The
//! network is trained by denoising score matching (5) on channel matrices alone, without pilots or noise. Out: rows of X
//! `[F, N, M]`, and the activities by their energies.
//!
//! # Network
//!
//! The architecture is that of NCSNv2 (Song and Ermon, 2020): a RefineNet of dilated residual blocks with instance
//! normalisation "++", chained residual pooling and multi-resolution fusion, fully convolutional over the antennas and
//! the users of `X [M, N]`, whose real and imaginary parts are two channels. The output is divided by the noise level, the
//! only place where the level enters, so that one network serves every level and any size.
//!
//! Weights of the published networks can be read: see [`torch`](crate::systems::score::torch).
//! [`SetNet`](crate::systems::score::SetNet) is the other prior: permutation-equivariant over the users, convolutional along
//! the antennas.
//!
//! Everything that changes the size is a matrix product or a pooling whose gradient every backend of burn has.
//!
//! Source: the score paper; Song and Ermon (2020), Karras et al. (2022) for the set network, see
//! [references](crate::docs::references).

mod blocks;
mod config;
mod conv;
mod detector;
mod dsm;
mod function;
mod net;
mod norm;
mod options;
mod prior;
mod refine;
mod resize;
mod set;
mod system;
mod task;
pub mod torch;

pub use blocks::{Resample, ResidualBlock};
pub use config::{ScoreArchitecture, ScoreConfig, ScoreDomain};
pub use conv::Conv;
pub use detector::ScoreDetector;
pub use dsm::{denoising_loss, geometric_levels};
pub use function::{ScoreFunction, ScoreModel};
pub use net::ScoreNet;
pub use norm::InstanceNormPlus;
pub use options::{DEFAULT_ROW_THRESHOLD, ScoreOptions};
pub use refine::{ChainedPooling, Fusion, RefineBlock, ResidualUnits};
pub use resize::resize;
pub use set::{SetBlock, SetNet, to_beams};
pub use system::ScoreInfo;
pub use task::{NoisyImages, ScoreTask, images, noise_levels};
