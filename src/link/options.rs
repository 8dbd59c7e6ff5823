//! Options with their defaults and ranges, written once: [`options!`] makes of one declaration the struct, its default,
//! the list of keys, the check of ranges and the form in files.

use serde::Serialize;

use super::{ConfigError, check};

/// One key of a set of options, as errors and lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionKey {
    /// Name in files.
    pub name: &'static str,
    /// Values that are allowed.
    pub range: &'static str,
    /// The default, as files spell it, or in words where it depends on the frames.
    pub default: String,
}

/// A struct of options, as the macro `options!` of this library declares them: see [extending](crate::docs::extending).
pub trait Options: Default {
    /// All keys in the order of the declaration.
    fn keys() -> Vec<OptionKey>;

    /// Checks every range; `prefix` is the dotted key of the table, for example `detectors.amp`.
    ///
    /// # Errors
    /// [`ConfigError::Range`] names key, value, range and default.
    fn check_ranges(&self, prefix: &str) -> Result<(), ConfigError>;
}

/// A value as files spell it, without quotes; numbers as short as they can be.
pub(crate) fn shown(value: &impl Serialize) -> String {
    match toml::Value::try_from(value) {
        Ok(toml::Value::String(text)) => text,
        Ok(toml::Value::Float(number)) => number.to_string(),
        Ok(other) => other.to_string(),
        // TOML has no value for nothing.
        Err(_) => "none".into(),
    }
}

/// Whether there is anything to write: no value is no key.
pub(crate) fn has_value(value: &impl Serialize) -> bool {
    toml::Value::try_from(value).is_ok()
}

/// Checks one option against its range.
pub(crate) fn check_option(
    ok: bool,
    prefix: &str,
    name: &str,
    value: &impl Serialize,
    range: &str,
    default: &str,
) -> Result<(), ConfigError> {
    check(ok, &format!("{prefix}.{name}"), shown(value), range, default)
}

/// Declares a struct of options:
///
/// ```text
/// options! {
///     /// Documentation.
///     pub struct AmpOptions {
///         /// What it does.
///         iterations: usize = 50, "1..=1000000" if |v| (1..=1_000_000).contains(v);
///         /// A default that depends on the frames is `None` and said in words.
///         lambda: Option<f64> = None => "sqrt(noise_var)", "> 0" if |v| v.is_none_or(|v| v > 0.0);
///     }
/// }
/// ```
///
/// In files a key that is left out has its default and an unknown key is an error. Every key that has a value is written,
/// defaults too: results say what was run, whatever the defaults of a later version.
macro_rules! options {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $(
                $(#[$doc:meta])*
                $field:ident: $type:ty = $default:expr $(=> $words:literal)?, $range:literal $(if $test:expr)?;
            )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $(
                $(#[$doc])*
                #[doc = concat!("\n\nRange: ", $range, ". Default: `", options!(@default $default $(, $words)?), "`.")]
                pub $field: $type,
            )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default),* }
            }
        }

        impl $crate::link::Options for $name {
            fn keys() -> Vec<$crate::link::OptionKey> {
                let default = Self::default();
                let _ = &default;
                vec![$($crate::link::OptionKey {
                    name: stringify!($field),
                    range: $range,
                    default: options!(@shown default, $field $(, $words)?),
                }),*]
            }

            fn check_ranges(&self, prefix: &str) -> Result<(), $crate::link::ConfigError> {
                let default = Self::default();
                let _ = (&default, prefix);
                $(
                    $crate::link::check_option(
                        options!(@test $type, &self.$field $(, $test)?),
                        prefix,
                        stringify!($field),
                        &self.$field,
                        $range,
                        &options!(@shown default, $field $(, $words)?),
                    )?;
                )*
                Ok(())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap;
                let mut map = serializer.serialize_map(None)?;
                let entries = &mut map;
                $(
                    if $crate::link::has_value(&self.$field) {
                        entries.serialize_entry(stringify!($field), &self.$field)?;
                    }
                )*
                let _ = entries;
                map.end()
            }
        }
    };
    (@default $default:expr, $words:literal) => { $words };
    (@default $default:expr) => { stringify!($default) };
    (@shown $all:ident, $field:ident, $words:literal) => { String::from($words) };
    (@shown $all:ident, $field:ident) => { $crate::link::shown(&$all.$field) };
    (@test $type:ty, $value:expr, $test:expr) => {{
        let test: fn(&$type) -> bool = $test;
        test($value)
    }};
    (@test $type:ty, $value:expr) => { true };
}
pub(crate) use options;

#[cfg(test)]
mod tests {
    use crate::link::Options;

    options! {
        /// Options of a test.
        pub struct Sample {
            /// A count.
            count: usize = 3, "1..=9" if |v| (1..=9).contains(v);
            /// A weight.
            weight: Option<f64> = None => "sqrt(count)", "> 0" if |v| v.is_none_or(|v| v > 0.0);
        }
    }

    #[test]
    fn ranges_and_defaults_come_from_one_place() {
        let keys = Sample::keys();
        assert_eq!((keys[0].name, keys[0].range, keys[0].default.as_str()), ("count", "1..=9", "3"));
        assert_eq!(keys[1].default, "sqrt(count)");
        let wrong = Sample { count: 10, ..Sample::default() }.check_ranges("detectors.x").unwrap_err().to_string();
        assert_eq!(wrong, "detectors.x.count = 10 is out of range: 1..=9 (default: 3)");
        let wrong = Sample { weight: Some(-1.0), ..Sample::default() }.check_ranges("d").unwrap_err().to_string();
        assert_eq!(wrong, "d.weight = -1 is out of range: > 0 (default: sqrt(count))");
    }

    #[test]
    fn files_hold_every_value() {
        let some = Sample { weight: Some(0.5), ..Sample::default() };
        assert_eq!(toml::to_string(&some).unwrap(), "count = 3\nweight = 0.5\n");
        assert_eq!(toml::to_string(&Sample::default()).unwrap(), "count = 3\n");
        assert_eq!(toml::from_str::<Sample>("weight = 0.5").unwrap(), some);
        assert!(toml::from_str::<Sample>("weigth = 0.5").unwrap_err().to_string().contains("weigth"));
    }
}
