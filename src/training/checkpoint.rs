//! The complete state of a run on disk: atomic, checksummed.

use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use serde::{Deserialize, Serialize};

use super::error::TrainError;
use crate::container::{Bundle, ManifestParts, write_bundle};
use crate::training::TrainingPoint;

const SYSTEM: &str = "checkpoint";
const AVERAGE: &str = "average.bpk";

/// Everything of a run that is not a tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Identity of the run.
    pub fingerprint: String,
    /// Phase in progress.
    pub phase: usize,
    /// Steps done in it.
    pub phase_step: u64,
    /// Steps of the whole run done (batches drawn).
    pub step: u64,
    /// Best validation loss of the phase.
    pub best: Option<f64>,
    /// Validations since then.
    pub since_best: u64,
    /// Sum of losses since the last validation.
    pub loss_sum: f64,
    /// Number of those.
    pub loss_count: u64,
    /// Seconds of training so far.
    pub seconds: f64,
    /// All phases are done.
    pub finished: bool,
    /// The curve so far.
    pub curve: Vec<TrainingPoint>,
}

/// Where a run keeps its state.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
    label: String,
}

/// A state with its tensors.
pub struct Loaded<N> {
    /// Scalars.
    pub state: State,
    /// Network in training.
    pub net: N,
    /// Best network of the phase.
    pub best: N,
    /// Moving average of the weights.
    pub average: Option<N>,
    /// Optimiser.
    pub optimizer: ModuleOptimizer,
}

impl Store {
    /// `dir` is created on the first save.
    pub fn new(dir: &Path, label: &str) -> Self {
        Self { dir: dir.to_owned(), label: label.to_owned() }
    }

    fn io(&self, source: crate::container::IoError) -> TrainError {
        TrainError::Checkpoint {
            label: self.label.clone(),
            path: self.dir.display().to_string(),
            source: Box::new(source),
        }
    }

    fn mismatch(&self, problem: impl ToString) -> TrainError {
        TrainError::Mismatch {
            label: self.label.clone(),
            path: self.dir.display().to_string(),
            problem: problem.to_string(),
        }
    }

    /// Saves all of it, replacing the previous checkpoint only when the new one is complete.
    pub fn save<N: Module>(
        &self,
        state: &State,
        net: &N,
        best: &N,
        average: Option<&N>,
        optimizer: &ModuleOptimizer,
    ) -> Result<(), TrainError> {
        let bytes = |n: &N| n.clone().into_record().into_bytes().map_err(|e| self.mismatch(e));
        let optimizer = optimizer.into_bytes().map_err(|e| self.mismatch(e))?;
        let config = serde_json::to_value(state).map_err(|e| self.mismatch(e))?;
        let parts = ManifestParts { system: SYSTEM.into(), config, metrics: serde_json::Value::Null };
        let (net, best) = (bytes(net)?, bytes(best)?);
        crate::container::create_parent(&self.dir).map_err(|e| self.io(e))?;
        let average = average.map(bytes).transpose()?;
        let mut files: Vec<(&str, &[u8])> = vec![("net.bpk", &net), ("best.bpk", &best), ("optimizer.bpk", &optimizer)];
        files.extend(average.as_deref().map(|bytes| (AVERAGE, bytes)));
        write_bundle(&self.dir, &parts, &files).map(|_| ()).map_err(|e| self.io(e))
    }

    /// Loads the checkpoint, or `None` where there is none yet.
    pub fn load<N: Module>(
        &self,
        fingerprint: &str,
        fresh: &N,
        averaged: bool,
        optimizer: ModuleOptimizer,
    ) -> Result<Option<Loaded<N>>, TrainError> {
        if !self.dir.exists() {
            return Ok(None);
        }
        let bundle = Bundle::open(&self.dir).map_err(|e| self.io(e))?;
        let state: State = serde_json::from_value(bundle.manifest().config.clone()).map_err(|e| self.mismatch(e))?;
        if state.fingerprint != fingerprint {
            return Err(self.mismatch("was made by a different configuration"));
        }
        let read = |name: &str| -> Result<Bytes, TrainError> {
            Ok(Bytes::from_bytes_vec(bundle.file(name).map_err(|e| self.io(e))?.to_vec()))
        };
        let net = |name: &str| -> Result<N, TrainError> {
            let record = ModuleRecord::from_bytes(read(name)?).map_err(|e| self.mismatch(e))?;
            fresh.clone().try_load_record(record).map_err(|e| self.mismatch(e))
        };
        Ok(Some(Loaded {
            net: net("net.bpk")?,
            best: net("best.bpk")?,
            average: averaged.then(|| net(AVERAGE)).transpose()?,
            optimizer: optimizer.from_bytes(read("optimizer.bpk")?).map_err(|e| self.mismatch(e))?,
            state,
        }))
    }
}
