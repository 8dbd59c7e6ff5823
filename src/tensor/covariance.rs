//! The covariance statistics on tensors: products are burn's own, the factorisation is a [`Triangular`] of the backend.
//!
//! With the Cholesky factor `Sigma = L L^H` everything happens behind the whitening `w_k = L^-1 s_k`, `V = L^-1 Y`:
//! `c_k = ||w_k||^2`, `e_k = ||V^H w_k||^2`. An explicit inverse would lose the strong sequences in single precision:
//! `Sigma^-1 s_k` is smaller than the entries of `Sigma^-1` by the signal-to-noise ratio.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata};
use burn::tensor::{Shape, Slice, TensorData};

use super::cpu::SMALLEST_RATIO;

/// A complex batch `[F, rows, columns]` as real and imaginary planes.
type Planes<B> = (FloatTensor<B>, FloatTensor<B>);

/// Cholesky factor and triangular systems of a batch; matrices are stacked `[F, 2 rows, columns]`, real rows first.
pub(super) trait Triangular<B: Backend> {
    /// Lower factor of Hermitian `sigma [F, 2L, L]`. No pivot of `A + v I`, A >= 0, is below v: `floor` = v undoes
    /// what rounding does to a pivot. Only the lower triangle of the result is defined.
    fn cholesky(sigma: FloatTensor<B>, floor: f64) -> FloatTensor<B>;
    /// `L^-1 x`, or `L^-H x` (`adjoint`), for `factor [F, 2L, L]`, `x [F, 2L, C]`.
    fn solve(factor: FloatTensor<B>, x: FloatTensor<B>, adjoint: bool) -> FloatTensor<B>;
}

/// The specification: burn primitives only.
pub(super) struct Primitives;

fn dims<B: Backend>(t: &FloatTensor<B>) -> [usize; 3] {
    let shape = t.shape();
    [shape[0], shape[1], shape[2]]
}

/// Rows and columns of every frame.
fn part<B: Backend>(
    t: &FloatTensor<B>,
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
) -> FloatTensor<B> {
    let frames = dims::<B>(t)[0];
    B::float_slice(t.clone(), &[Slice::from(0..frames), rows.into(), columns.into()])
}

fn both<B: Backend>((re, im): Planes<B>, f: impl Fn(FloatTensor<B>) -> FloatTensor<B>) -> Planes<B> {
    (f(re), f(im))
}

/// `[F, 2 rows, columns]` as planes.
fn split<B: Backend>(t: &FloatTensor<B>) -> Planes<B> {
    let [_, rows, columns] = dims::<B>(t);
    (part::<B>(t, 0..rows / 2, 0..columns), part::<B>(t, rows / 2..rows, 0..columns))
}

/// The inverse of [`split`].
fn join<B: Backend>((re, im): Planes<B>) -> FloatTensor<B> {
    B::float_cat(vec![re, im], 1)
}

fn swap<B: Backend>(t: FloatTensor<B>) -> FloatTensor<B> {
    B::float_swap_dims(t, 1, 2)
}

fn adjoint<B: Backend>((re, im): Planes<B>) -> Planes<B> {
    (swap::<B>(re), B::float_neg(swap::<B>(im)))
}

/// `a b`; both batched, or both with one frame.
fn times<B: Backend>((ar, ai): Planes<B>, (br, bi): Planes<B>) -> Planes<B> {
    let mm = |a: &FloatTensor<B>, b: &FloatTensor<B>| B::float_matmul(a.clone(), b.clone());
    (B::float_sub(mm(&ar, &br), mm(&ai, &bi)), B::float_add(mm(&ar, &bi), mm(&ai, &br)))
}

fn add<B: Backend>(a: Planes<B>, b: Planes<B>) -> Planes<B> {
    (B::float_add(a.0, b.0), B::float_add(a.1, b.1))
}

fn subtract<B: Backend>(a: Planes<B>, b: Planes<B>) -> Planes<B> {
    (B::float_sub(a.0, b.0), B::float_sub(a.1, b.1))
}

