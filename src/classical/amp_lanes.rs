//! AMP in single precision, eight frames side by side.
//!
//! The algorithm is that of [`super::amp`], with a frame in every lane of a vector: every step is then full vectors
//! whatever the number of antennas, products with the pilots read each pilot once for eight frames, and exponentials and
//! logarithms are those of a whole vector. Work is in units of the noise (Y/sigma, unit-norm pilots): single precision
//! has no room for the squares of powers in watts.
//!
//! Rows of X that are zero to rounding in all eight frames are skipped in `S X`; a row that is negligible in one frame is
//! exactly zero there, so that a frame's result does not depend on its neighbours.

// Lanes, tiles and antennas index several arrays at once.
#![allow(clippy::needless_range_loop)]

use super::amp::AmpOptions;
use super::decide::decide;
use super::frames::FrameOut;
use crate::arithmetic::elementary::{exp_of_negative, log1p_of_positive};
use crate::arithmetic::kernels::Kernel;
use crate::arithmetic::lanes::F8;
use crate::config::Onsager;
use crate::scenario::{C64, FrameBatch};

/// Rows of the left factor that a tile of a product computes together, for one antenna: ten sums and two numbers of the
/// right factor stay in registers, and there are enough sums to hide the time that each of them takes.
const TILE: usize = 5;
/// Rows of X that stay in the first-level cache while all symbols visit them.
const CHUNK: usize = 96;

/// Pilots as panels of `TILE` rows, `[rows/TILE, depth]` of (re, im).
struct Panels {
    data: Vec<[[f32; 2]; TILE]>,
    rows: usize,
    depth: usize,
}

impl Panels {
    fn new(rows: usize, depth: usize, entry: impl Fn(usize, usize) -> C64) -> Self {
        let mut data = vec![[[0.0; 2]; TILE]; rows.div_ceil(TILE) * depth];
        for r in 0..rows {
            for k in 0..depth {
                let v = entry(r, k);
                data[r / TILE * depth + k][r % TILE] = [v.re as f32, v.im as f32];
            }
        }
        Self { data, rows, depth }
    }

    /// Panels with their first row and the number of rows that exist.
    #[inline(always)]
    fn iter(&self) -> impl Iterator<Item = (usize, usize, &[[[f32; 2]; TILE]])> {
        let rows = self.rows;
        self.data
            .chunks_exact(self.depth)
            .enumerate()
            .map(move |(p, panel)| (p * TILE, TILE.min(rows - p * TILE), panel))
    }
}

/// What a batch shares.
pub(super) struct Shared {
    /// `S^H`, panels over columns of S.
    adjoint: Panels,
    /// `S`, panels over symbols.
    forward: Panels,
    /// `ln` prior odds of the posterior, per device.
    pub log_odds: Vec<f64>,
    /// Thresholds of the decision, per device.
    pub thresholds: Vec<f64>,
}

impl Shared {
    pub fn new(batch: &FrameBatch, log_odds: Vec<f64>, thresholds: Vec<f64>) -> Self {
        let pilots = &batch.model.pilots;
        let scale = 1.0 / pilots.energy.sqrt();
        Self {
            adjoint: Panels::new(pilots.columns, pilots.length, |i, l| pilots.at(l, i).conj() * scale),
            forward: Panels::new(pilots.length, pilots.columns, |l, i| pilots.at(l, i) * scale),
            log_odds,
            thresholds,
        }
    }
}

/// A complex matrix for every lane, one antenna after the other: `[M, rows]`.
struct Matrix {
    re: Vec<F8>,
    im: Vec<F8>,
    rows: usize,
}

impl Matrix {
    fn zeros(rows: usize, antennas: usize) -> Self {
        let zeros = vec![F8::ZERO; antennas * rows];
        Self { re: zeros.clone(), im: zeros, rows }
    }

    fn clear(&mut self) {
        self.re.fill(F8::ZERO);
        self.im.fill(F8::ZERO);
    }

