//! A step of Adam in one pass over memory.

use pulp::Arch;
use rayon::prelude::*;

use super::element::Element;
use crate::tensor::AdamRule;

/// Numbers of one task.
const PART: usize = 1 << 14;

/// Updates the parameters `p`, the mean gradient `m` and the mean square `v` for the gradient `g`.
pub fn adam_step<T: Element>(p: &mut [T], m: &mut [T], v: &mut [T], g: &[T], rule: AdamRule) {
    let [keep_1, keep_2] = [rule.beta_1, rule.beta_2].map(T::narrow);
    let [new_1, new_2] = [1.0 - rule.beta_1, 1.0 - rule.beta_2].map(T::narrow);
    let [rate, epsilon] = [rule.rate, rule.epsilon].map(T::narrow);
    p.par_chunks_mut(PART).zip(m.par_chunks_mut(PART)).zip(v.par_chunks_mut(PART).zip(g.par_chunks(PART))).for_each(
        |((p, m), (v, g))| {
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    for (((p, m), v), &g) in p.iter_mut().zip(m).zip(v).zip(g) {
                        *m = keep_1 * *m + new_1 * g;
                        *v = keep_2 * *v + new_2 * (g * g);
                        *p -= rate * *m / (v.sqrt() + epsilon);
                    }
                },
            );
        },
    );
}
