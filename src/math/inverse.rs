//! The inverse of a covariance `Sigma = noise_var I + sum_i gamma_i a_i a_i^H`, kept up to date by rank-one steps.

use super::isa::Isa;
use super::kernels::{combine_conjugate, energy, real_dot, subtract_outer};
use super::planes::Planes;
use super::real::Real;

/// `P = Sigma^-1`, Hermitian `[L, L]`, and the last product `v = P a`.
pub(crate) struct InverseCovariance<T> {
    p: Planes<T>,
    /// `v = P a` of the last [`InverseCovariance::apply`].
    pub v: Planes<T>,
    length: usize,
    noise_var: f64,
}

impl<T: Real> InverseCovariance<T> {
    /// Inverse of the noise covariance alone; `L x L`.
    pub fn new(length: usize, noise_var: f64) -> Self {
        let mut this = Self {
            p: Planes::zeros(length, length, 2 * T::LANES),
            v: Planes::zeros(1, length, 2 * T::LANES),
            length,
            noise_var,
        };
        this.reset();
        this
    }

    /// Back to `I / noise_var`.
    pub fn reset(&mut self) {
        self.p.re.fill(T::ZERO);
        self.p.im.fill(T::ZERO);
        for l in 0..self.length {
            self.p.re[l * self.p.stride + l] = T::of(1.0 / self.noise_var);
        }
    }

    /// Takes over another inverse of the same length, without its last product.
    pub fn copy_from(&mut self, other: &Self) {
        self.p.re.copy_from_slice(&other.p.re);
        self.p.im.copy_from_slice(&other.p.im);
    }

    /// Computes `v = P a` and returns `s = a^H P a`, which exact arithmetic keeps positive.
    #[inline(always)]
    pub fn apply<I: Isa>(&mut self, isa: I, a: [&[T]; 2]) -> f64 {
        // Row k of the Hermitian P is the conjugate of its column k.
        let coefficients = [&a[0][..self.length], &a[1][..self.length]];
        combine_conjugate(isa, self.p.parts(), self.p.stride, coefficients, self.v.parts_mut());
        real_dot(isa, a, self.v.parts()).wide()
    }

    /// `Sigma <- Sigma + d a a^H` by Sherman-Morrison with the stored `v = P a` and `s = a^H P a`:
    /// `P <- P - d v v^H / (1 + d s)`.
    #[inline(always)]
    pub fn update<I: Isa>(&mut self, isa: I, d: f64, s: f64) {
        let scale = T::of(d / (1.0 + d * s));
        subtract_outer(isa, self.p.parts_mut(), self.length, scale, self.v.parts(), self.v.parts());
    }

    /// Computes P anew from the powers, so that rounding errors of many steps do not pile up.
    ///
    /// Rank-one steps from `I / noise_var` lose about `log10(condition)` digits once: nine are left at 1e7 in f64.
    #[inline(always)]
    pub fn rebuild<I: Isa>(&mut self, isa: I, columns: &Planes<T>, gamma: &[f64]) {
        self.reset();
        for (i, &g) in gamma.iter().enumerate() {
            if g > 0.0 {
                let s = self.apply(isa, columns.row(i));
                self.update(isa, g, s);
            }
        }
    }
}

/// The observation as coordinate descent sees it: only `q = v^H Sh v` with `Sh = Y Y^H / M` matters.
pub(crate) struct Observation<T> {
    /// A factor F with `F F^H = Y Y^H`, `[L, min(M, L)]` padded.
    factor: Planes<T>,
    product: Planes<T>,
    columns: usize,
    length: usize,
    gram: Vec<num_complex::Complex64>,
}

impl<T: Real> Observation<T> {
    /// Buffers for `[L, M]` observations.
    pub fn new(length: usize, antennas: usize) -> Self {
        let columns = antennas.min(length);
        Self {
            factor: Planes::zeros(length, columns, 2 * T::LANES),
            product: Planes::zeros(1, columns, 2 * T::LANES),
            columns,
            length,
            gram: if antennas > length { vec![Default::default(); length * length] } else { Vec::new() },
        }
    }

