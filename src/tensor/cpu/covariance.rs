//! Covariance statistics of all sequences of a frame, and their gradients.
//!
//! `Sigma = S diag(gamma) S^H + v I` is built, factorised and inverted in double precision (its condition number
//! reaches 1e7 when near and far devices are active together), and so is `U = Sigma^-1 S`, whose strong columns are
//! small differences of large numbers; the other long products run in the tensor's own precision.

use num_complex::Complex;
use rayon::prelude::*;

use super::element::{Element, View, cmatmul};

/// Sizes of a covariance problem.
#[derive(Debug, Clone, Copy)]
pub struct CovarianceShape {
    /// Frames F.
    pub frames: usize,
    /// Antennas M.
    pub antennas: usize,
    /// Sequences K.
    pub columns: usize,
    /// Pilot length L.
    pub length: usize,
}

type C<T> = Complex<T>;

/// Smallest value of `1 - gamma_k c_k = 1/(1 + gamma_k c'_k)`: what single precision can tell from rounding, so that all
/// backends compute the same function. Devices more than 40 dB above all else are treated as if at 40 dB.
pub const SMALLEST_RATIO: f64 = 1e-4;

/// The pilots as complex matrices, prepared once for all frames.
struct Columns<T> {
    /// `[L, K]`.
    s: Vec<C<T>>,
    /// `[K, L]` in double precision.
    s64: Vec<C<f64>>,
}

fn columns<T: Element>(s: &[T], shape: CovarianceShape) -> Columns<T> {
    let (l, k) = (shape.length, shape.columns);
    let (re, im) = s.split_at(l * k);
    let s: Vec<C<T>> = re.iter().zip(im).map(|(&re, &im)| Complex::new(re, im)).collect();
    let mut s64 = vec![C::new(0.0, 0.0); k * l];
    for (row, s) in s.chunks_exact(k).enumerate() {
        for (to, v) in s64[row..].iter_mut().step_by(l).zip(s) {
            *to = Complex::new(v.re.wide(), v.im.wide());
        }
    }
    Columns { s, s64 }
}

/// Working memory of one frame.
struct Frame<T> {
    weighted: Vec<C<f64>>,
    sigma: Vec<C<f64>>,
    inverse: Vec<C<f64>>,
    a: Vec<C<T>>,
    y: Vec<C<T>>,
    wide_u: Vec<C<f64>>,
    u: Vec<C<T>>,
    d: Vec<C<T>>,
    c: Vec<f64>,
    e: Vec<f64>,
    p: Vec<C<T>>,
    q: Vec<C<T>>,
    h: Vec<C<T>>,
}

impl<T: Element> Frame<T> {
    fn new(s: CovarianceShape, backward: bool) -> Self {
        let (l, k, m) = (s.length, s.columns, s.antennas);
        let z = |n: usize| vec![C::<T>::new(T::zero(), T::zero()); n];
        let z64 = |n: usize| vec![C::<f64>::new(0.0, 0.0); n];
        let b = usize::from(backward);
        Self {
            weighted: z64(k * l),
            sigma: z64(l * l),
            inverse: z64(l * l),
            a: z(l * l),
            y: z(l * m),
            wide_u: z64(l * k),
            u: z(l * k),
            d: z(k * m),
            c: vec![0.0; k],
            e: vec![0.0; k],
            p: z(b * l * k),
            q: z(b * l * k),
            h: z(b * l * l),
        }
    }

