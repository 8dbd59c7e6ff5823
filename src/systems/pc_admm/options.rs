//! `[detectors.ID]` of kind "pc-admm-net".

use super::{AdmmConfig, PcAdmmNet};
use crate::detect::Threshold;
use crate::link::ConfigError;
use crate::scenario::{ScenarioConfig, SignatureKind};
use crate::systems::options::{check_threshold, check_training, network_options};
use crate::systems::{AnySystem, Options, any};
use crate::training::PhaseKind;

network_options! {
    /// Keys of a detector of kind "pc-admm-net".
    PcAdmmOptions {
        /// The architecture.
        admm: AdmmConfig,
        /// A number that the logit is compared with. Default: the one that makes the fewest errors on validation frames.
        threshold: Threshold,
    }
}

impl Options for PcAdmmOptions {
    fn validate(&self, prefix: &str) -> Result<(), ConfigError> {
        self.admm().validate(&format!("{prefix}.admm"))?;
        check_threshold(prefix, self, Some("the one that makes the fewest errors on validation frames"))?;
        let kinds = [PhaseKind::Joint, PhaseKind::LayerWise];
        check_training(prefix, self, &kinds, "\"joint\" or \"layer-wise\"")
    }

    fn validate_for(&self, _: &str, scenario: &ScenarioConfig) -> Result<(), ConfigError> {
        self.admm().validate_for(scenario)
    }

    fn threshold(&self) -> Option<Threshold> {
        self.threshold
    }

    /// Its matrices are made for its pilots.
    fn learns_pilots(&self) -> bool {
        true
    }

    /// It is trained for the pilots of the scenario and keeps them.
    fn changes_pilots(&self) -> bool {
        false
    }

    fn architecture(&self) -> serde_json::Value {
        serde_json::json!(self.admm().untargeted())
    }

    /// The identity depends on the link of the training, not on the links it is tested on.
    fn link(&self, scenario: &ScenarioConfig, _: Option<SignatureKind>) -> serde_json::Value {
        serde_json::json!(self.admm().training_scenario(&scenario.named()))
    }

    fn system(&self) -> &'static dyn AnySystem {
        any::<PcAdmmNet>()
    }
}
