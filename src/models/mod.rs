//! Learned detectors as burn modules, one folder per system.
//!
//! - [`mampnet`]: system A, DL-mAMPnet in the paper's form and in an antenna-shared form.
//! - [`signature`]: system E, learned finite-alphabet signatures and learned multi-user receivers.
//!
//! Every model takes real tensors (see [`crate::complex`]) and carries no backend type: the device of its parameters
//! decides where it runs.

mod bundle;
pub mod mampnet;
pub mod signature;

pub use bundle::{ModelError, named_tensors, system_of};
