//! Grant-free massive access for IoT: classical and learned detectors, one Monte-Carlo engine.
//!
//! A base station with M antennas hears thousands of sporadically active devices and must tell who is active, what they
//! sent and through which channel, from pilots far shorter than the number of devices. This crate simulates the link,
//! detects with classical algorithms and with networks unfolded from them, trains those networks on any vendor's GPU or
//! on a CPU, and reports error rates with confidence intervals.
//!
//! Data flows one way: config -> scenario -> frames -> detector -> decisions -> metrics -> results -> report.
//!
//! | room | what it does |
//! |---|---|
//! | [`config`] | typed, validated experiment files |
//! | [`scenario`] | the physics: activity, fading, path loss, pilots, noise, channel files -> frames |
//! | [`detection`] | the one trait of classical and learned detectors |
//! | [`classical`] | reference detectors and bounds in plain Rust |
//! | `arithmetic` | complex loops on split planes for the processor's vector instructions |
//! | [`backend`] | device choice, fused tensor kernels with hand-written gradients |
//! | [`complex`] | complex arithmetic as stacked real tensors |
//! | [`models`] | networks as burn modules |
//! | [`training`] | phases, early stopping, atomic checkpoints, resume |
//! | [`simulation`] | the Monte-Carlo engine: keyed randomness, stop rules, logs, shards, replay |
//! | [`metrics`] | error rates and their intervals |
//! | [`experiment`] | one experiment file from training to report |
//! | [`report`] | results.json -> csv, figures, report.html |
//! | [`io`] | npz, safetensors, model bundles |
//! | [`cli`] | one file per command |
//!
//! # Example
//!
//! Frames of the default scenario, detected by AMP:
//!
//! ```
//! use grantfree::config::{DetectorConfig, DetectorKind, ScenarioConfig};
//! use grantfree::scenario::{Scenario, Split};
//!
//! let scenario = Scenario::new(&ScenarioConfig { devices: 40, ..Default::default() }, 1, Split::Test)?;
//! let frames = scenario.realize(0, 4).observe(&scenario.pilots(0))?;
//! let amp = grantfree::classical::build(&DetectorConfig::new(DetectorKind::Amp))?;
//! let decisions = amp.detect(&frames)?;
//! assert_eq!(decisions.activity.len(), 4 * 40);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![deny(missing_docs)]
#![recursion_limit = "256"]

mod arithmetic;
pub mod backend;
pub mod classical;
pub mod cli;
pub mod complex;
pub mod config;
pub mod detection;
pub mod experiment;
pub mod io;
pub mod metrics;
pub mod models;
pub mod report;
pub mod scenario;
pub mod simulation;
pub mod training;

/// The examples of the README are compiled with the doc tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
