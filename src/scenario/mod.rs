//! The physics: activity, fading, path loss, pilots and noise, turned into frames.
//!
//! A [`Scenario`] draws [`Realizations`] (who is active, what they send, through which channel, and the noise)
//! from counter-based random streams; [`Realizations::observe`] passes them through a pilot matrix and gives a
//! [`FrameBatch`], which is all a detector sees. Because the two steps are separate, detectors with *different*
//! pilots (random ones, or ones learned with the receiver) are still compared on the same devices, channels and noise.

mod channel_file;
mod config;
mod error;
pub mod files;
#[cfg(test)]
mod law_tests;
mod noma;
mod noma_config;
mod noncoherent;
mod pilots;
mod pilots_file;
mod realizations;
pub mod signatures;

pub use channel_file::ChannelFile;
pub use config::{ActivityLaw, EnergyConvention, PilotKind, PilotRedraw, Positions, ScenarioConfig, ScenarioKind};
pub use error::ScenarioError;
pub use noma::symbols;
pub use noma_config::{Activation, ActivationLaw, Constellation, Fading, NomaConfig, SignatureKind, SnrConvention};
pub use noncoherent::{BlockPilots, Scenario};
pub use pilots::draw_pilots;
pub use pilots_file::read_pilots;
pub use realizations::{Draws, Realizations};
