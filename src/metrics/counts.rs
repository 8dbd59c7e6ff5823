//! Errors of one frame.

use super::{FRAME_METRICS, MetricName};
use crate::link::Decisions;
use crate::link::FrameBatch;

/// What one detector got right and wrong in one frame.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FrameCounts {
    /// Devices N.
    pub devices: u32,
    /// Active devices.
    pub active: u32,
    /// Active devices declared idle.
    pub missed: u32,
    /// Idle devices declared active.
    pub false_alarms: u32,
    /// Active devices declared active with the wrong sequence.
    pub wrong_data: u32,
    /// `sum |x - x_true|^2` and `sum |x_true|^2` over all rows and antennas, from detectors that estimate X.
    pub energies: Option<(f64, f64)>,
    /// Squared error over all rows and antennas, and the antennas, on a link where every gain is one.
    pub squared_error: Option<(f64, u32)>,
    /// `(wrong bits, bits)` of each user of a spreading link, 0 of 0 where it was idle.
    pub user_bits: Option<Vec<(u32, u32)>>,
    /// Pairs of an active and an idle device whose scores are in the wrong order (equal ones count half), and all such pairs.
    pub order: Option<(f64, f64)>,
    /// Whether the detector reached what it looks for, from detectors that can tell.
    pub converged: Option<bool>,
}

impl FrameCounts {
    /// Idle devices.
    pub fn idle(&self) -> u32 {
        self.devices - self.active
    }
    /// Active devices declared active, whatever the sequence.
    pub fn detected(&self) -> u32 {
        self.active - self.missed
    }
    /// Wrong devices.
    pub fn errors(&self) -> u32 {
        self.missed + self.false_alarms + self.wrong_data
    }
    /// Whether any device is wrong.
    pub fn frame_error(&self) -> bool {
        self.errors() > 0
    }

    /// Numerator and denominator of a metric in this frame; `None` where it was not measured or is no ratio of sums
    /// over frames.
    pub fn ratio(&self, metric: MetricName) -> Option<(f64, f64)> {
        let of = |a: u32, b: u32| Some((f64::from(a), f64::from(b)));
        match metric {
            MetricName::Ser => of(self.errors(), self.devices),
            MetricName::MissedDetection => of(self.missed, self.active),
            MetricName::FalseAlarm => of(self.false_alarms, self.idle()),
            MetricName::DataError => of(self.wrong_data, self.detected()),
            MetricName::FrameError => of(u32::from(self.frame_error()), 1),
            MetricName::NmseDb => self.energies,
            MetricName::Ber => self.user_bits.as_ref().and_then(|u| {
                let (wrong, bits) = u.iter().fold((0, 0), |s, b| (s.0 + b.0, s.1 + b.1));
                of(wrong, bits)
            }),
            MetricName::Mse => self.squared_error.map(|(e, _)| (e, f64::from(self.devices))),
            MetricName::MseEntry => self.squared_error.map(|(e, m)| (e, f64::from(self.devices) * f64::from(m))),
            MetricName::RankError => self.order,
            MetricName::NotConverged => self.converged.and_then(|c| of(u32::from(!c), 1)),
            MetricName::BerUser(user) => self.user_bits.as_ref()?.get(user as usize).and_then(|b| of(b.0, b.1)),
            MetricName::Jain
            | MetricName::Coherence
            | MetricName::BlockCoherence
            | MetricName::SubCoherence
            | MetricName::EpsRatio
            | MetricName::KktIterations
            | MetricName::ScoreCalls
            | MetricName::TimeRatio
            | MetricName::FrameMs => None,
        }
    }

    /// Every metric that has a ratio in some frame: [`FRAME_METRICS`], then one per user of a spreading link.
    pub fn metrics(&self) -> impl Iterator<Item = MetricName> {
        let users = self.user_bits.as_ref().map_or(0, Vec::len) as u32;
        FRAME_METRICS.into_iter().chain((0..users).map(MetricName::BerUser))
    }
}