    /// Fills `a = Sigma^-1`, `u = Sigma^-1 S`, `d = U^H Y`, `c_k = s_k^H u_k` and `e_k = ||d_k||^2`.
    fn forward(&mut self, cols: &Columns<T>, gamma: &[T], y: &[T], shape: CovarianceShape, noise_var: f64) {
        let (l, k, m) = (shape.length, shape.columns, shape.antennas);
        // Y arrives with one antenna a row: [M, 2L].
        for (ant, row) in y.chunks_exact(2 * l).enumerate() {
            for t in 0..l {
                self.y[t * m + ant] = Complex::new(row[t], row[l + t]);
            }
        }
        // Sigma = (S G) S^H + v I over the columns that carry any power.
        let mut used = 0;
        for (col, g) in cols.s64.chunks_exact(l).zip(gamma) {
            let root = g.wide().max(0.0).sqrt();
            if root > 0.0 {
                for (w, s) in self.weighted[used * l..(used + 1) * l].iter_mut().zip(col) {
                    *w = s * root;
                }
                used += 1;
            }
        }
        let w = View::new(&self.weighted[..used * l], used, l);
        if used > 0 {
            // [L, used] x [used, L]: w^T conj(w).
            cmatmul(&mut self.sigma, w.t(), View { conj: true, ..w }, false);
        } else {
            self.sigma.fill(C::new(0.0, 0.0));
        }
        for i in 0..l {
            self.sigma[i * l + i] += noise_var;
        }
        invert_hermitian(&mut self.sigma, &mut self.inverse, l);
        let narrow = |v: &C<f64>| Complex::new(T::narrow(v.re), T::narrow(v.im));
        for (a, v) in self.a.iter_mut().zip(&self.inverse) {
            *a = narrow(v);
        }
        let s = View::new(&cols.s64, k, l).t();
        cmatmul(&mut self.wide_u, View::new(&self.inverse, l, l), s, false);
        for (u, v) in self.u.iter_mut().zip(&self.wide_u) {
            *u = narrow(v);
        }
        cmatmul(&mut self.d, View::new(&self.u, l, k).h(), View::new(&self.y, l, m), false);
        self.c.fill(0.0);
        for (s, u) in cols.s.chunks_exact(k).zip(self.wide_u.chunks_exact(k)) {
            for ((c, s), u) in self.c.iter_mut().zip(s).zip(u) {
                *c += s.re.wide() * u.re + s.im.wide() * u.im;
            }
        }
        for (e, d) in self.e.iter_mut().zip(self.d.chunks_exact(m)) {
            *e = d.iter().map(|v| v.norm_sqr()).sum::<T>().wide();
        }
    }
}

/// Inverse of a Hermitian positive definite matrix by Cholesky: `sigma` is overwritten by its factor.
fn invert_hermitian(sigma: &mut [C<f64>], inverse: &mut [C<f64>], l: usize) {
    // Lower Cholesky factor, row by row.
    for i in 0..l {
        for j in 0..=i {
            let (head, tail) = sigma.split_at_mut(i * l);
            let row_i = &mut tail[..l];
            let mut sum = row_i[j];
            if j == i {
                let energy: f64 = row_i[..j].iter().map(|v| v.norm_sqr()).sum();
                // The noise variance keeps this above zero but for rounding.
                row_i[i] = C::new((sum.re - energy).max(1e-300).sqrt(), 0.0);
            } else {
                let row_j = &head[j * l..j * l + l];
                for (a, b) in row_i[..j].iter().zip(&row_j[..j]) {
                    sum -= a * b.conj();
                }
                row_i[j] = sum / row_j[j].re;
            }
        }
    }
    // Inverse factor G = L^-1 (lower), stored transposed in the strict upper triangle's place of `inverse`.
    inverse.fill(C::new(0.0, 0.0));
    for i in 0..l {
        let pivot = 1.0 / sigma[i * l + i].re;
        // Row i of G: (e_i - sum_j<i L_ij G_j) / L_ii.
        let (head, tail) = inverse.split_at_mut(i * l);
        let row = &mut tail[..l];
        for j in 0..i {
            let factor = sigma[i * l + j];
            for (r, g) in row[..=j].iter_mut().zip(&head[j * l..j * l + j + 1]) {
                *r -= factor * g;
            }
        }
        for r in &mut row[..i] {
            *r *= pivot;
        }
        row[i] = C::new(pivot, 0.0);
    }
    // Sigma^-1 = G^H G, through the factor's storage.
    let g = View::new(&*inverse, l, l);
    cmatmul(sigma, g.h(), g, false);
    inverse.copy_from_slice(sigma);
}

