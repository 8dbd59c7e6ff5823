//! `grantfree tune`: options of a detector by grid search on validation frames.

use super::TuneArgs;
use super::error::{CliError, note, say};
use super::run::settings;
use crate::config::{Assignment, Experiment};
use crate::experiment::{Grid, Mode, Search, Tried, tune};

/// Tries every combination, prints them from the best on and writes the report.
///
/// # Errors
/// [`CliError`]: code 2 for an unknown detector, option or metric.
pub fn execute(args: &TuneArgs) -> Result<(), CliError> {
    let experiment = Experiment::load(&args.config, &args.work.experiment.assignments())?;
    let search = Search {
        detector: args.detector.clone(),
        grids: args.grid.iter().map(grid).collect::<Result<_, _>>()?,
        metric: args.metric,
        frames: args.frames,
    };
    let settings = settings(&format!("{}-tune-{}", experiment.name, args.detector), &args.work, None, Mode::Run)?;
    let tuned = tune(&experiment, &search, &settings)?;
    if tuned.outcome.interrupted {
        return Err(CliError::Interrupted);
    }
    say(&format!("{:>12} {:>26} {:>9}  options", args.metric.to_string(), "95 % interval", "seconds"))?;
    for row in &tuned.tried {
        say(&line(row))?;
    }
    if let Some(best) = tuned.tried.first().filter(|t| t.value.is_some()) {
        let set = |(key, value): &(String, toml::Value)| format!("--set detectors.{}.{key}={value}", args.detector);
        say(&format!("best: {}", best.options.iter().map(set).collect::<Vec<_>>().join(" ")))?;
    } else {
        note("no combination has a value: the metric does not belong to the detector");
    }
    if let Some(report) = &tuned.outcome.report {
        say(&format!("report: {}", report.display()))?;
    }
    Ok(())
}

fn grid(assignment: &Assignment) -> Result<Grid, CliError> {
    match &assignment.value {
        toml::Value::Array(values) => Ok(Grid { key: assignment.key.clone(), values: values.clone() }),
        other => Err(CliError::Usage(format!(
            "--grid {}={other}: expected a list of values, for example --grid '{}=[{other}]'",
            assignment.key, assignment.key
        ))),
    }
}

fn line(row: &Tried) -> String {
    let number = |v: Option<f64>| v.map_or("-".to_owned(), |v| format!("{v:.4}"));
    let interval = row.interval.map_or("-".to_owned(), |(low, high)| format!("[{low:.4}, {high:.4}]"));
    let options: Vec<String> = row.options.iter().map(|(k, v)| format!("{k} = {v}")).collect();
    format!("{:>12} {interval:>26} {:>9}  {}", number(row.value), number(row.seconds), options.join(", "))
}