/// Compares decisions with the truth, one entry per frame; empty when the frames have no truth.
///
/// The true row `n*Q + q` of X is the effective channel of device n when it sent sequence q, else zero. Sums run over
/// the rows in order, so they are the same whatever batch the frame is in.
///
/// # Panics
/// When the arrays of `decisions` are shorter than the shapes documented in [`Decisions`].
pub fn count_frames(batch: &FrameBatch, decisions: &Decisions) -> Vec<FrameCounts> {
    let Some(truth) = batch.truth() else { return Vec::new() };
    let (n, q, m) = (batch.model().devices(), batch.model().sequences(), batch.model().antennas());
    let unit_gains = batch.beta().as_shared().is_some_and(|b| b.iter().all(|&b| b == 1.0));
    (0..batch.frames())
        .map(|f| {
            let sent = &truth.activity()[f * n..(f + 1) * n];
            let decided = &decisions.activity[f * n..(f + 1) * n];
            let converged = decisions.converged.as_ref().map(|c| c[f]);
            let mut c = FrameCounts { devices: n as u32, converged, ..FrameCounts::default() };
            for (&s, &d) in sent.iter().zip(decided) {
                c.active += u32::from(s > 0);
                match (s > 0, d > 0) {
                    (true, false) => c.missed += 1,
                    (false, true) => c.false_alarms += 1,
                    (true, true) => c.wrong_data += u32::from(s != d),
                    (false, false) => {}
                }
            }
            if let Some(spreading) = batch.spreading() {
                c.user_bits = Some(user_bits(sent, decided, spreading.constellation().len()));
                return c;
            }
            c.order = order(sent, decisions.score.get(f * n * q..(f + 1) * n * q).unwrap_or_default());
            c.energies = decisions.x.as_ref().map(|x| {
                let (mut error, mut energy) = (0.0, 0.0);
                for (d, &s) in sent.iter().enumerate() {
                    let h = &truth.channel()[(f * n + d) * m..(f * n + d + 1) * m];
                    for row in 0..q {
                        let at = ((f * n + d) * q + row) * m;
                        let estimate = &x[at..at + m];
                        if s == row as i64 + 1 {
                            error += estimate.iter().zip(h).map(|(e, h)| (e - h).norm_sqr()).sum::<f64>();
                            energy += h.iter().map(|h| h.norm_sqr()).sum::<f64>();
                        } else {
                            error += estimate.iter().map(|e| e.norm_sqr()).sum::<f64>();
                        }
                    }
                }
                (error, energy)
            });
            c.squared_error = c.energies.filter(|_| unit_gains).map(|(error, _)| (error, m as u32));
            c
        })
        .collect()
}

/// Pairs of an active and an idle device in the wrong order, and all of them: one minus the area under the curve of detection
/// against false alarm over all thresholds, for the devices of one frame. A device's score is that of its best sequence.
fn order(sent: &[i64], scores: &[f64]) -> Option<(f64, f64)> {
    if scores.is_empty() || !scores.len().is_multiple_of(sent.len()) {
        return None;
    }
    let best = |s: &[f64]| s.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let of = |active: bool| {
        let scores = scores.chunks_exact(scores.len() / sent.len()).zip(sent);
        scores.filter(|(_, s)| (**s > 0) == active).map(|(s, _)| best(s)).collect::<Vec<f64>>()
    };
    let (active, idle) = (of(true), of(false));
    let wrong = |a: f64| {
        idle.iter()
            .map(|i| {
                if a < *i {
                    1.0
                } else if a == *i {
                    0.5
                } else {
                    0.0
                }
            })
            .sum::<f64>()
    };
    Some((active.iter().map(|a| wrong(*a)).sum(), (active.len() * idle.len()) as f64))
}

/// Bits of each user: symbol c carries the bits of the number c.
fn user_bits(sent: &[i64], decided: &[i64], symbols: usize) -> Vec<(u32, u32)> {
    let bits = symbols.ilog2();
    sent.iter().zip(decided).map(|(&s, &d)| bit_errors(s, d, bits)).collect()
}

