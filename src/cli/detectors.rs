//! The detectors of a point of a finished run.

use std::path::{Path, PathBuf};

use super::DeviceArgs;
use super::error::CliError;
use crate::config::{Point, Spec};
use crate::container::Bundle;
use crate::detect::Role;
use crate::experiment::{before_choice, calibrate};
use crate::link::Detector;
use crate::results::Results;

/// Frame detectors in legend order, each with its id in the experiment file.
pub(super) type NamedDetectors = Vec<(String, Box<dyn Detector>)>;

/// Builds the frame detectors of a point as the run in `dir` used them: classical ones from the configuration, learned
/// ones from their bundles. Predictions (state evolution) decide no frames and are left out.
///
/// # Errors
/// [`CliError`] when a bundle is missing or damaged, or a detector cannot be built.
pub(super) fn of_run(
    dir: &Path,
    results: &Results,
    point: &Point,
    device: &DeviceArgs,
) -> Result<NamedDetectors, CliError> {
    let mut detectors = Vec::new();
    for (id, config) in &point.detectors {
        let detector = match &config.spec {
            Spec::Learned(network) => {
                let owner = config.network_of().unwrap_or(id);
                let trained = results.training.iter().find(|t| t.point == point.id && t.detector == owner);
                let folder = match (network.options().bundle(), trained) {
                    (Some(given), _) => PathBuf::from(given),
                    (None, Some(record)) => dir.join(&record.bundle),
                    (None, None) => {
                        return Err(CliError::Other(
                            format!("detector {id} of point {} was not trained in {}", point.id, dir.display()).into(),
                        ));
                    }
                };
                super::run::load_detector(&Bundle::open(&folder)?, device, Some(config))?
            }
            Spec::Classical(algorithm) if algorithm.algorithm().info().role == Role::Prediction => continue,
            Spec::Classical(algorithm) => before_choice(algorithm, point, results.seed)?,
        };
        detectors.push((id.clone(), detector));
    }
    calibrate(point, results.seed, &mut detectors)?;
    Ok(detectors)
}
