//! Colours, markers and dashes: which detector looks how, in every figure alike.

/// A colour by its role, so that the page can replace it in a dark theme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// Colour of the n-th measured detector.
    Series(usize),
    /// Bounds that no detector can pass.
    Bound,
    /// Titles and labels.
    Text,
    /// Secondary text.
    Muted,
    /// Grid lines.
    Grid,
    /// Axis lines and ticks.
    Axis,
    /// Shaded spans behind the data.
    Shade,
    /// The background.
    Paper,
}

/// The Okabe-Ito palette without its yellow, which is too pale for lines on white. Source: M. Okabe and K. Ito,
/// "Color Universal Design", 2008: told apart under protanopia, deuteranopia and tritanopia.
const PALETTE: [(u8, u8, u8); 7] = [
    (0x00, 0x72, 0xB2),
    (0xD5, 0x5E, 0x00),
    (0x00, 0x9E, 0x73),
    (0xB8, 0x5C, 0x93),
    (0xC9, 0x86, 0x00),
    (0x2F, 0x9F, 0xD8),
    (0x33, 0x33, 0x33),
];

impl Ink {
    /// Colour on white paper.
    pub fn rgb(self) -> (u8, u8, u8) {
        match self {
            Self::Series(n) => PALETTE[n % PALETTE.len()],
            Self::Bound => (0x80, 0x80, 0x80),
            Self::Text => (0x1F, 0x23, 0x28),
            Self::Muted => (0x5B, 0x63, 0x6C),
            Self::Grid => (0xE3, 0xE6, 0xE9),
            Self::Axis => (0x8A, 0x92, 0x9A),
            Self::Shade => (0xF1, 0xF3, 0xF6),
            Self::Paper => (0xFF, 0xFF, 0xFF),
        }
    }

    /// `#RRGGBB`.
    pub fn hex(self) -> String {
        let (r, g, b) = self.rgb();
        format!("#{r:02X}{g:02X}{b:02X}")
    }

    /// Name of the CSS custom property that may replace the colour.
    pub fn class(self) -> String {
        match self {
            Self::Series(n) => format!("s{}", n % PALETTE.len()),
            Self::Bound => "bound".into(),
            Self::Text => "text".into(),
            Self::Muted => "muted".into(),
            Self::Grid => "grid".into(),
            Self::Axis => "axis".into(),
            Self::Shade => "shade".into(),
            Self::Paper => "paper".into(),
        }
    }
}

/// Shape of a data point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// Disc.
    Circle,
    /// Square.
    Square,
    /// Triangle, point up.
    Up,
    /// Diamond.
    Diamond,
    /// Triangle, point down.
    Down,
    /// Five-pointed star.
    Star,
    /// Pentagon.
    Pentagon,
    /// Upright cross with filled arms.
    Plus,
}

const MARKERS: [Marker; 8] = [
    Marker::Circle,
    Marker::Square,
    Marker::Up,
    Marker::Diamond,
    Marker::Down,
    Marker::Star,
    Marker::Pentagon,
    Marker::Plus,
];

impl Marker {
    /// Marker of the n-th detector. Eight markers against seven colours: 56 detectors look different.
    pub fn of(n: usize) -> Self {
        MARKERS[n % MARKERS.len()]
    }

    /// Corners around (x, y); areas look equal to the eye for equal `r`.
    pub fn outline(self, (x, y): (f64, f64), r: f64) -> Vec<(f64, f64)> {
        let regular = |n: usize, r: f64, turn: f64| -> Vec<(f64, f64)> {
            (0..n)
                .map(|i| {
                    let a = std::f64::consts::TAU * i as f64 / n as f64 + turn;
                    (x + r * a.sin(), y - r * a.cos())
                })
                .collect()
        };
        match self {
            Self::Circle => regular(32, r, 0.0),
            Self::Square => {
                let h = 0.88 * r;
                vec![(x - h, y - h), (x + h, y - h), (x + h, y + h), (x - h, y + h)]
            }
            Self::Up => regular(3, 1.25 * r, 0.0),
            Self::Diamond => regular(4, 1.25 * r, 0.0),
            Self::Down => regular(3, 1.25 * r, std::f64::consts::PI),
            Self::Pentagon => regular(5, 1.12 * r, 0.0),
            Self::Star => {
                let (outer, inner) = (regular(5, 1.4 * r, 0.0), regular(5, 0.62 * r, std::f64::consts::PI / 5.0));
                outer.into_iter().zip(inner).flat_map(|(a, b)| [a, b]).collect()
            }
            Self::Plus => {
                let (a, b) = (1.15 * r, 0.42 * r);
                [
                    (-b, -a),
                    (b, -a),
                    (b, -b),
                    (a, -b),
                    (a, b),
                    (b, b),
                    (b, a),
                    (-b, a),
                    (-b, b),
                    (-a, b),
                    (-a, -b),
                    (-b, -b),
                ]
                .iter()
                .map(|(dx, dy)| (x + dx, y + dy))
                .collect()
            }
        }
    }
}

/// Pattern of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dash {
    /// Unbroken: measured.
    Solid,
    /// Dashed: predicted, or a bound.
    Dashed,
}

impl Dash {
    /// Lengths of ink and gap in pixels.
    pub fn lengths(self) -> Option<(f64, f64)> {
        match self {
            Self::Solid => None,
            Self::Dashed => Some((6.0, 4.0)),
        }
    }
}

/// How one detector is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeriesStyle {
    /// Colour.
    pub ink: Ink,
    /// Shape of its points; `None` for bounds.
    pub marker: Option<Marker>,
    /// Predictions are dashed and hollow.
    pub hollow: bool,
    /// Pattern of the line.
    pub dash: Dash,
    /// Width of the line in pixels.
    pub width: f64,
}

impl SeriesStyle {
    /// The n-th measured detector.
    pub fn measured(n: usize) -> Self {
        Self { ink: Ink::Series(n), marker: Some(Marker::of(n)), hollow: false, dash: Dash::Solid, width: 2.0 }
    }

    /// The n-th detector, known by prediction only.
    pub fn predicted(n: usize) -> Self {
        Self { hollow: true, dash: Dash::Dashed, width: 1.75, ..Self::measured(n) }
    }

    /// The Bayes reference.
    pub fn reference() -> Self {
        Self { ink: Ink::Bound, marker: None, hollow: false, dash: Dash::Solid, width: 2.5 }
    }

    /// A bound.
    pub fn bound() -> Self {
        Self { ink: Ink::Bound, marker: None, hollow: false, dash: Dash::Dashed, width: 1.25 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_six_detectors_look_different() {
        let looks: std::collections::HashSet<String> =
            (0..56).map(|n| format!("{} {:?}", Ink::Series(n).hex(), Marker::of(n))).collect();
        assert_eq!(looks.len(), 56);
    }

    #[test]
    fn markers_stay_near_their_point() {
        for n in 0..MARKERS.len() {
            let corners = Marker::of(n).outline((10.0, 20.0), 4.0);
            assert!(corners.len() >= 3);
            assert!(corners.iter().all(|(x, y)| (x - 10.0).hypot(y - 20.0) <= 1.41 * 4.0));
        }
    }
}
