//! The `grantfree` binary: everything is in [`grantfree::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(grantfree::cli::main())
}
