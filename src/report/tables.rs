//! Tables of the report.

use crate::metrics::MetricName;
use crate::results::{DetectorResult, MetricResult, PointResult, Results, TerminationReason, TrainingRecord};

use super::panel::{Panel, Role, Seen, detector, metric, upper_bound};
use super::{names, told};
use crate::plot::format::{ABSENT, duration, escape, integer, interval, metric_value, number, scientific};

/// A reason in words.
pub fn reason(termination: TerminationReason) -> &'static str {
    match termination {
        TerminationReason::MaxFrames => "frame limit",
        TerminationReason::TargetEvents => "event target",
        TerminationReason::RelativeInterval => "interval target",
        TerminationReason::TimeBudget => "time budget",
        TerminationReason::Interrupted => "interrupted",
        TerminationReason::Shard => "end of the shard",
        TerminationReason::NotStarted => "not begun",
    }
}

fn wrap_table(head: &str, body: &str) -> String {
    format!("<div class=\"scroll\"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>\n")
}

fn tag(role: Role) -> &'static str {
    match role {
        Role::Learned => "<span class=\"tag\">learned</span>",
        Role::Predicted => "<span class=\"tag\">predicted</span>",
        Role::Bound => "<span class=\"tag\">bound</span>",
        Role::Reference => "<span class=\"tag\">Bayes reference</span>",
        Role::Genie => "<span class=\"tag\">told the truth</span>",
        Role::Classical => "",
    }
}

/// Value, interval and events of some metrics, then frames, reason of stop and seconds per frame; one row per point and detector.
pub fn values(panel: &Panel<'_>, metrics: &[MetricName]) -> String {
    let swept = panel.key.is_some();
    let mut head = String::new();
    if let Some(key) = &panel.key {
        head += &format!("<th class=\"l\">{}</th>", escape(names::symbol(key)));
    }
    head += "<th class=\"l\">Detector</th>";
    for &name in metrics {
        let mut title = name.abbreviation();
        if let Some(first) = title.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        let events = if counts_events(panel, name) { "<th>Events</th>" } else { "" };
        head += &format!("<th>{} <span class=\"ci\">95 % interval</span></th>{events}", escape(&title));
    }
    head += "<th>Frames</th><th class=\"l\">Stopped by</th><th>Time/frame</th>";
    let mut body = String::new();
    for p in &panel.points {
        let shown: Vec<&Seen> = panel.detectors.iter().filter(|d| detector(p, &d.id).is_some()).collect();
        for (i, seen) in shown.iter().enumerate() {
            body += if i == 0 && swept { "<tr class=\"first\">" } else { "<tr>" };
            if swept && i == 0 {
                body += &format!("<th rowspan=\"{}\">{}</th>", shown.len(), escape(&p.x_label));
            }
            body += &format!("<td class=\"l w\">{}{}</td>", escape(&seen.label), tag(seen.role));
            for &name in metrics {
                body += &metric_cells(panel, p, seen, name);
            }
            body += &run_cells(p, seen.role, detector(p, &seen.id));
            body += "</tr>";
        }
    }
    let note = "<p class=\"lead\">Bold: the lowest estimate among detectors that can be built; whether it is told apart, the intervals say.</p>\n";
    wrap_table(&head, &body) + note
}

/// Energies have no events, and a column of dashes would say nothing.
fn counts_events(panel: &Panel<'_>, name: MetricName) -> bool {
    panel
        .points
        .iter()
        .flat_map(|p| &p.detectors)
        .flat_map(|d| &d.metrics)
        .any(|m| m.metric == name && m.events.is_some())
}

fn metric_cells(panel: &Panel<'_>, p: &PointResult, seen: &Seen, name: MetricName) -> String {
    let counted = counts_events(panel, name);
    let Some(m) = metric(p, &seen.id, name) else {
        return format!("<td>{ABSENT}</td>{}", if counted { format!("<td>{ABSENT}</td>") } else { String::new() });
    };
    let class = if is_lowest(panel, p, seen, name) { " class=\"best\"" } else { "" };
    let events = m.events.map_or_else(|| ABSENT.to_owned(), integer);
    let events = if counted { format!("<td>{events}</td>") } else { String::new() };
    format!("<td{class}>{}</td>{events}", value_and_interval(m))
}

fn value_and_interval(m: &MetricResult) -> String {
    if let Some(bound) = upper_bound(m) {
        return format!("&lt; {} <span class=\"ci\">bound 3/n</span>", metric_value(m.metric, bound));
    }
    let value = m.value.map_or_else(|| ABSENT.to_owned(), |v| metric_value(m.metric, v));
    format!("{value} <span class=\"ci\">{}</span>", interval(m.metric, m.ci_low, m.ci_high))
}

/// Lowest among those that were measured and could be built.
fn is_lowest(panel: &Panel<'_>, p: &PointResult, seen: &Seen, name: MetricName) -> bool {
    let value = |id: &str| metric(p, id, name).and_then(|m| if upper_bound(m).is_some() { Some(0.0) } else { m.value });
    let real = |d: &&Seen| matches!(d.role, Role::Learned | Role::Classical);
    let Some(ours) = value(&seen.id).filter(|_| real(&seen)) else { return false };
    panel.detectors.iter().filter(real).count() > 1
        && panel.detectors.iter().filter(real).filter_map(|d| value(&d.id)).all(|v| ours <= v)
}

