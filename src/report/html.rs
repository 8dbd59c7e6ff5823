//! `report.html`: one file, no scripts, nothing loaded from elsewhere.

use crate::metrics::MetricName;
use crate::results::Results;

use super::error::ReportError;
use super::figures::Drawing;
use super::markup::bullets;
use super::panel::Panel;
use super::training::is_race;
use crate::plot::format::{escape, integer};
use crate::plot::svg;
use crate::report::{headline, paired, reference, tables, warnings};

/// The drawings of the whole report.
pub struct Drawings {
    /// Those of each panel, in the order of the panels.
    pub panels: Vec<Vec<Drawing>>,
    /// Training curves.
    pub training: Vec<Drawing>,
}

/// The whole document.
///
/// # Errors
/// [`ReportError::Config`] when the configuration does not serialise as TOML.
pub fn render(results: &Results, panels: &[Panel<'_>], drawings: &Drawings) -> Result<String, ReportError> {
    let title = escape(results.config.display_title());
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>\n{}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n",
        include_str!("report.css")
    );
    out += &lead(results);
    out += &navigation(results, panels);
    if !results.config.description.trim().is_empty() {
        out += &format!("<p class=\"description\">{}</p>\n", escape(results.config.description.trim()));
    }
    out += &list("warnings", "Read this first", &warnings::warnings(results, panels));
    out += &headlines(panels);
    for (i, (panel, drawn)) in panels.iter().zip(&drawings.panels).enumerate() {
        out += &figure_section(results, panel, drawn, i);
    }
    out += &training_section(results, &drawings.training);
    out += &complexity_section(results, panels);
    out += &reference::assumptions(results);
    out += &reference::conventions(panels);
    out += &reference::provenance(results)?;
    out += "<footer>Written by grantfree from results.json. The same numbers, unrounded: results.csv.</footer>\n</main>\n</body>\n</html>\n";
    Ok(out)
}

fn lead(results: &Results) -> String {
    let frames: u64 = results.points.iter().map(|p| p.frames).sum();
    let points = results.points.iter().filter(|p| p.frames > 0).count();
    let budget = if results.config.budget.is_empty() {
        String::new()
    } else {
        format!(", budget “{}”", escape(&results.config.budget))
    };
    format!(
        "<p class=\"lead\">{} {} and {} frames, seed {}{budget}. All detectors of a point saw the same frames.</p>\n",
        integer(points as u64),
        if points == 1 { "point" } else { "points" },
        integer(frames),
        results.seed
    )
}

