//! Saved PC-ADMM networks.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::net::PcAdmmNet;
use crate::link::{Pilots, Split, StreamKey};
use crate::systems::access::LinkSizes;
use crate::systems::bundle::{ModelError, open, save};
use crate::systems::pc_admm::AdmmConfig;

/// System name in manifests.
pub const SYSTEM: &str = "pc-admm-net";

/// What a manifest says about a PC-ADMM network, besides its metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PcAdmmInfo {
    /// Architecture.
    pub admm: AdmmConfig,
    /// Shapes.
    pub sizes: LinkSizes,
    /// Squared norm of the pilot columns on the link.
    pub pilot_energy: f64,
    /// Active when the score is larger: chosen on training frames.
    pub threshold: f64,
    /// Trained real parameters.
    pub parameters: usize,
    /// Name in legends.
    pub label: String,
}

/// Writes a bundle; `pilots` are those the network was trained with.
///
/// # Errors
/// [`ModelError`] when the folder cannot be written.
pub fn save_pc_admm(
    dir: &Path,
    net: &PcAdmmNet,
    pilots: &Pilots,
    info: &PcAdmmInfo,
    metrics: serde_json::Value,
) -> Result<(), ModelError> {
    save(dir, SYSTEM, net, Some(pilots), info, metrics)
}

/// A PC-ADMM network, its pilots and what the manifest says.
#[derive(Debug)]
pub struct LoadedPcAdmm {
    /// The module on the given device.
    pub net: PcAdmmNet,
    /// Its pilots.
    pub pilots: Arc<Pilots>,
    /// Manifest.
    pub info: PcAdmmInfo,
    /// What the manifest says was measured while it was trained.
    pub metrics: serde_json::Value,
    /// SHA-256 of the weights and pilots by value.
    pub checksum: String,
}

/// Reads a bundle after its versions, checksums and shapes have been checked.
///
/// # Errors
/// [`ModelError`] names the folder and the file.
pub fn load_pc_admm(dir: &Path, device: &Device) -> Result<LoadedPcAdmm, ModelError> {
    let opened = open::<PcAdmmInfo>(dir, SYSTEM)?;
    let info = &opened.info;
    info.admm.validate("manifest.config.admm").map_err(|e| ModelError::content(dir, e))?;
    let sizes = info.sizes;
    if sizes.devices == 0 || sizes.pilot_length == 0 || sizes.antennas == 0 {
        return Err(ModelError::content(dir, "manifest.json, config.sizes: every size is at least 1"));
    }
    let pilots = opened.pilots([sizes.pilot_length, sizes.devices], 1, info.pilot_energy)?;
    // Every initial value is replaced by what the file holds.
    let key = StreamKey::new(0, Split::Train, "loaded");
    let net = opened.load(PcAdmmNet::init(&info.admm, &pilots, &sizes, &key, device))?;
    Ok(LoadedPcAdmm {
        net,
        pilots: Arc::new(pilots),
        metrics: opened.metrics.clone(),
        checksum: opened.checksum.clone(),
        info: opened.info,
    })
}
