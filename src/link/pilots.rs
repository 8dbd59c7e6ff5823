//! Pilot (signature) matrices.

use super::array::{check_finite, check_length, check_positive};
use super::{ArrayError, C64};

/// A pilot matrix `S = [S_1 .. S_N]`, `[L, N*Q]`: sequence `q` of device `n` is column `n*Q + q`.
///
/// Sizes are at least one, the sequences divide the columns, and every value is finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Pilots {
    length: usize,
    columns: usize,
    sequences: usize,
    energy: f64,
    data: Vec<C64>,
}

impl Pilots {
    /// A matrix `data [L, N*Q]` (row-major) of `columns = N*Q` columns of length `length`, `sequences` (Q) for each
    /// device; `energy` is the expected squared norm of a column (1 for unit-norm and CN(0, 1/L) pilots).
    ///
    /// # Errors
    /// [`ArrayError`] when a size is zero, the sequences do not divide the columns, `data` has another length or a value
    /// that is not finite, or `energy` is not finite and > 0.
    pub fn new(
        length: usize,
        columns: usize,
        sequences: usize,
        energy: f64,
        data: Vec<C64>,
    ) -> Result<Self, ArrayError> {
        if length == 0 || columns == 0 {
            return Err(ArrayError::range(
                "pilots",
                format!("has shape [{length}, {columns}], expected [L, N*Q] with at least one row and column"),
            ));
        }
        if sequences == 0 || !columns.is_multiple_of(sequences) {
            return Err(ArrayError::range(
                "sequences",
                format!("is {sequences}, expected Q >= 1 that divides the {columns} columns of pilots [L, N*Q]"),
            ));
        }
        check_length("pilots", data.len(), "[L, N*Q]", &[length, columns])?;
        check_finite("pilots", &[length, columns], &data)?;
        check_positive("pilot_energy", energy)?;
        Ok(Self { length, columns, sequences, energy, data })
    }

    /// A matrix of the same shape with other entries and another energy.
    ///
    /// # Errors
    /// As [`Pilots::new`].
    pub fn with_data(&self, energy: f64, data: Vec<C64>) -> Result<Self, ArrayError> {
        Self::new(self.length, self.columns, self.sequences, energy, data)
    }

    /// Pilot length `L`.
    #[inline]
    pub fn length(&self) -> usize {
        self.length
    }
    /// Columns `N*Q`.
    #[inline]
    pub fn columns(&self) -> usize {
        self.columns
    }
    /// Sequences per device `Q`.
    #[inline]
    pub fn sequences(&self) -> usize {
        self.sequences
    }
    /// Expected squared norm of a column (1 for unit-norm and CN(0, 1/L) pilots).
    #[inline]
    pub fn energy(&self) -> f64 {
        self.energy
    }
    /// Row-major `[L, N*Q]`.
    #[inline]
    pub fn data(&self) -> &[C64] {
        &self.data
    }
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
