//! System A: DL-mAMPnet, unfolded AMP with a refinement stage for non-coherent activity and data detection.
//!
//! # Model
//!
//! `Y = S X + W`, Y `[L, M]`, S `[L, N*Q]`, at most one row of X per device is not zero ([`scenario`](crate::scenario), kind
//! "non-coherent"). In: Y, the pilots, the gains, the noise variance. Out: the activity with the sent sequence, `[F, N]`, and as
//! score the posterior logit of every sequence, `[F, N*Q]`. Inside, everything is divided by the noise standard deviation and the
//! pilot energy ([`FrameTensors`](crate::systems::access::FrameTensors)).
//!
//! # Network
//!
//! Equation numbers are those of the DL-mAMPnet paper. Layer t takes `X_(t-1)`, `R_(t-1)`, from `X_0 = 0`, `R_0 = Y`:
//!
//! 1. `Z = X_(t-1) + B_t R_(t-1)` and the effective noise `tau2 = ||R_(t-1)||^2/(2LM)` of a real entry (the print omits the square);
//! 2. `X_t = eta(Z; theta_1, theta_2)` (44), (47): theta_1 stands for the prior `ln((Q - eps)/eps)`, theta_2 for the received power;
//! 3. `R_t = Y - S X_t + (R_(t-1)/(LM)) sum_j eta'_j` (45), (48).
//!
//! Two forms share inputs, losses, training and bundles:
//!
//! | | paper form ([`PaperNet`](crate::systems::mampnet::PaperNet)) | shared form ([`SharedNet`](crate::systems::mampnet::SharedNet)) |
//! |---|---|---|
//! | linear map of a layer | dense `B_t`, `2NQM x 2LM` | complex `B~_t (x) I_M`, `NQ x L` |
//! | denoiser | entry by entry (47) | row energies over the M antennas (28)-(32), section-wise posterior |
//! | Onsager term | scalar (48) | M x M matrix |
//! | after the AMP layers | refinement module (49)-(55) | covariance layers (derived here) |
//!
//! With untrained parameters the paper form is the real AMP of (44)-(48) and the shared form is the classical
//! [`amp-section`](crate::detect::amp) (or amp) detector; both are tested.
//!
//! # Training
//!
//! Layer by layer on the mean squared error (58), the refinement module on the binary cross-entropy (59), then all; the
//! shared form trains on the cross-entropy of the section posterior. Source: the DL-mAMPnet paper, see
//! [references](crate::docs::references).

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
