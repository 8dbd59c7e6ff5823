//! Chains: sweeps over the devices, warm-up, exchange of temperatures.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use super::devices::DeviceWalk;
use super::groups::GroupWalk;
use super::marginals::Marginals;
use super::state::Columns;
use super::{GibbsOptions, Start};
use crate::detect::common::decide::{log_prior_odds, section_threshold};
use crate::detect::common::frames::{Ending, FrameDetector, FrameOut};
use crate::detect::common::groups::known_groups;
use crate::link::{AccessModel, C64, DetectError, FrameBatch, Groups};
use crate::math::isa::Isa;

/// Sweeps between two computations from the activities alone.
const REBUILD_EVERY: usize = 20;

/// What a walk is about: one frame.
pub(super) struct Scene<'a> {
    pub shared: &'a Shared,
    pub y: &'a [C64],
    pub beta: &'a [f64],
}

/// What moves through the states of a frame.
pub(super) trait Walk {
    fn new(shared: &Shared, model: &AccessModel) -> Self;

    /// Takes a frame and goes to a state, `[N]`: 0 idle, the sequence plus one.
    fn begin<I: Isa>(&mut self, isa: I, scene: &Scene<'_>, sent: &[usize]);

    /// Visits everybody once. `temper` multiplies the log-likelihood; conditional distributions go to `marginals`.
    fn sweep<I: Isa>(
        &mut self,
        isa: I,
        scene: &Scene<'_>,
        temper: f64,
        rng: &mut ChaCha8Rng,
        marginals: Option<&mut Marginals>,
    );

    /// Computes what follows from the activities anew.
    fn rebuild<I: Isa>(&mut self, isa: I, scene: &Scene<'_>);

    /// Log-likelihood of the state over that of the idle one.
    fn log_likelihood(&self) -> f64;
}

/// What a batch shares.
pub(super) struct Shared {
    pub columns: Columns,
    /// `ln((eps/Q)/(1 - eps))`, `[N]`; of a group with groups.
    pub log_odds: Vec<f64>,
    pub thresholds: Vec<f64>,
    pub noise_var: f64,
    pub groups: Option<Groups>,
    pub relocations: usize,
}

impl Shared {
    pub fn new(options: &GibbsOptions, batch: &FrameBatch) -> Result<Self, DetectError> {
        let model = batch.model();
        let (q, eps) = (model.sequences(), model.activity_prob());
        Ok(Self {
            columns: Columns::new(model),
            log_odds: eps.iter().map(|&e| log_prior_odds(e, q)).collect(),
            thresholds: eps.iter().map(|&e| section_threshold(options.threshold, e, q)).collect(),
            noise_var: model.noise_var(),
            relocations: options.relocations,
            groups: if options.groups { Some(known_groups("gibbs", model)?) } else { None },
        })
    }
}

/// The detector.
pub(super) struct Sampler {
    pub options: GibbsOptions,
}

/// Buffers of one thread.
pub(super) struct Workspace {
    devices: Vec<DeviceWalk>,
    groups: Vec<GroupWalk>,
    chains: Vec<Marginals>,
    sum: Marginals,
}

impl FrameDetector for Sampler {
    type Shared = Shared;
    type Workspace = Workspace;
    const ESTIMATES_X: bool = true;
    const ESTIMATES_GAMMA: bool = false;

    fn ends(&self) -> bool {
        // Chains from one place have nothing to be compared with.
        self.options.start.iter().any(|s| *s != self.options.start[0])
    }

    fn prepare(&self, batch: &FrameBatch) -> Result<Shared, DetectError> {
        if self.options.start.contains(&Start::Truth) && batch.truth().is_none() {
            return Err(DetectError::NeedsTruth("gibbs with start = [\"truth\"]".into()));
        }
        Shared::new(&self.options, batch)
    }

    fn workspace(&self, shared: &Shared, batch: &FrameBatch) -> Workspace {
        let (model, replicas) = (batch.model(), self.options.temperatures);
        let marginals = || Marginals::zeros(model.devices(), model.sequences(), model.antennas());
        let count = |wanted: bool| if wanted { replicas } else { 0 };
        Workspace {
            devices: (0..count(shared.groups.is_none())).map(|_| Walk::new(shared, model)).collect(),
            groups: (0..count(shared.groups.is_some())).map(|_| Walk::new(shared, model)).collect(),
            chains: self.options.start.iter().map(|_| marginals()).collect(),
            sum: marginals(),
        }
    }

    #[inline(always)]
    fn frame<I: Isa>(
        &self,
        isa: I,
        shared: &Shared,
        batch: &FrameBatch,
        f: usize,
        work: &mut Workspace,
        mut out: FrameOut<'_>,
    ) {
        let n = batch.model().devices();
        let scene = Scene { shared, y: batch.frame(f), beta: batch.beta_of(f) };
        let truth = batch.truth().map(|t| &t.activity()[f * n..(f + 1) * n]);
        let key = seed_of(scene.y);
        let Workspace { devices, groups, chains, sum } = work;
        for (number, (&start, marginals)) in self.options.start.iter().zip(chains.iter_mut()).enumerate() {
            let mut rng = ChaCha8Rng::from_seed(key);
            rng.set_stream(number as u64);
            let sent = begin(start, truth, n, shared.columns.sequences, &mut rng);
            marginals.clear();
            if shared.groups.is_some() {
                self.chain(isa, &scene, start, &sent, groups, &mut rng, marginals);
            } else {
                self.chain(isa, &scene, start, &sent, devices, &mut rng, marginals);
            }
        }
        sum.clear();
        // What the truth told must not enter the decisions where there is another chain.
        let blind = |start: &Start| *start != Start::Truth;
        let only_truth = !self.options.start.iter().any(blind);
        for (start, chain) in self.options.start.iter().zip(chains.iter()) {
            if only_truth || blind(start) {
                sum.merge(chain);
            }
        }
        let pairs = (0..chains.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
        let residual = pairs.map(|(a, b)| chains[a].distance(&chains[b])).fold(0.0, f64::max);
        if let Some(ending) = out.ending.as_mut() {
            **ending = Ending { converged: residual <= self.options.tolerance, residual };
        }
        sum.decide(&shared.log_odds, &shared.thresholds, &mut out);
    }
}

/// The state in which a chain begins.
fn begin(start: Start, truth: Option<&[i64]>, devices: usize, sequences: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    match (start, truth) {
        (Start::Random, _) => {
            (0..devices).map(|_| if rng.random::<bool>() { rng.random_range(0..sequences) + 1 } else { 0 }).collect()
        }
        (Start::Truth, Some(truth)) => truth.iter().map(|&a| a as usize).collect(),
        (Start::Idle | Start::Truth, _) => vec![0; devices],
    }
}

/// The generator of a frame depends on what was received and on nothing else: not on the batch, nor on the thread.
fn seed_of(y: &[C64]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for y in y {
        hash.update(y.re.to_le_bytes());
        hash.update(y.im.to_le_bytes());
    }
    hash.finalize().into()
}

impl Sampler {
    #[expect(clippy::too_many_arguments, reason = "a frame, a start and what is written, no idea of its own")]
    #[inline(always)]
    fn chain<W: Walk, I: Isa>(
        &self,
        isa: I,
        scene: &Scene<'_>,
        start: Start,
        sent: &[usize],
        walks: &mut [W],
        rng: &mut ChaCha8Rng,
        marginals: &mut Marginals,
    ) {
        let hottest = self.options.hottest;
        // With exactly one active group the first sweep computes the posterior itself; the others would repeat it.
        let (warm_up, iterations) = match scene.shared.groups {
            Some(law) if law.single => (0, 1),
            _ => (self.options.warm_up, self.options.iterations),
        };
        // A chain from the truth that met tempered ones would forget where it began.
        let rungs = if start == Start::Truth { 1 } else { walks.len() };
        let rung = |r: usize| hottest.powf(r as f64 / (rungs - 1).max(1) as f64);
        // Replica `order[r]` has the temperature of rung r.
        let mut order: Vec<usize> = (0..rungs).collect();
        walks.iter_mut().for_each(|w| w.begin(isa, scene, sent));
        for sweep in 0..warm_up + iterations {
            let tempered = if start == Start::Truth { 1.0 } else { (sweep + 1) as f64 / (warm_up + 1) as f64 };
            for r in 0..rungs {
                let walk = &mut walks[order[r]];
                if sweep > 0 && sweep % REBUILD_EVERY == 0 {
                    walk.rebuild(isa, scene);
                }
                let kept = if r == 0 && sweep >= warm_up { Some(&mut *marginals) } else { None };
                walk.sweep(isa, scene, rung(r) * tempered.min(1.0), rng, kept);
            }
            for r in 1..rungs {
                let (cold, hot) = (walks[order[r - 1]].log_likelihood(), walks[order[r]].log_likelihood());
                if rng.random::<f64>().ln() < (rung(r - 1) - rung(r)) * (hot - cold) {
                    order.swap(r - 1, r);
                }
            }
        }
        marginals.total = iterations as f64;
    }
}