    /// Takes a frame, `[L, M]` row-major. With more antennas than symbols the Cholesky factor of `Y Y^H` replaces Y.
    pub fn load(&mut self, y: &[num_complex::Complex64], antennas: usize) {
        if antennas <= self.length {
            self.factor.load(y, antennas, 1.0);
            return;
        }
        let l = self.length;
        let gram = &mut self.gram;
        for i in 0..l {
            for j in 0..=i {
                let (a, b) = (&y[i * antennas..(i + 1) * antennas], &y[j * antennas..(j + 1) * antennas]);
                gram[i * l + j] = a.iter().zip(b).map(|(a, b)| a * b.conj()).sum();
            }
        }
        // Cholesky in place; a pivot at rounding level belongs to a null direction and leaves a zero column.
        let floor = (0..l).map(|i| gram[i * l + i].re).fold(0.0, f64::max) * 1e-14;
        for j in 0..l {
            let mut pivot = gram[j * l + j].re;
            for k in 0..j {
                pivot -= gram[j * l + k].norm_sqr();
            }
            let scale = if pivot > floor { 1.0 / pivot.sqrt() } else { 0.0 };
            for i in j..l {
                let mut sum = gram[i * l + j];
                for k in 0..j {
                    sum -= gram[i * l + k] * gram[j * l + k].conj();
                }
                gram[i * l + j] = if i == j { (pivot * scale).into() } else { sum * scale };
            }
            for i in 0..j {
                gram[i * l + j] = Default::default();
            }
        }
        self.factor.load(gram, self.columns, 1.0);
    }

    /// `||Y^H v||^2`; `v` may be padded.
    #[inline(always)]
    pub fn power<I: Isa>(&mut self, isa: I, v: [&[T]; 2]) -> f64 {
        let coefficients = [&v[0][..self.length], &v[1][..self.length]];
        let Self { factor, product, .. } = self;
        combine_conjugate(isa, factor.parts(), factor.stride, coefficients, product.parts_mut());
        energy(isa, product.parts()).wide()
    }
}

#[cfg(test)]
mod tests {
    use num_complex::Complex64;
    use pulp::Scalar;

    use super::*;

    fn numbers(n: usize, seed: u64) -> Vec<Complex64> {
        let real = |i: u64| ((i * 2_654_435_761 + seed * 40_503) % 10_007) as f64 / 5003.5 - 1.0;
        (0..n as u64).map(|i| Complex64::new(real(2 * i + 1), real(2 * i + 2))).collect()
    }

    #[test]
    fn rank_one_steps_invert_the_covariance_also_when_it_is_ill_conditioned() {
        let (l, n, noise_var) = (6, 9, 0.3);
        let data = numbers(n * l, 3);
        let mut columns = Planes::<f64>::zeros(n, l, 8);
        columns.load(&data, l, 1.0);
        let gamma: Vec<f64> = (0..n).map(|i| [0.0, 1.0, 1e6][i % 3]).collect();
        let mut inverse = InverseCovariance::new(l, noise_var);
        inverse.rebuild(Scalar, &columns, &gamma);
        // Sigma (P a) = a for any a.
        let probe = columns.row(0);
        let s = inverse.apply(Scalar, probe);
        let a = &data[..l];
        let v: Vec<Complex64> = (0..l).map(|k| Complex64::new(inverse.v.re[k], inverse.v.im[k])).collect();
        let mut back: Vec<Complex64> = v.iter().map(|v| v * noise_var).collect();
        for (i, &g) in gamma.iter().enumerate() {
            let column = &data[i * l..(i + 1) * l];
            let dot: Complex64 = column.iter().zip(&v).map(|(a, v)| a.conj() * v).sum();
            back.iter_mut().zip(column).for_each(|(b, a)| *b += g * dot * a);
        }
        let error: f64 = back.iter().zip(a).map(|(b, a)| (b - a).norm()).sum();
        assert!(error < 1e-7, "{error}");
        assert!(s > 0.0);
    }

    #[test]
    fn more_antennas_than_symbols_give_the_same_power() {
        let (l, m) = (3, 7);
        let y = numbers(l * m, 9);
        let v_data = numbers(l, 4);
        let mut v = Planes::<f64>::zeros(1, l, 8);
        v.load(&v_data, l, 1.0);
        let mut observation = Observation::<f64>::new(l, m);
        observation.load(&y, m);
        let want: f64 =
            (0..m).map(|j| (0..l).map(|i| y[i * m + j].conj() * v_data[i]).sum::<Complex64>().norm_sqr()).sum();
        assert!((observation.power(Scalar, v.parts()) / want - 1.0).abs() < 1e-12);
    }
}
