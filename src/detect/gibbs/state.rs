//! Activities of one frame, and what follows from them for every column, kept up to date by rank-one steps.

use crate::detect::common::columns::pilot_columns;
use crate::link::{AccessModel, C64};
use crate::math::elementary::log1p_of_positive;
use crate::math::inverse::InverseCovariance;
use crate::math::isa::Isa;
use crate::math::kernels::combine_conjugate;
use crate::math::planes::Planes;
use crate::math::real::Real;

/// Below this, `1 - beta s^H Sigma^-1 s` is rounding: the sums are computed anew without the device.
const LOST: f64 = 1e-9;

/// Relative difference of two sums for the same number that calls for computing all of them anew.
const DRIFT: f64 = 1e-7;

/// Pilots in both orders.
pub(super) struct Columns {
    /// Columns as rows, `[NQ, L]`.
    rows: Planes<f64>,
    /// The matrix, `[L, NQ]`.
    matrix: Planes<f64>,
    pub sequences: usize,
    pub antennas: usize,
}

impl Columns {
    pub fn new(model: &AccessModel) -> Self {
        let mut matrix = Planes::zeros(model.pilot_length(), model.columns(), 2 * f64::LANES);
        matrix.load(model.pilots().data(), model.columns(), 1.0);
        let rows = pilot_columns(model, 1.0);
        Self { rows, matrix, sequences: model.sequences(), antennas: model.antennas() }
    }
}

/// What a frame tells before any device is said to be active.
#[derive(Clone)]
pub(super) struct Idle {
    c: Vec<f64>,
    u: Planes<f64>,
    power: Vec<f64>,
    /// The gain of the device of every column, `[NQ]`.
    gains: Vec<f64>,
}

impl Idle {
    /// `c = s^H s/sigma2`, `u = s^H Y/sigma2` of every column.
    #[inline(always)]
    pub fn of<I: Isa>(isa: I, columns: &Columns, y: &[C64], beta: &[f64], noise_var: f64) -> Self {
        let (stride, antennas) = (columns.matrix.stride, columns.antennas);
        let mut this = Self {
            c: vec![0.0; stride],
            u: Planes::zeros(antennas, stride, 1),
            power: vec![0.0; stride],
            gains: beta.iter().flat_map(|b| std::iter::repeat_n(*b, columns.sequences)).collect(),
        };
        let length = y.len() / antennas;
        let (mut re, mut im) = (vec![0.0; length], vec![0.0; length]);
        for m in 0..antennas {
            for l in 0..length {
                (re[l], im[l]) = (y[l * antennas + m].re / noise_var, y[l * antennas + m].im / noise_var);
            }
            let row = m * stride..(m + 1) * stride;
            let out = [&mut this.u.re[row.clone()], &mut this.u.im[row]];
            combine_conjugate(isa, columns.matrix.parts(), stride, [&re, &im], out);
        }
        for l in 0..length {
            for j in 0..stride {
                let (re, im) = (columns.matrix.re[l * stride + j], columns.matrix.im[l * stride + j]);
                this.c[j] += (re * re + im * im) / noise_var;
            }
        }
        for m in 0..antennas {
            for j in 0..stride {
                let (re, im) = (this.u.re[m * stride + j], this.u.im[m * stride + j]);
                this.power[j] += re * re + im * im;
            }
        }
        this
    }
}

/// One state of a chain.
pub(super) struct State {
    inverse: InverseCovariance<f64>,
    /// `s^H Sigma^-1 s`, `[NQ]`.
    c: Vec<f64>,
    /// `s^H Sigma^-1 Y`, `[M, NQ]`.
    u: Planes<f64>,
    /// `||s^H Sigma^-1 Y||^2`, `[NQ]`.
    power: Vec<f64>,
    /// `s^H v` of every column for the `v = Sigma^-1 a` of the last step.
    d: Planes<f64>,
    /// `a^H Sigma^-1 Y` of that step, `[M]`.
    of_step: Vec<C64>,
    /// `||s^H Sigma^-1 Y||^2` with a device taken out on paper, `[NQ]`.
    paper: Vec<f64>,
    /// 0 idle, the sequence plus one.
    pub sent: Vec<usize>,
    /// Log-likelihood over that of the idle state.
    pub log_likelihood: f64,
    /// What the last [`State::look`] found: `c`, `power` and `s^H Sigma_n^-1 Y` of the Q columns of a device without itself.
    pub seen: Seen,
}

