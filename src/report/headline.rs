//! Sentences computed from the results: who is below whom, by how much, and whether the sample can tell.

use crate::metrics::{MetricName, Verdict};
use crate::results::{MetricResult, PointResult};

use super::paired::difference;
use super::panel::{Panel, Role, Seen, ends, metric, settled, upper_bound, value_text};
use crate::plot::format::factor;

/// Two detectors at one point.
struct Comparison {
    /// The other's value over ours (a difference in dB for dB metrics); `None` where one saw no event.
    gain: Option<f64>,
    /// Ours is lower.
    lower: bool,
    /// The frames tell them apart.
    disjoint: bool,
    /// By the interval of their difference; else by intervals that do not touch.
    paired: bool,
}

/// Two detectors at a point, on the same frames where the results hold what that takes.
fn at(p: &PointResult, ours: &Seen, other: &Seen, name: MetricName) -> Option<Comparison> {
    let c = compare(metric(p, &ours.id, name)?, metric(p, &other.id, name)?)?;
    Some(match difference(p, &ours.id, &other.id, name) {
        Some(d) => Comparison { disjoint: d.verdict() != Verdict::Tie, paired: true, ..c },
        None => c,
    })
}

fn compare(ours: &MetricResult, other: &MetricResult) -> Option<Comparison> {
    let (a, b) = (ours.value.unwrap_or(0.0), other.value.unwrap_or(0.0));
    let disjoint = match (ends(ours), ends(other)) {
        (Some(x), Some(y)) => x.1 < y.0 || y.1 < x.0,
        _ => false,
    };
    let gain = if ours.metric.is_decibel() {
        Some(b - a)
    } else if upper_bound(ours).is_some() || upper_bound(other).is_some() || a <= 0.0 || b <= 0.0 {
        None
    } else {
        Some(b / a)
    };
    let gain = gain.filter(|g| g.is_finite() && (*g != 0.0 || ours.metric.is_decibel()));
    (a.is_finite() && b.is_finite()).then_some(Comparison { gain, lower: a < b, disjoint, paired: false })
}

/// `3.2 times lower`, `1.5 dB higher`, `lower`.
fn relation(c: &Comparison, metric: MetricName) -> String {
    let direction = if c.lower { "lower" } else { "higher" };
    match c.gain {
        Some(g) if metric.is_decibel() => format!("{:.1} dB {direction}", g.abs()),
        Some(g) => format!("{} times {direction}", factor(if c.lower { g } else { 1.0 / g })),
        None => direction.into(),
    }
}

fn certainty(c: &Comparison) -> &'static str {
    match (c.paired, c.disjoint) {
        (true, true) => "told apart on the same devices, channels and noise",
        (true, false) => "not told apart",
        (false, true) => "intervals disjoint",
        (false, false) => "intervals overlap",
    }
}

fn of_role<'a>(panel: &'a Panel<'_>, role: Role) -> Vec<&'a Seen> {
    panel.detectors.iter().filter(|d| d.role == role).collect()
}

/// One sentence per trained detector: how it stands against each classical one over all points. Without a trained
/// detector, the lowest at each point.
pub fn summary(panel: &Panel<'_>) -> Vec<String> {
    let Some(name) = first_metric(panel) else { return Vec::new() };
    let (learned, classical) = (of_role(panel, Role::Learned), of_role(panel, Role::Classical));
    if learned.is_empty() || classical.is_empty() {
        return panel.points.iter().filter_map(|p| at_point(panel, p)).collect();
    }
    learned.into_iter().filter_map(|ours| against(panel, ours, &classical, name)).collect()
}

/// First metric of the figure that has data.
pub fn first_metric(panel: &Panel<'_>) -> Option<MetricName> {
    let measured = panel.metrics();
    panel.figure.metrics.iter().find(|m| measured.contains(m)).copied()
}

