//! From names to algorithms.

use crate::link::OptionKey;

/// A table of options that is none of any algorithm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KindError {
    /// No such kind.
    #[error("unknown detector {kind:?}; known are {known}")]
    Unknown {
        /// What was asked for.
        kind: String,
        /// What there is.
        known: String,
    },
    /// The table has no text under `kind`.
    #[error("a detector needs the key kind with its name as a text, for example kind = \"amp\"")]
    NoKind,
    /// A key that the algorithm does not have.
    #[error("{key} is not an option of detector {kind}{elsewhere}; options of {kind}: {known}")]
    Key {
        /// The key.
        key: String,
        /// The algorithm.
        kind: String,
        /// "; it belongs to ...", or nothing.
        elsewhere: String,
        /// Keys with ranges and defaults.
        known: String,
    },
    /// A value of the wrong type or name.
    #[error("options of detector {kind}: {problem}")]
    Value {
        /// The algorithm.
        kind: String,
        /// What is wrong.
        problem: String,
    },
    /// No TOML.
    #[error("{0}")]
    Toml(String),
}

/// `iterations (1..=1000000, default 50), ...`.
pub fn listed(keys: &[OptionKey]) -> String {
    if keys.is_empty() {
        return "none".into();
    }
    let one = |k: &OptionKey| format!("{} ({}, default {})", k.name, k.range, k.default);
    keys.iter().map(one).collect::<Vec<_>>().join(", ")
}

impl KindError {
    /// A key that `kind` does not have: `owners` are the kinds that have it, `known` what there is instead.
    pub(crate) fn key(key: &str, kind: &str, owners: &[&str], known: String) -> Self {
        let elsewhere =
            if owners.is_empty() { String::new() } else { format!("; it belongs to {}", owners.join(", ")) };
        Self::Key { key: key.into(), kind: kind.into(), elsewhere, known }
    }

    /// A value that the parser refused, in one line.
    pub(crate) fn value(kind: &str, error: &toml::de::Error) -> Self {
        Self::Value { kind: kind.into(), problem: error.to_string().trim_end().replace('\n', " ") }
    }
}

/// One line per folder: `module: Variant(Options), ...;`.
macro_rules! registry {
    ($($module:ident: $($variant:ident($options:ident)),+;)*) => {
        $(pub mod $module;)*
        $(pub use $module::{$($options),+};)*

        /// A classical algorithm with its options.
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub enum Classical {
            $($(
                #[doc = concat!("See [`", stringify!($options), "`].")]
                $variant($options),
            )+)*
        }

        $($(
            impl From<$options> for Classical {
                fn from(options: $options) -> Self {
                    Self::$variant(options)
                }
            }
        )+)*

        impl Classical {
            /// All algorithms in the order of the registry.
            pub const INFOS: &[Info] = &[$($(<$options as Algorithm>::INFO),+),*];

            /// The algorithm of a name with every option at its default.
            pub fn named(name: &str) -> Option<Self> {
                $($(
                    if name == <$options as Algorithm>::INFO.name {
                        return Some(Self::$variant(<$options>::default()));
                    }
                )+)*
                None
            }

            /// The same algorithm with the options of a table (without `kind`).
            fn with_table(&self, table: toml::Table) -> Result<Self, toml::de::Error> {
                Ok(match self {
                    $($(Self::$variant(_) => Self::$variant(toml::Value::Table(table).try_into()?),)+)*
                })
            }

            /// What can be asked of every algorithm.
            pub fn algorithm(&self) -> &dyn AnyAlgorithm {
                match self {
                    $($(Self::$variant(options) => options,)+)*
                }
            }

            /// The same, to be changed.
            pub fn algorithm_mut(&mut self) -> &mut dyn AnyAlgorithm {
                match self {
                    $($(Self::$variant(options) => options,)+)*
                }
            }
        }
    };
}
pub(crate) use registry;

use super::{Classical, ClassicalError, Context};
use crate::link::Detector;

impl Classical {
    /// The algorithm `kind` with the options of a table.
    ///
    /// # Errors
    /// [`KindError`] for an unknown kind, an option that it does not have, or a value of the wrong type. Ranges are
    /// checked by [`AnyAlgorithm::validate`](super::AnyAlgorithm::validate) and whenever a detector is built.
    pub fn from_table(kind: &str, table: toml::Table) -> Result<Self, KindError> {
        let known = || Self::INFOS.iter().map(|i| i.name).collect::<Vec<_>>().join(", ");
        let plain = Self::named(kind).ok_or_else(|| KindError::Unknown { kind: kind.into(), known: known() })?;
        let (name, keys) = (plain.algorithm().info().name, plain.algorithm().keys());
        if let Some(key) = table.keys().find(|key| keys.iter().all(|k| k.name != *key)) {
            return Err(KindError::key(key, name, &Self::owners(key), listed(&keys)));
        }
        plain.with_table(table).map_err(|e| KindError::value(name, &e))
    }

    /// The algorithm that a TOML text with the key `kind` describes.
    ///
    /// # Errors
    /// As [`Self::from_table`].
    pub fn from_toml(text: &str) -> Result<Self, KindError> {
        let mut table: toml::Table = text.parse().map_err(|e: toml::de::Error| KindError::Toml(e.to_string()))?;
        match table.remove("kind") {
            Some(toml::Value::String(kind)) => Self::from_table(&kind, table),
            _ => Err(KindError::NoKind),
        }
    }

    /// The kinds that have a key.
    pub(crate) fn owners(key: &str) -> Vec<&'static str> {
        let has = |name: &&str| Self::named(name).is_some_and(|a| a.algorithm().keys().iter().any(|k| k.name == key));
        Self::INFOS.iter().map(|i| i.name).filter(has).collect()
    }
}

/// The detector of an algorithm, without what only training frames can tell.
///
/// # Errors
/// [`ClassicalError`] for an option out of range, an algorithm that decides no frames, or an option that needs a
/// [`Context`].
pub fn build(algorithm: &Classical) -> Result<Box<dyn Detector>, ClassicalError> {
    algorithm.algorithm().build(&Context::default())
}
