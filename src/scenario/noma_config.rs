//! `[scenario.noma]`: the finite-alphabet NOMA link of system E.

use serde::{Deserialize, Serialize};

use crate::link::{ConfigError, check};

/// How likely each user is active.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Activation {
    /// A law of the NOMA signature paper.
    Law(ActivationLaw),
    /// The same probability for every user, in (0, 1].
    Same(f64),
    /// One probability per user, each in (0, 1].
    PerUser(Vec<f64>),
}

/// The three laws of the NOMA signature paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActivationLaw {
    /// p_asy: 0.8 for the first half of the users, 0.4 for the others.
    Asymmetric,
    /// p_high: 0.8 for all.
    High,
    /// p_low: 0.4 for all.
    Low,
}

/// Alphabet of the transmitted symbols, Gray-labelled, unit mean energy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Constellation {
    /// Two antipodal symbols.
    #[serde(rename = "bpsk")]
    Bpsk,
    /// Four symbols (+-1 +-i)/sqrt(2).
    #[serde(rename = "qpsk")]
    Qpsk,
    /// Sixteen symbols on a square grid.
    #[serde(rename = "16-qam")]
    Qam16,
}

/// Fading of the chips of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fading {
    /// An independent CN(0, 1) coefficient for every chip and user, as (5) of the NOMA signature paper reads.
    Chip,
    /// One CN(0, 1) coefficient per user for all its chips.
    Flat,
    /// No fading: every coefficient is one.
    Awgn,
}

/// What `snr_db` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SnrConvention {
    /// Energy of one active user's signature over the noise variance of a chip: noise_var = 1/SNR.
    PerUser,
    /// Mean energy of all users together over the noise variance of a chip: noise_var = sum(p)/SNR.
    Total,
}

/// Signature sets that need no training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureKind {
    /// Harmonic Welch-bound-equality set: the first H rows of the N-point DFT.
    Wbe,
    /// Welch-bound-equality set found by alternating projection (any N and H).
    WbeProjected,
    /// The harmonic set rotated by 45 degrees, quantised to `quantiser_levels`, normalised.
    QuantisedWbe,
    /// Random columns of {-1, 0, 1} + i {-1, 0, 1}, normalised; the best of many draws by weighted correlation.
    Musa,
    /// Small largest correlation, by alternating projection.
    Grassmannian,
    /// Meets the weighted Welch bound: sum_n p_n s_n s_n^H = (sum p / H) I.
    WeightedOptimum,
    /// Local search over the alphabet of the quantiser for the smallest weighted correlation.
    DirectSearch,
}

/// N users spread their symbols over H chips and are heard together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NomaConfig {
    /// Number of users N, 1..=64. Default 6.
    pub users: usize,
    /// Signature length H in chips, 1..=64. Default 4.
    pub signature_length: usize,
    /// "asymmetric" (default), "high", "low", a number or one number per user.
    pub activation: Activation,
    /// "bpsk", "qpsk" (default) or "16-qam".
    pub constellation: Constellation,
    /// "chip" (default), "flat" or "awgn".
    pub fading: Fading,
    /// Signal-to-noise ratio in dB, -50..=100. Default 10.
    pub snr_db: f64,
    /// "per-user" (default) or "total".
    pub snr_convention: SnrConvention,
    /// Signatures of detectors that do not bring their own. Default "wbe".
    pub signatures: SignatureKind,
    /// Levels Q of the quantiser of "quantised-wbe" and "direct-search", 1..=16. Default 2.
    pub quantiser_levels: u32,
}

impl Default for NomaConfig {
    fn default() -> Self {
        Self {
            users: 6,
            signature_length: 4,
            activation: Activation::Law(ActivationLaw::Asymmetric),
            constellation: Constellation::Qpsk,
            fading: Fading::Chip,
            snr_db: 10.0,
            snr_convention: SnrConvention::PerUser,
            signatures: SignatureKind::Wbe,
            quantiser_levels: 2,
        }
    }
}

impl Constellation {
    /// Bits per symbol.
    pub fn bits(self) -> u32 {
        match self {
            Self::Bpsk => 1,
            Self::Qpsk => 2,
            Self::Qam16 => 4,
        }
    }