/// How one trained detector stands to the classical ones: one clause per outcome.
fn against(panel: &Panel<'_>, ours: &Seen, classical: &[&Seen], name: MetricName) -> Option<String> {
    let short = name.abbreviation();
    let (mut lower, mut higher, mut open, mut single) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut own = String::new();
    for other in classical {
        let pairs: Vec<(&PointResult, &MetricResult, &MetricResult, Comparison)> = panel
            .points
            .iter()
            .filter_map(|p| {
                let (a, b) = (metric(p, &ours.id, name)?, metric(p, &other.id, name)?);
                Some((*p, a, b, at(p, ours, other, name)?))
            })
            .collect();
        if let [(_, a, b, c)] = pairs.as_slice() {
            own = value_text(a);
            single.push(format!("{} {}: {}, {}", other.label, value_text(b), relation(c, name), certainty(c)));
            continue;
        }
        let all = pairs.len();
        for (side, list) in [(true, &mut lower), (false, &mut higher)] {
            let here: Vec<_> = pairs.iter().filter(|p| p.3.disjoint && p.3.lower == side).collect();
            if here.is_empty() {
                continue;
            }
            let size = |c: &Comparison| c.gain.map(|g| if name.is_decibel() { g.abs() } else { g.max(1.0 / g) });
            let largest = here.iter().filter_map(|p| Some((size(&p.3)?, p.0))).max_by(|a, b| a.0.total_cmp(&b.0));
            let largest = largest.map(|(g, point)| {
                let amount = if name.is_decibel() { format!("{g:.1} dB") } else { format!("{} times", factor(g)) };
                format!(" (up to {amount}, {})", panel.place(point))
            });
            list.push(format!("{} at {} of {all} points{}", other.label, here.len(), largest.unwrap_or_default()));
        }
        let undecided = pairs.iter().filter(|p| !p.3.disjoint).count();
        if undecided > 0 {
            open.push(format!("{} at {undecided} of {all}", other.label));
        }
    }
    let mut clauses: Vec<String> = Vec::new();
    if !single.is_empty() {
        clauses.push(format!("{short} {own} against {}", single.join("; against ")));
    }
    for (list, word) in [(lower, "lower"), (higher, "higher")] {
        if !list.is_empty() {
            clauses.push(format!("{word} {short} than {}", list.join(", ")));
        }
    }
    if !open.is_empty() {
        clauses.push(format!("not told apart from {}", open.join(", ")));
    }
    (!clauses.is_empty()).then(|| format!("{}: {}.", ours.label, clauses.join("; ")))
}

/// The lowest measured detector at one point and how the others stand to it.
pub fn at_point(panel: &Panel<'_>, point: &PointResult) -> Option<String> {
    let name = first_metric(panel)?;
    let mut seen: Vec<(&Seen, &MetricResult)> = panel
        .detectors
        .iter()
        .filter(|d| matches!(d.role, Role::Learned | Role::Classical))
        .filter_map(|d| Some((d, metric(point, &d.id, name)?)))
        .collect();
    seen.sort_by(|a, b| a.1.value.unwrap_or(0.0).total_cmp(&b.1.value.unwrap_or(0.0)));
    let ((best, m), others) = seen.split_first()?;
    let lowest = *best;
    let place = panel.place(point);
    let start = if place.is_empty() { String::new() } else { format!("{place}: ") };
    let mut text = format!("{start}lowest {} is {}, {}", name.abbreviation(), best.label, value_text(m));
    let (mut apart, mut close) = (Vec::new(), Vec::new());
    for (other, _) in others {
        let Some(c) = at(point, other, lowest, name) else { continue };
        if c.disjoint {
            apart.push(format!("{} ({})", other.label, relation(&c, name)));
        } else {
            close.push(other.label.clone());
        }
    }
    if !apart.is_empty() {
        text += &format!(". Told apart: {}", apart.join(", "));
    }
    if !close.is_empty() {
        text += &format!(". Not told apart by this sample: {}", close.join(", "));
    }
    let references = of_role(panel, Role::Reference).into_iter().filter(|r| settled(point, r));
    for bound in of_role(panel, Role::Bound).into_iter().chain(references) {
        let gain = metric(point, &bound.id, name).and_then(|b| compare(b, m)).filter(|c| c.lower).and_then(|c| c.gain);
        if let Some(gain) = gain {
            let times =
                if name.is_decibel() { format!("{gain:.1} dB above") } else { format!("{} times", factor(gain)) };
            text += &format!(". It is {times} {}", bound.label);
        }
    }
    Some(text + ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(value: f64, low: f64, high: f64, events: u64) -> MetricResult {
        MetricResult {
            metric: MetricName::Ser,
            value: Some(value),
            ci_low: Some(low),
            ci_high: Some(high),
            events: Some(events),
            frames: 1000,
            sums: None,
        }
    }

    #[test]
    fn factors_and_disjointness() {
        let c = compare(&rate(1e-3, 8e-4, 1.2e-3, 100), &rate(4e-3, 3e-3, 5e-3, 400)).unwrap();
        assert_eq!((relation(&c, MetricName::Ser), certainty(&c)), ("4.0 times lower".into(), "intervals disjoint"));
        let c = compare(&rate(4e-3, 3e-3, 5e-3, 400), &rate(1e-3, 8e-4, 3.1e-3, 100)).unwrap();
        assert_eq!((relation(&c, MetricName::Ser), certainty(&c)), ("4.0 times higher".into(), "intervals overlap"));
    }

    #[test]
    fn no_events_give_no_factor() {
        let c = compare(&rate(0.0, 0.0, 3e-5, 0), &rate(1e-3, 8e-4, 1.2e-3, 100)).unwrap();
        assert!(c.gain.is_none() && c.lower && c.disjoint);
        assert_eq!(relation(&c, MetricName::Ser), "lower");
    }
}
