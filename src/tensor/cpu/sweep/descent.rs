//! The sweeps themselves, as many frames side by side as a vector has lanes.

use super::{Shared, SweepShape, splat};
use crate::math::isa::{Isa, Kernel};
use crate::math::lanes::{ComplexLanes, Lanes};

/// Rows that a product computes together: each entry of the vector is read once for all of them.
const ROWS: usize = 4;

/// A step that changed a power in some lane.
#[derive(Clone, Copy)]
pub(super) struct Step<V> {
    pub device: usize,
    pub s: V,
    pub q: V,
    /// Change of the power; zero where nothing changed.
    pub d: V,
    /// One where the new power is the stationary point, zero where it is 0, 1 or unchanged: there it depends on nothing.
    pub free: V,
}

/// The steps of some frames that changed something, in order: what the way back needs.
pub(super) struct Trail<V> {
    pub steps: Vec<Step<V>>,
    /// `v = P a` and `w = Y^H v` of every step, `[steps, L + M]`, zero in lanes that did not change.
    pub rows: Vec<ComplexLanes<V>>,
}

impl<V> Default for Trail<V> {
    fn default() -> Self {
        Self { steps: Vec::new(), rows: Vec::new() }
    }
}

impl<V: Lanes<Number = f64>> Trail<V> {
    /// With memory for all steps of usual sizes, so that the buffer does not grow by copies; pages that are never written cost
    /// nothing.
    pub fn reserved(shape: SweepShape) -> Self {
        let steps = (shape.columns * shape.sweeps).min(1 << 14);
        Self { steps: Vec::with_capacity(steps), rows: Vec::with_capacity(steps * (shape.length + shape.antennas)) }
    }

    /// Bytes if every step of every frame changed something.
    pub fn largest(shape: SweepShape) -> usize {
        let row = (shape.length + shape.antennas) * size_of::<ComplexLanes<V>>() + size_of::<Step<V>>();
        shape.frames.div_ceil(V::COUNT).saturating_mul(shape.columns * shape.sweeps).saturating_mul(row)
    }

    #[inline(always)]
    fn push<I: Isa>(&mut self, isa: I, step: Step<V>, v: &[ComplexLanes<V>], w: &[ComplexLanes<V>]) {
        self.steps.push(step);
        let at = self.rows.len();
        self.rows.resize(at + v.len() + w.len(), ComplexLanes::ZERO);
        let (to_v, to_w) = self.rows[at..].split_at_mut(v.len());
        for (to, x) in to_v.iter_mut().zip(v) {
            *to = x.masked(isa, step.d);
        }
        for (to, x) in to_w.iter_mut().zip(w) {
            *to = x.masked(isa, step.d);
        }
    }
}

/// Buffers of one thread.
pub(super) struct Descent<V> {
    /// Inverse covariance, Hermitian `[L, L]`, stored on and below the diagonal.
    pub p: Vec<ComplexLanes<V>>,
    /// Y, `[L, M]`.
    pub y: Vec<ComplexLanes<V>>,
    /// `v = P a`, `[L]`.
    v: Vec<ComplexLanes<V>>,
    /// `Y^H v`, `[M]`.
    w: Vec<ComplexLanes<V>>,
    /// Powers, `[N]`.
    pub alpha: Vec<V>,
    pub trail: Trail<V>,
}

impl<V: Lanes<Number = f64>> Descent<V> {
    pub fn new(shape: SweepShape) -> Self {
        let (l, m) = (shape.length, shape.antennas);
        Self {
            p: vec![ComplexLanes::ZERO; l * l],
            y: vec![ComplexLanes::ZERO; l * m],
            v: vec![ComplexLanes::ZERO; l],
            w: vec![ComplexLanes::ZERO; m],
            alpha: vec![V::ZERO; shape.columns],
            trail: Trail::default(),
        }
    }

