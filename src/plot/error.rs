//! Errors of drawings.

/// A drawing that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw figure {figure} as PNG: {message}; is there space left in the folder of the report?")]
pub struct DrawError {
    /// File name of the figure without its ending.
    pub figure: String,
    /// What the drawing library said.
    pub message: String,
}
