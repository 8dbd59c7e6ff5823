//! A scene as SVG.
//!
//! Colours are presentation attributes plus a class: a file on its own shows them as they are, and the report's
//! style sheet replaces them by class in a dark theme.

use std::fmt::Write as _;

use super::format::escape;
use super::scene::{Anchor, Scene, Shape};
use super::style::{Dash, Marker};

/// One decimal is a tenth of a logical pixel; trailing zeros go.
fn n(v: f64) -> String {
    let text = format!("{v:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text.is_empty() || text == "-0" { "0".into() } else { text.into() }
}

fn points(points: &[(f64, f64)]) -> String {
    points.iter().map(|(x, y)| format!("{},{}", n(*x), n(*y))).collect::<Vec<_>>().join(" ")
}

/// The whole document, without an XML declaration so that it also stands inside HTML.
pub fn render(scene: &Scene) -> String {
    let (w, h) = (n(scene.width), n(scene.height));
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" role=\"img\" aria-label=\"{}\" \
         font-family=\"'DejaVu Sans', Verdana, system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif\">\n\
         <rect class=\"f-paper\" width=\"{w}\" height=\"{h}\" fill=\"#FFFFFF\"/>\n",
        escape(&scene.alt)
    );
    for shape in &scene.shapes {
        // Writing to a String cannot fail.
        let _ = write_shape(&mut out, shape);
    }
    out.push_str("</svg>\n");
    out
}

fn write_shape(out: &mut String, shape: &Shape) -> std::fmt::Result {
    match shape {
        Shape::Line { points: p, ink, width, dash, opacity } => {
            let dash = match dash {
                Dash::Solid => String::new(),
                d => d.lengths().map(|(a, b)| format!(" stroke-dasharray=\"{} {}\"", n(a), n(b))).unwrap_or_default(),
            };
            writeln!(
                out,
                "<polyline class=\"l-{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" stroke-linejoin=\"round\"{dash}{} points=\"{}\"/>",
                ink.class(),
                ink.hex(),
                n(*width),
                opacity_attribute(*opacity),
                points(p)
            )
        }
        Shape::Area { points: p, ink, opacity } => writeln!(
            out,
            "<polygon class=\"f-{}\" fill=\"{}\"{} points=\"{}\"/>",
            ink.class(),
            ink.hex(),
            opacity_attribute(*opacity),
            points(p)
        ),
        Shape::Mark { at, marker, radius, ink, hollow, tip } => {
            let paint = if *hollow {
                format!(
                    "class=\"l-{} f-paper\" fill=\"#FFFFFF\" stroke=\"{}\" stroke-width=\"1.6\"",
                    ink.class(),
                    ink.hex()
                )
            } else {
                format!(
                    "class=\"f-{} l-paper\" fill=\"{}\" stroke=\"#FFFFFF\" stroke-width=\"0.8\"",
                    ink.class(),
                    ink.hex()
                )
            };
            let tip = if tip.is_empty() { String::new() } else { format!("<title>{}</title>", escape(tip)) };
            if *marker == Marker::Circle {
                writeln!(
                    out,
                    "<circle {paint} cx=\"{}\" cy=\"{}\" r=\"{}\">{tip}</circle>",
                    n(at.0),
                    n(at.1),
                    n(*radius)
                )
            } else {
                writeln!(out, "<polygon {paint} points=\"{}\">{tip}</polygon>", points(&marker.outline(*at, *radius)))
            }
        }
        Shape::Text { at, text, size, anchor, bold, ink } => {
            let anchor = match anchor {
                Anchor::Start => "",
                Anchor::Middle => " text-anchor=\"middle\"",
                Anchor::End => " text-anchor=\"end\"",
            };
            let weight = if *bold { " font-weight=\"bold\"" } else { "" };
            writeln!(
                out,
                "<text class=\"f-{}\" fill=\"{}\" x=\"{}\" y=\"{}\" font-size=\"{}\"{anchor}{weight}>{}</text>",
                ink.class(),
                ink.hex(),
                n(at.0),
                n(at.1),
                n(*size),
                escape(text)
            )
        }
        Shape::Pixels { at, size, columns, levels } => write_pixels(out, *at, *size, *columns, levels),
    }
}

fn opacity_attribute(opacity: f64) -> String {
    if opacity < 1.0 { format!(" opacity=\"{}\"", n(opacity)) } else { String::new() }
}

/// One path per grey level with a run of equal pixels as one rectangle: sharp at any zoom, and no embedded raster.
fn write_pixels(
    out: &mut String,
    (x, y): (f64, f64),
    (w, h): (f64, f64),
    columns: usize,
    levels: &[u8],
) -> std::fmt::Result {
    if columns == 0 || levels.is_empty() {
        return Ok(());
    }
    let rows = levels.len() / columns;
    let mut paths: std::collections::BTreeMap<u8, String> = std::collections::BTreeMap::new();
    for (r, row) in levels.chunks_exact(columns).enumerate() {
        let mut c = 0;
        while c < columns {
            let start = c;
            while c < columns && row[c] == row[start] {
                c += 1;
            }
            if row[start] > 0 {
                write!(paths.entry(row[start]).or_default(), "M{start} {r}h{}v1h-{}z", c - start, c - start)?;
            }
        }
    }
    writeln!(
        out,
        "<g shape-rendering=\"crispEdges\" transform=\"translate({} {}) scale({:.5} {:.5})\">\
         <rect width=\"{columns}\" height=\"{rows}\" fill=\"#000000\"/>",
        n(x),
        n(y),
        w / columns as f64,
        h / rows as f64
    )?;
    for (level, path) in paths {
        writeln!(out, "<path fill=\"#{level:02X}{level:02X}{level:02X}\" d=\"{path}\"/>")?;
    }
    writeln!(out, "</g>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::style::Ink;

    #[test]
    fn text_is_escaped_and_tips_are_titles() {
        let mut scene = Scene::new(100.0, 50.0, "a \"b\"");
        scene.text((1.0, 2.0), "<script>", 12.0, Anchor::End, Ink::Text);
        let mark = Shape::Mark {
            at: (5.0, 5.0),
            marker: Marker::Circle,
            radius: 3.0,
            ink: Ink::Series(0),
            hollow: false,
            tip: "x < 1".into(),
        };
        scene.shapes.push(mark);
        let svg = render(&scene);
        assert!(svg.contains("&lt;script&gt;") && !svg.contains("<script>"));
        assert!(svg.contains("<title>x &lt; 1</title>") && svg.contains("aria-label=\"a &quot;b&quot;\""));
    }

    #[test]
    fn equal_pixels_become_one_run() {
        let mut scene = Scene::new(10.0, 10.0, "");
        let pixels = Shape::Pixels {
            at: (0.0, 0.0),
            size: (10.0, 10.0),
            columns: 4,
            levels: vec![255, 255, 255, 0, 0, 7, 7, 0],
        };
        scene.shapes.push(pixels);
        let svg = render(&scene);
        assert!(svg.contains("M0 0h3v1h-3z") && svg.contains("M1 1h2v1h-2z"));
        assert_eq!(svg.matches("<path").count(), 2);
    }
}
