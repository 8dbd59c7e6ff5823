//! `grantfree detect`: decisions about the frames of an npz file.

use std::path::Path;
use std::time::Instant;

use super::error::{CliError, say};
use super::{DetectArgs, DeviceArgs};
use crate::config::{Assignment, apply, is_learned};
use crate::container::Bundle;
use crate::detect::{Classical, Info, Role};
use crate::link::ConfigError;
use crate::link::FrameBatch;
use crate::link::{Decisions, Detector};
use crate::metrics::{MetricName, MetricSums, count_frames};
use crate::scenario::files::{read_frames_as, write_decisions_as};

/// Reads frames, detects, writes decisions and prints one line about them.
///
/// # Errors
/// [`CliError`]: code 2 for an unknown detector or option, 1 for bad files.
pub fn execute(args: &DetectArgs) -> Result<(), CliError> {
    // Wrong usage is found before a large file is read.
    let (name, detector) = match (&args.detector, &args.model) {
        (Some(name), None) => (name.clone(), crate::detect::build(&algorithm(name, &args.set)?)?),
        (None, Some(_)) if !args.set.is_empty() => {
            return Err(CliError::Usage(
                "--set changes options of a classical detector (--detector); a model keeps those of its bundle, so \
                 --model goes without --set"
                    .into(),
            ));
        }
        (None, Some(bundle)) => (bundle.display().to_string(), load_model(bundle, &args.device)?),
        _ => return Err(CliError::Usage("detect needs either --detector NAME or --model BUNDLE".into())),
    };
    let (frames, layout) = read_frames_as(&args.input)?;
    let begin = Instant::now();
    let decisions = detector.detect(&frames)?;
    let seconds = begin.elapsed().as_secs_f64();
    write_decisions_as(&args.output, &decisions, &frames, layout)?;
    say(&summary(&name, &frames, &decisions, seconds, &args.output))
}

/// The algorithm: its name and the assignments under `detector.`.
fn algorithm(name: &str, sets: &[Assignment]) -> Result<Classical, CliError> {
    known(name)?;
    let mut table = toml::Table::new();
    for set in sets {
        match set.key.strip_prefix("detector.") {
            Some("kind") | None => {
                return Err(CliError::Usage(format!(
                    "--set {}: detect knows the options of the detector only, for example --set detector.iterations=50",
                    set.key
                )));
            }
            Some(key) => apply(&mut table, &Assignment { key: key.into(), value: set.value.clone() })?,
        }
    }
    let algorithm =
        crate::config::algorithm(name, table).map_err(|e| ConfigError::Invalid(format!("--set detector.*: {e}")))?;
    algorithm.algorithm().validate("detector")?;
    Ok(algorithm)
}

/// Detectors of `--detector`: those that need no training and decide frames.
fn of_frames() -> impl Iterator<Item = &'static Info> {
    Classical::INFOS.iter().filter(|i| i.role != Role::Prediction)
}

/// Refuses names that [`build`](crate::detect::build) cannot know, with the list of those it does.
fn known(name: &str) -> Result<(), CliError> {
    if of_frames().any(|i| i.name == name) {
        return Ok(());
    }
    let list = of_frames().map(|i| i.name).collect::<Vec<_>>().join(", ");
    Err(CliError::Usage(if is_learned(name) {
        format!("detector {name} is trained: use --model BUNDLE; --detector takes {list}")
    } else if Classical::named(name).is_some() {
        format!("detector {name} predicts without frames: use it in an experiment file; --detector takes {list}")
    } else {
        format!("unknown detector {name:?}; known are {list}")
    }))
}

/// Opens and verifies a bundle and builds its detector on the chosen backend.
fn load_model(bundle: &Path, device: &DeviceArgs) -> Result<Box<dyn Detector>, CliError> {
    let bundle = Bundle::open(bundle)?;
    super::run::load_detector(&bundle, device, None)
}

