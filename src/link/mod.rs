//! The vocabulary of the link: pilots, frames, decisions, the trait of all detectors, the random streams that everything
//! is drawn from, and the error of an option out of range.
//!
//! # Model
//!
//! Access link: `Y = S X + W`, Y `[L, M]` (L symbols, M antennas), pilots S `[L, N*Q]` (N devices of Q sequences each), X `[N*Q, M]`
//! with at most one row per device that is not zero, W `CN(0, noise_var)` per entry. Spreading link:
//! `y = sum_n diag(h_n) s_n x_n + w`, y `[H]` (H chips); it is stored as an access link with one antenna whose pilots are the
//! signatures. Powers are linear. Arrays are row-major and complex double ([`C64`]). How frames come about is told by
//! [`scenario`](crate::scenario).
//!
//! Lengths and ranges of [`Pilots`], [`AccessModel`] and [`FrameBatch`] are checked when they are made, so detectors may
//! rely on them. A detector of your own implements [`Detector`], whose page has an example.
//!
//! # Example
//!
//! Two devices with one pilot each, one antenna, one frame in which device 1 is heard:
//!
//! ```
//! use std::sync::Arc;
//!
//! use grantfree::link::{AccessModel, Beta, C64, FrameBatch, Pilots};
//!
//! let one = C64::new(0.5_f64.sqrt(), 0.0);
//! let pilots = Pilots::new(2, 2, 1, 1.0, vec![one, one, one, -one])?;
//! assert_eq!(pilots.column(1), [one, -one]);
//! assert!(pilots.coherence() < 1e-15);
//!
//! let model = AccessModel::new(Arc::new(pilots), 1, 0.01, vec![0.5, 0.5])?;
//! let frames = FrameBatch::new(model.clone(), vec![2.0 * one, -2.0 * one], Beta::ones(2))?;
//! assert_eq!(frames.frames(), 1);
//!
//! // Half a frame is refused: the error names the array, what was found and what is expected.
//! let short = FrameBatch::new(model, vec![one], Beta::ones(2)).unwrap_err();
//! assert_eq!(short.to_string(), "y holds 1 values, these frames need 2 ([F, L, M] = [1, 2, 1])");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod array;
mod detector;
mod error;
mod frames;
mod model;
mod options;
mod pilots;
mod streams;
#[cfg(test)]
mod tests;

pub use array::ArrayError;
pub(crate) use array::{check_each, check_finite, check_length, check_positive, index_of};
pub use detector::{Decisions, DetectError, Detector, Facts, IterativeSolver};
pub(crate) use error::check;
pub use error::{ConfigError, spelled};
pub use frames::{C64, FrameBatch, Spreading, Truth};
pub use model::{AccessModel, Beta, Groups};
pub use options::{OptionKey, Options};
pub(crate) use options::{check_option, has_value, options, shown};
pub use pilots::Pilots;
pub use streams::{Purpose, Split, StreamFamily, StreamKey};