/// Both planes times a real tensor that broadcasts.
fn scale<B: Backend>(a: Planes<B>, by: &FloatTensor<B>) -> Planes<B> {
    both::<B>(a, |t| B::float_mul(t, by.clone()))
}

/// `Re(conj(a) b)`, entry by entry.
fn real_product<B: Backend>(a: Planes<B>, b: Planes<B>) -> FloatTensor<B> {
    B::float_add(B::float_mul(a.0, b.0), B::float_mul(a.1, b.1))
}

impl<B: Backend> Triangular<B> for Primitives {
    fn cholesky(sigma: FloatTensor<B>, floor: f64) -> FloatTensor<B> {
        let [_, _, l] = dims::<B>(&sigma);
        let mut rest = split::<B>(&sigma);
        let mut columns = Vec::with_capacity(l);
        for j in 0..l {
            let n = l - j;
            let root = B::float_sqrt(B::float_clamp_min(part::<B>(&rest.0, 0..1, 0..1), floor.into()));
            let zero = B::float_mul_scalar(root.clone(), 0.0.into());
            let (mut re, mut im) = (vec![zero.clone(); j], vec![zero.clone(); j + 1]);
            re.push(root.clone());
            if n > 1 {
                let tail = both::<B>(rest.clone(), |t| B::float_div(part::<B>(&t, 1..n, 0..1), root.clone()));
                rest = both::<B>(rest, |t| part::<B>(&t, 1..n, 1..n));
                rest = subtract::<B>(rest, times::<B>(tail.clone(), adjoint::<B>(tail.clone())));
                re.push(tail.0);
                im.push(tail.1);
            }
            columns.push(join::<B>((B::float_cat(re, 1), B::float_cat(im, 1))));
        }
        B::float_cat(columns, 2)
    }

    fn solve(factor: FloatTensor<B>, x: FloatTensor<B>, upper: bool) -> FloatTensor<B> {
        let [_, _, l] = dims::<B>(&factor);
        let columns = dims::<B>(&x)[2];
        let mut matrix = split::<B>(&factor);
        if upper {
            matrix = adjoint::<B>(matrix);
        }
        let mut rest = split::<B>(&x);
        let mut rows = Vec::with_capacity(l);
        // `rest` holds the rows that are still unknown: below row i, or above it in an upper system.
        for n in 0..l {
            let left = l - n - 1;
            let (i, own, others, below) =
                if upper { (left, left, 0..left, 0..left) } else { (n, 0, 1..left + 1, n + 1..l) };
            let diagonal = part::<B>(&matrix.0, i..i + 1, i..i + 1);
            let row =
                both::<B>(rest.clone(), |t| B::float_div(part::<B>(&t, own..own + 1, 0..columns), diagonal.clone()));
            if left > 0 {
                rest = both::<B>(rest, |t| part::<B>(&t, others.clone(), 0..columns));
                let factors = both::<B>(matrix.clone(), |t| part::<B>(&t, below.clone(), i..i + 1));
                rest = subtract::<B>(rest, times::<B>(factors, row.clone()));
            }
            rows.push(row);
        }
        if upper {
            rows.reverse();
        }
        let (re, im) = rows.into_iter().unzip();
        join::<B>((B::float_cat(re, 1), B::float_cat(im, 1)))
    }
}

/// Everything of a forward pass that a backward pass needs.
struct Whitened<B: Backend> {
    factor: FloatTensor<B>,
    /// `L^-1 S`, `[F, L, K]`.
    w: Planes<B>,
    /// `L^-1 Y`, `[F, L, M]`.
    v: Planes<B>,
    /// `W^H V = S^H Sigma^-1 Y`, `[F, K, M]`.
    d: Planes<B>,
    /// `s_k^H Sigma^-1 s_k`, `[F, K]`.
    c: FloatTensor<B>,
    /// `||d_k||^2`, `[F, K]`.
    e: FloatTensor<B>,
    /// `1 - gamma_k c_k` before it is kept above [`SMALLEST_RATIO`], and after.
    ratio: [FloatTensor<B>; 2],
}