    /// All sweeps from zero; `RECORD` adds the steps that changed something to the trail.
    #[inline(always)]
    pub fn run<I: Isa, const RECORD: bool>(&mut self, isa: I, shared: &Shared) {
        let SweepShape { antennas, length, sweeps, noise_var, .. } = shared.shape;
        self.alpha.fill(V::ZERO);
        self.p.fill(ComplexLanes::ZERO);
        for l in 0..length {
            self.p[l * length + l].re = V::splat(1.0 / noise_var);
        }
        let per_antenna = 1.0 / antennas as f64;
        for _ in 0..sweeps {
            for device in 0..self.alpha.len() {
                let column = shared.column(device);
                multiply(isa, &self.p, |j| splat(column[j]), &mut self.v);
                let s = self.v.iter().zip(column).fold(V::ZERO, |s, (v, a)| splat(*a).plus_real_product(isa, *v, s));
                adjoint_product(isa, &self.y, &self.v, &mut self.w);
                let energy = self.w.iter().fold(V::ZERO, |sum, w| w.plus_energy(isa, sum));
                let q = energy.map(|e| e * per_antenna);
                let (d, free) = step(q, s, self.alpha[device], shared.odds[device]);
                if !d.any() {
                    continue;
                }
                if RECORD {
                    self.trail.push(isa, Step { device, s, q, d, free }, &self.v, &self.w);
                }
                let c = d.zip(s, |d, s| d / (1.0 + d * s));
                add_energy(isa, &mut self.p, c.map(|c| -c), &self.v);
                for lane in 0..V::COUNT {
                    let (alpha, d) = (&mut self.alpha[device].lanes_mut()[lane], d.lanes()[lane]);
                    // Exactly 0 and 1 at the ends, whatever the sum rounds to.
                    *alpha = if free.lanes()[lane] != 0.0 || d == 0.0 {
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

/// Equation (19) of the auto-encoder paper, its sign corrected: the step of a power `alpha` in `[0, 1]`,
/// and whether it ends at the stationary point.
#[inline(always)]
fn step<V: Lanes<Number = f64>>(q: V, s: V, alpha: V, odds: f64) -> (V, V) {
    let (mut d, mut free) = (V::ZERO, V::ZERO);
    for j in 0..V::COUNT {
        let (q, s, alpha) = (q.lanes()[j], s.lanes()[j], alpha.lanes()[j]);
        let discriminant = s * s - 4.0 * q * odds;
        let root = discriminant.sqrt();
        // A negative discriminant: the posterior grows without bound, and only the cap at 1 ends the step.
        let target = if discriminant < 0.0 { f64::INFINITY } else { (2.0 * q / (s + root) - 1.0) / s };
        let (low, high) = (-alpha, 1.0 - alpha);
        let bounded = if target <= low { low } else { target };
        let bounded = if bounded >= high { high } else { bounded };
        // A zero column, or numbers out of range: the device stays as it is.
        let usable = (s > 0.0) & (s < f64::INFINITY) & (bounded.abs() < f64::INFINITY);
        d.lanes_mut()[j] = if usable { bounded } else { 0.0 };
        free.lanes_mut()[j] = if usable & (target > low) & (target < high) { 1.0 } else { 0.0 };
    }
    (d, free)
}

/// `out = P v` for a Hermitian P `[L, L]` of which the entries on and below the diagonal are stored.
#[inline(always)]
pub(super) fn multiply<V: Lanes<Number = f64>, I: Isa>(
    isa: I,
    p: &[ComplexLanes<V>],
    v: impl Fn(usize) -> ComplexLanes<V> + Copy,
    out: &mut [ComplexLanes<V>],
) {
    let blocked = out.len() - out.len() % ROWS;
    for first in (0..blocked).step_by(ROWS) {
        multiply_rows::<_, ROWS, _>(isa, p, first, v, out);
    }
    for row in blocked..out.len() {
        multiply_rows::<_, 1, _>(isa, p, row, v, out);
    }
}

/// Rows `first..first + R` of the product.
#[inline(always)]
fn multiply_rows<V: Lanes<Number = f64>, const R: usize, I: Isa>(
    isa: I,
    p: &[ComplexLanes<V>],
    first: usize,
    v: impl Fn(usize) -> ComplexLanes<V>,
    out: &mut [ComplexLanes<V>],
) {
    let length = out.len();
    let mut sums = [ComplexLanes::ZERO; R];
    // Left of the block on the diagonal.
    for j in 0..first {
        let v = v(j);
        for r in 0..R {
            sums[r] = sums[r].plus_product(isa, v, p[(first + r) * length + j]);
        }
    }
    for c in 0..R {
        let v = v(first + c);
        for (r, sum) in sums.iter_mut().enumerate() {
            let (high, low) = if r >= c { (r, c) } else { (c, r) };
            let entry = p[(first + high) * length + first + low];
            *sum = if r >= c { sum.plus_product(isa, v, entry) } else { sum.plus_conjugate_product(isa, entry, v) };
        }
    }
    // Right of it: conjugates of what is below.
    for j in first + R..length {
        let (v, row) = (v(j), &p[j * length + first..][..R]);
        for r in 0..R {
            sums[r] = sums[r].plus_conjugate_product(isa, row[r], v);
        }
    }
    out[first..first + R].copy_from_slice(&sums);
}

/// `out = A^H v` with `A [v.len(), out.len()]`.
#[inline(always)]
fn adjoint_product<V: Lanes<Number = f64>, I: Isa>(
    isa: I,
    a: &[ComplexLanes<V>],
    v: &[ComplexLanes<V>],
    out: &mut [ComplexLanes<V>],
) {
    let width = out.len();
    for (block, out) in out.chunks_mut(ROWS).enumerate() {
        let at = block * ROWS;
        if out.len() == ROWS {
            adjoint_columns::<_, ROWS, _>(isa, a, width, at, v, out);
        } else {
            for (j, out) in out.chunks_exact_mut(1).enumerate() {
                adjoint_columns::<_, 1, _>(isa, a, width, at + j, v, out);
            }
        }
    }
}

#[inline(always)]
fn adjoint_columns<V: Lanes<Number = f64>, const C: usize, I: Isa>(
    isa: I,
    a: &[ComplexLanes<V>],
    width: usize,
    at: usize,
    v: &[ComplexLanes<V>],
    out: &mut [ComplexLanes<V>],
) {
    let mut sums = [ComplexLanes::ZERO; C];
    for (row, v) in a.chunks_exact(width).zip(v) {
        let row = &row[at..at + C];
        for j in 0..C {
            sums[j] = sums[j].plus_conjugate_product(isa, row[j], *v);
        }
    }
    out.copy_from_slice(&sums);
}

/// `P <- P + c v v^H`, on and below the diagonal.
#[inline(always)]
pub(super) fn add_energy<V: Lanes<Number = f64>, I: Isa>(
    isa: I,
    p: &mut [ComplexLanes<V>],
    c: V,
    v: &[ComplexLanes<V>],
) {
    for (k, (row, x)) in p.chunks_exact_mut(v.len()).zip(v).enumerate() {
        let x = x.scaled(isa, c);
        for (p, v) in row[..=k].iter_mut().zip(v) {
            *p = p.plus_conjugate_product(isa, *v, x);
        }
    }
}

/// The frames of one vector.
pub(super) struct Descend<'a, const RECORD: bool, V> {
    pub shared: &'a Shared,
    pub descent: &'a mut Descent<V>,
}

impl<const RECORD: bool, V: Lanes<Number = f64>> Kernel for Descend<'_, RECORD, V> {
    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        self.descent.run::<_, RECORD>(isa, self.shared);
    }
}
