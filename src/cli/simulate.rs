//! `grantfree simulate`: frames of an experiment as an npz file.

use super::SimulateArgs;
use super::error::{CliError, note, say};
use crate::config::{Experiment, Point};
use crate::link::Split;
use crate::scenario::Scenario;
use crate::scenario::files::{Layout, write_frames_as};
use crate::scenario::{PilotRedraw, ScenarioConfig, ScenarioKind};

/// Largest batch that is held in memory, in bytes.
const MEMORY_LIMIT: u64 = 8 << 30;

/// Draws frames of one point (test split, as `run` sees them) and writes them.
///
/// # Errors
/// [`CliError`]: code 2 for a wrong experiment or point, 1 for files that cannot be read or written.
pub fn execute(args: &SimulateArgs) -> Result<(), CliError> {
    let experiment = Experiment::load(&args.config, &args.experiment.assignments())?;
    let points = experiment.points()?;
    let point = find(&points, args.point.as_deref())?;
    if args.point.is_none() && points.len() > 1 {
        note(&format!("simulating {}, the first of {} points (choose with --point)", point.id, points.len()));
    }
    let c = &point.scenario;
    let per_frame = bytes_per_frame(c);
    if args.frames.saturating_mul(per_frame) > MEMORY_LIMIT {
        return Err(CliError::Usage(format!(
            "--frames {} would need {} GiB; at most {} frames of this scenario go into one file, write several with --first",
            args.frames,
            args.frames.saturating_mul(per_frame) >> 30,
            MEMORY_LIMIT / per_frame
        )));
    }
    let block_frames = point.engine.block_frames as u64;
    let block = args.first / block_frames;
    if c.pilot_redraw == PilotRedraw::Block && (args.first + args.frames - 1) / block_frames != block {
        return Err(CliError::Usage(format!(
            "scenario.pilot_redraw = \"block\" draws new pilots every {block_frames} frames, and a file holds one pilot \
             matrix; write each block to its own file with --first, or --set scenario.pilot_redraw=never"
        )));
    }
    let scenario = Scenario::new(c, experiment.seed, Split::Test)?;
    let batch = scenario.realize(args.first, args.frames as usize).observe(&scenario.pilots(block))?;
    let layout = if c.kind == ScenarioKind::Coherent { Layout::Coherent } else { Layout::Access };
    write_frames_as(&args.output, &batch, layout)?;
    let model = batch.model();
    let what = match batch.spreading() {
        Some(s) => {
            format!("{} users, {} chips, {} symbols", model.devices(), model.pilot_length(), s.constellation().len())
        }
        None => format!(
            "{} devices, {} sequences each, {} antennas, pilot length {}",
            model.devices(),
            model.sequences(),
            model.antennas(),
            model.pilot_length()
        ),
    };
    say(&format!(
        "{}: {} frames of {what}, seed {} -> {}",
        point.id,
        batch.frames(),
        experiment.seed,
        args.output.display()
    ))
}

/// Memory of one frame while it is made: observation and noise, channels, activity and gains.
fn bytes_per_frame(c: &ScenarioConfig) -> u64 {
    let (devices, length, paths) = match c.kind {
        ScenarioKind::Noma => {
            let noma = c.noma();
            // Channels stand in the draws and in the batch.
            (noma.users, noma.signature_length, 2 * noma.users * noma.signature_length)
        }
        _ => (c.devices, c.antennas * c.pilot_length, c.antennas * c.devices),
    };
    16 * (2 * length as u64 + paths as u64) + 16 * devices as u64
}

/// The point of that id, or the first one.
fn find<'a>(points: &'a [Point], id: Option<&str>) -> Result<&'a Point, CliError> {
    let found = match id {
        None => points.first(),
        Some(id) => points.iter().find(|p| p.id == id),
    };
    found.ok_or_else(|| {
        let known: Vec<&str> = points.iter().map(|p| p.id.as_str()).collect();
        CliError::Usage(format!("--point {}: the experiment has {}", id.unwrap_or_default(), known.join(", ")))
    })
}
