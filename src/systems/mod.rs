//! Learned detectors as burn modules, one folder per system.
//!
//! - [`access`]: what the networks of the access link share.
//! - [`autoencoder`]: system B, learned pilots with GROUP LASSO-, AMP-, covariance- and MAP-based decoders.
//! - [`mampnet`]: system A, DL-mAMPnet in the paper's form and in an antenna-shared form.
//! - [`pc_admm`]: system C, unfolded prediction-correction ADMM with a channel-attention proximal operator.
//! - [`score`]: system D, the score network of the channel prior.
//! - [`signature`]: system E, learned finite-alphabet signatures and learned multi-user receivers.
//!
//! Every model takes real tensors (see [`crate::tensor::complex`]) and carries no backend type: the device of its parameters
//! decides where it runs.

pub mod access;
pub mod autoencoder;
mod bundle;
mod dense;
pub mod mampnet;
pub mod pc_admm;
pub mod score;
pub mod signature;

pub use bundle::{ModelError, named_tensors, system_of};
