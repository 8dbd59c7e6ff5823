//! The whole experiment file, its budgets, figures and points.

use std::path::Path;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::set::{Assignment, apply};
use crate::config::{DetectorConfig, Spec};
use crate::link::Split;
use crate::link::{ConfigError, check, spelled};
use crate::metrics::MetricName;
use crate::scenario::ScenarioConfig;
use crate::systems::LearnedConfig;

/// Which stream the frames of a simulation come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FrameSplit {
    /// Frames that nothing was trained on or chosen by.
    #[default]
    Test,
    /// Frames that hyper-parameters are chosen by.
    Validation,
}

impl From<FrameSplit> for Split {
    fn from(split: FrameSplit) -> Self {
        match split {
            FrameSplit::Test => Self::Test,
            FrameSplit::Validation => Self::Validation,
        }
    }
}

impl FrameSplit {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// `[engine]`: how long a point is simulated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineConfig {
    /// No stop rule is tested before this many frames. Default 256.
    pub min_frames: u64,
    /// Frames of a point at most. Default 10000.
    pub max_frames: u64,
    /// Stop when every detector has seen this many error events (SER); 0 never. Default 0.
    pub target_events: u64,
    /// Stop when every detector's relative confidence half-width (SER) is below; 0 never. Default 0.
    pub rel_ci: f64,
    /// Seconds for one point; 0 without limit. Results then depend on the machine. Default 0.
    pub time_budget: f64,
    /// Frames of a statistics block, the unit of logging, sharding and stopping. Default 32.
    pub block_frames: usize,
    /// Blocks that are simulated at a time; changes memory and speed, never results. Default 8.
    pub batch_blocks: usize,
    /// "test" (default) or "validation".
    #[serde(skip_serializing_if = "FrameSplit::is_default")]
    pub split: FrameSplit,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            min_frames: 256,
            max_frames: 10_000,
            target_events: 0,
            rel_ci: 0.0,
            time_budget: 0.0,
            block_frames: 32,
            batch_blocks: 8,
            split: FrameSplit::Test,
        }
    }
}

impl EngineConfig {
    /// Checks every range.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let d = Self::default();
        check(self.max_frames >= 1, "engine.max_frames", self.max_frames, ">= 1", d.max_frames)?;
        check(
            self.min_frames <= self.max_frames,
            "engine.min_frames",
            self.min_frames,
            "0..=engine.max_frames",
            d.min_frames,
        )?;
        check((0.0..1.0).contains(&self.rel_ci), "engine.rel_ci", self.rel_ci, "0 (off) or in (0, 1)", d.rel_ci)?;
        check(
            self.time_budget >= 0.0 && self.time_budget.is_finite(),
            "engine.time_budget",
            self.time_budget,
            ">= 0 seconds",
            d.time_budget,
        )?;
        check(
            (1..=65_536).contains(&self.block_frames),
            "engine.block_frames",
            self.block_frames,
            "1..=65536",
            d.block_frames,
        )?;
        check(
            (1..=4096).contains(&self.batch_blocks),
            "engine.batch_blocks",
            self.batch_blocks,
            "1..=4096",
            d.batch_blocks,
        )
    }
}

/// `[sweep]`: the x axis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// Dotted key that changes, for example "scenario.pilot_length".
    pub key: String,
    /// Its values, at least one.
    pub values: Vec<toml::Value>,
    /// Name of the x axis. Default: the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Further keys that change with it, each with as many values. Default: none.
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    pub also: toml::Table,
}

impl Sweep {
    /// Values of the further keys at a point.
    fn also_at(&self, index: usize) -> impl Iterator<Item = Assignment> {
        let value = move |v: &toml::Value| v.as_array().and_then(|values| values.get(index)).cloned();
        self.also.iter().filter_map(move |(key, v)| Some(Assignment { key: key.clone(), value: value(v)? }))
    }

    fn validate(&self) -> Result<(), ConfigError> {
        check(!self.values.is_empty(), "sweep.values", "[]", "at least one value", "none")?;
        for (key, values) in &self.also {
            let fits = values.as_array().is_some_and(|v| v.len() == self.values.len());
            let range = format!("an array of {} values, as sweep.values has", self.values.len());
            check(fits, &format!("sweep.also.\"{key}\""), values, &range, "none")?;
        }
        Ok(())
    }
}

