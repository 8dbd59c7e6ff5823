//! Score networks as learned systems.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::options::DEFAULT_ROW_THRESHOLD;
use super::{ScoreConfig, ScoreDetector, ScoreModel, ScoreOptions, ScoreTask};
use crate::detect::LangevinConfig;
use crate::link::{ConfigError, Detector, Split, StreamKey};
use crate::scenario::ScenarioError;
use crate::systems::options::threshold_or;
use crate::systems::{Common, ModelError, PilotShape, Saved, System, SystemError, Target};
use crate::tensor::Chosen;

/// What a manifest says about a score network, besides its metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoreInfo {
    /// Architecture and noise levels of the training.
    pub score: ScoreConfig,
    /// The sampler it is used with unless other options are given.
    pub langevin: LangevinConfig,
    /// Active when `||x||^2 > threshold * M * beta`: 0.1 unless the experiment set another.
    pub threshold: f64,
    /// Trained real parameters.
    pub parameters: usize,
    /// Name in legends.
    pub label: String,
}

impl<N: ScoreModel> System for N {
    const NAME: &'static str = "score";
    type Options = ScoreOptions;
    type Info = ScoreInfo;
    type Pilots = ();
    type Task = ScoreTask<N>;

    fn task(options: &ScoreOptions, target: &Target<'_>) -> Result<ScoreTask<N>, ScenarioError> {
        let (score, schedule) = (options.score(), options.training());
        let prior = ScoreOptions::prior_of(target.scenario);
        ScoreTask::new(&target.shown(), &prior, target.seed, &score, &schedule, &target.device.device)
    }

    /// The threshold stays where the configuration has it: the best one depends on the noise, of which the network knows
    /// nothing.
    fn finish(self, options: &ScoreOptions, target: &Target<'_>, _: &ScoreTask<N>) -> Result<Saved<Self>, SystemError> {
        let info = ScoreInfo {
            score: options.score(),
            langevin: options.langevin.clone().unwrap_or_default(),
            threshold: threshold_or(Some(options), DEFAULT_ROW_THRESHOLD),
            parameters: self.trained_parameters(),
            label: target.label.to_owned(),
        };
        Ok(Saved::new(self, (), info))
    }

    fn holds(info: &ScoreInfo) -> bool {
        info.score.architecture == N::ARCHITECTURE
    }

    fn check(info: &ScoreInfo) -> Result<(), ConfigError> {
        if !Self::holds(info) {
            let problem = format!("holds a network of architecture {:?}", info.score.architecture);
            return Err(ConfigError::Invalid(problem));
        }
        info.score.validate("manifest.config.score")
    }

    /// A prior works with any pilots, so none belong to it.
    fn pilot_shape(_: &ScoreInfo) -> PilotShape {
        PilotShape { length: 0, columns: 0, sequences: 1, energy: 1.0 }
    }

    fn fresh(info: &ScoreInfo, _: &(), device: &Device) -> Self {
        <N as ScoreModel>::init(&info.score, &StreamKey::new(0, Split::Train, "loaded"), device)
    }

    /// The sampler is part of the experiment: one network is used at many noise levels and with many budgets. A file that
    /// trains its network says how it samples; a bundle from elsewhere brings a sampler along.
    fn detector(
        saved: Saved<Self>,
        options: Option<&ScoreOptions>,
        device: &Chosen,
    ) -> Result<Box<dyn Detector>, ModelError> {
        let Saved { net, info, .. } = saved;
        let threshold = threshold_or(options, info.threshold);
        let trains = options.is_some_and(|o| o.bundle.is_none());
        let sampler = options.and_then(|o| o.langevin.clone());
        let sampler = sampler.unwrap_or_else(|| if trains { LangevinConfig::default() } else { info.langevin });
        Ok(Box::new(ScoreDetector::new(
            Box::new(net),
            sampler,
            &info.score,
            device.device.clone(),
            device.name,
            threshold,
        )))
    }
}
