//! A scene as PNG, through the plotters bitmap backend.
//!
//! Drawn at four times the logical size and averaged down to twice of it: plotters works on whole pixels, and this
//! gives smooth edges to everything alike.

use std::path::Path;

use plotters::backend::BitMapBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{PathElement, Polygon, Text};
use plotters::style::{Color, FontDesc, FontFamily, FontStyle, RGBAColor, RGBColor, ShapeStyle, TextStyle};

use super::error::DrawError;
use super::scene::{Anchor, At, EM_TO_HEIGHT, FONT, Scene, Shape, register_fonts, text_width};
use super::style::{Dash, Ink};

/// Logical pixels to drawn pixels.
const DRAWN: f64 = 4.0;
/// Drawn pixels that are averaged into one, per direction.
const AVERAGED: usize = 2;

/// Any failure of plotters, as text.
#[derive(Debug)]
struct Failure(String);

impl<E: std::error::Error + Send + Sync> From<plotters::drawing::DrawingAreaErrorKind<E>> for Failure {
    fn from(error: plotters::drawing::DrawingAreaErrorKind<E>) -> Self {
        Self(error.to_string())
    }
}

type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

/// The bytes of the PNG. plotters encodes into files only, so a hidden file in `folder` serves for a moment.
///
/// # Errors
/// [`DrawError`] with what plotters says when it cannot draw or write.
pub fn encode(scene: &Scene, folder: &Path, name: &str) -> Result<Vec<u8>, DrawError> {
    let failed = |message: String| DrawError { figure: name.into(), message };
    register_fonts();
    let pixels = |v: f64| (v * DRAWN / AVERAGED as f64).ceil().max(1.0) as usize;
    let (out_w, out_h) = (pixels(scene.width), pixels(scene.height));
    let (w, h) = (out_w * AVERAGED, out_h * AVERAGED);
    let mut large = vec![255u8; w * h * 3];
    draw(scene, &mut large, (w as u32, h as u32)).map_err(|e| failed(e.0))?;
    let small = average(&large, w, out_w, out_h);
    let temporary = folder.join(format!(".{name}.{}.png", std::process::id()));
    let bytes = save(&small, (out_w as u32, out_h as u32), &temporary)
        .map_err(|e| failed(e.0))
        .and_then(|()| std::fs::read(&temporary).map_err(|e| failed(e.to_string())));
    // It may not exist after a failure, and a leftover hidden file harms nobody.
    let _ = std::fs::remove_file(&temporary);
    bytes
}

fn draw(scene: &Scene, buffer: &mut [u8], size: (u32, u32)) -> Result<(), Failure> {
    let area = BitMapBackend::with_buffer(buffer, size).into_drawing_area();
    for shape in &scene.shapes {
        draw_shape(&area, shape)?;
    }
    area.present()?;
    Ok(())
}

fn save(rgb: &[u8], size: (u32, u32), path: &Path) -> Result<(), Failure> {
    use plotters::prelude::DrawingBackend as _;
    let mut file = BitMapBackend::new(path, size);
    file.blit_bitmap((0, 0), size, rgb).map_err(|e| Failure(e.to_string()))?;
    file.present().map_err(|e| Failure(e.to_string()))
}

fn average(drawn: &[u8], w: usize, out_w: usize, out_h: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(out_w * out_h * 3);
    let count = (AVERAGED * AVERAGED) as u32;
    for y in 0..out_h {
        for x in 0..out_w {
            for c in 0..3 {
                let sum: u32 = (0..AVERAGED * AVERAGED)
                    .map(|i| {
                        u32::from(drawn[((y * AVERAGED + i / AVERAGED) * w + x * AVERAGED + i % AVERAGED) * 3 + c])
                    })
                    .sum();
                out.push(((sum + count / 2) / count) as u8);
            }
        }
    }
    out
}

