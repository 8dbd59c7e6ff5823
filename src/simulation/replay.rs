//! One frame of a run again, exactly.

use super::batch::BlockSimulator;
use super::{Detectors, SimulationError};
use crate::config::Point;
use crate::link::Decisions;
use crate::link::FrameBatch;
use crate::metrics::{FrameCounts, count_frames};
use crate::scenario::Scenario;

/// One frame again.
#[derive(Debug, Clone)]
pub struct Replay {
    /// Number of the frame.
    pub frame: u64,
    /// Block that holds it.
    pub block: u64,
    /// Detectors in legend order.
    pub detectors: Vec<ReplayedDetector>,
}

/// What one detector saw and decided.
#[derive(Debug, Clone)]
pub struct ReplayedDetector {
    /// Id in the experiment file.
    pub id: String,
    /// The frame through the pilots of this detector, F = 1.
    pub batch: FrameBatch,
    /// Its decisions, F = 1.
    pub decisions: Decisions,
    /// What was counted.
    pub counts: FrameCounts,
}

/// Computes the block of a frame as the run did and returns the frame.
///
/// `frame` may lie beyond `engine.max_frames`; it is then computed in a whole block.
///
/// # Errors
/// [`SimulationError`] of frames or detectors.
pub fn replay_frame(
    point: &Point,
    scenario: &Scenario,
    detectors: &Detectors,
    frame: u64,
) -> Result<Replay, SimulationError> {
    let mut point = point.clone();
    let size = point.engine.block_frames as u64;
    let block = frame / size;
    if frame >= point.engine.max_frames {
        point.engine.max_frames = (block + 1) * size;
    }
    let at = (frame % size) as usize;
    let simulator = BlockSimulator::new(&point, scenario, detectors)?;
    let detectors = simulator
        .block(block)?
        .into_iter()
        .zip(detectors)
        .map(|((batch, decisions), (id, _))| {
            let counts = count_frames(&batch, &decisions).swap_remove(at);
            ReplayedDetector {
                id: id.clone(),
                decisions: decisions.part(batch.frames(), at..at + 1),
                batch: batch.part(at..at + 1),
                counts,
            }
        })
        .collect();
    Ok(Replay { frame, block, detectors })
}
