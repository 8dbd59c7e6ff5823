//! What is kept of one block: sums, never single frames.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::metrics::{FrameCounts, MetricName, MetricSums, PAIRED_METRICS};
use crate::results::Products;

/// Sums of one metric over the frames of a block as they stand in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct LoggedMetric {
    /// The metric.
    pub metric: MetricName,
    /// `[sum a, sum b, sum a*a, sum a*b, sum b*b]`.
    #[serde(with = "exact")]
    pub sums: [f64; 5],
}

/// One detector in one block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct BlockDetector {
    /// Id in the experiment file.
    pub id: String,
    /// Seconds inside the detector.
    pub seconds: f64,
    /// What was measured.
    pub metrics: Vec<LoggedMetric>,
}

/// One block: a line of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct BlockRecord {
    /// Index of the block.
    pub block: u64,
    /// Frames in it; fewer than `engine.block_frames` only in the last block before `engine.max_frames`.
    pub frames: u64,
    /// Seconds of drawing and detecting.
    pub seconds: f64,
    /// Error events per detector (symbol errors), for readers of the log; follows from the sums.
    pub events: Vec<u64>,
    /// Detectors in legend order.
    pub detectors: Vec<BlockDetector>,
    /// Sums over frames of products of two detectors' numerators; none in logs of older versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<Products>,
}

impl BlockDetector {
    /// Adds the frames of a block in frame order.
    pub fn new(id: &str, counts: &[FrameCounts]) -> Self {
        let mut sums: BTreeMap<MetricName, MetricSums> = BTreeMap::new();
        for frame in counts {
            for metric in frame.metrics() {
                if let Some((a, b)) = frame.ratio(metric) {
                    sums.entry(metric).or_default().add_frame(a, b);
                }
            }
        }
        let metrics = sums.into_iter().map(|(metric, s)| LoggedMetric { metric, sums: s.sums }).collect();
        Self { id: id.into(), seconds: 0.0, metrics }
    }

    /// Sums of one metric; `None` when it was not measured.
    pub fn sums(&self, metric: MetricName, frames: u64) -> Option<MetricSums> {
        self.metrics.iter().find(|m| m.metric == metric).map(|m| MetricSums { frames, sums: m.sums })
    }
}

/// Products of the numerators of every two detectors, whose frames are the same; `counts [detector][frame]`.
pub(super) fn products(ids: &[&str], counts: &[Vec<FrameCounts>]) -> Vec<Products> {
    let of_metric = |metric: MetricName| {
        let numerators: Vec<(&str, Vec<f64>)> = ids
            .iter()
            .zip(counts)
            .filter_map(|(id, frames)| {
                let all: Option<Vec<f64>> = frames.iter().map(|c| c.ratio(metric).map(|r| r.0)).collect();
                Some((*id, all.filter(|a| !a.is_empty())?))
            })
            .collect();
        let pair =
            |a: &[f64], b: &[f64]| Some(a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>()).filter(|s| s.is_finite());
        let sums = (0..numerators.len())
            .flat_map(|j| (0..j).map(move |i| (i, j)))
            .map(|(i, j)| pair(&numerators[i].1, &numerators[j].1))
            .collect();
        Products { metric, detectors: numerators.iter().map(|(id, _)| (*id).to_owned()).collect(), sums }
    };
    PAIRED_METRICS.into_iter().map(of_metric).filter(|p| p.detectors.len() > 1).collect()
}

/// Doubles that survive JSON: finite ones as shortest round-trip numbers, the others as words.
mod exact {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Number {
        Finite(f64),
        Word(String),
    }

    pub fn serialize<S: Serializer>(values: &[f64; 5], serializer: S) -> Result<S::Ok, S::Error> {
        values
            .map(|v| if v.is_finite() { Number::Finite(v) } else { Number::Word(v.to_string()) })
            .serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[f64; 5], D::Error> {
        let mut out = [0.0; 5];
        for (out, number) in out.iter_mut().zip(<[Number; 5]>::deserialize(deserializer)?) {
            *out = match number {
                Number::Finite(v) => v,
                Number::Word(w) => w.parse().map_err(serde::de::Error::custom)?,
            };
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_round_trip_bitwise() {
        for v in [0.1 + 0.2, f64::MIN_POSITIVE, 1e300, f64::INFINITY, f64::NEG_INFINITY, 1.0 / 3.0, 5e-324] {
            let m = LoggedMetric { metric: MetricName::NmseDb, sums: [v, -v, v * 3.0, 7.0, 0.0] };
            let back: LoggedMetric = serde_json::from_str(&serde_json::to_string(&m).unwrap()).unwrap();
            assert_eq!(back.sums.map(f64::to_bits), m.sums.map(f64::to_bits));
        }
        let nan = LoggedMetric { metric: MetricName::NmseDb, sums: [f64::NAN; 5] };
        let back: LoggedMetric = serde_json::from_str(&serde_json::to_string(&nan).unwrap()).unwrap();
        assert!(back.sums.iter().all(|v| v.is_nan()));
    }

    #[test]
    fn unmeasured_metrics_are_absent() {
        let d = BlockDetector::new("a", &[FrameCounts { devices: 4, active: 2, missed: 1, ..Default::default() }]);
        assert_eq!(d.sums(MetricName::Ser, 1).unwrap().sums, [1.0, 4.0, 1.0, 4.0, 16.0]);
        assert_eq!(d.sums(MetricName::NmseDb, 1), None);
    }
}
