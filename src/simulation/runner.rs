//! All points of an experiment: first a coarse curve, then every point to its end, with a snapshot after each turn.

use crate::config::Point;
use crate::link::Detector;
use crate::results::{Results, write_results};
use crate::scenario::Scenario;
use crate::simulation::{Event, Goal, Outlook, PointRun, RunContext, SimulationError};

/// A point with everything that simulates it.
pub struct Job {
    /// The point.
    pub point: Point,
    /// Its frames (test split).
    pub scenario: Scenario,
    /// Its frame detectors in legend order with their ids; predictions stand in [`RunContext::predicted`].
    pub detectors: Vec<(String, Box<dyn Detector>)>,
}

/// What a run gives.
#[derive(Debug, Clone)]
pub struct RunOutcome {
    /// The results, also those of an interrupted run.
    pub results: Results,
    /// True when Ctrl-C left points unfinished; a later run continues them.
    pub interrupted: bool,
}

/// Runs the points of an experiment one after another; the cores work inside a batch.
pub struct Runner<'a> {
    jobs: &'a [Job],
    ctx: &'a RunContext,
    template: Results,
}

impl<'a> Runner<'a> {
    /// `template` holds everything of the results but the points: configuration, machine, training, images.
    pub fn new(jobs: &'a [Job], ctx: &'a RunContext, template: Results) -> Self {
        Self { jobs, ctx, template: Results { shard: ctx.shard, seed: ctx.seed, points: Vec::new(), ..template } }
    }

    /// Brings every point to `engine.min_frames`, then every point to its end. `OUT/results.json` is replaced after
    /// each turn of a point, so that a kill leaves at least the coarse curve.
    ///
    /// # Errors
    /// The first [`SimulationError`] of any point; what the others have computed is in their logs and in the snapshot.
    pub fn run(&self) -> Result<RunOutcome, SimulationError> {
        let mut runs = Vec::with_capacity(self.jobs.len());
        for job in self.jobs {
            runs.push(PointRun::open(&job.point, &job.scenario, &job.detectors, self.ctx)?);
        }
        self.snapshot(&runs)?;
        'turns: for goal in [Goal::MinFrames, Goal::End] {
            for i in 0..runs.len() {
                if self.ctx.interrupted() {
                    break 'turns;
                }
                if runs[i].ended() {
                    continue;
                }
                let outlook = Outlook { number: i + 1, points: runs.len(), others_left: others_left(&runs, i) };
                let turn = runs[i].advance(goal, &outlook);
                self.snapshot(&runs)?;
                turn?;
                if runs[i].ended() {
                    let r = runs[i].result();
                    let event = Event::PointEnded {
                        point: r.id,
                        frames: r.frames,
                        termination: r.termination,
                        seconds: r.seconds,
                    };
                    self.ctx.observer.event(&event);
                }
            }
        }
        let interrupted = runs.iter().any(|r| !r.ended());
        Ok(RunOutcome { results: self.results(&runs), interrupted })
    }

    fn results(&self, runs: &[PointRun<'_>]) -> Results {
        Results { points: runs.iter().map(PointRun::result).collect(), ..self.template.clone() }
    }

    fn snapshot(&self, runs: &[PointRun<'_>]) -> Result<(), SimulationError> {
        match &self.ctx.out {
            Some(out) => Ok(write_results(out, &self.results(runs))?),
            None => Ok(()),
        }
    }
}

/// Seconds that the points other than `me` still need; points that have not begun count as the mean of the others.
fn others_left(runs: &[PointRun<'_>], me: usize) -> Option<f64> {
    let left: Vec<Option<f64>> =
        runs.iter().enumerate().filter(|(i, _)| *i != me).map(|(_, r)| r.seconds_left()).collect();
    let known: Vec<f64> = left.iter().flatten().copied().collect();
    if known.is_empty() {
        return left.is_empty().then_some(0.0);
    }
    Some(known.iter().sum::<f64>() / known.len() as f64 * left.len() as f64)
}
