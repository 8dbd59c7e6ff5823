//! `[detectors.ID]`: what is compared.

use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::{Error as _, SerializeMap};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::config::Tuned;
use crate::detect::{Classical, KindError, Link, Operations, Role, Sizes, Threshold, Told};
use crate::link::{ConfigError, check, spelled};
use crate::scenario::{ScenarioConfig, ScenarioKind, SignatureKind};
use crate::systems::LearnedConfig;

/// The algorithm or the network, with its own options.
#[derive(Debug, Clone, PartialEq)]
pub enum Spec {
    /// An algorithm without training.
    Classical(Classical),
    /// A trained network.
    Learned(LearnedConfig),
}

/// One detector: `kind` and the options of that kind, and a few keys that all kinds have. An option that the detector
/// does not use is an error.
#[derive(Debug, Clone, PartialEq)]
pub struct DetectorConfig {
    /// Name in figures and tables. Default: the id.
    pub label: Option<String>,
    /// Use the pilots that this other (learned) detector of the file has learned. Default: the scenario's pilots.
    pub pilots_of: Option<String>,
    /// Spreading link: signatures of this detector. Default: `scenario.noma.signatures`.
    pub signatures: Option<SignatureKind>,
    /// Classical detectors: options and threshold are chosen on validation frames, by a metric of the figure (`true`)
    /// or the one that is named, see [`Tuned`]. Default: they are what the file says.
    pub tuned: Option<Tuned>,
    /// `kind` and its options.
    pub spec: Spec,
}

impl From<Classical> for DetectorConfig {
    fn from(algorithm: Classical) -> Self {
        Self::of(Spec::Classical(algorithm))
    }
}

impl From<LearnedConfig> for DetectorConfig {
    fn from(network: LearnedConfig) -> Self {
        Self::of(Spec::Learned(network))
    }
}

/// Whether a kind, as experiment files spell it, is a learned detector.
pub fn is_learned(kind: &str) -> bool {
    LearnedConfig::KINDS.contains(&kind)
}

/// The role of a kind, as experiment files spell it; `None` for a kind that does not exist.
pub fn role_of(kind: &str) -> Option<Role> {
    let classical = || Classical::INFOS.iter().find(|i| i.name == kind).map(|i| i.role);
    if is_learned(kind) { Some(Role::Receiver) } else { classical() }
}

impl DetectorConfig {
    fn of(spec: Spec) -> Self {
        Self { label: None, pilots_of: None, signatures: None, tuned: None, spec }
    }

    /// A detector with every option at its default; `None` for a kind that does not exist.
    pub fn named(kind: &str) -> Option<Self> {
        LearnedConfig::new(kind).map(Self::from).or_else(|| Classical::named(kind).map(Self::from))
    }

    /// The detector `kind` with the keys of a table.
    ///
    /// # Errors
    /// [`KindError`] for an unknown kind, a key that it does not have, or a value of the wrong type.
    pub fn from_table(kind: &str, mut table: toml::Table) -> Result<Self, KindError> {
        let mut common = toml::Table::new();
        for key in Common::KEYS {
            common.extend(table.remove(key).map(|value| (key.to_owned(), value)));
        }
        let and_common = |known: &str| format!("{known}, and for every detector {}", Common::KEYS.join(", "));
        let spec = if is_learned(kind) {
            Spec::Learned(network(kind, table, and_common)?)
        } else {
            Spec::Classical(algorithm(kind, table).map_err(|e| match e {
                KindError::Key { key, kind, elsewhere, known } => {
                    KindError::Key { key, kind, elsewhere, known: and_common(&known) }
                }
                KindError::Unknown { kind, known } => {
                    KindError::Unknown { kind, known: format!("{known}, {}", LearnedConfig::KINDS.join(", ")) }
                }
                other => other,
            })?)
        };
        let Common { label, pilots_of, signatures, tuned } =
            toml::Value::Table(common).try_into().map_err(|e| KindError::value(kind, &e))?;
        Ok(Self { label, pilots_of, signatures, tuned, spec })
    }

