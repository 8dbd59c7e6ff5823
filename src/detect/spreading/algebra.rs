//! Small complex linear algebra: matrices are row-major slices of a few rows.

use crate::link::C64;

/// `a^H b`.
#[inline]
pub(crate) fn dot(a: &[C64], b: &[C64]) -> C64 {
    a.iter().zip(b).map(|(a, b)| a.conj() * b).sum()
}

/// `||a||^2`.
#[inline]
pub(crate) fn energy(a: &[C64]) -> f64 {
    a.iter().map(|v| v.norm_sqr()).sum()
}

/// `out = P a` for a `[n, n]` matrix.
#[inline]
pub(crate) fn apply(p: &[C64], a: &[C64], out: &mut [C64]) {
    for (row, out) in p.chunks_exact(a.len()).zip(out) {
        *out = row.iter().zip(a).map(|(p, a)| p * a).sum();
    }
}

/// `C <- C + scale a a^H`.
#[inline]
pub(crate) fn add_outer(c: &mut [C64], scale: f64, a: &[C64]) {
    for (row, left) in c.chunks_exact_mut(a.len()).zip(a) {
        for (c, right) in row.iter_mut().zip(a) {
            *c += scale * left * right.conj();
        }
    }
}

/// `a <- a - g x`.
#[inline]
pub(crate) fn subtract(a: &mut [C64], g: &[C64], x: C64) {
    for (a, g) in a.iter_mut().zip(g) {
        *a -= g * x;
    }
}

/// Replaces a Hermitian positive definite `[n, n]` matrix by its inverse (Cholesky, `C^-1 = L^-H L^-1`).
///
/// A pivot at rounding level is raised to it, so a singular matrix gives large but finite numbers.
pub(crate) fn invert(c: &mut [C64], n: usize) {
    let floor = (0..n).map(|i| c[i * n + i].re).fold(0.0, f64::max) * f64::EPSILON + f64::MIN_POSITIVE;
    // L in the lower triangle.
    for j in 0..n {
        let pivot = c[j * n + j].re - energy(&c[j * n..j * n + j]);
        let root = pivot.max(floor).sqrt();
        c[j * n + j] = root.into();
        for i in j + 1..n {
            let mut sum = c[i * n + j];
            for k in 0..j {
                sum -= c[i * n + k] * c[j * n + k].conj();
            }
            c[i * n + j] = sum / root;
        }
    }
    // L^-1 in its place, column by column.
    for j in 0..n {
        let first = 1.0 / c[j * n + j].re;
        c[j * n + j] = first.into();
        for i in j + 1..n {
            let mut sum = C64::default();
            for k in j..i {
                sum += c[i * n + k] * c[k * n + j];
            }
            c[i * n + j] = -sum / c[i * n + i].re;
        }
    }
    // The upper triangle of L^-H L^-1 needs rows from its own on only, so it may overwrite them in order.
    for i in 0..n {
        for j in i..n {
            c[i * n + j] = (j..n).map(|k| c[k * n + i].conj() * c[k * n + j]).sum();
        }
    }
    for i in 0..n {
        for j in 0..i {
            c[i * n + j] = c[j * n + i].conj();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverse_times_matrix_is_the_identity() {
        for n in 1..7 {
            let mut c = vec![C64::default(); n * n];
            for i in 0..n {
                c[i * n + i] = 0.1.into();
            }
            for k in 0..n + 2 {
                let a: Vec<C64> =
                    (0..n).map(|i| C64::new(((i * 7 + k * 3) % 5) as f64 - 2.0, ((i + k * k) % 3) as f64)).collect();
                add_outer(&mut c, 0.7, &a);
            }
            let mut inverse = c.clone();
            invert(&mut inverse, n);
            for i in 0..n {
                for j in 0..n {
                    let sum: C64 = (0..n).map(|k| c[i * n + k] * inverse[k * n + j]).sum();
                    assert!((sum - C64::from(f64::from(i == j))).norm() < 1e-9, "{n}: {i} {j} {sum}");
                }
            }
        }
    }
}
