//! Frames of the link `Y = S X + W` (systems A, B and C) and decisions about them, as npz files.
//!
//! A file with the array `signatures` holds frames of the spreading link (system E): `y [F, H]`, `h [F, N, H]`,
//! `signatures [H, N]`, `constellation [C]`, `noise_var`, `activity_prob`, and as truth `symbols [F, N]` (-1 idle).
//!
//! A file of system D holds the transposed link `Y = X P + Z`: `y [F, M, L]`, `pilots [N, L]`, `channel [F, M, N]`, and decisions
//! `x [F, M, N]`. It is told by its shapes, and by `coherent = 1` where both readings fit; `pilot_energy` is the mean energy of
//! the pilots if absent. In memory all of them are `Y = S X + W`.
//!
//! Others:
//!
//! | array | shape | meaning |
//! |---|---|---|
//! | `y` | `[F, L, M]` complex | observations |
//! | `pilots` | `[L, N*Q]` complex | sequence q of device n in column n*Q + q |
//! | `noise_var` | `[]` | noise variance per complex entry, > 0 |
//! | `activity_prob` | `[]` or `[N]` | in (0, 1) |
//! | `sequences` | `[]` | Q, 1 if absent |
//! | `groups` | `[]` or `[2]` | number of groups of neighbouring devices that are active together, and 1 if exactly one group is active; none if absent |
//! | `beta` | `[N]` or `[F, N]` | large-scale gains (linear, > 0), 1 if absent |
//! | `pilot_energy` | `[]` | expected squared norm of a pilot column, > 0, 1 if absent |
//! | `activity` | `[F, N]` integer | truth: 0 idle, 1..Q the sent sequence plus one; optional |
//! | `channel` | `[F, N, M]` complex | truth: effective channels; optional |

use std::path::Path;
use std::sync::Arc;

use crate::container::IoError;
use crate::container::npz::Array;
use crate::container::npz::{NpzFile, NpzWriter};
use crate::link::Decisions;
use crate::link::{AccessModel, ArrayError, Beta, C64, FrameBatch, Groups, Pilots, Truth, index_of};
use crate::scenario::files::spreading;

/// How the arrays of a file lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `Y = S X + W`: `y [F, L, M]`, `pilots [L, N*Q]`, `channel [F, N, M]`, `x [F, N*Q, M]` (systems A to C; E has its own).
    Access,
    /// `Y = X P + Z`: `y [F, M, L]`, `pilots [N, L]`, `channel [F, M, N]`, `x [F, M, N]` (system D).
    Coherent,
}

/// Reads and checks frames of any layout.
///
/// # Errors
/// [`IoError`] naming file and array, what was found and what is expected.
pub fn read_frames(path: &Path) -> Result<FrameBatch, IoError> {
    Ok(read_frames_as(path)?.0)
}

/// Reads and checks frames, and tells how they lay in the file.
///
/// # Errors
/// As [`read_frames`].
pub fn read_frames_as(path: &Path) -> Result<(FrameBatch, Layout), IoError> {
    let file = NpzFile::open(path)?;
    if file.contains("signatures") {
        return Ok((spreading::read(&file)?, Layout::Access));
    }
    let y = file.complex("y")?;
    let pilots = file.complex("pilots")?;
    Ok(match layout(&file, &y.shape, &pilots.shape)? {
        Layout::Access => (access(&file, y, pilots, Layout::Access)?, Layout::Access),
        Layout::Coherent => {
            let [n, l] = pilots.shape[..] else {
                return Err(
                    file.wrong("pilots", format!("has shape {:?}, expected [N, L] (devices, length)", pilots.shape))
                );
            };
            match y.shape[..] {
                [_, _, length] if length == l => {}
                _ => {
                    return Err(file.wrong(
                        "pilots",
                        format!(
                            "has shape {:?}, expected [N, L] for y [F, M, L] = {:?} (system D)",
                            pilots.shape, y.shape
                        ),
                    ));
                }
            }
            let (y, pilots) = (swapped(y), Array { shape: vec![l, n], data: transposed(&pilots.data, n, l) });
            (access(&file, y, pilots, Layout::Coherent)?, Layout::Coherent)
        }
    })
}

/// Which reading the shapes allow; a file where both fit is of system D only when it says so.
fn layout(file: &NpzFile, y: &[usize], pilots: &[usize]) -> Result<Layout, IoError> {
    if file.contains("coherent") {
        return match file.int("coherent")?.data[..] {
            [0] => Ok(Layout::Access),
            [1] => Ok(Layout::Coherent),
            _ => Err(file.wrong("coherent", "is neither 0 nor 1, expected 1 for system D: y [F, M, L], pilots [N, L]")),
        };
    }
    Ok(match (y, pilots) {
        ([_, a, b], [rows, columns]) if a != rows && b == columns => Layout::Coherent,
        _ => Layout::Access,
    })
}

/// The transpose of a `[rows, columns]` matrix.
fn transposed(data: &[C64], rows: usize, columns: usize) -> Vec<C64> {
    (0..rows * columns).map(|i| data[i % rows * columns + i / rows]).collect()
}

