//! Signatures with small integer parts, as a transmitter stores them.

use super::from_columns;
use crate::scenario::{C64, Pilots};

/// Signatures whose real and imaginary parts are integers; the transmitted ones are the columns scaled to norm one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegerSet {
    /// Chips H.
    pub length: usize,
    /// Users N.
    pub columns: usize,
    /// Largest magnitude of a part, 1..=16.
    pub levels: u32,
    /// `(re, im)`, row-major `[H, N]`; no column is zero.
    pub data: Vec<(i8, i8)>,
}

impl IntegerSet {
    /// From columns `[N][H]`.
    pub(super) fn new(columns: &[Vec<(i8, i8)>], levels: u32) -> Self {
        let (n, h) = (columns.len(), columns[0].len());
        let data = (0..h).flat_map(|chip| columns.iter().map(move |c| c[chip])).collect();
        Self { length: h, columns: n, levels, data }
    }

    /// Squared norm of each integer column, `[N]`; the factor of column n is one over its root.
    pub fn energies(&self) -> Vec<u32> {
        (0..self.columns)
            .map(|n| {
                let parts = (0..self.length).map(|chip| self.data[chip * self.columns + n]);
                parts.map(|(re, im)| u32::from(re.unsigned_abs()).pow(2) + u32::from(im.unsigned_abs()).pow(2)).sum()
            })
            .collect()
    }

    /// The columns scaled to norm one.
    pub fn normalised(&self) -> Pilots {
        let columns: Vec<Vec<C64>> = (0..self.columns)
            .map(|n| {
                let parts = (0..self.length).map(|chip| self.data[chip * self.columns + n]);
                parts.map(|(re, im)| C64::new(re.into(), im.into())).collect()
            })
            .collect();
        from_columns(&columns)
    }
}
