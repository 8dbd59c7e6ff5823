//! Approximate message passing.

pub(crate) mod iteration;
mod lanes;
pub(crate) mod steps;

pub use iteration::AmpOptions;
