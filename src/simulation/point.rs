//! One point: continues its log, computes batches, stops by the rules.

use std::collections::HashMap;

use super::batch::BlockSimulator;
use super::block::BlockRecord;
use super::fingerprint::fingerprint;
use super::log::{BlockLog, LogHeader, log_path};
use super::stop::{stop, time_left};
use super::totals::{Known, Totals};
use crate::config::Point;
use crate::results::{PointResult, TerminationReason};
use crate::scenario::Scenario;
use crate::simulation::{Detectors, Event, Progress, RunContext, SimulationError};

/// How far [`PointRun::advance`] goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// To `engine.min_frames` (of a shard: its part of them), for a coarse curve.
    MinFrames,
    /// To a stop rule.
    End,
}

/// Place of the point in its run, for progress only.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outlook {
    /// Number of the point, from 1.
    pub number: usize,
    /// Points of the run.
    pub points: usize,
    /// Seconds that the other points still need; `None` when nobody knows.
    pub others_left: Option<f64>,
}

impl Default for Outlook {
    fn default() -> Self {
        Self { number: 1, points: 1, others_left: Some(0.0) }
    }
}

/// A point in work.
pub struct PointRun<'a> {
    point: &'a Point,
    detectors: &'a Detectors,
    ctx: &'a RunContext,
    simulator: BlockSimulator<'a>,
    log: Option<BlockLog>,
    /// Blocks of the log that are not added yet, by index and length (a longer run needs a full last block again).
    logged: HashMap<(u64, u64), BlockRecord>,
    totals: Totals,
    offset: u64,
    stride: u64,
    /// Next block of this shard, counted in the shard.
    next: u64,
    ended: Option<TerminationReason>,
}

impl<'a> PointRun<'a> {
    /// Opens the log (when `ctx.out` is set) and adds the blocks it holds.
    ///
    /// # Errors
    /// [`SimulationError`] when the log belongs to another run or is damaged, or the pilots of a detector are missing.
    pub fn open(
        point: &'a Point,
        scenario: &'a Scenario,
        detectors: &'a Detectors,
        ctx: &'a RunContext,
    ) -> Result<Self, SimulationError> {
        let (offset, stride) = ctx.stride()?;
        let simulator = BlockSimulator::new(point, scenario, detectors)?;
        let (mut log, mut logged) = (None, HashMap::new());
        if let Some(out) = ctx.out.as_deref().filter(|_| !detectors.is_empty()) {
            let path = log_path(out, &point.id);
            let print = fingerprint(point, detectors, ctx)?;
            let header = LogHeader::new(&point.id, ctx.seed, point.engine.block_frames, ctx.shard, print);
            let (opened, contents) = BlockLog::open(&path, &header, ctx.fresh)?;
            if contents.torn > 0 {
                let message = format!(
                    "{}: the last line was torn by a kill ({} bytes dropped); its block is computed again",
                    path.display(),
                    contents.torn
                );
                ctx.observer.event(&Event::Warning { message });
            }
            log = Some(opened);
            logged = contents.blocks.into_iter().map(|b| ((b.block, b.frames), b)).collect();
        }
        let totals = Totals::new(detectors.iter().map(|(id, _)| id.as_str()));
        let mut run =
            Self { point, detectors, ctx, simulator, log, logged, totals, offset, stride, next: 0, ended: None };
        run.take_logged();
        Ok(run)
    }

    /// The next block of this shard with its frames; `None` when all are done.
    fn block(&self, slot: u64) -> Option<(u64, u64)> {
        let block = self.offset + slot * self.stride;
        let frames = self.simulator.frames_of(block).1;
        (frames > 0).then_some((block, frames))
    }

    /// Adds one block and tests the stop rules; shards go on to `max_frames`.
    fn add(&mut self, record: &BlockRecord) {
        self.totals.add(record);
        self.next += 1;
        self.ended = match (self.ctx.shard, self.block(self.next)) {
            (Some(_), None) => Some(TerminationReason::Shard),
            (Some(_), Some(_)) => None,
            (None, _) => stop(&self.point.engine, &self.totals),
        };
    }

    /// Adds the blocks that the log already has, as far as they go without a gap.
    fn take_logged(&mut self) {
        while self.ended.is_none() {
            let Some(record) = self.block(self.next).and_then(|key| self.logged.remove(&key)) else { return };
            self.add(&record);
        }
    }

    /// Blocks of the next batch: at most `batch_blocks`, not past `frames_wanted`, not what the log has.
    fn next_batch(&self, frames_wanted: u64) -> Vec<u64> {
        let mut blocks = Vec::new();
        let mut frames = self.totals.frames;
        for slot in self.next.. {
            let Some(key) = self.block(slot) else { break };
            if blocks.len() >= self.point.engine.batch_blocks
                || frames >= frames_wanted
                || self.logged.contains_key(&key)
            {
                break;
            }
            frames += key.1;
            blocks.push(key.0);
        }
        blocks
    }

