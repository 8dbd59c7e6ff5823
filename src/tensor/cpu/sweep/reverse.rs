//! The sweeps backwards: gradients of the powers, as many frames side by side as a vector has lanes.

use super::descent::{Step, Trail, add_energy, multiply};
use super::{Shared, SweepShape, splat};
use crate::math::isa::{Isa, Kernel};
use crate::math::lanes::{ComplexLanes, Lanes};
use crate::tensor::cpu::element::Element;

/// Buffers of one thread.
pub(super) struct Adjoint<V> {
    /// Adjoint of P, Hermitian `[L, L]`, stored on and below the diagonal.
    p: Vec<ComplexLanes<V>>,
    /// Adjoint of v, and a product, `[L]`.
    v: Vec<ComplexLanes<V>>,
    product: Vec<ComplexLanes<V>>,
    /// Adjoint of `w = Y^H v`, `[M]`.
    w: Vec<ComplexLanes<V>>,
    /// Adjoint of Y, `[L, M]`.
    y: Vec<ComplexLanes<V>>,
    /// Adjoint of the powers, `[N]`.
    alpha: Vec<V>,
}

impl<V: Lanes<Number = f64>> Adjoint<V> {
    pub fn new(shape: SweepShape) -> Self {
        let (l, m) = (shape.length, shape.antennas);
        Self {
            p: vec![ComplexLanes::ZERO; l * l],
            v: vec![ComplexLanes::ZERO; l],
            product: vec![ComplexLanes::ZERO; l],
            w: vec![ComplexLanes::ZERO; m],
            y: vec![ComplexLanes::ZERO; l * m],
            alpha: vec![V::ZERO; shape.columns],
        }
    }

    /// The gradient of the powers of the frames of one vector, `[N]` each.
    pub fn load<T: Element>(&mut self, g: &[T], devices: usize) {
        self.alpha.fill(V::ZERO);
        for (lane, g) in g.chunks_exact(devices).enumerate() {
            self.alpha.iter_mut().zip(g).for_each(|(a, g)| a.lanes_mut()[lane] = g.wide());
        }
    }

    /// Copies the gradient of the observations out, `[M, 2L]` each.
    pub fn store<T: Element>(&self, shape: SweepShape, to: &mut [T]) {
        let (l, m) = (shape.length, shape.antennas);
        for (lane, frame) in to.chunks_exact_mut(2 * l * m).enumerate() {
            for (antenna, row) in frame.chunks_exact_mut(2 * l).enumerate() {
                for t in 0..l {
                    let y = self.y[t * m + antenna];
                    row[t] = T::narrow(y.re.lanes()[lane]);
                    row[l + t] = T::narrow(y.im.lanes()[lane]);
                }
            }
        }
    }
}

/// Sums over frames, lane by lane.
pub(super) struct Sums<V> {
    /// Adjoint of `l` per device, `[N]`.
    pub odds: Vec<V>,
    /// Adjoint of the columns, `[N, L]`; empty unless asked for.
    pub columns: Vec<ComplexLanes<V>>,
}

impl<V: Lanes<Number = f64>> Sums<V> {
    pub fn new(shape: SweepShape, all: bool) -> Self {
        let columns = if all { shape.columns * shape.length } else { 0 };
        Self { odds: vec![V::ZERO; shape.columns], columns: vec![ComplexLanes::ZERO; columns] }
    }
}

/// Derivatives of a free step with respect to q, s and l/M; zero in the other lanes.
#[inline(always)]
fn slopes<V: Lanes<Number = f64>>(step: &Step<V>, odds: f64) -> [V; 3] {
    let mut out = [V::ZERO; 3];
    for j in 0..V::COUNT {
        let (q, s) = (step.q.lanes()[j], step.s.lanes()[j]);
        // The root may come near 0 where activity is likely: its slope is bounded, so that the gradient stays finite.
        let (discriminant, floor) = (s * s - 4.0 * q * odds, 1e-12 * s * s);
        let root = if discriminant > floor { discriminant } else { floor }.sqrt();
        let h = s + root;
        let u = 2.0 * q / h;
        let by_h = -u / h;
        let free = step.free.lanes()[j] != 0.0;
        out[0].lanes_mut()[j] = if free { (2.0 / h - by_h * 2.0 * odds / root) / s } else { 0.0 };
        out[1].lanes_mut()[j] = if free { (by_h * (1.0 + s / root) - (u - 1.0) / s) / s } else { 0.0 };
        out[2].lanes_mut()[j] = if free { -by_h * 2.0 * q / root / s } else { 0.0 };
    }
    out
}

/// `P <- P + (u a^H + a u^H)/2` with the same a in every lane, on and below the diagonal.
#[inline(always)]
fn add_symmetric<V: Lanes<Number = f64>, I: Isa>(
    isa: I,
    p: &mut [ComplexLanes<V>],
    u: &[ComplexLanes<V>],
    a: &[[f64; 2]],
) {
    let half = V::splat(0.5);
    for (k, (row, x)) in p.chunks_exact_mut(u.len()).zip(u).enumerate() {
        let (x, b) = (x.scaled(isa, half), splat([0.5 * a[k][0], 0.5 * a[k][1]]));
        for ((p, u), a) in row[..=k].iter_mut().zip(u).zip(a) {
            *p = p.plus_conjugate_product(isa, splat(*a), x).plus_conjugate_product(isa, *u, b);
        }
    }
}

/// Antennas that a loop over symbols takes together: what is read of them stays in registers.
const ANTENNAS: usize = 4;

