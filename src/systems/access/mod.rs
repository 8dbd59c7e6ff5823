//! What the networks of the access link (systems A, B and C) share: frames as tensors, learned pilots, the layers that are
//! unfolded from a classical algorithm, and losses.

mod amp;
mod covariance;
mod detector;
mod inputs;
mod loss;
mod outcome;
mod pilots;
mod scalar;
mod sizes;
mod source;

pub use amp::{AmpLayer, AmpScalars};
pub(super) use amp::{AmpState, AmpStep};
pub use covariance::CovarianceLayer;
pub use detector::{AccessDetector, AccessNet, Found};
pub(super) use inputs::check_pilots;
pub use inputs::{DrawTensors, FrameTensors, Labels, draw};
pub use loss::{cross_entropy, normalised_mse, output_cross_entropy, wrong_sides};
pub(super) use outcome::{check_sizes, file_rows, read};
pub use pilots::{LearnedPilots, unit_columns};
pub(super) use scalar::{residual_power, scalar};
pub use sizes::LinkSizes;
pub(super) use source::Source;
