//! One point without a sweep: a horizontal dot-and-interval chart.

use super::axis::Axis;
use super::line_chart::Series;
use super::scene::{Anchor, Scene, text_width, wrap};
use super::style::{Dash, Ink, Marker};

const WIDTH: f64 = 900.0;
const ROW: f64 = 40.0;
const SIZE: f64 = 13.0;

/// A chart with one row per detector; only the first point of each series is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct DotChart {
    /// Title.
    pub title: String,
    /// Name of the value axis, with its unit.
    pub value_name: String,
    /// Logarithmic values.
    pub log: bool,
    /// Detectors in legend order, each with the text of its value.
    pub rows: Vec<(Series, String)>,
    /// Remarks under the axis.
    pub notes: Vec<String>,
}

impl DotChart {
    /// Lays the chart out.
    pub fn scene(&self) -> Scene {
        let mut scene = Scene::new(WIDTH, 0.0, &format!("{}: {}", self.title, self.value_name));
        let top = scene.heading(&self.title, "") + 6.0;
        let widest = |texts: Vec<&str>, limit: f64| {
            texts.iter().map(|t| text_width(t, SIZE, false)).fold(40.0, f64::max).min(limit)
        };
        let left = 12.0 + widest(self.rows.iter().map(|r| r.0.name.as_str()).collect(), 230.0) + 16.0;
        let right = WIDTH - widest(self.rows.iter().map(|r| r.1.as_str()).collect(), 270.0) - 34.0;
        let bottom = top + ROW * self.rows.len() as f64;
        let axis = self.axis(left, right);
        for tick in axis.ticks(5.0) {
            let x = axis.map(tick.value);
            if tick.label.is_empty() {
                scene.line(vec![(x, bottom), (x, bottom + 3.0)], Ink::Axis, 0.8, Dash::Solid);
            } else {
                scene.line(vec![(x, top), (x, bottom)], Ink::Grid, 1.0, Dash::Solid);
                scene.line(vec![(x, bottom), (x, bottom + 5.0)], Ink::Axis, 1.0, Dash::Solid);
                scene.text((x, bottom + 19.0), &tick.label, 12.0, Anchor::Middle, Ink::Muted);
            }
        }
        scene.line(vec![(left, bottom), (right, bottom)], Ink::Axis, 1.0, Dash::Solid);
        for (i, (series, value)) in self.rows.iter().enumerate() {
            let y = top + ROW * (i as f64 + 0.5);
            draw_row(&mut scene, series, &axis, y);
            let lines = wrap(&series.name, 230.0, SIZE, false);
            for (j, line) in lines.iter().take(2).enumerate() {
                let shift = (j as f64 - (lines.len().min(2) as f64 - 1.0) / 2.0) * 15.0;
                scene.text((left - 14.0, y + 0.36 * SIZE + shift), line, SIZE, Anchor::End, Ink::Text);
            }
            scene.text((right + 22.0, y + 0.36 * SIZE), value, SIZE, Anchor::Start, Ink::Text);
        }
        scene.footer(bottom, (left + right) / 2.0, &self.value_name, &self.notes);
        scene
    }

    fn axis(&self, left: f64, right: f64) -> Axis {
        let mut values = Vec::new();
        for p in self.rows.iter().filter_map(|r| r.0.points.first()) {
            values.extend(p.y);
            values.extend(p.bound.iter().flat_map(|b| [*b, if self.log { b / 3.0 } else { *b }]));
            if let (Some(y), Some((low, high))) = (p.y, p.interval) {
                values.push(if self.log { low.max(y / 5.0) } else { low });
                values.push(high);
            }
        }
        Axis::around(values, self.log, left, right)
    }
}

fn draw_row(scene: &mut Scene, series: &Series, axis: &Axis, y: f64) {
    let s = series.style;
    let Some(p) = series.points.first() else { return };
    let marker = s.marker.unwrap_or(Marker::Diamond);
    if let Some(value) = p.y {
        if let Some((low, high)) = p.interval {
            let (a, b) = (axis.map(low), axis.map(high));
            scene.line(vec![(a, y), (b, y)], s.ink, s.width, Dash::Solid);
            for x in [a, b] {
                scene.line(vec![(x, y - 7.0), (x, y + 7.0)], s.ink, 1.5, Dash::Solid);
            }
        }
        let at = (axis.map(value), y);
        scene.mark(at, marker, 4.6, (s.ink, s.hollow), &p.tip);
    } else if let Some(bound) = p.bound {
        let (x, tip) = (axis.map(bound), (axis.map(bound) - 30.0).max(axis.start + 1.0));
        scene.line(vec![(x, y), (tip, y)], s.ink, 1.8, Dash::Solid);
        scene.line(vec![(tip + 6.0, y - 4.0), (tip, y), (tip + 6.0, y + 4.0)], s.ink, 1.8, Dash::Solid);
        scene.mark((x, y), marker, 4.6, (s.ink, true), &p.tip);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::line_chart::ChartPoint;
    use crate::plot::scene::Shape;
    use crate::plot::style::SeriesStyle;

    #[test]
    fn bounds_point_to_smaller_values() {
        let point = ChartPoint { x: 0.0, y: None, interval: None, bound: Some(3e-3), tip: String::new() };
        let seen = ChartPoint { y: Some(1e-2), interval: Some((9e-3, 1.1e-2)), bound: None, ..point.clone() };
        let row = |p: ChartPoint, n| {
            (Series { name: "a".into(), style: SeriesStyle::measured(n), points: vec![p] }, "v".to_owned())
        };
        let chart = DotChart {
            title: "t".into(),
            value_name: "SER".into(),
            log: true,
            rows: vec![row(seen, 0), row(point, 1)],
            notes: vec![],
        };
        let scene = chart.scene();
        let ink = Ink::Series(1);
        let arrow = scene.shapes.iter().find_map(|s| match s {
            Shape::Line { points, ink: i, .. } if *i == ink && points.len() == 2 => Some(points.clone()),
            _ => None,
        });
        let arrow = arrow.expect("an arrow");
        assert!(arrow[1].0 < arrow[0].0);
        assert!(scene.shapes.iter().any(|s| matches!(s, Shape::Mark { hollow: true, ink: i, .. } if *i == ink)));
    }
}
