//! Small detectors and experiments for the tests of the engine.

use std::path::Path;
use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::config::{Assignment, Experiment};
use crate::link::{C64, FrameBatch, Pilots, Split};
use crate::link::{Decisions, DetectError, Detector};
use crate::results::{Machine, Results, SCHEMA_VERSION};
use crate::scenario::{Scenario, draw_pilots};
use crate::simulation::{Job, RunContext};

/// Correlates with every sequence; the strongest of a device decides when its mean energy is above the threshold.
pub struct Energy {
    pub threshold: f64,
    pub pilots: Option<Arc<Pilots>>,
}

impl Detector for Energy {
    fn detect(&self, frames: &FrameBatch) -> Result<Decisions, DetectError> {
        let (n, q, m) = (frames.model().devices(), frames.model().sequences(), frames.model().antennas());
        let s = frames.model().pilots();
        let mut d = Decisions { x: Some(Vec::new()), ..Decisions::default() };
        for f in 0..frames.frames() {
            let y = frames.frame(f);
            let z: Vec<Vec<C64>> = (0..n * q)
                .map(|c| (0..m).map(|a| (0..s.length()).map(|r| s.at(r, c).conj() * y[r * m + a]).sum()).collect())
                .collect();
            let energy: Vec<f64> =
                z.iter().map(|z| z.iter().map(|v: &C64| v.norm_sqr()).sum::<f64>() / m as f64).collect();
            for device in 0..n {
                let of = &energy[device * q..(device + 1) * q];
                let best = (0..q).max_by(|a, b| of[*a].total_cmp(&of[*b])).unwrap();
                let active = of[best] > self.threshold;
                d.activity.push(if active { best as i64 + 1 } else { 0 });
                for row in 0..q {
                    let keep = active && row == best;
                    let zero = C64::new(0.0, 0.0);
                    d.x.as_mut().unwrap().extend(z[device * q + row].iter().map(|v| if keep { *v } else { zero }));
                }
            }
            d.score.extend(energy);
        }
        Ok(d)
    }

    fn pilots(&self) -> Option<Arc<Pilots>> {
        self.pilots.clone()
    }
}

/// The truth, spoiled by coins whose seed is the observation: it errs in the same frames however it is called.
pub struct Coins {
    pub rate: f64,
}

impl Detector for Coins {
    fn detect(&self, frames: &FrameBatch) -> Result<Decisions, DetectError> {
        let (n, q) = (frames.model().devices(), frames.model().sequences() as i64);
        let truth = frames.truth().ok_or_else(|| DetectError::NeedsTruth("coins".into()))?;
        let mut activity = Vec::new();
        for f in 0..frames.frames() {
            let seed = frames.frame(f).iter().fold(0_u64, |s, v| s.rotate_left(7) ^ v.re.to_bits() ^ v.im.to_bits());
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            for &sent in &truth.activity()[f * n..(f + 1) * n] {
                activity.push(if rng.random::<f64>() < self.rate { (sent + 1) % (q + 1) } else { sent });
            }
        }
        Ok(Decisions { score: vec![0.0; activity.len() * q as usize], activity, ..Decisions::default() })
    }
}

/// Returns what it is told.
pub struct Broken(pub Decisions);

impl Detector for Broken {
    fn detect(&self, _: &FrameBatch) -> Result<Decisions, DetectError> {
        Ok(self.0.clone())
    }
}

const FILE: &str = r#"
name = "small"
seed = 7
[scenario]
devices = 10
antennas = 2
pilot_length = 8
activity_prob = 0.2
[engine]
min_frames = 16
max_frames = 203
block_frames = 8
batch_blocks = 3
[sweep]
key = "scenario.tx_power_dbm"
values = [13, 23]
[detectors.energy]
kind = "amp"
[detectors.coins]
kind = "covariance"
[detectors.own]
kind = "ml"
label = "own pilots"
"#;

/// The small experiment with assignments `key=value`.
pub fn experiment(sets: &[&str]) -> Experiment {
    let sets: Vec<Assignment> = sets.iter().map(|s| s.parse().unwrap()).collect();
    Experiment::parse(FILE, "small.toml", &sets).unwrap()
}

/// Pilots that a detector could have learned.
pub fn own_pilots() -> Arc<Pilots> {
    let mut rng = ChaCha8Rng::seed_from_u64(99);
    Arc::new(draw_pilots(&mut rng, crate::scenario::PilotKind::UnitNorm, 8, 20, 2).unwrap())
}

/// Its jobs: three detectors, one of them with pilots of its own.
pub fn jobs(experiment: &Experiment) -> Vec<Job> {
    let of = |point: crate::config::Point| Job {
        scenario: Scenario::new(&point.scenario, experiment.seed, Split::Test).unwrap(),
        detectors: vec![
            ("energy".into(), Box::new(Energy { threshold: 3.0, pilots: None }) as Box<dyn Detector>),
            ("coins".into(), Box::new(Coins { rate: 0.01 })),
            ("own".into(), Box::new(Energy { threshold: 3.0, pilots: Some(own_pilots()) })),
        ],
        point,
    };
    experiment.points().unwrap().into_iter().map(of).collect()
}

/// Results without points.
pub fn template(experiment: &Experiment) -> Results {
    Results {
        schema_version: SCHEMA_VERSION,
        crate_version: env!("CARGO_PKG_VERSION").into(),
        config: experiment.clone(),
        seed: experiment.seed,
        machine: Machine::default(),
        shard: None,
        points: Vec::new(),
        training: Vec::new(),
        images: Vec::new(),
    }
}

/// A context that writes to `out`.
pub fn context(experiment: &Experiment, out: Option<&Path>) -> RunContext {
    RunContext { out: out.map(Into::into), ..RunContext::new(experiment.seed) }
}
