//! From [`Results`] to files for people: `results.csv`, figures as SVG and PNG, and one self-contained `report.html`.
//!
//! Everything is made from plain results, so a report can be written again at any time. A figure is laid out once as a
//! list of shapes (`scene`) and drawn twice, as SVG and as PNG, so that the two cannot disagree; the PNG carries its
//! own font and needs none of the system. The page has no scripts and loads nothing, follows the light or dark theme of
//! its reader and prints on paper. Texts of the user (labels, titles, phases) are escaped wherever they appear.
//!
//! Order of work: `panel` picks what a figure shows, `figures`, `training` and `images` lay drawings out with
//! `line_chart` and `dot_chart`, `headline` and `warnings` compute sentences, `html` and `csv` write.

mod csv;
mod error;
mod figures;
#[cfg(test)]
pub(crate) mod fixture;
mod headline;
mod html;
mod images;
mod limit;
mod markdown;
mod markup;
mod names;
mod paired;
mod panel;
mod panels;
mod reference;
mod tables;
mod told;
mod training;
mod warnings;

use std::path::{Path, PathBuf};

use crate::container::{IoError, atomic_write};
use crate::metrics::MetricName;
use crate::plot::{png, svg};
use crate::results::Results;

pub use error::ReportError;
pub use panels::{PANELS_FILE, render as panels_markdown};

/// The files of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportFiles {
    /// `report.html`.
    pub html: PathBuf,
    /// `results.csv`.
    pub csv: PathBuf,
    /// `figures/NAME.svg` and `figures/NAME.png`.
    pub figures: Vec<PathBuf>,
}

/// The tables of the report as Markdown, all rows.
pub fn markdown(results: &Results) -> String {
    markdown::render(&with_times(results))
}

/// Writes the report into `dir`, which is made if it does not exist.
///
/// Each file is written beside its place, synced and renamed, so a kill leaves the old or the new file. Figures of an
/// older report that the results no longer contain stay where they are.
///
/// # Errors
/// [`ReportError`] naming the file or the figure.
pub fn write_report(dir: &Path, results: &Results) -> Result<ReportFiles, ReportError> {
    let folder = dir.join("figures");
    std::fs::create_dir_all(&folder).map_err(|e| IoError::write(&folder, e))?;
    let results = &with_times(results);
    let csv = dir.join("results.csv");
    atomic_write(&csv, csv::render(results).as_bytes())?;

    let panels = panel::panels(results);
    let drawings = layout(results, &panels);
    let mut figures = Vec::new();
    for drawing in drawings.panels.iter().flatten().chain(&drawings.training) {
        let vector = folder.join(format!("{}.svg", drawing.name));
        atomic_write(&vector, svg::render(&drawing.scene).as_bytes())?;
        let raster = folder.join(format!("{}.png", drawing.name));
        atomic_write(&raster, &png::encode(&drawing.scene, &folder, &drawing.name)?)?;
        figures.extend([vector, raster]);
    }
    let html = dir.join("report.html");
    atomic_write(&html, html::render(results, &panels, &drawings)?.as_bytes())?;
    Ok(ReportFiles { html, csv, figures })
}

/// Adds computation times and their ratios where a figure asks for them. They are measured anew in every run, so
/// results.json, whose metrics are reproducible, holds only the seconds.
fn with_times(results: &Results) -> Results {
    let mut results = results.clone();
    let figures = results.config.resolved_figures();
    for point in &mut results.points {
        let asked = |name| figures.iter().any(|f| f.id == point.figure && f.metrics.contains(&name));
        if asked(MetricName::FrameMs) && point.frames > 0 {
            for d in &mut point.detectors {
                let ms =
                    d.seconds.map(|s| crate::results::property(MetricName::FrameMs, 1e3 * s / point.frames as f64));
                d.metrics.extend(ms);
            }
        }
        let unit = point.detectors.iter().find(|d| !d.predicted).and_then(|d| d.seconds).filter(|s| *s > 0.0);
        let Some(unit) = unit.filter(|_| asked(MetricName::TimeRatio)) else { continue };
        for d in &mut point.detectors {
            let ratio = d.seconds.map(|s| crate::results::property(MetricName::TimeRatio, s / unit));
            d.metrics.extend(ratio);
        }
    }
    results
}

