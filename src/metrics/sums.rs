//! Sums over frames and the estimate they give.

use super::interval::{Interval, clopper_pearson, proportion_interval, ratio_standard_error, wilson};
use super::name::{MetricKind, MetricName};
use crate::math::special::t95;

/// Everything that is kept of one metric: sums over frames of numerator a and denominator b.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct MetricSums {
    /// Frames added.
    pub frames: u64,
    /// `[sum a, sum b, sum a*a, sum a*b, sum b*b]`.
    pub sums: [f64; 5],
}

/// A value with its 95 % interval; what the sample cannot tell is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Estimate {
    /// The estimate.
    pub value: Option<f64>,
    /// Its 95 % interval; `[0, 3/n]` when no event was seen in n frames.
    pub interval: Option<Interval>,
}

impl Estimate {
    /// Half-width of the interval over the value; `None` without events.
    pub fn relative_half_width(&self) -> Option<f64> {
        let value = self.value.filter(|v| *v > 0.0)?;
        Some(self.interval?.half_width() / value)
    }
}

impl MetricSums {
    /// Adds one frame.
    pub fn add_frame(&mut self, a: f64, b: f64) {
        self.frames += 1;
        for (s, v) in self.sums.iter_mut().zip([a, b, a * a, a * b, b * b]) {
            *s += v;
        }
    }

    /// Adds the sums of other frames. Floating-point sums depend on the order, so callers add blocks in block order.
    pub fn add(&mut self, other: &Self) {
        self.frames += other.frames;
        for (s, v) in self.sums.iter_mut().zip(other.sums) {
            *s += v;
        }
    }

    /// Events counted, for metrics that are counts.
    pub fn events(&self, kind: MetricKind) -> Option<u64> {
        (!matches!(kind, MetricKind::PowerDb | MetricKind::Power)).then_some(self.sums[0] as u64)
    }

    /// Value and interval.
    ///
    /// - Without a denominator (no active device in any frame, say) there is no value.
    /// - Zero events in n frames: value 0, interval `[0, 3/n]`, `n = (sum b)^2/sum b^2` (the rule of three; J. A. Hanley and A. Lippman-Hand, JAMA
    ///   249 (1983), 1743-1745); no value at all when n <= 3, where that bound says nothing.
    /// - One frame gives a value without an interval.
    /// - Frame events use [`clopper_pearson`] with fewer than five events (or non-events), else [`wilson`].
    /// - Other proportions use [`proportion_interval`].
    /// - Ratios R of energies use the delta method on the logarithm, `R exp(-+ t se/R)` with se of
    ///   [`ratio_standard_error`] and Student's t: both ends are positive and exist in dB.
    pub fn estimate(&self, kind: MetricKind) -> Estimate {
        let [a, b, _, _, bb] = self.sums;
        if self.frames == 0 || !(b > 0.0 && a.is_finite() && b.is_finite()) {
            return Estimate::default();
        }
        let r = a / b;
        if kind == MetricKind::PowerDb {
            // An error of exactly zero has no value in dB.
            let value = (a > 0.0 && r.is_finite()).then(|| 10.0 * r.log10());
            let interval = value.and_then(|v| {
                let se = ratio_standard_error(&self.sums, self.frames)?;
                let half = 10.0 / std::f64::consts::LN_10 * t95((self.frames - 1) as f64) * se / r;
                Some(Interval { low: v - half, high: v + half })
            });
            return Estimate { value, interval };
        }
        if kind == MetricKind::Power {
            let interval = (a > 0.0)
                .then(|| ratio_standard_error(&self.sums, self.frames))
                .flatten()
                .map(|se| (t95((self.frames - 1) as f64) * se / r).exp())
                .map(|factor| Interval { low: r / factor, high: r * factor });
            return Estimate { value: Some(r), interval };
        }
        if a == 0.0 {
            // Errors come in bursts: n counts frames, those with more trials more. With as many trials in each it is their number.
            let n = b * b / bb;
            let seen = (n > 3.0).then_some(Interval { low: 0.0, high: 3.0 / n });
            return Estimate { value: seen.map(|_| 0.0), interval: seen };
        }
        let interval = match kind {
            MetricKind::FrameEvent if a < 5.0 || b - a < 5.0 => Some(clopper_pearson(a as u64, b as u64)),
            MetricKind::FrameEvent => Some(wilson(a, b)),
            _ => proportion_interval(&self.sums, self.frames),
        };
        Estimate { value: Some(r), interval }
    }
}

