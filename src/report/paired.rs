//! Who is lower than whom on the same frames: the paired comparisons of a figure.

use crate::metrics::{MetricName, MetricSums, PAIRED_METRICS, PairedDifference, Verdict};
use crate::results::{DetectorResult, MetricResult, PointResult};

use super::panel::{Panel, Role, Seen, detector};
use crate::plot::format::{ABSENT, escape};

/// One detector's value minus another's on the frames of a point; `None` where the results do not hold it.
pub fn difference(p: &PointResult, first: &str, second: &str, metric: MetricName) -> Option<PairedDifference> {
    let product = p.products.iter().find(|s| s.metric == metric)?.of(first, second)?;
    let sums = |id: &str| {
        let d: &DetectorResult = detector(p, id)?;
        let m: &MetricResult = d.metrics.iter().find(|m| m.metric == metric)?;
        Some(MetricSums { frames: m.frames, sums: m.sums? })
    };
    PairedDifference::of(metric, &sums(first)?, &sums(second)?, product)
}

/// Points won, tied and lost by the row against the column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Score {
    /// Points at which the first is lower.
    pub won: usize,
    /// Points that do not tell.
    pub tied: usize,
    /// Points at which it is higher.
    pub lost: usize,
}

/// The comparison of two detectors over all points of a figure; `None` where no point can compare them.
pub fn score(panel: &Panel<'_>, first: &str, second: &str, metric: MetricName) -> Option<Score> {
    let mut score = Score::default();
    for p in &panel.points {
        match difference(p, first, second, metric).map(|d| d.verdict()) {
            Some(Verdict::Win) => score.won += 1,
            Some(Verdict::Tie) => score.tied += 1,
            Some(Verdict::Loss) => score.lost += 1,
            None => {}
        }
    }
    (score != Score::default()).then_some(score)
}

/// Detectors that are compared and metrics that compare them.
pub fn compared<'a>(panel: &'a Panel<'_>) -> (Vec<&'a Seen>, Vec<MetricName>) {
    let held = |m: &MetricName| panel.points.iter().any(|p| p.products.iter().any(|s| s.metric == *m));
    let metrics = panel.figure.metrics.iter().copied().filter(|m| PAIRED_METRICS.contains(m)).filter(held).collect();
    (panel.detectors.iter().filter(|d| d.role != Role::Predicted).collect(), metrics)
}

/// A matrix per metric: how the row stands to the column. Empty where the results hold no products.
pub fn matrices(panel: &Panel<'_>) -> String {
    let (detectors, metrics) = compared(panel);
    let single = panel.points.len() == 1;
    let mut out = String::new();
    for metric in metrics {
        let mut head = String::from("<th class=\"l\">lower than …</th>");
        let mut body = String::new();
        for (place, row) in detectors.iter().enumerate() {
            head += &format!("<th>{}</th>", place + 1);
            body += &format!("<tr><th class=\"l\">{} {}</th>", place + 1, escape(&row.label));
            for column in &detectors {
                body += &match score(panel, &row.id, &column.id, metric) {
                    Some(_) if single => {
                        let only = difference(panel.points[0], &row.id, &column.id, metric);
                        format!("<td>{}</td>", only.map_or(ABSENT, |d| d.verdict().name()))
                    }
                    Some(s) => format!("<td>{}·{}·{}</td>", s.won, s.tied, s.lost),
                    None => format!("<td>{ABSENT}</td>"),
                };
            }
            body += "</tr>";
        }
        out += &format!(
            "<h3>{}</h3><div class=\"scroll\"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>\n",
            escape(&metric.axis())
        );
    }
    if out.is_empty() {
        return out;
    }
    let cells = if single {
        "The row is lower (win), higher (loss), or the frames do not tell (tie)"
    } else {
        "Points won · tied · lost by the row against the column"
    };
    format!(
        "<details><summary>Paired comparison</summary>\n<p class=\"lead\">{cells}: 95 % interval of the difference on the same \
         frames, by frames. Of many comparisons one in twenty excludes zero by chance.</p>\n{out}</details>\n"
    )
}
