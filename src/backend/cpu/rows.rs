//! Row kernels: energies, weights and the Onsager product, one pass over memory each.

use rayon::prelude::*;

use super::element::{Element, View, matmul};

/// Sizes of a stacked array `[frames * antennas, 2 * columns]`.
#[derive(Debug, Clone, Copy)]
pub struct RowShape {
    /// Frames F.
    pub frames: usize,
    /// Antennas M.
    pub antennas: usize,
    /// Complex columns K.
    pub columns: usize,
}

impl RowShape {
    fn frame(&self) -> usize {
        self.antennas * 2 * self.columns
    }
}

/// `out[f, k] = sum_m a_re b_re + a_im b_im`.
pub fn row_dot<T: Element>(a: &[T], b: &[T], shape: RowShape) -> Vec<T> {
    let k = shape.columns;
    let mut out = vec![T::zero(); shape.frames * k];
    let arch = pulp::Arch::new();
    out.par_chunks_mut(k).zip(a.par_chunks(shape.frame())).zip(b.par_chunks(shape.frame())).for_each(
        |((out, a), b)| {
            arch.dispatch(
                #[inline(always)]
                || {
                    for (a, b) in a.chunks_exact(k).zip(b.chunks_exact(k)) {
                        for ((o, &a), &b) in out.iter_mut().zip(a).zip(b) {
                            *o += a * b;
                        }
                    }
                },
            );
        },
    );
    out
}

/// `out[f, m, :, k] = c[f, k] z[f, m, :, k]`.
pub fn row_scale<T: Element>(z: &[T], c: &[T], shape: RowShape) -> Vec<T> {
    let mut out = vec![T::zero(); z.len()];
    let arch = pulp::Arch::new();
    out.par_chunks_mut(shape.frame()).zip(z.par_chunks(shape.frame())).zip(c.par_chunks(shape.columns)).for_each(
        |((out, z), c)| {
            arch.dispatch(
                #[inline(always)]
                || scale_frame(out, z, c),
            )
        },
    );
    out
}

#[inline(always)]
fn scale_frame<T: Element>(out: &mut [T], z: &[T], c: &[T]) {
    for (out, z) in out.chunks_exact_mut(c.len()).zip(z.chunks_exact(c.len())) {
        for ((o, &z), &c) in out.iter_mut().zip(z).zip(c) {
            *o = c * z;
        }
    }
}

/// `out = [-im, re]` of every stacked row: multiplication by the imaginary unit.
#[inline(always)]
fn rotate<T: Element>(out: &mut [T], x: &[T], columns: usize) {
    for (o, x) in out.chunks_exact_mut(2 * columns).zip(x.chunks_exact(2 * columns)) {
        let (re, im) = x.split_at(columns);
        let (o_re, o_im) = o.split_at_mut(columns);
        for (o, &v) in o_re.iter_mut().zip(im) {
            *o = -v;
        }
        o_im.copy_from_slice(re);
    }
}

/// Scratch of one frame; reused by all frames of a worker.
struct Scratch<T> {
    scaled: Vec<T>,
    rotated: Vec<T>,
    jr: Vec<T>,
    ji: Vec<T>,
}

impl<T: Element> Scratch<T> {
    fn new(m: usize, width: usize) -> Self {
        Self {
            scaled: vec![T::zero(); m * width],
            rotated: vec![T::zero(); m * width],
            jr: vec![T::zero(); m * m],
            ji: vec![T::zero(); m * m],
        }
    }

    /// `J = sum_k t_k z_k z_k^H` into `jr`, `ji`.
    fn jacobian(&mut self, arch: pulp::Arch, z: &[T], t: &[T], m: usize) {
        let (a, k) = (&mut self.scaled[..z.len()], t.len());
        arch.dispatch(
            #[inline(always)]
            || scale_frame(a, z, t),
        );
        let (jr, ji) = (&mut self.jr[..], &mut self.ji[..]);
        arch.dispatch(Outer { jr, ji, a, b: z, antennas: m, columns: k, hermitian: true });
    }
}

/// `J = A B^H` of stacked `[M, 2K]` arrays; where the caller knows that J is Hermitian, half of it is computed.
///
/// Rows meet in blocks of two by two: every value that is loaded serves four products, and the eight sums stay in
/// registers. A general matrix product spends more time on packing than on arithmetic for outputs this small.
struct Outer<'a, T> {
    jr: &'a mut [T],
    ji: &'a mut [T],
    a: &'a [T],
    b: &'a [T],
    antennas: usize,
    columns: usize,
    hermitian: bool,
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

/// `out = J x` of a stacked `[M, 2K]` array: `Re J x + Im J (i x)`.
fn apply<T: Element>(out: &mut [T], jr: &[T], ji: &[T], x: &[T], rotated: &mut [T], m: usize, k: usize) {
    rotate(&mut rotated[..m * 2 * k], x, k);
    matmul(out, View::new(jr, m, m), View::new(x, m, 2 * k), false);
    matmul(out, View::new(ji, m, m), View::new(&rotated[..m * 2 * k], m, 2 * k), true);
}

