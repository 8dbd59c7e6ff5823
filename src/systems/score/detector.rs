//! Posterior sampling with a learned score as a [`Detector`].

use burn::tensor::Device;
use pulp::Scalar;

use super::function::ScoreFunction;
use super::prior::NetworkPrior;
use crate::detect::LangevinConfig;
use crate::detect::common::columns::pilot_columns;
use crate::detect::common::frames::{FrameOut, check_batch};
use crate::detect::common::row_energy::judge_rows;
use crate::detect::langevin::anneal::{Chains, Schedule};
use crate::detect::langevin::detector::{generators, mean, repeat};
use crate::detect::langevin::orthogonal::check_gains;
use crate::detect::langevin::prior::Shape;
use crate::link::{C64, FrameBatch};
use crate::link::{Decisions, DetectError, Detector, Facts};
use crate::math::planes::Planes;
use crate::math::real::Real;
use crate::systems::score::ScoreConfig;

/// Frames whose chains run side by side.
const CHUNK: usize = 16;

/// A score network with its sampler.
#[derive(Debug)]
pub struct ScoreDetector {
    net: Box<dyn ScoreFunction>,
    options: LangevinConfig,
    levels: [f64; 2],
    device: Device,
    backend: String,
    parameters: usize,
    threshold: f64,
}

impl ScoreDetector {
    /// `net` must live on `device`. Active when `||x||^2 > threshold * M * beta`.
    pub fn new(
        net: Box<dyn ScoreFunction>,
        options: LangevinConfig,
        trained: &ScoreConfig,
        device: Device,
        backend: &str,
        threshold: f64,
    ) -> Self {
        let parameters = net.parameters();
        let levels = [trained.sigma_min, trained.sigma_max];
        Self { net, options, levels, device, backend: backend.to_owned(), parameters, threshold }
    }

    /// Estimated rows of frames `first..first + count`, which share their gains; `[count, N, M]`.
    fn sample(
        &self,
        frames: &FrameBatch,
        first: usize,
        count: usize,
        schedule: &Schedule,
    ) -> Result<Vec<C64>, DetectError> {
        let model = frames.model();
        let (n, m, l, samples) = (model.devices(), model.antennas(), model.pilot_length(), self.options.samples);
        let shape = Shape { rows: n, chains: count * samples, antennas: m };
        let mut chains = Chains::new(&shape, l);
        let mut y = Planes::zeros(l, shape.chains * m, 2 * f64::LANES);
        let mut rngs = Vec::with_capacity(shape.chains);
        for f in 0..count {
            let frame = frames.frame(first + f);
            rngs.extend(generators(frame, samples));
            repeat(frame, m, f * samples..(f + 1) * samples, &mut y);
        }
        let prior = NetworkPrior { net: self.net.as_ref(), device: &self.device, levels: self.levels };
        chains
            .run(Scalar, &self.options, &prior, schedule, &y, &mut rngs)
            .map_err(|message| DetectError::Device { backend: self.backend.clone(), message })?;
        let mut x = vec![C64::default(); count * n * m];
        for (f, x) in x.chunks_exact_mut(n * m).enumerate() {
            mean(&shape, schedule, &chains.u, f * samples..(f + 1) * samples, x);
        }
        Ok(x)
    }
}

impl Detector for ScoreDetector {
    fn detect(&self, frames: &FrameBatch) -> Result<Decisions, DetectError> {
        check_batch(frames)?;
        let model = frames.model();
        if model.sequences() != 1 {
            return Err(DetectError::Mismatch(format!(
                "a score network estimates one channel per device; these frames have {} sequences per device",
                model.sequences()
            )));
        }
        let (n, m, l) = (model.devices(), model.antennas(), model.pilot_length());
        let least = self.net.smallest_side();
        if n < least || m < least {
            return Err(DetectError::Mismatch(format!(
                "this score network needs at least {least} devices and antennas; these frames have N = {n}, M = {m}"
            )));
        }
        let columns = pilot_columns(model, 1.0);
        let mut out = Decisions { x: Some(Vec::with_capacity(frames.frames() * n * m)), ..Decisions::default() };
        let mut first = 0;
        while first < frames.frames() {
            // Chains side by side share the likelihood, hence the gains.
            let beta = frames.beta_of(first);
            check_gains(self.options.sampler, beta)?;
            let same = (first..frames.frames()).take(CHUNK).take_while(|&f| frames.beta_of(f) == beta).count();
            let schedule = Schedule::new(Scalar, &self.options, &columns, l, model.noise_var(), beta);
            let mut x = self.sample(frames, first, same, &schedule)?;
            let (mut activity, mut score) = (vec![0; same * n], vec![0.0; same * n]);
            let parts = activity.chunks_exact_mut(n).zip(score.chunks_exact_mut(n)).zip(x.chunks_exact_mut(n * m));
            for ((activity, score), x) in parts {
                judge_rows(
                    beta,
                    m,
                    1,
                    self.threshold,
                    &mut FrameOut { activity, score, x, gamma: &mut [], ending: None },
                );
            }
            out.activity.extend(activity);
            out.score.extend(score);
            if let Some(rows) = &mut out.x {
                rows.extend(x);
            }
            first += same;
        }
        Ok(out)
    }

    fn facts(&self) -> Facts {
        Facts { score_calls: Some(self.options.calls() * self.options.samples), ..Facts::default() }
    }

    fn parameters(&self) -> usize {
        self.parameters
    }
}
