//! A figure as a list of shapes in logical pixels, laid out once and drawn by both renderers.
//!
//! The SVG and the PNG of a figure come from the same list, so they cannot disagree. Text is measured with the
//! widths of DejaVu Sans, which is wider than the fonts that browsers fall back to: labels that do not overlap here
//! do not overlap there.

use std::sync::Once;

use plotters::style::{FontDesc, FontFamily, FontStyle, register_font};

use super::style::{Dash, Ink, Marker};

/// A position, y downwards.
pub type At = (f64, f64);

/// Which end of a text is fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// Left end.
    Start,
    /// Middle.
    Middle,
    /// Right end.
    End,
}

/// One drawing instruction.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// A line through points.
    Line {
        /// Its points.
        points: Vec<At>,
        /// Colour.
        ink: Ink,
        /// Width.
        width: f64,
        /// Pattern.
        dash: Dash,
        /// 0 invisible .. 1 opaque.
        opacity: f64,
    },
    /// A filled polygon.
    Area {
        /// Its corners.
        points: Vec<At>,
        /// Colour.
        ink: Ink,
        /// 0 invisible .. 1 opaque.
        opacity: f64,
    },
    /// A data point.
    Mark {
        /// Its centre.
        at: At,
        /// Shape.
        marker: Marker,
        /// Half its size.
        radius: f64,
        /// Colour.
        ink: Ink,
        /// Outline only.
        hollow: bool,
        /// Shown when the pointer rests on it.
        tip: String,
    },
    /// One line of text.
    Text {
        /// Anchor on the baseline.
        at: At,
        /// The text as it is; the renderer escapes it.
        text: String,
        /// Em size.
        size: f64,
        /// Which end is fixed.
        anchor: Anchor,
        /// Bold face.
        bold: bool,
        /// Colour.
        ink: Ink,
    },
    /// A grey image, nearest neighbour.
    Pixels {
        /// Upper left corner.
        at: At,
        /// Width and height on the page.
        size: At,
        /// Pixels in a row.
        columns: usize,
        /// Row-major grey levels.
        levels: Vec<u8>,
    },
}

/// A laid-out figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    /// Width in logical pixels.
    pub width: f64,
    /// Height in logical pixels.
    pub height: f64,
    /// What the figure shows, for readers who cannot see it.
    pub alt: String,
    /// Back to front.
    pub shapes: Vec<Shape>,
}

impl Scene {
    /// An empty figure.
    pub fn new(width: f64, height: f64, alt: &str) -> Self {
        Self { width, height, alt: alt.into(), shapes: Vec::new() }
    }

    /// Adds a line.
    pub fn line(&mut self, points: Vec<At>, ink: Ink, width: f64, dash: Dash) {
        self.shapes.push(Shape::Line { points, ink, width, dash, opacity: 1.0 });
    }

    /// Adds a filled rectangle.
    pub fn rectangle(&mut self, (x, y): At, (w, h): At, ink: Ink, opacity: f64) {
        let points = vec![(x, y), (x + w, y), (x + w, y + h), (x, y + h)];
        self.shapes.push(Shape::Area { points, ink, opacity });
    }

    /// Adds one line of regular text.
    pub fn text(&mut self, at: At, text: &str, size: f64, anchor: Anchor, ink: Ink) {
        self.shapes.push(Shape::Text { at, text: text.into(), size, anchor, bold: false, ink });
    }

    /// Adds a data point.
    pub fn mark(&mut self, at: At, marker: Marker, radius: f64, (ink, hollow): (Ink, bool), tip: &str) {
        self.shapes.push(Shape::Mark { at, marker, radius, ink, hollow, tip: tip.into() });
    }

