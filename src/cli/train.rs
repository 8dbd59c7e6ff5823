//! `grantfree train`: only the learned detectors of an experiment.

use super::TrainArgs;
use super::error::CliError;
use crate::experiment::Mode;

/// Trains every learned detector of every point; `run` and `evaluate` with the same folder find them.
///
/// # Errors
/// [`CliError`].
pub fn execute(args: &TrainArgs) -> Result<(), CliError> {
    super::run::finish(&super::run::start(&args.config, &args.work, None, Mode::Train)?)
}
