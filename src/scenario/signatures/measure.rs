//! Correlation of a signature set and its lower bound.

use crate::link::{C64, Pilots};

/// `[N, N]` row-major: `s_i^H s_j` of the normalised columns.
pub fn correlation_matrix(set: &Pilots) -> Vec<C64> {
    let columns: Vec<Vec<C64>> = (0..set.columns())
        .map(|c| {
            let column = set.column(c);
            let norm = column.iter().map(|v| v.norm_sqr()).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
            column.into_iter().map(|v| v / norm).collect()
        })
        .collect();
    let dot = |a: &[C64], b: &[C64]| a.iter().zip(b).map(|(a, b)| a.conj() * b).sum();
    columns.iter().flat_map(|a| columns.iter().map(move |b| dot(a, b))).collect()
}

/// Weighted squared correlation of Table III: `sum_{i != j} p_i p_j |s_i^H s_j|^2 / (N (N - 1))`.
pub fn weighted_correlation(set: &Pilots, activity_prob: &[f64]) -> f64 {
    let n = set.columns();
    if n < 2 {
        return 0.0;
    }
    let g = correlation_matrix(set);
    let mut sum = 0.0;
    for i in 0..n {
        for j in (0..n).filter(|j| *j != i) {
            sum += activity_prob[i] * activity_prob[j] * g[i * n + j].norm_sqr();
        }
    }
    sum / (n * (n - 1)) as f64
}

/// Smallest possible weighted correlation, reached when `sum_n p_n s_n s_n^H` is a multiple of the identity:
/// `((sum p)^2 / H - sum p^2) / (N (N - 1))`, at least 0.
///
/// The set that reaches it exists when no `p_n` exceeds `sum p / H`.
pub fn weighted_welch_bound(activity_prob: &[f64], length: usize) -> f64 {
    let n = activity_prob.len();
    if n < 2 {
        return 0.0;
    }
    let sum: f64 = activity_prob.iter().sum();
    let squares: f64 = activity_prob.iter().map(|p| p * p).sum();
    ((sum * sum / length as f64 - squares) / (n * (n - 1)) as f64).max(0.0)
}
