//! Guide pages.

#[doc = include_str!("references.md")]
pub mod references {}
