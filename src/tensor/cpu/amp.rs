//! An iteration of unfolded AMP on plain slices.
//!
//! Groups of frames run through both products with the pilots and the denoiser between them while their rows are in
//! cache. Pilots too large for that go through products of all frames at once, which pack them once.

use rayon::prelude::*;

use super::denoise::{Backward, Denoiser, Forward, Frame, Rule};
use super::element::{Element, View, matmul_add, matmul_parallel};

/// Sizes and forms of an iteration.
#[derive(Debug, Clone, Copy)]
pub struct AmpShape {
    /// Frames F.
    pub frames: usize,
    /// Antennas M.
    pub antennas: usize,
    /// Sequences K.
    pub columns: usize,
    /// Pilot length L.
    pub length: usize,
    /// Rows that exclude each other.
    pub section: usize,
    /// Matrix Onsager term, else the mean of the traces.
    pub matrix_onsager: bool,
}

impl AmpShape {
    /// Real values of the rows of X of all frames.
    #[inline]
    fn x(&self) -> usize {
        self.frames * self.antennas * 2 * self.columns
    }

    /// Real values of the residuals of all frames.
    #[inline]
    fn r(&self) -> usize {
        self.frames * self.antennas * 2 * self.length
    }

    /// Length of a state.
    #[inline]
    pub fn state(&self) -> usize {
        self.x() + self.r() + self.frames * self.columns
    }

    /// The pilots stay in the second-level cache of a core, so that every group can read them anew.
    #[inline]
    fn small<T>(&self) -> bool {
        4 * self.columns * self.length * size_of::<T>() <= 1 << 18
    }

    /// Frames of a task. Few rows make products inefficient, many leave the cache; it does not depend on the number of
    /// threads, so that threads change no result.
    #[inline]
    fn group(&self) -> usize {
        let rows = (self.frames * self.antennas / 16).clamp(32, 128);
        rows.div_ceil(self.antennas)
    }

    /// Rows of X, residuals and likelihood ratios of a state.
    #[inline]
    fn split<'a, T>(&self, state: &'a [T]) -> (&'a [T], &'a [T], &'a [T]) {
        let (x, rest) = state.split_at(self.x());
        let (r, llr) = rest.split_at(self.r());
        (x, r, llr)
    }

    #[inline]
    fn split_mut<'a, T>(&self, state: &'a mut [T]) -> (&'a mut [T], &'a mut [T], &'a mut [T]) {
        let (x, rest) = state.split_at_mut(self.x());
        let (r, llr) = rest.split_at_mut(self.r());
        (x, r, llr)
    }
}

/// Inputs of an iteration; shapes as in [`amp_iteration`](crate::tensor::amp_iteration).
#[derive(Clone, Copy)]
pub struct AmpInputs<'a, T> {
    /// State before.
    pub state: &'a [T],
    /// Observations.
    pub y: &'a [T],
    /// S.
    pub synthesis: &'a [T],
    /// The filter.
    pub analysis: &'a [T],
    /// Gains.
    pub beta: &'a [T],
    /// v, theta_2, tau, Onsager factor.
    pub factors: &'a [T],
    /// Prior.
    pub theta_1: &'a [T],
}

impl<T: Element> AmpInputs<'_, T> {
    #[inline]
    fn rule(&self, shape: AmpShape) -> Rule<T> {
        let theta_1 = match self.theta_1 {
            [one] => vec![*one; shape.columns],
            all => all.to_vec(),
        };
        Rule {
            antennas: shape.antennas,
            columns: shape.columns,
            length: shape.length,
            section: shape.section,
            matrix_onsager: shape.matrix_onsager,
            v: self.factors[0],
            power: self.factors[1].exp(),
            residual: self.factors[2].exp(),
            onsager: self.factors[3] / T::narrow(shape.length as f64),
            theta_1,
        }
    }
}

/// `[columns, rows]` of a row-major `[rows, columns]`: a product reads its right factor along rows.
fn transposed<T: Element>(a: &[T], rows: usize, columns: usize) -> Vec<T> {
    const TILE: usize = 16;
    let mut out = vec![T::zero(); a.len()];
    out.par_chunks_mut(TILE * rows).enumerate().for_each(|(tile, out)| {
        let first = tile * TILE;
        for top in (0..rows).step_by(TILE) {
            for (c, out) in out.chunks_exact_mut(rows).enumerate() {
                for (row, out) in out.iter_mut().enumerate().take((top + TILE).min(rows)).skip(top) {
                    *out = a[row * columns + first + c];
                }
            }
        }
    });
    out
}