    /// `kind` in files.
    pub fn kind(&self) -> &'static str {
        match &self.spec {
            Spec::Classical(a) => a.algorithm().info().name,
            Spec::Learned(n) => n.kind(),
        }
    }

    /// The same without label and without what stands at its default: equal texts mean the same detector, whatever of the
    /// defaults a file spells out.
    ///
    /// # Errors
    /// A value that TOML cannot hold.
    pub fn canonical(&self) -> Result<toml::Table, toml::ser::Error> {
        let unlabelled = Self { label: None, ..self.clone() };
        let mut table = toml::Table::try_from(&unlabelled)?;
        let default = Self::named(self.kind()).map(|d| toml::Table::try_from(&d)).transpose()?.unwrap_or_default();
        table.retain(|key, value| key == "kind" || default.get(key) != Some(value));
        Ok(table)
    }

    /// Name in figures and tables: the label, or else `id`.
    pub fn shown<'a>(&'a self, id: &'a str) -> &'a str {
        self.label.as_deref().unwrap_or(id)
    }

    /// The network, of a learned detector.
    pub fn learned(&self) -> Option<&LearnedConfig> {
        match &self.spec {
            Spec::Learned(network) => Some(network),
            Spec::Classical(_) => None,
        }
    }

    /// The algorithm, of a classical detector.
    pub fn classical(&self) -> Option<&Classical> {
        match &self.spec {
            Spec::Classical(algorithm) => Some(algorithm),
            Spec::Learned(_) => None,
        }
    }

    /// The threshold that turns scores into decisions, where one is given or has a default.
    pub fn threshold(&self) -> Option<Threshold> {
        match &self.spec {
            Spec::Classical(algorithm) => algorithm.algorithm().threshold(),
            Spec::Learned(network) => network.options().threshold(),
        }
    }

    /// What the detector is told beside Y and the pilots.
    pub fn told(&self) -> Told {
        match &self.spec {
            Spec::Classical(algorithm) => algorithm.algorithm().told(),
            Spec::Learned(network) => network.options().told(),
        }
    }

    /// The other detector whose network it uses.
    pub fn network_of(&self) -> Option<&str> {
        self.learned().and_then(|n| n.options().network_of())
    }

    /// Whether the detector brings pilots (or signatures) that were learned with it.
    pub fn learns_pilots(&self) -> bool {
        self.learned().is_some_and(|n| n.options().learns_pilots())
    }

    /// Whether the detector works with other pilots (or signatures) than those of the scenario, because it has learned them.
    pub fn changes_pilots(&self) -> bool {
        self.learned().is_some_and(|n| n.options().changes_pilots())
    }

    /// Whether the detector works on the spreading link of system E.
    pub fn is_spreading(&self) -> bool {
        match &self.spec {
            Spec::Classical(algorithm) => algorithm.algorithm().info().link == Link::Spreading,
            Spec::Learned(network) => network.options().is_spreading(),
        }
    }

    /// Real multiplications per frame; `None` where no count is defined.
    pub fn operations(&self, scenario: &ScenarioConfig) -> Option<Operations> {
        let sizes = Sizes::of(scenario);
        match &self.spec {
            Spec::Classical(algorithm) => algorithm.algorithm().operations(&sizes),
            Spec::Learned(network) => network.options().operations(&sizes),
        }
    }

    /// Checks what depends on the link: `prefix` is the dotted key of the table.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    pub fn validate_for(&self, prefix: &str, scenario: &ScenarioConfig) -> Result<(), ConfigError> {
        let spreading = scenario.kind == ScenarioKind::Noma;
        let range = if spreading {
            let names = Classical::INFOS.iter().filter(|i| i.link == Link::Spreading).map(|i| i.name);
            let spreads = |kind: &&str| LearnedConfig::new(kind).is_some_and(|n| n.options().is_spreading());
            let names: Vec<&str> = names.chain(LearnedConfig::KINDS.iter().copied().filter(spreads)).collect();
            format!("a detector of the spreading link with scenario.kind = \"noma\": {}", names.join(", "))
        } else {
            "a detector of the access link; those of the spreading link need scenario.kind = \"noma\"".into()
        };
        check(self.is_spreading() == spreading, &format!("{prefix}.kind"), self.kind(), &range, "none")?;
        let Some(network) = self.learned() else { return Ok(()) };
        network.options().validate_for(prefix, scenario)?;
        check(
            !(self.signatures.is_some() && network.options().learns_pilots()),
            &format!("{prefix}.signatures"),
            self.signatures.as_ref().map(spelled).unwrap_or_default(),
            "left out with receiver.learn_signatures = true",
            "none",
        )
    }

    /// Checks ranges; `prefix` is the dotted key of the table.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    pub fn validate(&self, prefix: &str) -> Result<(), ConfigError> {
        if self.signatures.is_some() && !self.is_spreading() {
            return Err(ConfigError::Invalid(format!(
                "{prefix}.signatures is not an option of detector {}; it belongs to detectors of the spreading link",
                self.kind()
            )));
        }
        let tunable = self.classical().is_some_and(|c| {
            let a = c.algorithm();
            a.threshold().is_some() && a.info().link == Link::Access && a.info().role != Role::Prediction
        });
        if self.tuned.is_some() && !tunable {
            return Err(ConfigError::Invalid(format!(
                "{prefix}.tuned is not an option of detector {}; it belongs to classical detectors of the access link that decide by a threshold",
                self.kind()
            )));
        }
        match &self.spec {
            Spec::Classical(algorithm) => algorithm.algorithm().validate(prefix),
            Spec::Learned(network) => network.options().validate(prefix),
        }
    }
}

