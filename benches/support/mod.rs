//! What the benches share.

use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion};
use grantfree::backend::{BackendChoice, choose};
use grantfree::config::ScenarioConfig;

/// Figure 7 at L = 40: 100 devices, 16 antennas, one bit. The defaults of a scenario, named so that they stay.
pub fn scenario() -> ScenarioConfig {
    ScenarioConfig { devices: 100, antennas: 16, pilot_length: 40, bits: 1, ..ScenarioConfig::default() }
}

/// The CPU backends of this build by name.
pub fn devices() -> Vec<(&'static str, burn::tensor::Device)> {
    [BackendChoice::Flex, BackendChoice::NdArray]
        .into_iter()
        .filter_map(|choice| choose(choice).ok())
        .map(|chosen| (chosen.name, chosen.device))
        .collect()
}

/// A group of few samples: a row takes seconds, and differences of a percent are not what it is for.
pub fn group<'a>(c: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = c.benchmark_group(name);
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    group
}
