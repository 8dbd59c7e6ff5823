//! `tuned`: options that validation frames choose.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::metrics::MetricName;

/// By which metric the options of a classical detector are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tuned {
    /// `true`: the first metric of the figure that options can be chosen by, SER where there is none.
    Figure,
    /// SER (errors at the best threshold), NMSE or MSE.
    By(MetricName),
}

impl Serialize for Tuned {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Figure => serializer.serialize_bool(true),
            Self::By(metric) => metric.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Tuned {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Given {
            Flag(bool),
            Text(String),
        }
        let metric = |text: &str| text.parse().ok().filter(|m: &MetricName| m.is_tuned_by());
        match Given::deserialize(deserializer) {
            Ok(Given::Flag(true)) => Ok(Self::Figure),
            Ok(Given::Text(text)) if metric(&text).is_some() => Ok(Self::By(metric(&text).unwrap_or(MetricName::Ser))),
            _ => Err(D::Error::custom(
                "tuned is true (by the first of these metrics in the figure), \"ser\", \"nmse_db\", \"mse\" or \"mse_entry\"; leave it out otherwise",
            )),
        }
    }
}
