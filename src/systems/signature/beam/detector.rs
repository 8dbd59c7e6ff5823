//! The search with a trained metric, and its bundles.

use std::path::Path;

use burn::module::Module;
use burn::tensor::Device;

use super::SYSTEM;
use super::features::Scratch;
use super::metric::{BeamNet, HostMetric};
use crate::detect::Order;
use crate::detect::beam_sic;
use crate::detect::beam_sic::{extend, keep};
use crate::detect::spreading::link::{Link, LinkDetector, LinkModel, detect_link};
use crate::link::{Decisions, DetectError, Detector};
use crate::link::{FrameBatch, Pilots, Split, StreamKey};
use crate::systems::bundle::{ModelError, open, save};
use crate::systems::signature::ReceiverConfig;
use crate::systems::signature::ReceiverInfo;

/// Beam search with a learned metric. It serves any signatures of the users it was trained for.
#[derive(Debug)]
pub struct BeamDetector {
    metric: HostMetric,
    beam: usize,
    window: f64,
    users: usize,
    parameters: usize,
}

/// A loaded bundle.
pub struct LoadedBeam {
    /// The detector.
    pub detector: BeamDetector,
    /// What the manifest says was measured while it was trained.
    pub metrics: serde_json::Value,
    /// SHA-256 of the weights by value.
    pub checksum: String,
}

/// Buffers of one thread.
#[derive(Default)]
pub struct Workspace {
    beam: beam_sic::Workspace,
    scratch: Scratch,
    row: Vec<f64>,
    buffers: [Vec<f64>; 2],
}

impl BeamDetector {
    /// A metric with the beam and window of a configuration.
    pub fn new(net: &BeamNet, config: &ReceiverConfig) -> Self {
        let (beam, window) = (config.beam, config.window());
        Self { metric: net.to_host(), beam, window, users: net.stages.len() + 1, parameters: net.num_params() }
    }
}

impl LinkDetector for BeamDetector {
    const NAME: &'static str = "beam-metric";
    type Workspace = Workspace;

    fn check(&self, model: &LinkModel<'_>, _: &FrameBatch) -> Result<(), DetectError> {
        if model.users == self.users {
            return Ok(());
        }
        Err(DetectError::Mismatch(format!(
            "the model was trained for {} users, the frames have {}",
            self.users, model.users
        )))
    }

    fn frame(
        &self,
        model: &LinkModel<'_>,
        link: &Link,
        _: Option<&[i64]>,
        work: &mut Workspace,
        activity: &mut [i64],
        score: &mut [f64],
    ) {
        work.beam.start(model, link, Order::Sinr);
        for step in 0..model.users {
            extend(model, link, &mut work.beam, step);
            work.beam.prune(self.window);
            correct(&self.metric, model, link, work, step, self.beam);
            keep(model, link, &mut work.beam, step, self.beam);
        }
        work.beam.decide(model, link, activity, score);
    }
}

/// Adds the corrections of a step where they matter: with no more extensions than places all survive.
fn correct(metric: &HostMetric, model: &LinkModel<'_>, link: &Link, work: &mut Workspace, step: usize, beam: usize) {
    let Workspace { beam: search, scratch, row, buffers } = work;
    if !metric.corrects(step) || search.extensions.len() <= beam {
        return;
    }
    scratch.prepare(model, link, search, step);
    let mut extensions = std::mem::take(&mut search.extensions);
    for e in &mut extensions {
        row.clear();
        scratch.row(model, search, step, e, row);
        e.cost += metric.correction(step, row, buffers);
    }
    search.extensions = extensions;
}

impl Detector for BeamDetector {
    fn detect(&self, frames: &FrameBatch) -> Result<Decisions, DetectError> {
        detect_link(self, frames)
    }

    fn parameters(&self) -> usize {
        self.parameters
    }
}

/// Writes a bundle; `signatures` are those it was trained with.
///
/// # Errors
/// [`ModelError`] when the folder cannot be written.
pub fn save_beam(
    dir: &Path,
    net: &BeamNet,
    signatures: &Pilots,
    info: &ReceiverInfo,
    metrics: serde_json::Value,
) -> Result<(), ModelError> {
    save(dir, SYSTEM, net, Some(signatures), info, metrics)
}

/// Reads a bundle after its versions, checksums and shapes have been checked.
///
/// # Errors
/// [`ModelError`] names the folder and the file.
pub fn load_beam(dir: &Path, device: &Device) -> Result<LoadedBeam, ModelError> {
    let opened = open::<ReceiverInfo>(dir, SYSTEM)?;
    let info = &opened.info;
    info.receiver.validate("manifest.config.receiver").map_err(|e| ModelError::content(dir, e))?;
    // It serves other signatures too; those of the file must be whole all the same.
    opened.pilots([info.sizes.length, info.sizes.users], 1, 1.0)?;
    let hidden = info.receiver.hidden.clone().unwrap_or_default();
    let key = StreamKey::new(0, Split::Train, "receiver");
    let net = opened.load(BeamNet::init(&key, info.sizes.users, &hidden, device))?;
    Ok(LoadedBeam {
        detector: BeamDetector::new(&net, &info.receiver),
        metrics: opened.metrics.clone(),
        checksum: opened.checksum.clone(),
    })
}