/// `(wrong bits, bits)` of one user that sent and was decided to have sent 0 (nothing) or a symbol plus one.
pub fn bit_errors(sent: i64, decided: i64, bits: u32) -> (u32, u32) {
    match (sent, decided) {
        (0, _) => (0, 0),
        (_, 0) => (bits, bits),
        (s, d) => (((s - 1) ^ (d - 1)).count_ones(), bits),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::link::{AccessModel, Beta, C64, Pilots, Truth};

    /// Two frames, N = 4, Q = 2, M = 1.
    fn batch() -> FrameBatch {
        let pilots = Pilots::new(1, 8, 2, 1.0, vec![C64::new(1.0, 0.0); 8]).unwrap();
        let one = |v: f64| C64::new(v, 0.0);
        let model = AccessModel::new(Arc::new(pilots), 1, 1.0, vec![0.5; 4]).unwrap();
        let channel = [3.0, 2.0, 1.0, 9.0, 9.0, 9.0, 9.0, 9.0].map(one).to_vec();
        let truth = Truth::new(vec![1, 2, 2, 0, 0, 0, 0, 0], channel);
        FrameBatch::new(model, vec![one(0.0); 2], Beta::ones(4)).unwrap().with_truth(truth).unwrap()
    }

    #[test]
    fn each_kind_of_error_is_counted_once() {
        // Frame 0: correct, missed, wrong sequence, false alarm; frame 1: all correct.
        let d = Decisions { activity: vec![1, 0, 1, 2, 0, 0, 0, 0], ..Decisions::default() };
        let counts = count_frames(&batch(), &d);
        let c = &counts[0];
        assert_eq!((c.active, c.missed, c.false_alarms, c.wrong_data, c.errors()), (3, 1, 1, 1, 3));
        assert_eq!(c.ratio(MetricName::Ser), Some((3.0, 4.0)));
        assert_eq!(c.ratio(MetricName::MissedDetection), Some((1.0, 3.0)));
        assert_eq!(c.ratio(MetricName::FalseAlarm), Some((1.0, 1.0)));
        assert_eq!(c.ratio(MetricName::DataError), Some((1.0, 2.0)));
        assert_eq!(c.ratio(MetricName::FrameError), Some((1.0, 1.0)));
        assert_eq!(c.ratio(MetricName::NmseDb), None);
        assert!(!counts[1].frame_error());
        assert_eq!(counts[1].ratio(MetricName::MissedDetection), Some((0.0, 0.0)));
    }

    #[test]
    fn nmse_of_the_truth_is_zero_and_of_zero_is_one() {
        let zero = Decisions { activity: vec![0; 8], x: Some(vec![C64::new(0.0, 0.0); 16]), ..Decisions::default() };
        let (error, energy) = count_frames(&batch(), &zero)[0].energies.unwrap();
        assert_eq!((error, energy), (14.0, 14.0));
        let mut x = vec![C64::new(0.0, 0.0); 16];
        (x[0], x[3], x[5]) = (C64::new(3.0, 0.0), C64::new(2.0, 0.0), C64::new(1.0, 0.0));
        let mut exact = Decisions { x: Some(x), ..zero };
        assert_eq!(count_frames(&batch(), &exact)[0].energies, Some((0.0, 14.0)));
        // A spurious row of an idle device counts as error.
        exact.x.as_mut().unwrap()[6] = C64::new(0.0, 2.0);
        assert_eq!(count_frames(&batch(), &exact)[0].energies, Some((4.0, 14.0)));
    }

    #[test]
    fn bits_of_missed_users_are_wrong_and_false_alarms_carry_none() {
        let bits = user_bits(&[1, 4, 2, 3, 0], &[1, 1, 0, 4, 2], 4);
        assert_eq!(bits, [(0, 2), (2, 2), (2, 2), (1, 2), (0, 0)]);
        let counts = FrameCounts { user_bits: Some(bits), ..FrameCounts::default() };
        assert_eq!(counts.ratio(MetricName::Ber), Some((5.0, 8.0)));
        assert_eq!(counts.ratio(MetricName::BerUser(3)), Some((1.0, 2.0)));
        assert_eq!(counts.ratio(MetricName::BerUser(5)), None);
        assert_eq!(counts.metrics().last(), Some(MetricName::BerUser(4)));
        assert_eq!(FrameCounts::default().metrics().last(), FRAME_METRICS.last().copied());
    }

    #[test]
    fn scores_in_the_wrong_order_are_counted_in_pairs() {
        // Active: 3 and 1; idle: 2, 1 and 0. Wrong: 1 below 2; half: 1 beside 1.
        assert_eq!(order(&[1, 0, 2, 0, 0], &[3.0, 2.0, 1.0, 1.0, 0.0]), Some((1.5, 6.0)));
        // The better of two sequences counts; NaN is below everything.
        assert_eq!(order(&[1, 0], &[f64::NAN, 2.0, 1.0, f64::NAN]), Some((0.0, 1.0)));
        assert_eq!(order(&[1, 0], &[]), None);
    }

    #[test]
    fn frames_without_truth_count_nothing() {
        assert!(count_frames(&batch().without_truth(), &Decisions::default()).is_empty());
    }
}