fn run_cells(p: &PointResult, role: Role, d: Option<&DetectorResult>) -> String {
    let time = d
        .and_then(|d| d.seconds)
        .filter(|_| p.frames > 0)
        .map_or_else(|| ABSENT.to_owned(), |s| duration(s / p.frames as f64));
    if role == Role::Predicted {
        return format!("<td>{ABSENT}</td><td class=\"l\">{ABSENT}</td><td>{ABSENT}</td>");
    }
    format!("<td>{}</td><td class=\"l\">{}</td><td>{time}</td>", integer(p.frames), reason(p.termination))
}

/// What every detector was told, and what validation frames chose for it.
pub fn knowledge(panel: &Panel<'_>) -> String {
    let mut body = String::new();
    for seen in &panel.detectors {
        let mut before: Option<(String, String)> = None;
        for p in &panel.points {
            let Some(d) = detector(p, &seen.id) else { continue };
            let now = (told::told(d), told::chosen(d));
            if before.as_ref() == Some(&now) {
                continue;
            }
            let place = panel.place(p);
            body += &format!(
                "<tr><td class=\"l w\">{}{}</td><td class=\"l\">{}</td><td class=\"l\">{}</td><td class=\"l w\">{}</td></tr>",
                escape(&seen.label),
                tag(seen.role),
                escape(&place),
                escape(&now.0),
                escape(&now.1)
            );
            before = Some(now);
        }
    }
    let head = "<th class=\"l\">Detector</th><th class=\"l\">From</th><th class=\"l\">Told beside Y and pilots</th>\
                <th class=\"l\">Chosen on validation frames</th>";
    wrap_table(head, &body)
}

/// One row per trained network.
pub fn training(records: &[TrainingRecord]) -> String {
    let head = "<th class=\"l\">Network</th><th class=\"l\">Point</th><th>Parameters</th><th>Steps</th><th>Time</th>\
                <th>Validation loss</th><th>Validation SER</th><th class=\"l\">Ended by</th><th class=\"l\">Bundle</th>";
    let number_or_absent = |v: Option<f64>| v.filter(|v| v.is_finite()).map_or_else(|| ABSENT.to_owned(), scientific);
    let mut body = String::new();
    for r in super::training::networks(records) {
        let last = r.curve.last();
        let lowest = r.curve.iter().filter_map(|p| p.validation_ser).filter(|v| v.is_finite()).min_by(f64::total_cmp);
        body += &format!(
            "<tr><td class=\"l w\">{}</td><td class=\"l\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td class=\"l\">{}</td><td class=\"l w\"><code>{}</code></td></tr>",
            escape(&r.label),
            escape(&r.point),
            integer(r.parameters as u64),
            integer(r.steps),
            duration(r.seconds),
            number_or_absent(last.map(|p| p.validation_loss)),
            number_or_absent(lowest),
            escape(if r.termination.is_empty() { ABSENT } else { &r.termination }),
            escape(if r.bundle.is_empty() { ABSENT } else { &r.bundle }),
        );
    }
    wrap_table(head, &body)
}

/// Counted multiplications beside measured milliseconds; empty when no detector has a count.
pub fn complexity(results: &Results, panel: &Panel<'_>) -> String {
    let Ok(points) = results.config.points() else { return String::new() };
    let mut body = String::new();
    for p in &panel.points {
        let Some(resolved) = points.iter().find(|r| r.id == p.id) else { continue };
        let rows: Vec<_> = panel
            .detectors
            .iter()
            .filter_map(|seen| {
                let d = detector(p, &seen.id)?;
                let row = resolved.detectors.get(&seen.id)?.operations(&resolved.scenario)?;
                Some((seen, d, row))
            })
            .collect();
        for (i, (seen, d, row)) in rows.iter().enumerate() {
            let seconds = d.seconds.filter(|s| *s > 0.0 && p.frames > 0).map(|s| s / p.frames as f64);
            let time = seconds.map_or_else(|| ABSENT.to_owned(), |s| format!("{} ms", number(s * 1e3)));
            body += if i == 0 { "<tr class=\"first\">" } else { "<tr>" };
            if i == 0 {
                let place = panel.place(p);
                body += &format!(
                    "<th rowspan=\"{}\">{}</th>",
                    rows.len(),
                    escape(if place.is_empty() { panel.title() } else { &place })
                );
            }
            body += &format!(
                "<td class=\"l w\">{}</td><td class=\"l w\">{}</td><td>{}</td><td>{}</td><td>{time}</td></tr>",
                escape(&seen.label),
                escape(&row.formula),
                if d.parameters > 0 { integer(d.parameters as u64) } else { ABSENT.into() },
                scientific(row.multiplications),
            );
        }
    }
    if body.is_empty() {
        return String::new();
    }
    let head = "<th class=\"l\">Point</th><th class=\"l\">Detector</th><th class=\"l\">Real multiplications per frame, n = NQ</th><th>Parameters</th>\
                <th>Count</th><th>Time/frame</th>";
    wrap_table(head, &body)
}