/// How a figure is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FigureStyle {
    /// "curve": metrics over the swept value.
    #[default]
    Curve,
    /// "visualisation": besides, the stages of one frame as grey images (Fig. 10 of the DL-mAMPnet paper).
    Visualisation,
}

/// `[[figures]]`: one panel of the report; everything it does not set comes from the top of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "UncheckedFigure")]
pub struct Figure {
    /// Short name used in file names: letters, digits, '-' and '_'.
    pub id: String,
    /// Title. Default: the id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Dotted keys that this figure changes.
    pub set: toml::Table,
    /// Its own sweep. Default: the sweep of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sweep: Option<Sweep>,
    /// Metrics drawn, one panel each. Default ["ser"].
    pub metrics: Vec<MetricName>,
    /// Ids of the detectors. Default: all of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detectors: Option<Vec<String>>,
    /// "curve" (default) or "visualisation" (the stages of one frame as grey images, Fig. 10 of the DL-mAMPnet paper).
    pub style: FigureStyle,
}

/// A figure as it stands in a file: names that are checked with the id of the figure in the error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UncheckedFigure {
    id: String,
    title: Option<String>,
    #[serde(default)]
    set: toml::Table,
    sweep: Option<Sweep>,
    metrics: Option<Vec<String>>,
    detectors: Option<Vec<String>>,
    style: Option<String>,
}

impl TryFrom<UncheckedFigure> for Figure {
    type Error = ConfigError;

    fn try_from(file: UncheckedFigure) -> Result<Self, ConfigError> {
        let UncheckedFigure { id, title, set, sweep, metrics, detectors, style } = file;
        let key = |name: &str| format!("figures.{id}.{name}");
        let metric = |text: &String| {
            text.parse()
                .map_err(|_| ConfigError::range(&key("metrics"), text, &MetricName::accepted(), MetricName::Ser))
        };
        let metrics = metrics.as_ref().map(|all| all.iter().map(metric).collect());
        let named = |text: &String| {
            let style = [FigureStyle::Curve, FigureStyle::Visualisation].into_iter().find(|s| spelled(s) == *text);
            let default = spelled(&FigureStyle::default());
            style.ok_or_else(|| ConfigError::range(&key("style"), text, "\"curve\" or \"visualisation\"", default))
        };
        let style = style.as_ref().map(named).transpose()?.unwrap_or_default();
        Ok(Self {
            metrics: metrics.transpose()?.unwrap_or_else(default_metrics),
            style,
            id,
            title,
            set,
            sweep,
            detectors,
        })
    }
}

/// Resolves relative paths of the file (channel files, pilots files, bundles) against `folder`.
fn anchor_paths(table: &mut toml::Table, folder: &Path) {
    for (key, value) in table.iter_mut() {
        match value {
            toml::Value::String(path)
                if matches!(key.rsplit('.').next(), Some("channel_file" | "pilots_file" | "bundle")) =>
            {
                *path = anchored(path, folder);
            }
            toml::Value::Table(inner) => anchor_paths(inner, folder),
            toml::Value::Array(items) => {
                items.iter_mut().filter_map(toml::Value::as_table_mut).for_each(|t| anchor_paths(t, folder));
            }
            _ => {}
        }
    }
}

/// `folder/path` with `.` and `..` removed, without looking at the file system.
fn anchored(path: &str, folder: &Path) -> String {
    use std::path::{Component, PathBuf};
    let mut out = PathBuf::new();
    for part in folder.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out.display().to_string()
}

/// Gives detectors with `network_of` the architecture and the schedule of the network they use.
fn share_networks(detectors: &mut IndexMap<String, DetectorConfig>) {
    let owners = detectors.clone();
    for detector in detectors.values_mut() {
        let owner = detector.network_of().and_then(|other| owners.get(other)).and_then(DetectorConfig::learned);
        if let (Spec::Learned(network), Some(owner)) = (&mut detector.spec, owner) {
            network.options_mut().use_network_of(owner);
        }
    }
}

fn default_metrics() -> Vec<MetricName> {
    vec![MetricName::Ser]
}

