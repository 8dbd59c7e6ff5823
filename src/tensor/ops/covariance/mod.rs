//! Covariance statistics of all sequences: products are burn's own, the factorisation is a `Triangular` of the backend.

pub(in crate::tensor) mod filter;
pub(in crate::tensor) mod score;
mod triangular;
mod whitening;

pub(in crate::tensor) use triangular::Primitives;
#[cfg(feature = "wgpu")]
pub(in crate::tensor) use triangular::Triangular;
