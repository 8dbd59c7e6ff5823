//! Curves over a swept value, and training curves.

use super::axis::{Axis, Tick};
use super::legend::Legend;
use super::line_marks;
use super::scene::{Anchor, Scene, shorten, text_width};
use super::style::{Dash, Ink, SeriesStyle};

/// One point of a curve.
#[derive(Debug, Clone, PartialEq)]
pub struct ChartPoint {
    /// Place on the x axis.
    pub x: f64,
    /// Value; `None` interrupts the line.
    pub y: Option<f64>,
    /// 95 % interval.
    pub interval: Option<(f64, f64)>,
    /// No event was seen: only this upper bound is known, and it is drawn as an arrow.
    pub bound: Option<f64>,
    /// Shown when the pointer rests on the point.
    pub tip: String,
}

/// One curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Name.
    pub name: String,
    /// Look.
    pub style: SeriesStyle,
    /// Points with rising x.
    pub points: Vec<ChartPoint>,
}

/// A shaded part of the x axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Left end.
    pub from: f64,
    /// Right end.
    pub to: f64,
    /// Name above it.
    pub name: String,
}

/// Everything that a chart shows.
#[derive(Debug, Clone, PartialEq)]
pub struct LineChart {
    /// Title.
    pub title: String,
    /// Name of the y axis, with its unit.
    pub y_name: String,
    /// Name of the x axis, with its unit.
    pub x_name: String,
    /// Logarithmic y.
    pub y_log: bool,
    /// Logarithmic x.
    pub x_log: bool,
    /// Ticks of the x axis; empty for round numbers.
    pub x_ticks: Vec<Tick>,
    /// Curves in legend order.
    pub series: Vec<Series>,
    /// Shaded parts.
    pub spans: Vec<Span>,
    /// Remarks under the axis.
    pub notes: Vec<String>,
    /// Height of the plot area in pixels.
    pub plot_height: f64,
}

const WIDTH: f64 = 900.0;
const LEFT: f64 = 74.0;
const TICK: f64 = 12.0;

/// The plot area of a chart with its two axes.
pub struct Frame {
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// Left edge.
    pub left: f64,
    /// Right edge.
    pub right: f64,
    /// Upper edge.
    pub top: f64,
    /// Lower edge.
    pub bottom: f64,
}

impl LineChart {
    /// Lays the chart out.
    pub fn scene(&self) -> Scene {
        let mut scene = Scene::new(WIDTH, 0.0, &format!("{}: {} against {}", self.title, self.y_name, self.x_name));
        let mut top = scene.heading(&self.title, &self.y_name) + 6.0;
        if !self.spans.is_empty() {
            top += 16.0;
        }
        let names: Vec<&str> = self.series.iter().map(|s| s.name.as_str()).collect();
        let height = self.plot_height.max(Legend::height(&names));
        let (right, bottom) = (WIDTH - Legend::width(&names), top + height);
        let frame = Frame { x: self.x_axis(LEFT, right), y: self.y_axis(bottom, top), left: LEFT, right, top, bottom };
        self.draw_spans(&mut scene, &frame);
        self.draw_grid(&mut scene, &frame);
        line_marks::draw(&mut scene, &self.series, &frame);
        self.draw_legend(&mut scene, &frame);
        scene.footer(bottom, (LEFT + right) / 2.0, &self.x_name, &self.notes);
        scene
    }

