//! 95 % confidence intervals of proportions and of ratios of sums over frames.

use crate::math::special::{Z95, beta_quantile, t95};

/// A 95 % confidence interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Half of the width.
    pub fn half_width(&self) -> f64 {
        0.5 * (self.high - self.low)
    }
    /// Whether a value lies inside.
    pub fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// Wilson's score interval of `events` in `trials` (neither need be an integer; 0 <= events <= trials, trials > 0):
///
/// `(p + z^2/(2n) -+ z sqrt(p (1 - p)/n + z^2/(4 n^2)))/(1 + z^2/n)` with `p = events/trials`, `n = trials`, `z = 1.96`.
///
/// E. B. Wilson, "Probable inference, the law of succession, and statistical inference", J. Am. Stat. Assoc. 22 (1927),
/// 209-212.
pub fn wilson(events: f64, trials: f64) -> Interval {
    let (p, z2) = (events / trials, Z95 * Z95);
    let scale = 1.0 / (1.0 + z2 / trials);
    let centre = scale * (p + 0.5 * z2 / trials);
    let half = scale * Z95 * (p * (1.0 - p) / trials + 0.25 * z2 / (trials * trials)).max(0.0).sqrt();
    // At the ends the two terms cancel exactly, which floating point would miss by an ulp.
    Interval {
        low: if events <= 0.0 { 0.0 } else { (centre - half).max(0.0) },
        high: if events >= trials { 1.0 } else { (centre + half).min(1.0) },
    }
}

/// The exact interval of Clopper and Pearson of `events` in `trials`, trials > 0:
///
/// `[B(0.025; k, n - k + 1), B(0.975; k + 1, n - k)]` with k events in n trials and `B(p; a, b)` the quantile of the beta
/// distribution; 0 at the lower end without an event, 1 at the upper end without a non-event.
///
/// C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
/// Biometrika 26 (1934), 404-413.
pub fn clopper_pearson(events: u64, trials: u64) -> Interval {
    let (k, n) = (events as f64, trials as f64);
    Interval {
        low: if events == 0 { 0.0 } else { beta_quantile(k, n - k + 1.0, 0.025) },
        high: if events >= trials { 1.0 } else { beta_quantile(k + 1.0, n - k, 0.975) },
    }
}

/// Standard error of the ratio `R = A/B` of sums over frames, by the delta method with the frame as cluster:
/// `se^2 = n/(n-1) sum_f (a_f - R b_f)^2 / B^2` with `A = sum_f a_f` and `B = sum_f b_f` over n frames (W. G. Cochran,
/// Sampling Techniques, 3rd ed., Wiley 1977, section 6.3).
///
/// `sums` are `[A, B, sum a^2, sum a*b, sum b^2]`. `None` below two frames or without a denominator.
pub fn ratio_standard_error(sums: &[f64; 5], frames: u64) -> Option<f64> {
    let [a, b, aa, ab, bb] = *sums;
    if frames < 2 || b <= 0.0 {
        return None;
    }
    let (n, r) = (frames as f64, a / b);
    let residual = (aa - 2.0 * r * ab + r * r * bb).max(0.0);
    Some((n / (n - 1.0) * residual).sqrt() / b).filter(|se| se.is_finite())
}

/// Interval of a proportion whose trials are clustered in frames: Wilson's interval with the effective number of
/// trials `R (1 - R) / se^2`, corrected for the estimated variance by `(z/t)^2` and never above the number of trials
/// (E. L. Korn and B. I. Graubard, "Confidence intervals for proportions with small expected number of positive counts
/// estimated from survey data", Survey Methodology 24 (1998), 193-201).
///
/// `sums` as in [`ratio_standard_error`], whose `None` it shares. Unlike `R -+ t se` it stays in [0, 1] and covers when few events were seen.
pub fn proportion_interval(sums: &[f64; 5], frames: u64) -> Option<Interval> {
    let se = ratio_standard_error(sums, frames)?;
    let (trials, r) = (sums[1], sums[0] / sums[1]);
    let shrink = (Z95 / t95((frames - 1) as f64)).powi(2);
    let effective = r * (1.0 - r) / (se * se) * shrink;
    // se = 0: every frame had the same rate; the binomial variance is all that is known.
    let effective = if effective.is_finite() { effective.min(trials) } else { trials };
    if effective <= 0.0 {
        // R = 1: the bound of zero events, mirrored.
        return Some(Interval { low: (1.0 - 3.0 / trials).max(0.0), high: 1.0 });
    }
    Some(wilson(r * effective, effective))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_values() {
        // Newcombe, Statistics in Medicine 17 (1998), table I: 81/263, 15/148, 0/20, 1/29.
        let near = |i: Interval, low: f64, high: f64| {
            assert!((i.low - low).abs() < 5e-5 && (i.high - high).abs() < 5e-5, "{i:?}");
        };
        near(wilson(81.0, 263.0), 0.2553, 0.3662);
        near(wilson(15.0, 148.0), 0.0624, 0.1605);
        near(wilson(0.0, 20.0), 0.0, 0.1611);
        near(wilson(1.0, 29.0), 0.0061, 0.1718);
        near(clopper_pearson(81, 263), 0.2527, 0.3676);
        near(clopper_pearson(15, 148), 0.0578, 0.1617);
        near(clopper_pearson(0, 20), 0.0, 0.1684);
        near(clopper_pearson(1, 29), 0.0009, 0.1776);
        near(clopper_pearson(20, 20), 0.8316, 1.0);
    }

    #[test]
    fn standard_error_equals_the_residual_form() {
        let frames = [(1.0_f64, 4.0_f64), (0.0, 2.0), (3.0, 5.0), (2.0, 2.0)];
        let mut s = [0.0; 5];
        for (a, b) in frames {
            for (s, v) in s.iter_mut().zip([a, b, a * a, a * b, b * b]) {
                *s += v;
            }
        }
        let r = s[0] / s[1];
        let direct: f64 = frames.iter().map(|(a, b)| (a - r * b).powi(2)).sum::<f64>() * 4.0 / 3.0;
        assert!((ratio_standard_error(&s, 4).unwrap() - direct.sqrt() / s[1]).abs() < 1e-14);
        assert_eq!(ratio_standard_error(&s, 1), None);
        assert_eq!(ratio_standard_error(&[0.0; 5], 9), None);
    }

    #[test]
    fn proportions_stay_in_the_unit_interval() {
        // Every trial an error; the same rate in every frame; one event.
        let all = proportion_interval(&[40.0, 40.0, 400.0, 400.0, 400.0], 4).unwrap();
        assert!(all.high == 1.0 && all.low > 0.9);
        let same = proportion_interval(&[4.0, 40.0, 4.0, 40.0, 400.0], 4).unwrap();
        assert!(same.low > 0.0 && same.contains(0.1) && same.half_width() > 0.05, "{same:?}");
        let one = proportion_interval(&[1.0, 4000.0, 1.0, 100.0, 400_000.0], 40).unwrap();
        assert!(one.low > 0.0 && one.contains(0.25e-3) && one.high < 2e-3, "{one:?}");
    }
}
