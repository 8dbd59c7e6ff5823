//! What a refused option is told.

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::Cli;

/// Says which commands take the option that this one refuses, in the place of the parser's tips: to pass it as a value, or
/// to take an option that only sounds like it.
pub(super) fn explain(mut error: clap::Error) -> clap::Error {
    let given = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(given)) if error.kind() == ErrorKind::UnknownArgument => given.clone(),
        _ => return error,
    };
    let root = Cli::command();
    let Some(long) = given.strip_prefix("--").map(str::to_owned) else { return error };
    let takes = |command: &&clap::Command| command.get_arguments().any(|a| a.get_long() == Some(&long));
    let names: Vec<&str> = root.get_subcommands().filter(takes).map(clap::Command::get_name).collect();
    if names.is_empty() {
        return error;
    }
    error.remove(ContextKind::Suggested);
    // `--out` for `--output` is a slip, `--threads` for `--shard` is not.
    let slip = matches!(error.get(ContextKind::SuggestedArg), Some(ContextValue::String(s)) if s.starts_with(&given));
    if !slip {
        error.remove(ContextKind::SuggestedArg);
    }
    let tip = format!("'{given}' is an option of {}", names.join(", "));
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    error
}
