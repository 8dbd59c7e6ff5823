//! The one integration-test binary: networks and kernels against references, and the `grantfree` binary as a user
//! drives it.

mod architecture;
#[cfg(feature = "cli")]
mod cli;
mod comparisons;
mod numerics;
