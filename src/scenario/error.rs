//! Errors of scenarios.

/// What can go wrong while frames are made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// An option out of range.
    #[error(transparent)]
    Config(#[from] crate::link::ConfigError),
    /// An array that does not fit the link.
    #[error(transparent)]
    Frames(#[from] crate::link::ArrayError),
    /// A pilot matrix that does not fit the scenario.
    #[error("{0}")]
    Pilots(String),
    /// A file of pilots that does not fit.
    #[error("pilots file {path}: {problem}")]
    PilotsFile {
        /// File.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// A channel file with wrong arrays, shapes or values.
    #[error("channel file {path}: {problem}")]
    ChannelFile {
        /// The file.
        path: String,
        /// What is wrong, and what is expected.
        problem: String,
    },
    /// The channel file could not be read at all.
    #[error("channel file {path}")]
    Io {
        /// The file.
        path: String,
        /// The cause.
        #[source]
        source: crate::container::IoError,
    },
}
