//! What a command can end with, and its exit code.

use std::error::Error;
use std::io::Write;

use crate::container::IoError;
use crate::detect::ClassicalError;
use crate::experiment::ExperimentError;
use crate::link::ConfigError;
use crate::link::DetectError;
use crate::report::ReportError;
use crate::scenario::ScenarioError;
use crate::simulation::SimulationError;

/// Why a command did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Arguments that do not go together.
    #[error("{0}")]
    Usage(String),
    /// A wrong experiment file, key or value.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file that cannot be read or written, or is wrong.
    #[error(transparent)]
    Io(#[from] IoError),
    /// Frames that cannot be made.
    #[error(transparent)]
    Scenario(ScenarioError),
    /// A detector that cannot be built.
    #[error(transparent)]
    Classical(ClassicalError),
    /// A detector that failed.
    #[error(transparent)]
    Detect(#[from] DetectError),
    /// A simulation that failed, or a run folder that does not fit.
    #[error(transparent)]
    Simulation(SimulationError),
    /// A results file that cannot be read or written.
    #[error(transparent)]
    Results(#[from] crate::results::ResultsError),
    /// A report that cannot be written.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A step of an experiment.
    #[error(transparent)]
    Experiment(ExperimentError),
    /// Anything else, with its own chain of causes.
    #[error(transparent)]
    Other(#[from] Box<dyn Error + Send + Sync>),
    /// Ctrl-C, after the results were saved.
    #[error("interrupted; results so far are saved, the same command resumes")]
    Interrupted,
    /// The reader of stdout has gone (as in `grantfree doctor | head`): nothing is wrong.
    #[error("stdout was closed")]
    StdoutClosed,
}

impl From<ClassicalError> for CliError {
    fn from(error: ClassicalError) -> Self {
        match error {
            ClassicalError::Config(e) => Self::Config(e),
            e => Self::Classical(e),
        }
    }
}

impl From<ScenarioError> for CliError {
    fn from(error: ScenarioError) -> Self {
        match error {
            ScenarioError::Config(e) => Self::Config(e),
            e => Self::Scenario(e),
        }
    }
}

impl From<ExperimentError> for CliError {
    fn from(error: ExperimentError) -> Self {
        match error {
            ExperimentError::Config(e) => Self::Config(e),
            ExperimentError::Classical(e) => e.into(),
            ExperimentError::Scenario(e) => e.into(),
            ExperimentError::Simulation(e) => e.into(),
            e => Self::Experiment(e),
        }
    }
}

impl From<SimulationError> for CliError {
    fn from(error: SimulationError) -> Self {
        match error {
            SimulationError::Config { source, .. } => Self::Config(*source),
            e => Self::Simulation(e),
        }
    }
}

impl CliError {
    /// 1 failed, 2 wrong usage or configuration, 130 interrupted.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Config(_) => 2,
            Self::Classical(ClassicalError::NotAFrameDetector { .. }) => 2,
            Self::Simulation(
                SimulationError::Shard(..) | SimulationError::Merge(_) | SimulationError::PilotsOf { .. },
            ) => 2,
            Self::Interrupted => 130,
            Self::StdoutClosed => 0,
            _ => 1,
        }
    }

    /// Prints the error and its causes once, on stderr.
    pub fn print(&self) {
        match self {
            Self::StdoutClosed => {}
            // A closed stderr is no reason to panic.
            _ => drop(writeln!(std::io::stderr(), "{}", chain(self))),
        }
    }
}

/// `error: what: why: why ...`; a cause that the text before it already contains is not repeated.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    format!("error: {text}")
}

/// One line of results on stdout.
///
/// # Errors
/// [`CliError::StdoutClosed`] when nobody reads it, [`CliError::Other`] when it cannot be written (a full disk).
pub fn say(line: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|e| match e.kind() {
        std::io::ErrorKind::BrokenPipe => CliError::StdoutClosed,
        _ => CliError::Other(format!("cannot write to stdout: {e}").into()),
    })
}

/// One line of progress or warning on stderr.
pub fn note(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_is_complete_and_says_nothing_twice() {
        let missing = crate::container::npz::NpzFile::open(std::path::Path::new("no/such.npz")).unwrap_err();
        let cause = missing.source().unwrap().to_string();
        let error = CliError::from(ScenarioError::Io { path: "no/such.npz".into(), source: missing });
        let text = chain(&error);
        assert!(text.starts_with("error: channel file no/such.npz: cannot read no/such.npz: "), "{text}");
        assert_eq!(text.matches(&cause).count(), 1, "{text}");
    }

    #[test]
    fn exit_codes() {
        assert_eq!(CliError::Usage(String::new()).exit_code(), 2);
        assert_eq!(CliError::from(ConfigError::Invalid(String::new())).exit_code(), 2);
        assert_eq!(CliError::from(ClassicalError::from(ConfigError::Invalid(String::new()))).exit_code(), 2);
        assert_eq!(CliError::from(DetectError::Mismatch(String::new())).exit_code(), 1);
        assert_eq!(CliError::Interrupted.exit_code(), 130);
    }
}
