//! System A: DL-mAMPnet, unfolded AMP with a refinement stage for non-coherent activity and data detection.
//!
//! The equation numbers are those of the DL-mAMPnet paper (Qiao et al.). Two forms share inputs, losses, training and bundles:
//!
//! | | paper form ([`PaperNet`]) | shared form ([`SharedNet`]) |
//! |---|---|---|
//! | linear map of a layer | dense `B_t`, `2NQM x 2LM` | complex `B~_t (x) I_M`, `NQ x L` |
//! | denoiser | entry by entry (47) | row energies over the M antennas, section-wise posterior |
//! | Onsager term | scalar (48) | M x M matrix |
//! | after the AMP layers | refinement module (49)-(55) | covariance layers (ours) |
//!
//! With untrained parameters the paper form is the real AMP of (44)-(48) and the shared form is the classical
//! [`amp-section`](crate::detect) (or `amp`) detector; both are tested.

mod config;
mod cost;
mod detector;
mod net;
mod options;
mod paper;
mod refinement;
mod shared;
mod stages;
mod system;
mod task;

pub use config::{Denoiser, ModelConfig, ModelForm};
pub use detector::MampDetector;
pub use net::{MampNet, NetOutput, Prepared, Side};
pub use options::MampnetOptions;
pub use paper::{PaperLayer, PaperNet, PaperPass, entry_denoiser};
pub use refinement::{Refinement, Stages};
pub use shared::{Constants, SharedNet, SharedPass};
pub use system::MampnetInfo;
pub use task::{MampTask, StepBatch};
