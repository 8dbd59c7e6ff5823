//! `grantfree run`: train what is needed, simulate, report.

use super::error::{CliError, note, say};
use super::{DeviceArgs, RunArgs, Shard, WorkArgs};
use crate::cli::interrupt;
use crate::cli::progress::observer;
use crate::config::{DetectorConfig, Experiment};
use crate::container::Bundle;
use crate::experiment::{Mode, Outcome, Settings, execute as execute_experiment, load_detector_as};
use crate::link::Detector;
use crate::metrics::MetricName;
use crate::tensor::choose;

use super::train_progress::train_observer;

/// Trains what the experiment needs, simulates it and writes results and report.
///
/// # Errors
/// [`CliError`].
pub fn execute(args: &RunArgs) -> Result<(), CliError> {
    let outcome = start(&args.config, &args.work, args.shard.shard, Mode::Run)?;
    finish(&outcome)
}

/// Loads the experiment, opens the device and runs the asked-for part.
pub(super) fn start(
    config: &std::path::Path,
    work: &WorkArgs,
    shard: Option<Shard>,
    mode: Mode,
) -> Result<Outcome, CliError> {
    let experiment = Experiment::load(config, &work.experiment.assignments())?;
    Ok(execute_experiment(&experiment, &settings(&experiment.name, work, shard, mode)?)?)
}

/// Opens the device and the folder; `name` is the experiment's.
pub(super) fn settings(name: &str, work: &WorkArgs, shard: Option<Shard>, mode: Mode) -> Result<Settings, CliError> {
    let device = choose(work.device.backend).map_err(|e| CliError::Other(Box::new(e)))?;
    note(&device.note);
    let out = work.out.folder(name);
    note(&format!("{name}: results in {}", out.display()));
    Ok(Settings {
        out,
        mode,
        fresh: work.resume.fresh,
        shard: shard.map(|s| (s.index, s.count)),
        device,
        interrupt: interrupt::install()?,
        observer: observer(work.progress.progress),
        train_observer: train_observer(work.progress.progress),
    })
}

/// Prints what was measured; an interrupted run ends with its own exit code.
pub(super) fn finish(outcome: &Outcome) -> Result<(), CliError> {
    for t in &outcome.results.training {
        say(&format!(
            "trained {} at {}: {} parameters, {} steps, {:.0} s, {}",
            t.label, t.point, t.parameters, t.steps, t.seconds, t.bundle
        ))?;
    }
    for point in &outcome.results.points {
        say(&format!("{} ({}), {} frames", point.id, point.x_label, point.frames))?;
        for d in &point.detectors {
            let number = |v: Option<f64>| v.map_or("-".into(), |v| format!("{v:.3e}"));
            let shown: Vec<String> = [MetricName::Ser, MetricName::Ber]
                .into_iter()
                .filter_map(|name| d.metrics.iter().find(|m| m.metric == name))
                .filter(|m| m.metric == MetricName::Ser || m.value.is_some())
                .map(|m| {
                    let (value, low, high) = (number(m.value), number(m.ci_low), number(m.ci_high));
                    format!("{} {value} [{low}, {high}]", m.metric.abbreviation())
                })
                .collect();
            if !shown.is_empty() {
                say(&format!("  {:<40} {}", d.label, shown.join("  ")))?;
            }
        }
    }
    if let Some(report) = &outcome.report {
        say(&format!("report: {}", report.display()))?;
    }
    if outcome.interrupted { Err(CliError::Interrupted) } else { Ok(()) }
}

/// Builds the detector of a verified bundle on the chosen backend, with the options that an experiment gives it where it
/// comes from one.
///
/// # Errors
/// [`CliError`].
pub(super) fn load_detector(
    bundle: &Bundle,
    device: &DeviceArgs,
    config: Option<&DetectorConfig>,
) -> Result<Box<dyn Detector>, CliError> {
    let device = choose(device.backend).map_err(|e| CliError::Other(Box::new(e)))?;
    note(&device.note);
    Ok(load_detector_as(bundle.dir(), &device, config)?)
}
