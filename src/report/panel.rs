//! The part of the results that one figure shows, in legend order.

use crate::config::{DetectorConfig, Figure, Point, is_learned, role_of};
use crate::detect::{self, Prior, Threshold};
use crate::metrics::MetricName;
use crate::results::{DetectorResult, MetricResult, PointResult, Results};
use crate::scenario::ScenarioKind;

use super::names;
use crate::plot::format::{integer, interval, metric_value};
use crate::plot::style::SeriesStyle;

/// What a detector is to the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Trained.
    Learned,
    /// An algorithm without training.
    Classical,
    /// Computed without frames (state evolution).
    Predicted,
    /// Knows what no receiver knows.
    Bound,
    /// The Bayes reference of all receivers that are told as much.
    Reference,
    /// Is told a part of the truth, without being a bound.
    Genie,
}

/// One detector of a figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Id in the file.
    pub id: String,
    /// Name in legends.
    pub label: String,
    /// What it is.
    pub role: Role,
    /// Look, the same in all figures.
    pub style: SeriesStyle,
}

/// One figure with its points.
#[derive(Debug, Clone)]
pub struct Panel<'a> {
    /// The figure of the file.
    pub figure: Figure,
    /// Swept key.
    pub key: Option<String>,
    /// Name of the x axis.
    pub x_name: String,
    /// Points in the order of the sweep, those that were begun.
    pub points: Vec<&'a PointResult>,
    /// Detectors in legend order.
    pub detectors: Vec<Seen>,
}

/// What a detector is to the reader. A genie is told a part of the truth, but others may do better: no bound.
///
/// A sampler of the posterior is the reference where its model is that of the frames and its chains can be compared.
fn role(d: &DetectorResult, config: Option<&DetectorConfig>, points: &[Point]) -> Role {
    match role_of(&d.kind) {
        _ if d.predicted => Role::Predicted,
        Some(detect::Role::Bound) => Role::Bound,
        Some(detect::Role::Reference) if tells_convergence(d) && config.is_some_and(|c| is_exact(c, points)) => {
            Role::Reference
        }
        _ if d.told.is_some_and(|t| t.truth) => Role::Genie,
        _ if d.parameters > 0 || is_learned(&d.kind) => Role::Learned,
        _ => Role::Classical,
    }
}

/// Whether the posterior that a sampler samples is that of the frames of all points: independent antennas, the law of the
/// activities that it is told, decisions by the posterior itself.
fn is_exact(config: &DetectorConfig, points: &[Point]) -> bool {
    let by_posterior = config.threshold() == Some(Threshold::MAP);
    let groups = config.told().activity == Prior::Groups;
    by_posterior
        && points.iter().all(|p| {
            let s = &p.scenario;
            s.kind != ScenarioKind::ChannelFile && s.active_devices.is_none() && s.activity_groups().is_some() == groups
        })
}

fn tells_convergence(d: &DetectorResult) -> bool {
    d.metrics.iter().any(|m| m.metric == MetricName::NotConverged && m.value.is_some())
}

/// All figures of the results.
pub fn panels(results: &Results) -> Vec<Panel<'_>> {
    // A configuration that cannot be unfolded any more has no reference.
    let resolved = results.config.points().ok();
    let of = |figure: &Figure| -> Vec<Point> {
        resolved.iter().flatten().filter(|p| p.figure == figure.id).cloned().collect()
    };
    results.config.resolved_figures().into_iter().map(|f| panel(results, &of(&f), f)).collect()
}

fn panel<'a>(results: &'a Results, resolved: &[Point], figure: Figure) -> Panel<'a> {
    let mut points: Vec<&PointResult> =
        results.points.iter().filter(|p| p.figure == figure.id && !p.detectors.is_empty()).collect();
    points.sort_by_key(|p| p.index);
    let sweep = figure.sweep.as_ref().or(results.config.sweep.as_ref());
    let key = sweep.map(|s| s.key.clone());
    let x_name = sweep.map(|s| s.label.clone().unwrap_or_else(|| names::key_axis(&s.key))).unwrap_or_default();
    let mut detectors: Vec<Seen> = Vec::new();
    for d in points.iter().flat_map(|p| &p.detectors) {
        if detectors.iter().all(|s| s.id != d.id) {
            // The configuration of a detector without points is none that a reference could rest on.
            let config = resolved.first().and_then(|p| p.detectors.get(&d.id));
            let role = role(d, config, resolved);
            let place = results
                .config
                .detectors
                .get_index_of(&d.id)
                .unwrap_or(results.config.detectors.len() + detectors.len());
            let style = match role {
                Role::Bound => SeriesStyle::bound(),
                Role::Reference => SeriesStyle::reference(),
                Role::Predicted => SeriesStyle::predicted(place),
                _ => SeriesStyle::measured(place),
            };
            detectors.push(Seen { id: d.id.clone(), label: d.label.clone(), role, style });
        }
    }
    detectors.sort_by_key(|d| results.config.detectors.get_index_of(&d.id).unwrap_or(usize::MAX));
    Panel { figure, key, x_name, points, detectors }
}

