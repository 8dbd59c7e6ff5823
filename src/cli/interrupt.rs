//! Ctrl-C: the first asks the run to finish its batch and report, the second leaves at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::error::CliError;

/// Exit code of an interrupted run, 128 + SIGINT.
pub const EXIT_CODE: i32 = 130;

/// Signals this close together are one: `timeout` and some shells deliver a single press twice, once to the process and
/// once to its group.
const ONE_PRESS: Duration = Duration::from_millis(300);

/// Installs the handler (once per process; later calls return the same flag) for SIGINT, SIGTERM and SIGHUP.
///
/// # Errors
/// [`CliError::Other`] when the system refuses the handler or another one is installed.
pub fn install() -> Result<Arc<AtomicBool>, CliError> {
    static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    if let Some(flag) = FLAG.get() {
        return Ok(Arc::clone(flag));
    }
    let flag = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&flag);
    let mut first: Option<Instant> = None;
    ctrlc::set_handler(move || {
        if let Some(first) = first {
            if first.elapsed() < ONE_PRESS {
                return;
            }
            // Logs are flushed per batch, so leaving here loses the current batch only.
            std::process::exit(EXIT_CODE);
        }
        first = Some(Instant::now());
        seen.store(true, Ordering::SeqCst);
        eprintln!("\ninterrupted: finishing the current batch and saving results; Ctrl-C again leaves at once");
    })
    .map_err(|e| CliError::Other(format!("cannot install the Ctrl-C handler: {e}").into()))?;
    Ok(Arc::clone(FLAG.get_or_init(|| flag)))
}