/// The last two axes of `[F, A, B]` swapped.
fn swapped(array: Array<C64>) -> Array<C64> {
    let [f, a, b] = array.shape[..] else { return array };
    Array { shape: vec![f, b, a], data: swap(&array.data, a, b) }
}

/// Every `[rows, columns]` matrix of a stack transposed.
fn swap(data: &[C64], rows: usize, columns: usize) -> Vec<C64> {
    data.chunks_exact((rows * columns).max(1)).flat_map(|matrix| transposed(matrix, rows, columns)).collect()
}

fn access(file: &NpzFile, y: Array<C64>, pilots: Array<C64>, layout: Layout) -> Result<FrameBatch, IoError> {
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
    let sequences = sequences(file)?;
    if layout == Layout::Coherent && sequences != 1 {
        return Err(file.wrong("sequences", format!("is {sequences}, expected 1 in a file of system D")));
    }
    let noise_var = file.scalar("noise_var")?;
    let energy = match layout {
        _ if file.contains("pilot_energy") => file.scalar("pilot_energy")?,
        Layout::Access => 1.0,
        Layout::Coherent => match pilots.data.iter().map(|v| v.norm_sqr()).sum::<f64>() / columns as f64 {
            0.0 => return Err(file.wrong("pilots", "is zero everywhere, expected pilots")),
            energy => energy,
        },
    };
    let wrong = |e: ArrayError| file.wrong(e.array(), e.problem());
    let pilots = Pilots::new(length, columns, sequences, energy, pilots.data).map_err(wrong)?;
    let devices = columns / sequences;
    let activity_prob = per_device(file, devices, "pilots / sequences")?;
    let model = AccessModel::new(Arc::new(pilots), antennas, noise_var, activity_prob).map_err(wrong)?;
    let model = match groups(file)? {
        Some(groups) => model.with_groups(groups).map_err(wrong)?,
        None => model,
    };
    let beta = beta(file, frames, devices)?;
    let batch = FrameBatch::new(model, y.data, beta).map_err(wrong)?;
    match truth(file, frames, devices, antennas, layout)? {
        Some(truth) => batch.with_truth(truth).map_err(wrong),
        None => Ok(batch),
    }
}

/// Writes frames (complex64); [`read_frames`] reads them back.
///
/// # Errors
/// [`IoError`] when a part of the batch has the wrong length or the file cannot be written.
pub fn write_frames(path: &Path, batch: &FrameBatch) -> Result<(), IoError> {
    write_frames_as(path, batch, Layout::Access)
}

/// Writes frames (complex64) in a layout; frames of a spreading link have their own.
///
/// # Errors
/// As [`write_frames`]; frames with several sequences per device have no coherent layout.
pub fn write_frames_as(path: &Path, batch: &FrameBatch, layout: Layout) -> Result<(), IoError> {
    if let Some(spreading) = batch.spreading() {
        return spreading::write(batch, spreading).write(path);
    }
    let model = batch.model();
    let (f, l, m, n) = (batch.frames(), model.pilot_length(), model.antennas(), model.devices());
    let mut out = match layout {
        Layout::Access => NpzWriter::new()
            .complex("y", &[f, l, m], batch.y())
            .complex("pilots", &[l, model.columns()], model.pilots().data())
            .int("sequences", &[], &[model.sequences() as i64]),
        Layout::Coherent => NpzWriter::new()
            .complex("y", &[f, m, l], &swap(batch.y(), l, m))
            .complex("pilots", &[model.columns(), l], &transposed(model.pilots().data(), l, model.columns()))
            .int("coherent", &[], &[1]),
    };
    out = out.scalar("noise_var", model.noise_var()).scalar("pilot_energy", model.pilots().energy());
    out = match model.activity_prob()[..] {
        [first, ..] if model.activity_prob().iter().all(|&p| p == first) => out.scalar("activity_prob", first),
        _ => out.real("activity_prob", &[n], model.activity_prob()),
    };
    if let Some(groups) = model.groups() {
        out = out.int("groups", &[2], &[groups.count as i64, i64::from(groups.single)]);
    }
    out = match batch.beta().as_shared() {
        Some(beta) => out.real("beta", &[n], beta),
        None => out.real("beta", &[f, n], batch.beta().values()),
    };
    if let Some(truth) = batch.truth() {
        out = out.int("activity", &[f, n], truth.activity());
        out = match layout {
            Layout::Access => out.complex("channel", &[f, n, m], truth.channel()),
            Layout::Coherent => out.complex("channel", &[f, m, n], &swap(truth.channel(), n, m)),
        };
    }
    out.write(path)
}

/// Writes decisions about the frames of a batch: `activity [F, N]`, `score [F, N*Q]`, and where the detector gives them
/// `x [F, N*Q, M]`, `gamma [F, N*Q]`, `converged [F]` (0 or 1) and `residual [F]`; on a spreading link `symbols [F, N]` (-1 idle), `activity [F, N]` and
/// `score [F, N*C]`.
///
/// # Errors
/// [`IoError`] when the decisions do not fit the frames (see [`Decisions::check`]) or the file cannot be written.
pub fn write_decisions(path: &Path, decisions: &Decisions, batch: &FrameBatch) -> Result<(), IoError> {
    write_decisions_as(path, decisions, batch, Layout::Access)
}