    /// The symbols `(re, im)`; bit k of the index (most significant first) is the k-th bit, Gray-labelled per axis.
    pub fn points(self) -> Vec<(f64, f64)> {
        match self {
            Self::Bpsk => vec![(1.0, 0.0), (-1.0, 0.0)],
            Self::Qpsk => {
                let a = 0.5_f64.sqrt();
                vec![(a, a), (a, -a), (-a, a), (-a, -a)]
            }
            Self::Qam16 => {
                // Gray order of two bits on one axis: 00, 01, 11, 10 from the right.
                let level = |b: usize| [3.0, 1.0, -3.0, -1.0][b] / 10.0_f64.sqrt();
                (0..16).map(|i| (level(i >> 2), level(i & 3))).collect()
            }
        }
    }
}

impl NomaConfig {
    /// Activation probability of each user, `[N]`.
    pub fn activation_prob(&self) -> Vec<f64> {
        let n = self.users;
        match &self.activation {
            Activation::Law(ActivationLaw::High) => vec![0.8; n],
            Activation::Law(ActivationLaw::Low) => vec![0.4; n],
            Activation::Law(ActivationLaw::Asymmetric) => {
                (0..n).map(|i| if i < n.div_ceil(2) { 0.8 } else { 0.4 }).collect()
            }
            Activation::Same(p) => vec![*p; n],
            Activation::PerUser(p) => p.clone(),
        }
    }

    /// Noise variance of a chip at `snr_db`.
    pub fn noise_var_at(&self, snr_db: f64) -> f64 {
        let energy = match self.snr_convention {
            SnrConvention::PerUser => 1.0,
            SnrConvention::Total => self.activation_prob().iter().sum(),
        };
        energy / 10.0_f64.powf(snr_db / 10.0)
    }

    /// Checks every range.
    ///
    /// # Errors
    /// [`ConfigError::Range`] names the key, the range and the default.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let d = Self::default();
        check((1..=64).contains(&self.users), "scenario.noma.users", self.users, "1..=64", d.users)?;
        check(
            (1..=64).contains(&self.signature_length),
            "scenario.noma.signature_length",
            self.signature_length,
            "1..=64",
            d.signature_length,
        )?;
        check((-50.0..=100.0).contains(&self.snr_db), "scenario.noma.snr_db", self.snr_db, "-50..=100", d.snr_db)?;
        check(
            (1..=16).contains(&self.quantiser_levels),
            "scenario.noma.quantiser_levels",
            self.quantiser_levels,
            "1..=16",
            d.quantiser_levels,
        )?;
        let p = self.activation_prob();
        check(
            p.len() == self.users,
            "scenario.noma.activation",
            format!("{} numbers", p.len()),
            &format!("one number per user ({})", self.users),
            "asymmetric",
        )?;
        match p.iter().find(|p| !(**p > 0.0 && **p <= 1.0)) {
            Some(bad) => check(false, "scenario.noma.activation", bad, "in (0, 1]", "asymmetric"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constellations_have_unit_energy_and_gray_labels() {
        for c in [Constellation::Bpsk, Constellation::Qpsk, Constellation::Qam16] {
            let points = c.points();
            assert_eq!(points.len(), 1 << c.bits());
            let energy: f64 = points.iter().map(|(a, b)| a * a + b * b).sum::<f64>() / points.len() as f64;
            assert!((energy - 1.0).abs() < 1e-12);
            let distance =
                |i: usize, j: usize| ((points[i].0 - points[j].0).powi(2) + (points[i].1 - points[j].1).powi(2)).sqrt();
            let nearest = (1..points.len()).map(|j| distance(0, j)).fold(f64::INFINITY, f64::min);
            for i in 0..points.len() {
                for j in 0..i {
                    if distance(i, j) < nearest * 1.001 {
                        assert_eq!((i ^ j).count_ones(), 1, "neighbours {i} and {j} of {c:?} differ in one bit");
                    }
                }
            }
        }
    }

    #[test]
    fn laws_and_conventions() {
        let c = NomaConfig::default();
        assert_eq!(c.activation_prob(), [0.8, 0.8, 0.8, 0.4, 0.4, 0.4]);
        assert!((c.noise_var_at(20.0) - 0.01).abs() < 1e-15);
        let total = NomaConfig { snr_convention: SnrConvention::Total, ..c };
        assert!((total.noise_var_at(20.0) - 0.036).abs() < 1e-15);
    }
}
