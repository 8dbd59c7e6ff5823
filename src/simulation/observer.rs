//! Following a run.

use serde::Serialize;

/// What happens in a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A batch of a point is done.
    Progress(Progress),
    /// A point has ended.
    PointEnded {
        /// Point id.
        point: String,
        /// Frames behind it.
        frames: u64,
        /// Why it ended, as spelled in results.json.
        termination: crate::results::TerminationReason,
        /// Seconds of simulation.
        seconds: f64,
    },
    /// Something the user should know.
    Warning {
        /// The text.
        message: String,
    },
}

/// State of a point after a batch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Progress {
    /// Point id.
    pub point: String,
    /// Number of the point, from 1.
    pub number: usize,
    /// Points of the run.
    pub points: usize,
    /// Value on the x axis as text.
    pub x_label: String,
    /// Frames simulated.
    pub frames: u64,
    /// Frames at most (of this shard).
    pub max_frames: u64,
    /// Detector with the fewest error events: the one that decides when to stop. Empty without detectors.
    pub detector: String,
    /// Its error events.
    pub events: u64,
    /// `engine.target_events`, 0 when off.
    pub target_events: u64,
    /// Its symbol error rate.
    pub estimate: Option<f64>,
    /// Half-width of its 95 % interval.
    pub half_width: Option<f64>,
    /// Frames per second, all detectors together.
    pub frames_per_second: f64,
    /// Seconds until this point ends, judged by the rate so far.
    pub seconds_left: Option<f64>,
    /// Seconds until the run ends, judged by the points that have begun.
    pub run_seconds_left: Option<f64>,
}

/// Receives events; called from the thread that runs the engine.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn event(&self, event: &Event);
}

/// Ignores everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn event(&self, _: &Event) {}
}
