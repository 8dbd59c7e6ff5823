//! How far detectors are from the Bayes reference, and which is the cheapest that is near it.

use crate::detect::Prior;
use crate::metrics::MetricName;
use crate::results::{DetectorResult, PointResult, Results};

use super::markdown::{table, text};
use super::paired::difference;
use super::panel::{Panel, Role, Seen, detector, metric, settled};
use crate::plot::format::{ABSENT, duration, metric_value};

/// What counts as near the limit: ten per cent more, as a ratio.
const NEAR: f64 = 1.1;

/// A table over all points whose reference has converged; empty without one.
pub fn render(results: &Results, panels: &[Panel<'_>]) -> String {
    let mut rows = Vec::new();
    for panel in panels {
        for p in &panel.points {
            for reference in panel.detectors.iter().filter(|d| d.role == Role::Reference && settled(p, d)) {
                rows.extend(panel.figure.metrics.iter().filter_map(|m| row(results, panel, p, reference, *m)));
            }
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let head = ["where", "metric", "Bayes reference", "best classical", "best network", "cheapest within 10 %"]
        .map(String::from);
    format!(
        "## Distance to the Bayes limit\n\nAmong detectors with the same pilots that are told no more than the reference. In brackets: how much \
         more than the reference on the same frames, with the 95 % interval of the difference, and the time per frame. The best and the cheapest \
         are chosen on these frames, which flatters them a little; samplers like the reference itself stand in the last column only.\n\n{}",
        table(&head, &rows)
    )
}

/// Metrics that the posterior means and the decisions of the reference minimise.
fn is_minimised(name: MetricName) -> bool {
    matches!(name, MetricName::Ser | MetricName::NmseDb | MetricName::Mse | MetricName::MseEntry)
}

/// The detector whose pilots another works with; none: those of the scenario.
fn pilots_of<'a>(results: &'a Results, id: &'a str) -> Option<&'a str> {
    let config = results.config.detectors.get(id)?;
    config.pilots_of.as_deref().or_else(|| config.changes_pilots().then_some(id))
}

fn row(
    results: &Results,
    panel: &Panel<'_>,
    p: &PointResult,
    reference: &Seen,
    name: MetricName,
) -> Option<Vec<String>> {
    if !is_minimised(name) {
        return None;
    }
    let value = |seen: &Seen| metric(p, &seen.id, name)?.value.filter(|v| v.is_finite());
    let limit = value(reference).filter(|v| name.is_decibel() || *v > 0.0)?;
    let told = |seen: &Seen| detector(p, &seen.id).and_then(|d| d.told);
    let most = told(reference).map_or(Prior::PerDevice, |t| t.activity);
    let same_link = |seen: &&Seen| {
        matches!(seen.role, Role::Classical | Role::Learned)
            && pilots_of(results, &seen.id) == pilots_of(results, &reference.id)
            && told(seen).is_none_or(|t| !t.truth && t.activity <= most)
    };
    let rivals: Vec<&Seen> = panel.detectors.iter().filter(same_link).filter(|d| value(d).is_some()).collect();
    let is_sampler = |seen: &&&Seen| detector(p, &seen.id).is_some_and(|d| d.kind == kind_of(p, reference));
    let lowest = |role: Role| {
        let of_role = rivals.iter().filter(|d| d.role == role).filter(|d| !is_sampler(d));
        of_role.min_by(|a, b| value(a).unwrap_or(f64::INFINITY).total_cmp(&value(b).unwrap_or(f64::INFINITY)))
    };
    let near = |seen: &&&Seen| {
        let ours = value(seen).unwrap_or(f64::INFINITY);
        if name.is_decibel() { ours <= limit + 10.0 * NEAR.log10() } else { ours <= limit * NEAR }
    };
    let time = |seen: &Seen| detector(p, &seen.id).and_then(|d| milliseconds(p, d)).unwrap_or(f64::INFINITY);
    let cheapest = rivals.iter().filter(near).min_by(|a, b| time(a).total_cmp(&time(b)));
    let shown = |seen: Option<&&Seen>| seen.map_or_else(|| ABSENT.into(), |s| against(p, s, reference, limit, name));
    let place = panel.place(p);
    let place = if place.is_empty() { panel.title().to_owned() } else { format!("{}, {place}", panel.title()) };
    let starts = detector(p, &reference.id)
        .and_then(|d| milliseconds(p, d))
        .map_or_else(String::new, |ms| format!(" ({})", duration(ms / 1e3)));
    Some(vec![
        text(&place),
        name.abbreviation(),
        format!("{}{starts}", metric_value(name, limit)),
        shown(lowest(Role::Classical)),
        shown(lowest(Role::Learned)),
        shown(cheapest),
    ])
}

fn kind_of<'a>(p: &'a PointResult, seen: &Seen) -> &'a str {
    detector(p, &seen.id).map_or("", |d| d.kind.as_str())
}

fn milliseconds(p: &PointResult, d: &DetectorResult) -> Option<f64> {
    d.seconds.filter(|s| *s > 0.0 && p.frames > 0).map(|s| 1e3 * s / p.frames as f64)
}

/// `name value (+3 % [+1, +5], 2.1 ms)`.
fn against(p: &PointResult, seen: &Seen, reference: &Seen, limit: f64, name: MetricName) -> String {
    let value = metric(p, &seen.id, name).and_then(|m| m.value).unwrap_or(f64::NAN);
    // The unit of a difference: decibels as they are, else per cent of the reference.
    let (scale, unit) = if name.is_decibel() { (1.0, " dB") } else { (100.0 / limit, " %") };
    let digits = if name.is_decibel() { 2 } else { 1 };
    let more = difference(p, &seen.id, &reference.id, name).map_or_else(
        || format!("{:+.digits$}{unit}", (value - limit) * scale),
        |d| {
            let ends = d
                .interval
                .map_or_else(String::new, |i| format!(" [{:+.digits$}, {:+.digits$}]", i.low * scale, i.high * scale));
            format!("{:+.digits$}{unit}{ends}", d.value * scale)
        },
    );
    let time = detector(p, &seen.id)
        .and_then(|d| milliseconds(p, d))
        .map_or_else(String::new, |ms| format!(", {}", duration(ms / 1e3)));
    format!("{} {} ({more}{time})", text(&seen.label), metric_value(name, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;
    use crate::report::panel::panels;

    #[test]
    fn without_a_reference_there_is_no_distance() {
        let mut results = fixture::results();
        assert_eq!(render(&results, &panels(&results)), "");
        // AMP stands in for a reference that has converged.
        let points = results.config.points().unwrap();
        let id = points[0].detectors.iter().find(|(_, d)| d.kind() == "amp").unwrap().0.clone();
        results.config.detectors[&id] = crate::config::DetectorConfig::named("gibbs").unwrap();
        for d in results.points.iter_mut().flat_map(|p| &mut p.detectors).filter(|d| d.id == id) {
            d.kind = "gibbs".into();
            d.metrics.retain(|m| m.metric != MetricName::NotConverged);
            d.metrics.push(crate::results::property(MetricName::NotConverged, 0.0));
        }
        let table = render(&results, &panels(&results));
        assert!(table.contains("Bayes reference") && table.lines().count() > 5, "{table}");
    }
}
