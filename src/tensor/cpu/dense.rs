//! What a dense layer does beside its products, in one pass each.

use pulp::Arch;
use rayon::prelude::*;

use super::element::Element;
use super::sums::sum;

/// Numbers of one task, at least.
const PART: usize = 1 << 14;

/// Whole rows of `columns` that make up a task.
fn part(columns: usize) -> usize {
    PART.div_ceil(columns.max(1)).max(1) * columns.max(1)
}

/// Adds its bias to every row of `product [O, F]`, and cuts negative numbers off (`rectify`).
pub fn add_bias<T: Element>(product: &mut [T], bias: &[T], rectify: bool) {
    let columns = product.len() / bias.len().max(1);
    let rows = part(columns) / columns.max(1);
    product.par_chunks_mut(part(columns)).zip(bias.par_chunks(rows)).for_each(|(product, bias)| {
        Arch::new().dispatch(
            #[inline(always)]
            || match rectify {
                true => shift::<T, true>(product, columns, bias),
                false => shift::<T, false>(product, columns, bias),
            },
        );
    });
}

#[inline(always)]
fn shift<T: Element, const RECTIFY: bool>(product: &mut [T], columns: usize, bias: &[T]) {
    for (row, &bias) in product.chunks_exact_mut(columns).zip(bias) {
        for v in row {
            let sum = *v + bias;
            // A comparison, unlike `max`, keeps a NaN.
            *v = if RECTIFY && sum < T::zero() { T::zero() } else { sum };
        }
    }
}

/// Keeps the gradient `g [O, F]` where the output is positive (`rectify`, else everywhere); returns the sums of its rows.
pub fn gate<T: Element>(out: &[T], g: &mut [T], rows: usize, rectify: bool) -> Vec<T> {
    let columns = g.len() / rows.max(1);
    let mut sums = vec![T::zero(); rows];
    let parts = g.par_chunks_mut(part(columns)).zip(out.par_chunks(part(columns)));
    parts.zip(sums.par_chunks_mut(part(columns) / columns.max(1))).for_each(|((g, out), sums)| {
        Arch::new().dispatch(
            #[inline(always)]
            || {
                for ((g, out), total) in g.chunks_exact_mut(columns).zip(out.chunks_exact(columns)).zip(sums) {
                    *total = if rectify { keep::<T, true>(g, out) } else { keep::<T, false>(g, out) };
                }
            },
        );
    });
    sums
}

/// Gradients of one row where the output is positive, and their sum. Two passes over cached numbers: a single one is not
/// compiled to vector code.
#[inline(always)]
fn keep<T: Element, const RECTIFY: bool>(g: &mut [T], out: &[T]) -> T {
    if RECTIFY {
        for (g, &out) in g.iter_mut().zip(out) {
            let passed = *g;
            *g = if out <= T::zero() { T::zero() } else { passed };
        }
    }
    sum::<16, T>(g, |v| v)
}
