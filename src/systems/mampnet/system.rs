//! DL-mAMPnet as a learned system.

use std::sync::Arc;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::net::{MampNet, Side};
use super::stages::stages;
use super::{MampDetector, MampTask, MampnetOptions, ModelConfig};
use crate::link::{ConfigError, Detector, Pilots};
use crate::scenario::{Scenario, ScenarioError};
use crate::systems::{Common, ModelError, PilotShape, Saved, Stage, System, SystemError, Target};
use crate::tensor::Chosen;
use crate::training::Rated;

/// What a manifest says about a DL-mAMPnet, besides its metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MampnetInfo {
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

impl System for MampNet {
    const NAME: &'static str = "mampnet";
    type Options = MampnetOptions;
    type Info = MampnetInfo;
    type Pilots = Arc<Pilots>;
    type Task = MampTask;

    fn task(options: &MampnetOptions, target: &Target<'_>) -> Result<MampTask, ScenarioError> {
        let (model, schedule) = (options.model(), options.training());
        MampTask::new(&target.shown(), target.scenario, target.seed, &model, &schedule, &target.device.device)
    }

    fn finish(
        self,
        options: &MampnetOptions,
        target: &Target<'_>,
        task: &MampTask,
    ) -> Result<Saved<Self>, SystemError> {
        let pilot_energy = task.pilots().energy();
        let info = MampnetInfo {
            model: options.model(),
            side: task.side(),
            pilot_energy,
            parameters: self.trained_parameters(),
            label: target.label.to_owned(),
        };
        let pilots = self.learned_pilots(pilot_energy)?.map_or_else(|| Arc::clone(task.pilots()), Arc::new);
        Ok(Saved::new(self, pilots, info))
    }

    fn check(info: &MampnetInfo) -> Result<(), ConfigError> {
        info.model.validate("manifest.config.model")
    }

    fn pilot_shape(info: &MampnetInfo) -> PilotShape {
        let Side { devices, sequences, pilot_length, .. } = info.side;
        PilotShape { length: pilot_length, columns: devices * sequences, sequences, energy: info.pilot_energy }
    }

    fn fresh(info: &MampnetInfo, pilots: &Arc<Pilots>, device: &Device) -> Self {
        Self::init(&info.model, pilots, info.side, device)
    }

    fn detector(
        saved: Saved<Self>,
        options: Option<&MampnetOptions>,
        device: &Chosen,
    ) -> Result<Box<dyn Detector>, ModelError> {
        let threshold = options.and_then(|o| o.threshold);
        let Saved { net, pilots, info, .. } = saved;
        Ok(Box::new(MampDetector::new(net, pilots, info.side, device.device.clone(), device.name, threshold)?))
    }

    fn stages(saved: &Saved<Self>, scenario: &Scenario, device: &Device) -> Result<Vec<Stage>, SystemError> {
        stages(&saved.net, &saved.pilots, scenario, device)
    }
}
