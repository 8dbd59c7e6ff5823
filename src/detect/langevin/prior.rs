//! The score of a noised prior: all that the dynamics need to know of X.

use crate::math::planes::Planes;

/// Chains side by side: chain c of a row is its entries `c*antennas .. (c + 1)*antennas`, padding follows.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub rows: usize,
    pub chains: usize,
    pub antennas: usize,
}

/// A prior of X by the score of its noised version `U = X + sigma CN(0, I)`.
pub(crate) trait Prior: Sync {
    /// Why a score cannot be computed; a formula always can.
    type Error;

    /// Noise levels it may be asked about, the smallest and the largest.
    fn levels(&self) -> [f64; 2] {
        [0.0, f64::INFINITY]
    }

    /// Writes the score `d/du* log p_sigma(u)` (Wirtinger; `-u/v` for `CN(0, v)`) of every chain, each with its sigma, into
    /// `out`.
    ///
    /// `u` is `[rows, chains*antennas]` padded, in units of the standard deviation of an active row, and holds the
    /// **conjugates**, as `out` does; padding of `out` is left as it is.
    fn score(&self, shape: &Shape, u: &Planes<f64>, sigma: &[f64], out: &mut Planes<f64>) -> Result<(), Self::Error>;
}

/// Independent rows that are zero with probability `1 - p_i`, else `CN(0, I)`.
///
/// Noised rows have the density `(1 - p) CN(0, sigma^2 I) + p CN(0, (1 + sigma^2) I)` and the score
/// `-u ((1 - w)/sigma^2 + w/(1 + sigma^2))`, w the posterior probability of activity.
pub(crate) struct BernoulliGaussian {
    /// `log(p/(1 - p))` of each row.
    pub log_odds: Vec<f64>,
}

impl BernoulliGaussian {
    /// From the probabilities that rows are not zero.
    pub fn new(probs: impl Iterator<Item = f64>) -> Self {
        Self {
            log_odds: probs
                .map(|p| {
                    let p = crate::detect::common::decide::safe_prob(p);
                    (p / (1.0 - p)).ln()
                })
                .collect(),
        }
    }

    /// `(1 - w)/sigma^2 + w/(1 + sigma^2)` of a row with this energy: the score is minus this times u.
    #[inline(always)]
    pub fn shrinkage(&self, row: usize, energy: f64, sigma: f64, antennas: usize) -> f64 {
        let idle = 1.0 / (sigma * sigma);
        let active = 1.0 / (1.0 + sigma * sigma);
        let llr = self.log_odds[row] + antennas as f64 * (active / idle).ln() + energy * (idle - active);
        let w = 1.0 / (1.0 + (-llr).exp());
        (1.0 - w) * idle + w * active
    }
}

impl Prior for BernoulliGaussian {
    type Error = std::convert::Infallible;

    #[inline(always)]
    fn score(&self, shape: &Shape, u: &Planes<f64>, sigma: &[f64], out: &mut Planes<f64>) -> Result<(), Self::Error> {
        for row in 0..shape.rows {
            for (chain, &sigma) in sigma.iter().enumerate() {
                let at = row * u.stride + chain * shape.antennas;
                let span = at..at + shape.antennas;
                let (re, im) = (&u.re[span.clone()], &u.im[span.clone()]);
                let energy = re.iter().zip(im).map(|(a, b)| a * a + b * b).sum();
                let shrink = self.shrinkage(row, energy, sigma, shape.antennas);
                out.re[span.clone()].iter_mut().zip(re).for_each(|(o, v)| *o = -shrink * v);
                out.im[span].iter_mut().zip(im).for_each(|(o, v)| *o = -shrink * v);
            }
        }
        Ok(())
    }
}
