//! Simulates whole blocks: draw, observe through each set of pilots, detect, count.

use std::sync::Arc;
use std::time::Instant;

use rayon::prelude::*;

use super::block::{BlockDetector, BlockRecord, products};
use super::{Detectors, SimulationError};
use crate::config::Point;
use crate::link::{Decisions, Detector};
use crate::link::{FrameBatch, Pilots};
use crate::metrics::{FrameCounts, MetricName, count_frames};
use crate::scenario::Scenario;
use crate::scenario::signatures::signature_set;

/// A point ready to compute blocks.
pub(super) struct BlockSimulator<'a> {
    point: &'a Point,
    scenario: &'a Scenario,
    detectors: &'a Detectors,
    /// Distinct pilots: `None` are the scenario's (which may change with the block).
    sources: Vec<Option<Arc<Pilots>>>,
    /// Source of each detector.
    source_of: Vec<usize>,
}

impl<'a> BlockSimulator<'a> {
    /// Resolves whose pilots each detector uses.
    pub fn new(point: &'a Point, scenario: &'a Scenario, detectors: &'a Detectors) -> Result<Self, SimulationError> {
        let mut sources: Vec<Option<Arc<Pilots>>> = Vec::new();
        let mut source_of = Vec::with_capacity(detectors.len());
        for (id, detector) in detectors {
            let config = point.detectors.get(id);
            let pilots = match (config.and_then(|c| c.pilots_of.as_ref()), config.and_then(|c| c.signatures)) {
                (Some(of), _) => Some(pilots_of(point, id, of, detectors)?),
                (None, Some(kind)) => {
                    let set =
                        signature_set(kind, &point.scenario.noma()).map_err(SimulationError::scenario(&point.id))?;
                    Some(Arc::new(set))
                }
                (None, None) => detector.pilots(),
            };
            let same = |known: &Option<Arc<Pilots>>| match (known, &pilots) {
                (None, None) => true,
                (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a == b,
                _ => false,
            };
            let at = sources.iter().position(same).unwrap_or_else(|| {
                sources.push(pilots.clone());
                sources.len() - 1
            });
            source_of.push(at);
        }
        Ok(Self { point, scenario, detectors, sources, source_of })
    }

    /// First frame and number of frames of a block; the last block ends at `engine.max_frames`.
    pub fn frames_of(&self, block: u64) -> (u64, u64) {
        let size = self.point.engine.block_frames as u64;
        let first = block * size;
        (first, size.min(self.point.engine.max_frames.saturating_sub(first)))
    }

    /// Frames of a block as each pilot source shows them; all share devices, channels and noise.
    fn observe(&self, block: u64) -> Result<Vec<FrameBatch>, SimulationError> {
        let (first, count) = self.frames_of(block);
        let draws = self.scenario.realize(first, count as usize);
        let of = |source: &Option<Arc<Pilots>>| {
            let pilots = source.clone().unwrap_or_else(|| self.scenario.pilots(block));
            draws.observe(&pilots).map_err(SimulationError::scenario(&self.point.id))
        };
        self.sources.iter().map(of).collect()
    }

    fn detect(&self, detector: usize, block: u64, batch: &FrameBatch) -> Result<Decisions, SimulationError> {
        let (id, implementation) = &self.detectors[detector];
        let decisions = implementation.detect(batch).map_err(|e| SimulationError::Detect {
            point: self.point.id.clone(),
            detector: id.clone(),
            first_frame: self.frames_of(block).0,
            source: Box::new(e),
        })?;
        decisions.check(batch).map_err(|source| SimulationError::Decisions { detector: id.clone(), source })?;
        Ok(decisions)
    }

    /// One block as each detector sees it, with its decisions.
    pub fn block(&self, block: u64) -> Result<Vec<(FrameBatch, Decisions)>, SimulationError> {
        let observed = self.observe(block)?;
        (0..self.detectors.len())
            .map(|d| {
                let batch = &observed[self.source_of[d]];
                Ok((batch.clone(), self.detect(d, block, batch)?))
            })
            .collect()
    }

    /// Computes blocks; what a block gives depends on its index only.
    ///
    /// Detectors always see exactly one block, so that not even rounding depends on the batch. Blocks run in parallel
    /// for classical detectors; learned ones run block after block, because their device is parallel inside. One
    /// detector runs at a time, so its seconds are wall time that no other detector shares.
    pub fn run(&self, blocks: &[u64]) -> Result<Vec<BlockRecord>, SimulationError> {
        let begun = Instant::now();
        let observed: Vec<Vec<FrameBatch>> = blocks.par_iter().map(|&b| self.observe(b)).collect::<Result<_, _>>()?;
        let frames: Vec<u64> = blocks.iter().map(|&b| self.frames_of(b).1).collect();
        let total = frames.iter().sum::<u64>().max(1) as f64;
        let mut records: Vec<BlockRecord> = blocks
            .iter()
            .zip(&frames)
            .map(|(&block, &frames)| BlockRecord {
                block,
                frames,
                seconds: 0.0,
                events: Vec::new(),
                detectors: Vec::new(),
                products: Vec::new(),
            })
            .collect();
        // Of every block, what each detector got right in each frame.
        let mut frame_counts: Vec<Vec<Vec<FrameCounts>>> = vec![Vec::new(); blocks.len()];
        for (d, (id, implementation)) in self.detectors.iter().enumerate() {
            let one = |i: usize| self.detect(d, blocks[i], &observed[i][self.source_of[d]]);
            let started = Instant::now();
            let decisions: Vec<Decisions> = if self.is_learned(id, implementation.as_ref()) {
                (0..blocks.len()).map(one).collect::<Result<_, _>>()?
            } else {
                (0..blocks.len()).into_par_iter().map(one).collect::<Result<_, _>>()?
            };
            let seconds = started.elapsed().as_secs_f64();
            let counts: Vec<Vec<FrameCounts>> = decisions
                .par_iter()
                .enumerate()
                .map(|(i, decided)| count_frames(&observed[i][self.source_of[d]], decided))
                .collect();
            for ((record, counts), all) in records.iter_mut().zip(counts).zip(&mut frame_counts) {
                let mut counted = BlockDetector::new(id, &counts);
                all.push(counts);
                counted.seconds = seconds * record.frames as f64 / total;
                record.events.push(counted.sums(MetricName::Ser, record.frames).map_or(0, |s| s.sums[0] as u64));
                record.detectors.push(counted);
            }
        }
        let ids: Vec<&str> = self.detectors.iter().map(|(id, _)| id.as_str()).collect();
        records.iter_mut().zip(&frame_counts).for_each(|(record, counts)| record.products = products(&ids, counts));
        let seconds = begun.elapsed().as_secs_f64();
        records.iter_mut().for_each(|r| r.seconds = seconds * r.frames as f64 / total);
        Ok(records)
    }

    fn is_learned(&self, id: &str, detector: &dyn Detector) -> bool {
        detector.parameters() > 0 || self.point.detectors.get(id).is_some_and(|c| c.learned().is_some())
    }
}

/// The pilots that detector `of` has learned.
fn pilots_of(point: &Point, id: &str, of: &str, detectors: &Detectors) -> Result<Arc<Pilots>, SimulationError> {
    let error = |problem: &str| SimulationError::PilotsOf {
        point: point.id.clone(),
        detector: id.into(),
        of: of.into(),
        problem: problem.into(),
    };
    let (_, other) =
        detectors.iter().find(|(other, _)| other == of).ok_or_else(|| error("it is not simulated here"))?;
    other.pilots().ok_or_else(|| error("it has no pilots of its own"))
}
