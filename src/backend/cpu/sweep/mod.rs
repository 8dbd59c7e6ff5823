//! Coordinate descent on the powers of all devices, and its gradients.
//!
//! Everything is in double precision whatever the tensors hold: the covariance has condition numbers of 1e7 where near
//! and far devices are active together, and thousands of rank-one steps follow one another. Four frames go side by side,
//! one in every lane of a vector: no sum crosses lanes, and the divisions and roots of a step are those of four frames.

mod descent;
mod reverse;

use descent::{Descend, Descent, Trail};
use rayon::prelude::*;
use reverse::{Adjoint, Reverse, Sums};

use super::element::Element;
use crate::arithmetic::kernels::dispatch;
use crate::arithmetic::lanes::{C4, D4};

/// Sizes and constants of a descent.
#[derive(Debug, Clone, Copy)]
pub struct SweepShape {
    /// Frames F.
    pub frames: usize,
    /// Antennas M.
    pub antennas: usize,
    /// Devices N.
    pub columns: usize,
    /// Pilot length L.
    pub length: usize,
    /// Sweeps U.
    pub sweeps: usize,
    /// Noise variance.
    pub noise_var: f64,
}

/// What all frames share.
struct Shared {
    /// Pilot columns as rows `[N, L]`, (re, im).
    columns: Vec<[f64; 2]>,
    /// `l/M` per device.
    odds: Vec<f64>,
    shape: SweepShape,
}

impl Shared {
    fn new<T: Element>(log_odds: &[T], s: &[T], shape: SweepShape) -> Self {
        let (n, length) = (shape.columns, shape.length);
        let entry = |i: usize| {
            let (device, l) = (i / length, i % length);
            [s[l * n + device].wide(), s[(length + l) * n + device].wide()]
        };
        let odds = log_odds.iter().map(|l| l.wide() / shape.antennas as f64).collect();
        Self { columns: (0..n * length).map(entry).collect(), odds, shape }
    }

    /// The column of a device, `[L]`.
    #[inline(always)]
    fn column(&self, device: usize) -> &[[f64; 2]] {
        let l = self.shape.length;
        &self.columns[device * l..(device + 1) * l]
    }
}

/// The same complex number in every lane.
#[inline(always)]
fn splat([re, im]: [f64; 2]) -> C4 {
    C4 { re: D4::splat(re), im: D4::splat(im) }
}

/// Copies frames, `[M, 2L]` each, into lanes: `Y [L, M]`. Lanes without a frame hear nothing.
fn load<T: Element>(y: &[T], shape: SweepShape, to: &mut [C4]) {
    let (l, m) = (shape.length, shape.antennas);
    to.fill(C4::ZERO);
    for (lane, frame) in y.chunks_exact(2 * l * m).enumerate() {
        for (antenna, row) in frame.chunks_exact(2 * l).enumerate() {
            for t in 0..l {
                to[t * m + antenna].re.0[lane] = row[t].wide();
                to[t * m + antenna].im.0[lane] = row[l + t].wide();
            }
        }
    }
}

/// Bytes of steps that a forward pass keeps for the backward pass at most; beyond, that one runs the sweeps again.
const KEPT: usize = 256 << 20;

/// What a forward pass keeps for the backward pass.
pub struct SweepRecord {
    groups: Vec<Group>,
}

impl std::fmt::Debug for SweepRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SweepRecord").field("groups", &self.groups.len()).finish_non_exhaustive()
    }
}

/// Four frames: their steps, and the inverse covariance at the end.
struct Group {
    trail: Trail,
    p: Vec<C4>,
}

/// Forward pass: powers, `[F, N]` in `[0, 1]`.
pub fn coordinate_sweep<T: Element>(log_odds: &[T], s: &[T], y: &[T], shape: SweepShape) -> Vec<T> {
    let run = |shared: &Shared, descent: &mut Descent| dispatch(Descend::<false> { shared, descent });
    descend(log_odds, s, y, shape, run).0
}

/// Forward pass that also keeps its steps for [`coordinate_sweep_backward`], where memory allows.
pub fn coordinate_sweep_recorded<T: Element>(
    log_odds: &[T],
    s: &[T],
    y: &[T],
    shape: SweepShape,
) -> (Vec<T>, Option<SweepRecord>) {
    if Trail::largest(shape) > KEPT {
        return (coordinate_sweep(log_odds, s, y, shape), None);
    }
    let run = |shared: &Shared, descent: &mut Descent| {
        descent.trail = Trail::reserved(shape);
        dispatch(Descend::<true> { shared, descent: &mut *descent });
        Group { trail: std::mem::take(&mut descent.trail), p: descent.p.clone() }
    };
    let (out, groups) = descend(log_odds, s, y, shape, run);
    (out, Some(SweepRecord { groups }))
}

