//! Training of the metric.

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use super::detector::BeamDetector;
use super::features::{Scratch, count};
use super::metric::{BeamNet, HostMetric};
use crate::detect::Order;
use crate::detect::beam_sic;
use crate::detect::beam_sic::{extend, keep};
use crate::detect::spreading::link::{Link, LinkModel};
use crate::link::Detector;
use crate::link::{FrameBatch, Pilots, Split, StreamKey};
use crate::metrics::{MetricName, count_frames};
use crate::scenario::signatures::signature_set;
use crate::scenario::{NomaConfig, ScenarioConfig, ScenarioKind, SignatureKind};
use crate::scenario::{Scenario, ScenarioError};
use crate::systems::signature::ReceiverConfig;
use crate::systems::signature::Sizes;
use crate::training::{Phase, Plan, TrainError, TrainTask, TrainingConfig, Validation};

/// Cost of an extension that is not there.
const ABSENT: f32 = 1e6;

/// A metric, its link and its schedule.
pub struct BeamTask {
    plan: Plan,
    config: ReceiverConfig,
    sizes: Sizes,
    signatures: Arc<Pilots>,
    levels: Vec<Scenario>,
    validation: Vec<FrameBatch>,
}

/// What the search met at one step, all frames.
struct StepRows {
    /// `[frames * width, in]`.
    features: Vec<f32>,
    /// Costs without the correction, relative to the smallest of the frame, `[frames, width]`.
    base: Vec<f32>,
    /// One-hot: the true extension, `[frames, width]`.
    truth: Vec<f32>,
}

/// Of one thread.
#[derive(Default)]
struct Buffers {
    link: Link,
    work: beam_sic::Workspace,
    scratch: Scratch,
    /// Layers of the metric.
    hidden: [Vec<f64>; 2],
}

impl BeamTask {
    /// Draws the validation frames; `device` is a plain device.
    ///
    /// # Errors
    /// [`ScenarioError`] when the signatures do not exist.
    pub fn new(
        label: &str,
        noma: &NomaConfig,
        given: SignatureKind,
        seed: u64,
        config: &ReceiverConfig,
        training: &TrainingConfig,
        device: &Device,
    ) -> Result<Self, ScenarioError> {
        let levels = |split| -> Result<Vec<Scenario>, ScenarioError> {
            let of = |snr_db: &f64| {
                let noma = NomaConfig { snr_db: *snr_db, ..noma.clone() };
                let scenario = ScenarioConfig { kind: ScenarioKind::Noma, noma: Some(noma), ..Default::default() };
                Scenario::new(&scenario, seed, split)
            };
            config.training_snr_db.iter().map(of).collect()
        };
        let signatures = Arc::new(signature_set(given, noma)?);
        let held_out = levels(Split::Validation)?;
        let share = training.validation_frames.div_ceil(held_out.len());
        let validation = held_out.iter().map(|s| s.realize(0, share).observe(&signatures)).collect::<Result<_, _>>()?;
        let levels = levels(Split::Train)?;
        let links: Vec<String> = levels.iter().map(|s| s.config().canonical()).collect();
        let s: Vec<[f64; 2]> = signatures.data().iter().map(|v| [v.re, v.im]).collect();
        let phases = training.unfold(0, |_| "metric");
        let plan =
            Plan::new(label, seed, training, phases, device, &serde_json::json!([links, s, seed, config, training]));
        Ok(Self { plan, config: config.clone(), sizes: Sizes::of(noma), signatures, levels, validation })
    }

    /// Shapes of the link.
    pub fn sizes(&self) -> &Sizes {
        &self.sizes
    }

    /// The signatures it is trained with.
    pub fn signatures(&self) -> &Arc<Pilots> {
        &self.signatures
    }

    /// Extensions of a frame at most: those of the beam and of the truth beside it.
    fn width(&self) -> usize {
        (self.config.beam + 1) * (self.sizes.alphabet().symbols.len() + 1)
    }

    fn failed(&self, error: impl ToString) -> TrainError {
        TrainError::Device { label: self.plan.label.clone(), message: error.to_string() }
    }

    /// Runs the search with the truth kept in the beam and records every step but the last.
    fn record(&self, batch: &FrameBatch, metric: &HostMetric) -> Result<Vec<StepRows>, TrainError> {
        let model = LinkModel::new(batch, "beam-metric").map_err(|e| self.failed(e))?;
        let truth = batch.truth().expect("training frames have a truth");
        let n = model.users;
        let frames: Vec<Vec<StepRows>> = (0..batch.frames())
            .into_par_iter()
            .map_init(Buffers::default, |buffers, f| {
                buffers.link.load(&model, batch, f);
                self.frame(&model, &truth.activity()[f * n..(f + 1) * n], metric, buffers)
            })
            .collect();
        let mut steps: Vec<StepRows> =
            (0..n - 1).map(|_| StepRows { features: Vec::new(), base: Vec::new(), truth: Vec::new() }).collect();
        for frame in frames {
            for (all, one) in steps.iter_mut().zip(frame) {
                all.features.extend(one.features);
                all.base.extend(one.base);
                all.truth.extend(one.truth);
            }
        }
        Ok(steps)
    }

    /// Drops what the search drops, but never the truth.
    fn prune(&self, work: &mut beam_sic::Workspace, step: usize, sent: &[i64]) {
        let truth = work.extensions.iter().position(|e| work.is_path(e, step, sent));
        let truth = truth.map(|i| work.extensions[i]);
        work.prune(self.config.window());
        if let Some(e) = truth.filter(|_| !work.extensions.iter().any(|e| work.is_path(e, step, sent))) {
            work.extensions.push(e);
        }
    }