    /// Computes batches until the goal is reached, the point ends or Ctrl-C is pressed; each batch is on disk before
    /// the next begins. What a batch computed past the block that ends the point is thrown away.
    ///
    /// # Errors
    /// [`SimulationError`] of frames, detectors or the log.
    pub fn advance(&mut self, goal: Goal, outlook: &Outlook) -> Result<(), SimulationError> {
        let wanted = match goal {
            Goal::MinFrames => self.point.engine.min_frames.div_ceil(self.stride),
            Goal::End => u64::MAX,
        };
        while self.ended.is_none() && !self.detectors.is_empty() && !self.ctx.interrupted() {
            if self.totals.frames >= wanted {
                return Ok(());
            }
            let blocks = self.next_batch(wanted);
            if blocks.is_empty() {
                // A shard with more shards than blocks has nothing to do.
                self.ended = Some(TerminationReason::Shard);
                return Ok(());
            }
            let mut records = self.simulator.run(&blocks)?;
            let mut kept = 0;
            for record in &records {
                self.add(record);
                kept += 1;
                if self.ended.is_some() {
                    break;
                }
            }
            records.truncate(kept);
            if let Some(log) = &mut self.log {
                log.append(&records)?;
            }
            self.take_logged();
            self.ctx.observer.event(&Event::Progress(self.progress(outlook)));
        }
        Ok(())
    }

    /// Whether a stop rule ended the point.
    pub fn ended(&self) -> bool {
        self.ended.is_some() || self.detectors.is_empty()
    }

    /// Frames so far.
    pub fn frames(&self) -> u64 {
        self.totals.frames
    }

    /// Seconds until the point ends, judged by its rate so far; `None` before the first frame.
    pub fn seconds_left(&self) -> Option<f64> {
        if self.ended() { Some(0.0) } else { time_left(&self.point.engine, &self.totals, self.frames_of_run()) }
    }

    /// Frames that this run (or shard) computes at most.
    fn frames_of_run(&self) -> u64 {
        let max = self.point.engine.max_frames;
        if self.ctx.shard.is_none() {
            return max;
        }
        let size = self.point.engine.block_frames as u64;
        let blocks = max.div_ceil(size);
        let own = blocks.saturating_sub(self.offset).div_ceil(self.stride);
        // The short last block belongs to one of the shards.
        let short = if blocks > 0 && (blocks - 1) % self.stride == self.offset { blocks * size - max } else { 0 };
        own * size - short
    }

    fn progress(&self, outlook: &Outlook) -> Progress {
        let worst = self.totals.detectors.iter().min_by_key(|d| d.events());
        let estimate = worst.map(|d| d.ser()).unwrap_or_default();
        let seconds_left = self.seconds_left();
        Progress {
            point: self.point.id.clone(),
            number: outlook.number,
            points: outlook.points,
            x_label: self.point.x_label.clone(),
            frames: self.totals.frames,
            max_frames: self.frames_of_run(),
            detector: worst.map(|d| d.id.clone()).unwrap_or_default(),
            events: worst.map_or(0, |d| d.events()),
            target_events: self.point.engine.target_events,
            estimate: estimate.value,
            half_width: estimate.interval.map(|i| i.half_width()),
            frames_per_second: self.totals.frames as f64 / self.totals.seconds.max(1e-9),
            seconds_left,
            run_seconds_left: seconds_left.zip(outlook.others_left).map(|(a, b)| a + b),
        }
    }

    /// The point as it stands. One that no rule has ended yet is "interrupted", or "not started" without a frame;
    /// so is one whose detectors are all predictions, which need no frames.
    pub fn result(&self) -> PointResult {
        let unfinished =
            if self.totals.frames == 0 { TerminationReason::NotStarted } else { TerminationReason::Interrupted };
        let (properties, chosen) = (self.ctx.properties.get(&self.point.id), self.ctx.chosen.get(&self.point.id));
        let known = |id: &str| Known {
            parameters: self.detectors.iter().find(|(known, _)| known == id).map_or(0, |(_, d)| d.parameters()),
            properties: properties.and_then(|p| p.get(id)).cloned().unwrap_or_default(),
            chosen: chosen.and_then(|c| c.get(id)).cloned().unwrap_or_default(),
        };
        let predicted = self.ctx.predicted.get(&self.point.id).map_or(&[][..], Vec::as_slice);
        PointResult {
            id: self.point.id.clone(),
            figure: self.point.figure.clone(),
            index: self.point.index,
            x: Some(self.point.x).filter(|x| x.is_finite()),
            x_label: self.point.x_label.clone(),
            frames: self.totals.frames,
            termination: self.ended.unwrap_or(unfinished),
            seconds: self.totals.seconds,
            detectors: self.totals.detector_results(self.point, known, predicted),
            products: self.totals.products.clone(),
        }
    }
}

/// Simulates one point to its end (or to Ctrl-C).
///
/// Values are bitwise the same for any number of threads, any `engine.batch_blocks` and any number of resumptions.
///
/// # Errors
/// [`SimulationError`] of frames, detectors or the log.
pub fn run_point(
    point: &Point,
    scenario: &Scenario,
    detectors: &Detectors,
    ctx: &RunContext,
) -> Result<PointResult, SimulationError> {
    let mut run = PointRun::open(point, scenario, detectors, ctx)?;
    run.advance(Goal::End, &Outlook::default())?;
    Ok(run.result())
}
