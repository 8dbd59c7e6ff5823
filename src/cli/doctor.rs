//! `grantfree doctor`: what this build can run on, and whether it computes correctly there.

use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use burn::optim::GradientsParams;
use burn::tensor::Device;

use super::DoctorArgs;
use super::error::{CliError, say};
use crate::scenario::ScenarioConfig;
use crate::systems::mampnet::MampTask;
use crate::systems::mampnet::ModelConfig;
use crate::tensor::{Adapter, BackendChoice, Chosen, adapters, choose};
use crate::training::{TrainTask, TrainingConfig, parameters};

/// Largest relative difference of a loss or a gradient that single precision explains; measured are 1e-6 to 1e-5.
const TOLERANCE: f64 = 1e-3;

/// Prints features, adapters, the choice of `auto`, and a training step on every backend beside the first one.
///
/// # Errors
/// [`CliError`] (code 1) when the backend of `--backend`, by default the one `auto` chooses, is missing or fails.
pub fn execute(args: &DoctorArgs) -> Result<(), CliError> {
    say(&format!(
        "grantfree {} on {} {}, {} threads\nfeatures: {}\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
        rayon::current_num_threads(),
        features()
    ))?;
    say(&match guarded(|| Ok(adapters())) {
        Ok(found) if found.is_empty() && cfg!(feature = "wgpu") => "graphics adapters: none found\n".into(),
        Ok(found) if found.is_empty() => "graphics adapters: not searched, this build has no wgpu\n".into(),
        Ok(found) => adapter_table(&found),
        Err(why) => format!("graphics adapters: the search failed: {why}\n"),
    })?;
    let wanted = args.device.backend;
    let chosen = guarded(|| choose(wanted).map_err(|e| e.to_string()));
    say(&match &chosen {
        Ok(chosen) => format!("--backend {}: {}\n", wanted.name(), chosen.note),
        Err(why) => format!("--backend {}: not usable: {why}\n", wanted.name()),
    })?;
    let rows = smoke_tests();
    say(table(&["backend", "result", "loss", "gradient", "first step", "next step", "device"], &rows).trim_end())?;
    let name = chosen.map_err(|why| CliError::Other(why.into()))?.name;
    match rows.iter().find(|row| row[0] == name) {
        Some(row) if row[1] == OK => Ok(()),
        _ => {
            let message = format!("backend {name}, which --backend {} chooses, failed its test step", wanted.name());
            Err(CliError::Other(message.into()))
        }
    }
}

const OK: &str = "ok";

/// Cargo features, those in this build and those not.
fn features() -> String {
    let all = [
        ("flex", cfg!(feature = "flex")),
        ("ndarray", cfg!(feature = "ndarray")),
        ("wgpu", cfg!(feature = "wgpu")),
        ("vulkan", cfg!(feature = "vulkan")),
        ("metal", cfg!(feature = "metal")),
    ];
    let pick = |on: bool| all.iter().filter(|f| f.1 == on).map(|f| f.0).collect::<Vec<_>>().join(", ");
    let missing = pick(false);
    if missing.is_empty() { pick(true) } else { format!("{} (not compiled: {missing})", pick(true)) }
}

fn adapter_table(found: &[Adapter]) -> String {
    let rows: Vec<_> = found
        .iter()
        .map(|a| {
            let software = if a.is_software() { "software" } else { "hardware" };
            [a.name.clone(), a.api.clone(), a.kind.clone(), software.into(), a.driver.clone()]
        })
        .collect();
    table(&["graphics adapter", "API", "type", "rendering", "driver"], &rows)
}

