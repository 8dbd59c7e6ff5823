//! Learned detectors as burn modules, one folder per system.
//!
//! [`access`] holds what the networks of the access link share.
//!
//! A system is a network that implements [`System`]: its keys in experiment files ([`Options`]), its training, what its
//! manifest says, and its detector. Saving, loading, training and the identity of a network are written once; the registry
//! has one line for each folder.
//!
//! Every model takes real tensors (see [`crate::tensor::complex`]) and carries no backend type: the device of its parameters
//! decides where it runs.

pub mod access;
mod any;
mod dense;
mod error;
mod identity;
mod options;
mod pilots;
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

use any::any;
pub use any::{AnySystem, Loaded, Session};
pub use error::{ModelError, SystemError};
pub use identity::identity;
pub use options::{Common, Kind, Options};
pub use pilots::{OwnPilots, PilotShape};
pub use registry::{load, system_of};
pub use saved::{Saved, Trail, named_tensors};
pub use system::{Stage, System, Target};
