//! The one integration-test binary; it drives the `grantfree` binary as a user does.

mod cli;
