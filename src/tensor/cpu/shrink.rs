//! The row soft threshold: one pass per frame for the energies of its rows, one for the rows.

use pulp::Arch;
use rayon::prelude::*;

use super::element::Element;
use super::rows::{RowShape, row_dots, scale_frame};

/// `out_k = (1 - tau_k/||z_k||)_+ z_k`; rows whose energy is below `tiny` count as zero. `z [F*M, 2K]`, `tau [F, K]`.
pub fn group_shrink<T: Element>(z: &[T], tau: &[T], shape: RowShape, tiny: T) -> Vec<T> {
    let (mut out, frame, k) = (vec![T::zero(); z.len()], shape.frame(), shape.columns);
    out.par_chunks_mut(frame).zip(z.par_chunks(frame)).zip(tau.par_chunks(k)).for_each_init(
        || vec![T::zero(); k],
        |kept, ((out, z), tau)| {
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    row_dots(kept, z, z);
                    keep(kept, tau, tiny);
                    scale_frame(out, z, kept);
                },
            );
        },
    );
    out
}

/// Gradients of [`group_shrink`] with respect to z and tau, for the gradient `g` of its output.
pub fn group_shrink_backward<T: Element>(z: &[T], tau: &[T], g: &[T], shape: RowShape, tiny: T) -> (Vec<T>, Vec<T>) {
    let (frame, k) = (shape.frame(), shape.columns);
    let (mut by_z, mut by_tau) = (vec![T::zero(); z.len()], vec![T::zero(); tau.len()]);
    by_z.par_chunks_mut(frame)
        .zip(by_tau.par_chunks_mut(k))
        .zip(z.par_chunks(frame).zip(g.par_chunks(frame)).zip(tau.par_chunks(k)))
        .for_each_init(
            || (vec![T::zero(); k], vec![T::zero(); k]),
            |(kept, along), ((by_z, by_tau), ((z, g), tau))| {
                Arch::new().dispatch(
                    #[inline(always)]
                    || {
                        row_dots(kept, z, z);
                        row_dots(along, z, g);
                        slopes(kept, along, by_tau, tau, tiny);
                        combine(by_z, g, z, kept, along);
                    },
                );
            },
        );
    (by_z, by_tau)
}

/// `(1 - tau/n)_+` in place of the energy `n^2`.
#[inline(always)]
fn keep<T: Element>(energy: &mut [T], tau: &[T], tiny: T) {
    for (e, &tau) in energy.iter_mut().zip(tau) {
        let n = (if *e < tiny { tiny } else { *e }).sqrt();
        let part = T::one() - tau / n;
        *e = if part < T::zero() { T::zero() } else { part };
    }
}

/// The kept part in place of the energy, `tau/n^3 Re(z^H g)` in place of `Re(z^H g)`, and `-Re(z^H g)/n`; zero for removed
/// rows.
#[inline(always)]
fn slopes<T: Element>(energy: &mut [T], aligned: &mut [T], by_tau: &mut [T], tau: &[T], tiny: T) {
    for (((e, aligned), by_tau), &tau) in energy.iter_mut().zip(aligned).zip(by_tau).zip(tau) {
        let square = if *e < tiny { tiny } else { *e };
        let n = square.sqrt();
        let part = T::one() - tau / n;
        let along = if part > T::zero() { *aligned / n } else { T::zero() };
        *e = if part < T::zero() { T::zero() } else { part };
        *aligned = along * tau / square;
        *by_tau = -along;
    }
}

/// `kept g + along z`.
#[inline(always)]
fn combine<T: Element>(out: &mut [T], g: &[T], z: &[T], kept: &[T], along: &[T]) {
    let k = kept.len();
    let along = &along[..k];
    for ((out, g), z) in out.chunks_exact_mut(k).zip(g.chunks_exact(k)).zip(z.chunks_exact(k)) {
        for i in 0..k {
            out[i] = kept[i] * g[i] + along[i] * z[i];
        }
    }
}