/// Forward pass: `[F, 2K]` = leave-one-out `c` then `e`.
pub fn covariance_score<T: Element>(gamma: &[T], s: &[T], y: &[T], shape: CovarianceShape, noise_var: f64) -> Vec<T> {
    let (k, frame) = (shape.columns, shape.antennas * 2 * shape.length);
    let cols = columns(s, shape);
    let mut out = vec![T::zero(); shape.frames * 2 * k];
    out.par_chunks_mut(2 * k).zip(gamma.par_chunks(k)).zip(y.par_chunks(frame)).for_each_init(
        || Frame::new(shape, false),
        |f, ((out, gamma), y)| {
            f.forward(&cols, gamma, y, shape, noise_var);
            let (out_c, out_e) = out.split_at_mut(k);
            for i in 0..k {
                let r = ratio(gamma[i], f.c[i]);
                out_c[i] = T::narrow(f.c[i] / r);
                out_e[i] = T::narrow(f.e[i] / (r * r));
            }
        },
    );
    out
}

#[inline]
fn ratio<T: Element>(gamma: T, c: f64) -> f64 {
    (1.0 - gamma.wide() * c).max(SMALLEST_RATIO)
}

/// Gradients with respect to gamma `[F, K]`, s `[2L, K]` (summed over frames) and y `[F*M, 2L]`.
///
/// With `U = Sigma^-1 S`, `D = U^H Y`, `P = Sigma^-1 Y D^H` and the gradients `g_c`, `g_e` of `c_k = s_k^H u_k` and
/// `e_k = ||d_k||^2`: `H = sum_k g_c u u^H + g_e (p u^H + u p^H)`, `g_gamma = -s^H H s`,
/// `g_s = 2 g_c u + 2 g_e p - 2 gamma H s`, `g_Y = 2 U diag(g_e) D`.
pub fn covariance_score_backward<T: Element>(
    gamma: &[T],
    s: &[T],
    y: &[T],
    g: &[T],
    shape: CovarianceShape,
    noise_var: f64,
) -> (Vec<T>, Vec<T>, Vec<T>) {
    backward_over_frames(gamma, s, y, g, shape, noise_var, Frame::backward)
}

/// Gradients of one frame after [`Frame::forward`]: gamma, g, then g_gamma, g_s (accumulated) and g_y.
type FrameBackward<T> = fn(&mut Frame<T>, &Columns<T>, &[T], &[T], CovarianceShape, [&mut [T]; 3]);

/// Recomputes every frame and runs its backward pass; `g` holds as many numbers for every frame.
fn backward_over_frames<T: Element>(
    gamma: &[T],
    s: &[T],
    y: &[T],
    g: &[T],
    shape: CovarianceShape,
    noise_var: f64,
    backward: FrameBackward<T>,
) -> (Vec<T>, Vec<T>, Vec<T>) {
    let (l, k) = (shape.length, shape.columns);
    let frame = shape.antennas * 2 * l;
    let wide = g.len() / shape.frames.max(1);
    let cols = columns(s, shape);
    let mut g_gamma = vec![T::zero(); gamma.len()];
    let mut g_y = vec![T::zero(); y.len()];
    // The gradient of the pilots is summed over frames in groups of fixed size, in order: the result does not depend
    // on the number of threads.
    const GROUP: usize = 16;
    let partial: Vec<Vec<T>> = g_gamma
        .par_chunks_mut(GROUP * k)
        .zip(g_y.par_chunks_mut(GROUP * frame))
        .zip(gamma.par_chunks(GROUP * k).zip(y.par_chunks(GROUP * frame)).zip(g.par_chunks(GROUP * wide)))
        .map_init(
            || Frame::new(shape, true),
            |f, ((g_gamma, g_y), ((gamma, y), g))| {
                let mut g_s = vec![T::zero(); 2 * l * k];
                let frames = g_gamma
                    .chunks_exact_mut(k)
                    .zip(g_y.chunks_exact_mut(frame))
                    .zip(gamma.chunks_exact(k).zip(y.chunks_exact(frame)).zip(g.chunks_exact(wide)));
                for ((g_gamma, g_y), ((gamma, y), g)) in frames {
                    f.forward(&cols, gamma, y, shape, noise_var);
                    backward(f, &cols, gamma, g, shape, [g_gamma, &mut g_s, g_y]);
                }
                g_s
            },
        )
        .collect();
    let mut g_s = vec![T::zero(); 2 * l * k];
    for part in &partial {
        g_s.iter_mut().zip(part).for_each(|(a, b)| *a += *b);
    }
    (g_gamma, g_s, g_y)
}

