//! `[detectors.ID]` of kind "score".

use super::{ScoreArchitecture, ScoreConfig, ScoreNet, SetNet};
use crate::detect::{LangevinConfig, Threshold};
use crate::link::{ConfigError, check};
use crate::scenario::{ScenarioConfig, SignatureKind};
use crate::systems::options::Kind;
use crate::systems::options::{check_threshold, check_training, network_options};
use crate::systems::{AnySystem, LearnedConfig, Options, any};
use crate::training::PhaseKind;

/// Active when `||x||^2` exceeds this times `M beta`, unless an experiment sets another.
pub const DEFAULT_ROW_THRESHOLD: f64 = 0.1;

network_options! {
    /// Keys of a detector of kind "score".
    ScoreOptions {
        /// The network and the noise levels it is trained for.
        score: ScoreConfig,
        /// Likelihood, noise levels, steps and samples.
        langevin: LangevinConfig,
        /// Use the network that this other detector of the file trains, with options of its own for the rest.
        network_of: String,
        /// A number that `||x||^2/(M beta)` is compared with. Default 0.1.
        threshold: Threshold,
    }
}

impl ScoreOptions {
    /// The scenario as a prior of channels sees it: everything that neither the channels nor the activities depend on is
    /// at its default.
    pub fn prior_of(scenario: &ScenarioConfig) -> ScenarioConfig {
        let d = ScenarioConfig::default();
        ScenarioConfig {
            pilot_length: scenario.pilot_length.min(1),
            pilots: d.pilots,
            pilot_redraw: d.pilot_redraw,
            noise_var: None,
            snr_db: None,
            ..scenario.clone()
        }
    }
}

impl Options for ScoreOptions {
    fn validate(&self, prefix: &str) -> Result<(), ConfigError> {
        if let Some(other) = &self.network_of {
            let alone = self.bundle.is_none() && self.score.is_none() && self.training.is_none();
            let range = "left out with bundle, score or training, which belong to the detector that is trained";
            check(alone, &format!("{prefix}.network_of"), other, range, "none")?;
        }
        if let Some(l) = &self.langevin {
            l.validate(&format!("{prefix}.langevin"))?;
        }
        self.score().validate(&format!("{prefix}.score"))?;
        check_threshold(prefix, self, Some("0.1"))?;
        check_training(prefix, self, &[PhaseKind::Joint], "\"joint\"")
    }

    fn threshold(&self) -> Option<Threshold> {
        self.threshold
    }

    fn network_of(&self) -> Option<&str> {
        self.network_of.as_deref()
    }

    fn use_network_of(&mut self, owner: &LearnedConfig) {
        if let Some(owner) = Self::of(owner) {
            (self.score, self.training) = (owner.score.clone(), owner.training.clone());
        }
    }

    fn borrow_network(&mut self, owner: &str, changed: &[&str]) {
        if self.bundle.is_none() && !["score", "training", "bundle"].iter().any(|key| changed.contains(key)) {
            self.network_of = Some(owner.to_owned());
            (self.score, self.training) = (None, None);
        }
    }

    fn architecture(&self) -> serde_json::Value {
        serde_json::json!(self.score())
    }

    /// The prior of channels does not depend on noise or pilots: one network serves all of them.
    fn link(&self, scenario: &ScenarioConfig, _: Option<SignatureKind>) -> serde_json::Value {
        serde_json::json!(Self::prior_of(&scenario.named()))
    }

    fn system(&self) -> &'static dyn AnySystem {
        match self.score().architecture {
            ScoreArchitecture::Refine => any::<ScoreNet>(),
            ScoreArchitecture::Set => any::<SetNet>(),
        }
    }
}
