//! Learned detectors as burn modules, one folder per system.
//!
//! - [`mampnet`]: system A, DL-mAMPnet in the paper's form and in an antenna-shared form.
//!
//! Every model takes stacked real/imaginary tensors (see [`crate::complex`]) and carries no backend type: the device of
//! its parameters decides where it runs.

pub mod mampnet;
