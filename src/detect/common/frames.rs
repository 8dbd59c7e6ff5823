//! The loop over frames that all reference detectors share: checks, threads, output arrays.

use rayon::prelude::*;

use super::kkt::{Solver, iterations_to};
use crate::link::{C64, FrameBatch};
use crate::link::{Decisions, DetectError, Detector, IterativeSolver};
use crate::math::isa::{Isa, Kernel, dispatch};

/// Where the decisions about one frame go.
pub(crate) struct FrameOut<'a> {
    /// `[N]`.
    pub activity: &'a mut [i64],
    /// `[N*Q]`.
    pub score: &'a mut [f64],
    /// `[N*Q, M]`, empty when the detector does not estimate channels.
    pub x: &'a mut [C64],
    /// `[N*Q]`, empty when the detector does not estimate powers.
    pub gamma: &'a mut [f64],
    /// `None` when the detector cannot tell.
    pub ending: Option<&'a mut Ending>,
}

/// How the iteration of a frame ended.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ending {
    /// Whether it reached what it looks for.
    pub converged: bool,
    /// How far it is from there.
    pub residual: f64,
}

/// A detector that works on one frame at a time.
pub(crate) trait FrameDetector: Sync {
    /// What is computed once per batch (packed pilots, thresholds).
    type Shared: Sync;
    /// Buffers of one thread.
    type Workspace: Send;
    /// Whether `FrameOut::x` is wanted.
    const ESTIMATES_X: bool;
    /// Whether `FrameOut::gamma` is wanted.
    const ESTIMATES_GAMMA: bool;

    /// Whether `FrameOut::ending` is wanted: the detector can tell how its iteration ended.
    fn ends(&self) -> bool {
        false
    }
    /// Prepares a batch that has passed [`check_batch`].
    fn prepare(&self, batch: &FrameBatch) -> Result<Self::Shared, DetectError>;
    /// Allocates the buffers of one thread.
    fn workspace(&self, shared: &Self::Shared, batch: &FrameBatch) -> Self::Workspace;
    /// Decides frame `f`; must leave nothing behind in the workspace that the next frame reads.
    fn frame<I: Isa>(
        &self,
        isa: I,
        shared: &Self::Shared,
        batch: &FrameBatch,
        f: usize,
        work: &mut Self::Workspace,
        out: FrameOut<'_>,
    );
}

struct FrameTask<'a, D: FrameDetector> {
    detector: &'a D,
    shared: &'a D::Shared,
    batch: &'a FrameBatch,
    f: usize,
    work: &'a mut D::Workspace,
    out: FrameOut<'a>,
}

impl<D: FrameDetector> Kernel for FrameTask<'_, D> {
    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        self.detector.frame(isa, self.shared, self.batch, self.f, self.work, self.out);
    }
}

/// Decides all frames of the batch on the threads of the current rayon pool.
///
/// # Errors
/// [`DetectError::Mismatch`] on frames of a spreading link, or what the detector itself finds.
pub(crate) fn detect_frames<D: FrameDetector>(detector: &D, batch: &FrameBatch) -> Result<Decisions, DetectError> {
    check_batch(batch)?;
    let shared = detector.prepare(batch)?;
    Ok(decisions(batch, [D::ESTIMATES_X, D::ESTIMATES_GAMMA, detector.ends()], |outs| {
        outs.into_par_iter().enumerate().for_each_init(
            || detector.workspace(&shared, batch),
            |work, (f, out)| dispatch(FrameTask { detector, shared: &shared, batch, f, work, out }),
        );
    }))
}

/// A detector that works on one frame at a time, as a [`Detector`].
pub(crate) struct Frames<D>(pub D);

impl<D: FrameDetector + Send> Detector for Frames<D> {
    fn detect(&self, frames: &FrameBatch) -> Result<Decisions, DetectError> {
        detect_frames(&self.0, frames)
    }
}

/// The same for a solver of a convex problem, whose way to the optimum can be counted.
pub(crate) struct Solved<D>(pub D);

impl<D: Solver + Send> Detector for Solved<D> {
    fn detect(&self, frames: &FrameBatch) -> Result<Decisions, DetectError> {
        detect_frames(&self.0, frames)
    }

    fn solver(&self) -> Option<&dyn IterativeSolver> {
        Some(self)
    }
}

impl<D: Solver + Send> IterativeSolver for Solved<D> {
    fn iterations_to_optimum(&self, frames: &FrameBatch, kkt: f64) -> Result<Vec<usize>, DetectError> {
        iterations_to(&self.0, frames, kkt)
    }
}

/// Arrays of a batch, filled by `decide` frame by frame: rows, powers and endings where they are wanted.
pub(crate) fn decisions(
    batch: &FrameBatch,
    [estimates_x, estimates_gamma, ends]: [bool; 3],
    decide: impl FnOnce(Vec<FrameOut<'_>>),
) -> Decisions {
    let (n, columns, m) = (batch.model().devices(), batch.model().columns(), batch.model().antennas());
    let mut activity = vec![0; batch.frames() * n];
    let mut score = vec![0.0; batch.frames() * columns];
    let mut x = estimates_x.then(|| vec![C64::default(); batch.frames() * columns * m]);
    let mut gamma = estimates_gamma.then(|| vec![0.0; batch.frames() * columns]);
    let mut endings = ends.then(|| vec![Ending::default(); batch.frames()]);
    {
        let mut ending_frames = endings.as_mut().map(|v| v.iter_mut());
        let mut x_frames = x.as_deref_mut().map(|v| v.chunks_exact_mut(columns * m));
        let mut gamma_frames = gamma.as_deref_mut().map(|v| v.chunks_exact_mut(columns));
        let outs = activity
            .chunks_exact_mut(n)
            .zip(score.chunks_exact_mut(columns))
            .map(|(activity, score)| FrameOut {
                activity,
                score,
                x: x_frames.as_mut().and_then(Iterator::next).unwrap_or_default(),
                gamma: gamma_frames.as_mut().and_then(Iterator::next).unwrap_or_default(),
                ending: ending_frames.as_mut().and_then(Iterator::next),
            })
            .collect();
        decide(outs);
    }
    let decided = Decisions { x, gamma, ..Decisions::new(activity, score) };
    match endings {
        Some(all) => {
            decided.with_ending(all.iter().map(|e| e.converged).collect(), all.iter().map(|e| e.residual).collect())
        }
        None => decided,
    }
}

/// Refuses frames of a spreading link; all else that a detector relies on has been checked when the batch was made.
pub(crate) fn check_batch(batch: &FrameBatch) -> Result<(), DetectError> {
    if batch.spreading().is_none() {
        return Ok(());
    }
    Err(DetectError::Mismatch(
        "these frames are of a spreading link (system E, array signatures) and the detector is of the access link \
         (arrays pilots, y [F, L, M]); take matched-filter, mmse-sic, beam-sic, expectation-propagation, joint-map \
         or oracle-ls"
            .into(),
    ))
}
