//! The stages of one frame as grey images (Fig. 10 of the DL-mAMPnet paper).

use std::sync::Arc;

use burn::tensor::{Device, Tensor};

use super::net::MampNet;
use crate::link::Pilots;
use crate::scenario::Scenario;
use crate::systems::access::{DrawTensors, FrameTensors, read};
use crate::systems::{Stage, SystemError};
use crate::tensor::complex::stack_pilots;

/// Rows are antennas (or one row for vectors), columns are sequences; magnitudes relative to the root of the received
/// power, so that near and far devices are seen on one scale.
pub(super) fn stages(
    net: &MampNet,
    pilots: &Arc<Pilots>,
    scenario: &Scenario,
    device: &Device,
) -> Result<Vec<Stage>, SystemError> {
    let draws = scenario.realize(0, 1);
    let batch = draws.observe(pilots)?;
    let frames = FrameTensors::from_frames(&batch, device);
    let out = net.forward(&frames, stack_pilots(pilots, device), net.full_depth(), None);
    let q = pilots.sequences();
    let truth = DrawTensors::new(&draws, q, scenario.pilots(0).energy(), device).labels;
    let (m, k) = (draws.antennas(), draws.devices() * q);
    let gains: Vec<f32> = batch.beta_of(0).iter().flat_map(|b| std::iter::repeat_n(b.sqrt() as f32, q)).collect();
    let magnitudes = |t: Tensor<2>| -> Result<Vec<f32>, SystemError> {
        let v = read(t, "images")?;
        let magnitude = |i: usize| {
            let (row, column) = (i / k, i % k);
            v[row * 2 * k + column].hypot(v[row * 2 * k + k + column]) / gains[column]
        };
        Ok((0..m * k).map(magnitude).collect())
    };
    let mut images = Vec::new();
    let mut push = |title, rows, pixels| images.push(Stage { title, rows, columns: k, pixels });
    if let Some(x) = out.x.last() {
        push("estimate of the last AMP layer, |X_T|", m, magnitudes(x.clone())?);
    }
    push("truth, |X|", m, magnitudes(truth.x)?);
    if let Some(s) = out.stages {
        push("after max-pool and max-unpool, Mp(Mup(o))", 1, read(s.unpooled, "images")?);
        push("estimated activity", 1, read(s.alpha, "images")?);
    } else {
        let logits = read(out.decision(), "images")?;
        push("posterior activity", 1, logits.iter().map(|l| 1.0 / (1.0 + (-l).exp())).collect());
    }
    push("true activity", 1, read(truth.sent, "images")?);
    Ok(images)
}