/// One experiment file after budget and `--set`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Short name: letters, digits, '-' and '_'.
    pub name: String,
    /// Title of the report. Default: the name.
    #[serde(default)]
    pub title: String,
    /// What is compared and under which assumptions; shown in the report.
    #[serde(default)]
    pub description: String,
    /// Seed of every random stream. Default 1.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// Which of `[budgets]` is in force. Default "quick" where the file has it.
    #[serde(default)]
    pub budget: String,
    /// Named sets of dotted keys.
    #[serde(default)]
    pub budgets: IndexMap<String, toml::Table>,
    /// The physics.
    #[serde(default)]
    pub scenario: ScenarioConfig,
    /// Simulation length.
    #[serde(default)]
    pub engine: EngineConfig,
    /// The x axis. Default: one point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<Sweep>,
    /// Panels. Default: one with the file's sweep.
    #[serde(default)]
    pub figures: Vec<Figure>,
    /// What is compared, in the order of the legend.
    pub detectors: IndexMap<String, DetectorConfig>,
}

fn default_seed() -> u64 {
    1
}

/// One fully resolved simulation point.
#[derive(Debug, Clone)]
pub struct Point {
    /// `figure-id/index`, unique in the experiment; also the folder and log name (with '-' for '/').
    pub id: String,
    /// Id of the figure.
    pub figure: String,
    /// Index on the x axis.
    pub index: usize,
    /// Value on the x axis (NaN for a figure without a sweep or a value that is not a number).
    pub x: f64,
    /// The value as text.
    pub x_label: String,
    /// Physics of this point.
    pub scenario: ScenarioConfig,
    /// Length of this point.
    pub engine: EngineConfig,
    /// Metrics of its figure.
    pub metrics: Vec<MetricName>,
    /// Detectors of this point in legend order.
    pub detectors: IndexMap<String, DetectorConfig>,
}

