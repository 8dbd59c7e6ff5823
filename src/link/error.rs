//! Errors of options, and the spelling of their named values.

use serde::Serialize;

/// What can be wrong with an experiment file or an option.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// Not TOML, an unknown key or a wrong type; the message of the parser names line, key and the known keys.
    #[error("{path}: {message}")]
    Parse {
        /// The file.
        path: String,
        /// What the parser found.
        message: String,
    },
    /// A value outside its range.
    #[error("{key} = {value} is out of range: {range} (default: {default})")]
    Range {
        /// Dotted key.
        key: String,
        /// The value found.
        value: String,
        /// What is allowed.
        range: String,
        /// The default, or "none".
        default: String,
    },
    /// Anything else that names its key itself.
    #[error("{0}")]
    Invalid(String),
}

impl ConfigError {
    /// A value outside its range.
    pub fn range(key: &str, value: impl ToString, range: &str, default: impl ToString) -> Self {
        Self::Range { key: key.into(), value: value.to_string(), range: range.into(), default: default.to_string() }
    }
}

/// Checks one range and builds the error from the same words.
pub(crate) fn check(
    ok: bool,
    key: &str,
    value: impl ToString,
    range: &str,
    default: impl ToString,
) -> Result<(), ConfigError> {
    if ok { Ok(()) } else { Err(ConfigError::range(key, value, range, default)) }
}

/// A named value as files and the command line spell it; empty for what is no name.
pub fn spelled(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}
