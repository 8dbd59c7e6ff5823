//! Grant-free massive access for IoT: classical and learned detectors, one Monte-Carlo engine.
//!
//! A base station with M antennas hears thousands of sporadically active devices and must tell who is active, what they
//! sent and through which channel, from pilots far shorter than the number of devices. This crate simulates the link,
//! detects with classical algorithms and with networks unfolded from them, trains those networks on any vendor's GPU or
//! on a CPU, and reports error rates with confidence intervals.
//!
//! Data flows one way: config -> scenario -> frames -> detector -> decisions -> metrics -> results -> report.
//!
//! The modules from bottom to top; each uses only modules above it in this table, which a test of the repository checks:
//!
//! | module | what it holds |
//! |---|---|
//! | [`link`] | the vocabulary: pilots, frames, decisions, the one trait of all detectors, random streams |
//! | `math` | complex planes, vector lanes, inverses, special functions |
//! | [`metrics`] | error rates and their intervals |
//! | [`container`] | npz, safetensors, PyTorch state_dicts, verified folders, atomic writes |
//! | [`scenario`] | the physics: activity, fading, path loss, pilots, noise, channel files -> frames |
//! | [`detect`] | classical detectors, bounds and predictions in plain Rust |
//! | [`tensor`] | device choice, fused tensor kernels with hand-written gradients, stacked complex tensors |
//! | [`training`] | phases, early stopping, atomic checkpoints, resume |
//! | [`systems`] | learned detectors: networks as burn modules, one folder per system |
//! | [`config`] | experiment files, composed of the options that the modules below own |
//! | [`results`] | results.json |
//! | [`simulation`] | the Monte-Carlo engine: paired detectors, stop rules, logs, shards, replay |
//! | `plot` | charts as SVG and PNG |
//! | [`report`] | results.json -> csv, figures, report.html |
//! | [`experiment`] | one experiment file from training to report |
//! | [`prelude`] | the names that most programs need |
//! | [`cli`] | one file per command |
//! | [`docs`] | guide pages: systems, experiment files, detectors, formats, statistics, and how to add detectors |
//!
//! Features: one backend at least (`flex`, `ndarray`, `wgpu`) for whatever works on tensors; `report` for `plot` and
//! [`report`]; `cli` for [`cli`] and the program. All but `wgpu` are on by default. The [`burn`] that the tensors come
//! from is exported again, so that a program needs no second copy of it.
//!
//! # Example
//!
//! Frames of the default scenario, detected by AMP:
//!
//! ```
//! use grantfree::detect::{Amp, AmpOptions};
//! use grantfree::link::{Detector, Split};
//! use grantfree::scenario::{Scenario, ScenarioConfig};
//!
//! let scenario = Scenario::new(&ScenarioConfig { devices: 40, ..Default::default() }, 1, Split::Test)?;
//! let frames = scenario.realize(0, 4).observe(&scenario.pilots(0))?;
//! let amp = Amp::new(AmpOptions::default())?;
//! let decisions = amp.detect(&frames)?;
//! assert_eq!(decisions.activity.len(), 4 * 40);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![recursion_limit = "256"]
#![cfg_attr(
    not(feature = "flex"),
    allow(
        dead_code,
        unused_imports,
        unused_variables,
        reason = "kernels of the CPU are checked without their backend too"
    )
)]

pub use burn;

#[cfg(feature = "cli")]
pub mod cli;
pub mod config;
pub mod container;
pub mod detect;
pub mod docs;
pub mod experiment;
pub mod link;
mod math;
pub mod metrics;
#[cfg(feature = "report")]
mod plot;
pub mod prelude;
#[cfg(feature = "report")]
pub mod report;
pub mod results;
pub mod scenario;
pub mod simulation;
pub mod systems;
pub mod tensor;
pub mod training;

/// The examples of the README are compiled with the doc tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
