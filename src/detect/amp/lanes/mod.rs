//! AMP in single precision, eight frames side by side, or sixteen where vectors have 512 bits.
//!
//! The algorithm is that of [`amp`](crate::detect::amp), with a frame in every lane of a vector: every step is then full vectors
//! whatever the number of antennas, products with the pilots read each pilot once for all of them, and exponentials and
//! logarithms are those of a whole vector. Work is in units of the noise (Y/sigma, unit-norm pilots): the range
//! of single precision is too small for the squares of powers in watts.
//!
//! An iteration goes through the devices once, some at a time: the matched filter of their rows, the denoiser, and their
//! part of `Y - S X_new` follow one another while the rows are in the cache, and nothing but X is kept of them. Rows of X
//! that are zero to rounding in all frames are skipped in `S X` and not kept either; a row that is negligible in one frame
//! is exactly zero there, so that a frame's result does not depend on its neighbours.

mod denoise;
mod panels;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use denoise::{Gain, Shrinkage, choose, posterior, wiener};
use panels::{Panels, TILE, To, product};

use crate::detect::Onsager;
use crate::detect::amp::iteration::Settings;
use crate::detect::common::decide::decide;
use crate::detect::common::frames::FrameOut;
use crate::link::{C64, FrameBatch, Pilots};
use crate::math::isa::{Isa, Kernel};
use crate::math::lanes::Lanes;
use crate::math::real::Real;

/// Rows times antennas that are in work at a time: with sixteen lanes, half of a first-level cache. It does not depend on
/// the number of lanes, so that lanes change no result.
const BLOCK: usize = 192;
/// Fewest rows, so that a tile of `S X` is worth its way to memory and back.
const FEWEST_ROWS: usize = 32;

/// Pilots packed for both products.
pub(crate) struct Packed {
    /// `S^H`, panels over columns of S.
    adjoint: Panels,
    /// `S`, panels over symbols.
    forward: Panels,
}

impl Packed {
    fn new(batch: &FrameBatch) -> Self {
        let pilots = batch.model().pilots();
        let scale = 1.0 / pilots.energy().sqrt();
        let (length, columns) = (pilots.length(), pilots.columns());
        Self {
            adjoint: Panels::new(columns, length, length, |i, l| pilots.at(l, i).conj() * scale),
            forward: Panels::new(length, columns, rows_of_block(batch), |l, i| pilots.at(l, i) * scale),
        }
    }
}

/// The packed pilots of the last batch: most batches follow one with the same pilots.
#[derive(Default)]
pub(crate) struct LastPacked(Mutex<Option<Last>>);

/// Pilots, rows of a block, and what was packed of them.
type Last = (Weak<Pilots>, usize, Arc<Packed>);

impl LastPacked {
    /// Those of this batch.
    pub fn of(&self, batch: &FrameBatch) -> Arc<Packed> {
        let (pilots, block) = (batch.model().pilots(), rows_of_block(batch));
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A weak pointer keeps the address from being used again.
        if let Some((last, of, packed)) = &*lock()
            && Weak::as_ptr(last) == Arc::as_ptr(pilots)
            && *of == block
        {
            return Arc::clone(packed);
        }
        // Not under the lock: a thread that waits for parts of the packing may take up another batch, and come here again.
        let packed = Arc::new(Packed::new(batch));
        *lock() = Some((Arc::downgrade(pilots), block, Arc::clone(&packed)));
        packed
    }
}

/// What a batch shares.
pub(crate) struct Shared {
    pilots: Arc<Packed>,
    /// `ln` prior odds of the posterior, per device.
    pub log_odds: Vec<f64>,
    /// Thresholds of the decision, per device.
    pub thresholds: Vec<f64>,
}

impl Shared {
    pub fn new(pilots: Arc<Packed>, log_odds: Vec<f64>, thresholds: Vec<f64>) -> Self {
        Self { pilots, log_odds, thresholds }
    }
}