    fn x_axis(&self, start: f64, end: f64) -> Axis {
        let values: Vec<f64> = self
            .series
            .iter()
            .flat_map(|s| s.points.iter().map(|p| p.x))
            .chain(self.x_ticks.iter().map(|t| t.value))
            .collect();
        let (low, high) = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(*v), b.max(*v)));
        if self.x_ticks.is_empty() {
            // Training curves begin at zero.
            return Axis { log: false, low: low.clamp(0.0, f64::MAX).min(0.0), high: high.max(1e-9), start, end };
        }
        if self.x_log {
            let margin = (high / low).powf(0.05).max(1.05);
            return Axis { log: true, low: low / margin, high: high * margin, start, end };
        }
        let margin = if high > low { 0.05 * (high - low) } else { 0.5 };
        Axis { log: false, low: low - margin, high: high + margin, start, end }
    }

    fn y_axis(&self, start: f64, end: f64) -> Axis {
        let points = || self.series.iter().flat_map(|s| &s.points);
        let mut values: Vec<f64> = points().flat_map(|p| [p.y, p.bound]).flatten().collect();
        for p in points() {
            if let (Some(y), Some((low, high))) = (p.y, p.interval) {
                // An interval that reaches down to zero must not stretch a logarithmic axis without end.
                values.push(if self.y_log { low.max(y / 5.0) } else { low });
                values.push(high);
            }
        }
        if self.y_log {
            // The arrows reach below their bound.
            values.extend(points().filter_map(|p| p.bound).map(|b| b / 2.2));
        }
        Axis::around(values, self.y_log, start, end)
    }

    fn draw_spans(&self, scene: &mut Scene, f: &Frame) {
        for (i, span) in self.spans.iter().enumerate() {
            let (a, b) = (f.x.map(span.from), f.x.map(span.to));
            if i % 2 == 0 {
                scene.rectangle((a, f.top), (b - a, f.bottom - f.top), Ink::Shade, 1.0);
            }
            let width = b - a - 4.0;
            let name = if text_width(&span.name, 11.0, false) <= width {
                span.name.clone()
            } else {
                // "layer 3" in a narrow span is "3".
                let short = span.name.rsplit(' ').next().unwrap_or_default();
                if text_width(short, 11.0, false) <= width {
                    short.to_owned()
                } else {
                    shorten(&span.name, width, 11.0, false)
                }
            };
            if width > 8.0 && name != "…" {
                scene.text(((a + b) / 2.0, f.top - 6.0), &name, 11.0, Anchor::Middle, Ink::Muted);
            }
        }
    }

    fn draw_grid(&self, scene: &mut Scene, f: &Frame) {
        for tick in f.y.ticks(6.0) {
            let y = f.y.map(tick.value);
            if tick.label.is_empty() {
                scene.line(vec![(f.left - 3.0, y), (f.left, y)], Ink::Axis, 0.8, Dash::Solid);
            } else {
                scene.line(vec![(f.left, y), (f.right, y)], Ink::Grid, 1.0, Dash::Solid);
                scene.line(vec![(f.left - 5.0, y), (f.left, y)], Ink::Axis, 1.0, Dash::Solid);
                scene.text((f.left - 9.0, y + 0.36 * TICK), &tick.label, TICK, Anchor::End, Ink::Muted);
            }
        }
        let ticks = if self.x_ticks.is_empty() { f.x.ticks(6.0) } else { self.x_ticks.clone() };
        let mut free = f64::NEG_INFINITY;
        for tick in ticks {
            let x = f.x.map(tick.value);
            scene.line(vec![(x, f.bottom), (x, f.bottom + 5.0)], Ink::Axis, 1.0, Dash::Solid);
            let label = shorten(&tick.label, 130.0, TICK, false);
            let half = text_width(&label, TICK, false) / 2.0;
            if x - half >= free {
                scene.text((x, f.bottom + 19.0), &label, TICK, Anchor::Middle, Ink::Muted);
                free = x + half + 8.0;
            }
        }
        scene.line(vec![(f.left, f.top), (f.left, f.bottom), (f.right, f.bottom)], Ink::Axis, 1.0, Dash::Solid);
    }

    fn draw_legend(&self, scene: &mut Scene, f: &Frame) {
        let last_x = self.series.iter().flat_map(|s| &s.points).map(|p| p.x).fold(f64::NEG_INFINITY, f64::max);
        let mut legend = Legend::default();
        for s in &self.series {
            let last = s.points.iter().rev().find(|p| p.y.or(p.bound).is_some());
            let row = last.and_then(|p| p.y.or(p.bound)).map(|v| f.y.map(v));
            let end = row.filter(|_| last.is_some_and(|p| p.x == last_x));
            legend.add(&s.name, s.style, end, row.unwrap_or(f.bottom));
        }
        legend.draw(scene, f.x.map(last_x) + 8.0, f.right, f.top - 8.0, f.bottom + 8.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::scene::Shape;

    fn chart() -> LineChart {
        let point = |x: f64, y: f64| ChartPoint {
            x,
            y: Some(y),
            interval: Some((0.8 * y, 1.2 * y)),
            bound: None,
            tip: String::new(),
        };
        let bound = ChartPoint { x: 60.0, y: None, interval: None, bound: Some(3e-4), tip: String::new() };
        let series = |n: usize| Series {
            name: format!("detector {n}"),
            style: SeriesStyle::measured(n),
            points: vec![point(20.0, 1e-2), point(40.0, 2e-3), bound.clone()],
        };
        LineChart {
            title: "Title".into(),
            y_name: "SER".into(),
            x_name: "L".into(),
            y_log: true,
            x_log: false,
            x_ticks: [20.0, 40.0, 60.0].map(|v: f64| Tick { value: v, label: v.to_string() }).to_vec(),
            series: (0..12).map(series).collect(),
            spans: Vec::new(),
            notes: Vec::new(),
            plot_height: 330.0,
        }
    }

    #[test]
    fn everything_lies_inside_the_figure() {
        let scene = chart().scene();
        let inside = |(x, y): (f64, f64)| x >= 0.0 && x <= scene.width && y >= 0.0 && y <= scene.height;
        for shape in &scene.shapes {
            match shape {
                Shape::Line { points, .. } | Shape::Area { points, .. } => {
                    assert!(points.iter().all(|p| inside(*p)), "{shape:?}");
                }
                Shape::Text { at, text, size, anchor, bold, .. } => {
                    let w = text_width(text, *size, *bold);
                    let left = match anchor {
                        Anchor::Start => at.0,
                        Anchor::Middle => at.0 - w / 2.0,
                        Anchor::End => at.0 - w,
                    };
                    assert!(inside((left, at.1)) && inside((left + w, at.1)), "{shape:?}");
                }
                Shape::Mark { at, .. } | Shape::Pixels { at, .. } => assert!(inside(*at), "{shape:?}"),
            }
        }
    }

    #[test]
    fn bounds_of_one_x_stand_side_by_side() {
        let scene = chart().scene();
        let mut xs: Vec<f64> = scene
            .shapes
            .iter()
            .filter_map(|s| match s {
                Shape::Mark { at, hollow: true, .. } => Some(at.0),
                _ => None,
            })
            .collect();
        xs.sort_by(f64::total_cmp);
        assert_eq!(xs.len(), 12);
        xs.dedup_by(|a, b| (*a - *b).abs() < 1.0);
        assert!(xs.len() > 6, "arrows must not hide each other: {xs:?}");
    }
}
