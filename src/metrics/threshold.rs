//! The threshold that makes the fewest symbol errors on frames with a known truth.

use crate::link::Decisions;
use crate::link::FrameBatch;

/// Scores of devices and what deciding for or against activity would cost.
#[derive(Debug, Clone, Default)]
pub struct ThresholdSearch {
    /// (largest score of the device, errors when declared active, errors when declared idle).
    samples: Vec<(f64, i32, i32)>,
    /// Active devices without a finite score: missed at every threshold.
    lost: i64,
}

impl ThresholdSearch {
    /// Adds the devices of a batch; frames without truth add nothing. The device's best sequence is the one with the
    /// largest score, as in every detector of the access link.
    ///
    /// # Panics
    /// When `decisions.score` is shorter than `[F, N*Q]`.
    pub fn add(&mut self, batch: &FrameBatch, decisions: &Decisions) {
        let Some(truth) = batch.truth() else { return };
        let q = batch.model().sequences();
        for (&sent, scores) in truth.activity().iter().zip(decisions.score.chunks_exact(q)) {
            let (best, score) =
                scores.iter().enumerate().fold((0, f64::NEG_INFINITY), |a, (i, &s)| if s > a.1 { (i, s) } else { a });
            // NaN never exceeds a threshold: such a device is idle whatever is chosen.
            if score.is_finite() {
                self.samples.push((score, i32::from(sent != best as i64 + 1), i32::from(sent > 0)));
            } else {
                self.lost += i64::from(sent > 0);
            }
        }
    }

    /// The threshold with the fewest errors ("active when the score is larger"), midway between two scores; `None`
    /// without samples. Of equally good ones the largest.
    pub fn best(self) -> Option<f64> {
        Some(self.best_with_errors()?.0)
    }

    /// The same with the number of errors that it makes.
    pub fn best_with_errors(mut self) -> Option<(f64, i64)> {
        let idle: i64 = self.lost + self.samples.iter().map(|s| i64::from(s.2)).sum::<i64>();
        self.samples.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        let top = self.samples.first()?.0;
        // Errors relative to declaring everybody idle, going down from the largest score.
        let (mut relative, mut fewest, mut best) = (0_i64, 0_i64, top + top.abs().max(1.0) * 1e-3);
        for (i, &(score, active, idle)) in self.samples.iter().enumerate() {
            relative += i64::from(active - idle);
            let next = self.samples.get(i + 1).map(|s| s.0);
            if next != Some(score) && relative < fewest {
                fewest = relative;
                best = next.map_or_else(|| score - score.abs().max(1.0) * 1e-3, |n| 0.5 * (score + n));
            }
        }
        Some((best, idle + fewest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(samples: &[(f64, bool)]) -> Option<f64> {
        let samples = samples.iter().map(|&(s, sent)| (s, i32::from(!sent), i32::from(sent))).collect();
        ThresholdSearch { samples, lost: 0 }.best()
    }

    #[test]
    fn the_fewest_errors_win() {
        assert_eq!(of(&[]), None);
        let samples = vec![(1.0, 0, 1), (2.0, 1, 0), (3.0, 0, 1), (4.0, 0, 1)];
        assert_eq!(ThresholdSearch { samples, lost: 2 }.best_with_errors(), Some((2.5, 3)));
        assert_eq!(of(&[(1.0, false), (2.0, true), (3.0, true)]), Some(1.5));
        // One idle device above one active one: giving up the weaker costs as much as a false alarm.
        let t = of(&[(0.1, false), (0.2, true), (0.5, false), (0.9, true), (1.0, true)]).unwrap();
        assert!((t - 0.7).abs() < 1e-12, "{t}");
        // Equal scores cannot be told apart.
        let t = of(&[(0.0, true), (0.0, false), (0.0, false), (1.0, true)]).unwrap();
        assert!((t - 0.5).abs() < 1e-12, "{t}");
        assert!(of(&[(4.0, false), (3.0, false)]).unwrap() > 4.0);
        assert!(of(&[(4.0, true), (3.0, true)]).unwrap() < 3.0);
    }
}
