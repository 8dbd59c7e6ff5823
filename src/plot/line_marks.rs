//! What stands inside the plot area of a line chart.

use super::line_chart::{ChartPoint, Frame, Series};
use super::scene::{Scene, Shape};
use super::style::{Dash, Marker};

/// Everything inside the plot area, back to front: uncertainty, lines, marks, arrows.
pub fn draw(scene: &mut Scene, all: &[Series], f: &Frame) {
    for series in all {
        draw_uncertainty(scene, series, f);
    }
    for series in all {
        for run in series.points.split(|p| p.y.is_none()).filter(|r| r.len() > 1) {
            let line = run.iter().filter_map(|p| p.y.map(|y| (f.x.map(p.x), f.y.map(y)))).collect();
            scene.line(line, series.style.ink, series.style.width, series.style.dash);
        }
    }
    for series in all {
        for p in &series.points {
            let Some(y) = p.y else { continue };
            let at = (f.x.map(p.x), f.y.map(y));
            let s = series.style;
            if let Some(marker) = s.marker {
                scene.mark(at, marker, 4.2, (s.ink, s.hollow), &p.tip);
            } else if s.dash == Dash::Dashed {
                scene.mark(at, Marker::Circle, 2.0, (s.ink, false), &p.tip);
            }
        }
    }
    draw_bounds(scene, all, f);
}

/// Arrows of points without events; those at one x stand side by side, because equal frames give equal bounds.
fn draw_bounds(scene: &mut Scene, all: &[Series], f: &Frame) {
    let mut arrows: Vec<(f64, f64, &Series, &ChartPoint)> = Vec::new();
    for s in all {
        arrows.extend(
            s.points.iter().filter_map(|p| p.bound.filter(|_| p.y.is_none()).map(|b| (f.x.map(p.x), f.y.map(b), s, p))),
        );
    }
    for (i, (x, y, series, point)) in arrows.iter().enumerate() {
        let here: Vec<usize> = (0..arrows.len()).filter(|j| (arrows[*j].0 - x).abs() < 1.0).collect();
        let place = here.iter().position(|j| *j == i).unwrap_or(0) as f64;
        // The middle stays free for the marks of detectors that did see events.
        let side = if (place as usize).is_multiple_of(2) { 1.0 } else { -1.0 };
        let x = (x + side * 13.0 * ((place / 2.0).floor() + 1.0)).clamp(f.left + 6.0, f.right - 6.0);
        let ink = series.style.ink;
        let tip_y = (y + 24.0).min(f.bottom - 1.0);
        scene.line(vec![(x, *y), (x, tip_y)], ink, 1.8, Dash::Solid);
        scene.line(vec![(x - 4.0, tip_y - 6.0), (x, tip_y), (x + 4.0, tip_y - 6.0)], ink, 1.8, Dash::Solid);
        let marker = series.style.marker.unwrap_or(Marker::Circle);
        scene.mark((x, *y), marker, 4.0, (ink, true), &point.tip);
    }
}

/// Bands where a curve has several points in a row, error bars elsewhere.
fn draw_uncertainty(scene: &mut Scene, series: &Series, f: &Frame) {
    let ink = series.style.ink;
    let known = |p: &ChartPoint| p.y.is_some() && p.interval.is_some();
    for run in series.points.split(|p| !known(p)) {
        let ends: Vec<(f64, f64, f64)> =
            run.iter().filter_map(|p| p.interval.map(|(lo, hi)| (f.x.map(p.x), f.y.map(lo), f.y.map(hi)))).collect();
        if ends.len() > 1 {
            let points = ends.iter().map(|e| (e.0, e.2)).chain(ends.iter().rev().map(|e| (e.0, e.1))).collect();
            scene.shapes.push(Shape::Area { points, ink, opacity: 0.13 });
        }
        for (x, low, high) in ends {
            for (points, width) in [
                (vec![(x, low), (x, high)], 1.2),
                (vec![(x - 3.5, low), (x + 3.5, low)], 1.2),
                (vec![(x - 3.5, high), (x + 3.5, high)], 1.2),
            ] {
                scene.shapes.push(Shape::Line { points, ink, width, dash: Dash::Solid, opacity: 0.75 });
            }
        }
    }
}
