//! Signature sets of system E, and the measures they are judged by.
//!
//! A set is a [`Pilots`] of one sequence per user, `[H, N]`, with unit-norm columns.

mod measure;
mod wbe;

pub use measure::{correlation_matrix, weighted_correlation, weighted_welch_bound};
pub use wbe::{harmonic, quantise, quantised_harmonic};

use super::{C64, Pilots, ScenarioError};
use crate::config::{NomaConfig, SignatureKind};

/// The set that `scenario.noma.signatures` names.
///
/// # Errors
/// [`ScenarioError::Pilots`] when the construction does not exist for these N and H.
pub fn noma_signatures(config: &NomaConfig) -> Result<Pilots, ScenarioError> {
    signature_set(config.signatures, config)
}

/// The set of another kind for the same users.
///
/// # Errors
/// [`ScenarioError::Pilots`] when the construction does not exist for these N and H.
pub fn signature_set(kind: SignatureKind, config: &NomaConfig) -> Result<Pilots, ScenarioError> {
    let (n, h) = (config.users, config.signature_length);
    match kind {
        SignatureKind::Wbe => harmonic(n, h),
        SignatureKind::QuantisedWbe => quantised_harmonic(n, h, config.quantiser_levels),
        other => Err(ScenarioError::Pilots(format!("signatures {other:?} are not built yet"))),
    }
}

/// A set from its columns, each scaled to norm one.
fn from_columns(columns: &[Vec<C64>]) -> Pilots {
    let (n, h) = (columns.len(), columns[0].len());
    let mut data = vec![C64::new(0.0, 0.0); h * n];
    for (j, column) in columns.iter().enumerate() {
        let norm = column.iter().map(|v| v.norm_sqr()).sum::<f64>().sqrt();
        for (i, v) in column.iter().enumerate() {
            data[i * n + j] = v / norm;
        }
    }
    Pilots { length: h, columns: n, sequences: 1, energy: 1.0, data }
}