/// The columns of one device, with all other devices as they are.
pub(super) struct Seen {
    /// `[Q]`.
    pub c: Vec<f64>,
    /// `[Q]`.
    pub llr: Vec<f64>,
    /// `[Q, M]`.
    pub u: Vec<C64>,
}

impl State {
    pub fn new(columns: &Columns, length: usize, devices: usize, noise_var: f64) -> Self {
        let (stride, q, m) = (columns.matrix.stride, columns.sequences, columns.antennas);
        Self {
            inverse: InverseCovariance::new(length, noise_var),
            c: vec![0.0; stride],
            u: Planes::zeros(m, stride, 1),
            power: vec![0.0; stride],
            d: Planes::zeros(1, stride, 1),
            of_step: vec![C64::default(); m],
            paper: vec![0.0; stride],
            sent: vec![0; devices],
            log_likelihood: 0.0,
            seen: Seen { c: vec![0.0; q], llr: vec![0.0; q], u: vec![C64::default(); q * m] },
        }
    }

    /// Computes everything anew from the activities, so that rounding errors of many steps do not pile up.
    #[inline(always)]
    pub fn rebuild<I: Isa>(&mut self, isa: I, columns: &Columns, idle: &Idle, beta: &[f64]) {
        self.inverse.reset();
        self.c.copy_from_slice(&idle.c);
        self.u.re.copy_from_slice(&idle.u.re);
        self.u.im.copy_from_slice(&idle.u.im);
        self.power.copy_from_slice(&idle.power);
        self.log_likelihood = 0.0;
        for (n, &beta) in beta.iter().enumerate() {
            if let Some(q) = self.sent[n].checked_sub(1) {
                let at = n * columns.sequences + q;
                let s = self.inverse.apply(isa, columns.rows.row(at));
                self.step(isa, columns, at, beta, s);
            }
        }
    }

    /// Everything that follows from device n, which is active or idle, becoming something else.
    #[inline(always)]
    pub fn change<I: Isa>(&mut self, isa: I, columns: &Columns, idle: &Idle, beta: &[f64], n: usize, sent: usize) {
        let first = n * columns.sequences;
        let before = std::mem::replace(&mut self.sent[n], sent);
        for (sequence, gamma) in [(before, -beta[n]), (sent, beta[n])] {
            let Some(sequence) = sequence.checked_sub(1) else { continue };
            let at = first + sequence;
            let Some(s) = self.apply(isa, columns, at, gamma) else { return self.rebuild(isa, columns, idle, beta) };
            self.step(isa, columns, at, gamma, s);
        }
    }

    /// `v = Sigma^-1 a` of a column and `a^H v`; `None` when rounding has grown too far for a step with `gamma`: every removal
    /// multiplies errors by about the signal-to-noise ratio of what is removed. Two numbers that were kept by different sums
    /// tell.
    #[inline(always)]
    fn apply<I: Isa>(&mut self, isa: I, columns: &Columns, at: usize, gamma: f64) -> Option<f64> {
        let s = self.inverse.apply(isa, columns.rows.row(at));
        let rest = 1.0 + gamma * self.c[at];
        let astray = rest < LOST || (s - self.c[at]).abs() * gamma.abs() > DRIFT * rest;
        (!astray).then_some(s)
    }

