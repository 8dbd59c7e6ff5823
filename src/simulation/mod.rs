//! The Monte-Carlo engine: paired detectors, keyed randomness, stop rules, logs that survive a kill, shards, replay.
//!
//! Frames are numbered from 0 and grouped in *blocks* of `engine.block_frames`. A block is the unit of everything:
//! its frames follow from (seed, scenario, frame number) alone, every detector sees the same draws, the counts of a
//! block are added in frame order and the blocks in block order. Threads, batches, shards and resumed runs only change
//! who computes a block and when, so they give bitwise the same values.
//!
//! - [`run_point`] simulates one point; [`Runner`] runs all points, first a coarse curve and then to the end.
//! - [`merge()`] joins shards into one [`Results`](crate::results::Results); [`replay_frame`] computes one frame again.
//! - [`Observer`] follows a run.

mod batch;
mod block;
mod context;
mod error;
mod fingerprint;
mod log;
mod merge;
mod observer;
mod point;
mod replay;
mod runner;
mod stop;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod totals;

pub use context::{Detectors, Properties, RunContext};
pub use error::SimulationError;
pub use log::log_path;
pub use merge::merge;
pub use observer::{Event, NoObserver, Observer, Progress};
pub use point::{Goal, Outlook, PointRun, run_point};
pub use replay::{Replay, ReplayedDetector, replay_frame};
pub use runner::{Job, RunOutcome, Runner};
