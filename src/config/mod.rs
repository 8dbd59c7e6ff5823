//! Typed, documented, validated experiment files (`configs/*.toml`).
//!
//! A file is read in three steps: parse TOML, apply the chosen budget and every `--set key=value`, then turn the
//! table into [`Experiment`]. Unknown keys and values out of range are errors that name the key, the range and the
//! default. [`Experiment::points`] unfolds figures and sweeps into fully resolved [`Point`]s.

mod decoder;
mod detector;
mod error;
mod experiment;
mod langevin;
mod noma;
mod pc_admm;
mod receiver;
mod scenario;
mod score;
mod set;
mod training;

pub use decoder::{CorrectionKind, DecoderConfig, DecoderForm, DecoderTarget};
pub use detector::{
    DEFAULT_ALPHA, DetectorConfig, DetectorKind, LassoMethod, Onsager, Order, Precision, RowCovariance, Threshold,
    kind_name, spelled,
};
pub use error::ConfigError;
pub use experiment::{EngineConfig, Experiment, Figure, FrameSplit, Point, Sweep};
pub use langevin::{LangevinConfig, Likelihood, Sampler};
pub use noma::{Activation, ActivationLaw, Constellation, Fading, NomaConfig, SignatureKind, SnrConvention};
pub use pc_admm::{AdmmConfig, LinearMap, MapSharing, NominalLink, Proximal};
pub use receiver::{ReceiverConfig, ReceiverForm};
pub use scenario::{ActivityLaw, EnergyConvention, PilotKind, PilotRedraw, Positions, ScenarioConfig, ScenarioKind};
pub use score::{ScoreArchitecture, ScoreConfig, ScoreDomain};
pub use set::{Assignment, apply};
pub use training::{Denoiser, ModelConfig, ModelForm, PhaseConfig, PhaseKind, TrainingConfig};
