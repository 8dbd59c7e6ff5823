//! `[detectors.ID]` of kind "autoencoder".

use super::{AutoEncoder, DecoderConfig};
use crate::detect::Threshold;
use crate::link::ConfigError;
use crate::scenario::ScenarioConfig;
use crate::systems::options::{check_threshold, check_training, network_options};
use crate::systems::{AnySystem, Options, any};
use crate::training::PhaseKind;

network_options! {
    /// Keys of a detector of kind "autoencoder".
    AutoencoderOptions {
        /// The decoder, and whether pilots are learned with it.
        decoder: DecoderConfig,
        /// A number that the score is compared with. Default: the one that makes the fewest errors on validation frames.
        threshold: Threshold,
    }
}

impl Options for AutoencoderOptions {
    fn validate(&self, prefix: &str) -> Result<(), ConfigError> {
        self.decoder().validate(&format!("{prefix}.decoder"))?;
        check_threshold(prefix, self, Some("the one that makes the fewest errors on validation frames"))?;
        let kinds = [PhaseKind::Joint, PhaseKind::Receiver];
        check_training(prefix, self, &kinds, "\"joint\" or \"receiver\"")
    }

    fn validate_for(&self, prefix: &str, scenario: &ScenarioConfig) -> Result<(), ConfigError> {
        self.decoder().validate_for(&format!("{prefix}.decoder"), scenario)
    }

    fn threshold(&self) -> Option<Threshold> {
        self.threshold
    }

    /// Its pilots are part of what it is, learned or not.
    fn learns_pilots(&self) -> bool {
        true
    }

    fn architecture(&self) -> serde_json::Value {
        serde_json::json!(self.decoder())
    }

    fn file(&self) -> Option<&str> {
        self.decoder.as_ref().and_then(|d| d.pilots_file.as_deref())
    }

    fn system(&self) -> &'static dyn AnySystem {
        any::<AutoEncoder>()
    }
}
