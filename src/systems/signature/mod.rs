//! System E: learned finite-alphabet signatures (QNN) and learned receivers (SICNN, FCNN, model-driven SICNN).
//!
//! | receiver | what it is | untrained |
//! |---|---|---|
//! | [`Sicnn`] | that of Yu et al.: one MLP per user in a cascade, input `[y_SIC, y, h]` | nothing |
//! | [`Fcnn`] | one MLP for all users, as many parameters | nothing |
//! | [`SoftSic`] | soft interference cancellation, every stage corrected by an MLP | the classical `soft-sic` |
//!
//! The form "beam-metric" is a search, not a tensor network: see [`beam`].
//!
//! Numbers of equations and algorithms are those of the paper on finite-alphabet signatures (Yu et al.).
//!
//! Signatures are given, or learned with the receiver by [`Encoder`]: the weights of (16), quantised by (18) with
//! straight-through gradients and normalised. Layout: the frame is the last dimension, so that every elementwise
//! operation of a stage runs over contiguous frames, and every dense layer is one product `[out, in] x [in, F]`.

pub mod beam;
mod config;
mod detector;
mod encoder;
mod fcnn;
mod link;
mod loss;
mod net;
mod options;
mod sicnn;
mod soft_sic;
mod system;
mod task;

pub use crate::systems::dense::{Dense, Mlp};
pub use config::{ReceiverConfig, ReceiverForm};
pub use detector::ReceiverDetector;
pub use encoder::Encoder;
pub use fcnn::Fcnn;
pub use link::{DrawTensors, Observed, stack_signatures};
pub use loss::{cross_entropy, weighted_mse};
pub use net::{Receiver, ReceiverNet, ReceiverOutput, Sizes};
pub use options::SicnnOptions;
pub use sicnn::Sicnn;
pub use soft_sic::SoftSic;
pub use system::ReceiverInfo;
pub use task::ReceiverTask;
