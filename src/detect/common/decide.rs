//! From scores to decisions.

use crate::detect::Threshold;

/// Activity probability kept away from 0 and 1, where log priors are infinite.
#[inline]
pub(crate) fn safe_prob(eps: f64) -> f64 {
    eps.clamp(1e-12, 1.0 - 1e-12)
}

/// Threshold on the log-likelihood ratio of one row: 0 ((36), (37) of the DL-mAMPnet paper), `ln((Q - eps)/eps)`, or the
/// number given.
pub(crate) fn row_threshold(threshold: Threshold, eps: f64, sequences: usize) -> f64 {
    match threshold {
        Threshold::EQUAL_PRIOR => 0.0,
        Threshold::Rule(_) => {
            let eps = safe_prob(eps);
            ((sequences as f64 - eps) / eps).ln()
        }
        Threshold::Value(v) => v,
    }
}

/// Threshold on the largest ratio of a device's Q rows; "map" is the symbol MAP test `ln(Q (1 - eps)/eps)`: idle
/// has prior `1 - eps`, each sequence `eps/Q`.
pub(crate) fn section_threshold(threshold: Threshold, eps: f64, sequences: usize) -> f64 {
    match threshold {
        Threshold::MAP => -log_prior_odds(eps, sequences),
        other => row_threshold(other, eps, sequences),
    }
}

/// `ln((eps/Q) / (1 - eps))`: prior log odds of one sequence against idle.
#[inline]
pub(crate) fn log_prior_odds(eps: f64, sequences: usize) -> f64 {
    let eps = safe_prob(eps);
    (eps / (sequences as f64 * (1.0 - eps))).ln()
}

/// Argmax over the Q rows, then the threshold: 0 idle, else the index plus one. Ties go to the first; NaN is idle.
#[inline(always)]
pub(crate) fn decide(score: &[f64], threshold: f64) -> i64 {
    let (mut best, mut at) = (f64::NEG_INFINITY, 0);
    for (q, &s) in score.iter().enumerate() {
        if s > best {
            (best, at) = (s, q);
        }
    }
    if best > threshold { at as i64 + 1 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_and_thresholds() {
        assert_eq!(decide(&[1.0, 3.0], 2.0), 2);
        assert_eq!(decide(&[1.0, 3.0], 3.0), 0);
        assert_eq!(decide(&[f64::NAN, f64::NAN], -1e9), 0);
        assert_eq!(row_threshold(Threshold::EQUAL_PRIOR, 0.1, 2), 0.0);
        assert!((row_threshold(Threshold::MAP, 0.1, 2) - 19.0_f64.ln()).abs() < 1e-12);
        assert!((section_threshold(Threshold::MAP, 0.1, 2) - 18.0_f64.ln()).abs() < 1e-12);
        assert!(row_threshold(Threshold::MAP, 0.0, 1).is_finite());
    }
}
