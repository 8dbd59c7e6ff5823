//! Coordinate descent on the powers of all devices, and its gradients by recomputation.
//!
//! Everything is in double precision whatever the tensors hold: the covariance has condition numbers of 1e7 where near
//! and far devices are active together, and thousands of rank-one steps follow one another.

use rayon::prelude::*;

use super::element::Element;
use crate::arithmetic::inverse::InverseCovariance;
use crate::arithmetic::kernels::{Kernel, combine_conjugate, dispatch, energy, real_dot, subtract_outer};
use crate::arithmetic::planes::Planes;
use crate::arithmetic::real::Real;

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

const PAD: usize = 2 * <f64 as Real>::LANES;

/// What all frames share.
struct Shared {
    /// Pilot columns as rows, `[N, L]`.
    columns: Planes<f64>,
    /// `l/M` per device.
    odds: Vec<f64>,
    shape: SweepShape,
}

impl Shared {
    fn new<T: Element>(log_odds: &[T], s: &[T], shape: SweepShape) -> Self {
        let mut columns = Planes::zeros(shape.columns, shape.length, PAD);
        for n in 0..shape.columns {
            for l in 0..shape.length {
                columns.re[n * columns.stride + l] = s[l * shape.columns + n].wide();
                columns.im[n * columns.stride + l] = s[(shape.length + l) * shape.columns + n].wide();
            }
        }
        let odds = log_odds.iter().map(|l| l.wide() / shape.antennas as f64).collect();
        Self { columns, odds, shape }
    }
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Branch {
    /// At the stationary point.
    Free,
    /// At power 0 or 1: the new power does not depend on anything.
    Clamped,
}

/// Equation (19) of the auto-encoder paper with the misprinted sign corrected: the step of a power `alpha` in `[0, 1]`.
#[inline(always)]
fn step(q: f64, s: f64, alpha: f64, odds: f64) -> (f64, Branch) {
    let discriminant = s * s - 4.0 * q * odds;
    // Below zero the posterior grows without end: only the cap at 1 stops it.
    let d = if discriminant < 0.0 { f64::INFINITY } else { (2.0 * q / (s + discriminant.sqrt()) - 1.0) / s };
    if d <= -alpha {
        (-alpha, Branch::Clamped)
    } else if d >= 1.0 - alpha {
        (1.0 - alpha, Branch::Clamped)
    } else {
        (d, Branch::Free)
    }
}

/// Derivatives of a free step with respect to q, s and l/M.
#[inline(always)]
fn step_slopes(q: f64, s: f64, odds: f64) -> [f64; 3] {
    // It may come near 0 where activity is likely: the slopes there are bounded, so that one step does not become infinite.
    let root = (s * s - 4.0 * q * odds).max(1e-12 * s * s).sqrt();
    let h = s + root;
    let u = 2.0 * q / h;
    let by_h = -u / h;
    [
        (2.0 / h - by_h * 2.0 * odds / root) / s,
        (by_h * (1.0 + s / root) - (u - 1.0) / s) / s,
        -by_h * 2.0 * q / root / s,
    ]
}

/// A step that changed a power.
#[derive(Clone, Copy)]
struct Step {
    device: usize,
    s: f64,
    q: f64,
    d: f64,
    branch: Branch,
}

/// Buffers of one thread.
struct Frame {
    inverse: InverseCovariance<f64>,
    /// Y, `[L, M]`.
    y: Planes<f64>,
    /// `Y^H v`, `[M]`.
    w: Planes<f64>,
    /// `[N]`.
    alpha: Vec<f64>,
    steps: Vec<Step>,
    /// `v = P a` of every recorded step, `[steps, 2, stride]`.
    trail: Vec<f64>,
}

impl Frame {
    fn new(shape: SweepShape) -> Self {
        Self {
            inverse: InverseCovariance::new(shape.length, shape.noise_var),
            y: Planes::zeros(shape.length, shape.antennas, PAD),
            w: Planes::zeros(1, shape.antennas, PAD),
            alpha: vec![0.0; shape.columns],
            steps: Vec::new(),
            trail: Vec::new(),
        }
    }

