//! Every panel of the papers and where the artifacts stand: the table of a folder with `panels.toml`.

use std::path::Path;

use serde::Deserialize;

use super::ReportError;
use super::markdown::{table, text};
use crate::container::IoError;
use crate::results::{Results, TerminationReason, read_results};

/// Name of the file with the captions.
pub const PANELS_FILE: &str = "panels.toml";

/// `panels.toml`: what the captions of the papers tell.
#[derive(Debug, Deserialize)]
struct Panels {
    panel: Vec<Panel>,
}

/// One panel of a figure, or a table.
#[derive(Debug, Clone, Deserialize)]
struct Panel {
    paper: String,
    figure: String,
    x: String,
    y: String,
    #[serde(default)]
    curves: Vec<String>,
    #[serde(default)]
    budget: String,
    config: String,
    figure_id: String,
    #[serde(default)]
    note: String,
}

/// All panels with their state as Markdown: `DIR/NAME/results.json` holds the results of `configs/NAME.toml`.
///
/// # Errors
/// [`ReportError`] when `panels.toml` cannot be read.
pub fn render(dir: &Path) -> Result<String, ReportError> {
    let path = dir.join(PANELS_FILE);
    let file = std::fs::read_to_string(&path).map_err(|e| IoError::read(&path, e))?;
    let Panels { panel: panels } = toml::from_str(&file).map_err(|e| ReportError::Panels {
        path: path.display().to_string(),
        problem: e.to_string().trim_end().into(),
    })?;
    let mut out = String::from(
        "# What the papers show, panel by panel\n\nWritten by `grantfree report artifacts --markdown` from panels.toml and the results \
         beside it. \"Ours\" names the experiment file in configs/ and the figure in it; the state is that of the committed results.\n\n",
    );
    let mut papers: Vec<&str> = panels.iter().map(|p| p.paper.as_str()).collect();
    papers.dedup();
    for paper in papers {
        let of_paper: Vec<&Panel> = panels.iter().filter(|p| p.paper == paper).collect();
        let mut budgets: Vec<String> =
            of_paper.iter().map(|p| text(&p.budget)).filter(|b| !b.is_empty() && b != "none").collect();
        budgets.sort();
        budgets.dedup();
        let trained: String = budgets.iter().map(|b| format!("- {b}\n")).collect();
        let rows: Vec<Vec<String>> = of_paper.iter().map(|p| row(dir, p)).collect();
        let head = ["figure", "x", "y", "the paper's curves", "ours", "state", "note"].map(String::from);
        out += &format!("## System {paper}\n\nTraining that the paper states:\n\n{trained}\n{}", table(&head, &rows));
    }
    Ok(out)
}

fn row(dir: &Path, p: &Panel) -> Vec<String> {
    let ours = if p.config.is_empty() { "none".into() } else { format!("{}, {}", p.config, p.figure_id) };
    [&p.figure, &p.x, &p.y, &p.curves.join("; "), &ours, &state(dir, p), &p.note].map(|s| text(s)).to_vec()
}

/// Where the results of a panel stand.
fn state(dir: &Path, p: &Panel) -> String {
    if p.config.is_empty() {
        return "no experiment file".into();
    }
    let folder = dir.join(p.config.trim_end_matches(".toml"));
    if !folder.join("results.json").exists() {
        return "not run".into();
    }
    match read_results(&folder) {
        Ok(results) => of_results(&results, &p.figure_id),
        Err(error) => format!("results cannot be read: {error}"),
    }
}

fn of_results(results: &Results, figure: &str) -> String {
    let points: Vec<_> = results.points.iter().filter(|p| p.figure == figure).collect();
    let asked = results.config.points().map_or(points.len(), |all| all.iter().filter(|p| p.figure == figure).count());
    let done = |t: TerminationReason| {
        !matches!(t, TerminationReason::Interrupted | TerminationReason::NotStarted | TerminationReason::Shard)
    };
    let finished = points.iter().filter(|p| done(p.termination)).count();
    let Some(fewest) = points.iter().map(|p| p.frames).min() else { return "not run".into() };
    let budget =
        if results.config.budget.is_empty() { String::new() } else { format!(", budget {}", results.config.budget) };
    match finished == asked {
        true => format!("done{budget}, {fewest} frames a point"),
        false => format!("{finished} of {asked} points{budget}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn states_follow_the_results() {
        let dir = temp_dir::TempDir::new().unwrap();
        let results = fixture::results();
        let figure = results.points[0].figure.clone();
        crate::results::write_results(&dir.path().join("a_fig07"), &results).unwrap();
        let panel = |config: &str, figure_id: &str| {
            format!(
                "[[panel]]\npaper = \"A\"\nfigure = \"7\"\nx = \"L\"\ny = \"ser\"\nconfig = \"{config}\"\nfigure_id = \"{figure_id}\"\n"
            )
        };
        let file =
            [panel("a_fig07.toml", &figure), panel("a_fig08.toml", "x"), panel("", ""), panel("a_fig07.toml", "other")]
                .concat();
        std::fs::write(dir.path().join(PANELS_FILE), file).unwrap();
        let page = render(dir.path()).unwrap();
        let states: Vec<&str> = page.lines().filter(|l| l.starts_with("| 7")).collect();
        assert!(states[0].contains("points") || states[0].contains("done"), "{}", states[0]);
        assert!(
            states[1].contains("not run") && states[2].contains("no experiment file") && states[3].contains("not run")
        );
        std::fs::write(dir.path().join(PANELS_FILE), "[[panel]]\nfigure = 7").unwrap();
        assert!(render(dir.path()).unwrap_err().to_string().contains("panels.toml"));
    }
}
