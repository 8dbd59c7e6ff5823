//! The rules of comparison, held against every experiment file: the strongest classical detectors of the link and the
//! reference stand in it, and a file that is named after a figure of a paper has that figure's axes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use grantfree::config::{DetectorConfig, Experiment, Figure, Point, Tuned};
use grantfree::detect::Threshold;
use grantfree::metrics::MetricName;
use serde::Deserialize;

/// `tests/data/strongest.toml`: what a comparison must hold, by the kind of the link.
#[derive(Deserialize)]
struct Rules {
    /// Detectors of which all must stand in a comparison, and those of which one must, by `scenario.kind`.
    link: BTreeMap<String, Rivals>,
    /// Files that compare no detectors, with the reason.
    exempt: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Rivals {
    strongest: Vec<String>,
    /// Beside them, where decisions are compared.
    #[serde(default)]
    decisions: Vec<String>,
    /// Beside them, where estimates are compared.
    #[serde(default)]
    estimates: Vec<String>,
    #[serde(default)]
    reference: Vec<String>,
}

/// `artifacts/panels.toml`: every panel of the papers, as its caption tells.
#[derive(Deserialize)]
struct Panels {
    panel: Vec<Panel>,
}

#[derive(Deserialize)]
struct Panel {
    paper: String,
    figure: String,
    key: String,
    values: Vec<toml::Value>,
    y: String,
    config: String,
    figure_id: String,
    note: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join("configs")).expect("configs");
    let mut all: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
    all.retain(|p| p.extension().is_some_and(|e| e == "toml"));
    all.sort();
    all
}

fn stem(path: &Path) -> String {
    path.file_stem().expect("a file").to_string_lossy().into_owned()
}

