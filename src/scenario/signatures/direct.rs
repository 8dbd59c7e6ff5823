//! Direct search over the alphabet of the quantiser.

use rand::{Rng, RngExt};

use super::integers::IntegerSet;
use crate::link::C64;

/// Trial values of single chips that the search may cost; about half a second.
const TRIALS: usize = 60_000_000;
/// Kicks without a gain after which the search begins again elsewhere.
const PATIENCE: usize = 40;

/// Smallest weighted correlation over columns with integer parts `-levels..=levels`: chips are exchanged one at a time
/// until none helps, then a column is thrown away and the descent repeated; the search begins anew when that stops
/// helping. With the other columns fixed, column n enters as the Rayleigh quotient `s^H A s / s^H s` with
/// `A = sum_{m != n} p_m s_m s_m^H`, so a trial costs a few operations.
pub(super) fn direct_search(length: usize, levels: u32, activity_prob: &[f64], rng: &mut impl Rng) -> IntegerSet {
    let mut search = Search::new(length, levels, activity_prob);
    let (mut best, mut best_columns) = (f64::INFINITY, Vec::new());
    while search.trials < TRIALS {
        search.restart(rng);
        let mut value = search.descend();
        let mut kept = search.columns.clone();
        let mut idle = 0;
        while idle < PATIENCE && search.trials < TRIALS {
            let user = rng.random_range(0..search.columns.len());
            search.columns[user] = search.draw(rng);
            let next = search.descend();
            // Equal values move on: plateaus are wide in an integer alphabet.
            if next <= value + 1e-12 {
                idle = if next < value - 1e-12 { 0 } else { idle + 1 };
                value = next.min(value);
                kept.clone_from(&search.columns);
            } else {
                idle += 1;
                search.columns.clone_from(&kept);
            }
        }
        if value < best {
            (best, best_columns) = (value, kept);
        }
    }
    let integers = |c: &C64| (c.re as i8, c.im as i8);
    let columns: Vec<Vec<(i8, i8)>> =
        best_columns.iter().map(|c: &Vec<C64>| c.iter().map(integers).collect()).collect();
    IntegerSet::new(&columns, levels)
}

struct Search<'a> {
    /// `[N][H]`, integer parts.
    columns: Vec<Vec<C64>>,
    p: &'a [f64],
    alphabet: Vec<C64>,
    length: usize,
    trials: usize,
    /// Of the column in hand, `[H, H]`.
    a: Vec<C64>,
    /// `A s`, `[H]`.
    product: Vec<C64>,
}

impl<'a> Search<'a> {
    fn new(length: usize, levels: u32, p: &'a [f64]) -> Self {
        let parts = -(levels as i32)..=levels as i32;
        let alphabet = parts.clone().flat_map(|re| parts.clone().map(move |im| C64::new(re.into(), im.into())));
        Self {
            columns: Vec::new(),
            p,
            alphabet: alphabet.collect(),
            length,
            trials: 0,
            a: vec![C64::default(); length * length],
            product: vec![C64::default(); length],
        }
    }

    fn draw(&self, rng: &mut impl Rng) -> Vec<C64> {
        loop {
            let column: Vec<C64> =
                (0..self.length).map(|_| self.alphabet[rng.random_range(0..self.alphabet.len())]).collect();
            if column.iter().any(|v| v.norm_sqr() > 0.0) {
                return column;
            }
        }
    }

    fn restart(&mut self, rng: &mut impl Rng) {
        self.columns = (0..self.p.len()).map(|_| self.draw(rng)).collect();
    }

    /// Exchanges chips until a round over all users changes nothing; returns `sum_{i != j} p_i p_j |s_i^H s_j|^2`.
    fn descend(&mut self) -> f64 {
        loop {
            let (mut changed, mut sum) = (false, 0.0);
            for user in 0..self.columns.len() {
                let (quotient, moved) = self.improve(user);
                sum += self.p[user] * quotient;
                changed |= moved;
            }
            if !changed || self.trials >= TRIALS {
                return sum;
            }
        }
    }

    /// Best chips of one column with the others fixed; returns its Rayleigh quotient and whether it has changed.
    fn improve(&mut self, user: usize) -> (f64, bool) {
        let h = self.length;
        self.load(user);
        let Self { columns, alphabet, trials, a, product, .. } = self;
        let column = &mut columns[user];
        let mut norm: f64 = column.iter().map(|v| v.norm_sqr()).sum();
        let mut form: f64 = column.iter().zip(&*product).map(|(v, b)| (v.conj() * b).re).sum();
        let (mut moved, mut still, mut chip) = (false, 0, 0);
        while still < h {
            let (old, b, diagonal) = (column[chip], product[chip], a[chip * h + chip].re);
            let mut best = (form / norm - 1e-10, old, form, norm);
            for &new in alphabet.iter() {
                let change = new - old;
                let trial = form + 2.0 * (change.conj() * b).re + change.norm_sqr() * diagonal;
                let energy = norm + new.norm_sqr() - old.norm_sqr();
                // Norms are whole numbers: below one half means zero.
                if energy > 0.5 && trial < best.0 * energy {
                    best = (trial / energy, new, trial, energy);
                }
            }
            *trials += alphabet.len();
            if best.1 == old {
                still += 1;
            } else {
                (still, moved) = (1, true);
                let change = best.1 - old;
                for (b, row) in product.iter_mut().zip(a.chunks_exact(h)) {
                    *b += row[chip] * change;
                }
                (column[chip], form, norm) = (best.1, best.2, best.3);
            }
            chip = (chip + 1) % h;
        }
        (form / norm, moved)
    }

    /// `A` of a column, and its product with it.
    fn load(&mut self, user: usize) {
        let h = self.length;
        self.a.fill(C64::default());
        for (m, column) in self.columns.iter().enumerate().filter(|(m, _)| *m != user) {
            let scale = self.p[m] / column.iter().map(|v| v.norm_sqr()).sum::<f64>();
            for (row, left) in self.a.chunks_exact_mut(h).zip(column) {
                let left = left * scale;
                row.iter_mut().zip(column).for_each(|(a, right)| *a += left * right.conj());
            }
        }
        for (b, row) in self.product.iter_mut().zip(self.a.chunks_exact(h)) {
            *b = row.iter().zip(&self.columns[user]).map(|(a, v)| a * v).sum();
        }
    }
}
