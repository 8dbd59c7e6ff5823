//! `[detectors.ID.score]`: the score network of system D.

use serde::{Deserialize, Serialize};

use crate::link::{ConfigError, check};

/// Which network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScoreArchitecture {
    /// NCSNv2's RefineNet over antennas and users, as in the score paper.
    #[default]
    Refine,
    /// The same small network for every user, with means over antennas and users: permutation-equivariant.
    Set,
}

impl ScoreArchitecture {
    /// Old manifests do not name it.
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What a set network sees of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScoreDomain {
    /// Its antennas.
    #[default]
    Antenna,
    /// Beams: the DFT of its antennas.
    Beam,
}

impl ScoreDomain {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A score network and the noise levels it is trained for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScoreConfig {
    /// "refine" (default) or "set".
    #[serde(skip_serializing_if = "ScoreArchitecture::is_default")]
    pub architecture: ScoreArchitecture,
    /// set: "antenna" (default) or "beam" (the DFT of the antennas of a linear array).
    #[serde(skip_serializing_if = "ScoreDomain::is_default")]
    pub domain: ScoreDomain,
    /// Channels (refine: of the first stage, deeper stages have two or four times as many); 1..=512. Default 16.
    pub width: usize,
    /// refine: stages after the first, 1..=5: 3 is the published NCSNv2, 4 NCSNv2Deeper, 5 NCSNv2Deepest; set: residual
    /// blocks, 1..=32. Default 3.
    pub depth: usize,
    /// Largest noise level, standard deviation of a complex entry relative to that of an active device's channel; in
    /// (0, 1000]. Default 2.
    pub sigma_max: f64,
    /// Smallest noise level, > 0 and at most `sigma_max`. Default 0.01.
    pub sigma_min: f64,
    /// Noise levels in equal ratios, 1..=10000. Default 40.
    pub levels: usize,
    /// True where the network sees X itself, false where it sees 2X - 1, as the published networks do with pictures in
    /// [0, 1] (their `data.rescaled`). Default true.
    #[serde(skip_serializing_if = "is_true")]
    pub rescaled: bool,
}

/// Networks that see X itself are described as before this key existed: their fingerprints stay.
fn is_true(value: &bool) -> bool {
    *value
}

impl Default for ScoreConfig {
    fn default() -> Self {
        Self {
            architecture: ScoreArchitecture::Refine,
            domain: ScoreDomain::Antenna,
            width: 16,
            depth: 3,
            sigma_max: 2.0,
            sigma_min: 0.01,
            levels: 40,
            rescaled: true,
        }
    }
}

impl ScoreConfig {
    /// Checks every range; `prefix` is the dotted key of the table.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    pub fn validate(&self, prefix: &str) -> Result<(), ConfigError> {
        let d = Self::default();
        let key = |name: &str| format!("{prefix}.{name}");
        check((1..=512).contains(&self.width), &key("width"), self.width, "1..=512", d.width)?;
        let (deepest, range) = match self.architecture {
            ScoreArchitecture::Refine => (5, "1..=5"),
            ScoreArchitecture::Set => (32, "1..=32"),
        };
        let used = self.architecture == ScoreArchitecture::Set || self.domain == ScoreDomain::Antenna;
        check(used, &key("domain"), "beam", "\"antenna\" unless architecture = \"set\"", "antenna")?;
        check((1..=deepest).contains(&self.depth), &key("depth"), self.depth, range, d.depth)?;
        let (top, bottom) = (self.sigma_max, self.sigma_min);
        check(top > 0.0 && top <= 1000.0, &key("sigma_max"), top, "in (0, 1000]", d.sigma_max)?;
        check(bottom > 0.0 && bottom <= top, &key("sigma_min"), bottom, "> 0 and <= sigma_max", d.sigma_min)?;
        check((1..=10_000).contains(&self.levels), &key("levels"), self.levels, "1..=10000", d.levels)
    }
}
