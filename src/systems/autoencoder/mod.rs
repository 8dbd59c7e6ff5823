//! System B: learned pilots with model-driven decoders (auto-encoders) for signal and support recovery.
//!
//! The encoder is the pilot matrix: frames are made inside the graph, so that the gradient reaches it. A decoder is an
//! approximate part, U iterations of a classical algorithm with a few trainable parameters, and V correction layers.
//!
//! | form | approximate part | trainable in it | classical detector it equals untrained |
//! |---|---|---|---|
//! | [`GroupLassoDecoder`] | sharing ADMM (Algorithm 1) | lambda, rho | group-lasso-admm |
//! | [`AmpDecoder`] | AMP (Algorithm 2) | a prior per device; untied: a matrix and scalars per iteration | amp |
//! | [`NnDecoder`] | none; dense layers on the sample covariance | all | |
//! | [`MapDecoder`] | coordinate descent (Algorithm 3) | a prior per device | map |
//!
//! Numbers of algorithms and equations are those of the auto-encoder paper (Cui et al.). Corrections are dense layers
//! added to the estimate (theirs), or covariance layers with learned coupling between
//! devices (ours). Untrained corrections of the first kind change nothing. Priors start at the mean activity probability:
//! where devices differ (`scenario.activity_ratio`), classical detectors are told and networks have to learn it.
//! Everything works at unit noise variance and unit-norm pilots (see
//! [`FrameTensors`](crate::systems::access::FrameTensors)).

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