/// Columns as wide as their widest entry, two blanks between them.
fn table<const N: usize>(header: &[&str; N], rows: &[[String; N]]) -> String {
    let width = |i: usize| rows.iter().map(|r| r[i].chars().count()).chain([header[i].len()]).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in std::iter::once(header.map(str::to_owned)).chain(rows.iter().cloned()) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// One row of the table per backend: name, result, two differences, two times, device or reason.
fn smoke_tests() -> Vec<[String; 7]> {
    let mut reference: Option<Step> = None;
    // The CPU ones come first: the first backend that works is the reference of the others.
    BackendChoice::ALL
        .into_iter()
        .filter(|choice| *choice != BackendChoice::Auto)
        .map(|choice| {
            let none = || "-".to_owned();
            let row = |result: &str, cells: [String; 4], last: String| {
                let [a, b, c, d] = cells;
                [choice.name().into(), result.into(), a, b, c, d, last]
            };
            let chosen = match guarded(|| choose(choice).map_err(|e| e.to_string())) {
                Ok(chosen) => chosen,
                Err(why) => return row("unavailable", [none(), none(), none(), none()], why),
            };
            let begin = Instant::now();
            let first = guarded(|| training_step(&chosen.device));
            let middle = Instant::now();
            let steps = first.and_then(|first| Ok((first, guarded(|| training_step(&chosen.device))?)));
            let seconds = [middle - begin, middle.elapsed()];
            let step = match steps {
                Ok((first, again)) if first.difference(&again) <= [TOLERANCE; 2] => again,
                Ok(_) => {
                    let why = format!("two equal steps differ; {}", where_it_ran(&chosen));
                    return row("FAILED", [none(), none(), none(), none()], why);
                }
                Err(why) => {
                    let why = format!("{why}; {}", where_it_ran(&chosen));
                    return row("FAILED", [none(), none(), none(), none()], why);
                }
            };
            let [first, next] = seconds.map(|t| format!("{:.1} ms", 1e3 * t.as_secs_f64()));
            let Some(reference) = &reference else {
                let cells = [format!("{:.6}", step.loss), format!("{:.6}", step.norm()), first, next];
                reference = Some(step);
                return row(OK, cells, where_it_ran(&chosen));
            };
            let difference = reference.difference(&step);
            let good = difference.iter().all(|d| *d <= TOLERANCE);
            let [loss, gradient] = difference.map(|d| format!("diff {d:.1e}"));
            row(if good { OK } else { "FAILED" }, [loss, gradient, first, next], where_it_ran(&chosen))
        })
        .collect()
}

fn where_it_ran(chosen: &Chosen) -> String {
    match &chosen.adapter {
        Some(a) if a.is_software() => format!("{} ({}, software)", a.name, a.api),
        Some(a) => format!("{} ({})", a.name, a.api),
        None => "CPU".into(),
    }
}

/// Loss and gradient of one training step.
struct Step {
    loss: f64,
    gradient: Vec<f64>,
}

impl Step {
    fn norm(&self) -> f64 {
        self.gradient.iter().map(|g| g * g).sum::<f64>().sqrt()
    }

    /// Relative differences of loss and gradient; infinite where the gradients have different sizes.
    fn difference(&self, other: &Self) -> [f64; 2] {
        let loss = (self.loss - other.loss).abs() / self.loss.abs();
        if self.gradient.len() != other.gradient.len() {
            return [loss, f64::INFINITY];
        }
        let squares: f64 = self.gradient.iter().zip(&other.gradient).map(|(a, b)| (a - b).powi(2)).sum();
        [loss, squares.sqrt() / self.norm()]
    }
}

/// Forward and backward pass of a small network with learned pilots, two AMP layers and a covariance layer on eight
/// simulated frames: every fused kernel and its gradient, matrix products, reductions and element-wise functions.
fn training_step(device: &Device) -> Result<Step, String> {
    let scenario = ScenarioConfig { devices: 12, antennas: 4, pilot_length: 10, ..ScenarioConfig::default() };
    let model = ModelConfig { layers: 2, covariance_layers: 1, learn_pilots: true, ..ModelConfig::default() };
    let training = TrainingConfig { batch: 8, validation_frames: 1, ..TrainingConfig::default() };
    let task = MampTask::new("doctor", &scenario, 1, &model, &training, device).map_err(|e| e.to_string())?;
    let phase = task.phases()[0].clone();
    let net = task.init();
    let batch = task.batch(0, &phase).map_err(|e| e.to_string())?;
    let loss = task.loss(&net, &batch, &phase);
    let grads = GradientsParams::from_grads(loss.backward(), &net);
    let mut step =
        Step { loss: loss.try_into_scalar::<f32>().map_err(|e| format!("{e:?}"))?.into(), gradient: Vec::new() };
    for parameter in parameters(&net) {
        // What only a further layer would use (the last step sizes and Onsager factor) has no gradient.
        let Some(gradient) = grads.get::<2>(parameter.id) else { continue };
        let data = gradient.try_into_data().map_err(|e| e.to_string())?;
        step.gradient.extend(data.convert::<f64>().try_into_vec::<f64>().map_err(|e| format!("{e:?}"))?);
    }
    let norm = step.norm();
    if step.loss.is_finite() && norm.is_finite() && norm > 0.0 {
        Ok(step)
    } else {
        Err(format!("loss {} and gradient norm {norm} are not usable numbers", step.loss))
    }
}

/// Runs code of a driver: a panic, on this thread or on a thread of the driver, becomes an error with its message.
fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let seen = Arc::new(Mutex::new(None));
    let record = Arc::clone(&seen);
    let previous = take_hook();
    set_hook(Box::new(move |info| {
        let message = info.payload_as_str().unwrap_or("panic").to_owned();
        if let Ok(mut first) = record.lock() {
            first.get_or_insert(message);
        }
    }));
    let result = catch_unwind(AssertUnwindSafe(work));
    set_hook(previous);
    let panic = seen.lock().ok().and_then(|mut first| first.take());
    // One line: the reason becomes a cell of the table.
    let line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    match (result, panic) {
        (Ok(Ok(value)), _) => Ok(value),
        (Ok(Err(why)), Some(panic)) => Err(line(format!("{why} ({panic})"))),
        (Ok(Err(why)), None) => Err(line(why)),
        (Err(_), panic) => Err(line(panic.unwrap_or_else(|| "panic".into()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let text = table(&["a", "long"], &[["wide".into(), "x".into()], ["y".into(), String::new()]]);
        assert_eq!(text, "a     long\nwide  x\ny\n");
    }

    #[test]
    fn a_panic_becomes_one_line() {
        let panicking = || -> Result<(), String> { panic!("no\n  device") };
        assert_eq!(guarded(panicking).unwrap_err(), "no device");
        assert_eq!(guarded(|| Err::<(), _>("plain".into())).unwrap_err(), "plain");
        assert_eq!(guarded(|| Ok(3)), Ok(3));
    }

    #[test]
    fn differences_are_relative_and_sizes_must_agree() {
        let step = |loss, gradient: &[f64]| Step { loss, gradient: gradient.to_vec() };
        let [loss, gradient] = step(2.0, &[3.0, 4.0]).difference(&step(2.1, &[3.0, 4.5]));
        assert!((loss - 0.05).abs() < 1e-12 && (gradient - 0.1).abs() < 1e-12);
        assert_eq!(step(2.0, &[3.0]).difference(&step(2.0, &[3.0, 4.0]))[1], f64::INFINITY);
    }
}
