//! Posterior sampling by annealed Langevin dynamics with the exact score (langevin).
//!
//! Model: `Y = A X + W`, Y `[L, M]`, A `[L, N*Q]`; row i of X is zero with probability `1 - activity_prob_n/Q`, else
//! `CN(0, beta_n I)`. The sampler ([`super::anneal`]) needs the prior by its score only; here it is the exact one
//! ([`BernoulliGaussian`]), the yardstick of a learned score.
//!
//! The estimate is the mean of `samples` chains: one sample has twice the error of the posterior mean (3 dB), S samples
//! `1 + 1/S` times. Samples are never exactly zero: the decision compares `||x_i||^2/(M beta_n)` with a threshold.
//!
//! Noise of the chains is drawn from a stream keyed by the observation itself, so a frame has the same estimate in every
//! batch, on every thread and in every shard. A chain that diverges (steps too large) is left out of the mean;
//! a frame all of whose chains diverge is estimated as zero.
//!
//! Source: the score paper (Tang et al., 2025), misprints corrected; annealed Langevin dynamics after Song and Ermon (2019),
//! posterior sampling for channels after Arvinte and Tamir (2023).

use std::ops::Range;

use pulp::Scalar;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use super::anneal::{Chains, Schedule};
use super::orthogonal::check_gains;
use super::prior::{BernoulliGaussian, Shape};
use crate::detect::LangevinConfig;
use crate::detect::common::columns::pilot_columns;
use crate::detect::common::frames::{FrameDetector, FrameOut, detect_frames};
use crate::detect::common::row_energy::judge_rows;
use crate::link::{C64, FrameBatch};
use crate::link::{Decisions, DetectError, Detector, Facts};
use crate::math::isa::Isa;
use crate::math::planes::Planes;
use crate::math::real::Real;

/// The sampler and its decision.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    /// Levels, steps and samples.
    pub options: LangevinConfig,
    /// Active when `||x||^2 > threshold * M * beta`. Default 0.1.
    pub threshold: f64,
}

/// What a batch shares.
pub struct Shared {
    columns: Planes<f64>,
    prior: BernoulliGaussian,
    shape: Shape,
    /// When gains are the same in all frames.
    schedule: Option<Schedule>,
}

/// Buffers of one thread.
pub struct Workspace {
    chains: Chains,
    y: Planes<f64>,
}

/// The chains' generators: streams of a key made of the observation.
pub(crate) fn generators(y: &[C64], chains: usize) -> Vec<ChaCha8Rng> {
    let mut hash = Sha256::new();
    hash.update(b"langevin");
    for v in y {
        hash.update(v.re.to_bits().to_le_bytes());
        hash.update(v.im.to_bits().to_le_bytes());
    }
    let key: [u8; 32] = hash.finalize().into();
    let stream = |chain| {
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(chain as u64);
        rng
    };
    (0..chains).map(stream).collect()
}

/// Gains of the columns: those of the devices, Q times each.
fn column_gains(beta: &[f64], q: usize) -> Vec<f64> {
    beta.iter().flat_map(|b| std::iter::repeat_n(*b, q)).collect()
}

impl FrameDetector for Engine {
    type Shared = Shared;
    type Workspace = Workspace;
    const ESTIMATES_X: bool = true;
    const ESTIMATES_GAMMA: bool = false;

    fn prepare(&self, batch: &FrameBatch) -> Result<Shared, DetectError> {
        let model = batch.model();
        let (q, length) = (model.sequences(), model.pilot_length());
        let columns = pilot_columns(model, 1.0);
        let schedule = match batch.beta().as_shared() {
            Some(beta) => {
                check_gains(self.options.sampler, beta)?;
                let gains = column_gains(beta, q);
                Some(Schedule::new(Scalar, &self.options, &columns, length, model.noise_var(), &gains))
            }
            None => {
                (0..batch.frames()).try_for_each(|f| check_gains(self.options.sampler, batch.beta_of(f)))?;
                None
            }
        };
        let probs = (0..model.columns()).map(|i| model.activity_prob()[i / q] / q as f64);
        let shape = Shape { rows: model.columns(), chains: self.options.samples, antennas: model.antennas() };
        Ok(Shared { columns, prior: BernoulliGaussian::new(probs), shape, schedule })
    }

