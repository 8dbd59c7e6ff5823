//! PC-ADMM networks as a learned system.

use std::sync::Arc;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::{AdmmConfig, PcAdmmDetector, PcAdmmNet, PcAdmmOptions, PcAdmmTask};
use crate::link::{ConfigError, Detector, Pilots, Split, StreamKey};
use crate::scenario::ScenarioError;
use crate::systems::access::LinkSizes;
use crate::systems::options::threshold_or;
use crate::systems::{Common, ModelError, PilotShape, Saved, System, SystemError, Target};
use crate::tensor::Chosen;
use crate::training::Rated;

/// What a manifest says about a PC-ADMM network, besides its metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PcAdmmInfo {
    /// Architecture.
    pub admm: AdmmConfig,
    /// Shapes.
    pub sizes: LinkSizes,
    /// Squared norm of the pilot columns on the link.
    pub pilot_energy: f64,
    /// Active when the score is larger: chosen on validation frames.
    pub threshold: f64,
    /// Trained real parameters.
    pub parameters: usize,
    /// Name in legends.
    pub label: String,
}

impl System for PcAdmmNet {
    const NAME: &'static str = "pc-admm-net";
    type Options = PcAdmmOptions;
    type Info = PcAdmmInfo;
    type Pilots = Arc<Pilots>;
    type Task = PcAdmmTask;

    fn task(options: &PcAdmmOptions, target: &Target<'_>) -> Result<PcAdmmTask, ScenarioError> {
        let (admm, schedule) = (options.admm(), options.training());
        let (link, admm) = (admm.training_scenario(target.scenario), admm.untargeted());
        PcAdmmTask::new(&target.shown(), &link, target.seed, &admm, &schedule, &target.device.device)
    }

    fn finish(
        self,
        options: &PcAdmmOptions,
        target: &Target<'_>,
        task: &PcAdmmTask,
    ) -> Result<Saved<Self>, SystemError> {
        let pilots = Arc::clone(task.pilots());
        let info = PcAdmmInfo {
            admm: options.admm().untargeted(),
            sizes: task.sizes(),
            pilot_energy: pilots.energy(),
            threshold: 0.0,
            parameters: self.trained_parameters(),
            label: target.label.to_owned(),
        };
        let mut saved = Saved::new(self, pilots, info);
        // The threshold suits the link that it is trained for.
        saved.info.threshold = saved.best_threshold(&options.admm().training_scenario(target.scenario), target)?;
        Ok(saved)
    }

    fn check(info: &PcAdmmInfo) -> Result<(), ConfigError> {
        info.admm.validate("manifest.config.admm")?;
        info.sizes.check()
    }

    fn pilot_shape(info: &PcAdmmInfo) -> PilotShape {
        info.sizes.pilot_shape(info.pilot_energy)
    }

    fn fresh(info: &PcAdmmInfo, pilots: &Arc<Pilots>, device: &Device) -> Self {
        Self::init(&info.admm, pilots, &info.sizes, &StreamKey::new(0, Split::Train, "loaded"), device)
    }

    fn detector(
        saved: Saved<Self>,
        options: Option<&PcAdmmOptions>,
        device: &Chosen,
    ) -> Result<Box<dyn Detector>, ModelError> {
        let Saved { net, pilots, info, .. } = saved;
        let threshold = threshold_or(options, info.threshold);
        let detector = PcAdmmDetector::new(net, pilots, info.sizes, device.device.clone(), device.name, threshold)?;
        Ok(Box::new(detector))
    }
}
