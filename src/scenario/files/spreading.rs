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

use super::frames::{finite_complex, index_of, positive};
use crate::container::IoError;
use crate::container::npz::{Array, NpzFile, NpzWriter};
use crate::link::Decisions;
use crate::link::{AccessModel, Beta, C64, FrameBatch, Pilots, Spreading, Truth};

/// Reads and checks frames that have the array `signatures`.
pub(super) fn read(file: &NpzFile) -> Result<FrameBatch, IoError> {
    let y = complex(file, "y")?;
    let [frames, chips] = y.shape[..] else {
        return Err(file.wrong(
            "y",
            format!("has shape {:?}, expected [F, H] (frames, chips), because the file has signatures", y.shape),
        ));
    };
    if y.data.is_empty() {
        return Err(file.wrong("y", format!("has shape {:?}, expected at least one frame and chip", y.shape)));
    }
    let signatures = complex(file, "signatures")?;
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
    let h = complex(file, "h")?;
    if h.shape != [frames, users, chips] {
        return Err(
            file.wrong("h", format!("has shape {:?}, expected [F, N, H] = [{frames}, {users}, {chips}]", h.shape))
        );
    }
    let constellation = complex(file, "constellation")?;
    if constellation.shape.len() != 1 || constellation.data.is_empty() {
        return Err(file.wrong(
            "constellation",
            format!("has shape {:?}, expected [C], at least one symbol", constellation.shape),
        ));
    }
    if let Some(i) = constellation.data.iter().position(|x| x.norm_sqr() == 0.0) {
        return Err(file.wrong("constellation", format!("is zero at [{i}], which means idle; expected other symbols")));
    }
    let noise_var = positive(file, "noise_var")?;
    let activity_prob = activity_prob(file, users)?;
    let truth = symbols(file, frames, users, constellation.data.len())?;
    let energy = signatures.data.iter().map(|s| s.norm_sqr()).sum::<f64>() / users as f64;
    if energy == 0.0 {
        return Err(file.wrong("signatures", "is zero everywhere, expected signatures"));
    }
    let pilots = Pilots { length: chips, columns: users, sequences: 1, energy, data: signatures.data };
    Ok(FrameBatch {
        model: AccessModel { pilots: Arc::new(pilots), antennas: 1, noise_var, activity_prob },
        frames,
        y: y.data,
        beta: Beta::Shared(vec![1.0; users]),
        truth,
        spreading: Some(Spreading { constellation: Arc::new(constellation.data), coefficients: h.data }),
    })
}

/// The arrays of a spreading link.
pub(super) fn write(batch: &FrameBatch, spreading: &Spreading) -> NpzWriter {
    let model = &batch.model;
    let (f, h, n) = (batch.frames, model.pilot_length(), model.devices());
    let out = NpzWriter::new()
        .complex("y", &[f, h], &batch.y)
        .complex("h", &[f, n, h], &spreading.coefficients)
        .complex("signatures", &[h, n], &model.pilots.data)
        .complex("constellation", &[spreading.constellation.len()], &spreading.constellation)
        .scalar("noise_var", model.noise_var)
        .real("activity_prob", &[n], &model.activity_prob);
    match &batch.truth {
        Some(truth) => out.int("symbols", &[f, n], &to_symbols(&truth.activity)),
        None => out,
    }
}

/// The arrays of decisions: `symbols [F, N]` (-1 idle), `activity [F, N]` (0 idle, symbol plus one), `score [F, N*C]`.
pub(super) fn decisions(decisions: &Decisions, batch: &FrameBatch) -> NpzWriter {
    let (f, n) = (batch.frames, batch.model.devices());
    NpzWriter::new()
        .int("symbols", &[f, n], &to_symbols(&decisions.activity))
        .int("activity", &[f, n], &decisions.activity)
        .real("score", &[f, n * batch.alternatives()], &decisions.score)
}

fn to_symbols(activity: &[i64]) -> Vec<i64> {
    activity.iter().map(|a| a - 1).collect()
}

fn complex(file: &NpzFile, name: &str) -> Result<Array<C64>, IoError> {
    let array = file.complex(name)?;
    finite_complex(file, name, &array.shape, &array.data)?;
    Ok(array)
}

/// As on the access link, but a user may be always active.
fn activity_prob(file: &NpzFile, users: usize) -> Result<Vec<f64>, IoError> {
    let prob = file.real("activity_prob")?;
    if let Some(p) = prob.data.iter().find(|&&p| !(p > 0.0 && p <= 1.0)) {
        return Err(file.wrong("activity_prob", format!("holds {p}, expected values in (0, 1]")));
    }
    match prob.data[..] {
        _ if prob.shape == [users] => Ok(prob.data),
        [p] => Ok(vec![p; users]),
        _ => Err(file.wrong(
            "activity_prob",
            format!("has shape {:?}, expected [] or [N] = [{users}] (N = columns of signatures)", prob.shape),
        )),
    }
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
    Ok(Some(Truth { activity: symbols.data.iter().map(|s| s + 1).collect(), channel: Vec::new() }))
}

#[cfg(test)]
#[path = "spreading_tests.rs"]
mod tests;
