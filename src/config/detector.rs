//! `[detectors.ID]`: what is compared.

use serde::{Deserialize, Serialize};

use crate::detect::{DEFAULT_ALPHA, LassoMethod, Onsager, Order, Precision, RowCovariance, Threshold};
use crate::link::spelled;

use crate::detect::LangevinConfig;
use crate::link::{ConfigError, check};
use crate::scenario::SignatureKind;
use crate::scenario::{ScenarioConfig, ScenarioKind};
use crate::systems::autoencoder::DecoderConfig;
use crate::systems::mampnet::ModelConfig;
use crate::systems::pc_admm::AdmmConfig;
use crate::systems::score::ScoreConfig;
use crate::systems::signature::ReceiverConfig;
use crate::training::{PhaseKind, TrainingConfig};

/// Detectors by their names on the command line and in experiment files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DetectorKind {
    /// Vector AMP with the row-wise MMSE denoiser.
    Amp,
    /// AMP with the section-wise Bayes denoiser.
    AmpSection,
    /// Covariance method: ML coordinate descent, then gamma > beta/2.
    Covariance,
    /// Covariance coordinate descent over the discrete activities with known gains (section-wise posterior).
    CovarianceSection,
    /// Covariance ML: coordinate descent, gamma reported.
    Ml,
    /// Covariance MAP: coordinate descent with the activity prior.
    Map,
    /// Covariance LASSO: least-squares fit of the sample covariance.
    CovarianceLasso,
    /// ML coordinate descent for the support, MMSE estimate of the channels.
    MlMmse,
    /// Group LASSO by block coordinate descent.
    GroupLasso,
    /// Group LASSO by sharing ADMM.
    GroupLassoAdmm,
    /// Group LASSO by prediction-correction ADMM.
    PcAdmm,
    /// LASSO of the entries by ISTA or FISTA.
    Lasso,
    /// System C: the network that unfolds prediction-correction ADMM (trained).
    PcAdmmNet,
    /// Linear MMSE estimate from the mean power of every row.
    Lmmse,
    /// Annealed Langevin sampling of the posterior with the exact score.
    Langevin,
    /// System D: annealed Langevin sampling with a learned score (trained).
    Score,
    /// MMSE estimate when the support is known.
    GenieMmse,
    /// Every other device known: the floor of every figure.
    SingleUserBound,
    /// State-evolution prediction of AMP (no frames needed).
    StateEvolution,
    /// Smallest coherence that pilots can have (no frames needed).
    WelchBound,
    /// DL-mAMPnet, system A (trained).
    Mampnet,
    /// System B: learned pilots and their decoder (trained).
    Autoencoder,
    /// System E: one matched filter per user, five-point decision.
    MatchedFilter,
    /// System E: MMSE filter and successive cancellation of decisions.
    MmseSic,
    /// System E: minimum-norm least squares on the true active set.
    OracleLs,
    /// System E: exhaustive search over every hypothesis of all users.
    JointMap,
    /// System E: successive decisions that keep the best hypotheses.
    BeamSic,
    /// System E: expectation propagation with the discrete prior.
    ExpectationPropagation,
    /// System E: soft interference cancellation, the classical receiver behind the model-driven SICNN.
    SoftSic,
    /// System E: a learned receiver, and learned signatures (trained).
    Sicnn,
}

impl DetectorKind {
    /// Whether the detector has weights that are trained.
    pub fn is_learned(self) -> bool {
        matches!(self, Self::Mampnet | Self::Autoencoder | Self::PcAdmmNet | Self::Score | Self::Sicnn)
    }

    /// Whether the detector works on the spreading link of system E.
    pub fn is_spreading(self) -> bool {
        Self::SPREADING.contains(&self)
    }

    /// Detectors of the spreading link.
    const SPREADING: [Self; 8] = [
        Self::MatchedFilter,
        Self::MmseSic,
        Self::OracleLs,
        Self::JointMap,
        Self::BeamSic,
        Self::ExpectationPropagation,
        Self::SoftSic,
        Self::Sicnn,
    ];
}

