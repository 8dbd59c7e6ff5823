//! Products over the antennas: M x M matrices from stacked rows, and applied to them.

use super::element::Element;

/// `J = A B^H` of stacked `[M, 2K]` arrays; where the caller knows that J is Hermitian, half of it is computed.
///
/// Rows meet in blocks of two by two: every value that is loaded serves four products, and the eight sums stay in
/// registers. A general matrix product spends more time on packing than on arithmetic for outputs this small.
pub struct Outer<'a, T> {
    /// Real part of J, `[M, M]`.
    pub jr: &'a mut [T],
    /// Imaginary part of J.
    pub ji: &'a mut [T],
    /// A, `[M, 2K]`.
    pub a: &'a [T],
    /// B, `[M, 2K]`.
    pub b: &'a [T],
    /// Antennas M.
    pub antennas: usize,
    /// Complex columns K.
    pub columns: usize,
    /// J is known to be Hermitian.
    pub hermitian: bool,
}

impl<T: Element> pulp::WithSimd for Outer<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) {
        let Self { jr, ji, a, b, antennas: m, columns: k, hermitian } = self;
        for i in (0..m).step_by(2) {
            // An odd last row is computed twice.
            let rows = [i, (i + 1).min(m - 1)];
            let a = rows.map(|i| &a[i * 2 * k..(i + 1) * 2 * k]);
            let first = if hermitian { i } else { 0 };
            for n in (first..m).step_by(2) {
                let columns = [n, (n + 1).min(m - 1)];
                let b = columns.map(|n| &b[n * 2 * k..(n + 1) * 2 * k]);
                let block = inner_products(simd, a, b, k);
                for (p, (re, im)) in block.into_iter().enumerate() {
                    let (i, n) = (rows[p / 2], columns[p % 2]);
                    (jr[i * m + n], ji[i * m + n]) = (re, im);
                    if hermitian {
                        (jr[n * m + i], ji[n * m + i]) = (re, -im);
                    }
                }
            }
        }
    }
}

/// Real and imaginary parts of `sum_k a_k conj(b_k)` for the pairs 00, 01, 10, 11 of two stacked rows `a` and two `b`.
#[inline(always)]
fn inner_products<T: Element, S: pulp::Simd>(simd: S, a: [&[T]; 2], b: [&[T]; 2], k: usize) -> [(T, T); 4] {
    let [(a0r, a0i), (a1r, a1i), (b0r, b0i), (b1r, b1i)] = [a[0], a[1], b[0], b[1]].map(|row| row.split_at(k));
    let mut re = [T::splat(simd, T::zero()); 4];
    let mut im = re;
    let lanes = T::lanes::<S>;
    let left = lanes(a0r).0.iter().zip(lanes(a0i).0).zip(lanes(a1r).0.iter().zip(lanes(a1i).0));
    let right = lanes(b0r).0.iter().zip(lanes(b0i).0).zip(lanes(b1r).0.iter().zip(lanes(b1i).0));
    for (((&a0r, &a0i), (&a1r, &a1i)), ((&b0r, &b0i), (&b1r, &b1i))) in left.zip(right) {
        let (m0r, m1r) = (T::minus(simd, a0r), T::minus(simd, a1r));
        let pairs = [
            (a0r, a0i, m0r, b0r, b0i),
            (a0r, a0i, m0r, b1r, b1i),
            (a1r, a1i, m1r, b0r, b0i),
            (a1r, a1i, m1r, b1r, b1i),
        ];
        for p in 0..4 {
            let (ar, ai, minus_ar, br, bi) = pairs[p];
            re[p] = T::multiply_add(simd, ai, bi, T::multiply_add(simd, ar, br, re[p]));
            im[p] = T::multiply_add(simd, minus_ar, bi, T::multiply_add(simd, ai, br, im[p]));
        }
    }
    let mut out = [(T::zero(), T::zero()); 4];
    let whole = k - lanes(a0r).1.len();
    for p in 0..4 {
        let (a, b) = (a[p / 2], b[p % 2]);
        let (mut sum_re, mut sum_im) = (T::total(simd, re[p]), T::total(simd, im[p]));
        for at in whole..k {
            sum_re += a[at] * b[at] + a[k + at] * b[k + at];
            sum_im += a[k + at] * b[at] - a[at] * b[k + at];
        }
        out[p] = (sum_re, sum_im);
    }
    out
}

/// `out = J x` of a stacked `[M, 2K]` array. Four rows of the result at a time stay in registers.
pub struct Apply<'a, T> {
    /// J x, `[M, 2K]`.
    pub out: &'a mut [T],
    /// Real part of J, `[M, M]`.
    pub jr: &'a [T],
    /// Imaginary part of J.
    pub ji: &'a [T],
    /// x, `[M, 2K]`.
    pub x: &'a [T],
    /// Antennas M.
    pub antennas: usize,
    /// Complex columns K.
    pub columns: usize,
}

impl<T: Element> pulp::WithSimd for Apply<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) {
        let Self { out, jr, ji, x, antennas: m, columns: k } = self;
        let mut row = 0;
        while row < m {
            let rows = if m - row >= 4 { 4 } else { (m - row).min(2) };
            let out = &mut out[row * 2 * k..(row + rows) * 2 * k];
            let (jr, ji) = (&jr[row * m..(row + rows) * m], &ji[row * m..(row + rows) * m]);
            match rows {
                4 => apply_rows::<T, S, 4>(simd, out, [jr, ji], x, m, k),
                2 => apply_rows::<T, S, 2>(simd, out, [jr, ji], x, m, k),
                _ => apply_rows::<T, S, 1>(simd, out, [jr, ji], x, m, k),
            }
            row += rows;
        }
    }
}

