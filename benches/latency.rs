//! Latency of deployment: one frame at a time on the CPU, median and 99th percentile, for every committed network and a few
//! classical detectors, beside the slots of 5G NR (1 ms and 0.5 ms).
//!
//! Frames follow the law that each network was trained for; inputs are in memory as the receiver has them, decisions are
//! complete when the clock stops. `cargo bench --bench latency -- --threads 1` measures with one worker;
//! `--only TEXT` takes the rows whose name holds the text.

mod support;

use std::path::{Path, PathBuf};
use std::time::Instant;

use grantfree::detect::build;
use grantfree::detect::{AmpOptions, Classical, Precision};
use grantfree::experiment::load_detector;
use grantfree::link::Detector;
use grantfree::link::{FrameBatch, Split};
use grantfree::scenario::Scenario;
use grantfree::scenario::signatures::signature_set;
use grantfree::scenario::{NomaConfig, ScenarioConfig, ScenarioKind, SignatureKind};
use grantfree::tensor::{BackendChoice, Chosen, choose, keep_freed_memory, on_workers};
use support::{coherent, gaussian_pilots, unit_gain};

/// Frames of a row at least, and seconds after which a row ends.
const FRAMES: usize = 400;
const SECONDS: f64 = 4.0;
/// Frames before the clock runs.
const WARM_UP: usize = 10;
/// Slots of 5G NR in milliseconds: 15 kHz and 30 kHz subcarriers.
const SLOTS: [f64; 2] = [1.0, 0.5];

fn spreading(users: usize, length: usize) -> ScenarioConfig {
    let noma = NomaConfig { users, signature_length: length, snr_db: 20.0, ..NomaConfig::default() };
    ScenarioConfig { kind: ScenarioKind::Noma, noma: Some(noma), ..ScenarioConfig::default() }
}

/// Committed networks with the law of their frames.
fn networks() -> Vec<(&'static str, ScenarioConfig)> {
    vec![
        ("mampnet-n100-m16-l20-learned-pilots", gaussian_pilots(20)),
        ("mampnet-n100-m16-l40-fixed-pilots", gaussian_pilots(40)),
        ("mampnet-n100-m16-l40-learned-pilots", gaussian_pilots(40)),
        ("autoencoder-n100-m4-l12-amp-nn", unit_gain(100, 4, 12)),
        ("autoencoder-n100-m4-l12-gl-nn", unit_gain(100, 4, 12)),
        ("autoencoder-n100-m4-l12-map-nn", unit_gain(100, 4, 12)),
        ("pc-net-n100-m4-l20", unit_gain(100, 4, 20)),
        ("score-n32-m8-refine", coherent(8, 20)),
        ("score-n32-m8-set", coherent(8, 20)),
        ("score-n32-m16-umi", coherent(16, 19)),
        ("sicnn-n6-h4-soft-net", spreading(6, 4)),
        ("sicnn-n6-h4-learned-signatures-q2", spreading(6, 4)),
        ("sicnn-n6-h4-beam-net-3", spreading(6, 4)),
        ("sicnn-n12-h8-beam-net-4", spreading(12, 8)),
    ]
}

/// Classical detectors at their default options on the same laws.
fn classical() -> Vec<(&'static str, Classical, ScenarioConfig)> {
    let of = |kind| Classical::named(kind).expect("a registered kind");
    let single = AmpOptions { precision: Precision::F32, ..AmpOptions::default() }.into();
    vec![
        ("amp, f32, N = 100 Q = 2 M = 16 L = 40", single, gaussian_pilots(40)),
        ("covariance, N = 100 Q = 2 M = 16 L = 40", of("covariance"), gaussian_pilots(40)),
        ("amp, N = 100 M = 4 L = 20", of("amp"), unit_gain(100, 4, 20)),
        ("pc-admm, N = 100 M = 4 L = 20", of("pc-admm"), unit_gain(100, 4, 20)),
        ("lmmse, N = 32 M = 8 L = 20", of("lmmse"), coherent(8, 20)),
        ("mmse-sic, N = 6 H = 4", of("mmse-sic"), spreading(6, 4)),
        ("beam-sic, N = 6 H = 4", of("beam-sic"), spreading(6, 4)),
    ]
}

/// Single frames as `detector` is sent them.
fn frames(detector: &dyn Detector, config: &ScenarioConfig, count: usize) -> Vec<FrameBatch> {
    let scenario = Scenario::new(config, 1, Split::Test).expect("no files");
    let pilots = detector.pilots().unwrap_or_else(|| match &config.noma {
        Some(noma) => signature_set(SignatureKind::Wbe, noma).expect("these signatures exist").into(),
        None => scenario.pilots(0),
    });
    let one = |f| scenario.realize(f as u64, 1).observe(&pilots).expect("the pilots fit");
    (0..count).map(one).collect()
}

/// Value below which the share `p` of the sorted times lies.
fn quantile(sorted: &[f64], p: f64) -> f64 {
    sorted[((sorted.len() as f64 * p).ceil() as usize).clamp(1, sorted.len()) - 1]
}

fn row(name: &str, detector: &dyn Detector, config: &ScenarioConfig) {
    let frames = frames(detector, config, FRAMES);
    for frame in frames.iter().take(WARM_UP) {
        detector.detect(frame).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    let begin = Instant::now();
    let mut times = Vec::with_capacity(FRAMES);
    for frame in &frames {
        let start = Instant::now();
        std::hint::black_box(detector.detect(frame).expect("it worked before"));
        times.push(start.elapsed().as_secs_f64() * 1e3);
        if begin.elapsed().as_secs_f64() > SECONDS && times.len() >= 50 {
            break;
        }
    }
    times.sort_by(f64::total_cmp);
    let (middle, late) = (quantile(&times, 0.5), quantile(&times, 0.99));
    let fits = SLOTS.map(|slot| if late <= slot { "yes" } else { "no" });
    println!("| {name} | {} | {middle:.3} | {late:.3} | {} | {} |", times.len(), fits[0], fits[1]);
}

fn bundle(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("artifacts/models").join(name)
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let threads = args.iter().position(|a| a == "--threads").and_then(|i| args.get(i + 1)?.parse().ok()).unwrap_or(0);
    // As the program does.
    keep_freed_memory();
    let only = args.iter().position(|a| a == "--only").and_then(|i| args.get(i + 1)).map_or("", String::as_str);
    on_workers(threads, || table(only)).expect("threads can be started");
}

fn table(only: &str) {
    let device: Chosen = choose(BackendChoice::Flex).expect("the bench needs the feature flex");
    println!("one frame at a time, {} threads, backend {}\n", rayon::current_num_threads(), device.name);
    println!("| detector | frames | p50 (ms) | p99 (ms) | 1 ms slot | 0.5 ms slot |");
    println!("|---|---|---|---|---|---|");
    for (name, config) in networks().into_iter().filter(|(name, _)| name.contains(only)) {
        match load_detector(&bundle(name), &device) {
            Ok(detector) => row(name, detector.as_ref(), &config),
            Err(e) => println!("| {name} | 0 | - | - | {e} | |"),
        }
    }
    for (name, options, config) in classical().into_iter().filter(|(name, ..)| name.contains(only)) {
        row(name, build(&options).expect("default options").as_ref(), &config);
    }
}