    fn workspace(&self, shared: &Shared, batch: &FrameBatch) -> Workspace {
        let chains = Chains::new(&shared.shape, batch.model().pilot_length());
        let width = shared.shape.chains * shared.shape.antennas;
        Workspace { chains, y: Planes::zeros(batch.model().pilot_length(), width, 2 * f64::LANES) }
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
        let (m, q, shape) = (batch.model().antennas(), batch.model().sequences(), &shared.shape);
        let beta = batch.beta_of(f);
        let own;
        let schedule = match &shared.schedule {
            Some(schedule) => schedule,
            None => {
                let (length, noise_var) = (batch.model().pilot_length(), batch.model().noise_var());
                let gains = column_gains(beta, q);
                own = Schedule::new(isa, &self.options, &shared.columns, length, noise_var, &gains);
                &own
            }
        };
        repeat(batch.frame(f), m, 0..shape.chains, &mut work.y);
        let mut rngs = generators(batch.frame(f), shape.chains);
        let Ok(()) = work.chains.run(isa, &self.options, &shared.prior, schedule, &work.y, &mut rngs);
        mean(shape, schedule, &work.chains.u, 0..shape.chains, out.x);
        judge_rows(beta, m, q, self.threshold, &mut out);
    }
}

/// The observation `[L, M]` of one frame once for each of its chains.
pub(crate) fn repeat(y: &[C64], antennas: usize, chains: Range<usize>, out: &mut Planes<f64>) {
    for (l, row) in y.chunks_exact(antennas).enumerate() {
        let first = l * out.stride + chains.start * antennas;
        for (i, v) in row.iter().cycle().take(chains.len() * antennas).enumerate() {
            out.re[first + i] = v.re;
            out.im[first + i] = v.im;
        }
    }
}

/// Mean power of an entry beyond which a chain counts as diverged.
const DIVERGED: f64 = 1e6;

/// Mean of those of a frame's chains that have not diverged (zero if all have), in the units of X: `x` is `[N*Q, M]`, `u` the
/// conjugate states.
pub(crate) fn mean(shape: &Shape, schedule: &Schedule, u: &Planes<f64>, chains: Range<usize>, x: &mut [C64]) {
    let m = shape.antennas;
    let entry = |row: usize, chain: usize, a: usize| {
        let at = row * u.stride + chain * m + a;
        C64::new(u.re[at], -u.im[at])
    };
    // Channels have unit power: a state a thousand times as large is on its way to infinity.
    let energy = |chain: usize| {
        (0..shape.rows)
            .flat_map(|row| (0..m).map(move |a| (row, a)))
            .map(|(row, a)| entry(row, chain, a).norm_sqr())
            .sum::<f64>()
    };
    let sane = |chain: &usize| energy(*chain) < DIVERGED * (shape.rows * m) as f64;
    let kept: Vec<usize> = chains.filter(sane).collect();
    for (row, (x, root)) in x.chunks_exact_mut(m).zip(&schedule.root).enumerate() {
        for (a, x) in x.iter_mut().enumerate() {
            let sum: C64 = kept.iter().map(|&chain| entry(row, chain, a)).sum();
            *x = sum * (root / kept.len().max(1) as f64);
        }
    }
}

impl Detector for Engine {
    fn detect(&self, frames: &FrameBatch) -> Result<Decisions, DetectError> {
        detect_frames(self, frames)
    }

    fn facts(&self) -> Facts {
        let score_calls = Some(self.options.calls() * self.options.samples);
        Facts { score_calls, ..Facts::default() }
    }
}
