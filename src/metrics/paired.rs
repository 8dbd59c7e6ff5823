//! Differences between two detectors on the same frames.
//!
//! Detectors of a point see the same devices, channels and noise, so their errors rise and fall together. The interval of the
//! *difference* leaves out what they share; two intervals that overlap say little about it.

use super::interval::Interval;
use super::name::{MetricKind, MetricName};
use super::sums::MetricSums;
use crate::math::special::t95;

/// Metrics whose denominator is the same for all detectors of a frame.
pub const PAIRED_METRICS: [MetricName; 7] = [
    MetricName::Ser,
    MetricName::FrameError,
    MetricName::NmseDb,
    MetricName::Ber,
    MetricName::Mse,
    MetricName::MseEntry,
    MetricName::RankError,
];

/// Below this sum of squared differences of counts nothing is told: six frames that differ by one error, all to one side,
/// have probability 1/32. (Fewer frames with more errors each may pass; simulated, false verdicts stay below 5 %.)
const FEWEST: f64 = 6.0;

/// One detector's value minus another's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedDifference {
    /// Difference in the unit of the metric (dB for decibels).
    pub value: f64,
    /// Its 95 % interval by frames; `None` where the frames cannot tell.
    pub interval: Option<Interval>,
}

/// How the first of two detectors stands to the second, where small values are good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Lower, and the interval of the difference excludes zero.
    Win,
    /// The frames do not tell.
    Tie,
    /// Higher, and the interval of the difference excludes zero.
    Loss,
}

impl Verdict {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Win => "win",
            Self::Tie => "tie",
            Self::Loss => "loss",
        }
    }
}

impl PairedDifference {
    /// The difference of two detectors from their sums over the same frames and `product`, the sum over frames of the product
    /// of their numerators; `None` for a metric that is no ratio of sums, sums of different frames, or without a value.
    ///
    /// With numerators a, b and the common denominator t of a frame, the difference of rates is `sum (a - b)/sum t` with the
    /// variance of a ratio of sums. Decibels compare `10 lg(sum a/sum b)` by the delta method on the logarithm.
    pub fn of(metric: MetricName, first: &MetricSums, second: &MetricSums, product: f64) -> Option<Self> {
        let kind = metric.kind()?;
        let ([a, t, aa, at, tt], [b, other_t, bb, bt, _]) = (first.sums, second.sums);
        let frames = first.frames;
        let same = frames == second.frames && (t - other_t).abs() <= 1e-9 * t.abs();
        if !same || frames == 0 || t.is_nan() || t <= 0.0 || ![a, b, aa, bb, product].iter().all(|v| v.is_finite()) {
            return None;
        }
        let n = frames as f64;
        let half = |variance: f64| (frames > 1).then(|| t95(n - 1.0) * (variance.max(0.0) * n / (n - 1.0)).sqrt());
        if kind == MetricKind::PowerDb {
            if a <= 0.0 || b <= 0.0 {
                return None;
            }
            let unit = 10.0 / std::f64::consts::LN_10;
            let value = unit * (a / b).ln();
            let half = half(aa / (a * a) + bb / (b * b) - 2.0 * product / (a * b)).map(|h| unit * h);
            return Some(Self { value, interval: half.map(|h| Interval { low: value - h, high: value + h }) });
        }
        let value = (a - b) / t;
        let squares = aa + bb - 2.0 * product;
        let counts = matches!(kind, MetricKind::Proportion | MetricKind::FrameEvent);
        let told = !counts || squares >= FEWEST;
        let half = half(squares - 2.0 * value * (at - bt) + value * value * tt).map(|h| h / t).filter(|_| told);
        Some(Self { value, interval: half.map(|h| Interval { low: value - h, high: value + h }) })
    }

    /// Who is lower, as far as the frames tell.
    pub fn verdict(&self) -> Verdict {
        match self.interval {
            Some(i) if i.high < 0.0 => Verdict::Win,
            Some(i) if i.low > 0.0 => Verdict::Loss,
            _ => Verdict::Tie,
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn of(frames: &[(f64, f64, f64)], metric: MetricName) -> Option<PairedDifference> {
        let (mut first, mut second, mut product) = (MetricSums::default(), MetricSums::default(), 0.0);
        for &(a, b, t) in frames {
            first.add_frame(a, t);
            second.add_frame(b, t);
            product += a * b;
        }
        PairedDifference::of(metric, &first, &second, product)
    }

    #[test]
    fn what_frames_share_does_not_widen_the_difference() {
        // The rate swings between frames a hundred times as much as the two differ.
        let frames: Vec<_> =
            (0..200).map(|i| (f64::from(i % 10) * 5.0 + f64::from(i % 2), f64::from(i % 10) * 5.0, 100.0)).collect();
        let d = of(&frames, MetricName::Ser).unwrap();
        assert!((d.value - 0.005).abs() < 1e-12);
        assert_eq!(d.verdict(), Verdict::Loss);
        let swapped: Vec<_> = frames.iter().map(|&(a, b, t)| (b, a, t)).collect();
        assert_eq!(of(&swapped, MetricName::Ser).unwrap().verdict(), Verdict::Win);
        assert_eq!(of(&frames, MetricName::NmseDb).unwrap().verdict(), Verdict::Loss);
    }

    #[test]
    fn few_differing_frames_are_a_tie() {
        let mut frames = vec![(0.0, 0.0, 100.0); 1000];
        (0..5).for_each(|i| frames[i].0 = 1.0);
        assert_eq!(of(&frames, MetricName::Ser).unwrap().verdict(), Verdict::Tie);
        frames[5].0 = 1.0;
        assert_eq!(of(&frames, MetricName::Ser).unwrap().verdict(), Verdict::Loss);
        assert_eq!(of(&frames, MetricName::Jain), None);
        assert_eq!(of(&[], MetricName::Ser), None);
    }

    #[test]
    fn intervals_cover() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for metric in [MetricName::Ser, MetricName::NmseDb] {
            let truth = if metric == MetricName::Ser { 0.5 } else { 10.0 * 1.5_f64.log10() };
            let hits = (0..1000)
                .filter(|_| {
                    let frames: Vec<_> = (0..100)
                        .map(|_| {
                            let (common, t) = (2.0 * rng.random::<f64>(), 0.5 + rng.random::<f64>());
                            // E a = 1.5 E t, E b = E t.
                            (
                                t * (0.5 + common) * (0.5 + rng.random::<f64>()),
                                t * common * (0.5 + rng.random::<f64>()),
                                t,
                            )
                        })
                        .collect();
                    of(&frames, metric).and_then(|d| d.interval).is_some_and(|i| i.contains(truth))
                })
                .count();
            assert!((920..=980).contains(&hits), "{metric}: {hits} of 1000");
        }
    }
}
