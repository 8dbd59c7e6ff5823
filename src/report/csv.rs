//! `results.csv`: one row per point, detector and metric (RFC 4180).

use crate::link::spelled;
use crate::results::Results;

/// Names of the columns.
const HEADER: [&str; 20] = [
    "figure",
    "point",
    "index",
    "x",
    "x_label",
    "detector",
    "label",
    "kind",
    "predicted",
    "parameters",
    "metric",
    "value",
    "ci_low",
    "ci_high",
    "events",
    "frames",
    "point_frames",
    "termination",
    "detector_seconds",
    "seconds_per_frame",
];

/// The whole file: CRLF line ends, one header row; what was not measured is an empty field, numbers read back exactly.
pub fn render(results: &Results) -> String {
    let mut out = String::new();
    push_row(&mut out, &HEADER.map(str::to_owned));
    for p in &results.points {
        for d in &p.detectors {
            let per_frame = d.seconds.filter(|_| p.frames > 0).map(|s| s / p.frames as f64);
            for m in &d.metrics {
                push_row(
                    &mut out,
                    &[
                        p.figure.clone(),
                        p.id.clone(),
                        p.index.to_string(),
                        real(p.x),
                        p.x_label.clone(),
                        d.id.clone(),
                        d.label.clone(),
                        d.kind.clone(),
                        d.predicted.to_string(),
                        d.parameters.to_string(),
                        m.metric.to_string(),
                        real(m.value),
                        real(m.ci_low),
                        real(m.ci_high),
                        m.events.map(|e| e.to_string()).unwrap_or_default(),
                        m.frames.to_string(),
                        p.frames.to_string(),
                        spelled(&p.termination),
                        real(d.seconds),
                        real(per_frame),
                    ],
                );
            }
        }
    }
    out
}

/// The shortest text that reads back as the same number.
fn real(value: Option<f64>) -> String {
    value.filter(|v| v.is_finite()).map(|v| format!("{v:?}")).unwrap_or_default()
}

fn push_row(out: &mut String, fields: &[String]) {
    let quoted: Vec<String> = fields.iter().map(|f| quote(f)).collect();
    out.push_str(&quoted.join(","));
    out.push_str("\r\n");
}

fn quote(field: &str) -> String {
    if field.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn fields_are_quoted_when_they_must_be() {
        assert_eq!(quote("a,b"), "\"a,b\"");
        assert_eq!(quote("say \"x\""), "\"say \"\"x\"\"\"");
        assert_eq!(quote("plain"), "plain");
    }

    #[test]
    fn one_row_per_metric_and_nothing_for_null() {
        let results = fixture::results();
        let csv = render(&results);
        let rows: usize = results.points.iter().flat_map(|p| &p.detectors).map(|d| d.metrics.len()).sum();
        assert_eq!(csv.matches("\r\n").count(), rows + 1);
        assert!(csv.contains(",nmse_db,,,,,"), "null must stay empty");
        let first = csv.lines().nth(1).unwrap().split(',').collect::<Vec<_>>();
        let m = &results.points[0].detectors[0].metrics[0];
        assert_eq!(first[11].parse::<f64>().ok(), m.value);
        assert_eq!(first.len(), HEADER.len());
    }
}
