//! The beam metric as a learned system.

use std::sync::Arc;

use burn::tensor::Device;

use super::{BeamDetector, BeamNet, BeamTask};
use crate::link::{ConfigError, Detector, Pilots, Split, StreamKey};
use crate::scenario::ScenarioError;
use crate::systems::signature::options::link_of;
use crate::systems::signature::{ReceiverInfo, SicnnOptions};
use crate::systems::{Common, ModelError, PilotShape, Saved, System, SystemError, Target};
use crate::tensor::Chosen;

impl System for BeamNet {
    const NAME: &'static str = "beam-metric";
    type Options = SicnnOptions;
    type Info = ReceiverInfo;
    type Pilots = Arc<Pilots>;
    type Task = BeamTask;

    fn task(options: &SicnnOptions, target: &Target<'_>) -> Result<BeamTask, ScenarioError> {
        let (receiver, schedule) = (options.receiver(), options.training());
        let (noma, given) = link_of(target);
        BeamTask::new(&target.shown(), &noma, given, target.seed, &receiver, &schedule, &target.device.device)
    }

    fn finish(self, options: &SicnnOptions, target: &Target<'_>, task: &BeamTask) -> Result<Saved<Self>, SystemError> {
        let info = ReceiverInfo::new(&self, options, target, task.sizes());
        Ok(Saved::new(self, Arc::clone(task.signatures()), info))
    }

    fn check(info: &ReceiverInfo) -> Result<(), ConfigError> {
        info.check(true)
    }

    /// It serves other signatures too; those of the file must be whole all the same.
    fn pilot_shape(info: &ReceiverInfo) -> PilotShape {
        info.pilot_shape()
    }

    fn fresh(info: &ReceiverInfo, _: &Arc<Pilots>, device: &Device) -> Self {
        let key = StreamKey::new(0, Split::Train, "receiver");
        Self::init(&key, info.sizes.users, &info.receiver.hidden.clone().unwrap_or_default(), device)
    }

    fn detector(saved: Saved<Self>, _: Option<&SicnnOptions>, _: &Chosen) -> Result<Box<dyn Detector>, ModelError> {
        Ok(Box::new(BeamDetector::new(&saved.net, &saved.info.receiver)?))
    }
}