/// `[F, K]` to `[F, 1, K]`, to weigh columns.
fn row<B: Backend>(t: FloatTensor<B>) -> FloatTensor<B> {
    let shape = t.shape();
    B::float_reshape(t, Shape::new([shape[0], 1, shape[1]]))
}

/// `[F, K]` to `[F, K, 1]`, to weigh rows.
fn column<B: Backend>(t: FloatTensor<B>) -> FloatTensor<B> {
    let shape = t.shape();
    B::float_reshape(t, Shape::new([shape[0], shape[1], 1]))
}

/// `[F, 1, K]` or `[F, K, 1]` to `[F, K]`.
fn flat<B: Backend>(t: FloatTensor<B>) -> FloatTensor<B> {
    let [frames, a, b] = dims::<B>(&t);
    B::float_reshape(t, Shape::new([frames, a * b]))
}

/// `S diag(gamma) S^H + v I`, stacked `[F, 2L, L]`; the frames are folded into the rows of one 2-D product.
fn sigma<B: Backend>(gamma: &FloatTensor<B>, s: &Planes<B>, noise_var: f64) -> FloatTensor<B> {
    let [_, l, k] = dims::<B>(&s.0);
    let frames = gamma.shape()[0];
    let weights = row::<B>(B::float_clamp_min(gamma.clone(), 0.0.into()));
    let weighted = both::<B>(scale::<B>(s.clone(), &weights), |t| B::float_reshape(t, Shape::new([1, frames * l, k])));
    let product = times::<B>(weighted, adjoint::<B>(s.clone()));
    let (re, im) = both::<B>(product, |t| B::float_reshape(t, Shape::new([frames, l, l])));
    let noise: Vec<f64> = (0..l * l).map(|i| if i % (l + 1) == 0 { noise_var } else { 0.0 }).collect();
    let noise = TensorData::new(noise, [1, l, l]).convert_dtype(gamma.dtype());
    join::<B>((B::float_add(re, B::float_from_data(noise, &gamma.device())), im))
}

fn whiten<B: Backend, T: Triangular<B>>(
    gamma: &FloatTensor<B>,
    s: FloatTensor<B>,
    y: FloatTensor<B>,
    antennas: usize,
    noise_var: f64,
) -> Whitened<B> {
    let (frames, k, l) = (gamma.shape()[0], gamma.shape()[1], s.shape()[0] / 2);
    let s = split::<B>(&B::float_reshape(s, Shape::new([1, 2 * l, k])));
    let factor = T::cholesky(sigma::<B>(gamma, &s, noise_var), noise_var);
    // Y arrives with one antenna a row: [F, M, 2L] is [F, 2L, M] transposed.
    let y = swap::<B>(B::float_reshape(y, Shape::new([frames, antennas, 2 * l])));
    let s = B::float_expand(join::<B>(s), Shape::new([frames, 2 * l, k]));
    let white = split::<B>(&T::solve(factor.clone(), B::float_cat(vec![s, y], 2), false));
    let w = both::<B>(white.clone(), |t| part::<B>(&t, 0..l, 0..k));
    let v = both::<B>(white, |t| part::<B>(&t, 0..l, k..k + antennas));
    let d = times::<B>(adjoint::<B>(w.clone()), v.clone());
    let c = flat::<B>(B::float_sum_dim(real_product::<B>(w.clone(), w.clone()), 1));
    let e = flat::<B>(B::float_sum_dim(real_product::<B>(d.clone(), d.clone()), 2));
    let exact = B::float_add_scalar(B::float_neg(B::float_mul(gamma.clone(), c.clone())), 1.0.into());
    let ratio = [exact.clone(), B::float_clamp_min(exact, SMALLEST_RATIO.into())];
    Whitened { factor, w, v, d, c, e, ratio }
}