    /// `Sigma <- Sigma + gamma a a^H` with column `at`, whose `a^H Sigma^-1 a` was just computed anew.
    #[inline(always)]
    fn step<I: Isa>(&mut self, isa: I, columns: &Columns, at: usize, gamma: f64, s: f64) {
        let (stride, antennas) = (columns.matrix.stride, columns.antennas);
        let (c, power) = (self.c[at], self.power[at]);
        let k = gamma / (1.0 + gamma * c);
        self.log_likelihood += k * power - antennas as f64 * (gamma * c).ln_1p();
        let length = columns.matrix.re.len() / stride;
        let v = [&self.inverse.v.re[..length], &self.inverse.v.im[..length]];
        combine_conjugate(isa, columns.matrix.parts(), stride, v, self.d.parts_mut());
        self.inverse.update(isa, gamma, s);
        let (d_re, d_im) = (&self.d.re[..stride], &self.d.im[..stride]);
        let c = &mut self.c[..stride];
        for j in 0..stride {
            c[j] = (-k).madd(isa, d_re[j].madd(isa, d_re[j], d_im[j] * d_im[j]), c[j]);
        }
        for (m, of_step) in self.of_step.iter_mut().enumerate() {
            *of_step = C64::new(self.u.re[m * stride + at], self.u.im[m * stride + at]) * k;
        }
        let power = &mut self.power[..stride];
        power.fill(0.0);
        for (m, a) in self.of_step.iter().enumerate() {
            let re = &mut self.u.re[m * stride..(m + 1) * stride];
            let im = &mut self.u.im[m * stride..(m + 1) * stride];
            for j in 0..stride {
                let x = (-a.re).madd(isa, d_re[j], a.im.madd(isa, d_im[j], re[j]));
                let y = (-a.re).madd(isa, d_im[j], (-a.im).madd(isa, d_re[j], im[j]));
                power[j] = x.madd(isa, x, y.madd(isa, y, power[j]));
                (re[j], im[j]) = (x, y);
            }
        }
    }

    /// Log-likelihood ratios of the sequences of device n against idle, with all other devices as they are.
    ///
    /// The device is taken out on paper: only its own Q columns matter.
    #[inline(always)]
    pub fn look<I: Isa>(&mut self, isa: I, columns: &Columns, idle: &Idle, beta: &[f64], n: usize) {
        let (q, m, stride) = (columns.sequences, columns.antennas, columns.matrix.stride);
        let first = n * q;
        if self.sent[n] > 0 && self.apply(isa, columns, first + self.sent[n] - 1, -beta[n]).is_none() {
            let sent = std::mem::take(&mut self.sent[n]);
            self.rebuild(isa, columns, idle, beta);
            self.read(columns, first);
            self.judge(beta[n], m);
            self.change(isa, columns, idle, beta, n, sent);
            return;
        }
        self.read(columns, first);
        if let Some(own) = self.sent[n].checked_sub(1) {
            let at = first + own;
            let rest = 1.0 - beta[n] * self.c[at];
            // Removal is a step with -beta: k = -beta/(1 - beta c).
            let k = -beta[n] / rest;
            // `v = Sigma^-1 a` of the own column was computed above.
            let v = self.inverse.v.parts();
            for other in 0..q {
                let d = if other == own {
                    C64::new(self.c[at], 0.0)
                } else {
                    let s = columns.rows.row(first + other);
                    let mut d = C64::default();
                    for l in 0..s[0].len() {
                        d += C64::new(s[0][l], -s[1][l]) * C64::new(v[0][l], v[1][l]);
                    }
                    d
                };
                self.seen.c[other] =
                    if other == own { self.c[at] / rest } else { self.c[first + other] - k * d.norm_sqr() };
                for (antenna, u) in self.seen.u[other * m..(other + 1) * m].iter_mut().enumerate() {
                    let own_u = C64::new(self.u.re[antenna * stride + at], self.u.im[antenna * stride + at]);
                    *u = if other == own { own_u / rest } else { *u - k * d * own_u };
                }
            }
        }
        self.judge(beta[n], m);
    }

