//! What every classical algorithm tells about itself, beside the algorithm: [`Algorithm`] is implemented by its options.

use std::fmt::Debug;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::common::cost::{Operations, Sizes};
use super::{ClassicalError, Spatial, Threshold};
use crate::link::{AccessModel, ConfigError, Detector, OptionKey, Options};
use crate::metrics::MetricName;
use crate::scenario::ScenarioConfig;

/// The link that a detector works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// `Y = S X + W` (systems A to D).
    Access,
    /// `y = sum_n diag(h_n) s_n x_n + w` (system E).
    Spreading,
}

/// What a detector is to the reader of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Knows what a receiver can know.
    Receiver,
    /// Is told a part of the truth; a receiver may still do better.
    Genie,
    /// Is told so much that no receiver can do better by the measure that it is named for.
    Bound,
    /// Predicts values without frames.
    Prediction,
    /// Computes the Bayes decision by brute force: where it has converged, no receiver that is told the same does better.
    Reference,
}

/// How much of the activity prior a detector is told, from nothing to everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prior {
    /// Nothing.
    None,
    /// The mean number of active devices, for a default of its options.
    Mean,
    /// The probability of every device.
    PerDevice,
    /// The probabilities and which devices are active together.
    Groups,
}

/// What a detector must be told beside Y and the pilots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Large-scale gains, for the estimate or for the decision.
    pub gains: bool,
    /// Noise variance.
    pub noise: bool,
    /// Activity probabilities.
    pub activity: Prior,
    /// The truth (support, channels of the others): simulated frames only.
    pub truth: bool,
}

/// Name, place and assumptions of an algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Info {
    /// `kind` in files and on the command line.
    pub name: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// Its link.
    pub link: Link,
    /// What it is in a comparison.
    pub role: Role,
    /// What it must be told.
    pub told: Told,
}

/// Values of one option that tuning tries.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidates {
    /// The option.
    pub key: &'static str,
    /// Its values, all in range.
    pub values: Vec<toml::Value>,
}

impl Candidates {
    /// Numbers.
    pub fn numbers(key: &'static str, values: &[f64]) -> Self {
        Self { key, values: values.iter().copied().map(toml::Value::Float).collect() }
    }

    /// Counts.
    pub fn counts(key: &'static str, values: &[u32]) -> Self {
        Self { key, values: values.iter().map(|v| toml::Value::Integer(i64::from(*v))).collect() }
    }

    /// Multiples of a default that depends on the frames.
    pub fn around(key: &'static str, default: f64) -> Self {
        Self::numbers(key, &[0.125, 0.25, 0.5, 1.0, 2.0, 4.0].map(|factor| factor * default))
    }
}

impl Info {
    /// A receiver of the access link that is told gains and noise variance.
    pub const fn receiver(name: &'static str, summary: &'static str) -> Self {
        let told = Told { gains: true, noise: true, activity: Prior::None, truth: false };
        Self { name, summary, link: Link::Access, role: Role::Receiver, told }
    }

    /// A receiver of the spreading link; all of them know channels, noise variance and activity probabilities.
    pub const fn spreading(name: &'static str, summary: &'static str) -> Self {
        let told = Told { gains: true, noise: true, activity: Prior::PerDevice, truth: false };
        Self { name, summary, link: Link::Spreading, role: Role::Receiver, told }
    }

    /// The same, told the activity prior.
    pub const fn with_prior(self, activity: Prior) -> Self {
        Self { told: Told { activity, ..self.told }, ..self }
    }

    /// The same in another role, told the truth.
    pub const fn with_truth(self, role: Role) -> Self {
        Self { role, told: Told { truth: true, ..self.told }, ..self }
    }

    /// The same as the reference of all receivers that are told as much.
    pub const fn as_reference(self) -> Self {
        Self { role: Role::Reference, ..self }
    }

    /// The same as a prediction without frames.
    pub const fn prediction(self) -> Self {
        Self { role: Role::Prediction, ..self }
    }
}

/// What a detector may be built with beside its options.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Context {
    /// Covariance of the antennas over training frames.
    pub spatial: Option<Arc<Spatial>>,
}

impl Context {
    /// The covariance of the antennas where it is `wanted`.
    pub(crate) fn spatial_if(&self, wanted: bool) -> Option<Arc<Spatial>> {
        self.spatial.clone().filter(|_| wanted)
    }
}

/// Values that are predicted without frames.
pub type Prediction = Vec<(MetricName, f64)>;

