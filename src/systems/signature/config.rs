//! `[detectors.ID.receiver]`: the learned receivers and signatures of system E.

use serde::{Deserialize, Serialize};

use crate::link::{ConfigError, check};

/// Architecture of a learned receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReceiverForm {
    /// The SICNN of the NOMA signature paper: one MLP per user in a cascade, input `[y_SIC, y, h]`, estimate re-spread and subtracted.
    Sicnn,
    /// One MLP from `[y, h]` to all users, as many parameters as the SICNN.
    Fcnn,
    /// Model-driven SICNN: soft interference cancellation whose every stage is corrected by an MLP.
    SoftSic,
    /// Beam search over successive decisions whose metric is corrected by an MLP.
    BeamMetric,
}

/// A learned receiver, with or without signatures of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReceiverConfig {
    /// "sicnn", "fcnn", "soft-sic" (default) or "beam-metric".
    pub form: ReceiverForm,
    /// soft-sic: passes over all users, 1..=16. Default 4.
    pub rounds: usize,
    /// Widths of the hidden layers, each 1..=4096. Default: sicnn 128, 256, 512, 256, 128; fcnn the same scaled to the
    /// parameters of the SICNN; soft-sic 64, 64; beam-metric 32, 32.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<Vec<usize>>,
    /// beam-metric: hypotheses kept after each decision, 1..=64. Default 4.
    pub beam: usize,
    /// beam-metric: nats behind the best beyond which a hypothesis is dropped, > 0; only what is left is corrected.
    /// Default 15.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<f64>,
    /// Learn the signatures jointly with the receiver (QNN). Default false.
    pub learn_signatures: bool,
    /// Learned signatures: real and imaginary parts are integers in -levels..=levels, 0..=16; 0 is unquantised. Default 2.
    pub levels: u32,
    /// Weight of the fairness term (11), >= 0. Default 0.
    pub fairness: f64,
    /// Learned signatures: weight of their weighted squared correlation (the measure of Table III) in the loss, >= 0.
    /// Default 0, as in the NOMA signature paper.
    pub correlation: f64,
    /// Weight of each user's error in (12), > 0. Default: 1 for the first half of the users, 2 for the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_weights: Option<Vec<f64>>,
    /// SNR levels in dB of which every training sample draws one. Default -5, 0, 5, 10, 15, 20.
    pub training_snr_db: Vec<f64>,
}

impl Default for ReceiverConfig {
    fn default() -> Self {
        Self {
            form: ReceiverForm::SoftSic,
            rounds: 4,
            hidden: None,
            beam: 4,
            window: None,
            learn_signatures: false,
            levels: 2,
            fairness: 0.0,
            correlation: 0.0,
            user_weights: None,
            training_snr_db: vec![-5.0, 0.0, 5.0, 10.0, 15.0, 20.0],
        }
    }
}

impl ReceiverConfig {
    /// beam-metric: nats behind the best beyond which a hypothesis is dropped.
    pub fn window(&self) -> f64 {
        self.window.unwrap_or(15.0)
    }

    /// Weights of the users' errors in (12), `[N]`.
    pub fn weights(&self, users: usize) -> Vec<f64> {
        let paper = |i: usize| if i < users.div_ceil(2) { 1.0 } else { 2.0 };
        self.user_weights.clone().unwrap_or_else(|| (0..users).map(paper).collect())
    }

    /// Checks what depends on the number of users.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    pub(crate) fn validate_for(&self, prefix: &str, users: usize) -> Result<(), ConfigError> {
        if let Some(w) = &self.user_weights {
            check(
                w.len() == users,
                &format!("{prefix}.user_weights"),
                format!("{} numbers", w.len()),
                &format!("one number > 0 per user ({users})"),
                "1 and 2",
            )?;
        }
        check(
            !(self.form == ReceiverForm::BeamMetric && users < 2),
            &format!("{prefix}.form"),
            "beam-metric",
            "another form with a single user, whose decision needs no search",
            "soft-sic",
        )
    }

    /// Checks every range; `prefix` is the dotted key of the table.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    pub fn validate(&self, prefix: &str) -> Result<(), ConfigError> {
        let d = Self::default();
        let key = |name: &str| format!("{prefix}.{name}");
        check((1..=16).contains(&self.rounds), &key("rounds"), self.rounds, "1..=16", d.rounds)?;
        check((1..=64).contains(&self.beam), &key("beam"), self.beam, "1..=64", d.beam)?;
        check(self.window() > 0.0, &key("window"), self.window(), "> 0", d.window())?;
        check(self.levels <= 16, &key("levels"), self.levels, "0..=16 (0: unquantised)", d.levels)?;
        let fairness = self.fairness;
        check(fairness.is_finite() && fairness >= 0.0, &key("fairness"), fairness, ">= 0", d.fairness)?;
        let correlation = self.correlation;
        check(correlation.is_finite() && correlation >= 0.0, &key("correlation"), correlation, ">= 0", d.correlation)?;
        if let Some(hidden) = &self.hidden {
            let ok = hidden.len() <= 16 && hidden.iter().all(|h| (1..=4096).contains(h));
            check(ok, &key("hidden"), format!("{hidden:?}"), "at most 16 widths in 1..=4096", "by form")?;
        }
        let positive = |w: &Vec<f64>| w.iter().all(|w| w.is_finite() && *w > 0.0);
        if let Some(w) = &self.user_weights {
            check(positive(w), &key("user_weights"), format!("{w:?}"), "one number > 0 per user", "1 and 2")?;
        }
        let snr = &self.training_snr_db;
        check(
            !snr.is_empty() && snr.iter().all(|s| (-50.0..=100.0).contains(s)),
            &key("training_snr_db"),
            format!("{snr:?}"),
            "at least one level in -50..=100",
            "[-5, 0, 5, 10, 15, 20]",
        )?;
        check(
            !(self.learn_signatures && self.form == ReceiverForm::BeamMetric),
            &key("learn_signatures"),
            self.learn_signatures,
            "false with form = \"beam-metric\", whose decisions have no gradient",
            false,
        )
    }
}
