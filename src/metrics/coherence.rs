//! Coherence of a pilot matrix: how alike its columns are.

use num_complex::Complex64;
use rayon::prelude::*;

use crate::link::Pilots;

/// Coherence measures of a pilot matrix whose columns form blocks; columns count with unit norm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PilotCoherence {
    /// `max |a_i^H a_j|` over different columns.
    pub coherence: f64,
    /// `max rho(A_i^H A_j)/d` over different blocks of d columns, rho the largest singular value; `None` with one block.
    pub block: Option<f64>,
    /// `max |a_i^H a_j|` over different columns of one block; `None` with blocks of one column.
    pub sub: Option<f64>,
}

/// The smallest coherence that n columns of length l can have: `sqrt((n - l)/(l (n - 1)))`, 0 when `n <= l`.
///
/// L. R. Welch, "Lower bounds on the maximum cross correlation of signals", IEEE Trans. Inf. Theory 20 (1974), 397-399.
pub fn welch_bound(length: usize, columns: usize) -> f64 {
    if columns <= length || columns < 2 {
        return 0.0;
    }
    ((columns - length) as f64 / (length as f64 * (columns - 1) as f64)).sqrt()
}

/// Coherence measures of `pilots` with blocks of `block` neighbouring columns (1: every column on its own).
///
/// Block-coherence divides the spectral norm of the correlations of two blocks by their size, so that it never exceeds
/// the coherence (Y. C. Eldar, P. Kuppinger and H. Boelcskei, "Block-sparse signals: uncertainty relations and efficient
/// recovery", IEEE Trans. Signal Process. 58 (2010), 3042-3054). All three are pure numbers in [0, 1].
///
/// # Panics
/// When `block` is 0 or does not divide the number of columns.
pub fn pilot_coherence(pilots: &Pilots, block: usize) -> PilotCoherence {
    let n = pilots.columns();
    assert!(block > 0 && n.is_multiple_of(block), "blocks of {block} columns do not divide {n} columns");
    let columns: Vec<Vec<Complex64>> = (0..n)
        .map(|i| {
            let a = pilots.column(i);
            let norm = a.iter().map(|v| v.norm_sqr()).sum::<f64>().sqrt();
            a.iter().map(|v| if norm > 0.0 { v / norm } else { *v }).collect()
        })
        .collect();
    let inner =
        |i: usize, j: usize| -> Complex64 { columns[i].iter().zip(&columns[j]).map(|(a, b)| a.conj() * b).sum() };
    let largest = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, f64::max);
    // (coherence, within blocks, between blocks) of the block with every later one.
    let of_block = |b: usize| {
        let own = b * block..(b + 1) * block;
        let within = largest(
            &mut own.clone().flat_map(|i| (i + 1..own.end).map(move |j| (i, j))).map(|(i, j)| inner(i, j).norm()),
        );
        let (mut between, mut any) = (0.0_f64, within);
        let mut correlations = vec![Complex64::default(); block * block];
        for other in b + 1..n / block {
            for (at, v) in correlations.iter_mut().enumerate() {
                *v = inner(b * block + at / block, other * block + at % block);
            }
            any = any.max(largest(&mut correlations.iter().map(|v| v.norm())));
            between = between.max(spectral_norm(&correlations, block) / block as f64);
        }
        (any, within, between)
    };
    let (coherence, within, between) = (0..n / block)
        .into_par_iter()
        .map(of_block)
        .reduce(|| (0.0, 0.0, 0.0), |a, b| (a.0.max(b.0), a.1.max(b.1), a.2.max(b.2)));
    PilotCoherence { coherence, block: (n > block).then_some(between), sub: (block > 1).then_some(within) }
}

/// Largest singular value of a square matrix by power iteration on `G^H G`.
fn spectral_norm(g: &[Complex64], size: usize) -> f64 {
    if size == 1 {
        return g[0].norm();
    }
    // From every row: they span the row space, so one of them has a part along the leading right singular vector.
    g.chunks_exact(size).map(|row| power_iteration(g, row, size)).fold(0.0, f64::max)
}