    #[inline(always)]
    fn at(&self, antenna: usize, row: usize) -> usize {
        antenna * self.rows + row
    }

    /// Both planes of an antenna, `[rows]`.
    #[inline(always)]
    fn antenna(&self, antenna: usize) -> [&[F8]; 2] {
        let part = antenna * self.rows..(antenna + 1) * self.rows;
        [&self.re[part.clone()], &self.im[part]]
    }
}

/// Buffers of one thread.
pub(super) struct Workspace {
    y: Matrix,
    r: Matrix,
    /// R of the iteration before, for the Onsager term.
    old: Matrix,
    z: Matrix,
    /// `eta(Z)` before damping.
    fresh: Matrix,
    /// The damped estimate; empty without damping.
    x: Option<Matrix>,
    /// `(sum_i J_i)^T`, `[M, M]`.
    jacobian: [Vec<F8>; 2],
    /// Rows of X that are not zero in some lane.
    support: Vec<usize>,
    /// Rows whose Jacobian has a rank-one part that counts, and its weights.
    curved: Vec<(usize, F8)>,
    /// `[N*Q]`.
    llr: Vec<F8>,
    /// Gains over the noise, `[N]`.
    beta: Vec<F8>,
    /// All devices have the same gain.
    uniform: bool,
    /// Weights and energies of a section, `[Q]`.
    weights: Vec<F8>,
    energies: Vec<F8>,
}

impl Workspace {
    pub fn new(options: &AmpOptions, batch: &FrameBatch) -> Self {
        let model = &batch.model;
        let (l, k, m, q) = (model.pilot_length(), model.columns(), model.antennas, model.sequences());
        Self {
            y: Matrix::zeros(l, m),
            r: Matrix::zeros(l, m),
            old: Matrix::zeros(l, m),
            z: Matrix::zeros(k, m),
            fresh: Matrix::zeros(k, m),
            x: (options.damping < 1.0).then(|| Matrix::zeros(k, m)),
            jacobian: [vec![F8::ZERO; m * m], vec![F8::ZERO; m * m]],
            support: Vec::with_capacity(k),
            curved: Vec::with_capacity(k),
            llr: vec![F8::ZERO; k],
            beta: vec![F8::ZERO; model.devices()],
            uniform: false,
            weights: vec![F8::ZERO; q],
            energies: vec![F8::ZERO; q],
        }
    }
}

/// Up to eight frames, from `first` on; `outs` are their decisions.
pub(super) struct Task<'a, 'b> {
    pub options: &'a AmpOptions,
    pub shared: &'a Shared,
    pub batch: &'a FrameBatch,
    pub first: usize,
    pub outs: &'a mut [FrameOut<'b>],
    pub work: &'a mut Workspace,
}

impl Kernel for Task<'_, '_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { options, shared, batch, first, outs, work } = self;
        load(batch, first, outs.len(), work);
        iterate::<FMA>(options, shared, batch, work);
        store(shared, batch, outs, work);
    }
}

/// Lanes without a frame hear nothing.
fn load(batch: &FrameBatch, first: usize, count: usize, work: &mut Workspace) {
    let model = &batch.model;
    let (m, sigma) = (model.antennas, model.noise_var.sqrt());
    let gain = model.pilots.energy / model.noise_var;
    work.y.clear();
    work.beta.fill(F8::splat(1.0));
    for lane in 0..count {
        for (i, v) in batch.frame(first + lane).iter().enumerate() {
            let (row, antenna) = (i / m, i % m);
            let at = work.y.at(antenna, row);
            work.y.re[at].0[lane] = (v.re / sigma) as f32;
            work.y.im[at].0[lane] = (v.im / sigma) as f32;
        }
        for (to, b) in work.beta.iter_mut().zip(batch.beta_of(first + lane)) {
            to.0[lane] = (b * gain) as f32;
        }
    }
    work.uniform = work.beta.iter().all(|b| *b == work.beta[0]);
}

