//! Inner loops on split real and imaginary planes.
//!
//! Every loop is written over fixed-size arrays, so that the compiler keeps the accumulators in vector registers.
//! All of them are `#[inline(always)]`, so that they are compiled for the instructions of [`super::isa`] that they are given.

use super::isa::Isa;
use super::lanes::Lanes;
use super::real::{Real, TILE_ROWS};

/// One tile of a complex product: `out[p, j] = sum_k a[k, p] * b[k, at + j]` for 4 rows p and as many columns j as a vector
/// has lanes.
///
/// `a` is a packed panel `[depth, 4]` (planes re, im), `b` has rows of length `stride`; `depth` lists the `k` that
/// are summed, in this order. `out` is `[4, lanes]`, overwritten.
#[inline(always)]
pub(crate) fn tile_lanes<V: Lanes, I: Isa>(
    isa: I,
    a: [&[V::Number]; 2],
    b: [&[V::Number]; 2],
    stride: usize,
    at: usize,
    depth: impl Iterator<Item = usize>,
    out: [&mut [V::Number]; 2],
) {
    let mut re = [V::ZERO; TILE_ROWS];
    let mut im = [V::ZERO; TILE_ROWS];
    for k in depth {
        let a_re: &[V::Number; TILE_ROWS] =
            a[0][k * TILE_ROWS..][..TILE_ROWS].try_into().expect("sliced to this length");
        let a_im: &[V::Number; TILE_ROWS] =
            a[1][k * TILE_ROWS..][..TILE_ROWS].try_into().expect("sliced to this length");
        let (b_re, b_im) = (V::load(&b[0][k * stride + at..]), V::load(&b[1][k * stride + at..]));
        for p in 0..TILE_ROWS {
            let (x, y, minus_y) = (V::splat(a_re[p]), V::splat(a_im[p]), V::splat(-a_im[p]));
            re[p] = x.madd(isa, b_re, re[p]);
            im[p] = x.madd(isa, b_im, im[p]);
            re[p] = minus_y.madd(isa, b_im, re[p]);
            im[p] = y.madd(isa, b_re, im[p]);
        }
    }
    for p in 0..TILE_ROWS {
        out[0][p * V::COUNT..][..V::COUNT].copy_from_slice(re[p].lanes());
        out[1][p * V::COUNT..][..V::COUNT].copy_from_slice(im[p].lanes());
    }
}

/// `out[j] = sum_k conj(b[k, j]) * coefficients[k]` for all `stride` columns of the rows k that have a coefficient.
///
/// Four rows at a time: the sums stay close to the arithmetic units and the loop over columns vectorises.
#[inline(always)]
pub(crate) fn combine_conjugate<T: Real, I: Isa>(
    isa: I,
    b: [&[T]; 2],
    stride: usize,
    coefficients: [&[T]; 2],
    out: [&mut [T]; 2],
) {
    const ROWS: usize = 4;
    let [out_re, out_im] = out;
    let (out_re, out_im) = (&mut out_re[..stride], &mut out_im[..stride]);
    out_re.fill(T::ZERO);
    out_im.fill(T::ZERO);
    let depth = coefficients[0].len();
    let (c_re, c_im) = (&coefficients[0][..depth], &coefficients[1][..depth]);
    let blocked = depth - depth % ROWS;
    for k in (0..blocked).step_by(ROWS) {
        let re = &b[0][k * stride..(k + ROWS) * stride];
        let im = &b[1][k * stride..(k + ROWS) * stride];
        let ((r01, r23), (i01, i23)) = (re.split_at(2 * stride), im.split_at(2 * stride));
        let ((r0, r1), (r2, r3)) = (r01.split_at(stride), r23.split_at(stride));
        let ((i0, i1), (i2, i3)) = (i01.split_at(stride), i23.split_at(stride));
        let (x0, x1, x2, x3) = (c_re[k], c_re[k + 1], c_re[k + 2], c_re[k + 3]);
        let (y0, y1, y2, y3) = (c_im[k], c_im[k + 1], c_im[k + 2], c_im[k + 3]);
        let (r3, i3) = (&r3[..stride], &i3[..stride]);
        for j in 0..stride {
            let mut re = x0.madd(isa, r0[j], out_re[j]);
            let mut im = y0.madd(isa, r0[j], out_im[j]);
            re = y0.madd(isa, i0[j], re);
            im = (-x0).madd(isa, i0[j], im);
            re = x1.madd(isa, r1[j], re);
            im = y1.madd(isa, r1[j], im);
            re = y1.madd(isa, i1[j], re);
            im = (-x1).madd(isa, i1[j], im);
            re = x2.madd(isa, r2[j], re);
            im = y2.madd(isa, r2[j], im);
            re = y2.madd(isa, i2[j], re);
            im = (-x2).madd(isa, i2[j], im);
            re = x3.madd(isa, r3[j], re);
            im = y3.madd(isa, r3[j], im);
            out_re[j] = y3.madd(isa, i3[j], re);
            out_im[j] = (-x3).madd(isa, i3[j], im);
        }
    }
    for k in blocked..depth {
        let (re, im) = (&b[0][k * stride..(k + 1) * stride], &b[1][k * stride..(k + 1) * stride]);
        let (x, y) = (c_re[k], c_im[k]);
        for j in 0..stride {
            out_re[j] = y.madd(isa, im[j], x.madd(isa, re[j], out_re[j]));
            out_im[j] = (-x).madd(isa, im[j], y.madd(isa, re[j], out_im[j]));
        }
    }
}