    /// Adds the name of the horizontal axis around `centre` and remarks below a plot that ends at `bottom`; they end the
    /// figure.
    pub fn footer(&mut self, bottom: f64, centre: f64, name: &str, notes: &[String]) {
        let mut y = bottom + 42.0;
        self.text((centre, y), name, 13.0, Anchor::Middle, Ink::Text);
        for note in notes {
            for line in wrap(note, self.width - 24.0, 11.5, false) {
                y += 17.0;
                self.text((12.0, y + 4.0), &line, 11.5, Anchor::Start, Ink::Muted);
            }
        }
        self.height = y + 16.0;
    }

    /// Adds a title at the upper left, wrapped to the width; returns the y below it.
    pub fn heading(&mut self, title: &str, subtitle: &str) -> f64 {
        let mut y = 8.0;
        for line in wrap(title, self.width - 24.0, 16.0, true) {
            y += 19.0;
            self.shapes.push(Shape::Text {
                at: (12.0, y),
                text: line,
                size: 16.0,
                anchor: Anchor::Start,
                bold: true,
                ink: Ink::Text,
            });
        }
        for line in wrap(subtitle, self.width - 24.0, 13.0, false) {
            y += 18.0;
            self.text((12.0, y), &line, 13.0, Anchor::Start, Ink::Muted);
        }
        y + 8.0
    }
}

/// The family under which DejaVu Sans is registered.
pub const FONT: &str = "DejaVu Sans";

/// Registers the embedded fonts once; they need no font of the system.
pub fn register_fonts() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        // The embedded files are valid, and a failure shows as an error of the drawing itself.
        let _ = register_font(FONT, FontStyle::Normal, dejavu::sans::regular());
        let _ = register_font(FONT, FontStyle::Bold, dejavu::sans::bold());
    });
}

/// Width of a text in logical pixels.
pub fn text_width(text: &str, size: f64, bold: bool) -> f64 {
    register_fonts();
    // Measured large, because the library rounds down to whole pixels.
    let style = if bold { FontStyle::Bold } else { FontStyle::Normal };
    let font = FontDesc::new(FontFamily::Name(FONT), 100.0 * EM_TO_HEIGHT, style);
    match font.layout_box(text) {
        Ok(((x0, _), (x1, _))) => f64::from(x1 - x0) * size / 100.0,
        Err(_) => text.chars().count() as f64 * 0.65 * size,
    }
}

/// DejaVu Sans: (ascent 1901 + descent 483)/2048, the size by which the rasteriser scales for an em of 1.
pub const EM_TO_HEIGHT: f64 = 2384.0 / 2048.0;

/// Breaks a text at spaces so that each line fits into `width`; a word that is too long alone is shortened.
pub fn wrap(text: &str, width: f64, size: f64, bold: bool) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let word = shorten(word, width, size, bold);
        match lines.last_mut() {
            Some(line) if text_width(&format!("{line} {word}"), size, bold) <= width => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}

/// Cuts a text with an ellipsis where it is wider than `width`.
pub fn shorten(text: &str, width: f64, size: f64, bold: bool) -> String {
    if text_width(text, size, bold) <= width {
        return text.into();
    }
    let mut kept: Vec<char> = text.chars().collect();
    while kept.pop().is_some() {
        let short = format!("{}…", kept.iter().collect::<String>());
        if text_width(&short, size, bold) <= width {
            return short;
        }
    }
    "…".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_measured_with_the_real_font() {
        let (narrow, wide) = (text_width("iiii", 12.0, false), text_width("WWWW", 12.0, false));
        assert!(wide > 2.5 * narrow, "{narrow} {wide}");
        // DejaVu Sans: the advance of "0" is 1303/2048 em.
        assert!((text_width("0000000000", 16.0, false) - 10.0 * 16.0 * 1303.0 / 2048.0).abs() < 0.5);
    }

    #[test]
    fn wrapped_lines_fit() {
        let text = "DL-mAMPnet, antenna-shared, pilots learned jointly averyveryverylongwordwithoutanyspaceinside";
        let lines = wrap(text, 150.0, 13.0, false);
        assert!(lines.len() >= 3);
        assert!(lines.iter().all(|l| text_width(l, 13.0, false) <= 150.0), "{lines:?}");
    }
}
