//! Score-based generative estimation (field guide, section D): posterior samples by annealed Langevin dynamics.
//!
//! | part | what it is |
//! |---|---|
//! | [`prior`] | the score of the noised prior, exact for Bernoulli-Gaussian rows |
//! | [`anneal`] | noise levels, likelihood filters and the dynamics |
//! | [`detector`] | the detector |

pub(crate) mod anneal;
pub(crate) mod detector;
mod options;
pub(crate) mod orthogonal;
pub(crate) mod prior;
#[cfg(test)]
mod tests;

pub use detector::Langevin;
pub use options::{LangevinConfig, Likelihood, Sampler};
