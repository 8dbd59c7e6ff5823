//! Typed, documented, validated experiment files (`configs/*.toml`), composed of the options that the modules below own.
//!
//! A file is read in three steps: parse TOML, apply the chosen budget and every `--set key=value`, then turn the
//! table into [`Experiment`]. Unknown keys and values out of range are errors that name the key, the range and the
//! default. [`Experiment::points`] unfolds figures and sweeps into fully resolved [`Point`]s.

mod detector;
mod experiment;
mod set;
mod tuned;

pub use detector::{DetectorConfig, Spec, algorithm, is_learned, role_of};
pub use experiment::{EngineConfig, Experiment, Figure, FigureStyle, FrameSplit, Point, Sweep};
pub use set::{Assignment, apply};
pub use tuned::Tuned;
