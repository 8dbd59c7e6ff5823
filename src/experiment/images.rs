//! The paper's Fig. 10: the stages of one frame as grey images.

use super::train::{Trained, key};
use super::{ExperimentError, Settings};
use crate::config::Point;
use crate::results::GreyImage;
use crate::scenario::Scenario;
use crate::systems::access::{DrawTensors, FrameTensors};
use crate::systems::mampnet::load_bundle;
use crate::tensor::complex::stack_pilots;

/// Rows are antennas (or one row for vectors), columns are sequences; magnitudes relative to the root of the received
/// power, so that near and far devices are seen on one scale.
pub(super) fn stages(
    point: &Point,
    scenario: &Scenario,
    settings: &Settings,
    trained: &Trained,
) -> Result<Vec<GreyImage>, ExperimentError> {
    let mut images = Vec::new();
    for (id, config) in point.detectors.iter().filter(|(_, c)| c.kind.is_learned()) {
        let Some(folder) = trained.folder(&key(point, id)) else { continue };
        let device = &settings.device.device;
        let model = load_bundle(folder, device)?;
        let draws = scenario.realize(0, 1);
        let q = point.scenario.sequences();
        let batch = draws.observe(&model.pilots)?;
        let frames = FrameTensors::from_frames(&batch, device);
        let out = model.net.forward(&frames, stack_pilots(&model.pilots, device), model.net.full_depth(), None);
        let truth = DrawTensors::new(&draws, q, scenario.pilots(0).energy(), device).labels;
        let (m, k) = (point.scenario.antennas, point.scenario.devices * q);
        let gains: Vec<f32> = batch.beta_of(0).iter().flat_map(|b| std::iter::repeat_n(b.sqrt() as f32, q)).collect();
        let label = config.label.clone().unwrap_or_else(|| id.clone());
        let host = |t: burn::tensor::Tensor<2>| -> Vec<f32> {
            t.into_data().convert::<f32>().try_into_vec().unwrap_or_default()
        };
        let magnitudes = |t: burn::tensor::Tensor<2>| -> Vec<f32> {
            let v = host(t);
            (0..m * k)
                .map(|i| {
                    let (row, column) = (i / k, i % k);
                    v[row * 2 * k + column].hypot(v[row * 2 * k + k + column]) / gains[column]
                })
                .collect()
        };
        let mut push = |title: &str, rows: usize, pixels: Vec<f32>| {
            images.push(GreyImage {
                figure: point.figure.clone(),
                title: format!("{label}: {title}"),
                rows,
                columns: k,
                pixels,
            });
        };
        if let Some(x) = out.x.last() {
            push("estimate of the last AMP layer, |X_T|", m, magnitudes(x.clone()));
        }
        push("truth, |X|", m, magnitudes(truth.x));
        if let Some(s) = out.stages {
            push("after max-pool and max-unpool, Mp(Mup(o))", 1, host(s.unpooled));
            push("estimated activity", 1, host(s.alpha));
        } else {
            push("posterior activity", 1, host(out.decision()).iter().map(|l| 1.0 / (1.0 + (-l).exp())).collect());
        }
        push("true activity", 1, host(truth.sent));
    }
    Ok(images)
}
