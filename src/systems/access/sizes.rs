//! Sizes that fix the shapes of a network.

use crate::link::{AccessModel, ConfigError};
use crate::scenario::ScenarioConfig;
use crate::systems::PilotShape;

/// Sizes of a link with one pilot per device.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LinkSizes {
    /// Devices N.
    pub devices: usize,
    /// Pilot length L.
    pub pilot_length: usize,
    /// Antennas M of the training frames; a decoder runs at any number.
    pub antennas: usize,
    /// Mean activity probability, where priors start.
    pub activity_prob: f64,
}

impl LinkSizes {
    /// Sizes of a scenario.
    pub fn of(scenario: &ScenarioConfig) -> Self {
        Self {
            devices: scenario.devices,
            pilot_length: scenario.pilot_length,
            antennas: scenario.antennas,
            activity_prob: scenario.effective_activity_prob(),
        }
    }

    /// Checks what a manifest says.
    pub(in crate::systems) fn check(&self) -> Result<(), ConfigError> {
        if self.devices == 0 || self.pilot_length == 0 || self.antennas == 0 {
            return Err(ConfigError::Invalid("manifest.json, config.sizes: every size is at least 1".into()));
        }
        Ok(())
    }

    /// The pilots of such a link.
    pub(in crate::systems) fn pilot_shape(&self, energy: f64) -> PilotShape {
        PilotShape { length: self.pilot_length, columns: self.devices, sequences: 1, energy }
    }

    /// The sizes of frames beside these, as [`check_sizes`](super::check_sizes) compares them.
    pub(in crate::systems) fn against(&self, frames: &AccessModel) -> [(&'static str, usize, usize); 3] {
        [
            ("devices", frames.devices(), self.devices),
            ("sequences", frames.sequences(), 1),
            ("pilot length", frames.pilot_length(), self.pilot_length),
        ]
    }

    /// Where `theta_1 = ln((1 - eps)/eps)` starts.
    pub fn theta_1(&self) -> f64 {
        ((1.0 - self.activity_prob) / self.activity_prob).ln()
    }
}
