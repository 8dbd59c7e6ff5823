//! Signature sets of system E, and the measures they are judged by.
//!
//! A set is a [`Pilots`] of one sequence per user, `[H, N]`, with unit-norm columns. Sets that are searched for start from
//! random streams keyed by kind and size, so the same request always gives the same set.

mod direct;
mod grassmannian;
mod integers;
mod known;
mod measure;
mod musa;
#[cfg(test)]
mod tests;
mod tight;
mod wbe;

pub use integers::IntegerSet;
pub use measure::{correlation_matrix, weighted_correlation, weighted_welch_bound};
pub use tight::tight_frame;
pub use wbe::{harmonic, quantise, quantised_harmonic};

use crate::link::{ArrayError, C64, Pilots, Purpose, Split, StreamKey};
use crate::scenario::{NomaConfig, PilotKind, SignatureKind};
use crate::scenario::{ScenarioError, draw_pilots};

/// Starts of an alternating projection before it is given up.
const STARTS: u64 = 4;

/// The set of a kind for the users of a link.
///
/// # Errors
/// [`ScenarioError::Pilots`] when the construction does not exist for these N, H and activation.
pub fn signature_set(kind: SignatureKind, config: &NomaConfig) -> Result<Pilots, ScenarioError> {
    if let Some(set) = integer_signatures(kind, config)? {
        return Ok(set.normalised()?);
    }
    let (n, h) = (config.users, config.signature_length);
    match kind {
        SignatureKind::Wbe => harmonic(n, h),
        // As many chips as users: orthogonal columns, which no other set beats.
        _ if n <= h => orthogonal(n, h),
        SignatureKind::Grassmannian => Ok(grassmannian::grassmannian(h, n, &mut stream(kind, config, 0))?),
        SignatureKind::WeightedOptimum => projected(kind, config, &config.activation_prob()),
        _ => projected(kind, config, &vec![1.0; n]),
    }
}

/// The integer table of a set with integer parts ("quantised-wbe", "musa", "direct-search"); `None` for other kinds.
///
/// # Errors
/// As [`signature_set`].
pub fn integer_signatures(kind: SignatureKind, config: &NomaConfig) -> Result<Option<IntegerSet>, ScenarioError> {
    let (n, h, levels) = (config.users, config.signature_length, config.quantiser_levels);
    Ok(Some(match kind {
        SignatureKind::QuantisedWbe => quantised_harmonic(n, h, levels)?,
        SignatureKind::Musa => {
            known::once(kind, config, || musa::musa(h, &config.activation_prob(), &mut stream(kind, config, 0)))
        }
        SignatureKind::DirectSearch => known::once(kind, config, || {
            direct::direct_search(h, levels, &config.activation_prob(), &mut stream(kind, config, 0))
        }),
        _ => return Ok(None),
    }))
}

/// The random stream of a kind and size.
fn stream(kind: SignatureKind, config: &NomaConfig, start: u64) -> rand_chacha::ChaCha8Rng {
    let name = format!("signatures {kind:?} {} {}", config.users, config.signature_length);
    StreamKey::new(0, Split::Train, name).rng(Purpose::Pilots, start)
}

/// The first `users` columns of the DFT matrix of `length` points.
fn orthogonal(users: usize, length: usize) -> Result<Pilots, ScenarioError> {
    let all = harmonic(length, length)?;
    Ok(from_columns(&(0..users).map(|n| all.column(n)).collect::<Vec<_>>())?)
}

/// A tight frame from random starts of constant modulus, so that no chip carries a user alone.
fn projected(kind: SignatureKind, config: &NomaConfig, weights: &[f64]) -> Result<Pilots, ScenarioError> {
    let (n, h) = (config.users, config.signature_length);
    let attempt = |start: u64| {
        let drawn = draw_pilots(&mut stream(kind, config, start), PilotKind::Gaussian, h, n, 1)?;
        let mut draw = drawn.data().to_vec();
        draw.iter_mut().for_each(|v| *v /= v.norm().max(f64::MIN_POSITIVE));
        tight::weighted_tight_frame(h, weights, &draw)
    };
    (1..STARTS).fold(attempt(0), |found, start| found.or_else(|_| attempt(start)))
}

/// A set from its columns, each scaled to norm one.
fn from_columns(columns: &[Vec<C64>]) -> Result<Pilots, ArrayError> {
    let (n, h) = (columns.len(), columns[0].len());
    let mut data = vec![C64::new(0.0, 0.0); h * n];
    for (j, column) in columns.iter().enumerate() {
        let norm = column.iter().map(|v| v.norm_sqr()).sum::<f64>().sqrt();
        for (i, v) in column.iter().enumerate() {
            data[i * n + j] = v / norm;
        }
    }
    Pilots::new(h, n, 1, 1.0, data)
}