/// Rows of a block: whole devices and whole panels.
fn rows_of_block(batch: &FrameBatch) -> usize {
    let unit = TILE * batch.model().sequences();
    (BLOCK / batch.model().antennas()).max(FEWEST_ROWS).div_ceil(unit) * unit
}

/// A complex matrix for every lane, one antenna after the other: `[M, rows]`.
struct Matrix<V> {
    re: Vec<V>,
    im: Vec<V>,
    rows: usize,
}

impl<V: Lanes<Number = f32>> Matrix<V> {
    fn zeros(rows: usize, antennas: usize) -> Self {
        let zeros = vec![V::ZERO; antennas * rows];
        Self { re: zeros.clone(), im: zeros, rows }
    }

    fn copy_from(&mut self, other: &Self) {
        self.re.copy_from_slice(&other.re);
        self.im.copy_from_slice(&other.im);
    }

    #[inline(always)]
    fn at(&self, antenna: usize, row: usize) -> usize {
        antenna * self.rows + row
    }

    /// Both planes of an antenna, `[rows]`.
    #[inline(always)]
    fn antenna(&self, antenna: usize) -> [&[V]; 2] {
        let part = antenna * self.rows..(antenna + 1) * self.rows;
        [&self.re[part.clone()], &self.im[part]]
    }
}

/// The rows of some devices.
struct Block<V> {
    z: Matrix<V>,
    energies: Vec<V>,
    /// Logits and then posterior weights.
    weights: Vec<V>,
    shrink: Vec<V>,
    /// Rows whose Jacobian has a rank-one part that counts, and its weights.
    curved: Vec<(usize, V)>,
}

/// The estimate X, block by block.
struct Estimate<V> {
    /// `[blocks, M, rows of a block]`.
    re: Vec<V>,
    im: Vec<V>,
    /// Rows of a block that are not zero, in order; `[blocks, rows of a block]`.
    support: Vec<usize>,
    /// How many.
    counts: Vec<usize>,
    /// Blocks all of whose rows are kept; in the others, rows that are zero hold anything.
    full: Vec<bool>,
    /// All rows of all blocks are kept: damping mixes with the rows before, and so do frames that have overflowed.
    all: bool,
    rows: usize,
    antennas: usize,
}

/// Buffers of one thread.
pub(crate) struct Workspace<V> {
    y: Matrix<V>,
    r: Matrix<V>,
    /// R of the next iteration.
    next: Matrix<V>,
    x: Estimate<V>,
    block: Block<V>,
    /// `(sum_i J_i)^T`, `[M, M]`.
    jacobian: [Vec<V>; 2],
    /// `[N*Q]`.
    llr: Vec<V>,
    /// Gains over the noise, `[N]`.
    beta: Vec<V>,
    /// All devices have the same gain.
    uniform: bool,
}

impl<V: Lanes<Number = f32>> Workspace<V> {
    pub fn new(batch: &FrameBatch) -> Self {
        let model = batch.model();
        let (l, k, m) = (model.pilot_length(), model.columns(), model.antennas());
        let rows = rows_of_block(batch);
        let zeros = vec![V::ZERO; rows];
        Self {
            y: Matrix::zeros(l, m),
            r: Matrix::zeros(l, m),
            next: Matrix::zeros(l, m),
            x: Estimate::new(k, rows, m),
            block: Block {
                z: Matrix::zeros(rows, m),
                energies: zeros.clone(),
                weights: zeros.clone(),
                shrink: zeros,
                curved: Vec::with_capacity(rows),
            },
            jacobian: [vec![V::ZERO; m * m], vec![V::ZERO; m * m]],
            llr: vec![V::ZERO; k],
            beta: vec![V::ZERO; model.devices()],
            uniform: false,
        }
    }
}

/// As many frames as a vector has lanes, or fewer, from `first` on; `outs` are their decisions.
pub(crate) struct Task<'a, 'b, V> {
    pub options: &'a Settings,
    pub shared: &'a Shared,
    pub batch: &'a FrameBatch,
    pub first: usize,
    pub outs: &'a mut [FrameOut<'b>],
    pub work: &'a mut Workspace<V>,
}

