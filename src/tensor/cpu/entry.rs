//! The entry-wise denoiser of the DL-mAMPnet paper and its slope, one pass over memory each.

use pulp::Arch;
use rayon::prelude::*;

use super::element::Element;
use super::rows::RowShape;
use crate::tensor::EntryPart;

/// `sigmoid(u)` and `sigmoid(-u)`, both to full precision.
#[inline(always)]
fn shares<T: Element>(u: T) -> (T, T) {
    let e = (-u.abs()).exp_of_negative();
    let large = T::one() / (T::one() + e);
    let small = e * large;
    if u < T::zero() { (small, large) } else { (large, small) }
}

/// Weights of a frame, `[K]` each.
#[derive(Clone, Copy)]
struct Weights<'a, T> {
    omega: &'a [T],
    a: &'a [T],
    offset: &'a [T],
}

/// Weights `[F, K]` of the denoiser: see [`entry_denoise`](crate::tensor::entry_denoise).
#[derive(Debug, Clone, Copy)]
pub struct EntryInputs<'a, T> {
    /// `[F*M, 2K]`.
    pub z: &'a [T],
    /// Largest factor on an entry.
    pub omega: &'a [T],
    /// Log-odds per squared entry.
    pub a: &'a [T],
    /// Log-odds against the prior.
    pub offset: &'a [T],
}

impl<'a, T: Element> EntryInputs<'a, T> {
    /// Observations and weights of a frame.
    fn frame(&self, f: usize, shape: RowShape) -> (&'a [T], Weights<'a, T>) {
        let (k, size) = (shape.columns, shape.frame());
        let part = f * k..(f + 1) * k;
        let weights =
            Weights { omega: &self.omega[part.clone()], a: &self.a[part.clone()], offset: &self.offset[part] };
        (&self.z[f * size..(f + 1) * size], weights)
    }
}

/// Forward pass: `[F*M, 2K]` or `[F, 1]`.
pub fn entry_denoise<T: Element>(inputs: EntryInputs<'_, T>, shape: RowShape, part: EntryPart) -> Vec<T> {
    let width = match part {
        EntryPart::Estimate => shape.frame(),
        EntryPart::Slope => 1,
    };
    let mut out = vec![T::zero(); shape.frames * width];
    out.par_chunks_mut(width).enumerate().for_each(|(f, out)| {
        let (z, w) = inputs.frame(f, shape);
        Arch::new().dispatch(
            #[inline(always)]
            || match part {
                EntryPart::Estimate => estimate(out, z, w),
                EntryPart::Slope => out[0] = slope(z, w),
            },
        );
    });
    out
}

#[inline(always)]
fn estimate<T: Element>(out: &mut [T], z: &[T], w: Weights<'_, T>) {
    let k = w.omega.len();
    for (out, z) in out.chunks_exact_mut(k).zip(z.chunks_exact(k)) {
        let (out, z, omega, a, offset) = (&mut out[..k], &z[..k], &w.omega[..k], &w.a[..k], &w.offset[..k]);
        for i in 0..k {
            let (phi, _) = shares(a[i] * z[i] * z[i] - offset[i]);
            out[i] = omega[i] * phi * z[i];
        }
    }
}

#[inline(always)]
fn slope<T: Element>(z: &[T], w: Weights<'_, T>) -> T {
    let k = w.omega.len();
    let two = T::one() + T::one();
    // A sum per column, over the rows: the loop over columns has no order to keep.
    let mut sums = vec![T::zero(); k];
    for z in z.chunks_exact(k) {
        let (sums, z, omega, a, offset) = (&mut sums[..k], &z[..k], &w.omega[..k], &w.a[..k], &w.offset[..k]);
        for i in 0..k {
            let e = a[i] * z[i] * z[i];
            let (phi, rest) = shares(e - offset[i]);
            sums[i] += omega[i] * phi * (T::one() + two * e * rest);
        }
    }
    sums.into_iter().sum()
}

