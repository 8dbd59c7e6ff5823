//! The vocabulary of the link: pilots, frames, decisions, the detector that maps one to the other, the random streams
//! that everything is drawn from, and the error of an option out of range.
//!
//! No files and no physics: how frames come about is told by [`scenario`](crate::scenario).
//!
//! Lengths and ranges of [`Pilots`], [`AccessModel`] and [`FrameBatch`] are checked when they are made, so detectors may
//! rely on them.

mod array;
mod detector;
mod error;
mod frames;
mod model;
mod options;
mod pilots;
mod streams;
#[cfg(test)]
mod tests;

pub use array::ArrayError;
pub(crate) use array::{check_each, check_finite, check_length, check_positive, index_of};
pub use detector::{Decisions, DetectError, Detector, Facts, IterativeSolver};
pub(crate) use error::check;
pub use error::{ConfigError, spelled};
pub use frames::{C64, FrameBatch, Spreading, Truth};
pub use model::{AccessModel, Beta};
pub use options::{OptionKey, Options};
pub(crate) use options::{check_option, options, shown};
pub use pilots::Pilots;
pub use streams::{Purpose, Split, StreamFamily, StreamKey};