impl<V: Lanes<Number = f32>> Kernel for Task<'_, '_, V> {
    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Self { options, shared, batch, first, outs, work } = self;
        load(batch, first, outs.len(), work);
        iterate(isa, options, shared, batch, work);
        store(shared, batch, outs, work);
    }
}

/// Lanes without a frame are zero.
fn load<V: Lanes<Number = f32>>(batch: &FrameBatch, first: usize, count: usize, work: &mut Workspace<V>) {
    let model = batch.model();
    let (m, sigma) = (model.antennas(), model.noise_var().sqrt());
    let gain = model.pilots().energy() / model.noise_var();
    work.y.re.fill(V::ZERO);
    work.y.im.fill(V::ZERO);
    work.beta.fill(V::splat(1.0));
    for lane in 0..count {
        for (i, v) in batch.frame(first + lane).iter().enumerate() {
            let (row, antenna) = (i / m, i % m);
            let at = work.y.at(antenna, row);
            work.y.re[at].lanes_mut()[lane] = (v.re / sigma) as f32;
            work.y.im[at].lanes_mut()[lane] = (v.im / sigma) as f32;
        }
        for (to, b) in work.beta.iter_mut().zip(batch.beta_of(first + lane)) {
            to.lanes_mut()[lane] = (b * gain) as f32;
        }
    }
    work.uniform = work.beta.iter().all(|b| *b == work.beta[0]);
}