fn store(shared: &Shared, batch: &FrameBatch, outs: &mut [FrameOut<'_>], work: &Workspace) {
    let model = &batch.model;
    let (m, q) = (model.antennas, model.sequences());
    let scale = (model.noise_var / model.pilots.energy).sqrt();
    let x = work.x.as_ref().unwrap_or(&work.fresh);
    for (lane, out) in outs.iter_mut().enumerate() {
        for (score, llr) in out.score.iter_mut().zip(&work.llr) {
            *score = f64::from(llr.0[lane]);
        }
        for (i, row) in out.x.chunks_exact_mut(m).enumerate() {
            for (antenna, v) in row.iter_mut().enumerate() {
                let at = x.at(antenna, i);
                *v = C64::new(f64::from(x.re[at].0[lane]) * scale, f64::from(x.im[at].0[lane]) * scale);
            }
        }
        for ((a, llr), &t) in out.activity.iter_mut().zip(out.score.chunks_exact(q)).zip(&shared.thresholds) {
            *a = decide(llr, t);
        }
    }
}

#[inline(always)]
fn iterate<const FMA: bool>(options: &AmpOptions, shared: &Shared, batch: &FrameBatch, work: &mut Workspace) {
    let (l, m) = (batch.model.pilot_length(), batch.model.antennas);
    work.r.re.copy_from_slice(&work.y.re);
    work.r.im.copy_from_slice(&work.y.im);
    work.fresh.clear();
    if let Some(x) = &mut work.x {
        x.clear();
    }
    work.llr.fill(F8::ZERO);
    // Below the rounding of Y itself the residual says nothing any more.
    let rounding = 4.0 * f32::EPSILON;
    let floor = effective_noise::<FMA>(&work.y, l, m).map(|v| (v * rounding * rounding).max(1e-30));
    // Lanes whose iterate is finite.
    let mut alive = F8::splat(1.0);
    for iteration in 0..options.iterations {
        let tau2 = effective_noise::<FMA>(&work.r, l, m);
        alive = alive.zip(tau2, |a, t| if t.is_finite() { a } else { 0.0 });
        if !alive.any() {
            break;
        }
        let tau2 = tau2.zip(floor, f32::max);
        matched_filter::<FMA>(&shared.adjoint, &work.r, work.x.as_ref().unwrap_or(&work.fresh), &mut work.z);
        let identity = denoise::<FMA>(options, shared, tau2, alive, m, work);
        if iteration + 1 == options.iterations {
            break;
        }
        sum_jacobians::<FMA>(work, m);
        finish_jacobian(&mut work.jacobian, identity, l, m, options.onsager == Onsager::Scalar);
        residual::<FMA>(&shared.forward, options.damping as f32, m, work);
    }
}

/// `||R||^2/(L M)` of every lane.
#[inline(always)]
fn effective_noise<const FMA: bool>(r: &Matrix, length: usize, antennas: usize) -> F8 {
    let sum = r.re.iter().zip(&r.im).fold(F8::ZERO, |sum, (re, im)| re.madd::<FMA>(*re, im.madd::<FMA>(*im, sum)));
    let scale = 1.0 / (length * antennas) as f32;
    sum.map(|v| v * scale)
}

/// `sums[r] = sum_k panel[k][r] b[k]` for the first `R` rows of a panel, over the entries of the iterator.
#[inline(always)]
fn tile<'a, const R: usize, const FMA: bool>(
    entries: impl Iterator<Item = (&'a [[f32; 2]; TILE], F8, F8)>,
) -> [[F8; 2]; R] {
    let (mut re, mut im) = ([F8::ZERO; R], [F8::ZERO; R]);
    for (s, b_re, b_im) in entries {
        for r in 0..R {
            let (x, y) = (F8::splat(s[r][0]), F8::splat(s[r][1]));
            re[r] = x.madd::<FMA>(b_re, re[r]);
            im[r] = x.madd::<FMA>(b_im, im[r]);
            re[r] = y.map(|v| -v).madd::<FMA>(b_im, re[r]);
            im[r] = y.madd::<FMA>(b_re, im[r]);
        }
    }
    let mut sums = [[F8::ZERO; 2]; R];
    for r in 0..R {
        sums[r] = [re[r], im[r]];
    }
    sums
}

/// `to[r] += sums[r]`, or `-=`.
#[inline(always)]
fn add_rows<const R: usize>(to: [&mut [F8]; 2], sums: [[F8; 2]; R], minus: bool) {
    let [re, im] = to;
    let sign = if minus { -1.0 } else { 1.0 };
    for r in 0..R {
        re[r] = re[r].zip(sums[r][0], |a, b| a + sign * b);
        im[r] = im[r].zip(sums[r][1], |a, b| a + sign * b);
    }
}

/// `to += panel b` (or `-=`) for the rows of a panel that exist.
#[inline(always)]
fn product<'a, const FMA: bool>(
    to: [&mut [F8]; 2],
    rows: usize,
    minus: bool,
    entries: impl Iterator<Item = (&'a [[f32; 2]; TILE], F8, F8)>,
) {
    match rows {
        TILE => add_rows(to, tile::<TILE, FMA>(entries), minus),
        4 => add_rows(to, tile::<4, FMA>(entries), minus),
        3 => add_rows(to, tile::<3, FMA>(entries), minus),
        2 => add_rows(to, tile::<2, FMA>(entries), minus),
        _ => add_rows(to, tile::<1, FMA>(entries), minus),
    }
}

/// `Z = X + S^H R`.
#[inline(always)]
fn matched_filter<const FMA: bool>(adjoint: &Panels, r: &Matrix, x: &Matrix, z: &mut Matrix) {
    z.re.copy_from_slice(&x.re);
    z.im.copy_from_slice(&x.im);
    let antennas = r.re.len() / r.rows;
    for (first, rows, panel) in adjoint.iter() {
        for antenna in 0..antennas {
            let [b_re, b_im] = r.antenna(antenna);
            let at = z.at(antenna, first);
            let to = [&mut z.re[at..at + rows], &mut z.im[at..at + rows]];
            product::<FMA>(to, rows, false, panel.iter().zip(b_re).zip(b_im).map(|((s, re), im)| (s, *re, *im)));
        }
    }
}

/// `X_new = eta(Z)`, `X <- d X_new + (1 - d) X`, the ratios, the rows of X_new that are not zero, and the Jacobian sums: the
/// rank-one parts in place, `sum_i omega_i w_i` as the result.
#[inline(always)]
fn denoise<const FMA: bool>(
    options: &AmpOptions,
    shared: &Shared,
    tau2: F8,
    alive: F8,
    m: usize,
    work: &mut Workspace,
) -> F8 {
    let q = work.weights.len();
    let k_total = work.z.rows;
    let damping = options.damping as f32;
    // A row whose energy is this far below the residual's rounding changes nothing in S X, nor its weight in J.
    let tiny = f32::EPSILON * 1e-3;
    let all_alive = alive.0.iter().all(|a| *a > 0.0);
    let mut identity = F8::ZERO;
    work.support.clear();
    work.curved.clear();
    let inverse = tau2.map(|t| 1.0 / t);
    let mut of_device = gains(work.beta[0], tau2, inverse, m);
    for n in 0..work.beta.len() {
        if !work.uniform {
            of_device = gains(work.beta[n], tau2, inverse, m);
        }
        let [omega, slope, offset] = of_device;
        for k in 0..q {
            let i = n * q + k;
            let mut energy = F8::ZERO;
            for a in (i..m * k_total).step_by(k_total) {
                let (re, im) = (work.z.re[a], work.z.im[a]);
                energy = im.madd::<FMA>(im, re.madd::<FMA>(re, energy));
            }
            let llr = energy.zip(slope, |e, s| e * s).zip(offset, |e, o| e - o);
            work.llr[i] = if all_alive { llr } else { choose(alive, llr, work.llr[i]) };
            work.energies[k] = energy;
            work.weights[k] = llr.map(|v| v + shared.log_odds[n] as f32);
        }
        posterior(options.section, &mut work.weights);
        for k in 0..q {
            let (i, w) = (n * q + k, work.weights[k]);
            let share = w.zip(omega, |w, o| w * o);
            identity = identity.zip(share, |a, b| a + b);
            let kept = work.energies[k]
                .zip(share, |e, s| e * s * s)
                .zip(tau2, |e, t| if e > tiny * tiny * t { 1.0 } else { 0.0 });
            let shrink = share.zip(kept, |s, k| s * k);
            write_row(i, m, shrink, (!all_alive).then_some(alive), damping, work);
            if shrink.any() {
                work.support.push(i);
            }
            let curved =
                share.zip(omega, |s, o| s * o).zip(w, |s, w| s * (1.0 - w)).map(|c| if c > tiny { c } else { 0.0 });
            if curved.any() {
                work.curved.push((i, curved.zip(inverse, |c, i| c * i)));
            }
        }
    }
    identity
}

/// Wiener factor, and slope and offset of the likelihood ratio over the energy of a row.
#[inline(always)]
fn gains(beta: F8, tau2: F8, inverse: F8, m: usize) -> [F8; 3] {
    let omega = beta.zip(tau2, |b, t| b / (b + t));
    let slope = omega.zip(inverse, |o, i| o * i);
    let offset = beta.zip(inverse, |b, i| m as f32 * log1p_of_positive(b * i));
    [omega, slope, offset]
}

/// `new` where a lane is alive, `old` elsewhere.
#[inline(always)]
fn choose(alive: F8, new: F8, old: F8) -> F8 {
    let mut out = old;
    for j in 0..F8::COUNT {
        out.0[j] = if alive.0[j] > 0.0 { new.0[j] } else { old.0[j] };
    }
    out
}

/// Logits to weights: each row on its own, or softmax over the rows of a device and idle.
#[inline(always)]
fn posterior(section: bool, weights: &mut [F8]) {
    if !section {
        for w in weights {
            let small = w.map(|v| exp_of_negative(-v.abs()));
            *w = w.zip(small, |v, e| (if v < 0.0 { e } else { 1.0 }) / (1.0 + e));
        }
        return;
    }
    let top = weights.iter().fold(F8::ZERO, |top, w| top.zip(*w, f32::max));
    let mut sum = top.map(|v| exp_of_negative(-v));
    for w in weights.iter_mut() {
        *w = w.zip(top, |v, t| exp_of_negative(v - t));
        sum = sum.zip(*w, |a, b| a + b);
    }
    for w in weights {
        *w = w.zip(sum, |w, s| w / s);
    }
}

/// Row i of X_new and X; with a mask, lanes that have overflowed keep what they have.
#[inline(always)]
fn write_row(i: usize, m: usize, shrink: F8, alive: Option<F8>, damping: f32, work: &mut Workspace) {
    let Workspace { z, fresh, x, .. } = work;
    let rows = z.rows;
    scale_row(&z.re, &mut fresh.re, i, m, rows, shrink, alive);
    scale_row(&z.im, &mut fresh.im, i, m, rows, shrink, alive);
    if let Some(x) = x {
        mix_row(&fresh.re, &mut x.re, i, m, rows, damping, alive);
        mix_row(&fresh.im, &mut x.im, i, m, rows, damping, alive);
    }
}

/// One plane of row i: `fresh = shrink z`.
#[inline(always)]
fn scale_row(z: &[F8], fresh: &mut [F8], i: usize, m: usize, rows: usize, shrink: F8, alive: Option<F8>) {
    for antenna in 0..m {
        let a = antenna * rows + i;
        let new = z[a].zip(shrink, |z, s| z * s);
        fresh[a] = if let Some(alive) = alive { choose(alive, new, fresh[a]) } else { new };
    }
}

/// One plane of row i: `x <- d fresh + (1 - d) x`.
#[inline(always)]
fn mix_row(fresh: &[F8], x: &mut [F8], i: usize, m: usize, rows: usize, damping: f32, alive: Option<F8>) {
    for antenna in 0..m {
        let a = antenna * rows + i;
        let new = fresh[a].zip(x[a], |new, old| damping * new + (1.0 - damping) * old);
        x[a] = if let Some(alive) = alive { choose(alive, new, x[a]) } else { new };
    }
}

/// Upper triangle of `J^T = sum_i weight_i conj(z_i) z_i^T`.
#[inline(always)]
fn sum_jacobians<const FMA: bool>(work: &mut Workspace, m: usize) {
    let Workspace { z, curved, jacobian: [j_re, j_im], .. } = work;
    // Two antennas by two at a time: the sums stay in registers.
    for k in (0..m).step_by(2) {
        for other in (k..m).step_by(2) {
            // The last antenna of an odd number stands in for the one behind it. Written out: closures given to `map` of
            // an array are calls here, outside of the vector code.
            let [l0_re, l0_im] = z.antenna(k);
            let [l1_re, l1_im] = z.antenna((k + 1).min(m - 1));
            let [r0_re, r0_im] = z.antenna(other);
            let [r1_re, r1_im] = z.antenna((other + 1).min(m - 1));
            let (mut re, mut im) = ([[F8::ZERO; 2]; 2], [[F8::ZERO; 2]; 2]);
            for &(i, weight) in curved.iter() {
                let left = [[l0_re[i], l0_im[i]], [l1_re[i], l1_im[i]]];
                let right = [[r0_re[i], r0_im[i]], [r1_re[i], r1_im[i]]];
                for p in 0..2 {
                    let x = left[p][0].zip(weight, |a, w| a * w);
                    let y = left[p][1].zip(weight, |a, w| a * w);
                    let minus = y.map(|v| -v);
                    for c in 0..2 {
                        re[p][c] = x.madd::<FMA>(right[c][0], y.madd::<FMA>(right[c][1], re[p][c]));
                        im[p][c] = x.madd::<FMA>(right[c][1], minus.madd::<FMA>(right[c][0], im[p][c]));
                    }
                }
            }
            for p in 0..2.min(m - k) {
                for c in 0..2.min(m - other) {
                    let at = (k + p) * m + other + c;
                    (j_re[at], j_im[at]) = (re[p][c], im[p][c]);
                }
            }
        }
    }
}

/// Fills the lower triangle, folds the identity part in and divides by L; `scalar` keeps only the mean of the traces.
#[inline(always)]
fn finish_jacobian(jacobian: &mut [Vec<F8>; 2], identity: F8, length: usize, m: usize, scalar: bool) {
    let scale = 1.0 / length as f32;
    let [re, im] = jacobian;
    let mut identity = identity;
    if scalar {
        let trace = (0..m).fold(F8::ZERO, |sum, k| sum.zip(re[k * m + k], |a, b| a + b));
        identity = identity.zip(trace, |i, t| i + t / m as f32);
        re.fill(F8::ZERO);
        im.fill(F8::ZERO);
    }
    for k in 0..m {
        for other in k..m {
            let at = k * m + other;
            (re[at], im[at]) = (re[at].map(|v| v * scale), im[at].map(|v| v * scale));
            if other > k {
                let mirrored = other * m + k;
                (re[mirrored], im[mirrored]) = (re[at], im[at].map(|v| -v));
            } else {
                re[at] = re[at].zip(identity, |a, b| a + b * scale);
            }
        }
    }
}

/// `R <- d (Y - S X_new + R J^T) + (1 - d) R`, J already divided by L.
#[inline(always)]
fn residual<const FMA: bool>(forward: &Panels, damping: f32, m: usize, work: &mut Workspace) {
    std::mem::swap(&mut work.r, &mut work.old);
    let length = work.r.rows;
    // Y + R J^T, a few symbols at a time.
    for antenna in 0..m {
        for first in (0..length).step_by(TILE) {
            let rows = TILE.min(length - first);
            let at = work.r.at(antenna, first);
            let (mut re, mut im) = ([F8::ZERO; TILE], [F8::ZERO; TILE]);
            re[..rows].copy_from_slice(&work.y.re[at..at + rows]);
            im[..rows].copy_from_slice(&work.y.im[at..at + rows]);
            for k in 0..m {
                let (j_re, j_im) = (work.jacobian[0][k * m + antenna], work.jacobian[1][k * m + antenna]);
                let minus = j_im.map(|v| -v);
                let [x, y] = work.old.antenna(k);
                let (x, y) = (&x[first..first + rows], &y[first..first + rows]);
                for (l, (x, y)) in x.iter().zip(y).enumerate() {
                    re[l] = x.madd::<FMA>(j_re, y.madd::<FMA>(minus, re[l]));
                    im[l] = x.madd::<FMA>(j_im, y.madd::<FMA>(j_re, im[l]));
                }
            }
            work.r.re[at..at + rows].copy_from_slice(&re[..rows]);
            work.r.im[at..at + rows].copy_from_slice(&im[..rows]);
        }
    }
    // - S X_new, a chunk of rows at a time.
    let dense = work.support.len() == work.fresh.rows;
    for support in work.support.chunks(CHUNK) {
        for antenna in 0..m {
            let [b_re, b_im] = work.fresh.antenna(antenna);
            for (first, rows, panel) in forward.iter() {
                let at = work.r.at(antenna, first);
                let to = [&mut work.r.re[at..at + rows], &mut work.r.im[at..at + rows]];
                if dense {
                    let part = support[0]..support[0] + support.len();
                    let entries = panel[part.clone()].iter().zip(&b_re[part.clone()]).zip(&b_im[part]);
                    product::<FMA>(to, rows, true, entries.map(|((s, re), im)| (s, *re, *im)));
                } else {
                    product::<FMA>(to, rows, true, support.iter().map(|&i| (&panel[i], b_re[i], b_im[i])));
                }
            }
        }
    }
    if damping < 1.0 {
        let mix = |new: &mut [F8], old: &[F8]| {
            for (new, old) in new.iter_mut().zip(old) {
                *new = new.zip(*old, |n, o| damping * n + (1.0 - damping) * o);
            }
        };
        mix(&mut work.r.re, &work.old.re);
        mix(&mut work.r.im, &work.old.im);
    }
}

#[cfg(test)]
mod tests {
    use std::marker::PhantomData;

    use super::super::amp::Amp;
    use super::*;
    use crate::config::{PilotKind, ScenarioConfig, ScenarioKind, Threshold};
    use crate::detection::{Decisions, Detector};
    use crate::scenario::{Beta, Scenario, Split};

    fn frames(config: ScenarioConfig, count: usize) -> FrameBatch {
        let scenario = Scenario::new(&config, 3, Split::Test).unwrap();
        scenario.realize(0, count).observe(&scenario.pilots(0)).unwrap()
    }

    /// Long pilots, so that AMP converges and its rounding errors stay small.
    fn links() -> Vec<FrameBatch> {
        let unit = |antennas, bits| ScenarioConfig {
            kind: ScenarioKind::UnitGain,
            devices: 50,
            antennas,
            pilot_length: 37,
            bits,
            activity_prob: 0.08,
            pilots: PilotKind::UnitNorm,
            ..ScenarioConfig::default()
        };
        let far = ScenarioConfig { devices: 40, antennas: 3, pilot_length: 40, ..ScenarioConfig::default() };
        vec![frames(unit(1, 0), 13), frames(unit(4, 0), 8), frames(unit(5, 1), 4), frames(far, 9)]
    }

    fn part(batch: &FrameBatch, first: usize, count: usize) -> FrameBatch {
        let per_frame = batch.model.pilot_length() * batch.model.antennas;
        FrameBatch {
            model: batch.model.clone(),
            frames: count,
            y: batch.y[first * per_frame..(first + count) * per_frame].to_vec(),
            beta: Beta::PerFrame((first..first + count).flat_map(|f| batch.beta_of(f).iter().copied()).collect()),
            truth: None,
            spreading: None,
        }
    }

    fn close(single: &Decisions, double: &Decisions, name: &str) {
        let gap = |a: &mut dyn Iterator<Item = (f64, f64)>| {
            a.fold((0.0_f64, 1e-30_f64), |(d, n), (a, b)| (d + (a - b).powi(2), n + b * b))
        };
        let rows = single.x.as_ref().unwrap().iter().zip(double.x.as_ref().unwrap());
        let (d, n) = gap(&mut rows.flat_map(|(a, b)| [(a.re, b.re), (a.im, b.im)]));
        assert!((d / n).sqrt() < 1e-4, "{name}: x {}", (d / n).sqrt());
        let (d, n) = gap(&mut single.score.iter().copied().zip(double.score.iter().copied()));
        assert!((d / n).sqrt() < 1e-4, "{name}: score {}", (d / n).sqrt());
    }

    #[test]
    fn eight_frames_side_by_side_decide_as_one_at_a_time_in_double_precision() {
        for (link, batch) in links().iter().enumerate() {
            for (section, damping, onsager) in
                [(false, 1.0, Onsager::Matrix), (true, 0.6, Onsager::Matrix), (false, 0.7, Onsager::Scalar)]
            {
                let options = AmpOptions { iterations: 12, damping, threshold: Threshold::MAP, onsager, section };
                let single = Amp::<f32> { options: options.clone(), precision: PhantomData }.detect(batch).unwrap();
                let double = Amp::<f64> { options, precision: PhantomData }.detect(batch).unwrap();
                close(&single, &double, &format!("link {link}, section {section}, damping {damping}"));
                let differ = single.activity.iter().zip(&double.activity).filter(|(a, b)| a != b).count();
                assert!(differ <= 1, "link {link}: {differ} decisions differ");
            }
        }
    }

    #[test]
    fn neighbours_change_no_bit_of_a_frame() {
        let batch = &links()[3];
        let amp = Amp::<f32> { options: AmpOptions::default(), precision: PhantomData };
        let (all, last) = (amp.detect(batch).unwrap(), amp.detect(&part(batch, 4, 5)).unwrap());
        let n = batch.model.devices();
        assert_eq!(all.activity[4 * n..], last.activity);
        assert_eq!(all.score[4 * n * 2..], last.score);
        assert_eq!(all.x.unwrap()[4 * n * 2 * 3..], last.x.unwrap());
    }

    #[test]
    fn an_overflowing_frame_keeps_its_last_finite_iterate_and_harms_nobody() {
        let mut batch = links().remove(1);
        let amp = Amp::<f32> { options: AmpOptions::default(), precision: PhantomData };
        let before = amp.detect(&batch).unwrap();
        let per_frame = batch.y.len() / batch.frames;
        batch.y[..per_frame].iter_mut().for_each(|v| *v *= 1e18);
        let after = amp.detect(&batch).unwrap();
        assert!(after.score.iter().all(|s| s.is_finite()), "an infinite score");
        let n = batch.model.devices();
        assert_eq!(before.score[n..], after.score[n..]);
    }
}
