//! Errors of the report room.

use std::path::PathBuf;

use crate::container::IoError;

/// What can go wrong while a report is written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] IoError),
    /// The folder of the figures cannot be made.
    #[error("cannot make the folder {path}; check its permissions, or choose another folder with --out")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The raster drawing of a figure failed.
    #[error(transparent)]
    Draw(#[from] crate::plot::DrawError),
    /// The configuration inside the results cannot be shown as TOML.
    #[error("cannot show the configuration of the results as TOML")]
    Config(#[from] toml::ser::Error),
}