/// The classical algorithm `kind` with the options of a table.
///
/// # Errors
/// As [`Classical::from_table`]; a key that is none of its own is shown with the networks that have it, too.
pub fn algorithm(kind: &str, table: toml::Table) -> Result<Classical, KindError> {
    Classical::from_table(kind, table).map_err(|e| match e {
        KindError::Key { key, kind, known, .. } => KindError::key(&key, &kind, &owners(&key), known),
        other => other,
    })
}

/// The network `kind` with the keys of a table; `known` says what there is where a key is none of them.
fn network(kind: &str, table: toml::Table, known: impl Fn(&str) -> String) -> Result<LearnedConfig, KindError> {
    let keys = LearnedConfig::keys(kind);
    if let Some(key) = table.keys().find(|key| !keys.contains(&key.as_str())) {
        return Err(KindError::key(key, kind, &owners(key), known(&keys.join(", "))));
    }
    let unknown = || KindError::Unknown { kind: kind.into(), known: LearnedConfig::KINDS.join(", ") };
    LearnedConfig::read(kind, toml::Value::Table(table)).ok_or_else(unknown)?.map_err(|e| KindError::value(kind, &e))
}

/// The kinds that have a key, algorithms before networks.
fn owners(key: &str) -> Vec<&'static str> {
    let networks = LearnedConfig::KINDS.iter().copied().filter(|kind| LearnedConfig::keys(kind).contains(&key));
    Classical::owners(key).into_iter().chain(networks).collect()
}

/// Keys that every kind has.
#[derive(Deserialize)]
struct Common {
    label: Option<String>,
    pilots_of: Option<String>,
    signatures: Option<SignatureKind>,
    tuned: Option<Tuned>,
}

impl Common {
    const KEYS: [&str; 4] = ["label", "pilots_of", "signatures", "tuned"];
}

/// A table in which null stands for a key that is left out, as JSON may have it.
struct Fields(toml::Table);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Table;
        impl<'de> Visitor<'de> for Table {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table with the key kind")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut table = toml::Table::new();
                while let Some((key, value)) = map.next_entry::<String, Option<toml::Value>>()? {
                    table.extend(value.map(|v| (key, v)));
                }
                Ok(Fields(table))
            }
        }
        deserializer.deserialize_map(Table)
    }
}