fn store<V: Lanes<Number = f32>>(
    shared: &Shared,
    batch: &FrameBatch,
    outs: &mut [FrameOut<'_>],
    work: &mut Workspace<V>,
) {
    let model = batch.model();
    let q = model.sequences();
    let scale = (model.noise_var() / model.pilots().energy()).sqrt();
    let (x, m) = (&mut work.x, model.antennas());
    x.keep_all();
    for (lane, out) in outs.iter_mut().enumerate() {
        for (score, llr) in out.score.iter_mut().zip(&work.llr) {
            *score = f64::from(llr.lanes()[lane]);
        }
        for (i, row) in out.x.chunks_exact_mut(m).enumerate() {
            let first = i / x.rows * x.rows * m + i % x.rows;
            for (antenna, to) in row.iter_mut().enumerate() {
                let at = first + antenna * x.rows;
                let (re, im) = (x.re[at].lanes()[lane], x.im[at].lanes()[lane]);
                *to = C64::new(f64::from(re) * scale, f64::from(im) * scale);
            }
        }
        for ((a, llr), &t) in out.activity.iter_mut().zip(out.score.chunks_exact(q)).zip(&shared.thresholds) {
            *a = decide(llr, t);
        }
    }
}

impl<V: Lanes<Number = f32>> Estimate<V> {
    /// Memory for `total` rows in blocks.
    fn new(total: usize, rows: usize, antennas: usize) -> Self {
        let blocks = total.div_ceil(rows);
        let zeros = vec![V::ZERO; blocks * antennas * rows];
        Self {
            re: zeros.clone(),
            im: zeros,
            support: vec![0; blocks * rows],
            counts: vec![0; blocks],
            full: vec![false; blocks],
            all: false,
            rows,
            antennas,
        }
    }

    /// X = 0.
    fn clear(&mut self, all: bool) {
        self.counts.fill(0);
        self.full.fill(all);
        self.all = all;
        if all {
            self.re.fill(V::ZERO);
            self.im.fill(V::ZERO);
        }
    }

    /// From now on every row holds what it is.
    fn keep_all(&mut self) {
        let (m, rows) = (self.antennas, self.rows);
        for block in 0..self.full.len() {
            if self.full[block] {
                continue;
            }
            let support = &self.support[block * rows..][..self.counts[block]];
            let mut dead = vec![true; rows];
            support.iter().for_each(|&j| dead[j] = false);
            for plane in [&mut self.re, &mut self.im] {
                for antenna in plane[block * m * rows..(block + 1) * m * rows].chunks_exact_mut(rows) {
                    antenna.iter_mut().zip(&dead).filter(|(_, dead)| **dead).for_each(|(v, _)| *v = V::ZERO);
                }
            }
        }
        self.full.fill(true);
        self.all = true;
    }

    /// Where a block lies.
    #[inline(always)]
    fn part(&self, block: usize) -> Range<usize> {
        block * self.antennas * self.rows..(block + 1) * self.antennas * self.rows
    }
}

#[inline(always)]
fn iterate<V: Lanes<Number = f32>, I: Isa>(
    isa: I,
    options: &Settings,
    shared: &Shared,
    batch: &FrameBatch,
    work: &mut Workspace<V>,
) {
    let (l, m, q) = (batch.model().pilot_length(), batch.model().antennas(), batch.model().sequences());
    work.r.copy_from(&work.y);
    work.x.clear(options.damping < 1.0);
    work.llr.fill(V::ZERO);
    // Below the rounding of Y itself the residual says nothing any more.
    let rounding = 4.0 * f32::EPSILON;
    let floor = effective_noise(isa, &work.y, l, m).map(|v| (v * rounding * rounding).max(1e-30));
    // Lanes whose iterate is finite.
    let mut alive = V::splat(1.0);
    for iteration in 0..options.iterations {
        let tau2 = effective_noise(isa, &work.r, l, m);
        alive = alive.zip(tau2, |a, t| if t.is_finite() { a } else { 0.0 });
        if !alive.any() {
            break;
        }
        let tau2 = tau2.zip(floor, f32::max);
        // With a mask, lanes that have overflowed keep what they have.
        let mask = alive.lanes().contains(&0.0).then_some(alive);
        if mask.is_some() {
            work.x.keep_all();
        }
        let last = iteration + 1 == options.iterations;
        let identity = visit_devices(isa, options, shared, [m, q], (tau2, mask), last, work);
        if last {
            break;
        }
        finish_jacobian(&mut work.jacobian, identity, l, m, options.onsager == Onsager::Scalar);
        correct(isa, options.damping as f32, m, work);
        std::mem::swap(&mut work.r, &mut work.next);
    }
}

/// `||R||^2/(L M)` of every lane.
#[inline(always)]
fn effective_noise<V: Lanes<Number = f32>, I: Isa>(isa: I, r: &Matrix<V>, length: usize, antennas: usize) -> V {
    let sum = r.re.iter().zip(&r.im).fold(V::ZERO, |sum, (re, im)| re.madd(isa, *re, im.madd(isa, *im, sum)));
    let scale = 1.0 / (length * antennas) as f32;
    sum.map(|v| v * scale)
}

/// `X_new = eta(X + S^H R)`, `X <- d X_new + (1 - d) X`, the ratios, `Y - S X_new` and the rank-one parts of the Jacobian
/// sums; `sum_i omega_i w_i` is the result. The last iteration needs X and the ratios only.
#[inline(always)]
fn visit_devices<V: Lanes<Number = f32>, I: Isa>(
    isa: I,
    options: &Settings,
    shared: &Shared,
    [m, q]: [usize; 2],
    (tau2, mask): (V, Option<V>),
    last: bool,
    work: &mut Workspace<V>,
) -> V {
    let Workspace { y, r, next, x, block, jacobian, llr, beta, uniform } = work;
    next.copy_from(y);
    jacobian.iter_mut().for_each(|part| part.fill(V::ZERO));
    let mut identity = V::ZERO;
    let inverse = tau2.map(|t| 1.0 / t);
    let mut of_device = Gain::new(beta[0], tau2, inverse, m);
    let devices = block.z.rows / q;
    for (visit, beta) in beta.chunks(devices).enumerate() {
        let rows = visit * block.z.rows..visit * block.z.rows + beta.len() * q;
        matched_filter(isa, &shared.pilots.adjoint, r, rows.clone(), x, visit, &mut block.z);
        let count = rows.len();
        row_energies(isa, &block.z, &mut block.energies[..count]);
        let llr = &mut llr[rows.clone()];
        let log_odds = &shared.log_odds[visit * devices..];
        for (k, (beta, odds)) in beta.iter().zip(log_odds).enumerate() {
            if !*uniform {
                of_device = Gain::new(*beta, tau2, inverse, m);
            }
            let Gain { slope, offset, .. } = of_device;
            let (part, odds) = (k * q..(k + 1) * q, *odds as f32);
            let rows = block.energies[part.clone()].iter().zip(&mut llr[part.clone()]).zip(&mut block.weights[part]);
            for ((energy, llr), weight) in rows {
                let new = energy.zip(slope, |e, s| e * s).zip(offset, |e, o| e - o);
                *llr = if let Some(alive) = mask { choose(alive, new, *llr) } else { new };
                *weight = new.map(|v| v + odds);
            }
        }
        posterior(options.section, q, &mut block.weights[..count]);
        let live = &mut x.support[visit * block.z.rows..][..count];
        let mut living = 0;
        block.curved.clear();
        let mut omega = of_device.omega;
        for j in 0..count {
            if !*uniform && j % q == 0 {
                omega = wiener(beta[j / q], tau2);
            }
            let Shrinkage { share, shrink, curve } = Shrinkage::new(block.weights[j], block.energies[j], omega, tau2);
            identity = identity.zip(share, |a, b| a + b);
            block.shrink[j] = shrink;
            live[living] = j;
            living += usize::from(shrink.any());
            if curve.any() {
                block.curved.push((j, curve.zip(inverse, |c, i| c * i)));
            }
        }
        if !last {
            sum_jacobians(isa, &block.z, &block.curved, jacobian, m);
        }
        x.counts[visit] = living;
        shrink_rows(block, count, x, visit, options.damping as f32, mask);
        if !last {
            subtract_product(isa, &shared.pilots.forward, block, x, visit, rows, next);
        }
    }
    identity
}

/// `Z = X + S^H R` for the rows of a block.
#[inline(always)]
fn matched_filter<V: Lanes<Number = f32>, I: Isa>(
    isa: I,
    adjoint: &Panels,
    r: &Matrix<V>,
    rows: Range<usize>,
    x: &Estimate<V>,
    block: usize,
    z: &mut Matrix<V>,
) {
    let part = x.part(block);
    let (x_re, x_im) = (&x.re[part.clone()], &x.im[part]);
    if x.full[block] {
        z.re.copy_from_slice(x_re);
        z.im.copy_from_slice(x_im);
    } else {
        z.re.fill(V::ZERO);
        z.im.fill(V::ZERO);
        for &j in &x.support[block * x.rows..][..x.counts[block]] {
            for antenna in 0..x.antennas {
                let at = antenna * x.rows + j;
                (z.re[at], z.im[at]) = (x_re[at], x_im[at]);
            }
        }
    }
    // R of one antenna stays in the first-level cache.
    for antenna in 0..x.antennas {
        let [b_re, b_im] = r.antenna(antenna);
        for (first, count, panel) in adjoint.panels_from(rows.start).take(rows.len().div_ceil(TILE)) {
            let at = z.at(antenna, first);
            let to = [&mut z.re[at..at + count], &mut z.im[at..at + count]];
            product(isa, to, count, To::Add, panel.iter().zip(b_re).zip(b_im).map(|((s, re), im)| (s, *re, *im)));
        }
    }
}

/// `||z_i||^2` of the first rows of a block.
#[inline(always)]
fn row_energies<V: Lanes<Number = f32>, I: Isa>(isa: I, z: &Matrix<V>, energies: &mut [V]) {
    let energies = V::flat_mut(energies);
    energies.fill(0.0);
    for antenna in 0..z.re.len() / z.rows {
        let [re, im] = z.antenna(antenna);
        for ((energy, re), im) in energies.iter_mut().zip(V::flat(re)).zip(V::flat(im)) {
            *energy = im.madd(isa, *im, re.madd(isa, *re, *energy));
        }
    }
}

/// `X_new = shrink Z` and `X <- d X_new + (1 - d) X` for a block: where all rows of all blocks are kept, X_new replaces Z;
/// elsewhere it is X, and rows that are zero are left out if they are many.
#[inline(always)]
fn shrink_rows<V: Lanes<Number = f32>>(
    block: &mut Block<V>,
    count: usize,
    x: &mut Estimate<V>,
    index: usize,
    damping: f32,
    mask: Option<V>,
) {
    let (part, m, rows) = (x.part(index), x.antennas, x.rows);
    let full = 2 * x.counts[index] >= count;
    let shrink = &block.shrink[..count];
    for (z, x_plane) in [(&mut block.z.re, &mut x.re), (&mut block.z.im, &mut x.im)] {
        let x_plane = &mut x_plane[part.clone()];
        if x.all {
            for (z, to) in z.chunks_exact_mut(rows).zip(x_plane.chunks_exact_mut(rows)) {
                for ((z, shrink), to) in z.iter_mut().zip(shrink).zip(to) {
                    *z = z.zip(*shrink, |z, s| z * s);
                    let mixed = z.zip(*to, |new, old| damping * new + (1.0 - damping) * old);
                    *to = if let Some(alive) = mask { choose(alive, mixed, *to) } else { mixed };
                }
            }
        } else if full {
            for (z, to) in z.chunks_exact(rows).zip(x_plane.chunks_exact_mut(rows)) {
                let factors = V::flat(z).iter().zip(V::flat(shrink));
                for (to, (z, shrink)) in V::flat_mut(to).iter_mut().zip(factors) {
                    *to = *z * *shrink;
                }
            }
        } else {
            for &j in &x.support[index * rows..][..x.counts[index]] {
                for antenna in 0..m {
                    let at = antenna * rows + j;
                    x_plane[at] = z[at].zip(shrink[j], |z, s| z * s);
                }
            }
        }
    }
    x.full[index] = x.all || full;
}

/// Adds to the upper triangle of `J^T = sum_i weight_i conj(z_i) z_i^T`.
#[inline(always)]
fn sum_jacobians<V: Lanes<Number = f32>, I: Isa>(
    isa: I,
    z: &Matrix<V>,
    curved: &[(usize, V)],
    jacobian: &mut [Vec<V>; 2],
    m: usize,
) {
    if curved.is_empty() {
        return;
    }
    let [j_re, j_im] = jacobian;
    // Two antennas by two at a time: the sums stay in registers.
    for k in (0..m).step_by(2) {
        for other in (k..m).step_by(2) {
            // The last antenna of an odd number stands in for the one behind it. Written out: closures given to `map` of
            // an array are calls here, outside of the vector code.
            let [l0_re, l0_im] = z.antenna(k);
            let [l1_re, l1_im] = z.antenna((k + 1).min(m - 1));
            let [r0_re, r0_im] = z.antenna(other);
            let [r1_re, r1_im] = z.antenna((other + 1).min(m - 1));
            let (mut re, mut im) = ([[V::ZERO; 2]; 2], [[V::ZERO; 2]; 2]);
            for &(i, weight) in curved {
                let left = [[l0_re[i], l0_im[i]], [l1_re[i], l1_im[i]]];
                let right = [[r0_re[i], r0_im[i]], [r1_re[i], r1_im[i]]];
                for p in 0..2 {
                    let x = left[p][0].zip(weight, |a, w| a * w);
                    let y = left[p][1].zip(weight, |a, w| a * w);
                    let minus = y.map(|v| -v);
                    for c in 0..2 {
                        re[p][c] = x.madd(isa, right[c][0], y.madd(isa, right[c][1], re[p][c]));
                        im[p][c] = x.madd(isa, right[c][1], minus.madd(isa, right[c][0], im[p][c]));
                    }
                }
            }
            for p in 0..2.min(m - k) {
                for c in 0..2.min(m - other) {
                    let at = (k + p) * m + other + c;
                    j_re[at] = j_re[at].zip(re[p][c], |a, b| a + b);
                    j_im[at] = j_im[at].zip(im[p][c], |a, b| a + b);
                }
            }
        }
    }
}

/// Fills the lower triangle, folds the identity part in and divides by L; `scalar` keeps only the mean of the traces.
#[inline(always)]
fn finish_jacobian<V: Lanes<Number = f32>>(
    jacobian: &mut [Vec<V>; 2],
    identity: V,
    length: usize,
    m: usize,
    scalar: bool,
) {
    let scale = 1.0 / length as f32;
    let [re, im] = jacobian;
    let mut identity = identity;
    if scalar {
        let trace = (0..m).fold(V::ZERO, |sum, k| sum.zip(re[k * m + k], |a, b| a + b));
        identity = identity.zip(trace, |i, t| i + t / m as f32);
        re.fill(V::ZERO);
        im.fill(V::ZERO);
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

/// `R_next -= S X_new` for the rows of a block.
#[inline(always)]
fn subtract_product<V: Lanes<Number = f32>, I: Isa>(
    isa: I,
    forward: &Panels,
    block: &Block<V>,
    x: &Estimate<V>,
    index: usize,
    rows: Range<usize>,
    next: &mut Matrix<V>,
) {
    let live = &x.support[index * x.rows..][..x.counts[index]];
    if live.is_empty() {
        return;
    }
    let part = x.part(index);
    let (re, im) = if x.all { (&block.z.re[..], &block.z.im[..]) } else { (&x.re[part.clone()], &x.im[part]) };
    let dense = live.len() == rows.len();
    for antenna in 0..x.antennas {
        let (b_re, b_im) = (&re[antenna * x.rows..][..x.rows], &im[antenna * x.rows..][..x.rows]);
        for (first, count, panel) in forward.of_block(rows.clone()) {
            let at = next.at(antenna, first);
            let to = [&mut next.re[at..at + count], &mut next.im[at..at + count]];
            if dense {
                let entries = panel.iter().zip(b_re).zip(b_im);
                product(isa, to, count, To::Subtract, entries.map(|((s, re), im)| (s, *re, *im)));
            } else {
                let entries = live.iter().map(|&i| (&panel[i], b_re[i], b_im[i]));
                product(isa, to, count, To::Subtract, entries);
            }
        }
    }
}

/// `R_next <- d (R_next + R J^T) + (1 - d) R`, J already divided by L.
#[inline(always)]
fn correct<V: Lanes<Number = f32>, I: Isa>(isa: I, damping: f32, m: usize, work: &mut Workspace<V>) {
    let Workspace { r, next, jacobian, .. } = work;
    let length = r.rows;
    // A few symbols at a time: the sums stay in registers.
    for antenna in 0..m {
        for first in (0..length).step_by(TILE) {
            let rows = TILE.min(length - first);
            let at = next.at(antenna, first);
            let (mut re, mut im) = ([V::ZERO; TILE], [V::ZERO; TILE]);
            re[..rows].copy_from_slice(&next.re[at..at + rows]);
            im[..rows].copy_from_slice(&next.im[at..at + rows]);
            for k in 0..m {
                let (j_re, j_im) = (jacobian[0][k * m + antenna], jacobian[1][k * m + antenna]);
                let minus = j_im.map(|v| -v);
                let [x, y] = r.antenna(k);
                let (x, y) = (&x[first..first + rows], &y[first..first + rows]);
                for (l, (x, y)) in x.iter().zip(y).enumerate() {
                    re[l] = x.madd(isa, j_re, y.madd(isa, minus, re[l]));
                    im[l] = x.madd(isa, j_im, y.madd(isa, j_re, im[l]));
                }
            }
            next.re[at..at + rows].copy_from_slice(&re[..rows]);
            next.im[at..at + rows].copy_from_slice(&im[..rows]);
        }
    }
    if damping < 1.0 {
        for (next, r) in [(&mut next.re, &r.re), (&mut next.im, &r.im)] {
            for (new, old) in next.iter_mut().zip(r) {
                *new = new.zip(*old, |n, o| damping * n + (1.0 - damping) * o);
            }
        }
    }
}
