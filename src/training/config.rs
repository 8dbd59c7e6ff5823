//! `[detectors.ID.training]`: the schedule of a training.

use serde::{Deserialize, Serialize};

use crate::link::{ConfigError, check};

/// What one phase of the training changes and minimises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PhaseKind {
    /// T phases of `steps` each, one per AMP layer (or layer of system C): layer t alone, on the mean squared error of its
    /// output ((58) of the DL-mAMPnet paper).
    LayerWise,
    /// The refinement module alone (or the last layer, without one), on the cross-entropy ((59) of the DL-mAMPnet paper).
    Refinement,
    /// All parameters, cross-entropy of the output plus `auxiliary` times that of every layer.
    Joint,
    /// Systems B and E: the receiver alone; learned pilots or signatures stay as they are.
    Receiver,
}

/// One phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseConfig {
    /// "layer-wise", "refinement" or "joint" (mampnet), "layer-wise" or "joint" (pc-admm-net), "receiver" or "joint"
    /// (autoencoder, sicnn).
    pub kind: PhaseKind,
    /// Adam steps, 1..=10000000.
    pub steps: u64,
    /// Learning rate of matrices, in (0, 1]. Default 3e-4. The dense layers of pc-admm-net learn at the geometric mean of
    /// this and `scalar_lr`.
    #[serde(default = "default_lr")]
    pub lr: f64,
    /// Learning rate of scalars (v_t, thresholds), in (0, 1]. Default 3e-3.
    #[serde(default = "default_scalar_lr")]
    pub scalar_lr: f64,
    /// Learning rate of learned pilots, in (0, 1]. Default 1e-3.
    #[serde(default = "default_pilot_lr")]
    pub pilot_lr: f64,
    /// Half-cosine decay to zero over the phase. Default true.
    #[serde(default = "default_true")]
    pub cosine: bool,
    /// Weight of every layer's own cross-entropy in a joint phase, 0..=1. Default 0.1. Auto-encoders and pc-admm-net add the
    /// mean of the losses of all earlier layers; auto-encoders with signals as the target add the cross-entropy of their
    /// logits.
    #[serde(default = "default_auxiliary")]
    pub auxiliary: f64,
}

fn default_lr() -> f64 {
    3e-4
}
fn default_scalar_lr() -> f64 {
    3e-3
}
fn default_pilot_lr() -> f64 {
    1e-3
}
fn default_true() -> bool {
    true
}
fn default_auxiliary() -> f64 {
    0.1
}

/// Training of one learned detector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingConfig {
    /// Frames per step, 1..=65536. Default 128.
    pub batch: usize,
    /// Phases in order. Default: one joint phase of 2000 steps.
    pub phases: Vec<PhaseConfig>,
    /// Validation frames, 1..=10000000. Default 2048.
    pub validation_frames: usize,
    /// Steps between validations, >= 1. Default 200.
    pub validation_every: u64,
    /// Validations without improvement before a phase ends early; 0 never. Default 0.
    pub patience: u64,
    /// Train on this many fixed frames again and again instead of fresh ones. Default: fresh frames for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset_frames: Option<u64>,
    /// Decay of a moving average of the weights, in (0, 1), which is then what is validated and kept. Default: no average.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub average: Option<f64>,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            batch: 128,
            phases: vec![PhaseConfig {
                kind: PhaseKind::Joint,
                steps: 2000,
                lr: default_lr(),
                scalar_lr: default_scalar_lr(),
                pilot_lr: default_pilot_lr(),
                cosine: true,
                auxiliary: default_auxiliary(),
            }],
            validation_frames: 2048,
            validation_every: 200,
            patience: 0,
            dataset_frames: None,
            average: None,
        }
    }
}

impl TrainingConfig {
    /// First frame of the batch of a step; with `dataset_frames` whole batches of the fixed set come again in order.
    pub fn first_frame(&self, step: u64) -> u64 {
        let batch = self.batch as u64;
        match self.dataset_frames {
            Some(n) => (step * batch) % (n - n % batch),
            None => step * batch,
        }
    }

    /// Checks every range; `prefix` is the dotted key of the table.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    pub fn validate(&self, prefix: &str) -> Result<(), ConfigError> {
        let d = Self::default();
        let key = |name: &str| format!("{prefix}.{name}");
        check((1..=65_536).contains(&self.batch), &key("batch"), self.batch, "1..=65536", d.batch)?;
        check(
            (1..=10_000_000).contains(&self.validation_frames),
            &key("validation_frames"),
            self.validation_frames,
            "1..=10000000",
            d.validation_frames,
        )?;
        check(self.validation_every >= 1, &key("validation_every"), self.validation_every, ">= 1", d.validation_every)?;
        check(!self.phases.is_empty(), &key("phases"), "[]", "at least one phase", "one joint phase")?;
        if let Some(n) = self.dataset_frames {
            check(n >= self.batch as u64, &key("dataset_frames"), n, ">= batch", "none (fresh frames)")?;
        }
        if let Some(decay) = self.average {
            check(decay > 0.0 && decay < 1.0, &key("average"), decay, "in (0, 1)", "none (no average)")?;
        }
        for (i, p) in self.phases.iter().enumerate() {
            let key = |name: &str| format!("{prefix}.phases[{i}].{name}");
            check((1..=10_000_000).contains(&p.steps), &key("steps"), p.steps, "1..=10000000", "none")?;
            check(p.lr > 0.0 && p.lr <= 1.0, &key("lr"), p.lr, "in (0, 1]", default_lr())?;
            check(
                p.scalar_lr > 0.0 && p.scalar_lr <= 1.0,
                &key("scalar_lr"),
                p.scalar_lr,
                "in (0, 1]",
                default_scalar_lr(),
            )?;
            check(
                p.pilot_lr > 0.0 && p.pilot_lr <= 1.0,
                &key("pilot_lr"),
                p.pilot_lr,
                "in (0, 1]",
                default_pilot_lr(),
            )?;
            check((0.0..=1.0).contains(&p.auxiliary), &key("auxiliary"), p.auxiliary, "0..=1", default_auxiliary())?;
        }
        Ok(())
    }
}
