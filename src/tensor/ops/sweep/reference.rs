//! Coordinate descent as it is written down: a frame after the other, a step after the other, in double precision.
//!
//! Independent of the fast body: no lanes, no threads, matrices in full, and a backward pass that runs every sweep again
//! instead of undoing its steps.

use num_complex::Complex64;

use crate::tensor::cpu::{SweepGradients, SweepShape};

/// Pilots and prior, which all frames share.
struct Link {
    /// Column of every device, `[N][L]`.
    columns: Vec<Vec<Complex64>>,
    /// `l/M` of every device.
    odds: Vec<f64>,
    sizes: SweepShape,
}

impl Link {
    fn new(log_odds: &[f64], s: &[f64], sizes: SweepShape) -> Self {
        let (n, length) = (sizes.columns, sizes.length);
        let column = |i: usize| (0..length).map(|l| Complex64::new(s[l * n + i], s[(length + l) * n + i])).collect();
        let odds = log_odds.iter().map(|l| l / sizes.antennas as f64).collect();
        Self { columns: (0..n).map(column).collect(), odds, sizes }
    }

    /// The observations of a frame, `[M][L]`.
    fn frame(&self, y: &[f64], frame: usize) -> Vec<Vec<Complex64>> {
        let (m, length) = (self.sizes.antennas, self.sizes.length);
        let antenna = |row: &[f64]| (0..length).map(|l| Complex64::new(row[l], row[length + l])).collect();
        y[frame * m * 2 * length..][..m * 2 * length].chunks_exact(2 * length).map(antenna).collect()
    }
}

/// Powers, and the inverse covariance `[L][L]`.
#[derive(Clone)]
struct State {
    alpha: Vec<f64>,
    inverse: Vec<Vec<Complex64>>,
}

/// What a step computes on its way.
struct Step {
    /// `Sigma^-1 s`, `[L]`.
    v: Vec<Complex64>,
    /// `Y^H v`, `[M]`.
    w: Vec<Complex64>,
    /// `s^H v`.
    e: f64,
    /// `||w||^2/M`.
    q: f64,
    /// Change of the power.
    d: f64,
    /// Whether the power ends at the stationary point, not at 0 or 1.
    free: bool,
}

/// `sum_l conj(a_l) b_l`.
fn inner(a: &[Complex64], b: &[Complex64]) -> Complex64 {
    a.iter().zip(b).map(|(a, b)| a.conj() * b).sum()
}

/// `A x`.
fn apply(a: &[Vec<Complex64>], x: &[Complex64]) -> Vec<Complex64> {
    a.iter().map(|row| row.iter().zip(x).map(|(a, x)| a * x).sum()).collect()
}

impl State {
    fn start(sizes: SweepShape) -> Self {
        let row = |i: usize| {
            (0..sizes.length).map(|j| Complex64::from(if i == j { 1.0 / sizes.noise_var } else { 0.0 })).collect()
        };
        Self { alpha: vec![0.0; sizes.columns], inverse: (0..sizes.length).map(row).collect() }
    }

    /// The step of device n.
    fn step(&mut self, link: &Link, y: &[Vec<Complex64>], n: usize) -> Step {
        let v = apply(&self.inverse, &link.columns[n]);
        let e = inner(&link.columns[n], &v).re;
        let w: Vec<Complex64> = y.iter().map(|y| inner(y, &v)).collect();
        let q = w.iter().map(Complex64::norm_sqr).sum::<f64>() / w.len() as f64;
        let discriminant = e * e - 4.0 * q * link.odds[n];
        // A negative discriminant: the posterior grows without bound, and only the bound at 1 ends the step.
        let target = if discriminant < 0.0 { f64::INFINITY } else { (2.0 * q / (e + discriminant.sqrt()) - 1.0) / e };
        // A column of zeros, or numbers out of range: the device stays as it is.
        if !(e > 0.0 && e.is_finite()) || target.is_nan() {
            return Step { v, w, e, q, d: 0.0, free: false };
        }
        let alpha = self.alpha[n];
        let (d, free) = if target <= -alpha {
            (-alpha, false)
        } else if target >= 1.0 - alpha {
            (1.0 - alpha, false)
        } else {
            (target, true)
        };
        if d != 0.0 {
            self.alpha[n] = if free { alpha + d } else { f64::from(u8::from(d > 0.0)) };
            let c = d / (1.0 + d * e);
            for (row, a) in self.inverse.iter_mut().zip(&v) {
                row.iter_mut().zip(&v).for_each(|(p, b)| *p -= c * a * b.conj());
            }
        }
        Step { v, w, e, q, d, free }
    }
}

/// Powers, `[F, N]`.
pub(super) fn forward(log_odds: &[f64], s: &[f64], y: &[f64], sizes: SweepShape) -> Vec<f64> {
    let link = Link::new(log_odds, s, sizes);
    let of_frame = |frame: usize| {
        let (y, mut state) = (link.frame(y, frame), State::start(sizes));
        for n in (0..sizes.sweeps).flat_map(|_| 0..sizes.columns) {
            state.step(&link, &y, n);
        }
        state.alpha
    };
    (0..sizes.frames).flat_map(of_frame).collect()
}

