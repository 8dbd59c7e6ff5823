//! Errors of files.

use std::path::Path;

/// What can go wrong with a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IoError {
    /// The file cannot be opened or read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write {path} (does the folder exist, and may you write to it?)")]
    Write {
        /// The file.
        path: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// Not an npz file, or a damaged one.
    #[error("{path} is not a readable npz file: {problem}; expected a zip archive as numpy.savez writes it, complete")]
    NotNpz {
        /// The file.
        path: String,
        /// What the zip reader found.
        problem: String,
    },
    /// An array that is needed is not in the file.
    #[error("{path} has no array {array}; it has {found}")]
    MissingArray {
        /// The file.
        path: String,
        /// The array looked for.
        array: String,
        /// Names of the arrays it does have.
        found: String,
    },
    /// An array that is damaged, or has the wrong type, shape or values.
    #[error("{path}: array {array} {problem}")]
    Array {
        /// The file.
        path: String,
        /// The array.
        array: String,
        /// What was found and what is expected.
        problem: String,
    },
    /// Arrays to be written that do not fit the shape they are said to have.
    #[error("array {array} of {path} has {found} values, its shape {shape:?} needs {expected}")]
    WrongLength {
        /// The file.
        path: String,
        /// The array.
        array: String,
        /// Values given.
        found: usize,
        /// Shape stated.
        shape: Vec<usize>,
        /// Values the shape needs.
        expected: usize,
    },
    /// A safetensors file that is damaged or holds tensors of another type.
    #[error("{path} is not a readable safetensors file: {problem}")]
    Tensors {
        /// The file.
        path: String,
        /// What was found.
        problem: String,
    },
    /// A file that is no PyTorch state_dict, or a damaged one.
    #[error("{path} is not a readable PyTorch state_dict: {problem}")]
    Torch {
        /// The file.
        path: String,
        /// What was found.
        problem: String,
    },
    /// A model bundle that is incomplete, altered or of another version; `path` is the file at fault.
    #[error("model bundle: {path}: {problem}")]
    Bundle {
        /// The file.
        path: String,
        /// What is wrong, and what to try.
        problem: String,
    },
}

impl IoError {
    pub(crate) fn read(path: &Path, source: std::io::Error) -> Self {
        Self::Read { path: path.display().to_string(), source }
    }
    pub(crate) fn write(path: &Path, source: std::io::Error) -> Self {
        Self::Write { path: path.display().to_string(), source }
    }
    pub(super) fn array(path: &Path, array: &str, problem: impl Into<String>) -> Self {
        Self::Array { path: path.display().to_string(), array: array.into(), problem: problem.into() }
    }
    pub(super) fn bundle(path: &Path, problem: impl Into<String>) -> Self {
        Self::Bundle { path: path.display().to_string(), problem: problem.into() }
    }
}
