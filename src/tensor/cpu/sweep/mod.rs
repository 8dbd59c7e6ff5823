//! Coordinate descent on the powers of all devices, and its gradients.
//!
//! Everything is in double precision whatever the tensors hold: the covariance has condition numbers of 1e7 where near
//! and far devices are active together, and thousands of rank-one steps follow one another. Four frames go side by side (eight
//! where vectors have 512 bits), one in every lane of a vector: no sum crosses lanes, and one vector division or root serves
//! all of them.

mod descent;
mod reverse;

use descent::{Descend, Descent, Trail};
use rayon::prelude::*;
use reverse::{Adjoint, Reverse, Sums};

use super::element::Element;
use crate::math::isa::{dispatch, has_wide_vectors};
use crate::math::lanes::{ComplexLanes, D4, D8, Lanes};

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
fn splat<V: Lanes<Number = f64>>([re, im]: [f64; 2]) -> ComplexLanes<V> {
    ComplexLanes { re: V::splat(re), im: V::splat(im) }
}

/// Copies frames, `[M, 2L]` each, into lanes: `Y [L, M]`. Lanes without a frame are zero.
fn load<T: Element, V: Lanes<Number = f64>>(y: &[T], shape: SweepShape, to: &mut [ComplexLanes<V>]) {
    let (l, m) = (shape.length, shape.antennas);
    to.fill(ComplexLanes::ZERO);
    for (lane, frame) in y.chunks_exact(2 * l * m).enumerate() {
        for (antenna, row) in frame.chunks_exact(2 * l).enumerate() {
            for t in 0..l {
                to[t * m + antenna].re.lanes_mut()[lane] = row[t].wide();
                to[t * m + antenna].im.lanes_mut()[lane] = row[l + t].wide();
            }
        }
    }
}

/// Bytes of steps that a forward pass keeps for the backward pass at most; beyond, that one runs the sweeps again.
const KEPT: usize = 256 << 20;

/// What a forward pass keeps for the backward pass.
pub enum SweepRecord {
    /// Four frames side by side.
    Four(Groups<D4>),
    /// Eight.
    Eight(Groups<D8>),
}

/// One entry for as many frames as a vector has lanes.
pub struct Groups<V>(Vec<Group<V>>);

impl std::fmt::Debug for SweepRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (lanes, groups) = match self {
            Self::Four(groups) => (D4::COUNT, groups.0.len()),
            Self::Eight(groups) => (D8::COUNT, groups.0.len()),
        };
        f.debug_struct("SweepRecord").field("lanes", &lanes).field("groups", &groups).finish_non_exhaustive()
    }
}

/// Frames that go side by side: their steps, and the inverse covariance at the end.
struct Group<V> {
    trail: Trail<V>,
    p: Vec<ComplexLanes<V>>,
}

/// Whether frames go side by side in vectors of 512 bits. It does not depend on threads, so that sums over frames do not either.
fn wide(shape: SweepShape) -> bool {
    has_wide_vectors() && shape.frames > D4::COUNT
}

/// Forward pass: powers, `[F, N]` in `[0, 1]`.
pub fn coordinate_sweep<T: Element>(log_odds: &[T], s: &[T], y: &[T], shape: SweepShape) -> Vec<T> {
    fn run<T: Element, V: Lanes<Number = f64>>(log_odds: &[T], s: &[T], y: &[T], shape: SweepShape) -> Vec<T> {
        descend(log_odds, s, y, shape, |shared, descent: &mut Descent<V>| {
            dispatch(Descend::<false, V> { shared, descent });
        })
        .0
    }
    if wide(shape) { run::<T, D8>(log_odds, s, y, shape) } else { run::<T, D4>(log_odds, s, y, shape) }
}

