//! Real multiplications per frame, from the equations of each detector.
//!
//! Conventions: n = NQ columns, L symbols, M antennas. One complex product is 4 real multiplications, `|z|^2` is 2, a
//! real number times a complex one is 2. Hermitian matrices are computed as one triangle. Additions are free, and so
//! is work per column that does not grow with M or L (exponentials, logarithms, divisions of the posterior weights).
//!
//! | step | real multiplications |
//! |---|---|
//! | `S^H R` and `S X` (AMP, Theorem 1) | 4nLM each |
//! | row energies `norm(z)^2`, shrink `w omega z`, their scaling for the Gram matrix | 2nM each |
//! | matrix Onsager term: `sum_i J_i` (M x M, Hermitian) and its product with R | 2nM² + 4LM² |
//! | `tau2 = norm(R)^2/(LM)` | 2LM |
//! | covariance, per column: `v = Sigma^-1 a`, `s = a^H v`, `q = v^H C v`, rank-one update | 4L² + 2L + (4L² + 2L) + 2L² + 2L |
//! | covariance, once: `C = Y Y^H/M` | 2L²M |

use crate::scenario::ScenarioConfig;

/// Real multiplications of one detector.
#[derive(Debug, Clone, PartialEq)]
pub struct Operations {
    /// Which detector.
    pub name: String,
    /// Count per frame, with n = NQ.
    pub formula: String,
    /// The same as a number.
    pub multiplications: f64,
}

/// N, n = NQ, L and M as numbers; counts reach 10^15, so they are kept as f64.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sizes {
    /// Devices N.
    pub devices: f64,
    /// Columns n = NQ.
    pub n: f64,
    /// Symbols L.
    pub l: f64,
    /// Antennas M.
    pub m: f64,
}

impl Sizes {
    /// Those of a scenario.
    pub fn of(s: &ScenarioConfig) -> Self {
        Self {
            devices: s.devices as f64,
            n: (s.devices * s.sequences()) as f64,
            l: s.pilot_length as f64,
            m: s.antennas as f64,
        }
    }

    /// One iteration of AMP with the matrix Onsager term (Theorem 1); also one layer of the shared form.
    pub fn amp_iteration(&self) -> f64 {
        let Self { n, l, m, .. } = *self;
        8.0 * n * l * m + 2.0 * n * m * m + 4.0 * l * m * m + 6.0 * n * m + 2.0 * l * m
    }

    /// One sweep of coordinate descent over all columns.
    pub fn sweep(&self) -> f64 {
        self.n * (10.0 * self.l * self.l + 6.0 * self.l)
    }

    /// `Y Y^H/M`.
    pub fn sample_covariance(&self) -> f64 {
        2.0 * self.l * self.l * self.m
    }

    /// AMP with the matrix Onsager term.
    pub fn amp(&self, iterations: usize) -> Operations {
        Operations {
            name: format!("AMP, {iterations} iterations"),
            formula: format!("{iterations}·(8nLM + 2nM² + 4LM² + 6nM + 2LM)"),
            multiplications: iterations as f64 * self.amp_iteration(),
        }
    }

    /// Coordinate descent on powers.
    pub fn covariance(&self, sweeps: usize) -> Operations {
        Operations {
            name: format!("covariance, {sweeps} sweeps"),
            formula: format!("{sweeps}·n(10L² + 6L) + 2L²M"),
            multiplications: sweeps as f64 * self.sweep() + self.sample_covariance(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Classical;

    /// A frame small enough to count by hand: N = 1, Q = 1, L = 1, M = 1.
    #[test]
    fn smallest_frame_counted_by_hand() {
        let s = Sizes { devices: 1.0, n: 1.0, l: 1.0, m: 1.0 };
        // s*r, s*x, |z|^2, shrink, Gram scaling, z z*, R J, |r|^2: 4 + 4 + 2 + 2 + 2 + 2 + 4 + 2.
        assert_eq!(s.amp(1).multiplications, 22.0);
        // v, s, Cv, v^H(Cv), scale, outer, y y*: 4 + 2 + 4 + 2 + 2 + 2 and 2 once.
        assert_eq!(s.covariance(1).multiplications, 18.0);
    }

    #[test]
    fn detectors_count_with_their_own_options() {
        let s = Sizes::of(&ScenarioConfig::default());
        let of = |text: &str| Classical::from_toml(text).unwrap().algorithm().operations(&s);
        assert_eq!(of("kind = \"amp\"\niterations = 7"), Some(s.amp(7)));
        assert_eq!(of("kind = \"covariance-section\""), Some(s.covariance(10)));
        assert_eq!(of("kind = \"state-evolution\""), None);
        assert_eq!(of("kind = \"group-lasso\""), None);
    }
}