/// Forward pass: `[F, 2K]` = leave-one-out `c/r`, then `e/r^2`, `r = 1 - gamma c`.
pub(super) fn covariance_score<B: Backend, T: Triangular<B>>(
    gamma: FloatTensor<B>,
    s: FloatTensor<B>,
    y: FloatTensor<B>,
    antennas: usize,
    noise_var: f64,
) -> FloatTensor<B> {
    let Whitened { c, e, ratio: [_, r], .. } = whiten::<B, T>(&gamma, s, y, antennas, noise_var);
    let e = B::float_div(B::float_div(e, r.clone()), r.clone());
    B::float_cat(vec![B::float_div(c, r), e], 1)
}

/// Gradients with respect to gamma, s (summed over frames) and y.
///
/// The formulas of the CPU body with all vectors whitened: `P = V D^H diag(g_e)`, `Q = W diag(g_c)/2 + P`,
/// `H = Q W^H + W Q^H`, `g_gamma = -Re w^H H w`, `L^H g_S = 2 W diag(g_c) + 2 P - 2 H W diag(gamma)`,
/// `L^H g_Y = 2 W diag(g_e) D`: one triangular solve undoes the whitening of both.
pub(super) fn covariance_score_backward<B: Backend, T: Triangular<B>>(
    gamma: FloatTensor<B>,
    s: FloatTensor<B>,
    y: FloatTensor<B>,
    g: FloatTensor<B>,
    antennas: usize,
    noise_var: f64,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let (frames, k, l) = (gamma.shape()[0], gamma.shape()[1], s.shape()[0] / 2);
    let Whitened { factor, w, v, d, c, e, ratio: [exact, r] } = whiten::<B, T>(&gamma, s, y, antennas, noise_var);
    let half = |from: usize| B::float_slice(g.clone(), &[Slice::from(0..frames), (from..from + k).into()]);
    let over = |a: FloatTensor<B>| B::float_div(a, r.clone());
    let (dc, de) = (over(half(0)), over(over(half(k))));
    // The gradient of r: -(dc c + 2 de e/r)/r in terms of the above, and 0 where r was kept above its floor.
    let free = B::float_add_scalar(B::float_neg(B::float_sign(B::float_sub(r.clone(), exact))), 1.0.into());
    let twice = |t: FloatTensor<B>| B::float_mul_scalar(t, 2.0.into());
    let gr = B::float_add(B::float_mul(dc.clone(), c.clone()), twice(B::float_mul(de.clone(), e)));
    let gr = B::float_mul(B::float_neg(over(gr)), free);
    let gc = B::float_sub(dc, B::float_mul(gr.clone(), gamma.clone()));
    let d = scale::<B>(d, &column::<B>(de));
    let p = times::<B>(v, adjoint::<B>(d.clone()));
    let wc = scale::<B>(w.clone(), &row::<B>(gc));
    let q = add::<B>(both::<B>(wc.clone(), |t| B::float_mul_scalar(t, 0.5.into())), p.clone());
    let h = times::<B>(q, adjoint::<B>(w.clone()));
    let h = add::<B>(h.clone(), adjoint::<B>(h));
    let hw = times::<B>(h, w.clone());
    let curvature = flat::<B>(B::float_sum_dim(real_product::<B>(w.clone(), hw.clone()), 1));
    let g_gamma = B::float_neg(B::float_add(B::float_mul(c, gr), curvature));
    let gs = subtract::<B>(add::<B>(wc, p), scale::<B>(hw, &row::<B>(gamma)));
    let gy = times::<B>(w, d);
    let white = join::<B>((B::float_cat(vec![gs.0, gy.0], 2), B::float_cat(vec![gs.1, gy.1], 2)));
    let (gs, gy) = unwhiten::<B, T>(factor, twice(white), [frames, l, k, antennas]);
    (g_gamma, gs, gy)
}

/// `[F, K, M]` planes to stacked rows `[F*M, 2K]`.
fn antenna_rows<B: Backend>((re, im): Planes<B>) -> FloatTensor<B> {
    let [frames, k, m] = dims::<B>(&re);
    let stacked = B::float_cat(vec![swap::<B>(re), swap::<B>(im)], 2);
    B::float_reshape(stacked, Shape::new([frames * m, 2 * k]))
}

