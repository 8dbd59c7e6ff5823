//! Sums over the blocks of a point, in block order, and the results they give.

use std::collections::BTreeMap;

use super::block::BlockRecord;
use crate::config::{DetectorConfig, Point};
use crate::metrics::{Estimate, FRAME_METRICS, MetricName, MetricSums, jain_estimate};
use crate::results::{DetectorResult, MetricResult, Products, property};

/// One detector so far.
#[derive(Debug, Clone)]
pub(super) struct DetectorTotals {
    /// Id in the experiment file.
    pub id: String,
    /// Seconds inside the detector.
    pub seconds: f64,
    /// Sums of what was measured.
    pub sums: BTreeMap<MetricName, MetricSums>,
}

/// A point so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Totals {
    /// Frames simulated.
    pub frames: u64,
    /// Seconds of drawing and detecting.
    pub seconds: f64,
    /// Detectors in legend order.
    pub detectors: Vec<DetectorTotals>,
    /// What every two detectors have in common; empty as soon as a block does not tell.
    pub products: Vec<Products>,
}

/// What is known of a detector beside its counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// Trained real parameters.
    pub parameters: usize,
    /// Metrics that count no frame.
    pub properties: Vec<(MetricName, f64)>,
    /// Options that were chosen on validation frames.
    pub chosen: BTreeMap<String, serde_json::Value>,
}

impl Totals {
    /// Nothing counted yet.
    pub fn new<'a>(ids: impl IntoIterator<Item = &'a str>) -> Self {
        let of = |id: &str| DetectorTotals { id: id.into(), seconds: 0.0, sums: BTreeMap::new() };
        Self { detectors: ids.into_iter().map(of).collect(), ..Self::default() }
    }

    /// Adds the next block. Detectors are found by id, so the order of the legend may change between runs.
    pub fn add(&mut self, record: &BlockRecord) {
        if self.frames == 0 {
            self.products = record.products.clone();
        } else {
            self.products.retain_mut(|sums| match record.products.iter().find(|p| p.metric == sums.metric) {
                Some(more) => {
                    sums.add(more);
                    true
                }
                None => false,
            });
        }
        self.frames += record.frames;
        self.seconds += record.seconds;
        for total in &mut self.detectors {
            let Some(block) = record.detectors.iter().find(|d| d.id == total.id) else { continue };
            total.seconds += block.seconds;
            for m in &block.metrics {
                let sums = MetricSums { frames: record.frames, sums: m.sums };
                total.sums.entry(m.metric).or_default().add(&sums);
            }
        }
    }

    /// Results of the simulated detectors joined with the predicted ones in the order of the point's legend.
    pub fn detector_results(
        &self,
        point: &Point,
        known: impl Fn(&str) -> Known,
        predicted: &[DetectorResult],
    ) -> Vec<DetectorResult> {
        let mut results: Vec<DetectorResult> =
            self.detectors.iter().map(|d| d.result(point.detectors.get(&d.id), known(&d.id))).collect();
        results.extend(predicted.iter().cloned());
        // Ids that the point does not list keep their order at the end (the sort is stable).
        results.sort_by_key(|r| point.detectors.get_index_of(&r.id).unwrap_or(usize::MAX));
        results
    }
}

impl DetectorTotals {
    /// Symbol error events.
    pub fn events(&self) -> u64 {
        of_sums(MetricName::Ser, self.sums.get(&MetricName::Ser)).events.unwrap_or(0)
    }

    /// Symbol error rate.
    pub fn ser(&self) -> Estimate {
        self.sums.get(&MetricName::Ser).map(|s| MetricName::Ser.estimate(s)).unwrap_or_default()
    }

    fn result(&self, config: Option<&DetectorConfig>, known: Known) -> DetectorResult {
        let users = (0..).map(MetricName::BerUser).take_while(|m| self.sums.contains_key(m));
        let mut metrics: Vec<MetricResult> =
            FRAME_METRICS.into_iter().chain(users).map(|m| of_sums(m, self.sums.get(&m))).collect();
        let users: Vec<MetricSums> =
            self.sums.iter().filter(|(m, _)| matches!(m, MetricName::BerUser(_))).map(|(_, s)| *s).collect();
        if let Some(first) = users.first() {
            let index = of_estimate(MetricName::Jain, &jain_estimate(&users));
            metrics.push(MetricResult { frames: first.frames, ..index });
        }
        metrics.extend(known.properties.into_iter().map(|(name, value)| property(name, value)));
        DetectorResult {
            id: self.id.clone(),
            label: config.map_or(self.id.as_str(), |c| c.shown(&self.id)).to_owned(),
            kind: config.map(DetectorConfig::kind).unwrap_or_default().to_owned(),
            predicted: false,
            parameters: known.parameters,
            told: config.map(DetectorConfig::told),
            chosen: known.chosen,
            seconds: self.sums.contains_key(&MetricName::Ser).then_some(self.seconds),
            metrics,
        }
    }
}

fn of_estimate(metric: MetricName, estimate: &Estimate) -> MetricResult {
    MetricResult {
        metric,
        value: estimate.value,
        ci_low: estimate.interval.map(|i| i.low),
        ci_high: estimate.interval.map(|i| i.high),
        events: None,
        frames: 0,
        sums: None,
    }
}

fn of_sums(metric: MetricName, sums: Option<&MetricSums>) -> MetricResult {
    MetricResult {
        events: sums.zip(metric.kind()).and_then(|(s, kind)| s.events(kind)),
        frames: sums.map_or(0, |s| s.frames),
        // JSON has no infinities: sums of a diverged estimate are reported as not measured.
        sums: sums.map(|s| s.sums).filter(|s| s.iter().all(|v| v.is_finite())),
        ..of_estimate(metric, &sums.map(|s| metric.estimate(s)).unwrap_or_default())
    }
}
