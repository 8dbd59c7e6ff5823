//! Auto-encoders as a learned system.

use std::sync::Arc;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::{AutoEncoder, AutoEncoderDetector, AutoEncoderTask, AutoencoderOptions, DecoderConfig, LinkSizes};
use crate::link::{ConfigError, Detector, Pilots, Split, StreamKey};
use crate::scenario::ScenarioError;
use crate::systems::options::threshold_or;
use crate::systems::{Common, ModelError, PilotShape, Saved, System, SystemError, Target};
use crate::tensor::Chosen;
use crate::training::Rated;

/// What a manifest says about an auto-encoder, besides its metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AutoEncoderInfo {
    /// Architecture.
    pub decoder: DecoderConfig,
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

impl System for AutoEncoder {
    const NAME: &'static str = "autoencoder";
    type Options = AutoencoderOptions;
    type Info = AutoEncoderInfo;
    type Pilots = Arc<Pilots>;
    type Task = AutoEncoderTask;

    fn task(options: &AutoencoderOptions, target: &Target<'_>) -> Result<AutoEncoderTask, ScenarioError> {
        let (decoder, schedule) = (options.decoder(), options.training());
        AutoEncoderTask::new(&target.shown(), target.scenario, target.seed, &decoder, &schedule, &target.device.device)
    }

    fn finish(
        self,
        options: &AutoencoderOptions,
        target: &Target<'_>,
        task: &AutoEncoderTask,
    ) -> Result<Saved<Self>, SystemError> {
        let pilot_energy = task.pilots().energy();
        let pilots = self.learned_pilots(pilot_energy)?.map_or_else(|| Arc::clone(task.pilots()), Arc::new);
        let info = AutoEncoderInfo {
            decoder: options.decoder(),
            sizes: task.sizes(),
            pilot_energy,
            threshold: 0.0,
            parameters: self.trained_parameters(),
            label: target.label.to_owned(),
        };
        let mut saved = Saved::new(self, pilots, info);
        saved.info.threshold = saved.best_threshold(target.scenario, target)?;
        Ok(saved)
    }

    fn check(info: &AutoEncoderInfo) -> Result<(), ConfigError> {
        info.decoder.validate("manifest.config.decoder")?;
        info.sizes.check()
    }

    fn pilot_shape(info: &AutoEncoderInfo) -> PilotShape {
        info.sizes.pilot_shape(info.pilot_energy)
    }

    fn fresh(info: &AutoEncoderInfo, pilots: &Arc<Pilots>, device: &Device) -> Self {
        Self::init(&info.decoder, pilots, &info.sizes, &StreamKey::new(0, Split::Train, "loaded"), device)
    }

    fn detector(
        saved: Saved<Self>,
        options: Option<&AutoencoderOptions>,
        device: &Chosen,
    ) -> Result<Box<dyn Detector>, ModelError> {
        let Saved { net, pilots, info, .. } = saved;
        let threshold = threshold_or(options, info.threshold);
        let detector =
            AutoEncoderDetector::new(net, pilots, info.sizes, device.device.clone(), device.name, threshold)?;
        Ok(Box::new(detector))
    }
}