/// `p[k, j] -= scale * u[k] * conj(v[j])` on a matrix with rows of length `v.len()`; `rows` of them exist.
#[inline(always)]
pub(crate) fn subtract_outer<T: Real, I: Isa>(
    isa: I,
    p: [&mut [T]; 2],
    rows: usize,
    scale: T,
    u: [&[T]; 2],
    v: [&[T]; 2],
) {
    let stride = v[0].len();
    let (v_re, v_im) = (&v[0][..stride], &v[1][..stride]);
    let [p_re, p_im] = p;
    for k in 0..rows {
        let (x, y) = (-scale * u[0][k], -scale * u[1][k]);
        let p_re = &mut p_re[k * stride..(k + 1) * stride];
        let p_im = &mut p_im[k * stride..(k + 1) * stride];
        for j in 0..stride {
            p_re[j] = x.madd(isa, v_re[j], y.madd(isa, v_im[j], p_re[j]));
            p_im[j] = y.madd(isa, v_re[j], (-x).madd(isa, v_im[j], p_im[j]));
        }
    }
}

/// `sum |v_j|^2`.
#[inline(always)]
pub(crate) fn energy<T: Real, I: Isa>(isa: I, v: [&[T]; 2]) -> T {
    // Four partial sums: a fixed order that vectorises.
    let mut sums = [T::ZERO; 4];
    let (re, im) = (v[0].chunks_exact(4), v[1].chunks_exact(4));
    let rest: T = re.remainder().iter().zip(im.remainder()).fold(T::ZERO, |s, (&a, &b)| s + a * a + b * b);
    for (re, im) in re.zip(im) {
        for j in 0..4 {
            sums[j] = re[j].madd(isa, re[j], im[j].madd(isa, im[j], sums[j]));
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

/// `Re(a^H v)`.
#[inline(always)]
pub(crate) fn real_dot<T: Real, I: Isa>(isa: I, a: [&[T]; 2], v: [&[T]; 2]) -> T {
    let mut sums = [T::ZERO; 4];
    let parts = a[0].chunks_exact(4).zip(a[1].chunks_exact(4)).zip(v[0].chunks_exact(4).zip(v[1].chunks_exact(4)));
    for ((a_re, a_im), (v_re, v_im)) in parts {
        for j in 0..4 {
            sums[j] = a_re[j].madd(isa, v_re[j], a_im[j].madd(isa, v_im[j], sums[j]));
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3])
}

#[cfg(test)]
mod tests {
    use num_complex::Complex64;
    use pulp::Scalar;

    use super::*;
    use crate::math::isa::{Kernel, dispatch};

    fn numbers(n: usize, seed: u64) -> Vec<f64> {
        (0..n as u64).map(|i| (((i + 1) * (seed * 7919 + 104_729)) % 1009) as f64 / 504.5 - 1.0).collect()
    }

    #[test]
    fn tiles_equal_the_plain_complex_product() {
        let (depth, stride) = (5, 8);
        let (a, b) = ([numbers(20, 1), numbers(20, 2)], [numbers(40, 3), numbers(40, 4)]);
        let mut out = [vec![0.0; 16], vec![0.0; 16]];
        let [o_re, o_im] = &mut out;
        f64::tile(Scalar, [&a[0], &a[1]], [&b[0], &b[1]], stride, 4, 0..depth, [o_re, o_im]);
        for p in 0..4 {
            for j in 0..4 {
                let want: Complex64 = (0..depth)
                    .map(|k| {
                        Complex64::new(a[0][k * 4 + p], a[1][k * 4 + p])
                            * Complex64::new(b[0][k * stride + 4 + j], b[1][k * stride + 4 + j])
                    })
                    .sum();
                assert!((Complex64::new(out[0][p * 4 + j], out[1][p * 4 + j]) - want).norm() < 1e-13);
            }
        }
    }

    #[test]
    fn fused_and_plain_arithmetic_agree_to_rounding() {
        struct Combine<'a>(&'a [Vec<f64>; 2], &'a mut [Vec<f64>; 2]);
        impl Kernel for Combine<'_> {
            #[inline(always)]
            fn run<I: Isa>(self, isa: I) {
                let [re, im] = self.1;
                let b = [&self.0[0][..], &self.0[1][..]];
                combine_conjugate(isa, b, 8, [&b[1][..6], &b[0][..6]], [re, im]);
            }
        }
        let b = [numbers(48, 5), numbers(48, 6)];
        let (mut best, mut plain) = ([vec![0.0; 8], vec![0.0; 8]], [vec![0.0; 8], vec![0.0; 8]]);
        dispatch(Combine(&b, &mut best));
        Combine(&b, &mut plain).run(Scalar);
        for j in 0..8 {
            let want: Complex64 = (0..6)
                .map(|k| Complex64::new(b[0][k * 8 + j], -b[1][k * 8 + j]) * Complex64::new(b[1][k], b[0][k]))
                .sum();
            assert!((best[0][j] - want.re).abs() + (best[1][j] - want.im).abs() < 1e-13);
            assert!((plain[0][j] - want.re).abs() + (plain[1][j] - want.im).abs() < 1e-13);
        }
    }
}
