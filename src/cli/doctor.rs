//! `grantfree doctor`.

use super::DoctorArgs;
use super::error::CliError;

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub fn execute(args: &DoctorArgs) -> Result<(), CliError> {
    let _ = args;
    Err(CliError::Other("not available in this build".into()))
}
