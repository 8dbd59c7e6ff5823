//! MUSA: multi-user shared access with short ternary signatures.

use rand::{Rng, RngExt};

/// Entries of every column, real and imaginary parts.
type Columns = Vec<Vec<(i8, i8)>>;

use super::integers::IntegerSet;

/// Draws at most. The NOMA signature paper reports 3.73e-2 for its MUSA set (N = 6, H = 4, p_asy), about what the best of 100,000 draws
/// has; the mean of a draw is 8.8e-2 and the best of 1000 has 4.3e-2.
const DRAWS: usize = 100_000;
/// Products of chips that the search may cost, which bounds large sets to a second or two.
const WORK: usize = 1_000_000_000;

/// Random columns of `{-1, 0, 1} + i {-1, 0, 1}`, none zero; the best of many draws by weighted correlation.
pub(super) fn musa(length: usize, activity_prob: &[f64], rng: &mut impl Rng) -> IntegerSet {
    let n = activity_prob.len();
    let draws = (WORK / (n * n * length)).clamp(1, DRAWS);
    let mut best: Option<(f64, Columns)> = None;
    for _ in 0..draws {
        let columns: Vec<Vec<(i8, i8)>> = (0..n).map(|_| column(length, rng)).collect();
        let limit = best.as_ref().map_or(f64::INFINITY, |b| b.0);
        if let Some(value) = correlation_below(&columns, activity_prob, limit) {
            best = Some((value, columns));
        }
    }
    // The first draw always counts.
    let (_, columns) = best.unwrap_or_default();
    IntegerSet::new(&columns, 1)
}

fn column(length: usize, rng: &mut impl Rng) -> Vec<(i8, i8)> {
    loop {
        let column: Vec<(i8, i8)> = (0..length).map(|_| (rng.random_range(-1..=1), rng.random_range(-1..=1))).collect();
        if column.iter().any(|v| *v != (0, 0)) {
            return column;
        }
    }
}

/// `sum_{i < j} p_i p_j |s_i^H s_j|^2 / (|s_i|^2 |s_j|^2)` where it is below the limit.
fn correlation_below(columns: &[Vec<(i8, i8)>], p: &[f64], limit: f64) -> Option<f64> {
    let dot = |a: &[(i8, i8)], b: &[(i8, i8)]| {
        a.iter().zip(b).fold((0_i32, 0_i32), |s, (a, b)| {
            let (ar, ai, br, bi) = (i32::from(a.0), i32::from(a.1), i32::from(b.0), i32::from(b.1));
            (s.0 + ar * br + ai * bi, s.1 + ar * bi - ai * br)
        })
    };
    let energy: Vec<f64> = columns.iter().map(|c| f64::from(dot(c, c).0)).collect();
    let mut sum = 0.0;
    for i in 0..columns.len() {
        for j in 0..i {
            let (re, im) = dot(&columns[i], &columns[j]);
            sum += p[i] * p[j] * f64::from(re * re + im * im) / (energy[i] * energy[j]);
        }
        if sum >= limit {
            return None;
        }
    }
    Some(sum)
}