impl<'de> Deserialize<'de> for DetectorConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Fields(mut table) = Fields::deserialize(deserializer)?;
        match table.remove("kind") {
            Some(toml::Value::String(kind)) => Self::from_table(&kind, table).map_err(D::Error::custom),
            _ => Err(D::Error::custom(KindError::NoKind)),
        }
    }
}

impl Serialize for DetectorConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let options = match &self.spec {
            Spec::Classical(algorithm) => algorithm.algorithm().table(),
            Spec::Learned(network) => toml::Table::try_from(network),
        }
        .map_err(S::Error::custom)?;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("kind", self.kind())?;
        if let Some(label) = &self.label {
            map.serialize_entry("label", label)?;
        }
        for (key, value) in &options {
            map.serialize_entry(key, value)?;
        }
        if let Some(signatures) = &self.signatures {
            map.serialize_entry("signatures", signatures)?;
        }
        if let Some(tuned) = &self.tuned {
            map.serialize_entry("tuned", tuned)?;
        }
        if let Some(other) = &self.pilots_of {
            map.serialize_entry("pilots_of", other)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<DetectorConfig, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn a_detector_is_written_as_it_was_read() {
        for text in [
            "kind = \"amp\"\nlabel = \"AMP\"\niterations = 30\nthreshold = \"equal-prior\"\n",
            "kind = \"beam-sic\"\nbeam = 8\nsignatures = \"wbe\"\n",
            "kind = \"langevin\"\n\n[langevin]\nsamples = 2\n",
        ] {
            let config = read(text).unwrap();
            assert_eq!(read(&toml::to_string(&config).unwrap()).unwrap(), config);
            let json = serde_json::to_string(&config).unwrap();
            assert_eq!(serde_json::from_str::<DetectorConfig>(&json).unwrap(), config, "{json}");
        }
    }

    #[test]
    fn keys_of_other_kinds_are_refused_with_those_that_exist() {
        for (text, says) in [
            (
                "kind = \"lasso\"\nrho = 1.0",
                "rho is not an option of detector lasso; it belongs to group-lasso-admm, pc-admm",
            ),
            ("kind = \"amp\"\niteration = 5", "iterations (1..=1000000, default 50)"),
            ("kind = \"ampp\"", "unknown detector \"ampp\"; known are amp, amp-section"),
            (
                "kind = \"amp\"\ntraining = 1",
                "training is not an option of detector amp; it belongs to autoencoder, mampnet",
            ),
            ("kind = \"ampp\"", "mampnet"),
            ("label = \"x\"", "kind"),
            ("kind = \"mampnet\"\ndamping = 0.5", "damping"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
        let table = toml::Table::from_iter([("training".to_owned(), toml::Value::Integer(1))]);
        let error = algorithm("amp", table).unwrap_err().to_string();
        assert!(error.contains("it belongs to autoencoder") && !error.contains("for every detector"), "{error}");
        let signatures = read("kind = \"amp\"\nsignatures = \"wbe\"").unwrap();
        assert!(signatures.validate("detectors.a").unwrap_err().to_string().contains("detectors.a.signatures"));
    }

    #[test]
    fn defaults_that_a_file_spells_out_change_nothing() {
        let canonical = |text: &str| read(text).unwrap().canonical().unwrap();
        let plain = canonical("kind = \"amp\"");
        assert_eq!(canonical("kind = \"amp\"\nlabel = \"x\"\niterations = 50\nthreshold = \"map\""), plain);
        assert_ne!(canonical("kind = \"amp\"\niterations = 51"), plain);
    }

    #[test]
    fn roles_come_from_the_algorithms() {
        assert_eq!(role_of("genie-mmse"), Some(Role::Bound));
        assert_eq!(role_of("oracle-ls"), Some(Role::Genie));
        assert_eq!(role_of("welch-bound"), Some(Role::Prediction));
        assert_eq!((role_of("mampnet"), role_of("nothing")), (Some(Role::Receiver), None));
    }
}
