//! Frames of the spreading link (system E) as npz files; the array `signatures` tells them from access frames.
//!
//! | array | shape | meaning |
//! |---|---|---|
//! | `y` | `[F, H]` complex | observations |
//! | `h` | `[F, N, H]` complex | fading coefficient of every chip |
//! | `signatures` | `[H, N]` complex | signature of user n in column n |
//! | `constellation` | `[C]` complex | symbols, none of them zero |
//! | `noise_var` | `[]` | noise variance per chip, > 0 |
//! | `activity_prob` | `[]` or `[N]` | in (0, 1] |
//! | `symbols` | `[F, N]` integer | truth: -1 idle, else the index of the sent symbol; optional |

use std::sync::Arc;

use super::frames::per_device;
use crate::container::IoError;
use crate::container::npz::{NpzFile, NpzWriter};
use crate::link::Decisions;
use crate::link::{AccessModel, ArrayError, FrameBatch, Pilots, Spreading, Truth, index_of};

/// Reads and checks frames that have the array `signatures`.
pub(super) fn read(file: &NpzFile) -> Result<FrameBatch, IoError> {
    let y = file.complex("y")?;
    let [frames, chips] = y.shape[..] else {
        return Err(file.wrong(
            "y",
            format!("has shape {:?}, expected [F, H] (frames, chips), because the file has signatures", y.shape),
        ));
    };
    if y.data.is_empty() {
        return Err(file.wrong("y", format!("has shape {:?}, expected at least one frame and chip", y.shape)));
    }
    let signatures = file.complex("signatures")?;
    let users = match signatures.shape[..] {
        [rows, users] if rows == chips && users > 0 => users,
        _ => {
            return Err(file.wrong(
                "signatures",
                format!(
                    "has shape {:?}, expected [H, N] = [{chips}, N], because y is [F, H] = {:?}",
                    signatures.shape, y.shape
                ),
            ));
        }
    };
    let h = file.complex("h")?;
    if h.shape != [frames, users, chips] {
        return Err(
            file.wrong("h", format!("has shape {:?}, expected [F, N, H] = [{frames}, {users}, {chips}]", h.shape))
        );
    }
    let constellation = file.complex("constellation")?;
    if constellation.shape.len() != 1 {
        return Err(file.wrong(
            "constellation",
            format!("has shape {:?}, expected [C], at least one symbol", constellation.shape),
        ));
    }
    let noise_var = file.scalar("noise_var")?;
    let activity_prob = per_device(file, users, "signatures")?;
    let energy = signatures.data.iter().map(|s| s.norm_sqr()).sum::<f64>() / users as f64;
    if energy == 0.0 {
        return Err(file.wrong("signatures", "is zero everywhere, expected signatures"));
    }
    // The library speaks of pilots, the file of signatures.
    let wrong = |e: ArrayError| file.wrong(if e.array() == "pilots" { "signatures" } else { e.array() }, e.problem());
    let signatures = Pilots::new(chips, users, 1, energy, signatures.data).map_err(wrong)?;
    let model = AccessModel::new(Arc::new(signatures), 1, noise_var, activity_prob).map_err(wrong)?;
    let spreading = Spreading::new(Arc::new(constellation.data), h.data).map_err(wrong)?;
    let truth = symbols(file, frames, users, spreading.constellation().len())?;
    let batch = FrameBatch::spread(model, y.data, spreading).map_err(wrong)?;
    match truth {
        Some(truth) => batch.with_truth(truth).map_err(wrong),
        None => Ok(batch),
    }
}

/// The arrays of a spreading link.
pub(super) fn write(batch: &FrameBatch, spreading: &Spreading) -> NpzWriter {
    let model = batch.model();
    let (f, h, n) = (batch.frames(), model.pilot_length(), model.devices());
    let out = NpzWriter::new()
        .complex("y", &[f, h], batch.y())
        .complex("h", &[f, n, h], spreading.coefficients())
        .complex("signatures", &[h, n], model.pilots().data())
        .complex("constellation", &[spreading.constellation().len()], spreading.constellation())
        .scalar("noise_var", model.noise_var())
        .real("activity_prob", &[n], model.activity_prob());
    match batch.truth() {
        Some(truth) => out.int("symbols", &[f, n], &to_symbols(truth.activity())),
        None => out,
    }
}

/// The arrays of decisions: `symbols [F, N]` (-1 idle), `activity [F, N]` (0 idle, symbol plus one), `score [F, N*C]`.
pub(super) fn decisions(decisions: &Decisions, batch: &FrameBatch) -> NpzWriter {
    let (f, n) = (batch.frames(), batch.model().devices());
    NpzWriter::new()
        .int("symbols", &[f, n], &to_symbols(&decisions.activity))
        .int("activity", &[f, n], &decisions.activity)
        .real("score", &[f, n * batch.alternatives()], &decisions.score)
}

fn to_symbols(activity: &[i64]) -> Vec<i64> {
    activity.iter().map(|a| a - 1).collect()
}

fn symbols(file: &NpzFile, frames: usize, users: usize, count: usize) -> Result<Option<Truth>, IoError> {
    if !file.contains("symbols") {
        return Ok(None);
    }
    let symbols = file.int("symbols")?;
    if symbols.shape != [frames, users] {
        return Err(
            file.wrong("symbols", format!("has shape {:?}, expected [F, N] = [{frames}, {users}]", symbols.shape))
        );
    }
    if let Some(i) = symbols.data.iter().position(|s| !(-1..count as i64).contains(s)) {
        return Err(file.wrong(
            "symbols",
            format!(
                "holds {} at {:?}, expected -1 (idle) or 0..={} (index into constellation)",
                symbols.data[i],
                index_of(&symbols.shape, i),
                count - 1
            ),
        ));
    }
    let activity = symbols.data.iter().map(|s| s + 1).collect();
    Ok(Some(Truth::new(activity, Vec::new())))
}

#[cfg(test)]
#[path = "spreading_tests.rs"]
mod tests;