fn colour(ink: Ink, opacity: f64) -> RGBAColor {
    let (r, g, b) = ink.rgb();
    RGBColor(r, g, b).mix(opacity)
}

fn drawn((x, y): At) -> (i32, i32) {
    ((x * DRAWN).round() as i32, (y * DRAWN).round() as i32)
}

fn draw_shape(area: &Area<'_>, shape: &Shape) -> Result<(), Failure> {
    match shape {
        Shape::Line { points, ink, width, dash, opacity } => {
            let style = ShapeStyle {
                color: colour(*ink, *opacity),
                filled: true,
                stroke_width: (width * DRAWN).round().max(1.0) as u32,
            };
            for piece in dashes(points, *dash) {
                stroke(area, &piece, *width, style)?;
            }
        }
        Shape::Area { points, ink, opacity } => {
            let corners: Vec<(i32, i32)> = points.iter().copied().map(drawn).collect();
            area.draw(&Polygon::new(corners, colour(*ink, *opacity)))?;
        }
        Shape::Mark { at, marker, radius, ink, hollow, .. } => {
            let fill = |r: f64, ink: Ink| -> Result<(), Failure> {
                let corners: Vec<(i32, i32)> = marker.outline(*at, r).into_iter().map(drawn).collect();
                area.draw(&Polygon::new(corners, colour(ink, 1.0)))?;
                Ok(())
            };
            let halo = radius + 0.8;
            fill(halo, if *hollow { *ink } else { Ink::Paper })?;
            fill(if *hollow { radius - 0.8 } else { *radius }, if *hollow { Ink::Paper } else { *ink })?;
        }
        Shape::Text { at, text, size, anchor, bold, ink } => {
            let left = match anchor {
                Anchor::Start => at.0,
                Anchor::Middle => at.0 - text_width(text, *size, *bold) / 2.0,
                Anchor::End => at.0 - text_width(text, *size, *bold),
            };
            let height = size * DRAWN * EM_TO_HEIGHT;
            let style = if *bold { FontStyle::Bold } else { FontStyle::Normal };
            let font = FontDesc::new(FontFamily::Name(FONT), height, style);
            // plotters puts the baseline half a text size below the upper edge of the text.
            let (x, y) = drawn((left, at.1));
            let colour = colour(*ink, 1.0);
            let style = TextStyle::from(font).color(&colour);
            area.draw(&Text::new(text.as_str(), (x, y - (height / 2.0) as i32), style))?;
        }
        Shape::Pixels { at, size, columns, levels } => draw_pixels(area, *at, *size, *columns, levels)?,
    }
    Ok(())
}

/// Segment by segment with round joints: plotters' own thick path shows spikes at sharp corners.
fn stroke(area: &Area<'_>, points: &[At], width: f64, style: ShapeStyle) -> Result<(), Failure> {
    for pair in points.windows(2) {
        area.draw(&PathElement::new(vec![drawn(pair[0]), drawn(pair[1])], style))?;
    }
    if width >= 1.5 && points.len() > 2 {
        for at in &points[1..points.len() - 1] {
            let joint = super::style::Marker::Circle.outline(*at, width / 2.0);
            area.draw(&Polygon::new(joint.into_iter().map(drawn).collect::<Vec<_>>(), style.color))?;
        }
    }
    Ok(())
}

/// Cuts a line into its dashes.
fn dashes(points: &[At], dash: Dash) -> Vec<Vec<At>> {
    let Some((ink, gap)) = dash.lengths() else { return vec![points.to_vec()] };
    let (mut pieces, mut piece, mut on, mut left) = (Vec::new(), Vec::new(), true, ink);
    for pair in points.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        let length = (b.0 - a.0).hypot(b.1 - a.1);
        let at = |s: f64| (a.0 + (b.0 - a.0) * s / length, a.1 + (b.1 - a.1) * s / length);
        let mut walked = 0.0;
        if on && piece.is_empty() {
            piece.push(a);
        }
        while length - walked > left {
            walked += left;
            if on {
                piece.push(at(walked));
                pieces.push(std::mem::take(&mut piece));
            } else {
                piece.push(at(walked));
            }
            on = !on;
            left = if on { ink } else { gap };
        }
        left -= length - walked;
        if on {
            piece.push(b);
        }
    }
    if piece.len() > 1 {
        pieces.push(piece);
    }
    pieces
}