/// `out += factor rows matrix`, row-major, by one thread or by all.
fn accumulate<T: Element>(out: &mut [T], rows: &[T], matrix: &[T], inner: usize, factor: f64, parallel: bool) {
    let columns = matrix.len() / inner;
    accumulate_view(out, rows, View::new(matrix, inner, columns), factor, parallel);
}

fn accumulate_view<T: Element>(out: &mut [T], rows: &[T], matrix: View<'_, T>, factor: f64, parallel: bool) {
    let a = rows.len() / matrix.rows;
    matmul_add(out, View::new(rows, a, matrix.rows), matrix, T::narrow(factor), parallel);
}

/// Fewest rows that are worth a copy of the transposed matrix.
const WORTH_A_COPY: usize = 64;

/// The state after an iteration, and the pseudo-observations z `[F*M, 2K]`, which the gradients want.
pub fn amp_iteration<T: Element>(inputs: AmpInputs<'_, T>, shape: AmpShape) -> (Vec<T>, Vec<T>) {
    let AmpShape { antennas: m, columns: k, length: l, .. } = shape;
    let (wide, narrow, group, small) = (m * 2 * k, m * 2 * l, shape.group(), shape.small::<T>());
    let rule = inputs.rule(shape);
    let copy = (shape.frames * m >= WORTH_A_COPY).then(|| transposed(inputs.analysis, 2 * k, 2 * l));
    let analysis = match &copy {
        Some(copy) => View::new(copy, 2 * l, 2 * k),
        None => View::new(inputs.analysis, 2 * k, 2 * l).t(),
    };
    let (x, r, _) = shape.split(inputs.state);
    let (mut state, mut z) = (vec![T::zero(); shape.state()], x.to_vec());
    if !small {
        accumulate_view(&mut z, r, analysis, 1.0, true);
    }
    let (x_new, r_new, llr) = shape.split_mut(&mut state);
    x_new
        .par_chunks_mut(group * wide)
        .zip(r_new.par_chunks_mut(group * narrow))
        .zip(llr.par_chunks_mut(group * k).zip(z.par_chunks_mut(group * wide)))
        .zip(r.par_chunks(group * narrow))
        .zip(inputs.y.par_chunks(group * narrow).zip(inputs.beta.par_chunks(group * k)))
        .for_each_init(
            || Denoiser::new(&rule),
            |denoiser, ((((x_new, r_new), (llr, z)), r), (y, beta))| {
                if small {
                    accumulate_view(z, r, analysis, 1.0, false);
                }
                let parts = z.chunks_exact(wide).zip(r.chunks_exact(narrow)).zip(beta.chunks_exact(k));
                let outs = x_new.chunks_exact_mut(wide).zip(r_new.chunks_exact_mut(narrow));
                for ((((z, r), beta), (x, onsager)), llr) in parts.zip(outs).zip(llr.chunks_exact_mut(k)) {
                    let frame = Frame { z, r, beta };
                    pulp::Arch::new().dispatch(Forward { denoiser, rule: &rule, frame, x, onsager, llr });
                }
                for (r, &y) in r_new.iter_mut().zip(y) {
                    *r += y;
                }
                if small {
                    accumulate(r_new, x_new, inputs.synthesis, 2 * k, -1.0, false);
                }
            },
        );
    if !small {
        accumulate(r_new, x_new, inputs.synthesis, 2 * k, -1.0, true);
    }
    (state, z)
}

/// Results of an iteration that the backward pass needs.
#[derive(Clone, Copy)]
pub struct AmpOutputs<'a, T> {
    /// State after.
    pub state: &'a [T],
    /// Pseudo-observations.
    pub z: &'a [T],
}

/// Gradients of the inputs of the same names.
pub struct AmpGradients<T> {
    /// Of the state before.
    pub state: Vec<T>,
    /// Of the observations.
    pub y: Vec<T>,
    /// Of S; zero where it is not wanted.
    pub synthesis: Vec<T>,
    /// Of the filter; zero where it is not wanted.
    pub analysis: Vec<T>,
    /// Of the gains.
    pub beta: Vec<T>,
    /// Of v, theta_2, tau and the Onsager factor.
    pub factors: Vec<T>,
    /// Of the prior.
    pub theta_1: Vec<T>,
}

