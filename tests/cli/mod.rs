//! Tests of the command line.

mod bad_input;
mod files;
mod golden;
mod reproducible;
mod runs;

use std::path::{Path, PathBuf};

use assert_cmd::Command;

/// The binary under test.
pub fn grantfree() -> Command {
    Command::new(env!("CARGO_BIN_EXE_grantfree"))
}

/// A committed reference file.
pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// A small valid experiment.
pub const EXPERIMENT: &str = r#"
name = "small"
seed = 3
[scenario]
devices = 8
antennas = 4
pilot_length = 12
[sweep]
key = "scenario.pilot_length"
values = [12, 16]
[engine]
min_frames = 8
max_frames = 16
block_frames = 4
[detectors.amp]
kind = "amp"
iterations = 10
"#;
