//! Joins the shards of a run: blocks in block order under the stop rules, bitwise what one run gives.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::block::BlockRecord;
use super::log::{log_path, read_log};
use super::stop::stop;
use super::totals::{Known, Totals};
use crate::config::{EngineConfig, Experiment, Point};
use crate::results::{PointResult, RESULTS_FILE, Results, read_results};
use crate::simulation::SimulationError;

/// One shard on disk.
struct Shard {
    dir: PathBuf,
    index: u32,
    results: Results,
}

/// Joins the results folders of all shards `1/n .. n/n`, in any order.
///
/// The stop rules of the configuration are applied to the joined blocks, so blocks that a single run would not have
/// computed are left out. `engine.time_budget` is compared with the sum of the seconds of all shards.
///
/// # Errors
/// [`SimulationError::Merge`] when a shard is missing, given twice, unfinished, or was run with another configuration,
/// seed or set of weights.
pub fn merge(dirs: &[PathBuf]) -> Result<Results, SimulationError> {
    let shards = read_shards(dirs)?;
    let Some(first) = shards.first() else {
        return Err(SimulationError::Merge("no folders given; expected the results folders of all shards".into()));
    };
    let config_error = |e| SimulationError::Config { path: first.dir.join(RESULTS_FILE), source: Box::new(e) };
    let points = first.results.config.points().map_err(config_error)?;
    let mut merged = Results { shard: None, points: Vec::with_capacity(points.len()), ..first.results.clone() };
    for known in &first.results.points {
        let point = points.iter().find(|p| p.id == known.id).ok_or_else(|| {
            SimulationError::Merge(format!("point {} of {} is not in its configuration", known.id, first.dir.display()))
        })?;
        merged.points.push(merge_point(point, known, &shards)?);
    }
    Ok(merged)
}

fn read_shards(dirs: &[PathBuf]) -> Result<Vec<Shard>, SimulationError> {
    let mut shards: Vec<Shard> = Vec::with_capacity(dirs.len());
    for dir in dirs {
        let results = read_results(dir)?;
        let Some((index, count)) = results.shard else {
            return Err(SimulationError::Merge(format!(
                "{} holds a whole run, not a shard; merge joins runs made with --shard i/n",
                dir.display()
            )));
        };
        if count as usize != dirs.len() {
            return Err(SimulationError::Merge(format!(
                "{} is shard {index}/{count}, but {} folders were given; give all {count}",
                dir.display(),
                dirs.len()
            )));
        }
        if let Some(other) = shards.iter().find(|s| s.index == index) {
            return Err(SimulationError::Merge(format!(
                "{} and {} are both shard {index}/{count}",
                other.dir.display(),
                dir.display()
            )));
        }
        if let Some(first) = shards.first() {
            same_run(first, dir, &results)?;
        }
        shards.push(Shard { dir: dir.clone(), index, results });
    }
    // n distinct indices in 1..=n out of n folders: all are here.
    shards.sort_by_key(|s| s.index);
    Ok(shards)
}

fn same_run(first: &Shard, dir: &Path, results: &Results) -> Result<(), SimulationError> {
    let differ = |what: &str| {
        Err(SimulationError::Merge(format!(
            "{} and {} were run with different {what}",
            first.dir.display(),
            dir.display()
        )))
    };
    if first.results.seed != results.seed {
        return differ("seeds");
    }
    // The batch changes memory and speed only.
    let comparable =
        |c: &Experiment| Experiment { engine: EngineConfig { batch_blocks: 1, ..c.engine.clone() }, ..c.clone() };
    if comparable(&first.results.config) != comparable(&results.config) {
        return differ("configurations");
    }
    Ok(())
}

fn merge_point(point: &Point, known: &PointResult, shards: &[Shard]) -> Result<PointResult, SimulationError> {
    let simulated: Vec<&str> = known.detectors.iter().filter(|d| !d.predicted).map(|d| d.id.as_str()).collect();
    if simulated.is_empty() {
        return Ok(known.clone());
    }
    let mut totals = Totals::new(simulated);
    let mut blocks: HashMap<(u64, u64), BlockRecord> = HashMap::new();
    let mut fingerprint: Option<String> = None;
    for shard in shards {
        let path = log_path(&shard.dir, &point.id);
        let contents = read_log(&path)?;
        let Some(header) = contents.header else { continue };
        if header.shard != shard.results.shard {
            return Err(SimulationError::Merge(format!(
                "{} is not the log of the shard in its folder",
                path.display()
            )));
        }
        if fingerprint.get_or_insert_with(|| header.fingerprint.clone()) != &header.fingerprint {
            return Err(SimulationError::Merge(format!(
                "{} was run with another version, other trained weights or other chosen options than {}; train once and evaluate the shards \
                 with the same bundles",
                path.display(),
                log_path(&shards[0].dir, &point.id).display()
            )));
        }
        for block in contents.blocks {
            let owner = (block.block % shards.len() as u64) as u32 + 1;
            if owner != shard.index {
                return Err(SimulationError::Merge(format!(
                    "{} holds block {}, which belongs to shard {owner}/{}",
                    path.display(),
                    block.block,
                    shards.len()
                )));
            }
            blocks.insert((block.block, block.frames), block);
        }
    }
    let size = point.engine.block_frames as u64;
    let termination = loop {
        let index = totals.frames / size;
        let frames = size.min(point.engine.max_frames - totals.frames);
        let Some(block) = blocks.remove(&(index, frames)) else {
            let owner = index % shards.len() as u64 + 1;
            return Err(SimulationError::Merge(format!(
                "point {}: block {index} of shard {owner}/{} is missing; run that shard again to finish it",
                point.id,
                shards.len()
            )));
        };
        totals.add(&block);
        if let Some(reason) = stop(&point.engine, &totals) {
            break reason;
        }
    };
    let of = |id: &str| {
        let Some(d) = known.detectors.iter().find(|d| d.id == id) else { return Known::default() };
        let properties = d.metrics.iter().filter(|m| m.metric.is_property());
        Known {
            parameters: d.parameters,
            properties: properties.filter_map(|m| Some((m.metric, m.value?))).collect(),
            chosen: d.chosen.clone(),
        }
    };
    let predicted: Vec<_> = known.detectors.iter().filter(|d| d.predicted).cloned().collect();
    Ok(PointResult {
        frames: totals.frames,
        termination,
        seconds: totals.seconds,
        detectors: totals.detector_results(point, of, &predicted),
        products: totals.products,
        ..known.clone()
    })
}
