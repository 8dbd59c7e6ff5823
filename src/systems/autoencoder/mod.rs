//! System B: learned pilots with model-driven decoders (auto-encoders) for signal and support recovery.
//!
//! # Model
//!
//! `Y = A X + W`, Y `[L, M]`, A `[L, N]` with one pilot per device ([`scenario`](crate::scenario), kind "unit-gain"). The encoder is
//! A itself: frames are made inside the graph, so that the gradient reaches it. Out: activities `[F, N]`, their logits or row
//! energies as scores, and for signals the rows of X `[F, N, M]`.
//!
//! # Network
//!
//! Algorithms and equations are numbered as in the auto-encoder paper. A decoder is an approximate part, U iterations of a
//! classical algorithm with a few trainable parameters, and V correction layers.
//!
//! | form | approximate part | trainable in it | classical detector it equals untrained |
//! |---|---|---|---|
//! | [`GroupLassoDecoder`](crate::systems::autoencoder::GroupLassoDecoder) | sharing ADMM (Algorithm 1, (8)-(10)) | lambda, rho | [group-lasso-admm](crate::detect::group_lasso_admm) |
//! | [`AmpDecoder`](crate::systems::autoencoder::AmpDecoder) | AMP (Algorithm 2, (11)-(12)) | a prior per device; untied: a matrix and scalars per iteration | [amp](crate::detect::amp) |
//! | [`NnDecoder`](crate::systems::autoencoder::NnDecoder) | none; dense layers on the sample covariance (14), (15) | all | |
//! | [`MapDecoder`](crate::systems::autoencoder::MapDecoder) | coordinate descent (Algorithm 3, (16)-(19)) | a prior per device | [map](crate::detect::covariance) |
//!
//! Corrections are dense layers added to the estimate (those of the auto-encoder paper), or covariance layers with learned
//! coupling between devices (derived here). Untrained corrections of the first kind change nothing. Priors start at the mean
//! activity probability: where devices differ (`scenario.activity_ratio`), classical detectors are told and networks have to
//! learn it. Everything works at unit noise variance and unit-norm pilots (see
//! [`FrameTensors`](crate::systems::access::FrameTensors)).
//!
//! # Training
//!
//! Mean squared error of the rows (section III-C), or cross-entropy of the activities (20), with the pilots. Source: the
//! auto-encoder paper, see [references](crate::docs::references).

mod amp;
mod config;
mod correction;
mod detector;
mod group_lasso;
mod map;
mod net;
mod nn;
mod options;
mod system;
mod task;

pub use amp::AmpDecoder;
pub use config::{CorrectionKind, DecoderConfig, DecoderForm, DecoderTarget};
pub use correction::{CorrectionLayer, Corrections, Evidence};
pub use detector::AutoEncoderDetector;
pub use group_lasso::GroupLassoDecoder;
pub use map::MapDecoder;
pub use net::{AutoEncoder, Decoder, Estimate};
pub use nn::NnDecoder;
pub use options::AutoencoderOptions;
pub use system::AutoEncoderInfo;
pub use task::AutoEncoderTask;

pub use super::access::LinkSizes;
