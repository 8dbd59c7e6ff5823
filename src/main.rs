//! The `grantfree` binary: everything is in [`grantfree::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    let code = grantfree::cli::main();
    leave(code);
    ExitCode::from(code)
}

/// Ends the process without the exit handlers of C libraries: a software Vulkan driver tears its globals down there
/// while its worker threads still run, which now and then corrupts the heap and turns a finished run into an abort.
/// Everything of ours is on disk by now, and both streams are flushed.
#[expect(unsafe_code, reason = "`std::process::exit` runs the exit handlers, `abort` reports a failure")]
#[cfg(all(unix, feature = "wgpu"))]
fn leave(code: u8) {
    use std::io::Write;
    drop(std::io::stdout().flush());
    drop(std::io::stderr().flush());
    // SAFETY: `_exit` has no preconditions and does not return.
    unsafe { libc::_exit(code.into()) }
}

#[cfg(not(all(unix, feature = "wgpu")))]
fn leave(_: u8) {}
