//! The sweeps themselves, four frames side by side.

use super::{Shared, SweepShape, splat};
use crate::arithmetic::kernels::Kernel;
use crate::arithmetic::lanes::{C4, D4};

/// Rows that a product computes together: each entry of the vector is read once for all of them.
const ROWS: usize = 4;

/// A step that changed a power in some lane.
#[derive(Clone, Copy)]
pub(super) struct Step {
    pub device: usize,
    pub s: D4,
    pub q: D4,
    /// Change of the power; zero where nothing changed.
    pub d: D4,
    /// One where the new power is the stationary point, zero where it is 0, 1 or unchanged: there it depends on nothing.
    pub free: D4,
}

/// The steps of four frames that changed something, in order: what the way back needs.
#[derive(Default)]
pub(super) struct Trail {
    pub steps: Vec<Step>,
    /// `v = P a` and `w = Y^H v` of every step, `[steps, L + M]`, zero in lanes that did not change.
    pub rows: Vec<C4>,
}

impl Trail {
    /// Room for all steps of usual sizes, so that they are not moved again and again; memory never written costs nothing.
    pub fn reserved(shape: SweepShape) -> Self {
        let steps = (shape.columns * shape.sweeps).min(1 << 14);
        Self { steps: Vec::with_capacity(steps), rows: Vec::with_capacity(steps * (shape.length + shape.antennas)) }
    }

    /// Bytes if every step of every frame changed something.
    pub fn largest(shape: SweepShape) -> usize {
        let row = (shape.length + shape.antennas) * size_of::<C4>() + size_of::<Step>();
        shape.frames.div_ceil(D4::COUNT).saturating_mul(shape.columns * shape.sweeps).saturating_mul(row)
    }

    #[inline(always)]
    fn push(&mut self, step: Step, v: &[C4], w: &[C4]) {
        self.steps.push(step);
        let at = self.rows.len();
        self.rows.resize(at + v.len() + w.len(), C4::ZERO);
        let (to_v, to_w) = self.rows[at..].split_at_mut(v.len());
        for (to, x) in to_v.iter_mut().zip(v) {
            *to = x.masked(step.d);
        }
        for (to, x) in to_w.iter_mut().zip(w) {
            *to = x.masked(step.d);
        }
    }
}

/// Buffers of one thread.
pub(super) struct Descent {
    /// Inverse covariance, Hermitian `[L, L]`, stored on and below the diagonal.
    pub p: Vec<C4>,
    /// Y, `[L, M]`.
    pub y: Vec<C4>,
    /// `v = P a`, `[L]`.
    v: Vec<C4>,
    /// `Y^H v`, `[M]`.
    w: Vec<C4>,
    /// Powers, `[N]`.
    pub alpha: Vec<D4>,
    pub trail: Trail,
}

impl Descent {
    pub fn new(shape: SweepShape) -> Self {
        let (l, m) = (shape.length, shape.antennas);
        Self {
            p: vec![C4::ZERO; l * l],
            y: vec![C4::ZERO; l * m],
            v: vec![C4::ZERO; l],
            w: vec![C4::ZERO; m],
            alpha: vec![D4::ZERO; shape.columns],
            trail: Trail::default(),
        }
    }

    /// All sweeps from zero; `RECORD` adds the steps that changed something to the trail.
    #[inline(always)]
    pub fn run<const FMA: bool, const RECORD: bool>(&mut self, shared: &Shared) {
        let SweepShape { antennas, length, sweeps, noise_var, .. } = shared.shape;
        self.alpha.fill(D4::ZERO);
        self.p.fill(C4::ZERO);
        for l in 0..length {
            self.p[l * length + l].re = D4::splat(1.0 / noise_var);
        }
        let per_antenna = 1.0 / antennas as f64;
        for _ in 0..sweeps {
            for device in 0..self.alpha.len() {
                let column = shared.column(device);
                multiply::<FMA>(&self.p, |j| splat(column[j]), &mut self.v);
                let s = self.v.iter().zip(column).fold(D4::ZERO, |s, (v, a)| splat(*a).plus_real_product::<FMA>(*v, s));
                adjoint_product::<FMA>(&self.y, &self.v, &mut self.w);
                let energy = self.w.iter().fold(D4::ZERO, |sum, w| w.plus_energy::<FMA>(sum));
                let q = energy.map(|e| e * per_antenna);
                let (d, free) = step(q, s, self.alpha[device], shared.odds[device]);
                if !d.any() {
                    continue;
                }
                if RECORD {
                    self.trail.push(Step { device, s, q, d, free }, &self.v, &self.w);
                }
                let c = d.zip(s, |d, s| d / (1.0 + d * s));
                add_energy::<FMA>(&mut self.p, c.map(|c| -c), &self.v);
                for lane in 0..D4::COUNT {
                    let (alpha, d) = (&mut self.alpha[device].0[lane], d.0[lane]);
                    // Exactly 0 and 1 at the ends, whatever the sum rounds to.
                    *alpha = if free.0[lane] != 0.0 || d == 0.0 {
                        *alpha + d
                    } else if d < 0.0 {
                        0.0
                    } else {
                        1.0
                    };
                }
            }
        }
    }
}

