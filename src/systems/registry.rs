//! All learned systems, a line each.

use std::path::Path;

use super::saved::ModelError;
use super::system::{AnySystem, Loaded};
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
                    #[allow(unreachable_patterns)] // with a single system
                    _ => None,
                }
            }
        })+

        impl LearnedConfig {
            /// Kinds of learned detectors.
            pub const KINDS: &'static [&'static str] = &[$($kind),+];

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
        let known: Vec<&str> = all.iter().map(|s| s.name()).collect();
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
