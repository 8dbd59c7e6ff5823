//! Tests of the command line.

mod bad_input;
mod doctor;
mod files;
mod golden;
mod reference;
mod reproducible;
mod runs;
mod snapshots;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The binary under test.
pub fn grantfree() -> Command {
    Command::new(env!("CARGO_BIN_EXE_grantfree"))
}

/// Runs a command to its end.
pub trait Assert {
    /// What came of it.
    fn assert(&mut self) -> Finished;
}

impl Assert for Command {
    fn assert(&mut self) -> Finished {
        let output = self.output().expect("the program starts");
        Finished { command: format!("{self:?}"), output }
    }
}

/// A command that has ended.
pub struct Finished {
    command: String,
    output: Output,
}

impl Finished {
    #[track_caller]
    fn check(self, good: bool) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let Output { status, stdout, stderr } = &self.output;
        assert!(good, "{}: {status}\n{}\n{}", self.command, text(stdout), text(stderr));
        self
    }

    /// Exit code 0.
    #[track_caller]
    pub fn success(self) -> Self {
        let good = self.output.status.success();
        self.check(good)
    }

    /// Another exit code than 0.
    #[track_caller]
    pub fn failure(self) -> Self {
        let good = !self.output.status.success();
        self.check(good)
    }

    /// This exit code.
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        let good = self.output.status.code() == Some(code);
        self.check(good)
    }

    /// Status and both streams.
    pub fn get_output(&self) -> &Output {
        &self.output
    }
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