/// Equation (19) of the auto-encoder paper with the misprinted sign corrected: the step of a power `alpha` in `[0, 1]`,
/// and whether it ends at the stationary point.
#[inline(always)]
fn step(q: D4, s: D4, alpha: D4, odds: f64) -> (D4, D4) {
    let (mut d, mut free) = (D4::ZERO, D4::ZERO);
    for j in 0..D4::COUNT {
        let (q, s, alpha) = (q.0[j], s.0[j], alpha.0[j]);
        let discriminant = s * s - 4.0 * q * odds;
        let root = discriminant.sqrt();
        // Below zero the posterior grows without end: only the cap at 1 stops it.
        let target = if discriminant < 0.0 { f64::INFINITY } else { (2.0 * q / (s + root) - 1.0) / s };
        let (low, high) = (-alpha, 1.0 - alpha);
        let bounded = if target <= low { low } else { target };
        let bounded = if bounded >= high { high } else { bounded };
        // A zero column, or numbers out of range: the device stays as it is.
        let usable = (s > 0.0) & (s < f64::INFINITY) & (bounded.abs() < f64::INFINITY);
        d.0[j] = if usable { bounded } else { 0.0 };
        free.0[j] = if usable & (target > low) & (target < high) { 1.0 } else { 0.0 };
    }
    (d, free)
}

/// `out = P v` for a Hermitian P `[L, L]` of which the entries on and below the diagonal are stored.
#[inline(always)]
pub(super) fn multiply<const FMA: bool>(p: &[C4], v: impl Fn(usize) -> C4 + Copy, out: &mut [C4]) {
    let blocked = out.len() - out.len() % ROWS;
    for first in (0..blocked).step_by(ROWS) {
        multiply_rows::<ROWS, FMA>(p, first, v, out);
    }
    for row in blocked..out.len() {
        multiply_rows::<1, FMA>(p, row, v, out);
    }
}

/// Rows `first..first + R` of the product.
#[inline(always)]
fn multiply_rows<const R: usize, const FMA: bool>(p: &[C4], first: usize, v: impl Fn(usize) -> C4, out: &mut [C4]) {
    let length = out.len();
    let mut sums = [C4::ZERO; R];
    // Left of the block on the diagonal.
    for j in 0..first {
        let v = v(j);
        for r in 0..R {
            sums[r] = sums[r].plus_product::<FMA>(v, p[(first + r) * length + j]);
        }
    }
    for c in 0..R {
        let v = v(first + c);
        for (r, sum) in sums.iter_mut().enumerate() {
            let (high, low) = if r >= c { (r, c) } else { (c, r) };
            let entry = p[(first + high) * length + first + low];
            *sum = if r >= c { sum.plus_product::<FMA>(v, entry) } else { sum.plus_conjugate_product::<FMA>(entry, v) };
        }
    }
    // Right of it: conjugates of what is below.
    for j in first + R..length {
        let (v, row) = (v(j), &p[j * length + first..][..R]);
        for r in 0..R {
            sums[r] = sums[r].plus_conjugate_product::<FMA>(row[r], v);
        }
    }
    out[first..first + R].copy_from_slice(&sums);
}

/// `out = A^H v` with `A [v.len(), out.len()]`.
#[inline(always)]
fn adjoint_product<const FMA: bool>(a: &[C4], v: &[C4], out: &mut [C4]) {
    let width = out.len();
    for (block, out) in out.chunks_mut(ROWS).enumerate() {
        let at = block * ROWS;
        if out.len() == ROWS {
            adjoint_columns::<ROWS, FMA>(a, width, at, v, out);
        } else {
            for (j, out) in out.chunks_exact_mut(1).enumerate() {
                adjoint_columns::<1, FMA>(a, width, at + j, v, out);
            }
        }
    }
}

#[inline(always)]
fn adjoint_columns<const C: usize, const FMA: bool>(a: &[C4], width: usize, at: usize, v: &[C4], out: &mut [C4]) {
    let mut sums = [C4::ZERO; C];
    for (row, v) in a.chunks_exact(width).zip(v) {
        let row = &row[at..at + C];
        for j in 0..C {
            sums[j] = sums[j].plus_conjugate_product::<FMA>(row[j], *v);
        }
    }
    out.copy_from_slice(&sums);
}

/// `P <- P + c v v^H`, on and below the diagonal.
#[inline(always)]
pub(super) fn add_energy<const FMA: bool>(p: &mut [C4], c: D4, v: &[C4]) {
    for (k, (row, x)) in p.chunks_exact_mut(v.len()).zip(v).enumerate() {
        let x = x.scaled(c);
        for (p, v) in row[..=k].iter_mut().zip(v) {
            *p = p.plus_conjugate_product::<FMA>(*v, x);
        }
    }
}

/// Four frames on the best instructions of this processor.
pub(super) struct Descend<'a, const RECORD: bool> {
    pub shared: &'a Shared,
    pub descent: &'a mut Descent,
}

impl<const RECORD: bool> Kernel for Descend<'_, RECORD> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        self.descent.run::<FMA, RECORD>(self.shared);
    }
}
