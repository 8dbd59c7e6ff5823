//! `[detectors.ID.admm]`: the network of system C.

use serde::{Deserialize, Serialize};

use crate::link::{ConfigError, check};
use crate::scenario::ScenarioConfig;

/// The matrix of a layer, from residuals to rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinearMap {
    /// A complex N x L matrix.
    Complex,
    /// A real 2N x 2L matrix on stacked real and imaginary parts: twice the parameters, no complex structure (ablation).
    Real,
}

/// Whose the matrix is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MapSharing {
    /// Every layer has its own.
    PerLayer,
    /// One for all layers.
    Shared,
    /// One for all layers, not trained: only scalars and the prox are.
    Fixed,
}

/// The proximal operator of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proximal {
    /// Channel attention: a learned weight per row.
    Attention,
    /// Row soft threshold with a learned threshold (ablation).
    SoftThreshold,
}

/// The link a network is trained for, where it differs from the one it is tested on.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NominalLink {
    /// Kind "unit-gain": noise variance per complex entry of Y. Default: the scenario's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise_var: Option<f64>,
    /// Activity probability. Default: the scenario's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity_prob: Option<f64>,
}

/// A PC-ADMM network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdmmConfig {
    /// Layers K, 1..=64. Default 10.
    pub layers: usize,
    /// "complex" (default) or "real".
    pub map: LinearMap,
    /// "per-layer" (default), "shared" or "fixed".
    pub sharing: MapSharing,
    /// "attention" (default) or "soft-threshold".
    pub prox: Proximal,
    /// Width of the hidden layer of the attention, 1..=1024. Default 16.
    pub hidden: usize,
    /// Weight of the detection term (cross-entropy per device in nats) beside the NMSE in the loss, 0..=100. Default 1.
    pub detection: f64,
    /// Train for another link than the scenario's (mismatch). Default: the scenario's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trained_at: Option<NominalLink>,
}

impl Default for AdmmConfig {
    fn default() -> Self {
        Self {
            layers: 10,
            map: LinearMap::Complex,
            sharing: MapSharing::PerLayer,
            prox: Proximal::Attention,
            hidden: 16,
            detection: 1.0,
            trained_at: None,
        }
    }
}

impl AdmmConfig {
    /// Checks every range; `prefix` is the dotted key of the table.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    pub fn validate(&self, prefix: &str) -> Result<(), ConfigError> {
        let key = |name: &str| format!("{prefix}.{name}");
        let d = Self::default();
        check((1..=64).contains(&self.layers), &key("layers"), self.layers, "1..=64", d.layers)?;
        check((1..=1024).contains(&self.hidden), &key("hidden"), self.hidden, "1..=1024", d.hidden)?;
        check((0.0..=100.0).contains(&self.detection), &key("detection"), self.detection, "0..=100", d.detection)
    }

    /// The same without the link that it is trained for.
    pub fn untargeted(&self) -> Self {
        Self { trained_at: None, ..self.clone() }
    }

    /// The link that the network is trained for.
    pub fn training_scenario(&self, scenario: &ScenarioConfig) -> ScenarioConfig {
        let nominal = self.trained_at.unwrap_or_default();
        ScenarioConfig {
            noise_var: nominal.noise_var.or(scenario.noise_var),
            activity_prob: nominal.activity_prob.unwrap_or(scenario.activity_prob),
            ..scenario.clone()
        }
    }

    /// Checks what depends on the link.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    pub(crate) fn validate_for(&self, scenario: &ScenarioConfig) -> Result<(), ConfigError> {
        self.training_scenario(scenario).validate()?;
        check(
            scenario.bits == 0,
            "scenario.bits",
            scenario.bits,
            "0 with pc-admm-net: one pilot per device (detectors of kind mampnet take more)",
            0,
        )
    }
}