/// One detector and its options; an option that the detector does not use is an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectorConfig {
    /// Which detector.
    pub kind: DetectorKind,
    /// Name in figures and tables. Default: the id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Iterations (amp: 50, group-lasso-admm and pc-admm: 200, lasso: 500, expectation-propagation: 10), rounds (soft-sic: 4) or sweeps (covariance 50,
    /// ml, map and ml-mmse 55, covariance-section 10, covariance-lasso and group-lasso 200), 1..=1000000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iterations: Option<usize>,
    /// amp, expectation-propagation: fraction of the new iterate, in (0, 1]. Default 1 (no damping) and 0.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damping: Option<f64>,
    /// amp, covariance-section: "equal-prior", "map" or a number compared with the LLR (default "map");
    /// covariance, ml, map, ml-mmse, covariance-lasso: a number compared with gamma/beta (default 0.5);
    /// group-lasso, group-lasso-admm, pc-admm, lasso, lmmse, langevin: a number compared with `||x||^2/(M beta)` (default 0.1).
    /// "best": the number that makes the fewest errors on training frames (experiment files only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Threshold>,
    /// amp: "matrix" (default) or "scalar" (diverges; for study).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub onsager: Option<Onsager>,
    /// Stop when the largest change of one sweep or iteration relative to the largest value falls below, >= 0. Default 0
    /// (never).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<f64>,
    /// group-lasso, group-lasso-admm, pc-admm: weight of the row norms, > 0, default `sqrt(M noise_var mean||a||^2)`;
    /// lasso: weight of the moduli, > 0, default `sqrt(noise_var mean||a||^2)`;
    /// covariance-lasso: weight of the powers, >= 0, default `8 noise_var mean||a||^2/sqrt(M)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lambda: Option<f64>,
    /// group-lasso-admm, pc-admm: penalty of the augmented Lagrangian, > 0. Default 1 (group-lasso-admm) and
    /// `mean||a||^2 max(1 - K/L, 1/4)` for K active devices on average (pc-admm).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rho: Option<f64>,
    /// pc-admm: relaxation of the correction, in (0, 2). Default 1.7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpha: Option<f64>,
    /// pc-admm: how far the prox looks ahead along the change of the dual, in [0, 1) with `alpha <= 2 - sqrt(1 - extrapolation)`.
    /// Default `1 - min(1, (2 - alpha)^2/2)`. `alpha = 1, extrapolation = 0` is plain ADMM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extrapolation: Option<f64>,
    /// lasso: "fista" (default) or "ista".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<LassoMethod>,
    /// lmmse, genie-mmse: "white" (default: independent antennas) or "pooled" (their covariance over training frames;
    /// experiment files only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covariance: Option<RowCovariance>,
    /// score: the network and the noise levels it is trained for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<ScoreConfig>,
    /// langevin, score: likelihood, noise levels, steps and samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub langevin: Option<LangevinConfig>,
    /// "f64" (default) or "f32".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
    /// mmse-sic: "sinr" (default; smallest error variance first) or "fixed" (users in order).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// beam-sic: hypotheses kept after each decision, 1..=4096. Default 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beam: Option<usize>,
    /// beam-sic: nats behind the best beyond which a hypothesis is dropped, > 0. Default: none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<f64>,
    /// System E: signatures of this detector. Default: `scenario.noma.signatures`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signatures: Option<SignatureKind>,
    /// Use the pilots that this other (learned) detector of the file has learned. Default: the scenario's pilots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pilots_of: Option<String>,
    /// score: use the network that this other detector of the file trains, with options of its own for the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_of: Option<String>,
    /// Learned detectors: folder of a trained bundle to load instead of training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<String>,
    /// Learned detectors: the architecture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelConfig>,
    /// autoencoder: the decoder, and whether pilots are learned with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoder: Option<DecoderConfig>,
    /// pc-admm-net: the architecture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admm: Option<AdmmConfig>,
    /// sicnn: the receiver, and whether signatures are learned with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiver: Option<ReceiverConfig>,
    /// Learned detectors: how it is trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<TrainingConfig>,
}

