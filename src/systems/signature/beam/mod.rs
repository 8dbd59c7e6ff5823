//! Beam search with a learned metric.
//!
//! The classical [`beam-sic`](crate::detect::beam_sic) ranks hypotheses as if the undecided users were Gaussian. Here an MLP for
//! each step corrects the cost of a hypothesis from what that assumption leaves out: for every undecided user the log
//! ratio of the evidence with its *discrete* symbol (the other undecided users still Gaussian) to the evidence with a
//! Gaussian symbol. With an output of zero, where training starts, it is `beam-sic`. Training is on-policy: the search
//! runs with the present metric, the truth is kept in the beam, and the loss is the cross-entropy of the true extension
//! among all extensions of a step. The search itself runs on the host in f64; gradients of the metric on the device.

mod detector;
mod features;
mod metric;
mod system;
mod task;

pub use detector::BeamDetector;
pub use metric::{BeamNet, HostMetric};
pub use task::BeamTask;