/// Powers, and what `run` gives for every four frames.
fn descend<T: Element, R: Send>(
    log_odds: &[T],
    s: &[T],
    y: &[T],
    shape: SweepShape,
    run: impl Fn(&Shared, &mut Descent) -> R + Sync,
) -> (Vec<T>, Vec<R>) {
    let shared = Shared::new(log_odds, s, shape);
    let (n, per_frame) = (shape.columns, shape.antennas * 2 * shape.length);
    let mut out = vec![T::zero(); shape.frames * n];
    let frames = out.par_chunks_mut(D4::COUNT * n).zip(y.par_chunks(D4::COUNT * per_frame));
    let found = frames.map_init(
        || Descent::new(shape),
        |descent, (out, y)| {
            load(y, shape, &mut descent.y);
            let found = run(&shared, descent);
            for (lane, out) in out.chunks_exact_mut(n).enumerate() {
                out.iter_mut().zip(&descent.alpha).for_each(|(o, a)| *o = T::narrow(a.0[lane]));
            }
            found
        },
    );
    let found = found.collect();
    (out, found)
}

/// Gradients with respect to the log-odds, the pilots and the observations.
#[derive(Debug)]
pub struct SweepGradients<T> {
    /// `[N]`, summed over frames.
    pub log_odds: Vec<T>,
    /// `[2L, N]`, summed over frames; zero unless asked for.
    pub s: Vec<T>,
    /// `[F*M, 2L]`; zero unless asked for.
    pub y: Vec<T>,
}

/// Gradients of [`coordinate_sweep`] for the gradient `g [F, N]` of its output, from the record of the forward pass or by
/// running it again.
///
/// Steps that left a power at 0 or 1 have no influence and are not even recorded. The others are undone in reverse
/// order: P before a step is `P + c v v^H`. `all` false leaves out what only pilots and observations need.
pub fn coordinate_sweep_backward<T: Element>(
    log_odds: &[T],
    s: &[T],
    y: &[T],
    g: &[T],
    shape: SweepShape,
    record: Option<&SweepRecord>,
    all: bool,
) -> SweepGradients<T> {
    // Sums over frames are taken lane by lane, then group by group: the result does not depend on the threads.
    let shared = Shared::new(log_odds, s, shape);
    let (n, l, per_frame) = (shape.columns, shape.length, shape.antennas * 2 * shape.length);
    let mut g_y = vec![T::zero(); y.len()];
    let parts: Vec<Sums> = g_y
        .par_chunks_mut(D4::COUNT * per_frame)
        .zip(y.par_chunks(D4::COUNT * per_frame).zip(g.par_chunks(D4::COUNT * n)))
        .enumerate()
        .map_init(
            || (Descent::new(shape), Adjoint::new(shape)),
            |(descent, adjoint), (group, (g_y, (y, g)))| {
                let (shared, mut sums) = (&shared, Sums::new(shape, all));
                load(y, shape, &mut descent.y);
                let trail = match record {
                    Some(record) => {
                        descent.p.copy_from_slice(&record.groups[group].p);
                        &record.groups[group].trail
                    }
                    None => {
                        descent.trail = Trail::reserved(shape);
                        dispatch(Descend::<true> { shared, descent: &mut *descent });
                        &descent.trail
                    }
                };
                adjoint.load(g, n);
                let (y, p) = (&descent.y, &mut descent.p);
                dispatch(Reverse { shared, trail, y, p, adjoint: &mut *adjoint, sums: &mut sums, all });
                if all {
                    adjoint.store(shape, g_y);
                }
                sums
            },
        )
        .collect();
    let mut odds = vec![0.0; n];
    let mut g_s = vec![0.0; 2 * l * n];
    for part in &parts {
        odds.iter_mut().zip(&part.odds).for_each(|(a, b)| *a += b.sum());
        for (i, v) in part.columns.iter().enumerate() {
            let (device, t) = (i / l, i % l);
            g_s[t * n + device] += v.re.sum();
            g_s[(l + t) * n + device] += v.im.sum();
        }
    }
    SweepGradients {
        log_odds: odds.into_iter().map(T::narrow).collect(),
        s: g_s.into_iter().map(T::narrow).collect(),
        y: g_y,
    }
}