    /// Y arrives with one antenna a row: `[M, 2L]`.
    fn load<T: Element>(&mut self, y: &[T], shape: SweepShape) {
        let l = shape.length;
        for (m, row) in y.chunks_exact(2 * l).enumerate() {
            for t in 0..l {
                self.y.re[t * self.y.stride + m] = row[t].wide();
                self.y.im[t * self.y.stride + m] = row[l + t].wide();
            }
        }
    }

    /// All sweeps from zero; `RECORD` keeps the steps that changed something.
    #[inline(always)]
    fn descend<const FMA: bool, const RECORD: bool>(&mut self, shared: &Shared) {
        let SweepShape { antennas, length, sweeps, .. } = shared.shape;
        self.alpha.fill(0.0);
        self.inverse.reset();
        self.steps.clear();
        self.trail.clear();
        for _ in 0..sweeps {
            for n in 0..self.alpha.len() {
                let s = self.inverse.apply::<FMA>(shared.columns.row(n));
                // A zero column, or numbers out of range: the device stays idle.
                if !(s > 0.0 && s.is_finite()) {
                    continue;
                }
                let v = self.inverse.v.parts();
                let coefficients = [&v[0][..length], &v[1][..length]];
                combine_conjugate::<f64, FMA>(self.y.parts(), self.y.stride, coefficients, self.w.parts_mut());
                let q = energy::<f64, FMA>(self.w.parts()) / antennas as f64;
                let (d, branch) = step(q, s, self.alpha[n], shared.odds[n]);
                if d != 0.0 && d.is_finite() {
                    if RECORD {
                        self.steps.push(Step { device: n, s, q, d, branch });
                        self.trail.extend_from_slice(v[0]);
                        self.trail.extend_from_slice(v[1]);
                    }
                    self.inverse.update::<FMA>(d, s);
                    // Exactly 0 and 1 at the ends, whatever the sum rounds to.
                    self.alpha[n] = match branch {
                        Branch::Free => self.alpha[n] + d,
                        Branch::Clamped if d < 0.0 => 0.0,
                        Branch::Clamped => 1.0,
                    };
                }
            }
        }
    }
}

/// One frame on the best instructions of this processor.
struct Descend<'a> {
    shared: &'a Shared,
    frame: &'a mut Frame,
}

impl Kernel for Descend<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        self.frame.descend::<FMA, false>(self.shared);
    }
}

/// Forward pass: powers, `[F, N]` in `[0, 1]`.
pub fn coordinate_sweep<T: Element>(log_odds: &[T], s: &[T], y: &[T], shape: SweepShape) -> Vec<T> {
    let shared = Shared::new(log_odds, s, shape);
    let mut out = vec![T::zero(); shape.frames * shape.columns];
    out.par_chunks_mut(shape.columns).zip(y.par_chunks(shape.antennas * 2 * shape.length)).for_each_init(
        || Frame::new(shape),
        |frame, (out, y)| {
            frame.load(y, shape);
            dispatch(Descend { shared: &shared, frame });
            out.iter_mut().zip(&frame.alpha).for_each(|(o, a)| *o = T::narrow(*a));
        },
    );
    out
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

/// Buffers of the backward pass of one thread.
struct Adjoint {
    /// Adjoint of P, Hermitian `[L, L]`.
    p: Planes<f64>,
    /// Adjoint of v, and two products.
    v: Planes<f64>,
    pv: Planes<f64>,
    yw: Planes<f64>,
    /// `Y^H`, `[M, L]`.
    y_adjoint: Planes<f64>,
    /// Adjoint of Y, `[M, L]` conjugated.
    y: Planes<f64>,
    alpha: Vec<f64>,
}

impl Adjoint {
    fn new(shape: SweepShape) -> Self {
        let row = || Planes::zeros(1, shape.length, PAD);
        Self {
            p: Planes::zeros(shape.length, shape.length, PAD),
            v: row(),
            pv: row(),
            yw: row(),
            y_adjoint: Planes::zeros(shape.antennas, shape.length, PAD),
            y: Planes::zeros(shape.antennas, shape.length, PAD),
            alpha: vec![0.0; shape.columns],
        }
    }
}

/// Sums of a group of frames.
struct Sums {
    odds: Vec<f64>,
    /// Adjoint of the columns, `[N, L]`.
    columns: Planes<f64>,
}

/// `to += scale * from` on both planes.
#[inline(always)]
fn add_scaled<const FMA: bool>(to: [&mut [f64]; 2], scale: f64, from: [&[f64]; 2]) {
    let [re, im] = to;
    re.iter_mut().zip(from[0]).for_each(|(t, f)| *t = scale.madd::<FMA>(*f, *t));
    im.iter_mut().zip(from[1]).for_each(|(t, f)| *t = scale.madd::<FMA>(*f, *t));
}

/// Backward pass of one frame.
struct Reverse<'a> {
    shared: &'a Shared,
    frame: &'a mut Frame,
    adjoint: &'a mut Adjoint,
    sums: &'a mut Sums,
    /// Whether pilots and observations have a gradient.
    all: bool,
}

