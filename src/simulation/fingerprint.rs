//! The fingerprint of a log: equal fingerprints mean that blocks may be joined.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::{Detectors, RunContext, SimulationError};
use crate::config::{DetectorConfig, FrameSplit, Point};
use crate::container::{IoError, file_sha256, sha256_hex};
use crate::scenario::ScenarioConfig;

/// What is hashed. Structs and sorted maps have one text, whatever the order of the legend.
#[derive(Serialize)]
struct Identity<'a> {
    crate_version: &'a str,
    seed: u64,
    scenario: ScenarioConfig,
    channel_file: Option<String>,
    block_frames: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    split: Option<FrameSplit>,
    detectors: BTreeMap<&'a str, Option<toml::Table>>,
    checksums: Option<&'a BTreeMap<String, String>>,
}

/// SHA-256 of everything that decides the numbers in a block of a point, in hexadecimal.
///
/// Inside: version, seed, scenario (with the content of its channel file), `engine.block_frames`, what differs
/// from the default in each detector but its label, and the checksums of the context. Outside: stop rules, batches, threads, shards.
pub(super) fn fingerprint(point: &Point, detectors: &Detectors, ctx: &RunContext) -> Result<String, SimulationError> {
    let channel_file = point
        .scenario
        .channel_file
        .as_deref()
        .map(|f| file_sha256(Path::new(f)).map_err(|e| IoError::read(Path::new(f), e)))
        .transpose()?;
    let unhashable = |problem: &dyn std::fmt::Display| SimulationError::Identity(point.id.clone(), problem.to_string());
    let detectors: BTreeMap<&str, Option<toml::Table>> = detectors
        .iter()
        .map(|(id, _)| {
            let canonical = point.detectors.get(id).map(DetectorConfig::canonical).transpose();
            Ok((id.as_str(), canonical.map_err(|e| unhashable(&e))?))
        })
        .collect::<Result<_, SimulationError>>()?;
    let identity = Identity {
        crate_version: env!("CARGO_PKG_VERSION"),
        seed: ctx.seed,
        scenario: point.scenario.named(),
        channel_file,
        block_frames: point.engine.block_frames,
        // Test frames are what logs have always been about.
        split: Some(point.engine.split).filter(|s| *s != FrameSplit::Test),
        detectors,
        checksums: ctx.checksums.get(&point.id),
    };
    let text = serde_json::to_string(&identity).map_err(|e| unhashable(&e))?;
    Ok(sha256_hex(text.as_bytes()))
}
