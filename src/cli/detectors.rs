//! The detectors of a point of a finished run.

use std::path::{Path, PathBuf};

use super::CommonArgs;
use super::error::CliError;
use crate::config::{DetectorConfig, DetectorKind, Point, Threshold};
use crate::detection::Detector;
use crate::experiment::with_best_threshold;
use crate::io::Bundle;
use crate::scenario::{Scenario, Split};
use crate::simulation::Results;

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
    common: &CommonArgs,
) -> Result<NamedDetectors, CliError> {
    let mut detectors = Vec::new();
    for (id, config) in &point.detectors {
        let detector = match config.kind {
            DetectorKind::StateEvolution | DetectorKind::WelchBound => continue,
            kind if kind.is_learned() => {
                let trained = results.training.iter().find(|t| t.point == point.id && t.detector == *id);
                let folder = match (&config.bundle, trained) {
                    (Some(given), _) => PathBuf::from(given),
                    (None, Some(record)) => dir.join(&record.bundle),
                    (None, None) => {
                        return Err(CliError::Other(
                            format!("detector {id} of point {} was not trained in {}", point.id, dir.display()).into(),
                        ));
                    }
                };
                super::run::load_detector_as(&Bundle::open(&folder)?, common, config)?
            }
            // What its scores mean has to be found first, with the pilots of a network that may come later.
            _ if config.threshold == Some(Threshold::BEST) => {
                crate::classical::build(&DetectorConfig { threshold: None, ..config.clone() })?
            }
            _ => crate::classical::build(config)?,
        };
        detectors.push((id.clone(), detector));
    }
    let train = Scenario::new(&point.scenario, results.seed, Split::Train)?;
    for (id, config) in point.detectors.iter().filter(|(_, c)| c.threshold == Some(Threshold::BEST)) {
        let (_, built) = with_best_threshold(config, &train, &detectors, id)?;
        if let Some((_, detector)) = detectors.iter_mut().find(|(other, _)| other == id) {
            *detector = built;
        }
    }
    Ok(detectors)
}
