//! The physics: activity, fading, path loss, pilots and noise, turned into frames.
//!
//! # Model
//!
//! The access link is `Y = S X + W`, the spreading link `y = sum_n diag(h_n) s_n x_n + w`; symbols and shapes are those of
//! [`link`](crate::link). The kinds of [`ScenarioKind`] differ in gains, noise and pilot energy:
//!
//! | kind | system | channel of an active device | gain `beta_n` | `noise_var` | energy of a pilot |
//! |---|---|---|---|---|---|
//! | non-coherent | A, C | `CN(0, beta_n I)` | `10^((P - noise_psd - 10 log10(bandwidth) - offset - slope log10(d_km))/10)` | 1 | 1 |
//! | unit-gain | B | `CN(0, I)` | 1 | stated | L |
//! | coherent | D | `CN(0, beta_n I)` | 1, or path loss of mean one | `N/10^(snr_db/10)` | L |
//! | channel-file | A, D | of the file, phase uniform | of the file | 1, or as coherent with `snr_db` | 1, or L |
//! | noma | E | `h_n` known, see [`NomaConfig`] | 1 | `1/10^(snr_db/10)` | 1 |
//!
//! P is the transmit power in dBm, `noise_psd` in dBm/Hz, bandwidth in Hz: with noise of variance one, `beta_n` is the received
//! energy of one unit-norm sequence over the noise density. A device is active with probability `activity_prob`, on its own or
//! by one of the other [`ActivityLaw`]s, and sends each of its Q = 2^J sequences alike.
//!
//! # From a scenario to frames
//!
//! A [`Scenario`] draws [`Realizations`] (who is active, what they send, through which channel, and the noise)
//! from counter-based random streams; [`Realizations::observe`] passes them through a pilot matrix and gives a
//! [`FrameBatch`](crate::link::FrameBatch), which is all a detector sees. Because the two steps are separate, detectors with
//! *different* pilots (random ones, or ones learned with the receiver) are still compared on the same devices, channels and
//! noise. A frame depends on seed, split, scenario and its number only, not on the batch that it is drawn in. Options out
//! of range are a [`ScenarioError`] that names key, range and default.
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//!
//! use grantfree::link::Split;
//! use grantfree::scenario::{Scenario, ScenarioConfig};
//!
//! let scenario = Scenario::new(&ScenarioConfig { devices: 20, ..Default::default() }, 1, Split::Test)?;
//! let draws = scenario.realize(0, 4);
//! let frames = draws.observe(&scenario.pilots(0))?;
//! assert_eq!(frames.y().len(), 4 * 40 * 16);
//!
//! // The same devices, channels and noise with other pilots.
//! let other = scenario.pilots(0).with_data(1.0, scenario.pilots(0).data().iter().map(|s| s.conj()).collect())?;
//! let beside = draws.observe(&Arc::new(other))?;
//! assert_eq!(beside.truth(), frames.truth());
//! assert_ne!(beside.y(), frames.y());
//!
//! // Frame 3 is the same in every batch.
//! assert_eq!(scenario.realize(3, 1).observe(&scenario.pilots(0))?.y(), frames.frame(3));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Sources: the system models of the five papers, see [references](crate::docs::references).

mod channel_file;
mod config;
mod error;
pub mod files;
#[cfg(test)]
mod law_tests;
mod noma;
mod noma_config;
mod noncoherent;
mod pilots;
mod pilots_file;
mod realizations;
pub mod signatures;

pub use channel_file::ChannelFile;
pub use config::{ActivityLaw, EnergyConvention, PilotKind, PilotRedraw, Positions, ScenarioConfig, ScenarioKind};
pub use error::ScenarioError;
pub use noma::symbols;
pub use noma_config::{Activation, ActivationLaw, Constellation, Fading, NomaConfig, SignatureKind, SnrConvention};
pub use noncoherent::{BlockPilots, Scenario};
pub use pilots::draw_pilots;
pub use pilots_file::read_pilots;
pub use realizations::{Draws, Realizations};
