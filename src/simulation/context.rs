//! What a run needs besides point, scenario and detectors.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::link::Detector;
use crate::metrics::MetricName;
use crate::results::DetectorResult;
use crate::simulation::{NoObserver, Observer, SimulationError};

/// Frame detectors of a point in legend order, each with its id in the experiment file.
pub type Detectors = [(String, Box<dyn Detector>)];

/// Properties of detectors by id: metrics that count no frame, with their values.
pub type Properties = BTreeMap<String, Vec<(MetricName, f64)>>;

/// Settings and services shared by the points of a run.
#[derive(Clone)]
pub struct RunContext {
    /// Seed of the experiment; part of the fingerprint of the logs.
    pub seed: u64,
    /// Folder of the results; logs go to `OUT/log/`. `None` keeps nothing on disk.
    pub out: Option<PathBuf>,
    /// `(i, n)`: this run computes the blocks whose index is `i - 1` modulo n, up to `engine.max_frames`.
    pub shard: Option<(u32, u32)>,
    /// Forget earlier logs instead of continuing them.
    pub fresh: bool,
    /// Set by Ctrl-C: finish the batch and stop.
    pub interrupt: Arc<AtomicBool>,
    /// Who follows the run.
    pub observer: Arc<dyn Observer>,
    /// Per point id: named SHA-256 sums of everything outside of the file that decides values (the weights of each
    /// learned detector). They enter the fingerprint of the log, so that a log is never continued with other weights.
    pub checksums: HashMap<String, BTreeMap<String, String>>,
    /// Per point id: results of detectors that see no frames (state evolution), inserted in legend order.
    pub predicted: HashMap<String, Vec<DetectorResult>>,
    /// Per point id: options that were chosen on validation frames, by detector id and name.
    pub chosen: HashMap<String, BTreeMap<String, BTreeMap<String, serde_json::Value>>>,
    /// Per point id: properties of its detectors (coherence of the pilots, ...) by detector id.
    pub properties: HashMap<String, Properties>,
}

impl RunContext {
    /// A context without folder, shard, observer or predictions.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            out: None,
            shard: None,
            fresh: false,
            interrupt: Arc::new(AtomicBool::new(false)),
            observer: Arc::new(NoObserver),
            checksums: HashMap::new(),
            predicted: HashMap::new(),
            chosen: HashMap::new(),
            properties: HashMap::new(),
        }
    }

    /// Whether Ctrl-C was pressed.
    pub fn interrupted(&self) -> bool {
        self.interrupt.load(Ordering::SeqCst)
    }

    /// `(offset, stride)` of the blocks of this shard.
    pub(super) fn stride(&self) -> Result<(u64, u64), SimulationError> {
        match self.shard {
            None => Ok((0, 1)),
            Some((i, n)) if i >= 1 && i <= n => Ok((u64::from(i - 1), u64::from(n))),
            Some((i, n)) => Err(SimulationError::Shard(i, n)),
        }
    }
}
