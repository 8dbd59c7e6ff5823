//! `grantfree evaluate`: simulate with networks that are trained already.

use super::EvaluateArgs;
use super::error::CliError;
use crate::experiment::Mode;

/// Simulates and reports; a network that is missing is an error.
///
/// # Errors
/// [`CliError`].
pub fn execute(args: &EvaluateArgs) -> Result<(), CliError> {
    super::run::finish(&super::run::start(&args.config, &args.work, args.shard.shard, Mode::Evaluate)?)
}
