//! `[detectors.ID.decoder]`: the auto-encoders of system B.

use serde::{Deserialize, Serialize};

use crate::link::{ConfigError, check};
use crate::scenario::{ScenarioConfig, ScenarioKind};

/// The approximate part of a decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecoderForm {
    /// GROUP LASSO-NN: unfolded sharing ADMM, lambda and rho trainable.
    GroupLasso,
    /// AMP-NN: unfolded AMP, a prior per device trainable.
    Amp,
    /// NN: no approximate part; dense layers on the sample covariance.
    Nn,
    /// MAP-NN: unfolded coordinate descent, a prior per device trainable.
    Map,
}

/// What the decoder estimates, and what its loss measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecoderTarget {
    /// The rows of X: mean squared error.
    Signal,
    /// The activities: binary cross-entropy.
    Support,
}

/// The correction layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CorrectionKind {
    /// Fully connected layers with ReLU between them, added to the estimate (the auto-encoder paper).
    Dense,
    /// Covariance layers with learned coupling between devices, posterior mean as the estimate (ours).
    Covariance,
}

/// An auto-encoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DecoderConfig {
    /// "group-lasso", "amp" (default), "nn" or "map".
    pub form: DecoderForm,
    /// Unfolded iterations or sweeps U, 1..=10000. Default: group-lasso 200, amp 50, map 55.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iterations: Option<usize>,
    /// amp: every iteration works with the pilots themselves, as in the auto-encoder paper; false gives each its own matrix,
    /// step size, and Onsager factor. Default true.
    pub tied: bool,
    /// Correction layers V, 0..=16 (nn: its dense layers, 1..=16). Default 3.
    pub corrections: usize,
    /// "dense" (default) or "covariance".
    pub correction: CorrectionKind,
    /// Width of hidden dense layers, 1..=65536. Default: 2N for signals, 4N for activities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<usize>,
    /// Learn the pilots with the decoder (columns keep their norm). Default: true, but false with "map".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learn_pilots: Option<bool>,
    /// npz with `pilots [L, N]` (complex, as detection files and exports have it): the matrix that training starts from, or
    /// keeps when pilots are not learned. Columns count relative to the mean energy. Default: the scenario's random pilots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pilots_file: Option<String>,
    /// "signal" or "support". Default: signal with "group-lasso" and "amp", support with "nn" and "map".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<DecoderTarget>,
}

impl Default for DecoderConfig {
    fn default() -> Self {
        Self {
            form: DecoderForm::Amp,
            iterations: None,
            tied: true,
            corrections: 3,
            correction: CorrectionKind::Dense,
            hidden: None,
            learn_pilots: None,
            pilots_file: None,
            target: None,
        }
    }
}

impl DecoderConfig {
    /// Iterations U.
    pub fn iterations(&self) -> usize {
        self.iterations.unwrap_or(match self.form {
            DecoderForm::GroupLasso => 200,
            DecoderForm::Amp => 50,
            DecoderForm::Nn => 0,
            DecoderForm::Map => 55,
        })
    }

    /// Whether pilots are learned.
    pub fn learns_pilots(&self) -> bool {
        self.learn_pilots.unwrap_or(self.form != DecoderForm::Map)
    }

    /// What is estimated.
    pub fn target(&self) -> DecoderTarget {
        self.target.unwrap_or(match self.form {
            DecoderForm::GroupLasso | DecoderForm::Amp => DecoderTarget::Signal,
            DecoderForm::Nn | DecoderForm::Map => DecoderTarget::Support,
        })
    }

    /// Width of hidden dense layers for N devices.
    pub fn hidden(&self, devices: usize) -> usize {
        let default = match self.target() {
            DecoderTarget::Signal => 2 * devices,
            DecoderTarget::Support => 4 * devices,
        };
        self.hidden.unwrap_or(default)
    }

    /// Checks every range; `prefix` is the dotted key of the table.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    pub fn validate(&self, prefix: &str) -> Result<(), ConfigError> {
        use DecoderForm as D;
        let key = |name: &str| format!("{prefix}.{name}");
        let d = Self::default();
        if let Some(i) = self.iterations {
            check(self.form != D::Nn, &key("iterations"), i, "left out with form = \"nn\"", "none")?;
            check((1..=10_000).contains(&i), &key("iterations"), i, "1..=10000", "200 group-lasso, 50 amp, 55 map")?;
        }
        check(self.tied || self.form == D::Amp, &key("tied"), self.tied, "true unless form = \"amp\"", d.tied)?;
        check(self.corrections <= 16, &key("corrections"), self.corrections, "0..=16", d.corrections)?;
        if let Some(h) = self.hidden {
            check((1..=65_536).contains(&h), &key("hidden"), h, "1..=65536", "2N or 4N")?;
            check(
                self.correction == CorrectionKind::Dense,
                &key("hidden"),
                h,
                "left out with correction = \"covariance\"",
                "none",
            )?;
        }
        if self.form == D::Nn {
            check(self.corrections >= 1, &key("corrections"), 0, "1..=16 with form = \"nn\"", d.corrections)?;
            check(
                self.correction == CorrectionKind::Dense,
                &key("correction"),
                "covariance",
                "\"dense\" with form = \"nn\"",
                "dense",
            )?;
        }
        // The powers that MAP-NN and the dense NN find say nothing of the channels.
        let rows = matches!(self.form, D::GroupLasso | D::Amp)
            || (self.form == D::Map && self.correction == CorrectionKind::Covariance && self.corrections > 0);
        check(
            rows || self.target() == DecoderTarget::Support,
            &key("target"),
            "signal",
            "\"support\" with this form (\"map\" estimates signals with correction = \"covariance\")",
            "support",
        )
    }

    /// Checks what depends on the link.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    pub(crate) fn validate_for(&self, prefix: &str, scenario: &ScenarioConfig) -> Result<(), ConfigError> {
        check(
            scenario.bits == 0,
            "scenario.bits",
            scenario.bits,
            "0 with auto-encoders: one pilot per device (detectors of kind mampnet take more)",
            0,
        )?;
        check(
            self.form != DecoderForm::Map || scenario.kind == ScenarioKind::UnitGain,
            &format!("{prefix}.form"),
            "map",
            "a form without powers of its own (group-lasso, amp, nn) unless scenario.kind = \"unit-gain\"",
            "amp",
        )
    }
}
