//! Errors of reports.

use crate::container::IoError;

/// What can go wrong while a report is written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A file or the folder of the figures cannot be written.
    #[error(transparent)]
    Write(#[from] IoError),
    /// The raster drawing of a figure failed.
    #[error(transparent)]
    Draw(#[from] crate::plot::DrawError),
    /// The list of the papers' panels.
    #[error("{path}: {problem}")]
    Panels {
        /// The file.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// The configuration inside the results cannot be shown as TOML.
    #[error("cannot show the configuration of the results as TOML")]
    Config(#[from] toml::ser::Error),
}
