//! Sums over the blocks of a point, in block order, and the results they give.

use super::block::BlockRecord;
use crate::config::{DetectorConfig, Point};
use crate::metrics::{Estimate, JAIN, METRICS, MetricKind, MetricSums, SER, jain_estimate, user_metric};
use crate::results::{DetectorResult, MetricResult, property};

/// One detector so far.
#[derive(Debug, Clone)]
pub(super) struct DetectorTotals {
    /// Id in the experiment file.
    pub id: String,
    /// Seconds inside the detector.
    pub seconds: f64,
    /// Sums in the order of [`METRICS`].
    pub metrics: [Option<MetricSums>; METRICS.len()],
    /// Bit errors of each user of a spreading link.
    pub users: Vec<MetricSums>,
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
}

impl Totals {
    /// Nothing counted yet.
    pub fn new<'a>(ids: impl IntoIterator<Item = &'a str>) -> Self {
        let of = |id: &str| DetectorTotals {
            id: id.into(),
            seconds: 0.0,
            metrics: [None; METRICS.len()],
            users: Vec::new(),
        };
        Self { frames: 0, seconds: 0.0, detectors: ids.into_iter().map(of).collect() }
    }

    /// Adds the next block. Detectors are found by id, so the order of the legend may change between runs.
    pub fn add(&mut self, record: &BlockRecord) {
        self.frames += record.frames;
        self.seconds += record.seconds;
        for total in &mut self.detectors {
            let Some(block) = record.detectors.iter().find(|d| d.id == total.id) else { continue };
            total.seconds += block.seconds;
            for (sum, metric) in total.metrics.iter_mut().zip(METRICS) {
                if let Some(s) = block.sums(metric.name, record.frames) {
                    sum.get_or_insert_default().add(&s);
                }
            }
            let users = block.users(record.frames);
            total.users.resize(users.len().max(total.users.len()), MetricSums::default());
            total.users.iter_mut().zip(&users).for_each(|(sum, s)| sum.add(s));
        }
    }

    /// Results of the simulated detectors joined with the predicted ones in the order of the point's legend.
    pub fn detector_results(
        &self,
        point: &Point,
        parameters: impl Fn(&str) -> usize,
        properties: impl Fn(&str) -> Vec<(String, f64)>,
        predicted: &[DetectorResult],
    ) -> Vec<DetectorResult> {
        let mut results: Vec<DetectorResult> =
            self.detectors.iter().map(|d| d.result(point.detectors.get(&d.id), parameters(&d.id))).collect();
        for result in &mut results {
            result.metrics.extend(properties(&result.id).into_iter().map(|(name, value)| property(&name, value)));
        }
        results.extend(predicted.iter().cloned());
        // Ids that the point does not list keep their order at the end (the sort is stable).
        results.sort_by_key(|r| point.detectors.get_index_of(&r.id).unwrap_or(usize::MAX));
        results
    }
}

impl DetectorTotals {
    /// Symbol error events.
    pub fn events(&self) -> u64 {
        self.metrics[SER].and_then(|s| s.events(METRICS[SER].kind)).unwrap_or(0)
    }

    /// Symbol error rate.
    pub fn ser(&self) -> Estimate {
        self.metrics[SER].map(|s| s.estimate(METRICS[SER].kind)).unwrap_or_default()
    }

    fn result(&self, config: Option<&DetectorConfig>, parameters: usize) -> DetectorResult {
        let mut metrics: Vec<MetricResult> =
            METRICS.iter().zip(&self.metrics).map(|(m, sums)| of_sums(m.name.into(), m.kind, sums.as_ref())).collect();
        for (i, sums) in self.users.iter().enumerate() {
            metrics.push(of_sums(user_metric(i), MetricKind::Proportion, Some(sums)));
        }
        if !self.users.is_empty() {
            let index = of_estimate(JAIN.into(), &jain_estimate(&self.users));
            metrics.push(MetricResult { frames: self.users[0].frames, ..index });
        }
        DetectorResult {
            id: self.id.clone(),
            label: config.map_or(self.id.as_str(), |c| c.shown(&self.id)).to_owned(),
            kind: config.map(DetectorConfig::kind).unwrap_or_default().to_owned(),
            predicted: false,
            parameters,
            seconds: (self.metrics[SER].is_some()).then_some(self.seconds),
            metrics,
        }
    }
}

fn of_estimate(metric: String, estimate: &Estimate) -> MetricResult {
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

fn of_sums(metric: String, kind: MetricKind, sums: Option<&MetricSums>) -> MetricResult {
    MetricResult {
        events: sums.and_then(|s| s.events(kind)),
        frames: sums.map_or(0, |s| s.frames),
        // JSON has no infinities: sums of a diverged estimate are reported as not measured.
        sums: sums.map(|s| s.sums).filter(|s| s.iter().all(|v| v.is_finite())),
        ..of_estimate(metric, &sums.map(|s| s.estimate(kind)).unwrap_or_default())
    }
}
