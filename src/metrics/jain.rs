//! Jain's fairness index of the users' error rates.

use super::interval::{Interval, ratio_standard_error};
use super::sums::{Estimate, MetricSums};
use crate::math::special::Z95;

/// `(sum x)^2 / (N sum x^2)` of the users' bit error rates x (Jain's index, (30) of the finite-alphabet NOMA paper): 1
/// when all users fare alike, 1/N when one bears all errors.
///
/// The interval is the delta method with the users' rates taken as independent. No value without an error or when a user
/// was never active.
pub fn jain_estimate(users: &[MetricSums]) -> Estimate {
    let n = users.len() as f64;
    let rates: Option<Vec<f64>> = users.iter().map(|u| (u.sums[1] > 0.0).then(|| u.sums[0] / u.sums[1])).collect();
    let Some(rates) = rates else { return Estimate::default() };
    let (sum, squares): (f64, f64) = rates.iter().fold((0.0, 0.0), |s, x| (s.0 + x, s.1 + x * x));
    if squares <= 0.0 {
        return Estimate::default();
    }
    let value = sum * sum / (n * squares);
    let mut variance = Some(0.0);
    for (u, x) in users.iter().zip(&rates) {
        let gradient = 2.0 * sum * (squares - sum * x) / (n * squares * squares);
        variance = variance.zip(ratio_standard_error(&u.sums, u.frames)).map(|(v, se)| v + (gradient * se).powi(2));
    }
    let interval = variance.map(|v| {
        let half = Z95 * v.sqrt();
        Interval { low: (value - half).max(1.0 / n), high: (value + half).min(1.0) }
    });
    Estimate { value: Some(value), interval }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(errors: &[f64]) -> MetricSums {
        let mut s = MetricSums::default();
        errors.iter().for_each(|&e| s.add_frame(e, 2.0));
        s
    }

    #[test]
    fn equal_rates_give_one_and_a_single_sufferer_one_over_n() {
        let even = jain_estimate(&[user(&[1.0, 0.0, 2.0]), user(&[2.0, 1.0, 0.0])]);
        assert!((even.value.unwrap() - 1.0).abs() < 1e-12);
        let odd = jain_estimate(&[user(&[1.0, 0.0, 2.0]), user(&[0.0; 3]), user(&[0.0; 3]), user(&[0.0; 3])]);
        assert!((odd.value.unwrap() - 0.25).abs() < 1e-12);
        assert!(odd.interval.unwrap().contains(0.25));
        assert_eq!(jain_estimate(&[user(&[0.0]), user(&[0.0])]), Estimate::default());
    }
}
