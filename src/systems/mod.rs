//! Learned detectors as burn modules, one folder per system.
//!
//! - [`access`]: what the networks of the access link share.
//! - [`autoencoder`]: system B, learned pilots with GROUP LASSO-, AMP-, covariance- and MAP-based decoders.
//! - [`mampnet`]: system A, DL-mAMPnet in the paper's form and in an antenna-shared form.
//! - [`pc_admm`]: system C, unfolded prediction-correction ADMM with a channel-attention proximal operator.
//! - [`score`]: system D, the score network of the channel prior.
//! - [`signature`]: system E, learned finite-alphabet signatures and learned multi-user receivers.
//!
//! A system is a network that implements [`System`]: its keys in experiment files ([`Options`]), its training, what its
//! manifest says, and its detector. Saving, loading, training and the identity of a network are written once; the registry
//! has a line for each kind.
//!
//! Every model takes real tensors (see [`crate::tensor::complex`]) and carries no backend type: the device of its parameters
//! decides where it runs.

pub mod access;
pub mod autoencoder;
mod dense;
pub mod mampnet;
mod options;
pub mod pc_admm;
mod registry;
mod saved;
pub mod score;
pub mod signature;
mod system;

pub use options::{Common, Kind, Options, identity};
pub use registry::{LearnedConfig, load, system_of};
pub use saved::{ModelError, OwnPilots, PilotShape, Saved, Trail, named_tensors};
pub(in crate::systems) use system::any;
pub use system::{AnySystem, Loaded, Session, Stage, System, SystemError, Target};
