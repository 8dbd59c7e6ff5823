//! How far an estimate is from the optimum of a lasso, and how many iterations a solver needs to get there.

use rayon::prelude::*;

use super::frames::{FrameDetector, check_batch};
use crate::link::DetectError;
use crate::link::{AccessModel, C64, FrameBatch};
use crate::math::isa::Isa;

/// Iterations after which a solver is given up; a frame that needs more counts as this many.
pub const MOST_ITERATIONS: usize = 20_000;

/// A lasso solver that can be watched while it works: `start`, then `step` again and again.
pub(crate) trait Solver: FrameDetector {
    /// Whether rows are shrunk as a whole (group LASSO) or entry by entry (LASSO).
    const GROUPS: bool;
    /// Weight of the norms.
    fn lambda(shared: &Self::Shared) -> f64;
    /// The state before the first iteration of a frame `y [L, M]`.
    fn start(&self, shared: &Self::Shared, y: &[C64], antennas: usize, work: &mut Self::Workspace);
    /// One iteration; returns the largest change and the largest value (infinity and one where a step does not tell).
    fn step<I: Isa>(&self, isa: I, shared: &Self::Shared, work: &mut Self::Workspace) -> (f64, f64);
    /// The current estimate, `x [n, M]`.
    fn estimate(&self, shared: &Self::Shared, work: &Self::Workspace, antennas: usize, x: &mut [C64]);
}

/// Runs a solver on one frame for at most `iterations`, or until the largest change of an iteration is at most
/// `tolerance` times the largest value (0 never stops early), and writes its estimate.
#[inline(always)]
pub(crate) fn solve<S: Solver, I: Isa>(
    isa: I,
    solver: &S,
    shared: &S::Shared,
    frame: (&[C64], usize),
    work: &mut S::Workspace,
    budget: (usize, f64),
    x: &mut [C64],
) {
    let ((y, antennas), (iterations, tolerance)) = (frame, budget);
    solver.start(shared, y, antennas, work);
    for _ in 0..iterations {
        let (change, largest) = solver.step(isa, shared, work);
        if tolerance > 0.0 && change <= tolerance * largest {
            break;
        }
    }
    solver.estimate(shared, work, antennas, x);
}

/// Violations of the optimality conditions of `1/2 ||Y - A X||_F^2 + lambda sum ||x||`, in the units of `A^H Y`, row by row
/// and piece by piece.
///
/// With `G = A^H (Y - A X)` the conditions are `||g|| <= lambda` where `x = 0` and `g = lambda x/||x||` elsewhere. The norms
/// are of pieces of `width` entries of a row: M for the group LASSO, 1 for the LASSO. `y [L, M]`, `x [n, M]`.
fn violations(model: &AccessModel, y: &[C64], x: &[C64], lambda: f64, width: usize) -> impl Iterator<Item = f64> {
    let (length, columns, m) = (model.pilot_length(), model.columns(), model.antennas());
    let row = move |i: usize| &x[i * m..(i + 1) * m];
    let active: Vec<usize> = (0..columns).filter(|&i| row(i).iter().any(|v| v.norm_sqr() > 0.0)).collect();
    let mut residual = y.to_vec();
    for (k, r) in residual.chunks_exact_mut(m).enumerate() {
        for &i in &active {
            let a = model.pilots().at(k, i);
            r.iter_mut().zip(row(i)).for_each(|(r, x)| *r -= a * x);
        }
    }
    let norm = |v: &[C64]| v.iter().map(|v| v.norm_sqr()).sum::<f64>().sqrt();
    let of_row = move |i: usize| {
        let mut gradient = vec![C64::default(); m];
        for k in 0..length {
            let a = model.pilots().at(k, i).conj();
            gradient.iter_mut().zip(&residual[k * m..(k + 1) * m]).for_each(|(g, r)| *g += a * r);
        }
        let pieces = gradient.chunks_exact_mut(width).zip(row(i).chunks_exact(width));
        pieces.fold(0.0_f64, |worst, (g, x)| {
            let size = norm(x);
            if size == 0.0 {
                return larger(worst, norm(g) - lambda);
            }
            g.iter_mut().zip(x).for_each(|(g, x)| *g -= x * (lambda / size));
            larger(worst, norm(g))
        })
    };
    (0..columns).map(of_row)
}

/// The larger number, infinite where one of them is none: an estimate that is no number is not optimal.
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::INFINITY } else { a.max(b) }
}

/// Largest of the [`violations`].
#[cfg(test)]
pub(crate) fn kkt_residual(model: &AccessModel, y: &[C64], x: &[C64], lambda: f64, width: usize) -> f64 {
    violations(model, y, x, lambda, width).fold(0.0, larger)
}

/// Iterations until the optimality conditions are violated by at most `tolerance`, for every frame.
///
/// # Errors
/// [`DetectError::Mismatch`] when an array has the wrong length, or what the solver itself finds.
pub(crate) fn iterations_to<S: Solver>(
    solver: &S,
    batch: &FrameBatch,
    tolerance: f64,
) -> Result<Vec<usize>, DetectError> {
    check_batch(batch)?;
    let shared = solver.prepare(batch)?;
    let (columns, m) = (batch.model().columns(), batch.model().antennas());
    let width = if S::GROUPS { m } else { 1 };
    let lambda = S::lambda(&shared);
    let count = |work: &mut S::Workspace, f: usize| {
        let y = batch.frame(f);
        let mut x = vec![C64::default(); columns * m];
        solver.start(&shared, y, m, work);
        let mut done = |work: &mut S::Workspace| {
            solver.step(pulp::Scalar, &shared, work);
            solver.estimate(&shared, work, m, &mut x);
            // Far from the optimum the first rows tell.
            violations(batch.model(), y, &x, lambda, width).all(|v| v <= tolerance)
        };
        (1..MOST_ITERATIONS).find(|_| done(work)).unwrap_or(MOST_ITERATIONS)
    };
    Ok((0..batch.frames()).into_par_iter().map_init(|| solver.workspace(&shared, batch), count).collect())
}