/// All drawings.
fn layout(results: &Results, panels: &[panel::Panel<'_>]) -> html::Drawings {
    html::Drawings {
        panels: panels.iter().map(|p| figures::drawings(results, p)).collect(),
        training: training::drawings(results),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_every_file_and_nothing_else() {
        let dir = temp_dir::TempDir::new().unwrap();
        let files = write_report(dir.path(), &fixture::results()).unwrap();
        let html = std::fs::read_to_string(&files.html).unwrap();
        assert!(html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>\n"));
        assert!(files.figures.len() >= 8);
        for path in &files.figures {
            let bytes = std::fs::read(path).unwrap();
            match path.extension().and_then(|e| e.to_str()) {
                Some("png") => assert!(bytes.starts_with(b"\x89PNG") && bytes.len() > 5_000, "{path:?}"),
                _ => assert!(bytes.starts_with(b"<svg") && bytes.ends_with(b"</svg>\n"), "{path:?}"),
            }
        }
        let left: usize = std::fs::read_dir(dir.path().join("figures")).unwrap().count();
        assert_eq!(left, files.figures.len(), "temporary files must be gone");
        // The same results give the same bytes.
        write_report(dir.path(), &fixture::results()).unwrap();
        assert_eq!(std::fs::read_to_string(&files.html).unwrap(), html);
    }

    #[test]
    fn times_are_added_where_a_figure_asks_for_them() {
        let mut results = fixture::results();
        results.config.figures[0].metrics = vec![MetricName::FrameMs, MetricName::TimeRatio];
        let (id, before) = (results.config.figures[0].id.clone(), results.clone());
        let timed = with_times(&results);
        let find = |d: &crate::results::DetectorResult, name: MetricName| {
            d.metrics.iter().find(|m| m.metric == name).and_then(|m| m.value)
        };
        for (point, old) in timed.points.iter().zip(&before.points) {
            for d in &point.detectors {
                let want = d.seconds.filter(|_| point.figure == id).map(|s| 1e3 * s / point.frames as f64);
                assert_eq!(find(d, MetricName::FrameMs), want, "{} {}", point.id, d.id);
            }
            assert_eq!(old.detectors[0].metrics.len() < point.detectors[0].metrics.len(), point.figure == id);
        }
    }

    #[test]
    fn odd_values_still_give_a_report() {
        let values =
            [None, Some(0.0), Some(1e-320), Some(1.0), Some(1e300), Some(-1.0), Some(f64::NAN), Some(f64::INFINITY)];
        for (i, value) in values.into_iter().enumerate() {
            let mut results = fixture::results();
            for (j, p) in results.points.iter_mut().enumerate() {
                p.x = if i % 2 == 0 { None } else { Some(value.unwrap_or(3.0)) };
                p.frames = if j % 2 == 0 { 0 } else { u64::MAX / 64 };
                for m in p.detectors.iter_mut().flat_map(|d| &mut d.metrics) {
                    (m.value, m.ci_low, m.ci_high) =
                        (value, values[(i + j) % values.len()], values[(i + 3) % values.len()]);
                    m.events = if i % 3 == 0 { None } else { Some(0) };
                }
            }
            for p in results.training.iter_mut().flat_map(|t| &mut t.curve) {
                (p.validation_ser, p.validation_loss, p.seconds) = (value, value.unwrap_or(0.0), value.unwrap_or(0.0));
            }
            let panels = panel::panels(&results);
            let drawings = layout(&results, &panels);
            let html = html::render(&results, &panels, &drawings).unwrap();
            for wrong in ["NaN", ">inf", "\"inf", "[inf", ",inf", "-inf", " inf "] {
                assert!(!html.contains(wrong), "case {i}: {wrong}");
            }
            for d in drawings.panels.iter().flatten().chain(&drawings.training) {
                assert!(d.scene.height.is_finite() && d.scene.height < 4000.0, "case {i}: {}", d.name);
            }
        }
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let dir = temp_dir::TempDir::new().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "x").unwrap();
        assert!(write_report(&file, &fixture::results()).unwrap_err().to_string().contains("file"));
    }
}
