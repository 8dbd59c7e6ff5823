//! `[detectors.ID]` of kind "sicnn".

use super::beam::BeamNet;
use super::{ReceiverConfig, ReceiverForm, ReceiverNet};
use crate::link::ConfigError;
use crate::scenario::{NomaConfig, ScenarioConfig, SignatureKind};
use crate::systems::options::{check_training, network_options};
use crate::systems::{AnySystem, Options, Target, any};
use crate::training::PhaseKind;

network_options! {
    /// Keys of a detector of kind "sicnn".
    SicnnOptions {
        /// The receiver, and whether signatures are learned with it.
        receiver: ReceiverConfig,
    }
}

/// The link of a target, and the signatures that a receiver is given; one that learns its own does not look at them.
pub(super) fn link_of(target: &Target<'_>) -> (NomaConfig, SignatureKind) {
    let noma = target.scenario.noma();
    let given = target.signatures.unwrap_or(noma.signatures);
    (noma, given)
}

impl Options for SicnnOptions {
    fn validate(&self, prefix: &str) -> Result<(), ConfigError> {
        self.receiver().validate(&format!("{prefix}.receiver"))?;
        let kinds = [PhaseKind::Joint, PhaseKind::Receiver];
        check_training(prefix, self, &kinds, "\"joint\" or \"receiver\"")
    }

    fn validate_for(&self, prefix: &str, scenario: &ScenarioConfig) -> Result<(), ConfigError> {
        self.receiver().validate_for(&format!("{prefix}.receiver"), scenario.noma().users)
    }

    fn learns_pilots(&self) -> bool {
        self.receiver().learn_signatures
    }

    fn architecture(&self) -> serde_json::Value {
        serde_json::json!(self.receiver())
    }

    /// One receiver serves all SNRs; its signatures may be its own and not the scenario's.
    fn link(&self, scenario: &ScenarioConfig, signatures: Option<SignatureKind>) -> serde_json::Value {
        let noma = scenario.noma();
        let signatures = signatures.unwrap_or(noma.signatures);
        serde_json::json!(NomaConfig { snr_db: 0.0, signatures, ..noma })
    }

    fn is_spreading(&self) -> bool {
        true
    }

    fn system(&self) -> &'static dyn AnySystem {
        match self.receiver().form {
            ReceiverForm::BeamMetric => any::<BeamNet>(),
            ReceiverForm::Sicnn | ReceiverForm::Fcnn | ReceiverForm::SoftSic => any::<ReceiverNet>(),
        }
    }
}
