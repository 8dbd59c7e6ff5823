//! What the keys of all learned detectors have in common.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::LearnedConfig;
use super::any::AnySystem;
use crate::detect::{Operations, Prior, Sizes, Threshold, Told};
use crate::link::{ConfigError, check};
use crate::scenario::{ScenarioConfig, SignatureKind};
use crate::training::{PhaseKind, TrainingConfig};

/// Keys that all kinds of learned detectors have.
pub trait Common {
    /// Folder of a trained bundle to load instead of training.
    fn bundle(&self) -> Option<&str>;

    /// The schedule, where it is given.
    fn given_training(&self) -> Option<&TrainingConfig>;

    /// The schedule.
    fn training(&self) -> TrainingConfig {
        self.given_training().cloned().unwrap_or_default()
    }
}

/// Keys of a detector: `architecture: Config` with its table, what else it has, and the keys that all have.
macro_rules! network_options {
    (
        $(#[$doc:meta])* $name:ident {
            $(#[$of_table:meta])* $table:ident: $config:ty,
            $($(#[$of_key:meta])* $key:ident: $type:ty,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $(#[$of_table])*
            #[serde(skip_serializing_if = "Option::is_none")]
            pub $table: Option<$config>,
            $(
                $(#[$of_key])*
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $key: Option<$type>,
            )*
            /// Folder of a trained bundle to load instead of training.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub bundle: Option<String>,
            /// How it is trained.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub training: Option<$crate::training::TrainingConfig>,
        }

        impl $name {
            /// Names of all keys.
            pub const KEYS: &'static [&'static str] = &[stringify!($table), $(stringify!($key),)* "bundle", "training"];

            /// The architecture, given or not.
            pub fn $table(&self) -> $config {
                self.$table.clone().unwrap_or_default()
            }
        }

        impl $crate::systems::options::Common for $name {
            fn bundle(&self) -> Option<&str> {
                self.bundle.as_deref()
            }

            fn given_training(&self) -> Option<&$crate::training::TrainingConfig> {
                self.training.as_ref()
            }
        }
    };
}
pub(super) use network_options;

/// The keys of a learned detector in experiment files.
pub trait Options: Common + std::fmt::Debug {
    /// Checks every range; `prefix` is the dotted key of the table.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    fn validate(&self, prefix: &str) -> Result<(), ConfigError>;

    /// Checks what depends on the link. Default: nothing does.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    fn validate_for(&self, _prefix: &str, _scenario: &ScenarioConfig) -> Result<(), ConfigError> {
        Ok(())
    }

    /// What the score is compared with, where it is given.
    fn threshold(&self) -> Option<Threshold> {
        None
    }

    /// Whether the detector brings pilots (or signatures) that were learned with it.
    fn learns_pilots(&self) -> bool {
        false
    }

    /// Whether its pilots differ from those of the scenario. Default: where it learns them.
    fn changes_pilots(&self) -> bool {
        self.learns_pilots()
    }

    /// The other detector whose network it uses.
    fn network_of(&self) -> Option<&str> {
        None
    }

    /// The architecture as the identity of a network has it.
    fn architecture(&self) -> serde_json::Value;

    /// The link as far as it matters to the training; channel files by name. Default: all of it.
    fn link(&self, scenario: &ScenarioConfig, _signatures: Option<SignatureKind>) -> serde_json::Value {
        serde_json::json!(scenario.named())
    }

    /// What a trained network is told with every frame. Default: gains, noise variance and activity probabilities.
    fn told(&self) -> Told {
        Told { gains: true, noise: true, activity: Prior::PerDevice, truth: false }
    }

    /// A file that decides about the network besides the channel file of the scenario.
    fn file(&self) -> Option<&str> {
        None
    }

    /// Whether it works on the spreading link.
    fn is_spreading(&self) -> bool {
        false
    }

    /// Takes what belongs to the network from the detector whose network it uses. Default: it uses its own.
    fn use_network_of(&mut self, _owner: &LearnedConfig) {}

    /// Uses the network that the detector `owner` trains, if it can: `changed` are the keys in which the two differ.
    /// Default: it trains its own.
    fn borrow_network(&mut self, _owner: &str, _changed: &[&str]) {}

    /// Real multiplications per frame; `None` where no count is defined.
    fn operations(&self, _sizes: &Sizes) -> Option<Operations> {
        None
    }

    /// The network that it trains.
    fn system(&self) -> &'static dyn AnySystem;
}

/// Keys of one `kind` of learned detector.
pub trait Kind: Options + Clone + Default + PartialEq + Serialize + DeserializeOwned + 'static {
    /// The `kind` in experiment files.
    const KIND: &'static str;

    /// These keys, where `config` is of this kind.
    fn of(config: &LearnedConfig) -> Option<&Self>;
}

/// A schedule must fit its detector: phases of the kinds that it has, `range` in words.
pub(super) fn check_training(
    prefix: &str,
    options: &dyn Options,
    kinds: &[PhaseKind],
    range: &str,
) -> Result<(), ConfigError> {
    let Some(training) = options.given_training() else { return Ok(()) };
    training.validate(&format!("{prefix}.training"))?;
    for (i, phase) in training.phases.iter().enumerate() {
        let found = format!("{:?}", phase.kind).to_lowercase();
        check(kinds.contains(&phase.kind), &format!("{prefix}.training.phases[{i}].kind"), found, range, "joint")?;
    }
    Ok(())
}

/// A threshold is finite and, with networks that bring their own, a number.
pub(super) fn check_threshold(prefix: &str, options: &dyn Options, own: Option<&str>) -> Result<(), ConfigError> {
    let threshold = options.threshold();
    let key = format!("{prefix}.threshold");
    if let Some(Threshold::Value(t)) = threshold {
        check(t.is_finite(), &key, t, "\"equal-prior\", \"map\" or a finite number", "map")?;
    }
    match own {
        Some(default) => {
            let rule = matches!(threshold, Some(Threshold::Rule(_)));
            check(!rule, &key, "a named rule", "a number with this kind", default)
        }
        None => {
            let range = "\"equal-prior\", \"map\" or a number with this kind";
            check(threshold != Some(Threshold::BEST), &key, "best", range, "map")
        }
    }
}

/// The number an experiment gives, or else the network's own.
pub(super) fn threshold_or(options: Option<&impl Options>, own: f64) -> f64 {
    match options.and_then(Options::threshold) {
        Some(Threshold::Value(t)) => t,
        _ => own,
    }
}
