//! Saved networks.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::net::{MampNet, Side};
use crate::link::Pilots;
use crate::systems::bundle::{ModelError, open, save};
use crate::systems::mampnet::ModelConfig;

/// System name in manifests.
pub const SYSTEM: &str = "mampnet";

/// What a manifest says about a DL-mAMPnet, besides its metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BundleInfo {
    /// Architecture.
    pub model: ModelConfig,
    /// Shapes.
    pub side: Side,
    /// Expected squared norm of the pilot columns.
    pub pilot_energy: f64,
    /// Trained real parameters.
    pub parameters: usize,
    /// Name in legends.
    pub label: String,
}

/// Writes a bundle; `pilots` are those the network was trained with (learned or given).
///
/// # Errors
/// [`ModelError`] when the folder cannot be written.
pub fn save_bundle(
    dir: &Path,
    net: &MampNet,
    pilots: &Pilots,
    info: &BundleInfo,
    metrics: serde_json::Value,
) -> Result<(), ModelError> {
    save(dir, SYSTEM, net, Some(pilots), info, metrics)
}

/// A network, the pilots it was trained with and what the manifest says.
#[derive(Debug)]
pub struct LoadedModel {
    /// The network on the given device.
    pub net: MampNet,
    /// Its pilots.
    pub pilots: Arc<Pilots>,
    /// Manifest.
    pub info: BundleInfo,
    /// What the manifest says was measured while it was trained.
    pub metrics: serde_json::Value,
    /// SHA-256 of the weights and pilots by value: equal for equal networks, whenever and wherever they were trained.
    pub checksum: String,
}

/// Reads a bundle after its versions, checksums and shapes have been checked.
///
/// # Errors
/// [`ModelError`] names the folder and the file.
pub fn load_bundle(dir: &Path, device: &Device) -> Result<LoadedModel, ModelError> {
    let opened = open::<BundleInfo>(dir, SYSTEM)?;
    let info = &opened.info;
    info.model.validate("manifest.config.model").map_err(|e| ModelError::content(dir, e))?;
    let side = info.side;
    let shape = [side.pilot_length, side.devices * side.sequences];
    let pilots = opened.pilots(shape, side.sequences, info.pilot_energy)?;
    let net = opened.load(MampNet::init(&info.model, &pilots, side, device))?;
    Ok(LoadedModel {
        net,
        pilots: Arc::new(pilots),
        metrics: opened.metrics.clone(),
        checksum: opened.checksum.clone(),
        info: opened.info,
    })
}
