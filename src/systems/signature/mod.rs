//! System E: learned finite-alphabet signatures (QNN) and learned receivers (SICNN, FCNN, model-driven SICNN).
//!
//! # Model
//!
//! `y = sum_n diag(h_n) s_n x_n + w`, (5) of the NOMA signature paper, whose equation numbers are used here; y `[H]`, h known. Out: the symbol of every user or idle, `[F, N]`, and scores of the symbols against idle, `[F, N*C]`.
//!
//! # Receivers
//!
//! | receiver | what it is | untrained |
//! |---|---|---|
//! | [`Sicnn`](crate::systems::signature::Sicnn) | that of the NOMA signature paper, (26)-(28): one MLP per user in a cascade, input `[y_SIC, y, h]` | nothing |
//! | [`Fcnn`](crate::systems::signature::Fcnn) | one MLP for all users, as many parameters | nothing |
//! | [`SoftSic`](crate::systems::signature::SoftSic) | soft interference cancellation, every stage corrected by an MLP | the classical `soft-sic` |
//!
//! The form "beam-metric" is a search, not a tensor network: see [`beam`](crate::systems::signature::beam).
//!
//! # Signatures
//!
//! Signatures are given, or learned with the receiver by [`Encoder`](crate::systems::signature::Encoder): the weights of (16),
//! quantised by (18) with straight-through gradients and normalised (24). The loss is (12), or the cross-entropy of the
//! symbols. Layout: the frame is the last dimension, so that every elementwise operation of a stage runs over contiguous
//! frames, and every dense layer is one product `[out, in] x [in, F]`.
//!
//! Source: the NOMA signature paper, see [references](crate::docs::references).

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