    /// Searches the frame that `buffers.link` holds.
    fn frame(&self, model: &LinkModel<'_>, sent: &[i64], metric: &HostMetric, buffers: &mut Buffers) -> Vec<StepRows> {
        let Buffers { link, work, scratch, hidden } = buffers;
        let width = self.width();
        let mut out = Vec::with_capacity(model.users - 1);
        let mut features = Vec::new();
        work.start(model, link, Order::Sinr);
        for step in 0..model.users - 1 {
            extend(model, link, work, step);
            self.prune(work, step, sent);
            scratch.prepare(model, link, work, step);
            features.clear();
            work.extensions.iter().for_each(|e| scratch.row(model, work, step, e, &mut features));
            let inputs = count(model.users, step);
            let least = work.extensions.iter().map(|e| e.cost).fold(f64::INFINITY, f64::min);
            let mut base: Vec<f32> = work.extensions.iter().map(|e| ((e.cost - least) as f32).min(ABSENT)).collect();
            let mut truth: Vec<f32> =
                work.extensions.iter().map(|e| f32::from(u8::from(work.is_path(e, step, sent)))).collect();
            let mut all: Vec<f32> = features.iter().map(|v| *v as f32).collect();
            base.resize(width, ABSENT);
            truth.resize(width, 0.0);
            all.resize(width * inputs, 0.0);
            out.push(StepRows { features: all, base, truth });
            for (e, row) in work.extensions.iter_mut().zip(features.chunks_exact(inputs)) {
                e.cost += metric.correction(step, row, hidden);
            }
            keep(model, link, work, step, self.config.beam);
            work.keep_path(model, link, step, sent);
        }
        out
    }

    /// Mean over frames and steps of `-ln` of the share of the true extension, `e^-cost` over all extensions.
    fn loss_of(&self, net: &BeamNet, batches: &[FrameBatch]) -> Result<Tensor<1>, TrainError> {
        let metric = net.to_host().map_err(|e| self.failed(e))?;
        let width = self.width();
        let mut sum: Option<Tensor<1>> = None;
        for batch in batches {
            for (step, r) in self.record(batch, &metric)?.into_iter().enumerate() {
                let (f, inputs) = (batch.frames(), count(self.sizes.users, step));
                let matrix = |data: Vec<f32>, shape: [usize; 2]| -> Tensor<2> {
                    Tensor::from_data(TensorData::new(data, shape), &self.plan.device)
                };
                let features = matrix(r.features, [f * width, inputs]).transpose();
                let cost = net.forward(step, features).reshape([f, width]) + matrix(r.base, [f, width]);
                let least = cost.clone().detach().min_dim(1);
                let cost = cost - least;
                let picked = (cost.clone() * matrix(r.truth, [f, width])).sum_dim(1);
                let loss = (cost.neg().exp().sum_dim(1).log() + picked).mean();
                sum = Some(match sum {
                    None => loss,
                    Some(s) => s + loss,
                });
            }
        }
        let terms = (batches.len() * (self.sizes.users - 1)) as f64;
        Ok(sum.expect("at least one level and two users") / terms)
    }
}

impl TrainTask for BeamTask {
    type Net = BeamNet;
    type Batch = Vec<FrameBatch>;

    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn init(&self) -> BeamNet {
        let key = StreamKey::new(self.plan.seed, Split::Train, "receiver");
        let hidden = self.config.hidden.clone().unwrap_or_default();
        BeamNet::init(&key, self.sizes.users, &hidden, &self.plan.training_device()).train()
    }

    fn batch(&self, step: u64, _: &Phase) -> Result<Vec<FrameBatch>, TrainError> {
        let training = &self.plan.training;
        let share = training.batch.div_ceil(self.levels.len());
        let mut first = step * share as u64;
        if let Some(n) = training.dataset_frames {
            first %= (n / share as u64).max(1) * share as u64;
        }
        Ok(self.levels.iter().map(|s| s.realize(first, share).observe(&self.signatures)).collect::<Result<_, _>>()?)
    }

    fn loss(&self, net: &BeamNet, batch: &Vec<FrameBatch>, _: &Phase) -> Tensor<1> {
        // The frames are this task's own: they fit.
        self.loss_of(net, batch).expect("frames of the task")
    }

    fn validate(&self, net: &BeamNet, _: &Phase) -> Result<Validation, TrainError> {
        let loss = self.plan.scalar(self.loss_of(net, &self.validation)?)?;
        let detector = BeamDetector::new(net, &self.config).map_err(|e| self.failed(e))?;
        let mut sums = [(0.0, 0.0); 2];
        for batch in &self.validation {
            let decisions = detector.detect(batch).map_err(|e| self.failed(e))?;
            for counts in count_frames(batch, &decisions) {
                for (sum, metric) in sums.iter_mut().zip([MetricName::Ser, MetricName::Ber]) {
                    let (a, b) = counts.ratio(metric).unwrap_or_default();
                    *sum = (sum.0 + a, sum.1 + b);
                }
            }
        }
        let rate = |(a, b): (f64, f64)| (b > 0.0).then(|| a / b);
        Ok(Validation { loss, ser: rate(sums[0]), ber: rate(sums[1]) })
    }
}
