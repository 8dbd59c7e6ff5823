//! Cholesky factors and triangular systems of batches of complex matrices.

use burn::backend::Backend;
use burn::backend::tensor::FloatTensor;

use crate::tensor::ops::primitives::{Planes, adjoint, both, dims, minus, part, times};

/// Cholesky factor and triangular systems of a batch; matrices are stacked `[F, 2 rows, columns]`, real rows first.
pub(in crate::tensor) trait Triangular<B: Backend> {
    /// Lower factor of Hermitian `sigma [F, 2L, L]`. No pivot of `A + v I`, A >= 0, is below v: `floor` = v undoes
    /// what rounding does to a pivot. Only the lower triangle of the result is defined.
    fn cholesky(sigma: FloatTensor<B>, floor: f64) -> FloatTensor<B>;
    /// `L^-1 x`, or `L^-H x` (`adjoint`), for `factor [F, 2L, L]`, `x [F, 2L, C]`.
    fn solve(factor: FloatTensor<B>, x: FloatTensor<B>, adjoint: bool) -> FloatTensor<B>;
}

/// The specification: burn primitives only.
pub(in crate::tensor) struct Primitives;

/// `[F, 2 rows, columns]` as planes.
pub(super) fn split<B: Backend>(t: &FloatTensor<B>) -> Planes<B> {
    let [_, rows, columns] = dims::<B, 3>(t);
    (part::<B>(t, 0..rows / 2, 0..columns), part::<B>(t, rows / 2..rows, 0..columns))
}

/// The inverse of [`split`].
pub(super) fn join<B: Backend>((re, im): Planes<B>) -> FloatTensor<B> {
    B::float_cat(vec![re, im], 1)
}

impl<B: Backend> Triangular<B> for Primitives {
    fn cholesky(sigma: FloatTensor<B>, floor: f64) -> FloatTensor<B> {
        let [_, _, l] = dims::<B, 3>(&sigma);
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
                rest = minus::<B>(rest, times::<B>(tail.clone(), adjoint::<B>(tail.clone())));
                re.push(tail.0);
                im.push(tail.1);
            }
            columns.push(join::<B>((B::float_cat(re, 1), B::float_cat(im, 1))));
        }
        B::float_cat(columns, 2)
    }

    fn solve(factor: FloatTensor<B>, x: FloatTensor<B>, upper: bool) -> FloatTensor<B> {
        let [_, _, l] = dims::<B, 3>(&factor);
        let columns = dims::<B, 3>(&x)[2];
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
                rest = minus::<B>(rest, times::<B>(factors, row.clone()));
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