/// A classical algorithm. Its options implement this trait; everything else of the library asks it.
pub trait Algorithm:
    Options + Debug + Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// Name, place and assumptions.
    const INFO: Info;

    /// Checks what ranges of single keys cannot say; `prefix` is the dotted key of the table.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    fn check(&self, _prefix: &str) -> Result<(), ConfigError> {
        Ok(())
    }

    /// The detector; options have been checked.
    ///
    /// # Errors
    /// [`ClassicalError`] when something is missing from the context, or the algorithm predicts without frames.
    fn detector(&self, context: &Context) -> Result<Box<dyn Detector>, ClassicalError>;

    /// The threshold that turns scores into decisions, for detectors that have one.
    fn threshold(&self) -> Option<Threshold> {
        None
    }

    /// Replaces the threshold; without effect on detectors that have none.
    fn set_threshold(&mut self, _threshold: Threshold) {}

    /// What it is told with these options. Default: that of [`Self::INFO`].
    fn told(&self) -> Told {
        Self::INFO.told
    }

    /// Whether the context must bring the covariance of the antennas.
    fn wants_spatial(&self) -> bool {
        false
    }

    /// Options beside the threshold that `tuned` chooses, in this order, and the values that it tries on such frames.
    fn candidates(&self, _model: &AccessModel) -> Vec<Candidates> {
        Vec::new()
    }

    /// Thresholds that `tuned` tries where the estimate of X depends on them; none where it does not.
    fn estimate_thresholds(&self) -> &'static [f64] {
        &[]
    }

    /// Real multiplications per frame; `None` where no count is defined.
    fn operations(&self, _sizes: &Sizes) -> Option<Operations> {
        None
    }

    /// What is predicted without frames; `None` for detectors of frames.
    ///
    /// # Errors
    /// [`ClassicalError`] when the scenario cannot be used.
    fn predict(&self, _scenario: &ScenarioConfig, _seed: u64) -> Result<Option<Prediction>, ClassicalError> {
        Ok(None)
    }
}

/// [`Algorithm`] as an object.
pub trait AnyAlgorithm {
    /// Name, place and assumptions.
    fn info(&self) -> Info;
    /// All keys.
    fn keys(&self) -> Vec<OptionKey>;
    /// Ranges of all keys, and [`Algorithm::check`].
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    fn validate(&self, prefix: &str) -> Result<(), ConfigError>;
    /// Checks the options and builds the detector.
    ///
    /// # Errors
    /// [`ClassicalError`] for an option out of range, or as [`Algorithm::detector`].
    fn build(&self, context: &Context) -> Result<Box<dyn Detector>, ClassicalError>;
    /// [`Algorithm::threshold`].
    fn threshold(&self) -> Option<Threshold>;
    /// [`Algorithm::set_threshold`].
    fn set_threshold(&mut self, threshold: Threshold);
    /// [`Algorithm::told`].
    fn told(&self) -> Told;
    /// [`Algorithm::wants_spatial`].
    fn wants_spatial(&self) -> bool;
    /// [`Algorithm::candidates`].
    fn candidates(&self, model: &AccessModel) -> Vec<Candidates>;
    /// [`Algorithm::estimate_thresholds`].
    fn estimate_thresholds(&self) -> &'static [f64];
    /// [`Algorithm::operations`].
    fn operations(&self, sizes: &Sizes) -> Option<Operations>;
    /// [`Algorithm::predict`].
    ///
    /// # Errors
    /// As there.
    fn predict(&self, scenario: &ScenarioConfig, seed: u64) -> Result<Option<Prediction>, ClassicalError>;
    /// Keys that differ from their default.
    ///
    /// # Errors
    /// A value that TOML cannot hold.
    fn table(&self) -> Result<toml::Table, toml::ser::Error>;
}

impl<A: Algorithm> AnyAlgorithm for A {
    fn info(&self) -> Info {
        A::INFO
    }

    fn keys(&self) -> Vec<OptionKey> {
        A::keys()
    }

    fn validate(&self, prefix: &str) -> Result<(), ConfigError> {
        self.check_ranges(prefix)?;
        self.check(prefix)
    }

    fn build(&self, context: &Context) -> Result<Box<dyn Detector>, ClassicalError> {
        self.validate("detector")?;
        if Algorithm::threshold(self) == Some(Threshold::BEST) {
            return Err(ClassicalError::BestThreshold { kind: A::INFO.name });
        }
        if Algorithm::wants_spatial(self) && context.spatial.is_none() {
            return Err(ClassicalError::PooledCovariance { kind: A::INFO.name });
        }
        self.detector(context)
    }

    fn threshold(&self) -> Option<Threshold> {
        Algorithm::threshold(self)
    }

    fn set_threshold(&mut self, threshold: Threshold) {
        Algorithm::set_threshold(self, threshold);
    }

    fn told(&self) -> Told {
        Algorithm::told(self)
    }

    fn wants_spatial(&self) -> bool {
        Algorithm::wants_spatial(self)
    }

    fn candidates(&self, model: &AccessModel) -> Vec<Candidates> {
        Algorithm::candidates(self, model)
    }

    fn estimate_thresholds(&self) -> &'static [f64] {
        Algorithm::estimate_thresholds(self)
    }

    fn operations(&self, sizes: &Sizes) -> Option<Operations> {
        Algorithm::operations(self, sizes)
    }

    fn predict(&self, scenario: &ScenarioConfig, seed: u64) -> Result<Option<Prediction>, ClassicalError> {
        Algorithm::predict(self, scenario, seed)
    }

    fn table(&self) -> Result<toml::Table, toml::ser::Error> {
        toml::Table::try_from(self)
    }
}
