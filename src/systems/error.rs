//! Errors of saved networks and of learned systems.

use std::path::Path;

use crate::container::IoError;
use crate::link::DetectError;
use crate::scenario::ScenarioError;
use crate::training::TrainError;

/// Errors of saved models.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A file of the bundle is missing, damaged or cannot be written.
    #[error("model bundle {path}")]
    Io {
        /// Folder.
        path: String,
        /// Cause.
        #[source]
        source: IoError,
    },
    /// The files are whole but do not describe a model of this version.
    #[error("model bundle {path}: {problem}")]
    Content {
        /// Folder.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// Values that cannot be read from the device or are not finite.
    #[error("{name} of the network: {problem}")]
    Values {
        /// The parameter.
        name: String,
        /// What is wrong.
        problem: String,
    },
}

impl ModelError {
    /// Content that does not describe a model of this version.
    pub(super) fn content(dir: &Path, problem: impl ToString) -> Self {
        Self::Content { path: dir.display().to_string(), problem: problem.to_string() }
    }

    /// Values that cannot be read from the device or are not finite.
    pub(super) fn values(name: &str, problem: impl ToString) -> Self {
        Self::Values { name: name.to_owned(), problem: problem.to_string() }
    }

    pub(super) fn io(dir: &Path) -> impl Fn(IoError) -> Self + '_ {
        |source| Self::Io { path: dir.display().to_string(), source }
    }
}

/// Errors of learned systems.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SystemError {
    /// Frames that cannot be made.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A detector that refuses frames.
    #[error(transparent)]
    Detect(#[from] DetectError),
    /// Training.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Model bundles.
    #[error(transparent)]
    Model(#[from] ModelError),
}
