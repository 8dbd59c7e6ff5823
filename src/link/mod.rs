//! The vocabulary of the link: pilots, frames, decisions, the detector that maps one to the other, the random streams
//! that everything is drawn from, and the error of an option out of range.
//!
//! No files and no physics: how frames come about is told by [`scenario`](crate::scenario).

mod detector;
mod error;
mod frames;
mod pilots;
mod streams;

pub use detector::{Decisions, DetectError, Detector};
pub(crate) use error::check;
pub use error::{ConfigError, spelled};
pub use frames::{AccessModel, Beta, C64, FrameBatch, Spreading, Truth};
pub use pilots::Pilots;
pub use streams::{Purpose, Split, StreamFamily, StreamKey};