impl MetricName {
    /// Value and interval of its sums over frames; neither for what is no ratio of sums.
    pub fn estimate(self, sums: &MetricSums) -> Estimate {
        self.kind().map(|kind| sums.estimate(kind)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn of(frames: &[(f64, f64)]) -> MetricSums {
        let mut s = MetricSums::default();
        frames.iter().for_each(|&(a, b)| s.add_frame(a, b));
        s
    }

    #[test]
    fn small_samples_have_no_value() {
        for kind in [MetricKind::Proportion, MetricKind::FrameEvent, MetricKind::PowerDb] {
            assert_eq!(MetricSums::default().estimate(kind), Estimate::default());
            assert_eq!(of(&[(0.0, 0.0), (0.0, 0.0)]).estimate(kind), Estimate::default());
        }
        assert_eq!(of(&[(0.0, 2.0)]).estimate(MetricKind::Proportion).value, None);
        let one = of(&[(1.0, 10.0)]).estimate(MetricKind::Proportion);
        assert_eq!((one.value, one.interval), (Some(0.1), None));
        assert_eq!(of(&[(f64::INFINITY, 1.0), (1.0, 1.0)]).estimate(MetricKind::PowerDb), Estimate::default());
        assert_eq!(of(&[(f64::NAN, 1.0), (1.0, 1.0)]).estimate(MetricKind::PowerDb), Estimate::default());
    }

    #[test]
    fn zero_events_give_the_rule_of_three() {
        let e = of(&[(0.0, 100.0); 50]).estimate(MetricKind::Proportion);
        assert_eq!(e.value, Some(0.0));
        assert_eq!(e.interval, Some(Interval { low: 0.0, high: 3.0 / 50.0 }));
        assert_eq!(e.relative_half_width(), None);
    }

    #[test]
    fn blocks_add_up() {
        let frames: Vec<(f64, f64)> = (0..50).map(|i| (f64::from(i % 3), 7.0)).collect();
        let mut joined = of(&frames[..20]);
        joined.add(&of(&frames[20..]));
        assert_eq!(joined, of(&frames));
        assert_eq!(joined.events(MetricKind::Proportion), Some(49));
    }

    /// Share of 1000 experiments of `frames` frames whose interval holds the true value.
    fn coverage(
        seed: u64,
        frames: usize,
        kind: MetricKind,
        truth: f64,
        mut frame: impl FnMut(&mut ChaCha8Rng) -> (f64, f64),
    ) -> f64 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let hits = (0..1000)
            .filter(|_| {
                let mut s = MetricSums::default();
                for _ in 0..frames {
                    let (a, b) = frame(&mut rng);
                    s.add_frame(a, b);
                }
                s.estimate(kind).interval.is_some_and(|i| i.contains(truth))
            })
            .count();
        hits as f64 / 1000.0
    }

    fn binomial(rng: &mut ChaCha8Rng, n: u32, p: f64) -> f64 {
        (0..n).filter(|_| rng.random::<f64>() < p).count() as f64
    }

    #[test]
    fn intervals_cover() {
        use MetricKind::{FrameEvent, Power, PowerDb, Proportion};
        // The standard error of a coverage of 95 % over 1000 experiments is 0.7 %.
        let independent = coverage(1, 200, Proportion, 0.01, |r| (binomial(r, 20, 0.01), 20.0));
        assert!((0.93..0.985).contains(&independent), "independent: {independent}");
        // Clustered: a fifth of the frames has a ten times higher rate.
        let clustered = coverage(2, 200, Proportion, 0.14, |r| {
            let p = if r.random::<f64>() < 0.2 { 0.5 } else { 0.05 };
            (binomial(r, 50, p), 50.0)
        });
        assert!((0.925..0.97).contains(&clustered), "clustered: {clustered}");
        // Random denominators, as of missed detections.
        let random = coverage(3, 100, Proportion, 0.1, |r| {
            let k = binomial(r, 30, 0.2);
            (binomial(r, k as u32, 0.1), k)
        });
        assert!((0.93..0.98).contains(&random), "random denominators: {random}");
        let events = coverage(4, 300, FrameEvent, 0.03, |r| (binomial(r, 1, 0.03), 1.0));
        assert!((0.93..0.99).contains(&events), "frame events: {events}");
        let truth_db = 10.0 * (0.5_f64 / 1.5).log10();
        let nmse = coverage(5, 60, PowerDb, truth_db, |r| {
            let energy = 1.0 + r.random::<f64>();
            (2.0 * energy * r.random::<f64>() * (0.5 / 1.5), energy)
        });
        assert!((0.925..0.975).contains(&nmse), "nmse: {nmse}");
        let mse = coverage(6, 60, Power, 0.5, |r| (r.random::<f64>(), 1.0));
        assert!((0.925..0.975).contains(&mse), "mse: {mse}");
    }

    #[test]
    fn ignoring_the_clusters_would_not_cover() {
        // The same clustered frames counted as independent trials: the reason for the frame as statistical unit.
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let hits = (0..1000)
            .filter(|_| {
                let events: f64 = (0..200)
                    .map(|_| {
                        let p = if rng.random::<f64>() < 0.2 { 0.5 } else { 0.05 };
                        binomial(&mut rng, 50, p)
                    })
                    .sum();
                wilson(events, 10_000.0).contains(0.14)
            })
            .count();
        assert!(hits < 600, "{hits} of 1000");
    }
}
