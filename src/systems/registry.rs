//! All learned systems, a line each.

use std::path::Path;

use super::any::{AnySystem, Loaded};
use super::error::ModelError;
use super::{LearnedConfig, networks};
use crate::container::Bundle;
use crate::tensor::Chosen;

/// One line per folder: `module: Variant = "kind", Options, [networks];`.
macro_rules! registry {
    ($($(#[$doc:meta])* $module:ident: $variant:ident = $kind:literal, $options:ident, [$($($net:ident)::+),+];)+) => {
        $($(#[$doc])* pub mod $module;)+
        /// The keys of a learned detector in experiment files, by kind.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum LearnedConfig {
            $(#[doc = concat!("Kind \"", $kind, "\".")] $variant($module::$options),)+
        }

        $(impl Kind for $module::$options {
            const KIND: &'static str = $kind;

            fn of(config: &LearnedConfig) -> Option<&Self> {
                match config {
                    LearnedConfig::$variant(options) => Some(options),
                    _ => None,
                }
            }
        })+

        impl LearnedConfig {
            /// Kinds of learned detectors.
            pub const KINDS: &'static [&'static str] = &[$($kind),+];

            /// Names of the keys of a kind; none for a kind that is not learned.
            pub fn keys(kind: &str) -> &'static [&'static str] {
                match kind {
                    $($kind => $module::$options::KEYS,)+
                    _ => &[],
                }
            }

            /// The `kind` in experiment files.
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $kind,)+
                }
            }

            /// A detector of a kind with every option at its default; `None` for a kind that is not learned.
            pub fn new(kind: &str) -> Option<Self> {
                match kind {
                    $($kind => Some(Self::$variant(<$module::$options>::default())),)+
                    _ => None,
                }
            }

            /// The keys of a detector of a kind; `None` for a kind that is not learned.
            ///
            /// # Errors
            /// That of the deserialiser, inside: an unknown key or a value of another type.
            pub fn read<'de, D: Deserializer<'de>>(kind: &str, keys: D) -> Option<Result<Self, D::Error>> {
                match kind {
                    $($kind => Some(<$module::$options>::deserialize(keys).map(Self::$variant)),)+
                    _ => None,
                }
            }

            /// What the kinds have in common.
            pub fn options(&self) -> &dyn Options {
                match self {
                    $(Self::$variant(options) => options,)+
                }
            }

            /// The same, to be changed.
            pub fn options_mut(&mut self) -> &mut dyn Options {
                match self {
                    $(Self::$variant(options) => options,)+
                }
            }
        }

        /// Every network that bundles may hold.
        fn networks() -> Vec<&'static dyn AnySystem> {
            vec![$($(any::<$module::$($net)::+>()),+),+]
        }
    };
}
pub(super) use registry;

/// The system of the bundle in `dir` by its manifest; loading verifies the files.
///
/// # Errors
/// [`ModelError`] when the manifest is missing, damaged, of another version or of an unknown system.
pub fn system_of(dir: &Path) -> Result<&'static dyn AnySystem, ModelError> {
    let manifest = Bundle::read_manifest(dir).map_err(ModelError::io(dir))?;
    let all = networks();
    all.iter().find(|s| s.holds(&manifest)).copied().ok_or_else(|| {
        let mut known: Vec<&str> = all.iter().map(|s| s.name()).collect();
        known.dedup();
        let problem = format!("holds a model of system {}, known are {}", manifest.system, known.join(", "));
        ModelError::content(dir, problem)
    })
}

/// A bundle of any system as a detector, with the options of an experiment where it comes from one.
///
/// # Errors
/// [`ModelError`] when the bundle is damaged, of another version or of another kind than the options.
pub fn load(dir: &Path, options: Option<&LearnedConfig>, device: &Chosen) -> Result<Loaded, ModelError> {
    system_of(dir)?.load(dir, options, device)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(kind: &str, keys: serde_json::Value) -> Result<LearnedConfig, serde_json::Error> {
        LearnedConfig::read(kind, keys).expect("a learned kind")
    }

    #[test]
    fn every_kind_has_keys_of_its_own_that_are_read_and_written_alike() {
        for kind in LearnedConfig::KINDS {
            let config = read(kind, json!({})).unwrap();
            assert_eq!((config.kind(), &config), (*kind, &LearnedConfig::new(kind).unwrap()));
            assert_eq!(serde_json::to_value(&config).unwrap(), json!({}));
            config.options().validate("detectors.d").unwrap();
            let given = json!({ "bundle": "b", "training": { "phases": [{ "kind": "joint", "steps": 3 }] } });
            let config = read(kind, given).unwrap();
            assert_eq!(config.options().bundle(), Some("b"));
            assert_eq!(config.options().training().phases[0].steps, 3);
            assert_eq!(read(kind, serde_json::to_value(&config).unwrap()).unwrap(), config);
            assert!(read(kind, json!({ "iterations": 3 })).unwrap_err().to_string().contains("iterations"));
        }
        assert!(LearnedConfig::new("amp").is_none() && LearnedConfig::read("amp", json!({})).is_none());
    }

    #[test]
    fn what_a_kind_does_not_do_is_refused_by_key_and_range() {
        let schedule = |kind: &str| json!({ "phases": [{ "kind": kind, "steps": 1 }] });
        for (kind, keys, words) in [
            (
                "mampnet",
                json!({ "training": schedule("receiver") }),
                "phases[0].kind = receiver is out of range: not \"receiver\"",
            ),
            ("pc-admm-net", json!({ "training": schedule("receiver") }), "\"joint\" or \"layer-wise\""),
            ("autoencoder", json!({ "training": schedule("layer-wise") }), "\"joint\" or \"receiver\""),
            ("sicnn", json!({ "training": schedule("refinement") }), "\"joint\" or \"receiver\""),
            ("score", json!({ "training": schedule("receiver") }), "is out of range: \"joint\" (default"),
            ("mampnet", json!({ "threshold": "best" }), "\"equal-prior\", \"map\" or a number with this kind"),
            ("autoencoder", json!({ "threshold": "map" }), "threshold = a named rule is out of range: a number"),
            ("score", json!({ "network_of": "net", "bundle": "b" }), "left out with bundle, score or training"),
            ("mampnet", json!({ "model": { "layers": 0 } }), "detectors.d.model.layers"),
            ("pc-admm-net", json!({ "admm": { "layers": 0 } }), "detectors.d.admm.layers"),
            ("autoencoder", json!({ "decoder": { "corrections": 17 } }), "detectors.d.decoder.corrections"),
            ("score", json!({ "score": { "width": 0 } }), "detectors.d.score.width"),
            ("sicnn", json!({ "receiver": { "rounds": 0 } }), "detectors.d.receiver.rounds"),
        ] {
            let error = read(kind, keys).unwrap().options().validate("detectors.d").unwrap_err().to_string();
            assert!(error.contains(words), "{kind}: {error}");
        }
    }

    #[test]
    fn a_bundle_of_another_system_is_named() {
        let dir = temp_dir::TempDir::new().unwrap();
        let parts = crate::container::ManifestParts { system: "other".into(), config: json!({}), metrics: json!({}) };
        crate::container::write_bundle(&dir.path().join("b"), &parts, &[]).unwrap();
        let error = system_of(&dir.path().join("b")).err().unwrap().to_string();
        assert!(
            error.contains("system other, known are autoencoder, mampnet, pc-admm-net, score, sicnn, beam-metric"),
            "{error}"
        );
    }
}