/// Gradients of all that a frame's powers depend on; complex ones hold the derivatives by real and by imaginary part.
struct Gradients {
    alpha: Vec<f64>,
    inverse: Vec<Vec<Complex64>>,
    odds: Vec<f64>,
    columns: Vec<Vec<Complex64>>,
    y: Vec<Vec<Complex64>>,
}

impl Gradients {
    /// Back through a step of device n, which began with the inverse covariance `before`.
    fn step(&mut self, link: &Link, y: &[Vec<Complex64>], n: usize, before: &[Vec<Complex64>], step: &Step) {
        let Step { v, w, e, q, d, free } = step;
        if *d == 0.0 {
            return;
        }
        let column = &link.columns[n];
        // Sigma'^-1 = Sigma^-1 - c v v^H with c = d/(1 + d e).
        let growth = 1.0 + d * e;
        let c = d / growth;
        let by_v = apply(&self.inverse, v);
        let by_c = -inner(v, &by_v).re;
        let mut g_v: Vec<Complex64> = (0..v.len())
            .map(|i| {
                let adjoint: Complex64 = self.inverse.iter().zip(v).map(|(row, v)| row[i].conj() * v).sum();
                -c * (by_v[i] + adjoint)
            })
            .collect();
        let mut g_d = by_c / (growth * growth);
        let mut g_e = -by_c * d * d / (growth * growth);
        if *free {
            // alpha' = alpha + d, d = (u - 1)/e, u = 2 q/h, h = e + r, r = sqrt(e^2 - 4 q o).
            g_d += self.alpha[n];
            let o = link.odds[n];
            // Where activity is likely r may come near 0: its slopes are bounded.
            let r = (e * e - 4.0 * q * o).max(1e-12 * e * e).sqrt();
            let (h, u) = (e + r, 2.0 * q / (e + r));
            let g_u = g_d / e;
            let g_h = -g_u * u / h;
            let g_q = g_u * 2.0 / h - g_h * 2.0 * o / r;
            g_e += g_h * (1.0 + e / r) - g_d * (u - 1.0) / (e * e);
            self.odds[n] -= g_h * 2.0 * q / r;
            // q = ||w||^2/M, w = Y^H v.
            for ((y, w), g_y) in y.iter().zip(w).zip(&mut self.y) {
                let g_w = w * (2.0 * g_q / link.sizes.antennas as f64);
                g_v.iter_mut().zip(y).for_each(|(g, y)| *g += y * g_w);
                g_y.iter_mut().zip(v).for_each(|(g, v)| *g += v * g_w.conj());
            }
        } else {
            // alpha' is a bound, d = bound - alpha.
            self.alpha[n] = -g_d;
        }
        // e = Re s^H v, v = Sigma^-1 s.
        g_v.iter_mut().zip(column).for_each(|(g, s)| *g += s * g_e);
        for (i, g) in self.columns[n].iter_mut().enumerate() {
            let through: Complex64 = before.iter().zip(&g_v).map(|(row, g)| row[i].conj() * g).sum();
            *g += v[i] * g_e + through;
        }
        for (row, g) in self.inverse.iter_mut().zip(&g_v) {
            row.iter_mut().zip(column).for_each(|(p, s)| *p += g * s.conj());
        }
    }
}

/// Gradients for the gradient `g [F, N]` of the powers.
pub(super) fn backward(log_odds: &[f64], s: &[f64], y: &[f64], g: &[f64], sizes: SweepShape) -> SweepGradients<f64> {
    let link = Link::new(log_odds, s, sizes);
    let (n, length) = (sizes.columns, sizes.length);
    let mut found = SweepGradients { log_odds: vec![0.0; n], s: vec![0.0; s.len()], y: Vec::with_capacity(y.len()) };
    for (frame, g) in g.chunks_exact(n).enumerate() {
        let y = link.frame(y, frame);
        let zeros = |rows: usize| vec![vec![Complex64::default(); length]; rows];
        let mut gradients = Gradients {
            alpha: g.to_vec(),
            inverse: zeros(length),
            odds: vec![0.0; n],
            columns: zeros(n),
            y: zeros(sizes.antennas),
        };
        // The state before every sweep.
        let mut states = vec![State::start(sizes)];
        for _ in 1..sizes.sweeps {
            let mut state = states[states.len() - 1].clone();
            (0..n).for_each(|device| drop(state.step(&link, &y, device)));
            states.push(state);
        }
        for mut state in states.into_iter().rev() {
            let steps: Vec<_> = (0..n).map(|i| (state.inverse.clone(), state.step(&link, &y, i))).collect();
            for (i, (before, step)) in steps.iter().enumerate().rev() {
                gradients.step(&link, &y, i, before, step);
            }
        }
        found.log_odds.iter_mut().zip(&gradients.odds).for_each(|(sum, g)| *sum += g / sizes.antennas as f64);
        for (i, column) in gradients.columns.iter().enumerate() {
            for (l, g) in column.iter().enumerate() {
                found.s[l * n + i] += g.re;
                found.s[(length + l) * n + i] += g.im;
            }
        }
        for row in &gradients.y {
            found.y.extend(row.iter().map(|g| g.re).chain(row.iter().map(|g| g.im)));
        }
    }
    found
}