fn load(path: &Path, sets: &[grantfree::config::Assignment]) -> Experiment {
    Experiment::load(path, sets).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn rules() -> Rules {
    let text = std::fs::read_to_string(root().join("tests/data/strongest.toml")).expect("the rules");
    toml::from_str(&text).expect("valid rules")
}

/// The kind of the link as files spell it.
fn kind(point: &Point) -> String {
    let kind = serde_json::to_value(point.scenario.kind).expect("a name");
    kind.as_str().expect("a text").to_owned()
}

/// What the figure compares, by its first metric.
#[derive(PartialEq)]
enum Compared {
    Decisions,
    Estimates,
    Nothing,
}

fn compared(figure: &Figure) -> Compared {
    use MetricName::*;
    match figure.metrics.first() {
        Some(Ser | FrameError | MissedDetection | FalseAlarm | DataError | Ber | Jain) => Compared::Decisions,
        Some(NmseDb | Mse | MseEntry) => Compared::Estimates,
        _ => Compared::Nothing,
    }
}

/// Whether `tuned` is an option of the kind.
fn can_be_tuned(kind: &str) -> bool {
    DetectorConfig::named(kind)
        .is_some_and(|d| DetectorConfig { tuned: Some(Tuned::Figure), ..d }.validate("d").is_ok())
}

/// What a file lacks.
fn lacking(experiment: &Experiment, rules: &Rules) -> Vec<String> {
    let mut out = Vec::new();
    let figures = experiment.resolved_figures();
    for point in experiment.points().expect("points") {
        let figure = figures.iter().find(|f| f.id == point.figure).expect("the figure of a point");
        let Some(rivals) = rules.link.get(&kind(&point)) else { continue };
        let more = match compared(figure) {
            Compared::Decisions => &rivals.decisions,
            Compared::Estimates => &rivals.estimates,
            Compared::Nothing => continue,
        };
        let has = |kind: &String| point.detectors.values().any(|d| d.kind() == kind);
        for rival in rivals.strongest.iter().chain(more) {
            let rows: Vec<_> = point.detectors.values().filter(|d| d.kind() == rival).collect();
            let open = |d: &DetectorConfig| d.tuned.is_some() || d.threshold() == Some(Threshold::BEST);
            if rows.is_empty() {
                out.push(format!("{} lacks {rival}, a strongest classical detector of its link", point.id));
            } else if can_be_tuned(rival) && !rows.iter().any(|d| open(d)) {
                out.push(format!("{} has {rival} with options that nobody has chosen", point.id));
            }
        }
        if !rivals.reference.is_empty() && !rivals.reference.iter().any(has) {
            out.push(format!("{} lacks a reference: {}", point.id, rivals.reference.join(" or ")));
        }
    }
    out.sort();
    out.dedup();
    out
}

#[test]
fn experiment_files_are_valid_under_every_budget() {
    for path in files() {
        let experiment = load(&path, &[]);
        assert_eq!(experiment.name, stem(&path), "the name of {}", path.display());
        for budget in experiment.budgets.keys() {
            let set = format!("budget={budget}").parse().expect("an assignment");
            let points = load(&path, &[set]).points();
            assert!(!points.unwrap_or_else(|e| panic!("{}: {e}", path.display())).is_empty());
        }
    }
}

#[test]
fn the_strongest_rivals_and_the_reference_stand_in_every_comparison() {
    let rules = rules();
    let mut wrong = Vec::new();
    for path in files() {
        let lacks = lacking(&load(&path, &[]), &rules);
        match rules.exempt.get(&stem(&path)) {
            Some(reason) => assert!(!reason.trim().is_empty(), "{} is exempt without a reason", stem(&path)),
            None => wrong.extend(lacks.into_iter().map(|l| format!("{}: {l}", stem(&path)))),
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    for name in rules.exempt.keys() {
        assert!(root().join(format!("configs/{name}.toml")).exists(), "{name} is exempt and does not exist");
    }
}

#[test]
fn a_file_with_a_rival_removed_is_found() {
    let rules = rules();
    let mut experiment = load(&root().join("configs/a_fig07.toml"), &[]);
    assert_eq!(lacking(&experiment, &rules), [""; 0]);
    let untuned = {
        let mut all = experiment.clone();
        all.detectors.values_mut().filter(|d| d.kind() == "covariance-section").for_each(|d| d.tuned = None);
        all
    };
    assert!(lacking(&untuned, &rules).iter().any(|l| l.contains("covariance-section with options that nobody")));
    experiment.detectors.retain(|_, d| d.kind() != "covariance-section");
    assert!(lacking(&experiment, &rules).iter().any(|l| l.contains("lacks covariance-section")));
}

#[test]
fn files_of_figures_have_the_axes_of_their_captions() {
    let text = std::fs::read_to_string(root().join("artifacts/panels.toml")).expect("the panels");
    let panels: Panels = toml::from_str(&text).expect("valid panels");
    let mut wrong = Vec::new();
    for panel in panels.panel {
        let name = format!("paper {}, {}", panel.paper, panel.figure);
        if panel.config.is_empty() {
            if panel.note.trim().is_empty() {
                wrong.push(format!("{name}: no file and no note that says why"));
            }
            continue;
        }
        let path = root().join("configs").join(&panel.config);
        if !path.exists() {
            wrong.push(format!("{name}: configs/{} does not exist", panel.config));
            continue;
        }
        let experiment = load(&path, &[]);
        let figures = experiment.resolved_figures();
        let Some(figure) = figures.iter().find(|f| f.id == panel.figure_id) else {
            wrong.push(format!("{name}: {} has no figure \"{}\"", panel.config, panel.figure_id));
            continue;
        };
        let sweep = figure.sweep.as_ref().or(experiment.sweep.as_ref());
        if !panel.key.is_empty() {
            let key = sweep.map_or("", |s| s.key.as_str());
            if key != panel.key {
                wrong.push(format!("{name}: {} sweeps \"{key}\", the caption \"{}\"", panel.config, panel.key));
            }
            let printed =
                |v: &toml::Value| panel.values.is_empty() || panel.values.iter().any(|p| number(p) == number(v));
            if let Some(other) = sweep.and_then(|s| s.values.iter().find(|v| !printed(v))) {
                wrong.push(format!("{name}: {} has {other} on its axis, the caption does not", panel.config));
            }
        }
        if !panel.y.is_empty() && !figure.metrics.iter().any(|m| m.to_string() == panel.y) {
            wrong.push(format!("{name}: {} does not show {}", panel.config, panel.y));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Values are compared as numbers where they are numbers.
fn number(v: &toml::Value) -> String {
    v.as_float().or_else(|| v.as_integer().map(|i| i as f64)).map_or_else(|| v.to_string(), |x| x.to_string())
}
