//! The exponential linear unit: number by number, for loops that become vector code, and of whole tensors.

use pulp::Arch;
use rayon::prelude::*;

use super::element::Element;

/// `max(x, 0) + exp(min(x, 0)) - 1`.
#[inline(always)]
pub fn elu<T: Element>(x: T) -> T {
    let y = x.max(T::zero()) + (x.min(T::zero()).exp_of_negative() - T::one());
    // min and max drop a NaN; it has to reach the loss, which stops the training.
    if x.is_nan() { x } else { y }
}

/// `g <- g elu'(x)`.
#[inline(always)]
pub fn scale_by_slope<T: Element>(g: &mut [T], x: &[T]) {
    for (g, &x) in g.iter_mut().zip(x) {
        *g *= x.min(T::zero()).exp_of_negative();
    }
}

/// Numbers of one task.
const PART: usize = 1 << 14;

/// [`elu`] of all numbers.
pub fn exp_linear<T: Element>(x: &[T]) -> Vec<T> {
    let mut out = vec![T::zero(); x.len()];
    out.par_chunks_mut(PART).zip(x.par_chunks(PART)).for_each(|(out, x)| {
        Arch::new().dispatch(
            #[inline(always)]
            || {
                for (out, &x) in out.iter_mut().zip(x) {
                    *out = elu(x);
                }
            },
        );
    });
    out
}

/// Gradient of [`exp_linear`] for the gradient `g` of its output.
pub fn exp_linear_backward<T: Element>(x: &[T], g: &[T]) -> Vec<T> {
    let mut out = g.to_vec();
    out.par_chunks_mut(PART).zip(x.par_chunks(PART)).for_each(|(out, x)| {
        Arch::new().dispatch(
            #[inline(always)]
            || scale_by_slope(out, x),
        );
    });
    out
}
