//! Saved receivers with their signatures.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::net::{ReceiverNet, Sizes};
use crate::link::Pilots;
use crate::systems::bundle::{ModelError, open, save};
use crate::systems::signature::ReceiverConfig;

/// System name in manifests.
pub const SYSTEM: &str = "sicnn";

/// What a manifest says about a receiver, besides its metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReceiverInfo {
    /// Architecture.
    pub receiver: ReceiverConfig,
    /// Shapes and prior.
    pub sizes: Sizes,
    /// Trained real parameters.
    pub parameters: usize,
    /// Name in legends.
    pub label: String,
}

/// Writes a bundle; `signatures` are those the receiver was trained with, learned or given.
///
/// # Errors
/// [`ModelError`] when the folder cannot be written.
pub fn save_receiver(
    dir: &Path,
    net: &ReceiverNet,
    signatures: &Pilots,
    info: &ReceiverInfo,
    metrics: serde_json::Value,
) -> Result<(), ModelError> {
    save(dir, SYSTEM, net, Some(signatures), info, metrics)
}

/// A receiver, its signatures and what the manifest says.
#[derive(Debug)]
pub struct LoadedReceiver {
    /// The network on the given device.
    pub net: ReceiverNet,
    /// Its signatures.
    pub signatures: Arc<Pilots>,
    /// Manifest.
    pub info: ReceiverInfo,
    /// What the manifest says was measured while it was trained.
    pub metrics: serde_json::Value,
    /// SHA-256 of the weights and signatures by value.
    pub checksum: String,
}

/// Reads a bundle after its versions, checksums and shapes have been checked.
///
/// # Errors
/// [`ModelError`] names the folder and the file.
pub fn load_receiver(dir: &Path, device: &Device) -> Result<LoadedReceiver, ModelError> {
    let opened = open::<ReceiverInfo>(dir, SYSTEM)?;
    let info = &opened.info;
    info.receiver.validate("manifest.config.receiver").map_err(|e| ModelError::content(dir, e))?;
    if info.sizes.prob.len() != info.sizes.users {
        return Err(ModelError::content(dir, "manifest.json, config.sizes: one activation probability per user"));
    }
    let mut signatures = opened.pilots([info.sizes.length, info.sizes.users], 1, 1.0)?;
    let net = opened.load(ReceiverNet::init(&info.receiver, &info.sizes, 0, device))?;
    // Learned ones follow from the weights in double precision: norms are exactly one.
    if let Some(encoder) = &net.encoder {
        signatures = encoder.to_host()?;
    }
    Ok(LoadedReceiver {
        net,
        signatures: Arc::new(signatures),
        metrics: opened.metrics.clone(),
        checksum: opened.checksum.clone(),
        info: opened.info,
    })
}
