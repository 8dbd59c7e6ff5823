//! What the saved networks of all systems share: named tensors, record and safetensors in one verified folder.

use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Tensor};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::container::tensors::{NamedTensor, to_bytes};
use crate::container::{Bundle, ManifestParts, write_bundle};
use crate::link::{C64, Pilots};

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
        source: crate::container::IoError,
    },
    /// The files are whole but do not describe a model of this version.
    #[error("model bundle {path}: {problem}")]
    Content {
        /// Folder.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// Values that cannot be read from the device or are not finite.
    #[error("{name} of the network: {problem}")]
    Values {
        /// The parameter.
        name: String,
        /// What is wrong.
        problem: String,
    },
}

impl ModelError {
    /// Content that does not describe a model of this version.
    pub(super) fn content(dir: &Path, problem: impl ToString) -> Self {
        Self::Content { path: dir.display().to_string(), problem: problem.to_string() }
    }

    /// Values that cannot be read from the device or are not finite.
    pub(super) fn values(name: &str, problem: impl ToString) -> Self {
        Self::Values { name: name.to_owned(), problem: problem.to_string() }
    }

    fn io(dir: &Path) -> impl Fn(crate::container::IoError) -> Self + '_ {
        |source| Self::Io { path: dir.display().to_string(), source }
    }
}

/// Values of a tensor, row-major; `name` names it in errors.
///
/// # Errors
/// [`ModelError::Values`] when the device fails.
pub(super) fn values<const D: usize>(name: &str, t: Tensor<D>) -> Result<Vec<f32>, ModelError> {
    let data = t.detach().try_into_data().map_err(|e| ModelError::values(name, e))?;
    data.convert::<f32>().try_into_vec().map_err(|e| ModelError::values(name, format!("{e:?}")))
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
pub fn named_tensors<M: Module>(net: &M) -> Vec<NamedTensor> {
    let mut collect = Collect::default();
    net.visit(&mut collect);
    collect.tensors
}

/// Writes a bundle; `pilots` (or signatures) are those the network was trained with, learned or given; a network
/// that works with any has none.
pub(super) fn save<M: Module + 'static>(
    dir: &Path,
    system: &str,
    net: &M,
    pilots: Option<&Pilots>,
    info: &impl Serialize,
    metrics: serde_json::Value,
) -> Result<(), ModelError> {
    let mut tensors = named_tensors(net);
    let (length, columns, data) = pilots.map_or((0, 0, &[][..]), |p| (p.length(), p.columns(), p.data()));
    let part = |f: fn(&C64) -> f64| data.iter().map(move |v| f(v) as f32);
    tensors.push(("pilots".into(), vec![2, length, columns], part(|v| v.re).chain(part(|v| v.im)).collect()));
    let safetensors = to_bytes(&dir.join(TENSORS), &tensors).map_err(ModelError::io(dir))?;
    let record = net.clone().valid().into_record().into_bytes().map_err(|e| ModelError::content(dir, e))?;
    let config = serde_json::to_value(info).map_err(|e| ModelError::content(dir, e))?;
    let parts = ManifestParts { system: system.into(), config, metrics };
    crate::container::create_parent(dir).map_err(ModelError::io(dir))?;
    write_bundle(dir, &parts, &[(RECORD, &record), (TENSORS, &safetensors)]).map_err(ModelError::io(dir))?;
    Ok(())
}

/// A verified bundle of one system.
pub(super) struct Opened<I> {
    bundle: Bundle,
    /// Manifest.
    pub info: I,
    /// What the manifest says was measured while it was trained.
    pub metrics: serde_json::Value,
    /// SHA-256 of the weights and pilots by value.
    pub checksum: String,
}

/// The system of the bundle in `dir` by its manifest; loading verifies the files.
///
/// # Errors
/// [`ModelError`] when the manifest is missing, damaged or of another version.
pub fn system_of(dir: &Path) -> Result<String, ModelError> {
    Ok(Bundle::read_manifest(dir).map_err(ModelError::io(dir))?.system)
}

/// Opens a bundle of `system`.
pub(super) fn open<I: DeserializeOwned>(dir: &Path, system: &str) -> Result<Opened<I>, ModelError> {
    let bundle = Bundle::open(dir).map_err(ModelError::io(dir))?;
    let manifest = bundle.manifest();
    if manifest.system != system {
        return Err(ModelError::content(
            dir,
            format!("holds a model of system {}, expected {system}", manifest.system),
        ));
    }
    let info = serde_json::from_value(manifest.config.clone())
        .map_err(|e| ModelError::content(dir, format!("manifest.json, config: {e}")))?;
    let checksum = manifest.files.get(TENSORS).map(|f| f.sha256.clone()).unwrap_or_default();
    Ok(Opened { info, metrics: manifest.metrics.clone(), checksum, bundle })
}

impl<I> Opened<I> {
    /// The pilots; `sequences` per device, columns of expected squared norm `energy`.
    pub fn pilots(&self, shape: [usize; 2], sequences: usize, energy: f64) -> Result<Pilots, ModelError> {
        let dir = self.bundle.dir();
        let [length, columns] = shape;
        let tensors = self.bundle.tensors(TENSORS).map_err(ModelError::io(dir))?;
        let (_, found, values) = tensors
            .iter()
            .find(|(name, ..)| name == "pilots")
            .ok_or_else(|| ModelError::content(dir, format!("{TENSORS} has no tensor pilots")))?;
        if *found != [2, length, columns] {
            return Err(ModelError::content(
                dir,
                format!("{TENSORS}: pilots has shape {found:?}, the manifest says [2, {length}, {columns}]"),
            ));
        }
        let half = length * columns;
        let data = (0..half).map(|i| C64::new(f64::from(values[i]), f64::from(values[half + i]))).collect();
        Pilots::new(length, columns, sequences, energy, data)
            .map_err(|e| ModelError::content(dir, format!("{TENSORS}: {e}")))
    }

    /// Loads the weights into a fresh network.
    pub fn load<M: Module + 'static>(&self, fresh: M) -> Result<M, ModelError> {
        let dir = self.bundle.dir();
        let bytes = self.bundle.file(RECORD).map_err(ModelError::io(dir))?.to_vec();
        let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(bytes))
            .map_err(|e| ModelError::content(dir, format!("{RECORD}: {e}")))?;
        let net = fresh.try_load_record(record).map_err(|e| {
            ModelError::content(dir, format!("{RECORD} does not fit the architecture of the manifest: {e}"))
        })?;
        Ok(net.valid())
    }
}
