//! Options that several algorithms share.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// Activity threshold on the log-likelihood ratio of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Threshold {
    /// A named rule.
    Rule(ThresholdRule),
    /// A number, compared with the score.
    Value(f64),
}

/// Named thresholds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThresholdRule {
    /// LLR > 0, eq. (37) of the DL-mAMPnet paper.
    EqualPrior,
    /// LLR > ln((Q - eps)/eps).
    Map,
    /// The number that makes the fewest errors on validation frames; chosen before the simulation.
    Best,
}

impl<'de> Deserialize<'de> for Threshold {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Given {
            Number(f64),
            Text(String),
        }
        let range = "\"equal-prior\", \"map\", \"best\" or a number";
        match Given::deserialize(deserializer) {
            Ok(Given::Number(value)) => Ok(Self::Value(value)),
            Ok(Given::Text(text)) => match text.as_str() {
                "equal-prior" => Ok(Self::EQUAL_PRIOR),
                "map" => Ok(Self::MAP),
                "best" => Ok(Self::BEST),
                _ => Err(D::Error::custom(format!("threshold = \"{text}\" is none of {range}"))),
            },
            Err(_) => Err(D::Error::custom(format!("a threshold is one of {range}"))),
        }
    }
}

impl Threshold {
    /// Whether it is "best" or a finite number.
    pub(crate) fn is_number(&self) -> bool {
        *self == Self::BEST || matches!(self, Self::Value(v) if v.is_finite())
    }

    /// Whether it is a named rule or a finite number.
    pub(crate) fn is_finite(&self) -> bool {
        matches!(self, Self::Rule(_)) || self.is_number()
    }

    /// The number; NaN, which nothing exceeds, for a named rule (the ranges of detectors that compare numbers exclude it).
    pub(crate) fn number(self) -> f64 {
        match self {
            Self::Value(v) => v,
            Self::Rule(_) => f64::NAN,
        }
    }

    /// LLR > 0.
    pub const EQUAL_PRIOR: Self = Self::Rule(ThresholdRule::EqualPrior);
    /// LLR > ln((Q - eps)/eps).
    pub const MAP: Self = Self::Rule(ThresholdRule::Map);
    /// Fewest errors on validation frames.
    pub const BEST: Self = Self::Rule(ThresholdRule::Best);
}

/// How much of the activity probabilities a detector is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActivityPrior {
    /// That of every device.
    Device,
    /// Their mean.
    Mean,
}

/// Onsager correction of AMP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Onsager {
    /// The sum of the M x M Jacobians.
    Matrix,
    /// The mean of their traces: **diverges** in 9-94 % of frames at N = 100, M = 16.
    Scalar,
}

/// Relaxation of pc-admm where none is given.
pub const DEFAULT_ALPHA: f64 = 1.7;

/// Proximal gradient method of the LASSO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LassoMethod {
    /// Plain proximal gradient steps.
    Ista,
    /// With Nesterov's momentum.
    Fista,
}

/// Arithmetic of a classical detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// Double precision.
    F64,
    /// Single precision.
    F32,
}

/// What a linear estimate takes for the covariance of a device's antennas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowCovariance {
    /// Independent antennas of equal power.
    White,
    /// The mean over the devices of training frames.
    Pooled,
}

/// Order of successive cancellation (system E).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Best signal-to-interference ratio first.
    Sinr,
    /// In the order of the users.
    Fixed,
}
