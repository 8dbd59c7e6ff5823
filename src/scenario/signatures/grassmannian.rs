//! Grassmannian packings: small largest correlation.

use rand::Rng;

use super::from_columns;
use crate::link::{ArrayError, C64, Pilots};
use crate::scenario::PilotKind;
use crate::scenario::draw_pilots;

/// Descent steps of one start.
const STEPS: usize = 1500;
/// Starts at most.
const STARTS: usize = 8;
/// Products of chips that the search may cost.
const WORK: usize = 4_000_000_000;
/// Exponent of the smooth maximum at the begin and the end of a descent.
const EXPONENT: [f64; 2] = [4.0, 4000.0];

/// Descends on `sum_{i != j} |s_i^H s_j|^k` over unit-norm columns with k growing, so that the sum becomes the maximum;
/// the best of some random starts.
pub(super) fn grassmannian(length: usize, users: usize, rng: &mut impl Rng) -> Result<Pilots, ArrayError> {
    let starts = (WORK / (STEPS * 2 * users * users * length)).clamp(1, STARTS);
    let mut best: Option<(f64, Pilots)> = None;
    for _ in 0..starts {
        let start = draw_pilots(rng, PilotKind::UnitNorm, length, users, 1)?;
        let found = descend((0..users).map(|n| start.column(n)).collect())?;
        let value = found.coherence();
        if best.as_ref().is_none_or(|b| value < b.0) {
            best = Some((value, found));
        }
    }
    Ok(best.expect("at least one start").1)
}

fn descend(mut s: Vec<Vec<C64>>) -> Result<Pilots, ArrayError> {
    let n = s.len();
    for step in 0..STEPS {
        let share = step as f64 / STEPS as f64;
        let k = EXPONENT[0] * (EXPONENT[1] / EXPONENT[0]).powf(share);
        let gram: Vec<C64> = s.iter().flat_map(|a| s.iter().map(move |b| dot(a, b))).collect();
        let largest = (0..n * n).filter(|i| i / n != i % n).map(|i| gram[i].norm()).fold(0.0, f64::max);
        if largest < 1e-12 {
            break;
        }
        // Weights relative to the largest correlation do not overflow.
        let weights: Vec<f64> =
            (0..n * n).map(|i| if i / n == i % n { 0.0 } else { (gram[i].norm() / largest).powf(k - 2.0) }).collect();
        let total = weights.chunks_exact(n).map(|row| row.iter().sum::<f64>()).fold(1.0, f64::max);
        let rate = 0.5 * (1.0 - share) / total;
        let next: Vec<Vec<C64>> = (0..n)
            .map(|i| {
                let mut gradient = vec![C64::default(); s[i].len()];
                for j in 0..n {
                    // gram[j, i] = s_j^H s_i.
                    let g = gram[j * n + i] * weights[j * n + i];
                    gradient.iter_mut().zip(&s[j]).for_each(|(d, v)| *d += g * v);
                }
                let along = dot(&s[i], &gradient);
                s[i].iter().zip(&gradient).map(|(v, d)| v - rate * (d - v * along)).collect()
            })
            .collect();
        let set = from_columns(&next)?;
        s = (0..n).map(|i| set.column(i)).collect();
    }
    from_columns(&s)
}

fn dot(a: &[C64], b: &[C64]) -> C64 {
    a.iter().zip(b).map(|(a, b)| a.conj() * b).sum()
}
