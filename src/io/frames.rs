//! Frames of the link `Y = S X + W` (systems A, B and C) and decisions about them, as npz files.
//!
//! A file with the array `signatures` holds frames of the spreading link (system E): `y [F, H]`, `h [F, N, H]`,
//! `signatures [H, N]`, `constellation [C]`, `noise_var`, `activity_prob`, and as truth `symbols [F, N]` (-1 idle).
//! Others:
//!
//! | array | shape | meaning |
//! |---|---|---|
//! | `y` | `[F, L, M]` complex | observations |
//! | `pilots` | `[L, N*Q]` complex | sequence q of device n in column n*Q + q |
//! | `noise_var` | `[]` | noise variance per complex entry, > 0 |
//! | `activity_prob` | `[]` or `[N]` | in (0, 1) |
//! | `sequences` | `[]` | Q, 1 if absent |
//! | `beta` | `[N]` or `[F, N]` | large-scale gains (linear, > 0), 1 if absent |
//! | `pilot_energy` | `[]` | expected squared norm of a pilot column, > 0, 1 if absent |
//! | `activity` | `[F, N]` integer | truth: 0 idle, 1..Q the sent sequence plus one; optional |
//! | `channel` | `[F, N, M]` complex | truth: effective channels; optional |

use std::path::Path;
use std::sync::Arc;

use super::npz::{NpzFile, NpzWriter};
use super::{IoError, spreading};
use crate::detection::Decisions;
use crate::scenario::{AccessModel, Beta, C64, FrameBatch, Pilots, Truth};

/// Reads and checks frames.
///
/// # Errors
/// [`IoError`] naming file and array, what was found and what is expected.
pub fn read_frames(path: &Path) -> Result<FrameBatch, IoError> {
    let file = NpzFile::open(path)?;
    if file.contains("signatures") {
        return spreading::read(&file);
    }
    let y = file.complex("y")?;
    let [frames, length, antennas] = y.shape[..] else {
        return Err(
            file.wrong("y", format!("has shape {:?}, expected [F, L, M] (frames, pilot length, antennas)", y.shape))
        );
    };
    if y.data.is_empty() {
        return Err(
            file.wrong("y", format!("has shape {:?}, expected at least one frame, symbol and antenna", y.shape))
        );
    }
    finite_complex(&file, "y", &y.shape, &y.data)?;

    let pilots = file.complex("pilots")?;
    let columns = match pilots.shape[..] {
        [rows, columns] if rows == length && columns > 0 => columns,
        _ => {
            return Err(file.wrong(
                "pilots",
                format!(
                    "has shape {:?}, expected [L, N*Q] = [{length}, N*Q], because y is [F, L, M] = {:?}",
                    pilots.shape, y.shape
                ),
            ));
        }
    };
    finite_complex(&file, "pilots", &pilots.shape, &pilots.data)?;

    let sequences = sequences(&file, columns)?;
    let devices = columns / sequences;
    let noise_var = positive(&file, "noise_var")?;
    let energy = if file.contains("pilot_energy") { positive(&file, "pilot_energy")? } else { 1.0 };
    let activity_prob = activity_prob(&file, devices)?;
    let beta = beta(&file, frames, devices)?;
    let truth = truth(&file, frames, devices, antennas, sequences)?;
    let pilots = Arc::new(Pilots { length, columns, sequences, energy, data: pilots.data });
    Ok(FrameBatch {
        model: AccessModel { pilots, antennas, noise_var, activity_prob },
        frames,
        y: y.data,
        beta,
        truth,
        spreading: None,
    })
}

/// Writes frames (complex64); [`read_frames`] reads them back.
///
/// # Errors
/// [`IoError`] when a part of the batch has the wrong length or the file cannot be written.
pub fn write_frames(path: &Path, batch: &FrameBatch) -> Result<(), IoError> {
    if let Some(spreading) = &batch.spreading {
        return spreading::write(batch, spreading).write(path);
    }
    let model = &batch.model;
    let (f, l, m, n) = (batch.frames, model.pilot_length(), model.antennas, model.devices());
    let mut out = NpzWriter::new()
        .complex("y", &[f, l, m], &batch.y)
        .complex("pilots", &[l, model.columns()], &model.pilots.data)
        .scalar("noise_var", model.noise_var)
        .int("sequences", &[], &[model.sequences() as i64])
        .scalar("pilot_energy", model.pilots.energy);
    out = match model.activity_prob[..] {
        [first, ..] if model.activity_prob.iter().all(|&p| p == first) && model.activity_prob.len() == n => {
            out.scalar("activity_prob", first)
        }
        _ => out.real("activity_prob", &[n], &model.activity_prob),
    };
    out = match &batch.beta {
        Beta::Shared(beta) => out.real("beta", &[n], beta),
        Beta::PerFrame(beta) => out.real("beta", &[f, n], beta),
    };
    if let Some(truth) = &batch.truth {
        out = out.int("activity", &[f, n], &truth.activity).complex("channel", &[f, n, m], &truth.channel);
    }
    out.write(path)
}

