//! `[detectors.ID.model]`: the architecture of DL-mAMPnet.

use serde::{Deserialize, Serialize};

use crate::detect::Onsager;
use crate::link::{ConfigError, check};

/// The two forms of DL-mAMPnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelForm {
    /// The form of the DL-mAMPnet paper: dense B_t of 2NQM x 2LM, entry-wise denoiser (47), refinement module (49)-(55).
    Paper,
    /// Antenna-shared B_t = B~_t (x) I_M, row-energy denoiser, matrix Onsager term, optional covariance layers.
    Shared,
}

/// Denoiser of the shared form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Denoiser {
    /// Each row on its own (Theorem 1).
    Row,
    /// Posterior over the Q rows of a device and the idle state.
    Section,
}

/// Architecture of DL-mAMPnet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelConfig {
    /// "paper" or "shared". Default "shared".
    pub form: ModelForm,
    /// Unfolded AMP layers T, 1..=64. Default 8 (4 in the DL-mAMPnet paper).
    pub layers: usize,
    /// Shared form: "row" or "section". Default "section".
    pub denoiser: Denoiser,
    /// Shared form: "matrix" or "scalar". Default "matrix".
    pub onsager: Onsager,
    /// Shared form: covariance layers after the AMP layers, 0..=16. Default 0.
    pub covariance_layers: usize,
    /// Paper form: append the refinement module (49)-(55). Default true.
    pub refinement: bool,
    /// Learn the pilots jointly with the receiver (columns keep unit norm). Default false.
    pub learn_pilots: bool,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            form: ModelForm::Shared,
            layers: 8,
            denoiser: Denoiser::Section,
            onsager: Onsager::Matrix,
            covariance_layers: 0,
            refinement: true,
            learn_pilots: false,
        }
    }
}

impl ModelConfig {
    /// Checks every range; `prefix` is the dotted key of the table.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    pub fn validate(&self, prefix: &str) -> Result<(), ConfigError> {
        check((1..=64).contains(&self.layers), &format!("{prefix}.layers"), self.layers, "1..=64", 8)?;
        check(
            self.covariance_layers <= 16,
            &format!("{prefix}.covariance_layers"),
            self.covariance_layers,
            "0..=16",
            0,
        )?;
        if self.form == ModelForm::Paper {
            check(
                self.covariance_layers == 0,
                &format!("{prefix}.covariance_layers"),
                self.covariance_layers,
                "0 with form = \"paper\"",
                0,
            )?;
            check(
                !self.learn_pilots,
                &format!("{prefix}.learn_pilots"),
                self.learn_pilots,
                "false with form = \"paper\"",
                false,
            )?;
        }
        Ok(())
    }
}
