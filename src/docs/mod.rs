//! Guide pages.

#[doc = include_str!("references.md")]
pub mod references {}

#[doc = include_str!("extending.md")]
pub mod extending {}
