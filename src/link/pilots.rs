//! Pilot (signature) matrices.

use super::C64;

/// A pilot matrix `S = [S_1 .. S_N]`, `[L, N*Q]`: sequence `q` of device `n` is column `n*Q + q`.
#[derive(Debug, Clone, PartialEq)]
pub struct Pilots {
    /// Pilot length `L`.
    pub length: usize,
    /// Columns `N*Q`.
    pub columns: usize,
    /// Sequences per device `Q`.
    pub sequences: usize,
    /// Expected squared norm of a column (1 for unit-norm and CN(0, 1/L) pilots).
    pub energy: f64,
    /// Row-major `[L, N*Q]`.
    pub data: Vec<C64>,
}

impl Pilots {
    /// Entry of row `row` (time) and column `column`.
    #[inline]
    pub fn at(&self, row: usize, column: usize) -> C64 {
        self.data[row * self.columns + column]
    }
    /// One column, `[L]`.
    pub fn column(&self, column: usize) -> Vec<C64> {
        (0..self.length).map(|r| self.at(r, column)).collect()
    }
    /// Mutual coherence `max_{i != j} |s_i^H s_j| / (|s_i| |s_j|)` over all pairs of columns.
    pub fn coherence(&self) -> f64 {
        let columns: Vec<Vec<C64>> = (0..self.columns).map(|c| self.column(c)).collect();
        let norms: Vec<f64> = columns.iter().map(|c| c.iter().map(|v| v.norm_sqr()).sum::<f64>().sqrt()).collect();
        let mut worst = 0.0_f64;
        for i in 0..self.columns {
            for j in 0..i {
                let dot: C64 = columns[i].iter().zip(&columns[j]).map(|(a, b)| a.conj() * b).sum();
                worst = worst.max(dot.norm() / (norms[i] * norms[j]).max(1e-300));
            }
        }
        worst
    }
}
