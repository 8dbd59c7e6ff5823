//! Covariance statistics of all sequences: products are burn's own, the factorisation is a `Triangular` of the backend.

pub(in crate::tensor) mod filter;
pub(in crate::tensor) mod score;
mod triangular;
mod whitening;

pub(in crate::tensor) use triangular::Primitives;
#[cfg(feature = "wgpu")]
pub(in crate::tensor) use triangular::Triangular;

arguments! {
    /// Arguments of [`covariance_score`](crate::tensor::covariance_score) and
    /// [`covariance_filter`](crate::tensor::covariance_filter).
    CovarianceInputs[3] {
        /// Powers, `[F, K]`.
        gamma,
        /// Sequences, `[2L, K]`: real rows, then imaginary rows.
        s,
        /// Observations, `[F*M, 2L]`.
        y,;
        /// Antennas M.
        antennas: usize,
        /// Noise variance.
        noise_var: f64,
    }
}
