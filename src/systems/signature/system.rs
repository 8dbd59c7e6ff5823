//! Receivers with their signatures as a learned system.

use std::sync::Arc;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::options::link_of;
use super::{ReceiverConfig, ReceiverDetector, ReceiverForm, ReceiverNet, ReceiverTask, SicnnOptions, Sizes};
use crate::link::{ConfigError, Detector, Pilots};
use crate::scenario::ScenarioError;
use crate::systems::{Common, ModelError, PilotShape, Saved, System, SystemError, Target};
use crate::tensor::Chosen;
use crate::training::Rated;

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

impl ReceiverInfo {
    pub(super) fn new(net: &impl Rated, options: &SicnnOptions, target: &Target<'_>, sizes: &Sizes) -> Self {
        let (receiver, label) = (options.receiver(), target.label.to_owned());
        Self { receiver, sizes: sizes.clone(), parameters: net.trained_parameters(), label }
    }

    /// Checks ranges, and that the form is one of the network's.
    pub(super) fn check(&self, beam: bool) -> Result<(), ConfigError> {
        self.receiver.validate("manifest.config.receiver")?;
        if self.sizes.prob.len() != self.sizes.users {
            return Err(ConfigError::Invalid(
                "manifest.json, config.sizes: one activation probability per user".into(),
            ));
        }
        if (self.receiver.form == ReceiverForm::BeamMetric) != beam {
            return Err(ConfigError::Invalid("manifest.json, config.receiver.form: belongs to another system".into()));
        }
        Ok(())
    }

    /// The signatures of such a link.
    pub(super) fn pilot_shape(&self) -> PilotShape {
        PilotShape { length: self.sizes.length, columns: self.sizes.users, sequences: 1, energy: 1.0 }
    }
}

impl System for ReceiverNet {
    const NAME: &'static str = "sicnn";
    type Options = SicnnOptions;
    type Info = ReceiverInfo;
    type Pilots = Arc<Pilots>;
    type Task = ReceiverTask;

    fn task(options: &SicnnOptions, target: &Target<'_>) -> Result<ReceiverTask, ScenarioError> {
        let (receiver, schedule) = (options.receiver(), options.training());
        let (noma, given) = link_of(target);
        let device = &target.device.device;
        ReceiverTask::new(&target.shown(), &noma, given, target.seed, &receiver, &schedule, device)
    }

    fn finish(
        self,
        options: &SicnnOptions,
        target: &Target<'_>,
        task: &ReceiverTask,
    ) -> Result<Saved<Self>, SystemError> {
        let info = ReceiverInfo::new(&self, options, target, task.sizes());
        let signatures = self.exact_pilots()?.unwrap_or_else(|| Arc::clone(task.signatures()));
        Ok(Saved::new(self, signatures, info))
    }

    fn check(info: &ReceiverInfo) -> Result<(), ConfigError> {
        info.check(false)
    }

    fn pilot_shape(info: &ReceiverInfo) -> PilotShape {
        info.pilot_shape()
    }

    fn fresh(info: &ReceiverInfo, _: &Arc<Pilots>, device: &Device) -> Self {
        Self::init(&info.receiver, &info.sizes, 0, device)
    }

    /// Learned signatures follow from the weights in double precision: norms are exactly one.
    fn exact_pilots(&self) -> Result<Option<Arc<Pilots>>, ModelError> {
        self.encoder.as_ref().map(|e| e.to_host().map(Arc::new)).transpose()
    }

    fn detector(
        saved: Saved<Self>,
        _: Option<&SicnnOptions>,
        device: &Chosen,
    ) -> Result<Box<dyn Detector>, ModelError> {
        Ok(Box::new(ReceiverDetector::new(saved, device.device.clone(), device.name)))
    }
}
