//! Jain's fairness index of the users' error rates.

use super::interval::{Interval, ratio_standard_error};
use super::sums::{Estimate, MetricSums};
use crate::math::special::Z95;

/// `J = (sum x)^2 / (N sum x^2)` of the bit error rates x of N users: 1 when all users fare alike, 1/N when one bears all
/// errors. R. Jain, D. Chiu and W. Hawe, DEC TR-301 (1984); (30) of the NOMA signature paper.
///
/// The interval `J -+ 1.96 sqrt(sum_n (dJ/dx_n se_n)^2)`, cut at 1/N and 1, is the delta method with the users' rates
/// taken as independent and se_n of [`ratio_standard_error`]. No value without an error or when a user was never active.
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
        assert_eq!(jain_estimate(&[user(&[0.0]), user(&[0.0])]), Estimate::default());
    }

    #[test]
    fn the_interval_is_that_of_the_delta_method() {
        let many = |errors: [f64; 8]| user(&errors.repeat(10));
        let users = [many([1.0, 0.0, 2.0, 1.0, 0.0, 1.0, 0.0, 0.0]), many([0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0])];
        let found = jain_estimate(&users);
        let index = |x: [f64; 2]| (x[0] + x[1]).powi(2) / (2.0 * (x[0] * x[0] + x[1] * x[1]));
        let rates = users.map(|u| u.sums[0] / u.sums[1]);
        assert!((found.value.unwrap() - index(rates)).abs() < 1e-12);
        // Gradients by central differences.
        let mut variance = 0.0;
        for (i, u) in users.iter().enumerate() {
            let at = |d: f64| index(std::array::from_fn(|k| rates[k] + if k == i { d } else { 0.0 }));
            let gradient = (at(1e-5) - at(-1e-5)) / 2e-5;
            variance += (gradient * ratio_standard_error(&u.sums, u.frames).unwrap()).powi(2);
        }
        // Neither end is cut: 0.845 -+ 0.116.
        let (half, interval) = (1.96 * variance.sqrt(), found.interval.unwrap());
        assert!((interval.low - index(rates) + half).abs() < 1e-4, "{interval:?} {half}");
        assert!((interval.high - index(rates) - half).abs() < 1e-4, "{interval:?} {half}");
        assert!(half > 0.1, "{half}");
    }
}
