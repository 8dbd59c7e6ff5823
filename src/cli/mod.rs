//! The command line: one file per command, arguments in, library calls, stdout and stderr out.
//!
//! stdout carries results only; progress, warnings and the one `error:` line go to stderr. Exit codes: 0 done,
//! 1 failed, 2 wrong usage or configuration, 130 interrupted with results saved.

mod args;
mod detect;
mod detectors;
mod doctor;
mod error;
mod evaluate;
mod export;
mod import;
mod interrupt;
mod merge;
mod options;
mod progress;
mod replay;
mod report;
mod run;
mod signatures;
mod simulate;
mod train;
mod train_progress;
mod tune;
mod usage;

use clap::Parser;

use crate::tensor::{keep_freed_memory, on_workers};

pub use args::{
    Cli, Command, DetectArgs, DoctorArgs, EvaluateArgs, ExportArgs, ExportFormat, ImportArgs, MergeArgs, ReplayArgs,
    ReportArgs, RunArgs, SignatureFormat, SignatureName, SignaturesArgs, SimulateArgs, TrainArgs, TuneArgs,
};
pub use error::CliError;
pub use options::{
    DeviceArgs, ExperimentArgs, OutArgs, ProgressArgs, ResumeArgs, Shard, ShardArgs, ThreadArgs, WorkArgs,
};

/// Parses the arguments, runs the command, prints an error chain once; returns the exit code.
pub fn main() -> u8 {
    keep_freed_memory();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are results on stdout with code 0, wrong usage is text on stderr with code 2.
            let error = usage::explain(error);
            drop(error.print());
            return u8::try_from(error.exit_code()).unwrap_or(2);
        }
    };
    match dispatch(&cli.command) {
        Ok(()) => 0,
        Err(error) => {
            error.print();
            error.exit_code()
        }
    }
}

/// Runs one command.
///
/// # Errors
/// [`CliError`], which knows its exit code.
pub fn dispatch(command: &Command) -> Result<(), CliError> {
    let threads = threads(command).and_then(|t| t.threads).unwrap_or(0);
    on_workers(threads.into(), || execute(command))
        .map_err(|e| CliError::Other(format!("cannot start {threads} threads (--threads): {e}").into()))?
}

fn execute(command: &Command) -> Result<(), CliError> {
    match command {
        Command::Run(args) => run::execute(args),
        Command::Train(args) => train::execute(args),
        Command::Evaluate(args) => evaluate::execute(args),
        Command::Tune(args) => tune::execute(args),
        Command::Simulate(args) => simulate::execute(args),
        Command::Detect(args) => detect::execute(args),
        Command::Export(args) => export::execute(args),
        Command::Import(args) => import::execute(args),
        Command::Signatures(args) => signatures::execute(args),
        Command::Report(args) => report::execute(args),
        Command::Replay(args) => replay::execute(args),
        Command::Merge(args) => merge::execute(args),
        Command::Doctor(args) => doctor::execute(args),
    }
}

/// The options about threads, of commands that have enough work for more than one.
fn threads(command: &Command) -> Option<&ThreadArgs> {
    match command {
        Command::Run(a) => Some(&a.work.threads),
        Command::Train(a) => Some(&a.work.threads),
        Command::Evaluate(a) => Some(&a.work.threads),
        Command::Tune(a) => Some(&a.work.threads),
        Command::Simulate(a) => Some(&a.threads),
        Command::Detect(a) => Some(&a.threads),
        Command::Replay(a) => Some(&a.threads),
        Command::Doctor(a) => Some(&a.threads),
        Command::Export(_) | Command::Import(_) | Command::Signatures(_) | Command::Report(_) | Command::Merge(_) => {
            None
        }
    }
}
