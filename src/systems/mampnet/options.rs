//! `[detectors.ID]` of kind "mampnet".

use super::{MampNet, ModelConfig};
use crate::detect::{Operations, Sizes, Threshold};
use crate::link::ConfigError;
use crate::systems::options::{check_threshold, check_training, network_options};
use crate::systems::{AnySystem, Options, any};
use crate::training::PhaseKind;

network_options! {
    /// Keys of a detector of kind "mampnet".
    MampnetOptions {
        /// The architecture.
        model: ModelConfig,
        /// "equal-prior", "map" (default) or a number that the posterior's logit is compared with.
        threshold: Threshold,
    }
}

impl Options for MampnetOptions {
    fn validate(&self, prefix: &str) -> Result<(), ConfigError> {
        check_threshold(prefix, self, None)?;
        self.model().validate(&format!("{prefix}.model"))?;
        let kinds = [PhaseKind::LayerWise, PhaseKind::Refinement, PhaseKind::Joint];
        check_training(prefix, self, &kinds, "not \"receiver\"")
    }

    fn threshold(&self) -> Option<Threshold> {
        self.threshold
    }

    fn learns_pilots(&self) -> bool {
        self.model().learn_pilots
    }

    fn architecture(&self) -> serde_json::Value {
        serde_json::json!(self.model())
    }

    fn operations(&self, sizes: &Sizes) -> Option<Operations> {
        Some(super::cost::operations(&self.model(), sizes))
    }

    fn system(&self) -> &'static dyn AnySystem {
        any::<MampNet>()
    }
}