/// Filter outputs `Z = S^H Sigma^-1 Y = W^H V`, `[F*M, 2K]`.
pub(super) fn covariance_filter<B: Backend, T: Triangular<B>>(
    gamma: FloatTensor<B>,
    s: FloatTensor<B>,
    y: FloatTensor<B>,
    antennas: usize,
    noise_var: f64,
) -> FloatTensor<B> {
    antenna_rows::<B>(whiten::<B, T>(&gamma, s, y, antennas, noise_var).d)
}

/// Gradients with respect to gamma, s (summed over frames) and y, for the gradient G `[K, M]` of Z.
///
/// The formulas of the CPU body with all vectors whitened: `P = V G^H`, `H = P W^H + W P^H`,
/// `g_gamma = -Re w^H H w/2`, `L^H g_S = P - H W diag(gamma)`, `L^H g_Y = W G`.
pub(super) fn covariance_filter_backward<B: Backend, T: Triangular<B>>(
    gamma: FloatTensor<B>,
    s: FloatTensor<B>,
    y: FloatTensor<B>,
    g: FloatTensor<B>,
    antennas: usize,
    noise_var: f64,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let (frames, k, l) = (gamma.shape()[0], gamma.shape()[1], s.shape()[0] / 2);
    let Whitened { factor, w, v, .. } = whiten::<B, T>(&gamma, s, y, antennas, noise_var);
    let stacked = swap::<B>(B::float_reshape(g.clone(), Shape::new([frames, antennas, 2 * k])));
    let g_z = split::<B>(&stacked);
    let p = times::<B>(v, adjoint::<B>(g_z.clone()));
    let h = times::<B>(p.clone(), adjoint::<B>(w.clone()));
    let h = add::<B>(h.clone(), adjoint::<B>(h));
    let hw = times::<B>(h, w.clone());
    let curvature = flat::<B>(B::float_sum_dim(real_product::<B>(w.clone(), hw.clone()), 1));
    let g_gamma = B::float_mul_scalar(curvature, (-0.5).into());
    let gs = subtract::<B>(p, scale::<B>(hw, &row::<B>(gamma)));
    let gy = times::<B>(w, g_z);
    let white = join::<B>((B::float_cat(vec![gs.0, gy.0], 2), B::float_cat(vec![gs.1, gy.1], 2)));
    let (gs, gy) = unwhiten::<B, T>(factor, white, [frames, l, k, antennas]);
    (g_gamma, gs, gy)
}

/// Undoes the whitening of gradients `[F, 2L, K + M]` of s and y; sums those of s over the frames.
fn unwhiten<B: Backend, T: Triangular<B>>(
    factor: FloatTensor<B>,
    white: FloatTensor<B>,
    [frames, l, k, antennas]: [usize; 4],
) -> (FloatTensor<B>, FloatTensor<B>) {
    let both = T::solve(factor, white, true);
    // The sum over frames as a product with ones: burn 0.22.1 on wgpu leaves rows out of a sum over the first dimension
    // when there are 65535 or more of them.
    let ones = B::float_ones(Shape::new([1, frames]), &both.device(), both.dtype().into());
    let gs = B::float_reshape(part::<B>(&both, 0..2 * l, 0..k), Shape::new([frames, 2 * l * k]));
    let gs = B::float_matmul(ones, gs);
    let gy = swap::<B>(part::<B>(&both, 0..2 * l, k..k + antennas));
    (B::float_reshape(gs, Shape::new([2 * l, k])), B::float_reshape(gy, Shape::new([frames * antennas, 2 * l])))
}

#[cfg(all(test, feature = "flex", feature = "ndarray"))]
mod tests {
    // burn-ndarray is deprecated upstream.
    #![allow(deprecated)]

    use burn::backend::ops::FloatTensorOps;
    use burn::backend::{Flex, read_sync};
    use burn_ndarray::NdArray;

    use super::super::ops::Backend as Fused;
    use super::*;