fn draw_pixels(area: &Area<'_>, at: At, size: At, columns: usize, levels: &[u8]) -> Result<(), Failure> {
    if columns == 0 || levels.is_empty() {
        return Ok(());
    }
    let rows = levels.len() / columns;
    let (w, h) = (size.0 / columns as f64, size.1 / rows as f64);
    for (i, level) in levels.iter().enumerate() {
        let (x, y) = (at.0 + (i % columns) as f64 * w, at.1 + (i / columns) as f64 * h);
        let (from, to) = (drawn((x, y)), drawn((x + w, y + h)));
        let style = ShapeStyle { color: RGBColor(*level, *level, *level).mix(1.0), filled: true, stroke_width: 0 };
        area.draw(&plotters::element::Rectangle::new([from, to], style))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::style::Marker;

    #[test]
    fn dashes_cover_their_share_of_the_line() {
        let line = [(0.0, 0.0), (30.0, 40.0), (130.0, 40.0)];
        let pieces = dashes(&line, Dash::Dashed);
        let length: f64 = pieces
            .iter()
            .flat_map(|p| p.windows(2).map(|w| (w[1].0 - w[0].0).hypot(w[1].1 - w[0].1)).collect::<Vec<_>>())
            .sum();
        assert!((length / 150.0 - 0.6).abs() < 0.03, "{length}");
        assert_eq!(dashes(&line, Dash::Solid), vec![line.to_vec()]);
    }

    #[test]
    fn shapes_land_where_they_belong() {
        let mut scene = Scene::new(60.0, 40.0, "");
        scene.rectangle((0.0, 0.0), (30.0, 40.0), Ink::Series(0), 1.0);
        let mark = Shape::Mark {
            at: (45.0, 20.0),
            marker: Marker::Square,
            radius: 5.0,
            ink: Ink::Series(1),
            hollow: false,
            tip: String::new(),
        };
        scene.shapes.push(mark);
        let (w, h) = (240usize, 160usize);
        let mut buffer = vec![255u8; w * h * 3];
        draw(&scene, &mut buffer, (w as u32, h as u32)).unwrap();
        let pixel = |x: usize, y: usize| {
            let i = (y * w + x) * 3;
            (buffer[i], buffer[i + 1], buffer[i + 2])
        };
        assert_eq!(pixel(60, 80), Ink::Series(0).rgb());
        assert_eq!(pixel(180, 80), Ink::Series(1).rgb());
        assert_eq!(pixel(230, 150), (255, 255, 255));
    }

    #[test]
    fn text_leaves_ink_between_baseline_and_cap_height() {
        let mut scene = Scene::new(60.0, 40.0, "");
        scene.text((10.0, 30.0), "H", 20.0, Anchor::Start, Ink::Text);
        let (w, h) = (240usize, 160usize);
        let mut buffer = vec![255u8; w * h * 3];
        draw(&scene, &mut buffer, (w as u32, h as u32)).unwrap();
        let inked: Vec<usize> =
            (0..h).filter(|y| buffer[y * w * 3..(y + 1) * w * 3].iter().any(|v| *v < 128)).collect();
        let (top, bottom) = (inked[0] as f64 / DRAWN, inked[inked.len() - 1] as f64 / DRAWN);
        // Cap height of DejaVu Sans: 1493/2048 em.
        assert!((bottom - 30.0).abs() < 1.0 && (bottom - top - 20.0 * 0.729).abs() < 1.0, "{top} {bottom}");
    }
}
