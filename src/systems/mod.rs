//! Learned detectors as burn modules, one folder per system.
//!
//! - [`access`]: what the networks of the access link share.
//! - [`autoencoder`]: system B, learned pilots with GROUP LASSO-, AMP-, covariance- and MAP-based decoders.
//! - [`mampnet`]: system A, DL-mAMPnet in its published form and in an antenna-shared form.
//! - [`pc_admm`]: system C, unfolded prediction-correction ADMM with a channel-attention proximal operator.
//! - [`score`]: system D, the score network of the channel prior.
//! - [`signature`]: system E, learned finite-alphabet signatures and learned multi-user receivers.
//!
//! A system is a network that implements [`System`]: its keys in experiment files ([`Options`]), its training, what its
//! manifest says, and its detector. Saving, loading, training and the identity of a network are written once; the registry
//! has one line for each folder.
//!
//! Every model takes real tensors (see [`crate::tensor::complex`]) and carries no backend type: the device of its parameters
//! decides where it runs.

pub mod access;
mod dense;
mod options;
mod registry;
mod saved;
mod system;

use serde::{Deserialize, Deserializer, Serialize};

registry::registry! {
    /// System B: learned pilots with GROUP LASSO-, AMP-, covariance- and MAP-based decoders.
    autoencoder: Autoencoder = "autoencoder", AutoencoderOptions, [AutoEncoder];
    /// System A: DL-mAMPnet in the printed form and in an antenna-shared form.
    mampnet: Mampnet = "mampnet", MampnetOptions, [MampNet];
    /// System C: unfolded prediction-correction ADMM with a channel-attention proximal operator.
    pc_admm: PcAdmmNet = "pc-admm-net", PcAdmmOptions, [PcAdmmNet];
    /// System D: the score network of the channel prior.
    score: Score = "score", ScoreOptions, [ScoreNet, SetNet];
    /// System E: learned finite-alphabet signatures and learned multi-user receivers.
    signature: Sicnn = "sicnn", SicnnOptions, [ReceiverNet, beam::BeamNet];
}

pub use options::{Common, Kind, Options, identity};
pub use registry::{load, system_of};
pub use saved::{ModelError, OwnPilots, PilotShape, Saved, Trail, named_tensors};
use system::any;
pub use system::{AnySystem, Loaded, Session, Stage, System, SystemError, Target};
