//! Rows of a bench: a call repeated until its time is known, printed as best, median and worst of ten samples.
//!
//! `cargo bench --bench NAME -- TEXT` measures the rows whose `group/row` contains the text, `--quick` spends a tenth of
//! the time on each.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Samples of a row.
const SAMPLES: u32 = 10;

/// What the command line asks for.
pub struct Bench {
    filter: Option<String>,
    warm_up: Duration,
    measure: Duration,
}

impl Bench {
    /// From the arguments of the process; cargo adds `--bench`.
    pub fn from_args() -> Self {
        let given: Vec<String> = std::env::args().skip(1).collect();
        let share = if given.iter().any(|a| a == "--quick") { 10 } else { 1 };
        Self {
            filter: given.into_iter().find(|a| !a.starts_with("--")),
            warm_up: Duration::from_millis(500) / share,
            measure: Duration::from_secs(2) / share,
        }
    }

    /// Rows under a common name.
    pub fn group<'a>(&'a mut self, name: &str) -> Group<'a> {
        Group { bench: self, name: name.to_owned(), elements: None }
    }
}

/// Rows under a common name.
pub struct Group<'a> {
    bench: &'a mut Bench,
    name: String,
    elements: Option<u64>,
}

impl Group<'_> {
    /// How many elements (frames) one call works on: rows show elements per second too.
    pub fn elements(&mut self, per_call: u64) {
        self.elements = Some(per_call);
    }

    /// Measures one row; `body` hands the call to [`Timer::iter`] or [`Timer::iter_custom`].
    pub fn row(&mut self, name: impl AsRef<str>, mut body: impl FnMut(&mut Timer)) {
        let name = format!("{}/{}", self.name, name.as_ref());
        if self.bench.filter.as_ref().is_some_and(|f| !name.contains(f.as_str())) {
            return;
        }
        let mut timer = Timer { calls: 1, elapsed: Duration::ZERO };
        let mut seconds_per_call = |calls: u64| {
            timer.calls = calls;
            body(&mut timer);
            timer.elapsed.as_secs_f64() / calls as f64
        };
        let begin = Instant::now();
        let (mut calls, mut estimate) = (1, seconds_per_call(1));
        while begin.elapsed() < self.bench.warm_up {
            calls *= 2;
            estimate = seconds_per_call(calls);
        }
        let per_sample = self.bench.measure.as_secs_f64() / f64::from(SAMPLES);
        let calls = (per_sample / estimate.max(1e-9)).ceil() as u64;
        let mut samples: Vec<f64> = (0..SAMPLES).map(|_| seconds_per_call(calls)).collect();
        samples.sort_by(f64::total_cmp);
        let [best, worst] = [samples[0], samples[samples.len() - 1]];
        let middle = samples.len() / 2;
        let median = (samples[middle - 1] + samples[middle]) / 2.0;
        let rate = self.elements.map_or(String::new(), |n| format!("  {:.1} elements/s", n as f64 / median));
        println!("{name:<60} [{} {} {}]{rate}", shown(best), shown(median), shown(worst));
    }
}

/// Calls the code of a row as often as a sample needs.
pub struct Timer {
    calls: u64,
    elapsed: Duration,
}

impl Timer {
    /// Times the calls of one sample.
    pub fn iter<O>(&mut self, mut call: impl FnMut() -> O) {
        self.iter_custom(|calls| {
            let begin = Instant::now();
            for _ in 0..calls {
                black_box(call());
            }
            begin.elapsed()
        });
    }

    /// The body makes that many calls and says how long they took.
    pub fn iter_custom(&mut self, mut sample: impl FnMut(u64) -> Duration) {
        self.elapsed = sample(self.calls);
    }
}

/// Seconds in a unit that leaves few digits before the point.
fn shown(seconds: f64) -> String {
    let (factor, unit) = match seconds {
        s if s < 1e-6 => (1e9, "ns"),
        s if s < 1e-3 => (1e6, "us"),
        s if s < 1.0 => (1e3, "ms"),
        _ => (1.0, "s"),
    };
    format!("{:.4} {unit}", seconds * factor)
}