/// Power iteration on `G^H G` from the conjugate of a row.
fn power_iteration(g: &[Complex64], row: &[Complex64], size: usize) -> f64 {
    let energy = |r: &[Complex64]| r.iter().map(|v| v.norm_sqr()).sum::<f64>();
    let mut v: Vec<Complex64> = row.iter().map(|x| x.conj()).collect();
    let mut last = 0.0;
    for _ in 0..500 {
        let norm = energy(&v).sqrt();
        if norm == 0.0 {
            return 0.0;
        }
        v.iter_mut().for_each(|x| *x /= norm);
        let u: Vec<Complex64> = g.chunks_exact(size).map(|r| r.iter().zip(&v).map(|(a, b)| a * b).sum()).collect();
        let sigma = energy(&u).sqrt();
        if (sigma - last).abs() <= 1e-10 * sigma {
            return sigma;
        }
        last = sigma;
        for (j, x) in v.iter_mut().enumerate() {
            *x = u.iter().enumerate().map(|(i, u)| g[i * size + j].conj() * u).sum();
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pilots(length: usize, data: &[Complex64]) -> Pilots {
        let columns = data.len() / length;
        Pilots::new(length, columns, 1, 1.0, data.to_vec()).unwrap()
    }

    #[test]
    fn a_simplex_meets_the_welch_bound() {
        // Three vectors of the plane at 120 degrees.
        let angle = |k: f64| std::f64::consts::TAU * k / 3.0;
        let row = |f: fn(f64) -> f64| (0..3).map(move |k| Complex64::new(3.0 * f(angle(f64::from(k))), 0.0));
        let data: Vec<_> = row(f64::cos).chain(row(f64::sin)).collect();
        let found = pilot_coherence(&pilots(2, &data), 1);
        assert!((found.coherence - 0.5).abs() < 1e-12 && (welch_bound(2, 3) - 0.5).abs() < 1e-12);
        assert_eq!(found.sub, None);
        assert!((found.block.unwrap() - 0.5).abs() < 1e-12);
        assert_eq!(welch_bound(4, 4), 0.0);
    }

    #[test]
    fn blocks_are_told_apart() {
        // Columns 0 and 1 are equal, 2 and 3 are at 60 degrees; the blocks are orthogonal.
        let (c, s) = (0.5, 0.75_f64.sqrt());
        let re = |v: [f64; 4]| v.map(|x| Complex64::new(0.0, x));
        let data: Vec<_> =
            [[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, c], [0.0, 0.0, 0.0, s]].into_iter().flat_map(re).collect();
        let found = pilot_coherence(&pilots(3, &data), 2);
        assert!((found.coherence - 1.0).abs() < 1e-12 && (found.sub.unwrap() - 1.0).abs() < 1e-12);
        assert_eq!(found.block, Some(0.0));
        // Two identical blocks of two equal columns: every correlation is 1, the spectral norm is d.
        let ones = vec![Complex64::new(1.0, 0.0); 4];
        assert!((pilot_coherence(&pilots(1, &ones), 2).block.unwrap() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_spectral_norm_is_the_largest_singular_value() {
        // [[3, 0], [4, 5]] has singular values sqrt(45) and sqrt(5).
        let g: Vec<_> = [3.0, 0.0, 4.0, 5.0].map(|x| Complex64::new(x, 0.0)).to_vec();
        assert!((spectral_norm(&g, 2) - 45.0_f64.sqrt()).abs() < 1e-8);
        assert_eq!(spectral_norm(&[Complex64::default(); 9], 3), 0.0);
        // The largest row is orthogonal to the leading vector.
        let g: Vec<_> = [0.9, 0.0, 0.0, 0.0, 0.8, 0.0, 0.0, 0.8, 0.0].map(|x| Complex64::new(x, 0.0)).to_vec();
        assert!((spectral_norm(&g, 3) - 1.28_f64.sqrt()).abs() < 1e-8);
    }
}