fn navigation(results: &Results, panels: &[Panel<'_>]) -> String {
    let mut links = String::new();
    for (i, panel) in panels.iter().enumerate() {
        links += &format!("<a href=\"#figure-{i}\">{}</a> ", escape(panel.title()));
    }
    if !results.training.is_empty() {
        links += "<a href=\"#training\">Training</a> ";
    }
    links += "<a href=\"#complexity\">Complexity</a> <a href=\"#assumptions\">Assumptions</a> <a href=\"#conventions\">Conventions</a> \
              <a href=\"#provenance\">Provenance</a>";
    format!("<nav>{links}</nav>\n")
}

fn list(class: &str, title: &str, items: &[String]) -> String {
    if items.is_empty() {
        return String::new();
    }
    format!("<section class=\"{class}\"><h2>{title}</h2>\n{}</section>\n", bullets(items))
}

fn headlines(panels: &[Panel<'_>]) -> String {
    let mut body = String::new();
    for panel in panels {
        let sentences = headline::summary(panel);
        if sentences.is_empty() {
            continue;
        }
        if panels.len() > 1 {
            body += &format!("<h3>{}</h3>\n", escape(panel.title()));
        }
        body += &format!("{}\n", bullets(&sentences));
    }
    if body.is_empty() {
        return body;
    }
    format!("<section class=\"headlines\"><h2>What the data say</h2>\n{body}</section>\n")
}

fn embed(drawing: &Drawing) -> String {
    let name = escape(&drawing.name);
    format!(
        "<figure>\n{}<figcaption>Files: figures/{name}.svg, figures/{name}.png</figcaption>\n</figure>\n",
        svg::render(&drawing.scene)
    )
}

fn figure_section(results: &Results, panel: &Panel<'_>, drawn: &[Drawing], index: usize) -> String {
    let mut out = format!("<section id=\"figure-{index}\"><h2>{}</h2>\n", escape(panel.title()));
    if !panel.figure.set.is_empty() {
        let changes: Vec<String> = panel
            .figure
            .set
            .iter()
            .map(|(k, v)| format!("<code>{} = {}</code>", escape(k), escape(&v.to_string())))
            .collect();
        out += &format!("<p>Changed for this figure: {}.</p>\n", changes.join(", "));
    }
    out += &drawn.iter().map(embed).collect::<String>();
    if panel.points.is_empty() {
        if !results.images.iter().any(|i| i.figure == panel.figure.id) {
            out += "<p>No point of this figure has been simulated.</p>\n";
        }
        return out + "</section>\n";
    }
    if panel.points.len() > 1 {
        let sentences: Vec<String> = panel.points.iter().filter_map(|p| headline::at_point(panel, p)).collect();
        if !sentences.is_empty() {
            let words = bullets(&sentences);
            out += &format!("<details><summary>Point by point in words</summary>\n{words}</details>\n");
        }
    }
    let measured = panel.metrics();
    let (drawn, rest): (Vec<MetricName>, Vec<MetricName>) =
        measured.into_iter().partition(|m| panel.figure.metrics.contains(m));
    if !drawn.is_empty() {
        out += &tables::values(panel, &drawn);
    }
    if !rest.is_empty() {
        out += &format!(
            "<details><summary>Other metrics of these frames</summary>\n{}</details>\n",
            tables::values(panel, &rest)
        );
    }
    out += &format!(
        "<details><summary>What each detector was told, and what was chosen for it</summary>\n{}</details>\n",
        tables::knowledge(panel)
    );
    out += &paired::matrices(panel);
    out + "</section>\n"
}

fn training_section(results: &Results, drawn: &[Drawing]) -> String {
    if results.training.is_empty() {
        return String::new();
    }
    let mut out = "<section id=\"training\"><h2>Training</h2>\n".to_owned();
    out += &tables::training(&results.training);
    let (race, single): (Vec<&Drawing>, Vec<&Drawing>) = drawn.iter().partition(|d| is_race(d));
    out += &race.into_iter().map(embed).collect::<String>();
    let curves: String = single.iter().map(|d| embed(d)).collect();
    if !curves.is_empty() {
        let open = if single.len() <= 4 { " open" } else { "" };
        out += &format!(
            "<details{open}><summary>Loss and validation SER of each network against steps</summary>\n{curves}</details>\n"
        );
    }
    out + "</section>\n"
}

fn complexity_section(results: &Results, panels: &[Panel<'_>]) -> String {
    let mut seen = Vec::new();
    let mut out = String::new();
    for panel in panels {
        let table = tables::complexity(results, panel);
        if !table.is_empty() {
            seen.push((panel.title().to_owned(), table));
        }
    }
    if seen.is_empty() {
        return out;
    }
    out += "<section id=\"complexity\"><h2>Complexity, counted and measured</h2>\n\
            <p>Real multiplications per frame from the equations, n = NQ columns, L symbols, M antennas; a complex product counts 4, additions and \
            work per column that does not grow with L or M count nothing. Measured time is what the simulation spent inside each \
            detector, so it depends on the machine, its threads and how well each algorithm uses them.</p>\n";
    for (i, (title, table)) in seen.iter().enumerate() {
        if i == 0 {
            out += &format!("<h3>{}</h3>\n{table}", escape(title));
        } else {
            out += &format!("<details><summary>{}</summary>\n{table}</details>\n", escape(title));
        }
    }
    out + "</section>\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{fixture, layout};

    fn page(results: &Results) -> String {
        let panels = crate::report::panel::panels(results);
        render(results, &panels, &layout(results, &panels)).unwrap()
    }

    #[test]
    fn the_page_stands_alone() {
        let html = page(&fixture::results());
        for outside in ["<script", "<link", "<img", "@import", "url(", "src="] {
            assert!(!html.contains(outside), "{outside}");
        }
        assert_eq!(
            html.matches("http").count(),
            html.matches("http://www.w3.org/2000/svg").count(),
            "only the SVG name space"
        );
    }

    #[test]
    fn every_text_of_the_user_is_escaped() {
        let mut results = fixture::results();
        let evil = "<img src=x onerror=alert(1)>\"'&";
        results.config.title = evil.into();
        results.config.description = evil.into();
        results.config.figures[0].title = Some(evil.into());
        for p in &mut results.points {
            p.x_label = evil.into();
            for d in &mut p.detectors {
                d.label = evil.into();
            }
        }
        for t in &mut results.training {
            t.label = evil.into();
            t.termination = evil.into();
            t.bundle = evil.into();
            t.curve.iter_mut().for_each(|p| p.phase = evil.into());
        }
        for i in &mut results.images {
            i.title = evil.into();
        }
        results.machine.cpu = evil.into();
        results.machine.adapter = Some(evil.into());
        let html = page(&results);
        assert!(!html.contains("<img"), "unescaped user text");
        assert!(html.contains("&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;"));
    }

    #[test]
    fn null_is_a_dash_and_zero_events_a_bound() {
        let html = page(&fixture::results());
        assert!(html.contains("<td>—</td>"));
        assert!(html.contains("bound 3/n") && html.contains("no error event was seen"));
    }

    #[test]
    fn an_empty_run_is_still_a_report() {
        let mut results = fixture::results();
        results.points.clear();
        results.training.clear();
        results.images.clear();
        let html = page(&results);
        assert!(html.contains("No point of this figure has been simulated") && html.contains("Not simulated"));
    }
}
