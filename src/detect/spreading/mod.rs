//! Reference receivers of the spreading link (system E): `y = sum_n g_n x_n + w` with `g_n = diag(h_n) s_n`.
//!
//! | kind | algorithm |
//! |---|---|
//! | [matched-filter](crate::detect::matched_filter) | one matched filter per user, interference taken as Gaussian |
//! | [mmse-sic](crate::detect::mmse_sic) | MMSE filter and successive cancellation of decisions |
//! | [beam-sic](crate::detect::beam_sic) | the same, keeping the best hypotheses |
//! | [expectation-propagation](crate::detect::expectation_propagation) | Gaussian EP with the discrete prior |
//! | [soft-sic](crate::detect::soft_sic) | soft cancellation of LMMSE estimates, in rounds |
//! | [joint-map](crate::detect::joint_map) | exhaustive search |
//! | [oracle-ls](crate::detect::oracle_ls) | minimum-norm least squares on the true active set |
//!
//! # Model
//!
//! N users, H chips, C symbols of unit mean energy ((2)-(5) of the NOMA signature paper, see
//! [references](crate::docs::references)): y `[H]`, signature `s_n [H]` of norm one, fading `h_n [H]`, `w ~ CN(0, sigma2 I)`. A user
//! is idle (`x_n = 0`) with probability `1 - p_n` and else sends each of the C symbols with `p_n / C`, so `x_n` has the
//! prior variance `p_n`.
//!
//! # Inputs and outputs
//!
//! Every receiver knows h, the signatures, the noise variance per chip and the activity probabilities: `y [F, H]`, `h [F, N, H]`,
//! signatures `[H, N]`. `Decisions::activity [F, N]` is 0 (idle) or the index of the symbol plus one; `Decisions::score [F, N*C]`
//! holds the log posterior odds (nats) of a symbol against idle under the receiver's own approximation. Frames of the access
//! link are a [`DetectError::Mismatch`](crate::link::DetectError). Arithmetic is f64; each frame is computed by one thread in a
//! fixed order.

pub(crate) mod algebra;
pub(crate) mod link;
pub(crate) mod schedule;
#[cfg(test)]
mod tests;
