//! The physics: activity, fading, path loss, pilots and noise, turned into frames.
//!
//! A [`Scenario`] draws [`Realizations`] (who is active, what they send, through which channel, and the noise)
//! from counter-based random streams; [`Realizations::observe`] passes them through a pilot matrix and gives a
//! [`FrameBatch`], which is all a detector sees. Because the two steps are separate, detectors with *different*
//! pilots (random ones, or ones learned with the receiver) are still compared on the same devices, channels and noise.

mod channel_file;
mod error;
mod frames;
mod keyed;
#[cfg(test)]
mod law_tests;
mod noma;
mod noncoherent;
mod pilots;
mod pilots_file;
pub mod signatures;

pub use channel_file::ChannelFile;
pub use error::ScenarioError;
pub use frames::{AccessModel, Beta, C64, FrameBatch, Realizations, Spreading, Truth};
pub use keyed::{Purpose, Split, StreamKey};
pub use noma::symbols;
pub use noncoherent::{BlockPilots, Scenario};
pub use pilots::{Pilots, draw_pilots};
pub use pilots_file::read_pilots;
