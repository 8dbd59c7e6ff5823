//! Saved score networks.

use std::path::Path;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::function::{ScoreFunction, ScoreModel};
use super::net::ScoreNet;
use super::set::SetNet;
use crate::detect::LangevinConfig;
use crate::link::{Split, StreamKey};
use crate::systems::bundle::{ModelError, open, save};
use crate::systems::score::{ScoreArchitecture, ScoreConfig};

/// Active when `||x||^2` exceeds this times `M beta`, unless an experiment sets another.
pub const DEFAULT_ROW_THRESHOLD: f64 = 0.1;

/// System name in manifests.
pub const SYSTEM: &str = "score";

/// What a manifest says about a score network, besides its metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoreInfo {
    /// Architecture and noise levels of the training.
    pub score: ScoreConfig,
    /// The sampler it is used with unless other options are given.
    pub langevin: LangevinConfig,
    /// Active when `||x||^2 > threshold * M * beta`: 0.1 unless the experiment set another.
    pub threshold: f64,
    /// Trained real parameters.
    pub parameters: usize,
    /// Name in legends.
    pub label: String,
}

/// Writes a bundle; a prior works with any pilots, so none belong to it.
///
/// # Errors
/// [`ModelError`] when the folder cannot be written.
pub fn save_score(
    dir: &Path,
    net: &impl ScoreModel,
    info: &ScoreInfo,
    metrics: serde_json::Value,
) -> Result<(), ModelError> {
    save(dir, SYSTEM, net, None, info, metrics)
}

/// A score network and what its manifest says.
#[derive(Debug)]
pub struct LoadedScore {
    /// The network on the given device.
    pub net: Box<dyn ScoreFunction>,
    /// Manifest.
    pub info: ScoreInfo,
    /// What the manifest says was measured while it was trained.
    pub metrics: serde_json::Value,
    /// SHA-256 of the weights by value.
    pub checksum: String,
}

/// Reads a bundle after its versions, checksums and shapes have been checked.
///
/// # Errors
/// [`ModelError`] names the folder and the file.
pub fn load_score(dir: &Path, device: &Device) -> Result<LoadedScore, ModelError> {
    let opened = open::<ScoreInfo>(dir, SYSTEM)?;
    opened.info.score.validate("manifest.config.score").map_err(|e| ModelError::content(dir, e))?;
    // Every initial value is replaced by what the file holds.
    let key = StreamKey::new(0, Split::Train, "loaded");
    let config = &opened.info.score;
    let net: Box<dyn ScoreFunction> = match config.architecture {
        ScoreArchitecture::Refine => Box::new(opened.load(ScoreNet::init(config, &key, device))?),
        ScoreArchitecture::Set => Box::new(opened.load(SetNet::init(config, &key, device))?),
    };
    Ok(LoadedScore { net, metrics: opened.metrics.clone(), checksum: opened.checksum.clone(), info: opened.info })
}
