//! From results to laid-out figures.

use crate::metrics::MetricName;
use crate::results::Results;

use super::images;
use super::panel::{Panel, Role, ends, metric, settled, tip, upper_bound, value_text};
use crate::plot::axis::{Tick, spaced_by_ratio};
use crate::plot::dot_chart::DotChart;
use crate::plot::line_chart::{ChartPoint, LineChart, Series};
use crate::plot::scene::Scene;

/// One figure that becomes an SVG and a PNG.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawing {
    /// File name without its ending.
    pub name: String,
    /// The layout.
    pub scene: Scene,
}

/// The drawings of one panel: one per metric that has data, then its grey images.
pub fn drawings(results: &Results, panel: &Panel<'_>) -> Vec<Drawing> {
    let id = &panel.figure.id;
    let mut all = Vec::new();
    let measured = panel.metrics();
    for &name in panel.figure.metrics.iter().filter(|m| measured.contains(m)) {
        let scene = if panel.points.len() > 1 { curves(panel, name) } else { dots(panel, name) };
        all.push(Drawing { name: format!("{id}-{name}"), scene });
    }
    let shown: Vec<_> = results.images.iter().filter(|i| i.figure == *id).collect();
    if let Some(scene) = images::scene(panel.title(), &shown) {
        all.push(Drawing { name: format!("{id}-images"), scene });
    }
    all
}

/// Names of points and detectors as parts of a file name: other characters become hyphens.
pub fn file_name(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' }).collect()
}

fn curves(panel: &Panel<'_>, name: MetricName) -> Scene {
    let xs = panel.xs();
    let x_ticks = xs.iter().zip(&panel.points).map(|(x, p)| Tick { value: *x, label: p.x_label.clone() }).collect();
    let mut order: Vec<usize> = (0..xs.len()).collect();
    order.sort_by(|a, b| xs[*a].total_cmp(&xs[*b]));
    LineChart {
        title: panel.title().into(),
        y_name: name.axis(),
        x_name: panel.x_name.clone(),
        y_log: name.info().log,
        x_log: spaced_by_ratio(&xs) && panel.points.iter().all(|p| p.x.is_some()),
        x_ticks,
        series: all_series(panel, name, &xs, &order).into_iter().map(|(_, s)| s).collect(),
        spans: Vec::new(),
        notes: notes(panel, name),
        plot_height: 360.0,
    }
    .scene()
}

fn dots(panel: &Panel<'_>, name: MetricName) -> Scene {
    let rows = all_series(panel, name, &panel.xs(), &[0])
        .into_iter()
        .filter_map(|(id, series)| Some((series, value_text(metric(panel.points.first()?, &id, name)?))))
        .collect();
    let place = panel.points.first().map(|p| panel.place(p)).filter(|p| !p.is_empty());
    let title = place.map_or_else(|| panel.title().to_owned(), |p| format!("{}, {p}", panel.title()));
    DotChart { title, value_name: name.axis(), log: name.info().log, rows, notes: notes(panel, name) }.scene()
}

/// Detector ids with their curves, points in the given order.
fn all_series(panel: &Panel<'_>, name: MetricName, xs: &[f64], order: &[usize]) -> Vec<(String, Series)> {
    let mut all = Vec::new();
    // Bounds first: they lie behind the data.
    let (bounds, others): (Vec<_>, Vec<_>) =
        panel.detectors.iter().partition(|d| matches!(d.role, Role::Bound | Role::Reference));
    for seen in bounds.into_iter().chain(others) {
        let points: Vec<ChartPoint> = order
            .iter()
            .map(|i| {
                let point = panel.points[*i];
                let Some(m) = metric(point, &seen.id, name).filter(|_| settled(point, seen)) else {
                    return ChartPoint { x: xs[*i], y: None, interval: None, bound: None, tip: String::new() };
                };
                let bound = upper_bound(m);
                // A rate of exactly zero without a bound has no place on a logarithmic axis.
                let y = m.value.filter(|v| bound.is_none() && v.is_finite() && (!name.info().log || *v > 0.0));
                ChartPoint { x: xs[*i], y, interval: y.and(ends(m)), bound, tip: tip(panel, point, seen, m) }
            })
            .collect();
        if points.iter().any(|p| p.y.or(p.bound).is_some()) {
            all.push((seen.id.clone(), Series { name: seen.label.clone(), style: seen.style, points }));
        }
    }
    all
}

fn notes(panel: &Panel<'_>, name: MetricName) -> Vec<String> {
    let any = |test: &dyn Fn(&str, Role) -> bool| panel.detectors.iter().any(|d| test(&d.id, d.role));
    let shown = |id: &str| panel.points.iter().any(|p| metric(p, id, name).is_some());
    let bounded = |id: &str| panel.points.iter().filter_map(|p| metric(p, id, name)).any(|m| upper_bound(m).is_some());
    let curves = panel.points.len() > 1;
    let bars = if curves { "Bars and bands" } else { "Bars" };
    let mut text = vec![format!("{bars}: 95 % intervals, the frame is the statistical unit.")];
    if any(&|id, _| bounded(id)) {
        text.push(
            "Arrow: no error event was seen, the value lies below the 95 % bound 3/n at the tail of the arrow.".into(),
        );
    }
    if any(&|id, role| role == Role::Predicted && shown(id)) {
        let look = if curves { "Dashed with hollow marks" } else { "Hollow marks" };
        text.push(format!("{look}: predicted, no frame was counted."));
    }
    if any(&|id, role| role == Role::Bound && shown(id)) {
        let look = if curves { "Thin grey dashes" } else { "Grey" };
        text.push(format!("{look}: a bound that knows what no receiver knows."));
    }
    if any(&|id, role| role == Role::Reference && shown(id)) {
        let look = if curves { "Broad grey line" } else { "Grey" };
        text.push(format!("{look}: the Bayes reference, where its chains agree."));
    }
    vec![text.join(" ")]
}
