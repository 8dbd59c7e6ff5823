//! Texts of the program against committed ones, character by character.
//!
//! After a wanted change, `GRANTFREE_REWRITE_SNAPSHOTS=1 cargo test --release --test integration cli` writes the files of
//! tests/cli/snapshots again; `git diff` shows what a user will see.

use std::path::Path;

use clap::CommandFactory;
use grantfree::cli::Cli;

use super::{Assert, grantfree};

/// Set to write the files instead of comparing with them.
const REWRITE: &str = "GRANTFREE_REWRITE_SNAPSHOTS";

/// Compares a text with `tests/cli/snapshots/NAME.txt`.
#[track_caller]
pub fn compare(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/cli/snapshots/{name}.txt"));
    if std::env::var_os(REWRITE).is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, found).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    if committed == found {
        return;
    }
    let (old, new): (Vec<&str>, Vec<&str>) = (committed.lines().collect(), found.lines().collect());
    let first = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let line = |lines: &[&str]| lines.get(first).map_or("(the end)".to_owned(), |l| format!("{l:?}"));
    panic!(
        "{} differs from line {} on: committed {}, found {}; if it is meant, set {REWRITE}=1 and run the test again",
        path.display(),
        first + 1,
        line(&old),
        line(&new)
    );
}

#[test]
fn the_help_of_every_command_is_the_committed_one() {
    let help = |words: &[&str]| {
        let run = grantfree().args(words).arg("--help").assert().success();
        String::from_utf8(run.get_output().stdout.clone()).unwrap()
    };
    compare("help/grantfree", &help(&[]));
    let command = Cli::command();
    let names: Vec<&str> = command.get_subcommands().map(|c| c.get_name()).collect();
    assert!(names.contains(&"run"), "{names:?}");
    for name in names {
        compare(&format!("help/{name}"), &help(&[name]));
    }
}
