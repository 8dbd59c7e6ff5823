//! Saved networks: record and safetensors in one verified folder, the same for all systems.

use std::path::Path;

use burn::module::{Module, Param};
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Device, Tensor};

use super::error::ModelError;
use super::pilots::OwnPilots;
use super::system::System;
use crate::container::tensors::{NamedTensor, to_bytes};
use crate::container::{Bundle, Manifest, ManifestParts, write_bundle};
use crate::link::C64;
use crate::training::{EachParameter, TrainingPoint, each_parameter};

const RECORD: &str = "weights.bpk";
pub(super) const TENSORS: &str = "weights.safetensors";

/// What a manifest says under `metrics` of a network that was trained here.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Trail {
    /// Identity of the network.
    pub fingerprint: String,
    /// Seconds of training.
    pub seconds: f64,
    /// Steps done.
    pub steps: u64,
    /// Why it ended.
    pub termination: String,
    /// The curve.
    pub curve: Vec<TrainingPoint>,
}

/// Values of a tensor, row-major; `name` names it in errors.
///
/// # Errors
/// [`ModelError::Values`] when the device fails.
pub(super) fn values<const D: usize>(name: &str, t: Tensor<D>) -> Result<Vec<f32>, ModelError> {
    let data = t.detach().try_into_data().map_err(|e| ModelError::values(name, e))?;
    data.convert::<f32>().try_into_vec().map_err(|e| ModelError::values(name, format!("{e:?}")))
}

/// Every parameter with its values.
struct Collect(Result<Vec<NamedTensor>, ModelError>);

impl EachParameter for Collect {
    fn each<const D: usize>(&mut self, path: &str, param: &Param<Tensor<D>>) {
        if let Ok(tensors) = &mut self.0 {
            let t = param.val();
            let shape = t.dims().to_vec();
            match values(path, t) {
                Ok(values) => tensors.push((path.to_owned(), shape, values)),
                Err(error) => self.0 = Err(error),
            }
        }
    }
}

/// Every parameter as (path, shape, values), in a fixed order.
///
/// # Errors
/// [`ModelError::Values`] when the device fails.
pub fn named_tensors<M: Module>(net: &M) -> Result<Vec<NamedTensor>, ModelError> {
    let mut collect = Collect(Ok(Vec::new()));
    each_parameter(net, &mut collect);
    collect.0
}

/// A network with its pilots and what its manifest says.
#[derive(Debug, Clone)]
pub struct Saved<N: System> {
    /// The network.
    pub net: N,
    /// The pilots or signatures it was trained with, learned or given.
    pub pilots: N::Pilots,
    /// Architecture, shapes, threshold.
    pub info: N::Info,
    /// What was measured while it was trained.
    pub metrics: serde_json::Value,
    /// SHA-256 of weights and pilots by value, of a network that was loaded: equal for equal networks, whenever and
    /// wherever they were trained.
    pub checksum: String,
}

impl<N: System> Saved<N> {
    /// A network of which nothing was measured yet.
    pub fn new(net: N, pilots: N::Pilots, info: N::Info) -> Self {
        Self { net, pilots, info, metrics: serde_json::Value::Null, checksum: String::new() }
    }

    /// Writes the bundle.
    ///
    /// # Errors
    /// [`ModelError`] when a parameter cannot be read or the folder cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), ModelError> {
        let mut tensors = named_tensors(&self.net)?;
        let pilots = self.pilots.pilots();
        let (length, columns, data) = pilots.map_or((0, 0, &[][..]), |p| (p.length(), p.columns(), p.data()));
        let part = |f: fn(&C64) -> f64| data.iter().map(move |v| f(v) as f32);
        tensors.push(("pilots".into(), vec![2, length, columns], part(|v| v.re).chain(part(|v| v.im)).collect()));
        let safetensors = to_bytes(&dir.join(TENSORS), &tensors).map_err(ModelError::io(dir))?;
        let content = |problem: &dyn ToString| ModelError::content(dir, problem.to_string());
        let record = self.net.clone().valid().into_record().into_bytes().map_err(|e| content(&e))?;
        let config = serde_json::to_value(&self.info).map_err(|e| content(&e))?;
        let parts = ManifestParts { system: N::NAME.into(), config, metrics: self.metrics.clone() };
        crate::container::create_parent(dir).map_err(ModelError::io(dir))?;
        write_bundle(dir, &parts, &[(RECORD, &record), (TENSORS, &safetensors)]).map_err(ModelError::io(dir))?;
        Ok(())
    }

    /// Reads a bundle after its versions, checksums and shapes have been checked; the network lives on `device`.
    ///
    /// # Errors
    /// [`ModelError`] names the folder and the file.
    pub fn load(dir: &Path, device: &Device) -> Result<Self, ModelError> {
        let bundle = Bundle::open(dir).map_err(ModelError::io(dir))?;
        let manifest = bundle.manifest();
        if manifest.system != N::NAME {
            let problem = format!("holds a model of system {}, expected {}", manifest.system, N::NAME);
            return Err(ModelError::content(dir, problem));
        }
        let info = info::<N>(manifest).map_err(|problem| ModelError::content(dir, problem))?;
        N::check(&info).map_err(|problem| ModelError::content(dir, problem))?;
        let pilots = N::Pilots::read(&bundle, N::pilot_shape(&info))?;
        let net = weights(&bundle, N::fresh(&info, &pilots, device))?;
        let listed = manifest.files.get(TENSORS);
        let listed = listed.ok_or_else(|| ModelError::content(dir, format!("the manifest does not list {TENSORS}")))?;
        Ok(Self {
            pilots: net.exact_pilots()?.unwrap_or(pilots),
            net,
            info,
            metrics: manifest.metrics.clone(),
            checksum: listed.sha256.clone(),
        })
    }
}

/// What a manifest says of a network of system `N`.
pub(super) fn info<N: System>(manifest: &Manifest) -> Result<N::Info, String> {
    serde_json::from_value(manifest.config.clone()).map_err(|e| format!("manifest.json, config: {e}"))
}

/// Loads the weights into a fresh network.
fn weights<M: Module + 'static>(bundle: &Bundle, fresh: M) -> Result<M, ModelError> {
    let dir = bundle.dir();
    let bytes = bundle.file(RECORD).map_err(ModelError::io(dir))?.to_vec();
    let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(bytes))
        .map_err(|e| ModelError::content(dir, format!("{RECORD}: {e}")))?;
    let net = fresh.try_load_record(record).map_err(|e| {
        ModelError::content(dir, format!("{RECORD} does not fit the architecture of the manifest: {e}"))
    })?;
    Ok(net.valid())
}
