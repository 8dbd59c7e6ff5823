//! Row kernels: energies, weights and the Onsager product, one pass over memory each.

use rayon::prelude::*;

use super::antennas::{Apply, Outer, twice_hermitian_part};
use super::element::Element;

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
    /// Numbers of a frame.
    #[inline]
    pub fn frame(&self) -> usize {
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
                || row_dots(out, a, b),
            );
        },
    );
    out
}

/// [`row_dot`] of one frame, `[K]`.
#[inline(always)]
pub(super) fn row_dots<T: Element>(out: &mut [T], a: &[T], b: &[T]) {
    out.fill(T::zero());
    for (a, b) in a.chunks_exact(out.len()).zip(b.chunks_exact(out.len())) {
        for ((o, &a), &b) in out.iter_mut().zip(a).zip(b) {
            *o += a * b;
        }
    }
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
            );
        },
    );
    out
}

#[inline(always)]
pub(super) fn scale_frame<T: Element>(out: &mut [T], z: &[T], c: &[T]) {
    for (out, z) in out.chunks_exact_mut(c.len()).zip(z.chunks_exact(c.len())) {
        for ((o, &z), &c) in out.iter_mut().zip(z).zip(c) {
            *o = c * z;
        }
    }
}

/// Scratch of one frame; reused by all frames of a worker.
struct Scratch<T> {
    scaled: Vec<T>,
    jr: Vec<T>,
    ji: Vec<T>,
}

impl<T: Element> Scratch<T> {
    fn new(m: usize, width: usize) -> Self {
        Self { scaled: vec![T::zero(); m * width], jr: vec![T::zero(); m * m], ji: vec![T::zero(); m * m] }
    }

    /// `J = sum_k t_k z_k z_k^H` into `jr`, `ji`.
    #[inline]
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
            || Scratch::new(m, 2 * k),
            |s, (((out, r), z), t)| {
                s.jacobian(arch, z, t, m);
                arch.dispatch(Apply { out, jr: &s.jr, ji: &s.ji, x: r, antennas: m, columns: l });
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
            || (Scratch::new(m, 2 * k), vec![T::zero(); m * m], vec![T::zero(); m * m]),
            |(s, hr, hi), ((((gz, gt), gr), (z, t)), (r, g))| {
                s.jacobian(arch, z, t, m);
                arch.dispatch(Apply { out: gr, jr: &s.jr, ji: &s.ji, x: g, antennas: m, columns: l });
                // P = G r^H, then its Hermitian part (twice).
                let (jr, ji) = (&mut s.jr[..], &mut s.ji[..]);
                arch.dispatch(Outer { jr, ji, a: g, b: r, antennas: m, columns: l, hermitian: false });
                twice_hermitian_part([hr, hi], [&s.jr, &s.ji], m);
                arch.dispatch(Apply { out: &mut *gz, jr: hr, ji: hi, x: z, antennas: m, columns: k });
                arch.dispatch(
                    #[inline(always)]
                    || weigh(gz, gt, z, t),
                );
            },
        );
    (gz, gt, gr)
}