/// Writes decisions about the frames of a batch: `activity [F, N]`, `score [F, N*Q]`, and where the detector gives them
/// `x [F, N*Q, M]` and `gamma [F, N*Q]`; on a spreading link `symbols [F, N]` (-1 idle), `activity [F, N]` and
/// `score [F, N*C]`.
///
/// # Errors
/// [`IoError`] when an array has the wrong length or the file cannot be written.
pub fn write_decisions(path: &Path, decisions: &Decisions, batch: &FrameBatch) -> Result<(), IoError> {
    if batch.spreading.is_some() {
        return spreading::decisions(decisions, batch).write(path);
    }
    let model = &batch.model;
    let (frames, devices, columns, antennas) = (batch.frames, model.devices(), model.columns(), model.antennas);
    let mut out = NpzWriter::new().int("activity", &[frames, devices], &decisions.activity).real(
        "score",
        &[frames, columns],
        &decisions.score,
    );
    if let Some(x) = &decisions.x {
        out = out.complex("x", &[frames, columns, antennas], x);
    }
    if let Some(gamma) = &decisions.gamma {
        out = out.real("gamma", &[frames, columns], gamma);
    }
    out.write(path)
}

fn sequences(file: &NpzFile, columns: usize) -> Result<usize, IoError> {
    if !file.contains("sequences") {
        return Ok(1);
    }
    let array = file.int("sequences")?;
    match array.data[..] {
        [q] if q >= 1 && (q as u64) <= columns as u64 && columns.is_multiple_of(q as usize) => Ok(q as usize),
        [q] => Err(file.wrong(
            "sequences",
            format!("is {q}, expected Q >= 1 that divides the {columns} columns of pilots [L, N*Q]"),
        )),
        _ => Err(file.wrong("sequences", format!("has shape {:?}, expected one integer (shape [])", array.shape))),
    }
}

fn activity_prob(file: &NpzFile, devices: usize) -> Result<Vec<f64>, IoError> {
    let prob = file.real("activity_prob")?;
    if let Some(p) = prob.data.iter().find(|&&p| !(p > 0.0 && p < 1.0)) {
        return Err(file.wrong("activity_prob", format!("holds {p}, expected values in (0, 1)")));
    }
    match prob.data[..] {
        [p] if prob.shape.is_empty() || prob.shape == [1] => Ok(vec![p; devices]),
        _ if prob.shape == [devices] => Ok(prob.data),
        _ => Err(file.wrong(
            "activity_prob",
            format!("has shape {:?}, expected [] or [N] = [{devices}] (N = columns of pilots / sequences)", prob.shape),
        )),
    }
}

fn beta(file: &NpzFile, frames: usize, devices: usize) -> Result<Beta, IoError> {
    if !file.contains("beta") {
        return Ok(Beta::Shared(vec![1.0; devices]));
    }
    let beta = file.real("beta")?;
    if let Some(i) = beta.data.iter().position(|b| !(b.is_finite() && *b > 0.0)) {
        return Err(file.wrong(
            "beta",
            format!(
                "holds {} at {:?}, expected finite gains > 0 (linear, not dB)",
                beta.data[i],
                index_of(&beta.shape, i)
            ),
        ));
    }
    if beta.shape == [devices] {
        Ok(Beta::Shared(beta.data))
    } else if beta.shape == [frames, devices] {
        Ok(Beta::PerFrame(beta.data))
    } else {
        Err(file.wrong(
            "beta",
            format!("has shape {:?}, expected [N] = [{devices}] or [F, N] = [{frames}, {devices}]", beta.shape),
        ))
    }
}

/// The truth is complete (activity and channel) or left out.
fn truth(
    file: &NpzFile,
    frames: usize,
    devices: usize,
    antennas: usize,
    sequences: usize,
) -> Result<Option<Truth>, IoError> {
    if !(file.contains("activity") && file.contains("channel")) {
        return Ok(None);
    }
    let activity = file.int("activity")?;
    if activity.shape != [frames, devices] {
        return Err(
            file.wrong("activity", format!("has shape {:?}, expected [F, N] = [{frames}, {devices}]", activity.shape))
        );
    }
    if let Some(i) = activity.data.iter().position(|a| !(0..=sequences as i64).contains(a)) {
        return Err(file.wrong(
            "activity",
            format!(
                "holds {} at {:?}, expected 0 (idle) or 1..={sequences} (sent sequence plus one)",
                activity.data[i],
                index_of(&activity.shape, i)
            ),
        ));
    }
    let channel = file.complex("channel")?;
    if channel.shape != [frames, devices, antennas] {
        return Err(file.wrong(
            "channel",
            format!("has shape {:?}, expected [F, N, M] = [{frames}, {devices}, {antennas}]", channel.shape),
        ));
    }
    finite_complex(file, "channel", &channel.shape, &channel.data)?;
    Ok(Some(Truth { activity: activity.data, channel: channel.data }))
}

pub(super) fn positive(file: &NpzFile, name: &str) -> Result<f64, IoError> {
    let value = file.scalar(name)?;
    if value.is_finite() && value > 0.0 {
        Ok(value)
    } else {
        Err(file.wrong(name, format!("is {value}, expected a finite number > 0")))
    }
}

pub(super) fn finite_complex(file: &NpzFile, name: &str, shape: &[usize], data: &[C64]) -> Result<(), IoError> {
    match data.iter().position(|v| !(v.re.is_finite() && v.im.is_finite())) {
        None => Ok(()),
        Some(i) => {
            let count = data.iter().filter(|v| !(v.re.is_finite() && v.im.is_finite())).count();
            Err(file.wrong(
                name,
                format!(
                    "holds {} at {:?} ({count} of {} values are not finite); remove or repair them",
                    data[i],
                    index_of(shape, i),
                    data.len()
                ),
            ))
        }
    }
}

/// Index of a flat row-major position.
pub(super) fn index_of(shape: &[usize], mut flat: usize) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for axis in (0..shape.len()).rev() {
        index[axis] = flat % shape[axis];
        flat /= shape[axis];
    }
    index
}

#[cfg(test)]
#[path = "frames_tests.rs"]
mod tests;
