//! Guide pages.
//!
//! | page | what it explains |
//! |---|---|
//! | [`system_a`] | non-coherent access, DL-mAMPnet |
//! | [`system_b`] | learned pilots with model-driven decoders |
//! | [`system_c`] | PC-ADMM and its network |
//! | [`system_d`] | score-based estimation, networks trained in PyTorch |
//! | [`system_e`] | finite-alphabet signatures and their receivers |
//! | [`experiment_files`] | every key of an experiment file |
//! | [`detectors`] | every detector with its options, the Bayes reference, tuning |
//! | [`formats`] | frames, decisions, run folders, bundles |
//! | [`python`] | your own data, from Python |
//! | [`backends`] | features, devices, builds and their limits |
//! | [`performance`] | how times are measured and what makes them short |
//! | [`statistics`] | intervals, paired differences, rules of comparison |
//! | [`cluster`] | sweeps on several machines |
//! | [`extending`] | new detectors, and what a change must pass |
//! | [`references`] | papers and sources of the algorithms |

#[doc = include_str!("system_a.md")]
pub mod system_a {}

#[doc = include_str!("system_b.md")]
pub mod system_b {}

#[doc = include_str!("system_c.md")]
pub mod system_c {}

#[doc = include_str!("system_d.md")]
pub mod system_d {}

#[doc = include_str!("system_e.md")]
pub mod system_e {}

#[doc = include_str!("experiment_files.md")]
pub mod experiment_files {}

#[doc = include_str!("detectors.md")]
pub mod detectors {}

#[doc = include_str!("formats.md")]
pub mod formats {}

#[doc = include_str!("python.md")]
pub mod python {}

#[doc = include_str!("backends.md")]
pub mod backends {}

#[doc = include_str!("performance.md")]
pub mod performance {}

#[doc = include_str!("statistics.md")]
pub mod statistics {}

#[doc = include_str!("cluster.md")]
pub mod cluster {}

#[doc = include_str!("extending.md")]
pub mod extending {}

#[doc = include_str!("references.md")]
pub mod references {}
