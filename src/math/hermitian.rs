//! Eigenvalues and eigenvectors of a small Hermitian matrix (cyclic Jacobi rotations).

use num_complex::Complex64;

/// Sweeps at most; a dozen are enough for matrices of a hundred rows.
const SWEEPS: usize = 60;

/// `A = V diag(values) V^H`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Eigen {
    /// Eigenvalues in no order.
    pub values: Vec<f64>,
    /// Column j is the eigenvector of value j, `[n, n]` row-major, unitary.
    pub vectors: Vec<Complex64>,
}

/// Decomposes `a [n, n]`, row-major; only its lower triangle's conjugate is trusted to be the upper one.
pub(crate) fn eigen(n: usize, a: &[Complex64]) -> Eigen {
    let mut a = a.to_vec();
    let mut v = vec![Complex64::default(); n * n];
    for i in 0..n {
        v[i * n + i] = Complex64::ONE;
    }
    let scale: f64 = a.iter().map(Complex64::norm_sqr).sum();
    for _ in 0..SWEEPS {
        let off: f64 = (0..n).flat_map(|i| (0..i).map(move |j| i * n + j)).map(|k| a[k].norm_sqr()).sum();
        if off <= 1e-30 * scale {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                rotate(n, &mut a, &mut v, p, q);
            }
        }
    }
    Eigen { values: (0..n).map(|i| a[i * n + i].re).collect(), vectors: v }
}

/// Makes entry (p, q) zero: `A <- J^H A J`, `V <- V J`.
fn rotate(n: usize, a: &mut [Complex64], v: &mut [Complex64], p: usize, q: usize) {
    let size = a[p * n + q].norm();
    if size == 0.0 {
        return;
    }
    let phase = a[p * n + q] / size;
    let theta = (a[q * n + q].re - a[p * n + p].re) / (2.0 * size);
    let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let c = 1.0 / (t * t + 1.0).sqrt();
    let s = t * c;
    // Columns p and q of A and V, then rows of A.
    let turn = |x: &mut [Complex64], k: usize| {
        let (xp, xq) = (x[k * n + p], x[k * n + q]);
        x[k * n + p] = c * xp - s * phase.conj() * xq;
        x[k * n + q] = s * phase * xp + c * xq;
    };
    for k in 0..n {
        turn(a, k);
        turn(v, k);
    }
    for k in 0..n {
        let (xp, xq) = (a[p * n + k], a[q * n + k]);
        a[p * n + k] = c * xp - s * phase * xq;
        a[q * n + k] = s * phase.conj() * xp + c * xq;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factors_multiply_to_the_matrix() {
        for n in [1, 2, 5, 16] {
            let number = |i: usize| ((i * 7919 + 13) % 1009) as f64 / 504.5 - 1.0;
            let mut a = vec![Complex64::default(); n * n];
            for i in 0..n {
                for j in 0..=i {
                    let v = Complex64::new(number(i * n + j), if i == j { 0.0 } else { number(j * n + i + 500) });
                    a[i * n + j] = v;
                    a[j * n + i] = v.conj();
                }
            }
            let e = eigen(n, &a);
            for i in 0..n {
                for j in 0..n {
                    let entry = |x: usize, y: usize| e.vectors[x * n + y];
                    let back: Complex64 = (0..n).map(|k| entry(i, k) * e.values[k] * entry(j, k).conj()).sum();
                    let unit: Complex64 = (0..n).map(|k| entry(k, i).conj() * entry(k, j)).sum();
                    assert!((back - a[i * n + j]).norm() < 1e-10, "{n} {i} {j}: {back} {}", a[i * n + j]);
                    assert!((unit - f64::from(u8::from(i == j))).norm() < 1e-12, "{n} {i} {j}");
                }
            }
        }
    }
}
