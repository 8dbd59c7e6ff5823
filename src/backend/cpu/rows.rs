//! Row kernels: energies, weights and the Onsager product, one pass over memory each.

use rayon::prelude::*;

use super::element::{Element, View, matmul};

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
    fn frame(&self) -> usize {
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
                || {
                    for (a, b) in a.chunks_exact(k).zip(b.chunks_exact(k)) {
                        for ((o, &a), &b) in out.iter_mut().zip(a).zip(b) {
                            *o += a * b;
                        }
                    }
                },
            );
        },
    );
    out
}

/// `out[f, m, :, k] = c[f, k] z[f, m, :, k]`.
pub fn row_scale<T: Element>(z: &[T], c: &[T], shape: RowShape) -> Vec<T> {
    let mut out = vec![T::zero(); z.len()];
    let arch = pulp::Arch::new();
    out.par_chunks_mut(shape.frame()).zip(z.par_chunks(shape.frame())).zip(c.par_chunks(shape.columns)).for_each(
        |((out, z), c)| arch.dispatch(#[inline(always)] || scale_frame(out, z, c)),
    );
    out
}

#[inline(always)]
fn scale_frame<T: Element>(out: &mut [T], z: &[T], c: &[T]) {
    for (out, z) in out.chunks_exact_mut(c.len()).zip(z.chunks_exact(c.len())) {
        for ((o, &z), &c) in out.iter_mut().zip(z).zip(c) {
            *o = c * z;
        }
    }
}

/// `out = [-im, re]` of every stacked row: multiplication by the imaginary unit.
#[inline(always)]
fn rotate<T: Element>(out: &mut [T], x: &[T], columns: usize) {
    for (o, x) in out.chunks_exact_mut(2 * columns).zip(x.chunks_exact(2 * columns)) {
        let (re, im) = x.split_at(columns);
        let (o_re, o_im) = o.split_at_mut(columns);
        for (o, &v) in o_re.iter_mut().zip(im) {
            *o = -v;
        }
        o_im.copy_from_slice(re);
    }
}

/// Scratch of one frame; reused by all frames of a worker.
struct Scratch<T> {
    scaled: Vec<T>,
    rotated: Vec<T>,
    jr: Vec<T>,
    ji: Vec<T>,
}

impl<T: Element> Scratch<T> {
    fn new(m: usize, width: usize) -> Self {
        Self {
            scaled: vec![T::zero(); m * width],
            rotated: vec![T::zero(); m * width],
            jr: vec![T::zero(); m * m],
            ji: vec![T::zero(); m * m],
        }
    }
}

/// `J = A B^H` of stacked `[M, 2K]` arrays: with `b' = i b`, `Re J = A B^T` and `Im J = A B'^T`.
fn hermitian_product<T: Element>(jr: &mut [T], ji: &mut [T], rotated: &mut [T], a: &[T], b: &[T], m: usize, k: usize) {
    rotate(&mut rotated[..m * 2 * k], b, k);
    matmul(jr, View::new(a, m, 2 * k), View::new(b, m, 2 * k).t(), false);
    matmul(ji, View::new(a, m, 2 * k), View::new(&rotated[..m * 2 * k], m, 2 * k).t(), false);
}

/// `out = J x` of a stacked `[M, 2K]` array: `Re J x + Im J (i x)`.
fn apply<T: Element>(out: &mut [T], jr: &[T], ji: &[T], x: &[T], rotated: &mut [T], m: usize, k: usize) {
    rotate(&mut rotated[..m * 2 * k], x, k);
    matmul(out, View::new(jr, m, m), View::new(x, m, 2 * k), false);
    matmul(out, View::new(ji, m, m), View::new(&rotated[..m * 2 * k], m, 2 * k), true);
}

/// `o = J r`, `J = sum_k t_k z_k z_k^H`; `l` complex columns of `r`.
pub fn row_onsager<T: Element>(z: &[T], t: &[T], r: &[T], shape: RowShape, l: usize) -> Vec<T> {
    let (m, k) = (shape.antennas, shape.columns);
    let mut out = vec![T::zero(); r.len()];
    out.par_chunks_mut(m * 2 * l)
        .zip(r.par_chunks(m * 2 * l))
        .zip(z.par_chunks(shape.frame()))
        .zip(t.par_chunks(k))
        .for_each_init(
            || Scratch::new(m, 2 * k.max(l)),
            |s, (((out, r), z), t)| {
                scale_frame(&mut s.scaled[..m * 2 * k], z, t);
                hermitian_product(&mut s.jr, &mut s.ji, &mut s.rotated, &s.scaled[..m * 2 * k], z, m, k);
                apply(out, &s.jr, &s.ji, r, &mut s.rotated, m, l);
            },
        );
    out
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
    let half = T::narrow(0.5);
    gz.par_chunks_mut(shape.frame())
        .zip(gt.par_chunks_mut(k))
        .zip(gr.par_chunks_mut(m * 2 * l))
        .zip(z.par_chunks(shape.frame()).zip(t.par_chunks(k)))
        .zip(r.par_chunks(m * 2 * l).zip(g.par_chunks(m * 2 * l)))
        .for_each_init(
            || (Scratch::new(m, 2 * k.max(l)), vec![T::zero(); m * m], vec![T::zero(); m * m]),
            |(s, hr, hi), ((((gz, gt), gr), (z, t)), (r, g))| {
                scale_frame(&mut s.scaled[..m * 2 * k], z, t);
                hermitian_product(&mut s.jr, &mut s.ji, &mut s.rotated, &s.scaled[..m * 2 * k], z, m, k);
                apply(gr, &s.jr, &s.ji, g, &mut s.rotated, m, l);
                // P = G r^H, then its Hermitian part (twice).
                hermitian_product(&mut s.jr, &mut s.ji, &mut s.rotated, g, r, m, l);
                for i in 0..m {
                    for j in 0..m {
                        hr[i * m + j] = s.jr[i * m + j] + s.jr[j * m + i];
                        hi[i * m + j] = s.ji[i * m + j] - s.ji[j * m + i];
                    }
                }
                apply(gz, hr, hi, z, &mut s.rotated, m, k);
                for (gz, z) in gz.chunks_exact_mut(k).zip(z.chunks_exact(k)) {
                    for (((gt, gz), &z), &t) in gt.iter_mut().zip(gz.iter_mut()).zip(z).zip(t) {
                        *gt += half * z * *gz;
                        *gz *= t;
                    }
                }
            },
        );
    (gz, gt, gr)
}