impl Experiment {
    /// Reads a file, applies its budget and the assignments, checks everything.
    ///
    /// # Errors
    /// [`ConfigError`] naming the file, key, range and default.
    pub fn load(path: &Path, sets: &[Assignment]) -> Result<Self, ConfigError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: shown.clone(), source })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::resolve(&text, &shown, folder, sets)
    }

    /// The same from text; `shown` names it in errors.
    ///
    /// # Errors
    /// [`ConfigError`] naming the file, key, range and default.
    pub fn parse(text: &str, shown: &str, sets: &[Assignment]) -> Result<Self, ConfigError> {
        Self::resolve(text, shown, Path::new(""), sets)
    }

    fn resolve(text: &str, shown: &str, folder: &Path, sets: &[Assignment]) -> Result<Self, ConfigError> {
        let parse_error =
            |e: toml::de::Error| ConfigError::Parse { path: shown.into(), message: e.to_string().trim_end().into() };
        // The typed parse of the untouched text first: its errors carry line numbers.
        toml::from_str::<Self>(text).map_err(parse_error)?;
        let mut table: toml::Table = text.parse().map_err(parse_error)?;
        anchor_paths(&mut table, folder);
        for set in sets.iter().filter(|s| s.key == "budget") {
            apply(&mut table, set)?;
        }
        if !table.contains_key("budget") && table.get("budgets").and_then(|b| b.get("quick")).is_some() {
            table.insert("budget".into(), "quick".into());
        }
        if let Some(name) = table.get("budget").and_then(|b| b.as_str()).map(str::to_owned) {
            let budgets = table.get("budgets").and_then(|b| b.as_table()).cloned().unwrap_or_default();
            let Some(chosen) = budgets.get(&name).and_then(|b| b.as_table()) else {
                let known: Vec<&str> = budgets.keys().map(String::as_str).collect();
                return Err(ConfigError::Invalid(format!(
                    "budget = \"{name}\": {shown} has {}",
                    if known.is_empty() { "no budgets".into() } else { known.join(", ") }
                )));
            };
            for (key, value) in chosen {
                apply(&mut table, &Assignment { key: key.clone(), value: value.clone() })?;
            }
        }
        for set in sets.iter().filter(|s| s.key != "budget") {
            apply(&mut table, set)?;
        }
        let experiment: Self = toml::Value::Table(table).try_into().map_err(|e: toml::de::Error| {
            ConfigError::Invalid(format!("after budget and --set: {}", e.to_string().trim_end()))
        })?;
        experiment.validate()?;
        Ok(experiment)
    }

    /// Title of the report.
    pub fn display_title(&self) -> &str {
        if self.title.is_empty() { &self.name } else { &self.title }
    }

    /// The panels: those of the file, or one that shows the file's sweep.
    pub fn resolved_figures(&self) -> Vec<Figure> {
        if !self.figures.is_empty() {
            return self.figures.clone();
        }
        vec![Figure {
            id: self.name.clone(),
            title: Some(self.display_title().to_owned()),
            set: toml::Table::new(),
            sweep: self.sweep.clone(),
            metrics: default_metrics(),
            detectors: None,
            style: FigureStyle::default(),
        }]
    }

    /// Unfolds figures and sweeps.
    ///
    /// # Errors
    /// [`ConfigError`] when a figure or a sweep leads to values out of range.
    pub fn points(&self) -> Result<Vec<Point>, ConfigError> {
        let invalid = |e: toml::ser::Error| ConfigError::Invalid(e.to_string());
        let base = toml::Table::try_from(self).map_err(invalid)?;
        let mut points = Vec::new();
        for figure in self.resolved_figures() {
            let mut table = base.clone();
            for (key, value) in &figure.set {
                apply(&mut table, &Assignment { key: key.clone(), value: value.clone() })?;
            }
            let sweep = figure.sweep.clone().or_else(|| self.sweep.clone());
            let values = sweep.as_ref().map_or_else(|| vec![None], |s| s.values.iter().cloned().map(Some).collect());
            for (index, value) in values.into_iter().enumerate() {
                let mut table = table.clone();
                let (mut x, mut x_label) = (f64::NAN, String::new());
                if let (Some(value), Some(sweep)) = (value, &sweep) {
                    x = value.as_float().or_else(|| value.as_integer().map(|v| v as f64)).unwrap_or(f64::NAN);
                    x_label = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    apply(&mut table, &Assignment { key: sweep.key.clone(), value })?;
                    for other in sweep.also_at(index) {
                        apply(&mut table, &other)?;
                    }
                }
                let resolved: Self = toml::Value::Table(table).try_into().map_err(|e: toml::de::Error| {
                    ConfigError::Invalid(format!("figure {}: {}", figure.id, e.to_string().trim_end()))
                })?;
                resolved.validate_values()?;
                let mut detectors = resolved.detectors.clone();
                share_networks(&mut detectors);
                if let Some(ids) = &figure.detectors {
                    detectors.retain(|id, _| ids.contains(id));
                }
                for (id, detector) in &detectors {
                    detector.validate_for(&format!("detectors.{id}"), &resolved.scenario)?;
                }
                points.push(Point {
                    id: format!("{}/{index}", figure.id),
                    figure: figure.id.clone(),
                    index,
                    x,
                    x_label,
                    scenario: resolved.scenario,
                    engine: resolved.engine,
                    metrics: figure.metrics.clone(),
                    detectors,
                });
            }
        }
        Ok(points)
    }

    fn validate_values(&self) -> Result<(), ConfigError> {
        self.scenario.validate()?;
        self.engine.validate()?;
        for (id, detector) in &self.detectors {
            detector.validate(&format!("detectors.{id}"))?;
            if let Some(other) = detector.network_of() {
                let owner = self.detectors.get(other).filter(|d| d.kind() == detector.kind() && other != id);
                let network = owner.and_then(DetectorConfig::learned).map(LearnedConfig::options);
                let trains = network.is_some_and(|n| n.network_of().is_none() && n.bundle().is_none());
                let range =
                    format!("the id of another detector of kind \"{}\" that is trained in this file", detector.kind());
                check(trains, &format!("detectors.{id}.network_of"), other, &range, "none")?;
            }
            if let Some(other) = &detector.pilots_of {
                let learned = self.detectors.get(other).is_some_and(|d| d.learns_pilots());
                check(
                    learned,
                    &format!("detectors.{id}.pilots_of"),
                    other,
                    "the id of a detector with model.learn_pilots or receiver.learn_signatures = true",
                    "none",
                )?;
            }
        }
        Ok(())
    }

    /// Checks everything, as reading from a file does.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key, range and default.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.validate()
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let name_ok = |s: &str| {
            !s.is_empty() && s.len() <= 64 && s.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        };
        check(name_ok(&self.name), "name", &self.name, "1 to 64 letters, digits, '-' or '_'", "none")?;
        check(!self.detectors.is_empty(), "detectors", "{}", "at least one [detectors.ID] table", "none")?;
        self.validate_values()?;
        for id in self.detectors.keys() {
            check(name_ok(id), "detectors", id, "ids of letters, digits, '-' or '_'", "none")?;
        }
        let mut seen = std::collections::HashSet::new();
        for f in &self.figures {
            check(
                name_ok(&f.id) && seen.insert(&f.id),
                "figures.id",
                &f.id,
                "unique; letters, digits, '-' or '_'",
                "none",
            )?;
            for id in f.detectors.iter().flatten() {
                if !self.detectors.contains_key(id) {
                    let known: Vec<&str> = self.detectors.keys().map(String::as_str).collect();
                    return Err(ConfigError::Invalid(format!(
                        "figures.{}.detectors: unknown id {id}; the file has {}",
                        f.id,
                        known.join(", ")
                    )));
                }
            }
        }
        for s in self.figures.iter().filter_map(|f| f.sweep.as_ref()).chain(&self.sweep) {
            s.validate()?;
        }
        self.points().map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_keys_of_a_sweep_change_with_it() {
        let file = |also: &str| {
            format!(
                "name = \"n\"\n[sweep]\nkey = \"scenario.devices\"\nvalues = [10, 20]\n\
                 also = {{ \"scenario.pilot_length\" = {also} }}\n[detectors.amp]\nkind = \"amp\"\n"
            )
        };
        let experiment = Experiment::parse(&file("[4, 8]"), "f.toml", &[]).unwrap();
        let sizes: Vec<_> =
            experiment.points().unwrap().iter().map(|p| (p.scenario.devices, p.scenario.pilot_length, p.x)).collect();
        assert_eq!(sizes, [(10, 4, 10.0), (20, 8, 20.0)]);
        for wrong in ["[4]", "[4, 8, 12]", "4"] {
            let error = Experiment::parse(&file(wrong), "f.toml", &[]).unwrap_err().to_string();
            assert!(error.contains("scenario.pilot_length") && error.contains("array of 2 values"), "{error}");
        }
        assert!(Experiment::parse(&file("[4, 5000]"), "f.toml", &[]).unwrap_err().to_string().contains("1..=4096"));
    }

    #[test]
    fn metrics_and_styles_of_figures_are_names() {
        let file =
            |keys: &str| format!("name = \"n\"\n[[figures]]\nid = \"f\"\n{keys}\n[detectors.amp]\nkind = \"amp\"\n");
        let parsed = |keys: &str| Experiment::parse(&file(keys), "f.toml", &[]);
        let figure =
            parsed("metrics = [\"ber_user_2\", \"nmse_db\"]\nstyle = \"visualisation\"").unwrap().figures.remove(0);
        assert_eq!(figure.metrics, [MetricName::BerUser(1), MetricName::NmseDb]);
        assert_eq!(figure.style, FigureStyle::Visualisation);
        let text = toml::to_string(&figure).unwrap();
        assert!(
            text.contains("metrics = [\"ber_user_2\", \"nmse_db\"]") && text.contains("style = \"visualisation\""),
            "{text}"
        );
        let figure = parsed("").unwrap().figures.remove(0);
        assert_eq!((figure.metrics, figure.style), (vec![MetricName::Ser], FigureStyle::Curve));
        for (keys, parts) in [
            (
                "metrics = [\"ser\", \"ber_user_banana\"]",
                ["figures.f.metrics = ber_user_banana", "missed_detection", "default: ser"],
            ),
            ("style = \"visualization\"", ["figures.f.style = visualization", "\"visualisation\"", "default: curve"]),
            ("styl = \"curve\"", ["styl", "unknown field", "style"]),
        ] {
            let error = parsed(keys).unwrap_err().to_string();
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        }
    }
}