/// `v_bar += Y w_bar` and, if wanted, `Y_bar += v w_bar^H` for C antennas from `first` on.
#[inline(always)]
fn observe<V: Lanes<Number = f64>, const C: usize, I: Isa>(
    isa: I,
    adjoint: &mut Adjoint<V>,
    y: &[ComplexLanes<V>],
    v: &[ComplexLanes<V>],
    [antennas, first]: [usize; 2],
    all: bool,
) {
    let w: &[ComplexLanes<V>; C] = adjoint.w[first..first + C].try_into().expect("sliced to this length");
    for (to, row) in adjoint.v.iter_mut().zip(y.chunks_exact(antennas)) {
        let row: &[ComplexLanes<V>; C] = row[first..first + C].try_into().expect("sliced to this length");
        let mut sum = *to;
        for c in 0..C {
            sum = sum.plus_product(isa, row[c], w[c]);
        }
        *to = sum;
    }
    if all {
        for (row, v) in adjoint.y.chunks_exact_mut(antennas).zip(v) {
            let row: &mut [ComplexLanes<V>; C] =
                (&mut row[first..first + C]).try_into().expect("sliced to this length");
            for c in 0..C {
                row[c] = row[c].plus_conjugate_product(isa, w[c], *v);
            }
        }
    }
}

/// Backward pass of the frames of one vector.
pub(super) struct Reverse<'a, V> {
    pub shared: &'a Shared,
    pub trail: &'a Trail<V>,
    /// Y, `[L, M]`.
    pub y: &'a [ComplexLanes<V>],
    /// The inverse covariance after the last step; the one before the first is left behind.
    pub p: &'a mut [ComplexLanes<V>],
    pub adjoint: &'a mut Adjoint<V>,
    pub sums: &'a mut Sums<V>,
    /// Whether pilots and observations have a gradient.
    pub all: bool,
}

impl<V: Lanes<Number = f64>> Kernel for Reverse<'_, V> {
    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Self { shared, trail, y, p, adjoint, sums, all } = self;
        let SweepShape { antennas, length, .. } = shared.shape;
        adjoint.p.fill(ComplexLanes::ZERO);
        adjoint.y.fill(ComplexLanes::ZERO);
        for (step, row) in trail.steps.iter().zip(trail.rows.chunks_exact(length + antennas)).rev() {
            let Step { device, s, d, free, .. } = *step;
            let (v, w) = row.split_at(length);
            let column = shared.column(device);
            // P' = P - c v v^H with c = d/(1 + d s).
            let growth = d.zip(s, |d, s| 1.0 + d * s);
            let c = d.zip(growth, |d, g| d / g);
            multiply(isa, &adjoint.p, |j| v[j], &mut adjoint.product);
            let c_bar = v.iter().zip(&adjoint.product).fold(V::ZERO, |sum, (v, pv)| v.plus_real_product(isa, *pv, sum));
            // Lanes where nothing changed stay out of everything.
            let by_growth = c_bar.zip(growth, |c, g| -c / (g * g)).zip(d, |b, d| if d != 0.0 { b } else { 0.0 });
            let alpha = &mut adjoint.alpha[device];
            let d_bar = by_growth.zip(*alpha, |b, a| b + a).zip(d, |b, d| if d != 0.0 { b } else { 0.0 });
            let mut s_bar = by_growth.zip(d, |b, d| -b * d * d);
            let minus_2c = c.map(|c| -2.0 * c);
            for (to, pv) in adjoint.v.iter_mut().zip(&adjoint.product) {
                *to = pv.scaled(isa, minus_2c);
            }
            // At a bound d = bound - alpha: the gradient of the power before the step is that of the power after it, less that of d.
            *alpha = alpha.zip(d_bar.zip(free, |d, f| if f != 0.0 { 0.0 } else { d }), |a, d| a - d);
            if free.any() {
                let [by_q, by_s, by_odds] = slopes(step, shared.odds[device]);
                s_bar = d_bar.madd(isa, by_s, s_bar);
                let per_antenna = 1.0 / antennas as f64;
                sums.odds[device] = d_bar.map(|d| d * per_antenna).madd(isa, by_odds, sums.odds[device]);
                // q = ||Y^H v||^2/M.
                let scale = d_bar.zip(by_q, |d, q| 2.0 * d * q * per_antenna);
                for (to, w) in adjoint.w.iter_mut().zip(w) {
                    *to = w.scaled(isa, scale);
                }
                for first in (0..antennas).step_by(ANTENNAS) {
                    if antennas - first >= ANTENNAS {
                        observe::<_, ANTENNAS, _>(isa, adjoint, y, v, [antennas, first], all);
                    } else {
                        (first..antennas).for_each(|m| observe::<_, 1, _>(isa, adjoint, y, v, [antennas, m], all));
                    }
                }
            }
            // s = Re a^H v.
            for (to, a) in adjoint.v.iter_mut().zip(column) {
                *to = to.plus_scaled(isa, s_bar, splat(*a));
            }
            if all {
                // v = P a with P before the step.
                add_energy(isa, p, c, v);
                let u = &adjoint.v;
                multiply(isa, p, |j| u[j], &mut adjoint.product);
                let row = &mut sums.columns[device * length..(device + 1) * length];
                for ((to, v), pu) in row.iter_mut().zip(v).zip(&adjoint.product) {
                    let sum = to.plus_scaled(isa, s_bar, *v);
                    *to = ComplexLanes { re: sum.re.zip(pu.re, |a, b| a + b), im: sum.im.zip(pu.im, |a, b| a + b) };
                }
            }
            add_symmetric(isa, &mut adjoint.p, &adjoint.v, column);
        }
    }
}