    const FRAMES: usize = 3;
    const ANTENNAS: usize = 2;
    const COLUMNS: usize = 9;
    const LENGTH: usize = 5;

    fn numbers(seed: usize, shape: [usize; 2]) -> TensorData {
        let value = |i: usize| (((i * 37 + seed * 101) * 7919) % 1009) as f64 / 504.5 - 1.0;
        TensorData::new((0..shape[0] * shape[1]).map(value).collect::<Vec<f64>>(), shape)
    }

    fn powers() -> TensorData {
        // One frame without any power, one with a sequence beyond the smallest ratio.
        let mut values: Vec<f64> = numbers(1, [FRAMES, COLUMNS]).iter::<f64>().map(|v| (v * v).max(0.05)).collect();
        values[..COLUMNS].fill(0.0);
        values[COLUMNS] = 1e6;
        TensorData::new(values, [FRAMES, COLUMNS])
    }

    fn inputs<B: Backend>(device: &B::Device) -> [FloatTensor<B>; 4] {
        [
            powers(),
            numbers(2, [2 * LENGTH, COLUMNS]),
            numbers(3, [FRAMES * ANTENNAS, 2 * LENGTH]),
            numbers(4, [FRAMES, 2 * COLUMNS]),
        ]
        .map(|data| B::float_from_data(data, device))
    }

    fn relative<B: FloatTensorOps<B> + Backend>(a: FloatTensor<B>, b: FloatTensor<B>) -> f64 {
        let read = |t| read_sync(B::float_into_data(t)).unwrap().iter::<f64>().collect::<Vec<f64>>();
        assert_eq!(a.shape(), b.shape());
        let (a, b) = (read(a), read(b));
        let difference: f64 = a.iter().zip(&b).map(|(a, b)| (a - b).powi(2)).sum();
        (difference / b.iter().map(|v| v * v).sum::<f64>()).sqrt()
    }

    /// The fast bodies of a backend against the specification, in f64.
    fn check<B: Fused>(device: &B::Device) {
        let [gamma, s, y, g] = inputs::<B>(device);
        let fast = B::covariance_score(gamma.clone(), s.clone(), y.clone(), ANTENNAS, 0.5);
        let spec = covariance_score::<B, Primitives>(gamma.clone(), s.clone(), y.clone(), ANTENNAS, 0.5);
        assert!(relative::<B>(fast, spec) < 1e-9);
        let fast = B::covariance_score_backward(gamma.clone(), s.clone(), y.clone(), g.clone(), ANTENNAS, 0.5);
        let spec = covariance_score_backward::<B, Primitives>(gamma, s, y, g, ANTENNAS, 0.5);
        for (fast, spec) in [(fast.0, spec.0), (fast.1, spec.1), (fast.2, spec.2)] {
            let error = relative::<B>(fast, spec);
            assert!(error < 1e-9, "{error:.1e}");
        }
        let [gamma, s, y, _] = inputs::<B>(device);
        let g = B::float_from_data(numbers(5, [FRAMES * ANTENNAS, 2 * COLUMNS]), device);
        let fast = B::covariance_filter(gamma.clone(), s.clone(), y.clone(), ANTENNAS, 0.5);
        let spec = covariance_filter::<B, Primitives>(gamma.clone(), s.clone(), y.clone(), ANTENNAS, 0.5);
        assert!(relative::<B>(fast, spec) < 1e-9);
        let fast = B::covariance_filter_backward(gamma.clone(), s.clone(), y.clone(), g.clone(), ANTENNAS, 0.5);
        let spec = covariance_filter_backward::<B, Primitives>(gamma, s, y, g, ANTENNAS, 0.5);
        for (fast, spec) in [(fast.0, spec.0), (fast.1, spec.1), (fast.2, spec.2)] {
            let error = relative::<B>(fast, spec);
            assert!(error < 1e-9, "{error:.1e}");
        }
    }

    #[test]
    fn fast_bodies_are_the_specification() {
        check::<Flex>(&Default::default());
        check::<NdArray>(&Default::default());
    }
}