/// Gradients of [`entry_denoise`].
#[derive(Debug)]
pub struct EntryGradients<T> {
    /// `[F*M, 2K]`.
    pub z: Vec<T>,
    /// `[F, K]`.
    pub omega: Vec<T>,
    /// `[F, K]`.
    pub a: Vec<T>,
    /// `[F, K]`.
    pub offset: Vec<T>,
}

/// Backward pass for the gradient g of the output.
pub fn entry_denoise_backward<T: Element>(
    inputs: EntryInputs<'_, T>,
    g: &[T],
    shape: RowShape,
    part: EntryPart,
) -> EntryGradients<T> {
    let k = shape.columns;
    let zeros = vec![T::zero(); shape.frames * k];
    let mut out =
        EntryGradients { z: vec![T::zero(); inputs.z.len()], omega: zeros.clone(), a: zeros.clone(), offset: zeros };
    out.z
        .par_chunks_mut(shape.frame())
        .zip(out.omega.par_chunks_mut(k).zip(out.a.par_chunks_mut(k).zip(out.offset.par_chunks_mut(k))))
        .enumerate()
        .for_each(|(f, (g_z, (g_omega, (g_a, g_offset))))| {
            let (z, w) = inputs.frame(f, shape);
            let sums = [g_omega, g_a, g_offset];
            Arch::new().dispatch(
                #[inline(always)]
                || match part {
                    EntryPart::Estimate => {
                        estimate_backward(z, w, &g[f * shape.frame()..(f + 1) * shape.frame()], g_z, sums);
                    }
                    EntryPart::Slope => slope_backward(z, w, g[f], g_z, sums),
                },
            );
        });
    out
}

#[inline(always)]
fn estimate_backward<T: Element>(z: &[T], w: Weights<'_, T>, g: &[T], g_z: &mut [T], sums: [&mut [T]; 3]) {
    let k = w.omega.len();
    let two = T::one() + T::one();
    let [g_omega, g_a, g_offset] = sums;
    for ((g_z, z), g) in g_z.chunks_exact_mut(k).zip(z.chunks_exact(k)).zip(g.chunks_exact(k)) {
        let (g_z, z, g) = (&mut g_z[..k], &z[..k], &g[..k]);
        let (omega, a, offset) = (&w.omega[..k], &w.a[..k], &w.offset[..k]);
        let (g_omega, g_a, g_offset) = (&mut g_omega[..k], &mut g_a[..k], &mut g_offset[..k]);
        for i in 0..k {
            let e = a[i] * z[i] * z[i];
            let (phi, rest) = shares(e - offset[i]);
            let passed = g[i] * phi;
            g_z[i] = passed * omega[i] * (T::one() + two * e * rest);
            g_omega[i] += passed * z[i];
            let by_exponent = passed * omega[i] * rest * z[i];
            g_a[i] += by_exponent * z[i] * z[i];
            g_offset[i] -= by_exponent;
        }
    }
}

#[inline(always)]
fn slope_backward<T: Element>(z: &[T], w: Weights<'_, T>, g: T, g_z: &mut [T], sums: [&mut [T]; 3]) {
    let k = w.omega.len();
    let two = T::one() + T::one();
    let [g_omega, g_a, g_offset] = sums;
    for (g_z, z) in g_z.chunks_exact_mut(k).zip(z.chunks_exact(k)) {
        let (g_z, z) = (&mut g_z[..k], &z[..k]);
        let (omega, a, offset) = (&w.omega[..k], &w.a[..k], &w.offset[..k]);
        let (g_omega, g_a, g_offset) = (&mut g_omega[..k], &mut g_a[..k], &mut g_offset[..k]);
        for i in 0..k {
            let e = a[i] * z[i] * z[i];
            let (phi, rest) = shares(e - offset[i]);
            g_omega[i] += g * phi * (T::one() + two * e * rest);
            // Derivative of phi (1 + 2 e (1 - phi)) through the exponent alone, and with that through e.
            let by_exponent = T::one() + two * e * (rest - phi);
            let scale = g * omega[i] * phi * rest;
            let by_square = scale * (by_exponent + two);
            g_z[i] = by_square * two * a[i] * z[i];
            g_a[i] += by_square * z[i] * z[i];
            g_offset[i] -= scale * by_exponent;
        }
    }
}