/// Gradients of [`amp_iteration`] for the gradient `by_state` of the state after, which becomes that of the state before;
/// `wanted` names those of S and of the filter, which cost a product each.
pub fn amp_iteration_backward<T: Element>(
    inputs: AmpInputs<'_, T>,
    outputs: AmpOutputs<'_, T>,
    mut by_state: Vec<T>,
    shape: AmpShape,
    wanted: [bool; 2],
) -> AmpGradients<T> {
    let AmpShape { frames, antennas: m, columns: k, length: l, .. } = shape;
    let (wide, narrow, group, small) = (m * 2 * k, m * 2 * l, shape.group(), shape.small::<T>());
    let rule = inputs.rule(shape);
    let synthesis = transposed(inputs.synthesis, 2 * k, 2 * l);
    let (_, r, _) = shape.split(inputs.state);
    let (x_new, _, llr) = shape.split(outputs.state);
    let (mut by_beta, mut by_theta) = (vec![T::zero(); frames * k], vec![T::zero(); frames * k]);
    let mut by_factors = vec![T::zero(); frames * 4];
    // The gradient of x is that of z; that of y is that of the residual after.
    let (by_z, by_r, by_llr) = shape.split_mut(&mut by_state);
    let by_y = by_r.to_vec();
    if !small {
        accumulate(by_z, &by_y, &synthesis, 2 * l, -1.0, true);
    }
    let results = by_beta.par_chunks_mut(group * k).zip(by_theta.par_chunks_mut(group * k));
    by_z.par_chunks_mut(group * wide)
        .zip(by_r.par_chunks_mut(group * narrow))
        .zip(results.zip(by_factors.par_chunks_mut(group * 4)))
        .zip(outputs.z.par_chunks(group * wide).zip(r.par_chunks(group * narrow)))
        .zip(inputs.beta.par_chunks(group * k).zip(llr.par_chunks(group * k)))
        .zip(by_y.par_chunks(group * narrow).zip(by_llr.par_chunks(group * k)))
        .for_each_init(
            || Denoiser::new(&rule),
            |denoiser, (((((by_z, by_r), results), (z, r)), (beta, llr)), (by_y, by_llr))| {
                if small {
                    accumulate(by_z, by_y, &synthesis, 2 * l, -1.0, false);
                }
                let ((by_beta, by_theta), by_factors) = results;
                let frames = z.chunks_exact(wide).zip(r.chunks_exact(narrow)).zip(beta.chunks_exact(k));
                let given = llr.chunks_exact(k).zip(by_y.chunks_exact(narrow)).zip(by_llr.chunks_exact(k));
                let rows = by_z.chunks_exact_mut(wide).zip(by_r.chunks_exact_mut(narrow));
                let rest = by_beta.chunks_exact_mut(k).zip(by_theta.chunks_exact_mut(k));
                let rest = rest.zip(by_factors.chunks_exact_mut(4));
                for (
                    ((((z, r), beta), ((llr, by_onsager), by_llr)), (rows, by_r)),
                    ((by_beta, by_theta), by_factors),
                ) in frames.zip(given).zip(rows).zip(rest)
                {
                    let (rule, frame) = (&rule, Frame { z, r, beta });
                    pulp::Arch::new().dispatch(Backward {
                        denoiser,
                        rule,
                        frame,
                        llr,
                        rows,
                        by_onsager,
                        by_llr,
                        by_r,
                        by_beta,
                        by_theta,
                        by_factors,
                    });
                }
                if small {
                    accumulate(by_r, by_z, inputs.analysis, 2 * k, 1.0, false);
                }
            },
        );
    if !small {
        accumulate(by_r, by_z, inputs.analysis, 2 * k, 1.0, true);
    }
    // The likelihood ratios of the state before are not used.
    by_llr.fill(T::zero());
    let rows = frames * m;
    // Of a matrix `[2K, 2L]` that took rows `[F*M, 2K]` to rows `[F*M, 2L]`, or back.
    let matrix = |wanted: bool, wide: &[T], narrow: &[T], factor: T| {
        let mut out = vec![T::zero(); 4 * k * l];
        if wanted {
            matmul_parallel(&mut out, View::new(wide, rows, 2 * k).t(), View::new(narrow, rows, 2 * l), factor);
        }
        out
    };
    let synthesis = matrix(wanted[0], x_new, &by_y, -T::one());
    let analysis = matrix(wanted[1], &by_state[..shape.x()], r, T::one());
    let theta_1 = columns_summed(&by_theta, k);
    AmpGradients {
        synthesis,
        analysis,
        state: by_state,
        y: by_y,
        beta: by_beta,
        factors: columns_summed(&by_factors, 4),
        theta_1: if inputs.theta_1.len() == 1 { vec![theta_1.into_iter().sum()] } else { theta_1 },
    }
}

/// Sums over rows, in double precision: gradients of a factor that all frames share nearly cancel.
fn columns_summed<T: Element>(rows: &[T], columns: usize) -> Vec<T> {
    let mut out = vec![0.0; columns];
    for row in rows.chunks_exact(columns) {
        for (o, v) in out.iter_mut().zip(row) {
            *o += v.wide();
        }
    }
    out.into_iter().map(T::narrow).collect()
}