/// `o = J r`, `J = sum_k t_k z_k z_k^H`; `l` complex columns of `r`.
pub fn row_onsager<T: Element>(z: &[T], t: &[T], r: &[T], shape: RowShape, l: usize) -> Vec<T> {
    let (m, k) = (shape.antennas, shape.columns);
    let mut out = vec![T::zero(); r.len()];
    let arch = pulp::Arch::new();
    out.par_chunks_mut(m * 2 * l)
        .zip(r.par_chunks(m * 2 * l))
        .zip(z.par_chunks(shape.frame()))
        .zip(t.par_chunks(k))
        .for_each_init(
            || Scratch::new(m, 2 * k.max(l)),
            |s, (((out, r), z), t)| {
                s.jacobian(arch, z, t, m);
                apply(out, &s.jr, &s.ji, r, &mut s.rotated, m, l);
            },
        );
    out
}

/// From `gz = H z` to `g_t = z^H H z / 2` and `g_z = t H z`.
#[inline(always)]
fn weigh<T: Element>(gz: &mut [T], gt: &mut [T], z: &[T], t: &[T]) {
    let half = T::narrow(0.5);
    for (gz, z) in gz.chunks_exact_mut(t.len()).zip(z.chunks_exact(t.len())) {
        for (((gt, gz), &z), &t) in gt.iter_mut().zip(gz.iter_mut()).zip(z).zip(t) {
            *gt += half * z * *gz;
            *gz *= t;
        }
    }
}

/// Gradients of [`row_onsager`]: `P = G r^H`, `H = P + P^H`, `g_z = t H z`, `g_t = z^H H z / 2`, `g_r = J G`.
pub fn row_onsager_backward<T: Element>(
    z: &[T],
    t: &[T],
    r: &[T],
    g: &[T],
    shape: RowShape,
    l: usize,
) -> (Vec<T>, Vec<T>, Vec<T>) {
    let (m, k) = (shape.antennas, shape.columns);
    let (mut gz, mut gt, mut gr) = (vec![T::zero(); z.len()], vec![T::zero(); t.len()], vec![T::zero(); r.len()]);
    let arch = pulp::Arch::new();
    gz.par_chunks_mut(shape.frame())
        .zip(gt.par_chunks_mut(k))
        .zip(gr.par_chunks_mut(m * 2 * l))
        .zip(z.par_chunks(shape.frame()).zip(t.par_chunks(k)))
        .zip(r.par_chunks(m * 2 * l).zip(g.par_chunks(m * 2 * l)))
        .for_each_init(
            || (Scratch::new(m, 2 * k.max(l)), vec![T::zero(); m * m], vec![T::zero(); m * m]),
            |(s, hr, hi), ((((gz, gt), gr), (z, t)), (r, g))| {
                s.jacobian(arch, z, t, m);
                apply(gr, &s.jr, &s.ji, g, &mut s.rotated, m, l);
                // P = G r^H, then its Hermitian part (twice).
                let (jr, ji) = (&mut s.jr[..], &mut s.ji[..]);
                arch.dispatch(Outer { jr, ji, a: g, b: r, antennas: m, columns: l, hermitian: false });
                for i in 0..m {
                    for j in 0..m {
                        hr[i * m + j] = s.jr[i * m + j] + s.jr[j * m + i];
                        hi[i * m + j] = s.ji[i * m + j] - s.ji[j * m + i];
                    }
                }
                apply(gz, hr, hi, z, &mut s.rotated, m, k);
                arch.dispatch(
                    #[inline(always)]
                    || weigh(gz, gt, z, t),
                );
            },
        );
    (gz, gt, gr)
}

#[cfg(test)]
mod tests {
    use num_complex::Complex;

    use super::*;

    /// Every size of a last block and of a remainder, against sums of complex products.
    fn check<T: Element>(tolerance: f64) {
        for m in 1..=5 {
            for k in [1, 3, 4, 7, 8, 16, 19] {
                let numbers = |seed: usize| -> Vec<T> {
                    (0..m * 2 * k).map(|i| T::narrow((((i * 7 + seed) * 29) % 31) as f64 / 31.0 - 0.4)).collect()
                };
                let weights: Vec<T> = (0..k).map(|i| T::narrow(1.0 + i as f64 / 8.0)).collect();
                let (z, b) = (numbers(1), numbers(5));
                let at = |x: &[T], row: usize, k_at: usize| {
                    Complex::new(x[row * 2 * k + k_at].wide(), x[row * 2 * k + k + k_at].wide())
                };
                let mut s = Scratch::new(m, 2 * k);
                let arch = pulp::Arch::new();
                s.jacobian(arch, &z, &weights, m);
                let hermitian = (s.jr.clone(), s.ji.clone());
                let (jr, ji) = (&mut s.jr[..], &mut s.ji[..]);
                arch.dispatch(Outer { jr, ji, a: &z, b: &b, antennas: m, columns: k, hermitian: false });
                for i in 0..m {
                    for n in 0..m {
                        let own: Complex<f64> =
                            (0..k).map(|c| at(&z, i, c) * at(&z, n, c).conj() * weights[c].wide()).sum();
                        let cross: Complex<f64> = (0..k).map(|c| at(&z, i, c) * at(&b, n, c).conj()).sum();
                        for (want, (re, im)) in [(own, (&hermitian.0, &hermitian.1)), (cross, (&s.jr, &s.ji))] {
                            let got = Complex::new(re[i * m + n].wide(), im[i * m + n].wide());
                            assert!((got - want).norm() < tolerance, "M = {m}, K = {k}, ({i}, {n}): {got} {want}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn outer_products_of_every_size_are_the_plain_sums() {
        check::<f32>(1e-5);
        check::<f64>(1e-13);
    }
}
