//! What is counted in a frame, and how counts become values with confidence intervals.
//!
//! The frame is the statistical unit: errors inside a frame share pilots, interference and the fate of an iterative
//! detector, so they are not independent trials. [`count_frames`] counts one [`FrameCounts`] per frame,
//! [`MetricSums`] adds what the variance of a ratio of sums needs, and [`MetricSums::estimate`] gives the value and
//! its 95 % interval. [`MetricName`] lists everything that is reported, with spelling, unit and definition.

mod coherence;
mod counts;
mod interval;
mod jain;
mod name;
mod paired;
mod sums;
mod table;
mod threshold;

pub use coherence::{PilotCoherence, pilot_coherence, welch_bound};
pub use counts::{FrameCounts, bit_errors, count_frames};
pub use interval::{Interval, clopper_pearson, proportion_interval, ratio_standard_error, wilson};
pub use jain::jain_estimate;
pub use name::{FRAME_METRICS, MetricKind, MetricName, MetricSource, UnknownMetric};
pub use paired::{PAIRED_METRICS, PairedDifference, Verdict};
pub use sums::{Estimate, MetricSums};
pub use table::MetricInfo;
pub use threshold::ThresholdSearch;
