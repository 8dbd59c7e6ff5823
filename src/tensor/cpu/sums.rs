//! Sums over slices in N independent partial sums: the order is fixed, and registers hold them.

use super::element::Element;

/// Sum of `f` over a slice.
#[inline(always)]
pub fn sum<const N: usize, T: Element>(values: &[T], f: impl Fn(T) -> T) -> T {
    let mut sums = [T::zero(); N];
    let chunks = values.chunks_exact(N);
    let rest: T = chunks.remainder().iter().map(|&v| f(v)).sum();
    for chunk in chunks {
        for (s, &v) in sums.iter_mut().zip(chunk) {
            *s += f(v);
        }
    }
    rest + sums.into_iter().sum()
}

/// Sum of `a f(b)` over two slices.
#[inline(always)]
pub fn dot<const N: usize, T: Element>(a: &[T], b: &[T], f: impl Fn(T) -> T) -> T {
    let mut sums = [T::zero(); N];
    let whole = a.len() / N * N;
    for (a, b) in a.chunks_exact(N).zip(b.chunks_exact(N)) {
        for ((s, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *s += a * f(b);
        }
    }
    let rest: T = a[whole..].iter().zip(&b[whole..]).map(|(&a, &b)| a * f(b)).sum();
    rest + sums.into_iter().sum()
}
