//! What the benches share.
#![expect(dead_code, reason = "each bench uses a part of it")]

pub mod timing;

use grantfree::scenario::{PilotKind, ScenarioConfig, ScenarioKind};
use grantfree::tensor::{BackendChoice, choose};

/// Figure 7 at L = 40: 100 devices, 16 antennas, one bit. The defaults of a scenario, named so that they stay.
pub fn scenario() -> ScenarioConfig {
    ScenarioConfig { devices: 100, antennas: 16, pilot_length: 40, bits: 1, ..ScenarioConfig::default() }
}

/// The same with CN(0, 1/L) pilots of any length, as the networks of the figures were trained for.
pub fn gaussian_pilots(length: usize) -> ScenarioConfig {
    ScenarioConfig { pilot_length: length, pilots: PilotKind::Gaussian, ..scenario() }
}

/// One pilot per device, unit gains, activity 0.1, 10 dB.
pub fn unit_gain(devices: usize, antennas: usize, length: usize) -> ScenarioConfig {
    ScenarioConfig {
        kind: ScenarioKind::UnitGain,
        devices,
        antennas,
        pilot_length: length,
        bits: 0,
        pilots: PilotKind::Gaussian,
        ..ScenarioConfig::default()
    }
}

/// System D at 20 dB: 32 users, 8 of them active, QPSK pilots.
pub fn coherent(antennas: usize, length: usize) -> ScenarioConfig {
    ScenarioConfig {
        kind: ScenarioKind::Coherent,
        devices: 32,
        antennas,
        pilot_length: length,
        bits: 0,
        active_devices: Some(8),
        pilots: PilotKind::Qpsk,
        snr_db: Some(20.0),
        ..ScenarioConfig::default()
    }
}

/// The CPU backends of this build by name.
pub fn devices() -> Vec<(&'static str, burn::tensor::Device)> {
    [BackendChoice::Flex, BackendChoice::NdArray]
        .into_iter()
        .filter_map(|choice| choose(choice).ok())
        .map(|chosen| (chosen.name, chosen.device))
        .collect()
}
