//! Errors of simulations.

use std::path::PathBuf;

use crate::container::IoError;
use crate::scenario::ScenarioError;

/// What can go wrong in a simulation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimulationError {
    /// Frames could not be made.
    #[error("point {point}")]
    Scenario {
        /// The point.
        point: String,
        /// The cause.
        #[source]
        source: Box<ScenarioError>,
    },
    /// A detector failed.
    #[error("point {point}, detector {detector}, frames from {first_frame}")]
    Detect {
        /// The point.
        point: String,
        /// Id of the detector.
        detector: String,
        /// First frame of the block.
        first_frame: u64,
        /// The cause.
        #[source]
        source: Box<crate::link::DetectError>,
    },
    /// A detector answered with arrays of the wrong shape or range.
    #[error("detector {detector} returned decisions that do not fit the frames: {source}")]
    Decisions {
        /// Id of the detector.
        detector: String,
        /// What is wrong and what is expected.
        #[source]
        source: crate::link::ArrayError,
    },
    /// `pilots_of` names a detector that is not there or has no pilots of its own.
    #[error(
        "point {point}: detectors.{detector}.pilots_of = \"{of}\", but {problem}; list a detector with \
         model.learn_pilots = true among the detectors of the figure, or remove pilots_of"
    )]
    PilotsOf {
        /// The point.
        point: String,
        /// The detector that borrows pilots.
        detector: String,
        /// The detector it borrows from.
        of: String,
        /// Why that fails.
        problem: String,
    },
    /// The log belongs to another configuration, seed, set of weights or shard.
    #[error("{path} was written with {what}; continue with those, use another --out, or start over with --fresh")]
    OtherRun {
        /// The log.
        path: PathBuf,
        /// What differs.
        what: String,
    },
    /// A log line that is not the last one cannot be read.
    #[error("{path}, line {line}: {problem}; the file was changed or the disk failed; start over with --fresh")]
    CorruptLog {
        /// The log.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What the parser found.
        problem: String,
    },
    /// A configuration that has no text to be hashed.
    #[error("point {0}: the configuration cannot be written: {1}")]
    Identity(String, String),
    /// Another process writes this log now.
    #[error("{path} is in use by another run; wait for it, or choose another --out")]
    Busy {
        /// The log.
        path: PathBuf,
    },
    /// A log, or a file that decides values, cannot be read or written.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The results file.
    #[error(transparent)]
    Results(#[from] crate::results::ResultsError),
    /// A shard number outside its range.
    #[error("--shard {0}/{1} is out of range: expected i/n with 1 <= i <= n (default: no shards)")]
    Shard(u32, u32),
    /// Folders that cannot be merged.
    #[error("cannot merge: {0}")]
    Merge(String),
    /// The experiment of a results file is not valid any more.
    #[error("{path}")]
    Config {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: Box<crate::link::ConfigError>,
    },
}

impl SimulationError {
    /// Frames of a point that could not be made, for `map_err`.
    pub(super) fn scenario(point: &str) -> impl FnOnce(ScenarioError) -> Self {
        move |source| Self::Scenario { point: point.into(), source: Box::new(source) }
    }
}