/// `H <- H + H^H`, `[l, l]`.
#[inline]
fn add_adjoint<T: Element>(h: &mut [C<T>], l: usize) {
    for i in 0..l {
        for j in 0..=i {
            let v = h[i * l + j] + h[j * l + i].conj();
            h[i * l + j] = v;
            h[j * l + i] = v.conj();
        }
    }
}

impl<T: Element> Frame<T> {
    /// Gradients of one frame after [`Frame::forward`]; `g_s` accumulates.
    fn backward(
        &mut self,
        cols: &Columns<T>,
        gamma: &[T],
        g: &[T],
        shape: CovarianceShape,
        [g_gamma, g_s, g_y]: [&mut [T]; 3],
    ) {
        let (l, k, m) = (shape.length, shape.columns, shape.antennas);
        let two = T::one() + T::one();
        // Gradients of c_k and e_k before the leave-one-out step c' = c/r, e' = e/r^2, r = 1 - gamma c.
        let (mut gc, mut ge) = (vec![T::zero(); k], vec![T::zero(); k]);
        for i in 0..k {
            let (c, e) = (self.c[i], self.e[i]);
            let r = ratio(gamma[i], c);
            let (dc, de) = (g[i].wide(), g[k + i].wide());
            let gr = if r > SMALLEST_RATIO { -dc * c / (r * r) - 2.0 * de * e / (r * r * r) } else { 0.0 };
            gc[i] = T::narrow(dc / r - gr * gamma[i].wide());
            ge[i] = T::narrow(de / (r * r));
            g_gamma[i] = T::narrow(-c * gr);
        }
        // g_Y = 2 U diag(g_e) D, written with one antenna a row.
        for (d, &w) in self.d.chunks_exact_mut(m).zip(&ge) {
            for v in d.iter_mut() {
                *v = v.scale(w);
            }
        }
        let mut gy = vec![Complex::new(T::zero(), T::zero()); l * m];
        cmatmul(&mut gy, View::new(&self.u, l, k), View::new(&self.d, k, m), false);
        for t in 0..l {
            for ant in 0..m {
                let v = gy[t * m + ant];
                g_y[ant * 2 * l + t] = two * v.re;
                g_y[ant * 2 * l + l + t] = two * v.im;
            }
        }
        // W = Y (g_e D)^H, P' = Sigma^-1 W = P diag(g_e).
        cmatmul(&mut self.q, View::new(&self.y, l, m), View::new(&self.d, k, m).h(), false);
        cmatmul(&mut self.p, View::new(&self.a, l, l), View::new(&self.q, l, k), false);
        // Q = g_c U / 2 + P'; H = U Q^H + Q U^H.
        let half = T::one() / two;
        for ((q, p), u) in self.q.chunks_exact_mut(k).zip(self.p.chunks_exact(k)).zip(self.u.chunks_exact(k)) {
            for (((q, p), u), &gc) in q.iter_mut().zip(p).zip(u).zip(&gc) {
                *q = u.scale(half * gc) + p;
            }
        }
        cmatmul(&mut self.h, View::new(&self.u, l, k), View::new(&self.q, l, k).h(), false);
        add_adjoint(&mut self.h, l);
        // P' is used up in g_s below; H S goes to a buffer of its own.
        let mut hs = std::mem::take(&mut self.q);
        cmatmul(&mut hs, View::new(&self.h, l, l), View::new(&cols.s, l, k), false);
        let (gs_re, gs_im) = g_s.split_at_mut(l * k);
        for row in 0..l {
            for i in 0..k {
                let at = row * k + i;
                let (u, p, h, s) = (self.u[at], self.p[at], hs[at], cols.s[at]);
                let v = (u.scale(gc[i]) + p - h.scale(gamma[i])).scale(two);
                gs_re[at] += v.re;
                gs_im[at] += v.im;
                g_gamma[i] -= s.re * h.re + s.im * h.im;
            }
        }
        self.q = hs;
    }
}