impl Panel<'_> {
    /// Title of the figure.
    pub fn title(&self) -> &str {
        self.figure.title.as_deref().filter(|t| !t.is_empty()).unwrap_or(&self.figure.id)
    }

    /// The x of each point: its number, or its place where one of the values is not a number.
    pub fn xs(&self) -> Vec<f64> {
        let numbers: Vec<f64> = self.points.iter().filter_map(|p| p.x.filter(|x| x.is_finite())).collect();
        if numbers.len() == self.points.len() { numbers } else { (0..self.points.len()).map(|i| i as f64).collect() }
    }

    /// `L = 40`, or the empty text without a sweep.
    pub fn place(&self, point: &PointResult) -> String {
        names::at(self.key.as_deref(), &point.x_label)
    }

    /// Metrics that any detector of the figure has measured, in the order of the results.
    pub fn metrics(&self) -> Vec<MetricName> {
        let mut all: Vec<MetricName> = Vec::new();
        for m in self.points.iter().flat_map(|p| &p.detectors).flat_map(|d| &d.metrics) {
            if has_value(m) && !all.contains(&m.metric) {
                all.push(m.metric);
            }
        }
        all
    }
}

/// The entry of one detector at one point.
pub fn detector<'a>(point: &'a PointResult, id: &str) -> Option<&'a DetectorResult> {
    point.detectors.iter().find(|d| d.id == id)
}

/// One metric of one detector at one point, if it was measured or bounded.
pub fn metric<'a>(point: &'a PointResult, id: &str, name: MetricName) -> Option<&'a MetricResult> {
    detector(point, id)?.metrics.iter().find(|m| m.metric == name).filter(|m| has_value(m))
}

fn finite(v: Option<f64>) -> Option<f64> {
    v.filter(|v| v.is_finite())
}

fn has_value(m: &MetricResult) -> bool {
    finite(m.value).is_some() || upper_bound(m).is_some()
}

/// Largest share of frames that have not converged at which the reference is drawn as the limit.
const STRAY: f64 = 0.05;

/// Whether a reference has converged at a point: where its starts disagree it tells nothing about the limit.
pub fn settled(p: &PointResult, seen: &Seen) -> bool {
    let astray = metric(p, &seen.id, MetricName::NotConverged).and_then(|m| m.value);
    seen.role != Role::Reference || astray.is_none_or(|share| share <= STRAY)
}

/// The bound 3/n of a count that saw no event.
pub fn upper_bound(m: &MetricResult) -> Option<f64> {
    let none_seen = m.events == Some(0) && m.value.unwrap_or(0.0) == 0.0;
    finite(m.ci_high).filter(|b| none_seen && *b > 0.0)
}

/// Both ends of the interval.
pub fn ends(m: &MetricResult) -> Option<(f64, f64)> {
    Some((finite(m.ci_low)?, finite(m.ci_high)?))
}

/// `1.34·10⁻³ [1.20, 1.49]·10⁻³`, or `< 3.00·10⁻⁴ (no event)`.
pub fn value_text(m: &MetricResult) -> String {
    if let Some(bound) = upper_bound(m) {
        return format!("< {} (no event)", metric_value(m.metric, bound));
    }
    let Some(value) = finite(m.value) else { return crate::plot::format::ABSENT.into() };
    let value = metric_value(m.metric, value);
    match ends(m) {
        Some((low, high)) => format!("{value} {}", interval(m.metric, Some(low), Some(high))),
        None => value,
    }
}

/// What a reader sees when the pointer rests on a point.
pub fn tip(panel: &Panel<'_>, point: &PointResult, seen: &Seen, m: &MetricResult) -> String {
    let mut text = seen.label.clone();
    let place = panel.place(point);
    if !place.is_empty() {
        text = format!("{text}, {place}");
    }
    text = format!("{text}: {} {}", m.metric.abbreviation(), value_text(m));
    match (seen.role, m.events) {
        (Role::Predicted, _) => text + ", predicted",
        (_, Some(e)) => format!("{text}, {} events in {} frames", integer(e), integer(m.frames)),
        _ => format!("{text}, {} frames", integer(m.frames)),
    }
}
