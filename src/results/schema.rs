//! `results.json`: everything a report needs, and nothing that has to be computed again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::Experiment;
use crate::detect::Told;
use crate::metrics::MetricName;
use crate::training::TrainingPoint;

/// Version of the layout of `results.json`.
pub const SCHEMA_VERSION: u32 = 1;

/// Results of one experiment (or of one shard of it).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Results {
    /// Layout of this file.
    pub schema_version: u32,
    /// Version of grantfree that wrote it.
    pub crate_version: String,
    /// The experiment after budget and `--set`.
    pub config: Experiment,
    /// Seed of every stream.
    pub seed: u64,
    /// Where it ran.
    pub machine: Machine,
    /// `None` for a whole run, `(i, n)` for shard i of n (1-based).
    pub shard: Option<(u32, u32)>,
    /// Points in the order of the file.
    pub points: Vec<PointResult>,
    /// One entry per trained network.
    pub training: Vec<TrainingRecord>,
    /// Grey images of figures with style "visualisation": the stages of one frame, as in Fig. 10 of the DL-mAMPnet paper.
    #[serde(default)]
    pub images: Vec<GreyImage>,
}

/// The machine of a run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Machine {
    /// Operating system and architecture.
    pub platform: String,
    /// Processor model, where it can be read.
    pub cpu: String,
    /// Worker threads.
    pub threads: usize,
    /// Tensor backend, e.g. "flex".
    pub backend: String,
    /// GPU adapter, where one was used.
    pub adapter: Option<String>,
}

/// Why a point ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TerminationReason {
    /// `engine.max_frames` reached.
    MaxFrames,
    /// `engine.target_events` reached by every detector.
    TargetEvents,
    /// `engine.rel_ci` reached by every detector.
    RelativeInterval,
    /// `engine.time_budget` used up.
    TimeBudget,
    /// Ctrl-C.
    Interrupted,
    /// One shard of a point; stop rules are applied when shards are merged.
    Shard,
    /// Not begun.
    NotStarted,
}

/// One simulated point.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PointResult {
    /// `figure/index`.
    pub id: String,
    /// Figure id.
    pub figure: String,
    /// Index on the x axis.
    pub index: usize,
    /// Value on the x axis, in the unit of the swept key; null where there is no number.
    pub x: Option<f64>,
    /// The value as text.
    pub x_label: String,
    /// Frames simulated.
    pub frames: u64,
    /// Why it ended.
    pub termination: TerminationReason,
    /// Seconds spent simulating and detecting.
    pub seconds: f64,
    /// Detectors in legend order.
    pub detectors: Vec<DetectorResult>,
    /// What every two detectors have in common, by metric; empty in files of older versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<Products>,
}

/// What two detectors have in common: sums over frames of the products of their numerators, from which
/// [`PairedDifference`](crate::metrics::PairedDifference) tells the interval of their difference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Products {
    /// The metric.
    pub metric: MetricName,
    /// Ids of those that measure it.
    pub detectors: Vec<String>,
    /// Of the pairs (0, 1), (0, 2), (1, 2), (0, 3), ...: null where a sum is not finite.
    pub sums: Vec<Option<f64>>,
}

impl Products {
    /// The product of two detectors, in any order.
    pub fn of(&self, first: &str, second: &str) -> Option<f64> {
        let at = |id: &str| self.detectors.iter().position(|d| d == id);
        let (a, b) = (at(first)?, at(second)?);
        let (i, j) = (a.min(b), a.max(b));
        if i == j { None } else { *self.sums.get(j * (j - 1) / 2 + i)? }
    }

    /// Adds the products of other frames; pairs that these lack become unknown.
    pub fn add(&mut self, other: &Self) {
        let mut pairs = (0..self.detectors.len()).flat_map(|j| (0..j).map(move |i| (i, j)));
        for sum in &mut self.sums {
            let Some((i, j)) = pairs.next() else { break };
            *sum = sum.zip(other.of(&self.detectors[i], &self.detectors[j])).map(|(a, b)| a + b);
        }
    }
}

/// One detector at one point.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DetectorResult {
    /// Id in the file.
    pub id: String,
    /// Name in legends.
    pub label: String,
    /// Kind, as spelled in files.
    pub kind: String,
    /// True for predictions that count no frames (state evolution).
    pub predicted: bool,
    /// Trained real parameters.
    pub parameters: usize,
    /// What it was told; null for networks of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
    /// Options that were chosen on validation frames, with their values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub chosen: BTreeMap<String, serde_json::Value>,
    /// Seconds inside the detector; null when it was not timed.
    pub seconds: Option<f64>,
    /// Metrics.
    pub metrics: Vec<MetricResult>,
}

/// One metric of one detector at one point. What was not measured is null, never 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricResult {
    /// What was measured.
    pub metric: MetricName,
    /// Estimate, in the unit of [`MetricName::info`].
    pub value: Option<f64>,
    /// Lower end of the 95 % interval, in the unit of the value; see
    /// [`MetricSums::estimate`](crate::metrics::MetricSums::estimate).
    pub ci_low: Option<f64>,
    /// Upper end of the 95 % interval; the bound 3/n when no event was seen in n frames.
    pub ci_high: Option<f64>,
    /// Error events counted (null for metrics that are not counts).
    pub events: Option<u64>,
    /// Frames behind the value; 0 for predictions and properties.
    pub frames: u64,
    /// Sums over frames of numerator a and denominator b: `[sum a, sum b, sum a*a, sum a*b, sum b*b]`.
    pub sums: Option<[f64; 5]>,
}

/// Training of one network.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TrainingRecord {
    /// Point id.
    pub point: String,
    /// Detector id.
    pub detector: String,
    /// Name in legends.
    pub label: String,
    /// Trained real parameters.
    pub parameters: usize,
    /// Seconds of training, resumed parts included.
    pub seconds: f64,
    /// Steps done.
    pub steps: u64,
    /// Folder of the bundle, relative to the results.
    pub bundle: String,
    /// The curve.
    pub curve: Vec<TrainingPoint>,
    /// Why it ended.
    pub termination: String,
}

/// One stage of one frame as a grey image.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GreyImage {
    /// Figure id.
    pub figure: String,
    /// What is shown.
    pub title: String,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// Moduli or probabilities, `[rows, columns]` row-major; the report scales the smallest to black, the largest to white.
    pub pixels: Vec<f32>,
}

/// A number without frames or interval; no value where it is not finite.
pub fn property(metric: MetricName, value: f64) -> MetricResult {
    let value = Some(value).filter(|v| v.is_finite());
    MetricResult { metric, value, ci_low: None, ci_high: None, events: None, frames: 0, sums: None }
}