impl Kernel for Reverse<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        self.frame.descend::<FMA, true>(self.shared);
        let Self { shared, frame, adjoint: a, sums, all } = self;
        let SweepShape { antennas, length, .. } = shared.shape;
        let stride = a.v.stride;
        a.p.re.fill(0.0);
        a.p.im.fill(0.0);
        a.y.re.fill(0.0);
        a.y.im.fill(0.0);
        for (at, step) in frame.steps.iter().enumerate().rev() {
            let (n, Step { s, q, d, branch, .. }) = (step.device, *step);
            let trail = &frame.trail[at * 2 * stride..(at + 1) * 2 * stride];
            let v = [&trail[..stride], &trail[stride..]];
            let head = [&v[0][..length], &v[1][..length]];
            let column = shared.columns.row(n);
            // P' = P - c v v^H with c = d/(1 + d s).
            let growth = 1.0 + d * s;
            let c = d / growth;
            combine_conjugate::<f64, FMA>(a.p.parts(), a.p.stride, head, a.pv.parts_mut());
            let c_bar = -real_dot::<f64, FMA>(v, a.pv.parts());
            let by_growth = c_bar / (growth * growth);
            let d_bar = by_growth + a.alpha[n];
            let mut s_bar = -by_growth * d * d;
            a.v.re.fill(0.0);
            a.v.im.fill(0.0);
            add_scaled::<FMA>(a.v.parts_mut(), -2.0 * c, a.pv.parts());
            match branch {
                // d = bound - alpha: the power before the step gets what the one after it had, less d's.
                Branch::Clamped => a.alpha[n] -= d_bar,
                Branch::Free => {
                    let [by_q, by_s, by_odds] = step_slopes(q, s, shared.odds[n]);
                    s_bar += d_bar * by_s;
                    sums.odds[n] += d_bar * by_odds / antennas as f64;
                    // q = ||Y^H v||^2/M.
                    let scale = 2.0 * d_bar * by_q / antennas as f64;
                    combine_conjugate::<f64, FMA>(frame.y.parts(), frame.y.stride, head, frame.w.parts_mut());
                    let w = [&frame.w.re[..antennas], &frame.w.im[..antennas]];
                    combine_conjugate::<f64, FMA>(a.y_adjoint.parts(), stride, w, a.yw.parts_mut());
                    add_scaled::<FMA>(a.v.parts_mut(), scale, a.yw.parts());
                    if all {
                        // Y_bar += scale v w^H; kept as its adjoint, scale w v^H.
                        subtract_outer::<f64, FMA>(a.y.parts_mut(), antennas, -scale, frame.w.parts(), v);
                    }
                }
            }
            // s = Re a^H v.
            add_scaled::<FMA>(a.v.parts_mut(), s_bar, column);
            if all {
                let row = n * stride..(n + 1) * stride;
                let to = [&mut sums.columns.re[row.clone()], &mut sums.columns.im[row.clone()]];
                add_scaled::<FMA>(to, s_bar, v);
                // v = P a with P before the step.
                frame.inverse.restore::<FMA>(c, v);
                let head = [&a.v.re[..length], &a.v.im[..length]];
                frame.inverse.multiply::<FMA>(head, a.pv.parts_mut());
                let to = [&mut sums.columns.re[row.clone()], &mut sums.columns.im[row]];
                add_scaled::<FMA>(to, 1.0, a.pv.parts());
            }
            subtract_outer::<f64, FMA>(a.p.parts_mut(), length, -0.5, a.v.parts(), column);
            subtract_outer::<f64, FMA>(a.p.parts_mut(), length, -0.5, column, a.v.parts());
        }
    }
}

