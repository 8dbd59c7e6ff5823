//! Rows of a training curve.

use serde::{Deserialize, Serialize};

/// One row of a training curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingPoint {
    /// Steps done.
    pub step: u64,
    /// Phase, e.g. "layer 3" or "joint".
    pub phase: String,
    /// Seconds of training so far.
    pub seconds: f64,
    /// Mean training loss since the last row.
    pub train_loss: f64,
    /// Validation loss.
    pub validation_loss: f64,
    /// Validation symbol error rate; null in phases that do not decide.
    pub validation_ser: Option<f64>,
    /// Validation bit error rate, on spreading links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_ber: Option<f64>,
}
