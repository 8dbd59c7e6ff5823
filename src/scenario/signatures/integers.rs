//! Signatures with small integer parts, as a transmitter stores them.

use super::from_columns;
use crate::link::{ArrayError, C64, Pilots};

/// Signatures whose real and imaginary parts are integers; the transmitted ones are the columns scaled to norm one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegerSet {
    /// Chips H.
    pub length: usize,
    /// Users N.
    pub columns: usize,
    /// Largest magnitude of a part, 1..=16.
    pub levels: u32,
    /// `(re, im)`, row-major `[H, N]`; constructed sets have no zero column.
    pub data: Vec<(i8, i8)>,
}

impl IntegerSet {
    /// From columns `[N][H]`.
    pub(super) fn new(columns: &[Vec<(i8, i8)>], levels: u32) -> Self {
        let (n, h) = (columns.len(), columns[0].len());
        let data = (0..h).flat_map(|chip| columns.iter().map(move |c| c[chip])).collect();
        Self { length: h, columns: n, levels, data }
    }

    /// From numbers `[2H, N]`, real parts of the chips before imaginary parts: the nearest integers of size `levels` at
    /// most, as the quantiser of learned signatures takes them. A column may become zero.
    ///
    /// # Panics
    /// When `raw` is not of that shape.
    pub fn nearest(raw: &[f32], columns: usize, levels: u32) -> Self {
        let length = raw.len() / (2 * columns);
        assert_eq!(raw.len(), 2 * length * columns, "[2H, N]");
        let limit = levels as f32;
        let part = |i: usize| (raw[i] + 0.5).floor().clamp(-limit, limit) as i8;
        let data = (0..length * columns).map(|i| (part(i), part(length * columns + i))).collect();
        Self { length, columns, levels, data }
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
    ///
    /// # Errors
    /// [`ArrayError`] when a column is zero.
    pub fn normalised(&self) -> Result<Pilots, ArrayError> {
        let columns: Vec<Vec<C64>> = (0..self.columns)
            .map(|n| {
                let parts = (0..self.length).map(|chip| self.data[chip * self.columns + n]);
                parts.map(|(re, im)| C64::new(re.into(), im.into())).collect()
            })
            .collect();
        from_columns(&columns)
    }
}
