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
use crate::arithmetic::lanes::{F8, LANES};
use crate::config::Onsager;
use crate::scenario::{C64, FrameBatch};

/// Rows of the left factor and antennas of the right one that a tile of a product computes together.
const TILE: usize = 2;
/// Rows of X that stay in the first-level cache while all symbols visit them.
const CHUNK: usize = 96;

/// Pilots as panels of two rows, `[rows/2, depth]` of (re, re, im, im).
struct Panels {
    data: Vec<[f32; 2 * TILE]>,
    depth: usize,
}

impl Panels {
    fn new(rows: usize, depth: usize, entry: impl Fn(usize, usize) -> C64) -> Self {
        let mut data = vec![[0.0; 2 * TILE]; rows.div_ceil(TILE) * depth];
        for r in 0..rows {
            for k in 0..depth {
                let v = entry(r, k);
                let at = &mut data[r / TILE * depth + k];
                at[r % TILE] = v.re as f32;
                at[TILE + r % TILE] = v.im as f32;
            }
        }
        Self { data, depth }
    }

    #[inline(always)]
    fn panel(&self, p: usize) -> &[[f32; 2 * TILE]] {
        &self.data[p * self.depth..(p + 1) * self.depth]
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

/// A complex matrix for every lane, antennas in pairs: `[M/2, rows, 2]`.
struct Matrix {
    re: Vec<F8>,
    im: Vec<F8>,
    rows: usize,
}

impl Matrix {
    fn zeros(rows: usize, pairs: usize) -> Self {
        let zeros = vec![F8::ZERO; pairs * rows * TILE];
        Self { re: zeros.clone(), im: zeros, rows }
    }

    fn clear(&mut self) {
        self.re.fill(F8::ZERO);
        self.im.fill(F8::ZERO);
    }

    #[inline(always)]
    fn at(&self, pair: usize, row: usize) -> usize {
        (pair * self.rows + row) * TILE
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
    support: Vec<usize>,
    /// `[N*Q]`.
    llr: Vec<F8>,
    /// Gains over the noise, `[N]`.
    beta: Vec<F8>,
    /// Weights and energies of a section, `[Q]`.
    weights: Vec<F8>,
    energies: Vec<F8>,
}

impl Workspace {
    pub fn new(options: &AmpOptions, batch: &FrameBatch) -> Self {
        let model = &batch.model;
        let (l, k, m, q) = (model.pilot_length(), model.columns(), model.antennas, model.sequences());
        let pairs = m.div_ceil(TILE);
        let width = pairs * TILE;
        Self {
            y: Matrix::zeros(l, pairs),
            r: Matrix::zeros(l, pairs),
            old: Matrix::zeros(l, pairs),
            z: Matrix::zeros(k, pairs),
            fresh: Matrix::zeros(k, pairs),
            x: (options.damping < 1.0).then(|| Matrix::zeros(k, pairs)),
            jacobian: [vec![F8::ZERO; width * width], vec![F8::ZERO; width * width]],
            support: Vec::with_capacity(k),
            llr: vec![F8::ZERO; k],
            beta: vec![F8::ZERO; model.devices()],
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
            let at = work.y.at(antenna / TILE, row) + antenna % TILE;
            work.y.re[at].0[lane] = (v.re / sigma) as f32;
            work.y.im[at].0[lane] = (v.im / sigma) as f32;
        }
        for (to, b) in work.beta.iter_mut().zip(batch.beta_of(first + lane)) {
            to.0[lane] = (b * gain) as f32;
        }
    }
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
                let at = x.at(antenna / TILE, i) + antenna % TILE;
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

/// `acc[p, a] += sum_k panel[k, p] b[k, a]` over the rows `depth` of b, two antennas wide.
#[inline(always)]
fn tile<const FMA: bool>(
    panel: &[[f32; 2 * TILE]],
    b: [&[F8]; 2],
    depth: impl Iterator<Item = usize>,
    acc: &mut [[[F8; TILE]; TILE]; 2],
) {
    let [mut re, mut im] = *acc;
    for k in depth {
        let s = panel[k];
        let b_re: [F8; TILE] = [b[0][k * TILE], b[0][k * TILE + 1]];
        let b_im: [F8; TILE] = [b[1][k * TILE], b[1][k * TILE + 1]];
        for p in 0..TILE {
            let (x, y) = (F8::splat(s[p]), F8::splat(s[TILE + p]));
            let minus_y = F8::splat(-s[TILE + p]);
            for a in 0..TILE {
                re[p][a] = x.madd::<FMA>(b_re[a], re[p][a]);
                im[p][a] = x.madd::<FMA>(b_im[a], im[p][a]);
            }
            for a in 0..TILE {
                re[p][a] = minus_y.madd::<FMA>(b_im[a], re[p][a]);
                im[p][a] = y.madd::<FMA>(b_re[a], im[p][a]);
            }
        }
    }
    *acc = [re, im];
}

/// `Z = X + S^H R`.
#[inline(always)]
fn matched_filter<const FMA: bool>(adjoint: &Panels, r: &Matrix, x: &Matrix, z: &mut Matrix) {
    let (length, columns) = (r.rows, z.rows);
    let pairs = r.re.len() / (length * TILE);
    for pair in 0..pairs {
        let from = r.at(pair, 0);
        let b = [&r.re[from..][..length * TILE], &r.im[from..][..length * TILE]];
        for p in 0..columns.div_ceil(TILE) {
            let rows = TILE.min(columns - p * TILE);
            let at = z.at(pair, p * TILE);
            let mut acc = [[[F8::ZERO; TILE]; TILE]; 2];
            for i in 0..rows {
                for a in 0..TILE {
                    acc[0][i][a] = x.re[at + i * TILE + a];
                    acc[1][i][a] = x.im[at + i * TILE + a];
                }
            }
            tile::<FMA>(adjoint.panel(p), b, 0..length, &mut acc);
            for i in 0..rows {
                for a in 0..TILE {
                    z.re[at + i * TILE + a] = acc[0][i][a];
                    z.im[at + i * TILE + a] = acc[1][i][a];
                }
            }
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
    let pairs = m.div_ceil(TILE);
    let damping = options.damping as f32;
    // A row whose energy is this far below the residual's rounding changes nothing in S X, nor its weight in J.
    let tiny = f32::EPSILON * 1e-3;
    let mut identity = F8::ZERO;
    work.jacobian.iter_mut().for_each(|plane| plane.fill(F8::ZERO));
    work.support.clear();
    let inverse = tau2.map(|t| 1.0 / t);
    for n in 0..work.beta.len() {
        let beta = work.beta[n];
        let omega = beta.zip(tau2, |b, t| b / (b + t));
        let slope = omega.zip(inverse, |o, i| o * i);
        let offset = beta.zip(inverse, |b, i| m as f32 * log1p_of_positive(b * i));
        for k in 0..q {
            let i = n * q + k;
            let mut energy = F8::ZERO;
            for pair in 0..pairs {
                let at = work.z.at(pair, i);
                for a in at..at + TILE {
                    energy = work.z.re[a].madd::<FMA>(work.z.re[a], energy);
                    energy = work.z.im[a].madd::<FMA>(work.z.im[a], energy);
                }
            }
            let llr = energy.zip(slope, |e, s| e * s).zip(offset, |e, o| e - o);
            for j in 0..LANES {
                work.llr[i].0[j] = if alive.0[j] > 0.0 { llr.0[j] } else { work.llr[i].0[j] };
            }
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
            write_row(i, pairs, shrink, alive, damping, work);
            if shrink.any() {
                work.support.push(i);
            }
            let curved =
                share.zip(omega, |s, o| s * o).zip(w, |s, w| s * (1.0 - w)).map(|c| if c > tiny { c } else { 0.0 });
            if curved.any() {
                let weight = curved.zip(inverse, |c, i| c * i);
                add_outer::<FMA>(&mut work.jacobian, weight, &work.z, i, m);
            }
        }
    }
    identity
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

/// Row i of X_new and X; lanes that have overflowed keep what they have.
#[inline(always)]
fn write_row(i: usize, pairs: usize, shrink: F8, alive: F8, damping: f32, work: &mut Workspace) {
    for pair in 0..pairs {
        let at = work.z.at(pair, i);
        for a in at..at + TILE {
            for j in 0..LANES {
                let on = alive.0[j] > 0.0;
                work.fresh.re[a].0[j] = if on { shrink.0[j] * work.z.re[a].0[j] } else { work.fresh.re[a].0[j] };
                work.fresh.im[a].0[j] = if on { shrink.0[j] * work.z.im[a].0[j] } else { work.fresh.im[a].0[j] };
            }
            if let Some(x) = &mut work.x {
                for j in 0..LANES {
                    let on = alive.0[j] > 0.0;
                    let mix = |new: f32, old: f32| if on { damping * new + (1.0 - damping) * old } else { old };
                    x.re[a].0[j] = mix(work.fresh.re[a].0[j], x.re[a].0[j]);
                    x.im[a].0[j] = mix(work.fresh.im[a].0[j], x.im[a].0[j]);
                }
            }
        }
    }
}

/// Upper triangle of `J^T += weight conj(z) z^T`.
#[inline(always)]
fn add_outer<const FMA: bool>(jacobian: &mut [Vec<F8>; 2], weight: F8, z: &Matrix, i: usize, m: usize) {
    let width = m.next_multiple_of(TILE);
    let place = |antenna: usize| z.at(antenna / TILE, i) + antenna % TILE;
    let [j_re, j_im] = jacobian;
    for k in 0..m {
        let at = place(k);
        let (x, y) = (z.re[at].zip(weight, |a, b| a * b), z.im[at].zip(weight, |a, b| a * b));
        let minus_y = y.map(|v| -v);
        for other in k..m {
            let (to, from) = (k * width + other, place(other));
            j_re[to] = x.madd::<FMA>(z.re[from], y.madd::<FMA>(z.im[from], j_re[to]));
            j_im[to] = x.madd::<FMA>(z.im[from], minus_y.madd::<FMA>(z.re[from], j_im[to]));
        }
    }
}

/// Fills the lower triangle, folds the identity part in and divides by L; `scalar` keeps only the mean of the traces.
#[inline(always)]
fn finish_jacobian(jacobian: &mut [Vec<F8>; 2], identity: F8, length: usize, m: usize, scalar: bool) {
    let width = m.next_multiple_of(TILE);
    let scale = 1.0 / length as f32;
    let [re, im] = jacobian;
    let mut identity = identity;
    if scalar {
        let trace = (0..m).fold(F8::ZERO, |sum, k| sum.zip(re[k * width + k], |a, b| a + b));
        identity = identity.zip(trace, |i, t| i + t / m as f32);
        re.fill(F8::ZERO);
        im.fill(F8::ZERO);
    }
    for k in 0..m {
        for other in k..m {
            let at = k * width + other;
            (re[at], im[at]) = (re[at].map(|v| v * scale), im[at].map(|v| v * scale));
            if other > k {
                let mirrored = other * width + k;
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
    let pairs = m.div_ceil(TILE);
    let width = pairs * TILE;
    std::mem::swap(&mut work.r, &mut work.old);
    let length = work.r.rows;
    // Y + R J^T.
    for pair in 0..pairs {
        for l in 0..length {
            let at = work.r.at(pair, l);
            let mut acc = [[work.y.re[at], work.y.re[at + 1]], [work.y.im[at], work.y.im[at + 1]]];
            for k in 0..m {
                let from = work.old.at(k / TILE, l) + k % TILE;
                let (x, y) = (work.old.re[from], work.old.im[from]);
                let minus_y = y.map(|v| -v);
                for a in 0..TILE {
                    let j = k * width + pair * TILE + a;
                    let (j_re, j_im) = (work.jacobian[0][j], work.jacobian[1][j]);
                    acc[0][a] = x.madd::<FMA>(j_re, minus_y.madd::<FMA>(j_im, acc[0][a]));
                    acc[1][a] = x.madd::<FMA>(j_im, y.madd::<FMA>(j_re, acc[1][a]));
                }
            }
            for a in 0..TILE {
                (work.r.re[at + a], work.r.im[at + a]) = (acc[0][a], acc[1][a]);
            }
        }
    }
    // - S X_new, a chunk of rows at a time.
    for rows in work.support.chunks(CHUNK) {
        for pair in 0..pairs {
            let from = work.fresh.at(pair, 0);
            let size = work.fresh.rows * TILE;
            let b = [&work.fresh.re[from..][..size], &work.fresh.im[from..][..size]];
            for p in 0..length.div_ceil(TILE) {
                let mut acc = [[[F8::ZERO; TILE]; TILE]; 2];
                tile::<FMA>(forward.panel(p), b, rows.iter().copied(), &mut acc);
                for i in 0..TILE.min(length - p * TILE) {
                    let at = work.r.at(pair, p * TILE + i);
                    for a in 0..TILE {
                        work.r.re[at + a] = work.r.re[at + a].zip(acc[0][i][a], |r, s| r - s);
                        work.r.im[at + a] = work.r.im[at + a].zip(acc[1][i][a], |r, s| r - s);
                    }
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