    /// Adds `scale s^H Sigma^-1 Y` of a column, `[M]`: with the gain of an active device the conditional mean of its row.
    pub fn add_mean(&self, columns: &Columns, at: usize, scale: f64, x: &mut [C64]) {
        for (antenna, x) in x.iter_mut().enumerate() {
            let at = antenna * columns.matrix.stride + at;
            *x += scale * C64::new(self.u.re[at], self.u.im[at]);
        }
    }

    /// Log-likelihood ratios of all columns, `[NQ]`, with the active device n taken out on paper; those of other active
    /// devices mean nothing. Logarithms are in single precision: an error of 1e-6 in an exponent moves no draw that counts.
    #[inline(always)]
    pub fn ratios_without<I: Isa>(
        &mut self,
        isa: I,
        columns: &Columns,
        idle: &Idle,
        beta: &[f64],
        n: usize,
        out: &mut [f64],
    ) {
        let (q, antennas, stride) = (columns.sequences, columns.antennas, columns.matrix.stride);
        let Some(own) = self.sent[n].checked_sub(1) else { return };
        let at = n * q + own;
        let mut rest = 1.0 - beta[n] * self.c[at];
        if self.apply(isa, columns, at, -beta[n]).is_none() {
            self.rebuild(isa, columns, idle, beta);
            rest = (1.0 - beta[n] * self.inverse.apply(isa, columns.rows.row(at))).max(LOST);
        }
        let length = columns.matrix.re.len() / stride;
        let v = [&self.inverse.v.re[..length], &self.inverse.v.im[..length]];
        combine_conjugate(isa, columns.matrix.parts(), stride, v, self.d.parts_mut());
        // Removal is a step with -beta: k = -beta/(1 - beta c).
        let k = -beta[n] / rest;
        let (d_re, d_im) = (&self.d.re[..stride], &self.d.im[..stride]);
        let power = &mut self.paper[..stride];
        power.fill(0.0);
        for m in 0..antennas {
            let (re, im) = (&self.u.re[m * stride..(m + 1) * stride], &self.u.im[m * stride..(m + 1) * stride]);
            let (a_re, a_im) = (k * re[at], k * im[at]);
            for j in 0..stride {
                let x = (-a_re).madd(isa, d_re[j], a_im.madd(isa, d_im[j], re[j]));
                let y = (-a_re).madd(isa, d_im[j], (-a_im).madd(isa, d_re[j], im[j]));
                power[j] = x.madd(isa, x, y.madd(isa, y, power[j]));
            }
        }
        let (c, gains) = (&self.c[..out.len()], &idle.gains[..out.len()]);
        for (j, out) in out.iter_mut().enumerate() {
            let c = (-k).madd(isa, d_re[j].madd(isa, d_re[j], d_im[j] * d_im[j]), c[j]).max(0.0);
            let snr = gains[j] * c;
            *out = gains[j] * power[j] / (1.0 + snr) - antennas as f64 * f64::from(log1p_of_positive(snr as f32));
        }
    }

    /// The columns of a device as they stand.
    #[inline(always)]
    fn read(&mut self, columns: &Columns, first: usize) {
        let stride = columns.matrix.stride;
        for q in 0..columns.sequences {
            self.seen.c[q] = self.c[first + q];
            for (antenna, u) in self.seen.u[q * columns.antennas..(q + 1) * columns.antennas].iter_mut().enumerate() {
                let at = antenna * stride + first + q;
                *u = C64::new(self.u.re[at], self.u.im[at]);
            }
        }
    }

    #[inline(always)]
    fn judge(&mut self, beta: f64, antennas: usize) {
        let Seen { c, llr, u } = &mut self.seen;
        for ((llr, c), u) in llr.iter_mut().zip(c).zip(u.chunks_exact(antennas)) {
            let power: f64 = u.iter().map(C64::norm_sqr).sum();
            *c = c.max(0.0);
            *llr = beta * power / (1.0 + beta * *c) - antennas as f64 * (beta * *c).ln_1p();
        }
    }
}
