//! The tables of a report as Markdown, for pages that show results: all rows, nothing chosen by hand.

use crate::metrics::MetricName;
use crate::results::{PointResult, Results};

use super::panel::{Panel, Role, Seen, detector, metric, panels, value_text};
use super::{names, paired, told};
use crate::plot::format::{ABSENT, duration, integer};

/// Every figure of the results: a table of values, and who is lower than whom on the same frames.
pub fn render(results: &Results) -> String {
    let mut out = format!("# {}\n\n", text(results.config.display_title()));
    if !results.config.description.trim().is_empty() {
        out += &format!("{}\n\n", results.config.description.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    let panels = panels(results);
    out += &panels.iter().map(figure).collect::<String>();
    out += &super::limit::render(results, &panels);
    out += &trainings(results);
    let m = &results.machine;
    let budget = if results.config.budget.is_empty() {
        String::new()
    } else {
        format!(", budget \"{}\"", results.config.budget)
    };
    out += &format!(
        "Written from results.json by `grantfree report DIR --markdown`: grantfree {}, experiment {}{budget}, seed {}, {} on {} ({} threads).\n",
        results.crate_version, results.config.name, results.seed, m.backend, m.cpu, m.threads
    );
    out
}

/// A cell: no line breaks, no bars.
pub(super) fn text(s: &str) -> String {
    s.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn row(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

pub(super) fn table(head: &[String], rows: &[Vec<String>]) -> String {
    let rule: Vec<String> = head.iter().map(|_| "---".into()).collect();
    let body: String = rows.iter().map(|r| row(r)).collect();
    format!("{}{}{body}\n", row(head), row(&rule))
}

fn figure(panel: &Panel<'_>) -> String {
    let measured = panel.metrics();
    let metrics: Vec<MetricName> = panel.figure.metrics.iter().copied().filter(|m| measured.contains(m)).collect();
    let mut out = format!("## {}\n\n", text(panel.title()));
    if panel.points.is_empty() {
        return out + "No point of this figure has been simulated.\n\n";
    }
    let swept = panel.key.as_deref().map(names::symbol);
    let mut head: Vec<String> = swept.iter().map(|s| text(s)).collect();
    head.push("detector".into());
    head.extend(metrics.iter().map(|m| m.abbreviation()));
    head.extend(["not converged", "frames", "time/frame", "told", "chosen on validation frames"].map(String::from));
    let mut rows = Vec::new();
    for p in &panel.points {
        rows.extend(panel.detectors.iter().filter_map(|seen| values(p, seen, &metrics, swept.is_some())));
    }
    out += &table(&head, &rows);
    out + &comparisons(panel)
}

fn values(p: &PointResult, seen: &Seen, metrics: &[MetricName], swept: bool) -> Option<Vec<String>> {
    let d = detector(p, &seen.id)?;
    let mut cells = if swept { vec![text(&p.x_label)] } else { Vec::new() };
    cells.push(text(&seen.label));
    let value = |name: MetricName| metric(p, &seen.id, name).map_or_else(|| ABSENT.into(), |m| text(&value_text(m)));
    cells.extend(metrics.iter().map(|m| value(*m)));
    cells.push(value(MetricName::NotConverged));
    let time = d.seconds.filter(|_| p.frames > 0).map_or_else(|| ABSENT.into(), |s| duration(s / p.frames as f64));
    cells.extend([if d.predicted { ABSENT.into() } else { integer(p.frames) }, time, told::told(d), told::chosen(d)]);
    Some(cells)
}

/// Every pair of a trained detector or the reference with another one, as verdicts by point.
fn comparisons(panel: &Panel<'_>) -> String {
    let (detectors, metrics) = paired::compared(panel);
    let mut rows = Vec::new();
    for metric in &metrics {
        for first in detectors.iter().filter(|d| matches!(d.role, Role::Learned | Role::Reference)) {
            for second in detectors.iter().filter(|d| d.id != first.id) {
                let of = |p: &&PointResult| {
                    paired::difference(p, &first.id, &second.id, *metric)
                        .map_or_else(|| ABSENT.to_owned(), |d| d.verdict().name().to_owned())
                };
                let verdicts: Vec<String> = panel.points.iter().map(of).collect();
                if verdicts.iter().any(|v| v != ABSENT) {
                    rows.push(vec![
                        metric.abbreviation(),
                        text(&first.label),
                        text(&second.label),
                        verdicts.join(", "),
                    ]);
                }
            }
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let points: Vec<String> = panel.points.iter().map(|p| panel.place(p)).filter(|p| !p.is_empty()).collect();
    let places = if points.is_empty() { "verdict".into() } else { format!("verdict at {}", text(&points.join(", "))) };
    let head = ["metric".to_owned(), "detector".into(), "against".into(), places];
    format!("Paired differences on the same frames (95 %; win: the first is lower):\n\n{}", table(&head, &rows))
}

fn trainings(results: &Results) -> String {
    if results.training.is_empty() {
        return String::new();
    }
    let head = ["network", "point", "parameters", "steps", "time", "ended by"].map(String::from);
    let rows: Vec<Vec<String>> = super::training::networks(&results.training)
        .into_iter()
        .map(|t| {
            let parameters = integer(t.parameters as u64);
            vec![
                text(&t.label),
                text(&t.point),
                parameters,
                integer(t.steps),
                duration(t.seconds),
                text(&t.termination),
            ]
        })
        .collect();
    format!("## Training\n\n{}", table(&head, &rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn every_row_of_the_results_is_in_the_tables() {
        let results = fixture::results();
        let page = render(&results);
        for p in &results.points {
            for d in &p.detectors {
                assert!(page.contains(&text(&d.label)), "{}", d.label);
            }
        }
        let columns = |line: &str| line.matches(" | ").count();
        let mut width = None;
        for line in page.lines() {
            width = line.starts_with("| ").then(|| width.unwrap_or_else(|| columns(line)));
            assert!(width.is_none_or(|w| w == columns(line)), "{line}");
        }
    }

    #[test]
    fn bars_in_labels_do_not_break_tables() {
        let mut results = fixture::results();
        results.points.iter_mut().flat_map(|p| &mut p.detectors).for_each(|d| d.label = "a | b\nc".into());
        assert!(render(&results).contains("a \\| b c"));
    }
}
