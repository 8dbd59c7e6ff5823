//! Reference receivers of the spreading link (system E): `y = sum_n g_n x_n + w` with `g_n = diag(h_n) s_n`.
//!
//! | kind | algorithm |
//! |---|---|
//! | matched-filter | one matched filter per user, interference taken as Gaussian |
//! | mmse-sic | MMSE filter and successive cancellation of decisions |
//! | beam-sic | the same, keeping the best hypotheses |
//! | expectation-propagation | Gaussian EP with the discrete prior |
//! | soft-sic | soft cancellation of LMMSE estimates, in rounds |
//! | joint-map | exhaustive search |
//! | oracle-ls | minimum-norm least squares on the true active set |
//!
//! Every receiver knows `h`, the signatures, the noise variance and the activity probabilities. A user is idle with
//! probability `1 - p_n` and else sends each of the C symbols with `p_n / C`. `Decisions::score` is `[F, N*C]`: log
//! posterior odds of a symbol against idle under the receiver's own approximation. Arithmetic is f64; each frame is
//! computed by one thread in a fixed order.

pub(crate) mod algebra;
pub(crate) mod link;
pub(crate) mod schedule;
#[cfg(test)]
mod tests;
