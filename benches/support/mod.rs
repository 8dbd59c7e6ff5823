//! What the benches share: the batch they measure, and ratios between two rows of one run.

use std::cell::Cell;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{Bencher, BenchmarkGroup, Criterion};
use grantfree::backend::{BackendChoice, choose};
use grantfree::config::ScenarioConfig;
use grantfree::scenario::{FrameBatch, Scenario, Split};

/// Figure 7 at L = 40: 100 devices, 16 antennas, one bit. The defaults of a scenario, named so that they stay.
pub fn scenario() -> ScenarioConfig {
    ScenarioConfig { devices: 100, antennas: 16, pilot_length: 40, bits: 1, ..ScenarioConfig::default() }
}

/// Test frames of [`scenario`].
pub fn frames(count: usize) -> FrameBatch {
    let scenario = Scenario::new(&scenario(), 1, Split::Test).expect("the scenario needs no file");
    scenario.realize(0, count).observe(&scenario.pilots(0)).expect("the pilots are the scenario's own")
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

/// The best time per call of a row, for ratios between rows of one run.
#[derive(Default)]
pub struct Best(Cell<Option<f64>>);

impl Best {
    /// Runs a row and remembers its best sample.
    pub fn iter<O>(&self, bencher: &mut Bencher, mut call: impl FnMut() -> O) {
        bencher.iter_custom(|times| {
            let begin = Instant::now();
            for _ in 0..times {
                black_box(call());
            }
            let elapsed = begin.elapsed();
            let seconds = elapsed.as_secs_f64() / times as f64;
            self.0.set(Some(self.0.get().map_or(seconds, |best| best.min(seconds))));
            elapsed
        });
    }

    /// Prints how many times longer `other` takes; nothing when a filter left one of the two out.
    pub fn print_ratio(&self, what: &str, other: &Self) {
        if let (Some(mine), Some(theirs)) = (self.0.get(), other.0.get()) {
            println!(
                "{what}: {:.2} times faster ({:.3} ms against {:.3} ms)\n",
                theirs / mine,
                mine * 1e3,
                theirs * 1e3
            );
        }
    }
}