/// `R` rows of `J x`, from as many rows of J.
#[inline(always)]
fn apply_rows<T: Element, S: pulp::Simd, const R: usize>(
    simd: S,
    out: &mut [T],
    [jr, ji]: [&[T]; 2],
    x: &[T],
    m: usize,
    k: usize,
) {
    let width = size_of::<T::Lanes<S>>() / size_of::<T>();
    let whole = k / width * width;
    for c in (0..whole).step_by(width) {
        let mut re = [T::splat(simd, T::zero()); R];
        let mut im = re;
        for n in 0..m {
            let at = n * 2 * k + c;
            let xr = T::lanes::<S>(&x[at..at + width]).0[0];
            let xi = T::lanes::<S>(&x[at + k..at + k + width]).0[0];
            let minus_xi = T::minus(simd, xi);
            for row in 0..R {
                let (a, b) = (T::splat(simd, jr[row * m + n]), T::splat(simd, ji[row * m + n]));
                re[row] = T::multiply_add(simd, b, minus_xi, T::multiply_add(simd, a, xr, re[row]));
                im[row] = T::multiply_add(simd, b, xr, T::multiply_add(simd, a, xi, im[row]));
            }
        }
        for row in 0..R {
            let at = row * 2 * k + c;
            T::lanes_mut::<S>(&mut out[at..at + width]).0[0] = re[row];
            T::lanes_mut::<S>(&mut out[at + k..at + k + width]).0[0] = im[row];
        }
    }
    for row in 0..R {
        for c in whole..k {
            let (mut re, mut im) = (T::zero(), T::zero());
            for n in 0..m {
                let (a, b) = (jr[row * m + n], ji[row * m + n]);
                let (xr, xi) = (x[n * 2 * k + c], x[n * 2 * k + k + c]);
                re += a * xr - b * xi;
                im += a * xi + b * xr;
            }
            (out[row * 2 * k + c], out[row * 2 * k + k + c]) = (re, im);
        }
    }
}

/// `H = P + P^H`.
pub fn twice_hermitian_part<T: Element>(h: [&mut [T]; 2], p: [&[T]; 2], m: usize) {
    let [hr, hi] = h;
    let [pr, pi] = p;
    for i in 0..m {
        for j in 0..m {
            hr[i * m + j] = pr[i * m + j] + pr[j * m + i];
            hi[i * m + j] = pi[i * m + j] - pi[j * m + i];
        }
    }
}

#[cfg(test)]
mod tests {
    use num_complex::Complex;

    use super::*;

    /// Every size of a last block and of a remainder, against sums of complex products.
    fn check<T: Element>(tolerance: f64) {
        for m in 1..=7 {
            for k in [1, 3, 4, 7, 8, 16, 19] {
                let numbers = |seed: usize| -> Vec<T> {
                    (0..m * 2 * k).map(|i| T::narrow((((i * 7 + seed) * 29) % 31) as f64 / 31.0 - 0.4)).collect()
                };
                let weights: Vec<T> = (0..k).map(|i| T::narrow(1.0 + i as f64 / 8.0)).collect();
                let (z, b) = (numbers(1), numbers(5));
                let at = |x: &[T], row: usize, k_at: usize| {
                    Complex::new(x[row * 2 * k + k_at].wide(), x[row * 2 * k + k + k_at].wide())
                };
                let scaled: Vec<T> = z.iter().enumerate().map(|(i, &z)| z * weights[i % k]).collect();
                let outer = |a: &[T], b: &[T], hermitian: bool| {
                    let mut j = [vec![T::zero(); m * m], vec![T::zero(); m * m]];
                    let [jr, ji] = &mut j;
                    pulp::Arch::new().dispatch(Outer { jr, ji, a, b, antennas: m, columns: k, hermitian });
                    j
                };
                let (hermitian, general) = (outer(&scaled, &z, true), outer(&z, &b, false));
                let mut applied = vec![T::zero(); z.len()];
                let [jr, ji] = &general;
                pulp::Arch::new().dispatch(Apply { out: &mut applied, jr, ji, x: &z, antennas: m, columns: k });
                for i in 0..m {
                    for n in 0..m {
                        let own: Complex<f64> =
                            (0..k).map(|c| at(&z, i, c) * at(&z, n, c).conj() * weights[c].wide()).sum();
                        let cross: Complex<f64> = (0..k).map(|c| at(&z, i, c) * at(&b, n, c).conj()).sum();
                        for (want, [re, im]) in [(own, &hermitian), (cross, &general)] {
                            let got = Complex::new(re[i * m + n].wide(), im[i * m + n].wide());
                            assert!((got - want).norm() < tolerance, "M = {m}, K = {k}, ({i}, {n}): {got} {want}");
                        }
                    }
                    for c in 0..k {
                        let j = |n: usize| Complex::new(general[0][i * m + n].wide(), general[1][i * m + n].wide());
                        let want: Complex<f64> = (0..m).map(|n| j(n) * at(&z, n, c)).sum();
                        let got = at(&applied, i, c);
                        assert!((got - want).norm() < tolerance, "M = {m}, K = {k}, J x at ({i}, {c}): {got} {want}");
                    }
                }
            }
        }
    }

    #[test]
    fn products_of_every_size_are_the_plain_sums() {
        check::<f32>(1e-5);
        check::<f64>(1e-13);
    }
}