/// One line: what was read, what was decided, and the error rate where the truth is known.
fn summary(name: &str, frames: &FrameBatch, decisions: &Decisions, seconds: f64, output: &Path) -> String {
    let active = decisions.activity.iter().filter(|a| **a > 0).count();
    let mut line = format!(
        "{name}: {} frames x {} devices, {active} decided active, {:.3} s, {:.1} frames/s",
        frames.frames(),
        frames.model().devices(),
        seconds,
        frames.frames() as f64 / seconds.max(1e-9)
    );
    let mut ser = MetricSums::default();
    for counts in count_frames(frames, decisions) {
        if let Some((errors, devices)) = counts.ratio(MetricName::Ser) {
            ser.add_frame(errors, devices);
        }
    }
    let estimate = MetricName::Ser.estimate(&ser);
    if let Some(value) = estimate.value {
        line += &format!(", SER {value:.3e}");
        if let Some(interval) = estimate.interval {
            line += &format!(" [{:.3e}, {:.3e}]", interval.low, interval.high);
        }
    }
    format!("{line} -> {}", output.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{AmpOptions, MlOptions, PcAdmmOptions, Threshold};

    fn sets(texts: &[&str]) -> Vec<Assignment> {
        texts.iter().map(|t| t.parse().unwrap()).collect()
    }

    #[test]
    fn options_reach_the_algorithm() {
        let read = |name, texts: &[&str]| algorithm(name, &sets(texts)).unwrap();
        let amp = AmpOptions { iterations: 7, threshold: Threshold::EQUAL_PRIOR, ..AmpOptions::default() };
        assert_eq!(read("amp", &["detector.iterations=7", "detector.threshold=equal-prior"]), amp.into());
        let plain = PcAdmmOptions { alpha: 1.0, extrapolation: Some(0.0), ..PcAdmmOptions::default() };
        assert_eq!(read("pc-admm", &["detector.alpha=1.0", "detector.extrapolation=0.0"]), plain.into());
        let ml = MlOptions { tolerance: 1e-9, threshold: Threshold::Value(0.25), ..MlOptions::default() };
        assert_eq!(read("ml", &["detector.tolerance=1e-9", "detector.threshold=0.25"]), ml.into());
    }

    #[test]
    fn every_detector_of_frames_builds_with_its_defaults() {
        assert!(of_frames().count() >= 23);
        for info in of_frames() {
            assert!(crate::detect::build(&algorithm(info.name, &[]).unwrap()).is_ok(), "{}", info.name);
        }
    }

    #[test]
    fn wrong_names_and_options_are_usage_errors_that_say_what_exists() {
        for (name, set, says) in [
            ("ampp", "detector.iterations=1", "covariance-section"),
            ("pc-admm-net", "detector.iterations=1", "--model"),
            ("lasso", "detector.method=newton", "ista"),
            ("lasso", "detector.rho=1", "group-lasso-admm, pc-admm"),
            ("lasso", "detector.lambda=0", "sqrt(noise_var mean||a||^2)"),
            ("group-lasso", "detector.alpha=1", "pc-admm"),
            ("pc-admm", "detector.method=ista", "lasso"),
            ("pc-admm", "detector.alpha=2", "in (0, 2)"),
            ("pc-admm", "detector.extrapolation=0", "alpha is 1.7"),
            ("pc-admm", "detector.extrapolation=1", "in [0, 1)"),
            ("pc-admm", "detector.rho=0", "max(1 - K/L, 1/4)"),
            ("mampnet", "detector.iterations=1", "--model"),
            ("state-evolution", "detector.iterations=1", "without frames"),
            ("amp", "detector.iteration=1", "iterations"),
            ("amp", "iterations=1", "detector.iterations=50"),
            ("amp", "detector.kind=ml", "options of the detector only"),
            ("amp", "detector.damping=2", "(0, 1]"),
            ("amp", "detector.iterations=many", "iterations"),
            ("ml", "detector.damping=0.5", "amp"),
            ("ml", "detector.lambda=1", "group-lasso"),
            ("group-lasso", "detector.rho=1", "group-lasso-admm"),
            ("group-lasso", "detector.lambda=0", "sqrt(M noise_var mean||a||^2)"),
            ("group-lasso-admm", "detector.rho=-1", "> 0 (default: 1)"),
            ("group-lasso-admm", "detector.tolerance=0.1", "ml-mmse"),
            ("covariance-lasso", "detector.lambda=-1", ">= 0"),
            ("lmmse", "detector.iterations=1", "amp"),
            ("amp", "detector.langevin.samples=1", "langevin"),
            ("langevin", "detector.langevin.samples=0", "1..=1024"),
            ("langevin", "detector.langevin.sigma_min=2", "sigma_max"),
        ] {
            let error = algorithm(name, &sets(&[set])).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{name} {set}");
            assert!(error.to_string().contains(says), "{name} {set}: {error}");
        }
    }
}