/// Gradients of [`coordinate_sweep`] for the gradient `g [F, N]` of its output, by running it again.
///
/// Steps that left a power at 0 or 1 have no influence and are not even recorded. The others are undone in reverse
/// order: P before a step is `P + c v v^H`. `all` false leaves out what only pilots and observations need.
pub fn coordinate_sweep_backward<T: Element>(
    log_odds: &[T],
    s: &[T],
    y: &[T],
    g: &[T],
    shape: SweepShape,
    all: bool,
) -> SweepGradients<T> {
    // Sums over frames are taken in groups of fixed size, in order: the result does not depend on the threads.
    const GROUP: usize = 8;
    let shared = Shared::new(log_odds, s, shape);
    let (n, l, per_frame) = (shape.columns, shape.length, shape.antennas * 2 * shape.length);
    let mut g_y = vec![T::zero(); y.len()];
    let parts: Vec<Sums> = g_y
        .par_chunks_mut(GROUP * per_frame)
        .zip(y.par_chunks(GROUP * per_frame).zip(g.par_chunks(GROUP * n)))
        .map_init(
            || (Frame::new(shape), Adjoint::new(shape)),
            |(frame, adjoint), (g_y, (y, g))| {
                let rows = if all { n } else { 0 };
                let mut sums = Sums { odds: vec![0.0; n], columns: Planes::zeros(rows, l, PAD) };
                let frames = g_y.chunks_exact_mut(per_frame).zip(y.chunks_exact(per_frame)).zip(g.chunks_exact(n));
                for ((g_y, y), g) in frames {
                    frame.load(y, shape);
                    let stride = adjoint.v.stride;
                    for (m, row) in y.chunks_exact(2 * l).enumerate() {
                        for t in 0..l {
                            adjoint.y_adjoint.re[m * stride + t] = row[t].wide();
                            adjoint.y_adjoint.im[m * stride + t] = -row[l + t].wide();
                        }
                    }
                    adjoint.alpha.iter_mut().zip(g).for_each(|(a, g)| *a = g.wide());
                    dispatch(Reverse { shared: &shared, frame, adjoint, sums: &mut sums, all });
                    if all {
                        for (m, row) in g_y.chunks_exact_mut(2 * l).enumerate() {
                            for t in 0..l {
                                row[t] = T::narrow(adjoint.y.re[m * stride + t]);
                                row[l + t] = T::narrow(-adjoint.y.im[m * stride + t]);
                            }
                        }
                    }
                }
                sums
            },
        )
        .collect();
    let mut odds = vec![0.0; n];
    let mut g_s = vec![0.0; 2 * l * n];
    for part in &parts {
        odds.iter_mut().zip(&part.odds).for_each(|(a, b)| *a += b);
        if all {
            for (i, (re, im)) in part
                .columns
                .re
                .chunks_exact(part.columns.stride)
                .zip(part.columns.im.chunks_exact(part.columns.stride))
                .enumerate()
            {
                for t in 0..l {
                    g_s[t * n + i] += re[t];
                    g_s[(l + t) * n + i] += im[t];
                }
            }
        }
    }
    SweepGradients {
        log_odds: odds.into_iter().map(T::narrow).collect(),
        s: g_s.into_iter().map(T::narrow).collect(),
        y: g_y,
    }
}
