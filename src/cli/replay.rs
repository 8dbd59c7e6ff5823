//! `grantfree replay`: one frame of a finished run again, exactly.

use super::ReplayArgs;
use super::error::{CliError, say};
use crate::config::Point;
use crate::results::read_results;
use crate::scenario::Scenario;
use crate::simulation::{ReplayedDetector, replay_frame};

/// Computes the frame as the run did and prints what each detector decided.
///
/// # Errors
/// [`CliError`]: code 2 for a point that does not exist, 1 for results or bundles that cannot be read.
pub fn execute(args: &ReplayArgs) -> Result<(), CliError> {
    let results = read_results(&args.dir)?;
    let points = results.config.points()?;
    let point = find(&points, &args.point)?;
    let detectors = super::detectors::of_run(&args.dir, &results, point, &args.device)?;
    let scenario = Scenario::new(&point.scenario, results.seed, point.engine.split.into())?;
    let replay = replay_frame(point, &scenario, &detectors, args.frame)?;
    say(&format!("{} frame {} (block {}), seed {}", point.id, replay.frame, replay.block, results.seed))?;
    for detector in &replay.detectors {
        say(&line(detector))?;
        if args.trace {
            for row in trace(detector) {
                say(&row)?;
            }
        }
    }
    Ok(())
}

/// A point by its id, or by its number counted from 0.
fn find<'a>(points: &'a [Point], name: &str) -> Result<&'a Point, CliError> {
    let numbered = name.parse::<usize>().ok().and_then(|i| points.get(i));
    points.iter().find(|p| p.id == name).or(numbered).ok_or_else(|| {
        let known: Vec<String> = points.iter().enumerate().map(|(i, p)| format!("{i} ({})", p.id)).collect();
        CliError::Usage(format!("--point {name}: the run has {}", known.join(", ")))
    })
}

fn line(d: &ReplayedDetector) -> String {
    let c = &d.counts;
    let mut text = format!(
        "{}: {} of {} devices wrong ({} missed, {} false alarms, {} wrong data), {} active",
        d.id,
        c.errors(),
        c.devices,
        c.missed,
        c.false_alarms,
        c.wrong_data,
        c.active
    );
    if let Some((error, energy)) = c.energies.filter(|(error, energy)| *error > 0.0 && *energy > 0.0) {
        text += &format!(", NMSE {:.2} dB", 10.0 * (error / energy).log10());
    }
    text
}

/// One row per device that is active or was decided active: what was sent and decided, its gain over the noise, and
/// the score of each of its sequences.
fn trace(d: &ReplayedDetector) -> Vec<String> {
    let Some(truth) = d.batch.truth() else { return Vec::new() };
    let (q, gains) = (d.batch.model().sequences(), d.batch.beta_of(0));
    let mut rows = vec![format!("{:>8} {:>5} {:>8} {:>10}  scores", "device", "sent", "decided", "snr_db")];
    for (device, (&sent, &decided)) in truth.activity().iter().zip(&d.decisions.activity).enumerate() {
        if sent == 0 && decided == 0 {
            continue;
        }
        let snr_db = 10.0 * (gains[device] / d.batch.model().noise_var()).log10();
        let scores: Vec<String> =
            d.decisions.score[device * q..(device + 1) * q].iter().map(|s| format!("{s:.3}")).collect();
        rows.push(format!(
            "{device:>8} {sent:>5} {decided:>8} {snr_db:>10.2}  {}{}",
            scores.join(" "),
            if sent == decided { "" } else { "  <- wrong" }
        ));
    }
    rows
}
