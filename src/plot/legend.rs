//! The legend at the right of a chart: each name stands beside the end of its curve, never on the data.

use super::scene::{Anchor, Scene, Shape, text_width, wrap};
use super::style::{Ink, SeriesStyle};

/// Em size of names.
const SIZE: f64 = 13.0;
/// Height of one line of a name.
const LINE: f64 = 16.0;
/// Space between two names.
const GAP: f64 = 5.0;
/// Width of the leader and of the sample of the line.
const SAMPLE: f64 = 52.0;

/// One name.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Lines of the name.
    lines: Vec<String>,
    /// How the curve looks.
    style: SeriesStyle,
    /// Where the curve ends, if it ends at the right edge.
    end: Option<f64>,
    /// Where the name would like to stand.
    wish: f64,
}

/// All names of a chart.
#[derive(Debug, Clone, Default)]
pub struct Legend {
    entries: Vec<Entry>,
}

impl Legend {
    /// Adds a name; `end` is the pixel row where the curve meets the right edge, `wish` where the name should stand.
    pub fn add(&mut self, name: &str, style: SeriesStyle, end: Option<f64>, wish: f64) {
        let lines = wrap(if name.trim().is_empty() { "—" } else { name }, 205.0, SIZE, false);
        self.entries.push(Entry { lines, style, end, wish });
    }

    /// Width that all names need.
    pub fn width(names: &[&str]) -> f64 {
        let widest = names
            .iter()
            .flat_map(|n| wrap(n, 205.0, SIZE, false))
            .map(|l| text_width(&l, SIZE, false))
            .fold(60.0, f64::max);
        SAMPLE + widest + 18.0
    }

    /// Height that all names need.
    pub fn height(names: &[&str]) -> f64 {
        names.iter().map(|n| wrap(n, 205.0, SIZE, false).len().max(1) as f64 * LINE + GAP).sum()
    }

    /// Draws the names between rows `top` and `bottom`, right of `x`, with leaders from the ends of the curves at `from`.
    pub fn draw(mut self, scene: &mut Scene, from: f64, x: f64, top: f64, bottom: f64) {
        self.entries.sort_by(|a, b| a.wish.total_cmp(&b.wish));
        let heights: Vec<f64> = self.entries.iter().map(|e| e.lines.len() as f64 * LINE + GAP).collect();
        let wishes: Vec<f64> = self.entries.iter().map(|e| e.wish).collect();
        let centres = spread(&wishes, &heights, top, bottom);
        for (entry, y) in self.entries.iter().zip(centres) {
            let s = entry.style;
            let sample = x + 20.0;
            if let Some(end) = entry.end {
                let points = vec![(from.min(x + 2.0), end), (x + 2.0, end), (sample - 3.0, y)];
                scene.shapes.push(Shape::Line {
                    points,
                    ink: s.ink,
                    width: 0.8,
                    dash: super::style::Dash::Solid,
                    opacity: 0.55,
                });
            }
            scene.line(vec![(sample, y), (x + SAMPLE - 6.0, y)], s.ink, s.width, s.dash);
            if let Some(marker) = s.marker {
                let at = ((sample + x + SAMPLE - 6.0) / 2.0, y);
                scene.mark(at, marker, 4.0, (s.ink, s.hollow), "");
            }
            let first = y - (entry.lines.len() as f64 - 1.0) * LINE / 2.0 + 0.36 * SIZE;
            for (i, line) in entry.lines.iter().enumerate() {
                scene.text((x + SAMPLE, first + i as f64 * LINE), line, SIZE, Anchor::Start, Ink::Text);
            }
        }
    }
}

/// Centres of boxes of the given heights, in order, as near to the wishes as they can be without overlap.
fn spread(wishes: &[f64], heights: &[f64], top: f64, bottom: f64) -> Vec<f64> {
    let mut centres = Vec::with_capacity(wishes.len());
    let mut edge = top;
    for (wish, h) in wishes.iter().zip(heights) {
        let c = wish.max(edge + h / 2.0);
        edge = c + h / 2.0;
        centres.push(c);
    }
    let mut edge = bottom;
    for (c, h) in centres.iter_mut().zip(heights).rev() {
        *c = c.min(edge - h / 2.0);
        edge = *c - h / 2.0;
    }
    centres
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_overlap_and_stay_inside() {
        let wishes = [10.0, 11.0, 12.0, 95.0, 99.0];
        let heights = [20.0, 10.0, 20.0, 15.0, 20.0];
        let c = spread(&wishes, &heights, 0.0, 100.0);
        for i in 1..c.len() {
            assert!(c[i] - c[i - 1] >= (heights[i] + heights[i - 1]) / 2.0 - 1e-9, "{c:?}");
        }
        assert!(c[0] - 10.0 >= -1e-9 && c[4] + 10.0 <= 100.0 + 1e-9, "{c:?}");
        assert_eq!(spread(&[50.0], &[20.0], 0.0, 100.0), vec![50.0]);
    }
}
