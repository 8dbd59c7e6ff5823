//! Covariance methods: coordinate descent on the powers of the columns.

pub(crate) mod descent;

pub use descent::CovarianceOptions;
