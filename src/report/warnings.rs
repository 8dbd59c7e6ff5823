//! What a reader must know before trusting the numbers.

use crate::config::FigureStyle;
use crate::results::{Results, SCHEMA_VERSION, TerminationReason};

use super::panel::{Panel, Role, metric, upper_bound};

/// Plain sentences, most serious first.
pub fn warnings(results: &Results, panels: &[Panel<'_>]) -> Vec<String> {
    let mut all = Vec::new();
    if results.schema_version != SCHEMA_VERSION {
        all.push(format!(
            "The results have layout {}, this program writes layout {SCHEMA_VERSION}: some values may be missing.",
            results.schema_version
        ));
    }
    if let Some((i, n)) = results.shard {
        all.push(format!(
            "This is shard {i} of {n}: intervals are wider than those of the whole run, which `grantfree merge` joins."
        ));
    }
    let with = |reason: TerminationReason| -> Vec<&str> {
        results.points.iter().filter(|p| p.termination == reason).map(|p| p.id.as_str()).collect()
    };
    let interrupted = with(TerminationReason::Interrupted);
    if !interrupted.is_empty() {
        all.push(format!(
            "Interrupted: {}. Their values are valid for the frames counted; run the same command again to resume.",
            interrupted.join(", ")
        ));
    }
    let mut missing: Vec<String> = with(TerminationReason::NotStarted).into_iter().map(str::to_owned).collect();
    match results.config.points() {
        Ok(expected) => {
            let known = |id: &str| results.points.iter().any(|p| p.id == id);
            let visual = |figure: &str| {
                results.config.figures.iter().any(|f| f.id == figure && f.style == FigureStyle::Visualisation)
                    && results.images.iter().any(|i| i.figure == figure)
            };
            missing.extend(expected.into_iter().filter(|p| !known(&p.id) && !visual(&p.figure)).map(|p| p.id));
        }
        Err(error) => all.push(format!(
            "The configuration cannot be unfolded into points, so missing points are not listed: {error}."
        )),
    }
    missing.dedup();
    if !missing.is_empty() {
        all.push(format!("Not simulated: {}. The figures show the other points only.", missing.join(", ")));
    }
    let limited = with(TerminationReason::TimeBudget);
    if !limited.is_empty() {
        all.push(format!(
            "Ended by the time budget: {}. The number of frames depends on the speed of the machine.",
            limited.join(", ")
        ));
    }
    all.extend(panels.iter().filter_map(no_events));
    all.extend(panels.iter().flat_map(empty));
    all
}

fn no_events(panel: &Panel<'_>) -> Option<String> {
    let mut places = Vec::new();
    for &name in &panel.figure.metrics {
        for p in &panel.points {
            for d in panel.detectors.iter().filter(|d| d.role != Role::Predicted) {
                if metric(p, &d.id, name).is_some_and(|m| upper_bound(m).is_some()) {
                    let place = panel.place(p);
                    let place = if place.is_empty() { String::new() } else { format!(" at {place}") };
                    places.push(format!("{} ({}{place})", d.label, name.abbreviation()));
                }
            }
        }
    }
    (!places.is_empty()).then(|| {
        format!("{}: no error event was seen by {}; only an upper bound is known.", panel.title(), places.join(", "))
    })
}

/// Metrics that the figure asks for and nobody measured.
fn empty(panel: &Panel<'_>) -> Vec<String> {
    let measured = panel.metrics();
    if panel.points.is_empty() {
        return Vec::new();
    }
    let lacking: Vec<String> =
        panel.figure.metrics.iter().filter(|m| !measured.contains(m)).map(|m| m.abbreviation()).collect();
    if lacking.is_empty() {
        Vec::new()
    } else {
        vec![format!("{}: no detector measured {}.", panel.title(), lacking.join(", "))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::MetricName;
    use crate::report::fixture;
    use crate::report::panel::panels;

    #[test]
    fn what_limits_the_numbers_is_said_in_order() {
        let mut results = fixture::results();
        (results.schema_version, results.shard) = (0, Some((2, 3)));
        results.points[0].termination = TerminationReason::TimeBudget;
        let all = warnings(&results, &panels(&results));
        let starts = ["The results have layout 0", "This is shard 2 of 3", "Interrupted: length/3."];
        let more = ["Not simulated: antennas/1.", "Ended by the time budget: length/0."];
        for (text, start) in all.iter().zip(starts.into_iter().chain(more)) {
            assert!(text.starts_with(start), "{text}");
        }
        assert!(all[5..].iter().any(|t| t.contains("no error event was seen by")), "{all:?}");
    }

    #[test]
    fn metrics_that_nobody_measured_are_named() {
        let mut results = fixture::results();
        let before = warnings(&results, &panels(&results));
        assert!(!before.iter().any(|t| t.contains("no detector measured")), "{before:?}");
        results.config.figures[0].metrics = vec![MetricName::Ser, MetricName::BerUser(2)];
        let after = warnings(&results, &panels(&results));
        assert!(after.iter().any(|t| t.ends_with("no detector measured BER of user 3.")), "{after:?}");
    }
}
