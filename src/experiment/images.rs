//! The stages of one frame as grey images, of the networks that show any (Fig. 10 of the DL-mAMPnet paper).

use super::train::{Trained, key};
use super::{ExperimentError, Settings};
use crate::config::Point;
use crate::results::GreyImage;
use crate::scenario::Scenario;
use crate::systems::system_of;

/// Stages of the first test frame, by every network of a point.
pub(super) fn stages(
    point: &Point,
    scenario: &Scenario,
    settings: &Settings,
    trained: &Trained,
) -> Result<Vec<GreyImage>, ExperimentError> {
    let mut images = Vec::new();
    for (id, config) in &point.detectors {
        let Some(folder) = trained.folder(&key(point, id)) else { continue };
        let label = config.label.as_ref().unwrap_or(id);
        let stages = system_of(folder)?.stages(folder, scenario, &settings.device.device)?;
        images.extend(stages.into_iter().map(|stage| GreyImage {
            figure: point.figure.clone(),
            title: format!("{label}: {}", stage.title),
            rows: stage.rows,
            columns: stage.columns,
            pixels: stage.pixels,
        }));
    }
    Ok(images)
}