impl DetectorConfig {
    /// A detector with every option at its default.
    pub fn new(kind: DetectorKind) -> Self {
        Self {
            kind,
            label: None,
            iterations: None,
            damping: None,
            threshold: None,
            onsager: None,
            tolerance: None,
            lambda: None,
            rho: None,
            alpha: None,
            extrapolation: None,
            method: None,
            covariance: None,
            langevin: None,
            score: None,
            precision: None,
            order: None,
            beam: None,
            window: None,
            signatures: None,
            pilots_of: None,
            network_of: None,
            bundle: None,
            model: None,
            decoder: None,
            admm: None,
            receiver: None,
            training: None,
        }
    }

    /// The scenario as a prior of channels sees it: everything that neither the channels nor the activities depend on is
    /// at its default.
    pub fn prior_of(&self, scenario: &ScenarioConfig) -> ScenarioConfig {
        let d = ScenarioConfig::default();
        ScenarioConfig {
            pilot_length: scenario.pilot_length.min(1),
            pilots: d.pilots,
            pilot_redraw: d.pilot_redraw,
            noise_var: None,
            snr_db: None,
            ..scenario.clone()
        }
    }

    /// Whether the detector brings pilots (or signatures) that were learned with it.
    pub fn learns_pilots(&self) -> bool {
        match self.kind {
            DetectorKind::Mampnet => self.model.as_ref().is_some_and(|m| m.learn_pilots),
            // Its pilots are part of what it is, learned or not.
            DetectorKind::Autoencoder | DetectorKind::PcAdmmNet => true,
            DetectorKind::Sicnn => self.receiver.as_ref().is_some_and(|r| r.learn_signatures),
            _ => false,
        }
    }

