//! Covariance coordinate descent over the discrete activities.

pub(crate) mod posterior;

pub use posterior::SectionOptions;
