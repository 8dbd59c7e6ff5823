//! Saved networks: manifest, burn record, safetensors.

use std::path::Path;
use std::sync::Arc;

use burn::module::{Module, ModuleVisitor, Param};
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Device, Tensor};
use serde::{Deserialize, Serialize};

use super::net::{MampNet, Side};
use crate::config::ModelConfig;
use crate::io::tensors::{NamedTensor, to_bytes};
use crate::io::{Bundle, ManifestParts, write_bundle};
use crate::scenario::{C64, Pilots};

/// System name in manifests.
pub const SYSTEM: &str = "mampnet";
const RECORD: &str = "weights.bpk";
const TENSORS: &str = "weights.safetensors";

/// Errors of saved models.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file of the bundle is missing, damaged or cannot be written.
    #[error("model bundle {path}")]
    Io {
        /// Folder.
        path: String,
        /// Cause.
        #[source]
        source: crate::io::IoError,
    },
    /// The files are whole but do not describe a model of this version.
    #[error("model bundle {path}: {problem}")]
    Content {
        /// Folder.
        path: String,
        /// What is wrong.
        problem: String,
    },
}

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

/// Collects every parameter as a named tensor.
#[derive(Default)]
struct Collect {
    path: Vec<String>,
    tensors: Vec<NamedTensor>,
}

impl ModuleVisitor for Collect {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let t = param.val().detach();
        let shape = t.dims().to_vec();
        let data = t.into_data().convert::<f32>().try_into_vec().unwrap_or_default();
        self.tensors.push((self.path.join("."), shape, data));
    }
}

/// Every parameter as (path, shape, values), in a fixed order.
pub fn named_tensors(net: &MampNet) -> Vec<NamedTensor> {
    let mut collect = Collect::default();
    net.visit(&mut collect);
    collect.tensors
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
    let path = dir.display().to_string();
    let io = |source| ModelError::Io { path: path.clone(), source };
    let content = |problem: String| ModelError::Content { path: path.clone(), problem };
    let mut tensors = named_tensors(net);
    let part = |f: fn(&C64) -> f64| pilots.data.iter().map(move |v| f(v) as f32);
    tensors.push((
        "pilots".into(),
        vec![2, pilots.length, pilots.columns],
        part(|v| v.re).chain(part(|v| v.im)).collect(),
    ));
    let safetensors = to_bytes(&dir.join(TENSORS), &tensors).map_err(io)?;
    let record = net.clone().valid().into_record().into_bytes().map_err(|e| content(e.to_string()))?;
    let config = serde_json::to_value(info).map_err(|e| content(e.to_string()))?;
    let parts = ManifestParts { system: SYSTEM.into(), config, metrics };
    crate::io::create_parent(dir).map_err(io)?;
    write_bundle(dir, &parts, &[(RECORD, &record), (TENSORS, &safetensors)]).map_err(io)?;
    Ok(())
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
    let path = dir.display().to_string();
    let io = |source| ModelError::Io { path: path.clone(), source };
    let content = |problem: String| ModelError::Content { path: path.clone(), problem };
    let bundle = Bundle::open(dir).map_err(io)?;
    let manifest = bundle.manifest();
    if manifest.system != SYSTEM {
        return Err(content(format!("holds a model of system {}, expected {SYSTEM}", manifest.system)));
    }
    let info: BundleInfo =
        serde_json::from_value(manifest.config.clone()).map_err(|e| content(format!("manifest.json, config: {e}")))?;
    info.model.validate("manifest.config.model").map_err(|e| content(e.to_string()))?;
    let side = info.side;
    let k = side.devices * side.sequences;
    let tensors = bundle.tensors(TENSORS).map_err(io)?;
    let (_, shape, values) = tensors
        .iter()
        .find(|(name, ..)| name == "pilots")
        .ok_or_else(|| content(format!("{TENSORS} has no tensor pilots")))?;
    if *shape != [2, side.pilot_length, k] {
        return Err(content(format!(
            "{TENSORS}: pilots has shape {shape:?}, the manifest says [2, {}, {k}]",
            side.pilot_length
        )));
    }
    let half = side.pilot_length * k;
    let pilots = Pilots {
        length: side.pilot_length,
        columns: k,
        sequences: side.sequences,
        energy: info.pilot_energy,
        data: (0..half).map(|i| C64::new(f64::from(values[i]), f64::from(values[half + i]))).collect(),
    };
    let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(bundle.file(RECORD).map_err(io)?.to_vec()))
        .map_err(|e| content(format!("{RECORD}: {e}")))?;
    let net = MampNet::init(&info.model, &pilots, side, device)
        .try_load_record(record)
        .map_err(|e| content(format!("{RECORD} does not fit the architecture of the manifest: {e}")))?;
    let checksum = manifest.files.get(TENSORS).map(|f| f.sha256.clone()).unwrap_or_default();
    Ok(LoadedModel { net: net.valid(), pilots: Arc::new(pilots), info, metrics: manifest.metrics.clone(), checksum })
}