/// Writes decisions in the layout of the frames' file: `x [F, M, N]` in a coherent one.
///
/// # Errors
/// As [`write_decisions`].
pub fn write_decisions_as(
    path: &Path,
    decisions: &Decisions,
    batch: &FrameBatch,
    layout: Layout,
) -> Result<(), IoError> {
    decisions.check(batch).map_err(|e| IoError::Array {
        path: path.display().to_string(),
        array: e.array().into(),
        problem: e.problem(),
    })?;
    if batch.spreading().is_some() {
        return spreading::decisions(decisions, batch).write(path);
    }
    let model = batch.model();
    let (frames, devices, columns, antennas) = (batch.frames(), model.devices(), model.columns(), model.antennas());
    let mut out = NpzWriter::new().int("activity", &[frames, devices], &decisions.activity).real(
        "score",
        &[frames, columns],
        &decisions.score,
    );
    if let Some(x) = &decisions.x {
        out = match layout {
            Layout::Access => out.complex("x", &[frames, columns, antennas], x),
            Layout::Coherent => out.complex("x", &[frames, antennas, columns], &swap(x, columns, antennas)),
        };
    }
    if let Some(gamma) = &decisions.gamma {
        out = out.real("gamma", &[frames, columns], gamma);
    }
    if let Some(converged) = &decisions.converged {
        let converged: Vec<i64> = converged.iter().map(|c| i64::from(*c)).collect();
        out = out.int("converged", &[frames], &converged);
    }
    if let Some(residual) = &decisions.residual {
        out = out.real("residual", &[frames], residual);
    }
    out.write(path)
}

/// Groups of devices that are active together.
fn groups(file: &NpzFile) -> Result<Option<Groups>, IoError> {
    if !file.contains("groups") {
        return Ok(None);
    }
    let array = file.int("groups")?;
    let (count, single) = match array.data[..] {
        [count] | [count, 0] => (count, false),
        [count, 1] => (count, true),
        _ => {
            let expected = "expected the number of groups, and 1 if exactly one group is active or 0";
            return Err(file.wrong("groups", format!("holds {:?}, {expected}", array.data)));
        }
    };
    let count = usize::try_from(count).map_err(|_| file.wrong("groups", format!("is {count}, expected at least 1")))?;
    Ok(Some(Groups { count, single }))
}

/// Q; whether it divides the columns is for [`Pilots::new`] to say.
fn sequences(file: &NpzFile) -> Result<usize, IoError> {
    if !file.contains("sequences") {
        return Ok(1);
    }
    let array = file.int("sequences")?;
    match array.data[..] {
        [q] => usize::try_from(q).map_err(|_| file.wrong("sequences", format!("is {q}, expected Q >= 1"))),
        _ => Err(file.wrong("sequences", format!("has shape {:?}, expected one integer (shape [])", array.shape))),
    }
}

/// `activity_prob` of each device, from one number or one per device; `of` names the array whose columns are the devices.
pub(super) fn per_device(file: &NpzFile, devices: usize, of: &str) -> Result<Vec<f64>, IoError> {
    let prob = file.real("activity_prob")?;
    match prob.data[..] {
        [p] => Ok(vec![p; devices]),
        _ if prob.shape == [devices] => Ok(prob.data),
        _ => Err(file.wrong(
            "activity_prob",
            format!("has shape {:?}, expected [] or [N] = [{devices}] (N = columns of {of})", prob.shape),
        )),
    }
}

/// Gains; a device that cannot be heard has no place in a file.
fn beta(file: &NpzFile, frames: usize, devices: usize) -> Result<Beta, IoError> {
    if !file.contains("beta") {
        return Ok(Beta::ones(devices));
    }
    let beta = file.real("beta")?;
    if let Some(i) = beta.data.iter().position(|b| *b <= 0.0) {
        let at = index_of(&beta.shape, i);
        return Err(
            file.wrong("beta", format!("holds {} at {at:?}, expected finite gains > 0 (linear, not dB)", beta.data[i]))
        );
    }
    let wrong = |e: ArrayError| file.wrong(e.array(), e.problem());
    if beta.shape == [devices] {
        Beta::shared(beta.data).map_err(wrong)
    } else if beta.shape == [frames, devices] {
        Beta::per_frame(devices, beta.data).map_err(wrong)
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
    layout: Layout,
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
    let channel = file.complex("channel")?;
    let (axes, shape) = match layout {
        Layout::Access => ("[F, N, M]", [frames, devices, antennas]),
        Layout::Coherent => ("[F, M, N]", [frames, antennas, devices]),
    };
    if channel.shape != shape {
        return Err(file.wrong("channel", format!("has shape {:?}, expected {axes} = {shape:?}", channel.shape)));
    }
    let channel = if layout == Layout::Coherent { swapped(channel) } else { channel };
    Ok(Some(Truth::new(activity.data, channel.data)))
}

#[cfg(test)]
#[path = "frames_tests.rs"]
mod tests;
