//! The names that most programs need: `use grantfree::prelude::*;`.

pub use crate::config::{DetectorConfig, Experiment};
pub use crate::detect::{Amp, AmpOptions, Classical};
pub use crate::experiment::{Mode, Outcome, Settings, execute, load_detector};
pub use crate::link::{AccessModel, Beta, C64, Decisions, DetectError, Detector, FrameBatch, Pilots, Split};
pub use crate::results::{Results, read_results};
pub use crate::scenario::{Scenario, ScenarioConfig};
pub use crate::tensor::{BackendChoice, choose};
