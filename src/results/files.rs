//! `results.json` on disk.

use std::path::Path;

use super::{Results, ResultsError, SCHEMA_VERSION};
use crate::container::{IoError, atomic_write, create_parent};

/// Name of the results file in the results folder.
pub const RESULTS_FILE: &str = "results.json";

/// Replaces `OUT/results.json`.
///
/// # Errors
/// [`ResultsError::Io`] when the folder cannot be made or written.
pub fn write_results(out: &Path, results: &Results) -> Result<(), ResultsError> {
    let path = out.join(RESULTS_FILE);
    create_parent(&path)?;
    let mut bytes = serde_json::to_vec_pretty(results).map_err(|e| IoError::write(&path, e.into()))?;
    bytes.push(b'\n');
    Ok(atomic_write(&path, &bytes)?)
}

/// Reads `OUT/results.json`.
///
/// # Errors
/// [`ResultsError::Io`] when it cannot be read, [`ResultsError::Content`] when it is of another schema or damaged.
pub fn read_results(out: &Path) -> Result<Results, ResultsError> {
    let path = out.join(RESULTS_FILE);
    let bytes = std::fs::read(&path).map_err(|e| IoError::read(&path, e))?;
    let error = |problem: String| ResultsError::Content { path: path.clone(), problem };
    // The version alone first: another layout would fail in some field with a puzzling message. (Not through
    // `serde_json::Value`, which sorts maps and so would lose the order of the legend.)
    #[derive(serde::Deserialize)]
    struct Version {
        schema_version: Option<u32>,
    }
    let Version { schema_version } = serde_json::from_slice(&bytes).map_err(|e| error(e.to_string()))?;
    if schema_version != Some(SCHEMA_VERSION) {
        let found = schema_version.map_or("none".into(), |v| v.to_string());
        return Err(error(format!("schema_version is {found}, expected {SCHEMA_VERSION}; run the experiment again")));
    }
    serde_json::from_slice(&bytes).map_err(|e| error(e.to_string()))
}