/// Forward pass that also keeps its steps for [`coordinate_sweep_backward`], where memory allows.
pub fn coordinate_sweep_recorded<T: Element>(
    log_odds: &[T],
    s: &[T],
    y: &[T],
    shape: SweepShape,
) -> (Vec<T>, Option<SweepRecord>) {
    fn run<T: Element, V: Lanes<Number = f64>>(
        log_odds: &[T],
        s: &[T],
        y: &[T],
        shape: SweepShape,
    ) -> (Vec<T>, Option<Groups<V>>) {
        if Trail::<V>::largest(shape) > KEPT {
            return (coordinate_sweep(log_odds, s, y, shape), None);
        }
        let (out, groups) = descend(log_odds, s, y, shape, |shared, descent: &mut Descent<V>| {
            descent.trail = Trail::reserved(shape);
            dispatch(Descend::<true, V> { shared, descent: &mut *descent });
            Group { trail: std::mem::take(&mut descent.trail), p: descent.p.clone() }
        });
        (out, Some(Groups(groups)))
    }
    if wide(shape) {
        let (out, groups) = run(log_odds, s, y, shape);
        (out, groups.map(SweepRecord::Eight))
    } else {
        let (out, groups) = run(log_odds, s, y, shape);
        (out, groups.map(SweepRecord::Four))
    }
}

/// Powers, and what `run` gives for the frames of every vector.
fn descend<T: Element, V: Lanes<Number = f64>, R: Send>(
    log_odds: &[T],
    s: &[T],
    y: &[T],
    shape: SweepShape,
    run: impl Fn(&Shared, &mut Descent<V>) -> R + Sync,
) -> (Vec<T>, Vec<R>) {
    let shared = Shared::new(log_odds, s, shape);
    let (n, per_frame) = (shape.columns, shape.antennas * 2 * shape.length);
    let mut out = vec![T::zero(); shape.frames * n];
    let frames = out.par_chunks_mut(V::COUNT * n).zip(y.par_chunks(V::COUNT * per_frame));
    let found = frames.map_init(
        || Descent::new(shape),
        |descent, (out, y)| {
            load(y, shape, &mut descent.y);
            let found = run(&shared, descent);
            for (lane, out) in out.chunks_exact_mut(n).enumerate() {
                out.iter_mut().zip(&descent.alpha).for_each(|(o, a)| *o = T::narrow(a.lanes()[lane]));
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
    match record {
        Some(SweepRecord::Four(groups)) => backward(log_odds, s, y, g, shape, Some(groups), all),
        Some(SweepRecord::Eight(groups)) => backward(log_odds, s, y, g, shape, Some(groups), all),
        None if wide(shape) => backward::<T, D8>(log_odds, s, y, g, shape, None, all),
        None => backward::<T, D4>(log_odds, s, y, g, shape, None, all),
    }
}

fn backward<T: Element, V: Lanes<Number = f64>>(
    log_odds: &[T],
    s: &[T],
    y: &[T],
    g: &[T],
    shape: SweepShape,
    record: Option<&Groups<V>>,
    all: bool,
) -> SweepGradients<T> {
    // Sums over frames are taken lane by lane, then group by group: the result does not depend on the threads.
    let shared = Shared::new(log_odds, s, shape);
    let (n, l, per_frame) = (shape.columns, shape.length, shape.antennas * 2 * shape.length);
    let mut g_y = vec![T::zero(); y.len()];
    let parts: Vec<Sums<V>> = g_y
        .par_chunks_mut(V::COUNT * per_frame)
        .zip(y.par_chunks(V::COUNT * per_frame).zip(g.par_chunks(V::COUNT * n)))
        .enumerate()
        .map_init(
            || (Descent::<V>::new(shape), Adjoint::new(shape)),
            |(descent, adjoint), (group, (g_y, (y, g)))| {
                let (shared, mut sums) = (&shared, Sums::new(shape, all));
                load(y, shape, &mut descent.y);
                let trail = match record {
                    Some(record) => {
                        descent.p.copy_from_slice(&record.0[group].p);
                        &record.0[group].trail
                    }
                    None => {
                        descent.trail = Trail::reserved(shape);
                        dispatch(Descend::<true, V> { shared, descent: &mut *descent });
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
