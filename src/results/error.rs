//! Errors of results files.

use std::path::PathBuf;

use crate::container::IoError;

/// What can go wrong with `results.json`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResultsError {
    /// The file or its folder cannot be read or written.
    #[error(transparent)]
    Io(#[from] IoError),
    /// `results.json` cannot be understood.
    #[error("{path} is not a results file of this version: {problem}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What the parser found.
        problem: String,
    },
}