/// Filter outputs `Z = S^H Sigma^-1 Y`, `[F*M, 2K]`.
pub fn covariance_filter<T: Element>(gamma: &[T], s: &[T], y: &[T], shape: CovarianceShape, noise_var: f64) -> Vec<T> {
    let (k, m, frame) = (shape.columns, shape.antennas, shape.antennas * 2 * shape.length);
    let cols = columns(s, shape);
    let mut out = vec![T::zero(); shape.frames * m * 2 * k];
    out.par_chunks_mut(m * 2 * k).zip(gamma.par_chunks(k)).zip(y.par_chunks(frame)).for_each_init(
        || Frame::new(shape, false),
        |f, ((out, gamma), y)| {
            f.forward(&cols, gamma, y, shape, noise_var);
            for (i, d) in f.d.chunks_exact(m).enumerate() {
                for (ant, v) in d.iter().enumerate() {
                    out[ant * 2 * k + i] = v.re;
                    out[ant * 2 * k + k + i] = v.im;
                }
            }
        },
    );
    out
}

/// Gradients of [`covariance_filter`] with respect to gamma `[F, K]`, s `[2L, K]` (summed over frames) and y `[F*M, 2L]`.
///
/// With the gradient G `[K, M]` of Z, `U = Sigma^-1 S`, `P = Sigma^-1 Y` and `H = P G^H U^H`: `g_Y = U G`,
/// `g_S = P G^H - (H + H^H) S diag(gamma)`, `g_gamma = -Re s^H H s`.
pub fn covariance_filter_backward<T: Element>(
    gamma: &[T],
    s: &[T],
    y: &[T],
    g: &[T],
    shape: CovarianceShape,
    noise_var: f64,
) -> (Vec<T>, Vec<T>, Vec<T>) {
    backward_over_frames(gamma, s, y, g, shape, noise_var, Frame::filter_backward)
}

impl<T: Element> Frame<T> {
    /// Gradients of the filter outputs of one frame after [`Frame::forward`]; `g_s` accumulates.
    fn filter_backward(
        &mut self,
        cols: &Columns<T>,
        gamma: &[T],
        g: &[T],
        shape: CovarianceShape,
        [g_gamma, g_s, g_y]: [&mut [T]; 3],
    ) {
        let (l, k, m) = (shape.length, shape.columns, shape.antennas);
        // G takes the place of Z.
        for (i, d) in self.d.chunks_exact_mut(m).enumerate() {
            for (ant, v) in d.iter_mut().enumerate() {
                *v = Complex::new(g[ant * 2 * k + i], g[ant * 2 * k + k + i]);
            }
        }
        let zero = Complex::new(T::zero(), T::zero());
        let mut small = vec![zero; l * m];
        cmatmul(&mut small, View::new(&self.u, l, k), View::new(&self.d, k, m), false);
        for t in 0..l {
            for ant in 0..m {
                g_y[ant * 2 * l + t] = small[t * m + ant].re;
                g_y[ant * 2 * l + l + t] = small[t * m + ant].im;
            }
        }
        cmatmul(&mut small, View::new(&self.a, l, l), View::new(&self.y, l, m), false);
        cmatmul(&mut self.p, View::new(&small, l, m), View::new(&self.d, k, m).h(), false);
        cmatmul(&mut self.h, View::new(&self.p, l, k), View::new(&self.u, l, k).h(), false);
        add_adjoint(&mut self.h, l);
        cmatmul(&mut self.q, View::new(&self.h, l, l), View::new(&cols.s, l, k), false);
        let half = T::one() / (T::one() + T::one());
        let (gs_re, gs_im) = g_s.split_at_mut(l * k);
        g_gamma.fill(T::zero());
        for row in 0..l {
            for i in 0..k {
                let at = row * k + i;
                let (h, s) = (self.q[at], cols.s[at]);
                let v = self.p[at] - h.scale(gamma[i]);
                gs_re[at] += v.re;
                gs_im[at] += v.im;
                g_gamma[i] -= half * (s.re * h.re + s.im * h.im);
            }
        }
    }
}
