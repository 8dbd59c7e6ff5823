//! Errors of results files.

use std::path::{Path, PathBuf};

/// What can go wrong with `results.json`.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// Reading or writing failed.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The results could not be written.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: Box<crate::container::IoError>,
    },
    /// `results.json` cannot be understood.
    #[error("{path} is not a results file of this version: {problem}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What the parser found.
        problem: String,
    },
}

impl ResultsError {
    /// An i/o error with its context, for `map_err`.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { action, path: path.into(), source }
    }
}
