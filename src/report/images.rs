//! Grey images of one figure side by side, nearest neighbour.

use crate::results::GreyImage;

use crate::plot::scene::{Anchor, Scene, Shape, text_width, wrap};
use crate::plot::style::{Dash, Ink};

const WIDTH: f64 = 900.0;
/// Height of an image on the page.
const HEIGHT: f64 = 340.0;
/// Rows and columns beyond this are averaged in blocks: no page shows more.
const LARGEST: usize = 512;

/// Lays the images out in rows; `None` without a usable image.
pub fn scene(title: &str, images: &[&GreyImage]) -> Option<Scene> {
    let usable: Vec<&&GreyImage> = images
        .iter()
        .filter(|i| i.rows > 0 && i.columns > 0 && i.rows.checked_mul(i.columns) == Some(i.pixels.len()))
        .collect();
    if usable.is_empty() {
        return None;
    }
    let mut scene = Scene::new(WIDTH, 0.0, title);
    let mut top =
        scene.heading(title, "Grey levels: smallest value black, largest white, each image on its own scale.");
    let (mut x, mut lowest) = (16.0, top);
    for image in usable {
        let (w, h) = page_size(image.rows, image.columns);
        let cell = cell_width(&image.title, w);
        if x + cell > WIDTH - 8.0 && x > 16.0 {
            x = 16.0;
            top = lowest + 12.0;
        }
        let lines = wrap(&image.title, cell - 8.0, 12.5, false);
        let mut y = top;
        for line in &lines {
            y += 16.0;
            scene.text((x, y), line, 12.5, Anchor::Start, Ink::Text);
        }
        // Titles of one or two lines leave the images of a row level.
        let at = (x, top + 16.0 * (lines.len().max(2) as f64) + 8.0);
        let (columns, levels) = grey_levels(image);
        scene.shapes.push(Shape::Pixels { at, size: (w, h), columns, levels });
        let corners = vec![at, (at.0 + w, at.1), (at.0 + w, at.1 + h), (at.0, at.1 + h), at];
        scene.line(corners, Ink::Axis, 0.8, Dash::Solid);
        let size = format!("{} × {}", image.rows, image.columns);
        scene.text((x, at.1 + h + 16.0), &size, 11.0, Anchor::Start, Ink::Muted);
        lowest = lowest.max(at.1 + h + 24.0);
        x += cell + 20.0;
    }
    scene.height = lowest + 8.0;
    Some(scene)
}

/// Tall narrow matrices are stretched sideways (up to eight times) so that single columns can be told apart.
fn page_size(rows: usize, columns: usize) -> (f64, f64) {
    let (r, c) = (rows as f64, columns as f64);
    let (w, h) = if r >= c { (HEIGHT * c / r, HEIGHT) } else { (HEIGHT, HEIGHT * r / c) };
    (w.max((8.0 * w).min(96.0)), h.max((8.0 * h).min(96.0)))
}

fn cell_width(title: &str, image: f64) -> f64 {
    image.max(96.0).max((text_width(title, 12.5, false) / 2.0 + 24.0).min(180.0))
}

/// Scaled to 0..=255; pixels that are not numbers are black, a constant image is black when 0 and white otherwise.
fn grey_levels(image: &GreyImage) -> (usize, Vec<u8>) {
    let (rows, columns, pixels) = reduce(image);
    let finite = || pixels.iter().copied().filter(|p| p.is_finite());
    let (low, high) = finite().fold((f32::INFINITY, f32::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
    let level = |v: f32| {
        if !v.is_finite() {
            0
        } else if high > low {
            ((v - low) / (high - low) * 255.0).round() as u8
        } else if v > 0.0 {
            255
        } else {
            0
        }
    };
    debug_assert_eq!(rows * columns, pixels.len());
    (columns, pixels.iter().map(|v| level(*v)).collect())
}

fn reduce(image: &GreyImage) -> (usize, usize, Vec<f32>) {
    let (br, bc) = (image.rows.div_ceil(LARGEST), image.columns.div_ceil(LARGEST));
    if br == 1 && bc == 1 {
        return (image.rows, image.columns, image.pixels.clone());
    }
    let (rows, columns) = (image.rows.div_ceil(br), image.columns.div_ceil(bc));
    let mut out = Vec::with_capacity(rows * columns);
    for r in 0..rows {
        for c in 0..columns {
            let (r1, c1) = (((r + 1) * br).min(image.rows), ((c + 1) * bc).min(image.columns));
            let (mut sum, mut count) = (0.0, 0.0);
            for y in r * br..r1 {
                for v in &image.pixels[y * image.columns + c * bc..y * image.columns + c1] {
                    sum += v;
                    count += 1.0;
                }
            }
            out.push(sum / count);
        }
    }
    (rows, columns, out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(rows: usize, columns: usize, pixels: Vec<f32>) -> GreyImage {
        GreyImage { figure: "f".into(), title: "t".into(), rows, columns, pixels }
    }

    #[test]
    fn levels_span_black_to_white() {
        let (columns, levels) = grey_levels(&image(2, 2, vec![-1.0, 0.0, 1.0, f32::NAN]));
        assert_eq!((columns, levels), (2, vec![0, 128, 255, 0]));
        assert_eq!(grey_levels(&image(1, 2, vec![0.0, 0.0])).1, vec![0, 0]);
    }

    #[test]
    fn large_images_are_averaged() {
        let big = image(1024, 2, (0..2048).map(|i| if (i / 2) % 2 == 0 { 0.0 } else { 1.0 }).collect());
        let (rows, columns, pixels) = reduce(&big);
        assert_eq!((rows, columns), (512, 2));
        assert!(pixels.iter().all(|p| (*p - 0.5).abs() < 1e-6));
    }

    #[test]
    fn wrong_shapes_are_left_out() {
        assert!(scene("t", &[&image(2, 2, vec![0.0; 3])]).is_none());
        assert!(scene("t", &[]).is_none());
    }
}