    /// Checks what depends on the link: `prefix` is the dotted key of the table.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    pub fn validate_for(&self, prefix: &str, scenario: &ScenarioConfig) -> Result<(), ConfigError> {
        let spreading = scenario.kind == ScenarioKind::Noma;
        let range = if spreading {
            "a detector of the spreading link with scenario.kind = \"noma\": matched-filter, mmse-sic, soft-sic, beam-sic, \
             expectation-propagation, joint-map, oracle-ls, sicnn"
        } else {
            "a detector of the access link; those of the spreading link need scenario.kind = \"noma\""
        };
        check(self.kind.is_spreading() == spreading, &format!("{prefix}.kind"), kind_name(self.kind), range, "none")?;
        if self.kind == DetectorKind::Autoencoder {
            self.decoder.clone().unwrap_or_default().validate_for(&format!("{prefix}.decoder"), scenario)?;
        }
        if self.kind == DetectorKind::PcAdmmNet {
            self.admm.clone().unwrap_or_default().validate_for(scenario)?;
        }
        let Some(receiver) = self.receiver.as_ref().filter(|_| spreading) else { return Ok(()) };
        receiver.validate_for(&format!("{prefix}.receiver"), scenario.noma().users)?;
        check(
            !(receiver.learn_signatures && self.signatures.is_some()),
            &format!("{prefix}.signatures"),
            self.signatures.as_ref().map(spelled).unwrap_or_default(),
            "left out with receiver.learn_signatures = true",
            "none",
        )
    }

    /// Checks ranges and that every given option is used by the detector; `prefix` is the dotted key of the table.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    pub fn validate(&self, prefix: &str) -> Result<(), ConfigError> {
        use DetectorKind as K;
        let key = |name: &str| format!("{prefix}.{name}");
        let used = |given: bool, name: &str, kinds: &[K]| {
            if given && !kinds.contains(&self.kind) {
                let users: Vec<String> = kinds.iter().map(|k| kind_name(*k)).collect();
                return Err(ConfigError::Invalid(format!(
                    "{} is not an option of detector {}; it belongs to {}",
                    key(name),
                    kind_name(self.kind),
                    users.join(", ")
                )));
            }
            Ok(())
        };
        let amp = [K::Amp, K::AmpSection];
        let lasso = [K::GroupLasso, K::GroupLassoAdmm, K::PcAdmm, K::Lasso, K::CovarianceLasso];
        let sweeps = [
            K::Amp,
            K::AmpSection,
            K::Covariance,
            K::CovarianceSection,
            K::Ml,
            K::Map,
            K::StateEvolution,
            K::ExpectationPropagation,
            K::SoftSic,
            K::MlMmse,
            K::GroupLasso,
            K::GroupLassoAdmm,
            K::PcAdmm,
            K::Lasso,
            K::CovarianceLasso,
        ];
        let decides = [
            K::Amp,
            K::AmpSection,
            K::Covariance,
            K::CovarianceSection,
            K::Ml,
            K::Map,
            K::StateEvolution,
            K::Mampnet,
            K::Autoencoder,
            K::MlMmse,
            K::GroupLasso,
            K::GroupLassoAdmm,
            K::PcAdmm,
            K::Lasso,
            K::PcAdmmNet,
            K::CovarianceLasso,
            K::Lmmse,
            K::Langevin,
            K::Score,
        ];
        let descends = [
            K::Covariance,
            K::CovarianceSection,
            K::Ml,
            K::Map,
            K::MlMmse,
            K::GroupLasso,
            K::PcAdmm,
            K::Lasso,
            K::CovarianceLasso,
        ];
        used(self.iterations.is_some(), "iterations", &sweeps)?;
        used(self.damping.is_some(), "damping", &[K::Amp, K::AmpSection, K::ExpectationPropagation])?;
        used(self.onsager.is_some(), "onsager", &amp)?;
        used(self.threshold.is_some(), "threshold", &decides)?;
        used(self.tolerance.is_some(), "tolerance", &descends)?;
        used(self.lambda.is_some(), "lambda", &lasso)?;
        used(self.rho.is_some(), "rho", &[K::GroupLassoAdmm, K::PcAdmm])?;
        used(self.alpha.is_some(), "alpha", &[K::PcAdmm])?;
        used(self.extrapolation.is_some(), "extrapolation", &[K::PcAdmm])?;
        used(self.method.is_some(), "method", &[K::Lasso])?;
        used(self.admm.is_some(), "admm", &[K::PcAdmmNet])?;
        used(self.langevin.is_some(), "langevin", &[K::Langevin, K::Score])?;
        used(self.score.is_some(), "score", &[K::Score])?;
        used(self.network_of.is_some(), "network_of", &[K::Score])?;
        if let Some(other) = &self.network_of {
            let alone = self.bundle.is_none() && self.score.is_none() && self.training.is_none();
            let range = "left out with bundle, score or training, which belong to the detector that is trained";
            check(alone, &key("network_of"), other, range, "none")?;
        }
        used(self.covariance.is_some(), "covariance", &[K::Lmmse, K::GenieMmse])?;
        used(
            self.precision.is_some(),
            "precision",
            &[K::Amp, K::AmpSection, K::Covariance, K::CovarianceSection, K::Ml, K::Map],
        )?;
        used(self.order.is_some(), "order", &[K::MmseSic])?;
        used(self.beam.is_some(), "beam", &[K::BeamSic])?;
        used(self.window.is_some(), "window", &[K::BeamSic])?;
        if let Some(w) = self.window {
            check(w > 0.0, &key("window"), w, "> 0", "none")?;
        }
        used(self.signatures.is_some(), "signatures", &K::SPREADING)?;
        if let Some(b) = self.beam {
            check((1..=4096).contains(&b), &key("beam"), b, "1..=4096", 4)?;
        }
        used(self.bundle.is_some(), "bundle", &[K::Mampnet, K::Autoencoder, K::PcAdmmNet, K::Score, K::Sicnn])?;
        used(self.model.is_some(), "model", &[K::Mampnet])?;
        used(self.decoder.is_some(), "decoder", &[K::Autoencoder])?;
        used(self.receiver.is_some(), "receiver", &[K::Sicnn])?;
        used(self.training.is_some(), "training", &[K::Mampnet, K::Autoencoder, K::PcAdmmNet, K::Score, K::Sicnn])?;
        if let Some(i) = self.iterations {
            check(
                (1..=1_000_000).contains(&i),
                &key("iterations"),
                i,
                "1..=1000000",
                "50 (amp, covariance), 55 (ml, map, ml-mmse), 200 (group-lasso, group-lasso-admm, pc-admm, \
                 covariance-lasso), 500 (lasso), \
                 10 (covariance-section, expectation-propagation), 4 (soft-sic)",
            )?;
        }
        if let Some(d) = self.damping {
            check(d > 0.0 && d <= 1.0, &key("damping"), d, "in (0, 1]", 1)?;
        }
        if let Some(t) = self.tolerance {
            check(t.is_finite() && t >= 0.0, &key("tolerance"), t, ">= 0", 0)?;
        }
        check(
            self.threshold != Some(Threshold::BEST) || !matches!(self.kind, K::Mampnet | K::StateEvolution),
            &key("threshold"),
            "best",
            "\"equal-prior\", \"map\" or a number with this kind",
            "map",
        )?;
        if let Some(w) = self.lambda {
            if self.kind == K::CovarianceLasso {
                check(w.is_finite() && w >= 0.0, &key("lambda"), w, ">= 0", "8 noise_var mean||a||^2/sqrt(M)")?;
            } else {
                let default = if self.kind == K::Lasso { "" } else { "M " };
                let default = format!("sqrt({default}noise_var mean||a||^2)");
                check(w.is_finite() && w > 0.0, &key("lambda"), w, "> 0", default)?;
            }
        }
        if let Some(r) = self.rho {
            let default = if self.kind == K::PcAdmm { "mean||a||^2 max(1 - K/L, 1/4)" } else { "1" };
            check(r.is_finite() && r > 0.0, &key("rho"), r, "> 0", default)?;
        }
        let alpha = self.alpha.unwrap_or(DEFAULT_ALPHA);
        check(alpha > 0.0 && alpha < 2.0, &key("alpha"), alpha, "in (0, 2)", DEFAULT_ALPHA)?;
        if let Some(t) = self.extrapolation {
            check(
                (0.0..1.0).contains(&t) && alpha <= 2.0 - (1.0 - t).sqrt(),
                &key("extrapolation"),
                t,
                &format!("in [0, 1) with alpha <= 2 - sqrt(1 - extrapolation); alpha is {alpha}"),
                "1 - min(1, (2 - alpha)^2/2)",
            )?;
        }
        if let Some(Threshold::Value(t)) = self.threshold {
            check(t.is_finite(), &key("threshold"), t, "\"equal-prior\", \"map\" or a finite number", "map")?;
        }
        if let Some(l) = &self.langevin {
            l.validate(&key("langevin"))?;
        }
        if let Some(m) = &self.model {
            m.validate(&key("model"))?;
        }
        if let Some(d) = &self.decoder {
            d.validate(&key("decoder"))?;
        }
        if let Some(a) = &self.admm {
            a.validate(&key("admm"))?;
        }
        if let Some(s) = &self.score {
            s.validate(&key("score"))?;
        }
        if matches!(self.kind, K::Autoencoder | K::PcAdmmNet | K::Score) {
            check(
                !matches!(self.threshold, Some(Threshold::Rule(_))),
                &key("threshold"),
                "a named rule",
                "a number with this kind",
                if self.kind == K::Score { "0.1" } else { "the one that makes the fewest errors on training frames" },
            )?;
        }
        if let Some(r) = &self.receiver {
            r.validate(&key("receiver"))?;
        }
        if let Some(t) = &self.training {
            t.validate(&key("training"))?;
            let fits = |p: PhaseKind| match self.kind {
                K::Sicnn | K::Autoencoder => matches!(p, PhaseKind::Joint | PhaseKind::Receiver),
                K::Score => p == PhaseKind::Joint,
                K::PcAdmmNet => matches!(p, PhaseKind::Joint | PhaseKind::LayerWise),
                _ => p != PhaseKind::Receiver,
            };
            if let Some(i) = t.phases.iter().position(|p| !fits(p.kind)) {
                let range = if self.kind == K::Score {
                    "\"joint\""
                } else if self.kind == K::PcAdmmNet {
                    "\"joint\" or \"layer-wise\""
                } else if self.kind != K::Mampnet {
                    "\"joint\" or \"receiver\""
                } else {
                    "not \"receiver\""
                };
                let found = format!("{:?}", t.phases[i].kind).to_lowercase();
                check(false, &key(&format!("training.phases[{i}].kind")), found, range, "joint")?;
            }
        }
        Ok(())
    }
}

/// The name of a kind as files and the command line spell it.
pub fn kind_name(kind: DetectorKind) -> String {
    spelled(&kind)
}
