//! `grantfree report`: figures and report again from results.json.

use super::ReportArgs;
use super::error::{CliError, say};
use crate::report::{PANELS_FILE, panels_markdown, write_report};
use crate::results::read_results;

/// Reads `results.json` and writes csv, figures and report.html into the same folder, or into `--out`.
///
/// # Errors
/// [`CliError`]: code 1 when the results cannot be read or the report cannot be written.
pub fn execute(args: &ReportArgs) -> Result<(), CliError> {
    if args.markdown && args.dir.join(PANELS_FILE).exists() {
        return say(panels_markdown(&args.dir)?.trim_end());
    }
    let results = read_results(&args.dir)?;
    if args.markdown {
        return say(crate::report::markdown(&results).trim_end());
    }
    let files = write_report(args.out.as_ref().unwrap_or(&args.dir), &results)?;
    say(&files.html.display().to_string())
}
