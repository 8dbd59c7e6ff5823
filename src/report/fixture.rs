//! Results as a run would leave them, made up for tests: a sweep with zero-event points, nulls, a missing and an
//! interrupted point, a sweep in ratios, a single point, images and training curves.

use crate::config::Experiment;
use crate::metrics::MetricName;
use crate::results::{
    DetectorResult, GreyImage, Machine, MetricResult, PointResult, Results, SCHEMA_VERSION, TerminationReason,
    TrainingRecord,
};
use crate::training::TrainingPoint;

const FILE: &str = r#"
name = "fixture"
title = "Non-coherent access: DL-mAMPnet against AMP, covariance detection and bounds"
description = "Values made up for the tests of the report.\nAll receivers know the path gains; activity is Bernoulli."
seed = 7
budget = "quick"
[budgets.quick]
"engine.max_frames" = 20000
[sweep]
key = "scenario.pilot_length"
values = [20, 30, 40, 60, 80]
[[figures]]
id = "length"
title = "Symbol error rate against pilot length, M = 16"
metrics = ["ser", "nmse_db"]
[[figures]]
id = "antennas"
title = "Symbol error rate against antennas"
[figures.set]
"scenario.pilot_length" = 40
[figures.sweep]
key = "scenario.antennas"
values = [4, 8, 16, 32, 64]
[[figures]]
id = "umi"
title = "Urban-micro channels"
detectors = ["amp", "covariance", "shared", "bound"]
[figures.sweep]
key = "scenario.pilot_length"
values = [40]
[[figures]]
id = "stages"
title = "Stages of one frame"
style = "visualisation"
[figures.sweep]
key = "scenario.pilot_length"
values = [40]
[detectors.bound]
kind = "single-user-bound"
label = "single-user bound"
[detectors.amp]
kind = "amp"
label = "AMP, MAP threshold"
[detectors.amp-section]
kind = "amp-section"
label = "AMP, section-wise denoiser"
[detectors.covariance]
kind = "covariance"
label = "covariance, γ > β/2"
[detectors.evolution]
kind = "state-evolution"
label = "state evolution of AMP"
[detectors.shared]
kind = "mampnet"
label = "DL-mAMPnet, antenna-shared, pilots learned jointly"
[detectors.shared.model]
learn_pilots = true
[detectors.paper]
kind = "mampnet"
label = "DL-mAMPnet, paper form"
[detectors.paper.model]
form = "paper"
layers = 4
"#;

/// A count metric with a rough interval; `None` events for values that count none.
fn rate(metric: MetricName, value: f64, frames: u64) -> MetricResult {
    let trials = frames as f64 * 100.0;
    let events = (value * trials).round();
    let half = 1.96 * (1.6 * value / trials).sqrt();
    let none = events < 1.0;
    MetricResult {
        metric,
        value: Some(if none { 0.0 } else { value }),
        ci_low: Some(if none { 0.0 } else { (value - half).max(0.0) }),
        ci_high: Some(if none { 3.0 / trials } else { value + half }),
        events: Some(events as u64),
        frames,
        sums: None,
    }
}

fn decibels(value: Option<f64>, frames: u64) -> MetricResult {
    let end = |d: f64| value.map(|v| v + d);
    MetricResult {
        metric: MetricName::NmseDb,
        value,
        ci_low: end(-0.4),
        ci_high: end(0.4),
        events: None,
        frames,
        sums: None,
    }
}

struct Kind {
    id: &'static str,
    kind: &'static str,
    parameters: usize,
    milliseconds: f64,
    /// Factor on the error rate of AMP.
    factor: f64,
    nmse: bool,
}

const KINDS: [Kind; 7] = [
    Kind { id: "bound", kind: "single-user-bound", parameters: 0, milliseconds: 0.02, factor: 0.03, nmse: false },
    Kind { id: "amp", kind: "amp", parameters: 0, milliseconds: 4.1, factor: 1.0, nmse: true },
    Kind { id: "amp-section", kind: "amp-section", parameters: 0, milliseconds: 4.4, factor: 0.7, nmse: true },
    Kind { id: "covariance", kind: "covariance", parameters: 0, milliseconds: 31.0, factor: 0.5, nmse: false },
    Kind { id: "evolution", kind: "state-evolution", parameters: 0, milliseconds: 0.0, factor: 0.2, nmse: true },
    Kind { id: "shared", kind: "mampnet", parameters: 272_024, milliseconds: 0.9, factor: 0.15, nmse: true },
    Kind { id: "paper", kind: "mampnet", parameters: 82_013_401, milliseconds: 12.0, factor: 1.3, nmse: true },
];

fn detector(k: &Kind, config: &Experiment, amp_rate: f64, frames: u64) -> DetectorResult {
    let predicted = k.kind == "state-evolution";
    let value = amp_rate * k.factor;
    let mut metrics = vec![
        rate(MetricName::Ser, value, frames),
        rate(MetricName::MissedDetection, (6.0 * value).min(1.0), frames),
        rate(MetricName::FalseAlarm, 0.3 * value, frames),
    ];
    metrics.push(decibels(k.nmse.then(|| 5.0 * value.log10()), frames));
    if predicted {
        for m in &mut metrics {
            (m.ci_low, m.ci_high, m.events, m.frames) = (None, None, None, 0);
            m.value = m.value.map(|v| if v == 0.0 { value } else { v });
        }
    }
    DetectorResult {
        id: k.id.into(),
        label: config.detectors[k.id].label.clone().unwrap_or_default(),
        kind: k.kind.into(),
        predicted,
        parameters: k.parameters,
        told: None,
        chosen: Default::default(),
        seconds: (!predicted).then_some(k.milliseconds * 1e-3 * frames as f64),
        metrics,
    }
}

fn training(detector: &str, label: &str, parameters: usize, layers: u64, floor: f64) -> TrainingRecord {
    let mut curve = Vec::new();
    let (mut step, mut seconds) = (0, 0.0);
    for layer in 1..=layers {
        for k in 0..4 {
            step += 100;
            seconds += 3.0;
            let loss = 0.05 / layer as f64 * (1.0 + (-f64::from(k)).exp());
            curve.push(TrainingPoint {
                step,
                phase: format!("layer {layer}"),
                seconds,
                train_loss: 0.96 * loss,
                validation_loss: loss,
                validation_ser: None,
                validation_ber: None,
            });
        }
    }
    for k in 1..=30 {
        step += 200;
        seconds += 12.0;
        let t = f64::from(k) / 8.0;
        let ser = floor * (1.0 + 12.0 * (-t).exp()) * (1.0 + 0.06 * (f64::from(k) * 2.4).sin());
        curve.push(TrainingPoint {
            step,
            phase: "joint".into(),
            seconds,
            train_loss: 5.6 * ser,
            validation_loss: 6.0 * ser,
            validation_ser: Some(ser),
            validation_ber: None,
        });
    }
    TrainingRecord {
        point: "length/2".into(),
        detector: detector.into(),
        label: label.into(),
        parameters,
        seconds,
        steps: step,
        bundle: format!("bundles/length-2-{detector}"),
        curve,
        termination: "all phases done".into(),
    }
}

fn image(title: &str, columns: usize, sparse: bool) -> GreyImage {
    let active = |row: usize| row % 23 == 7 || row % 41 == 11;
    let value = |row: usize, column: usize| {
        let noise = ((row * 7919 + column * 104_729) % 97) as f32 / 97.0;
        if active(row) {
            0.6 + 0.4 * noise
        } else if sparse {
            0.0
        } else {
            0.25 * noise
        }
    };
    let pixels = (0..200).flat_map(|r| (0..columns).map(move |c| (r, c))).map(|(r, c)| value(r, c)).collect();
    GreyImage { figure: "stages".into(), title: title.into(), rows: 200, columns, pixels }
}

/// The whole thing.
pub fn results() -> Results {
    let config = Experiment::parse(FILE, "fixture.toml", &[]).expect("the fixture parses");
    let mut points = Vec::new();
    for p in config.points().expect("the fixture unfolds") {
        if p.id == "antennas/1" || p.figure == "stages" {
            continue;
        }
        let amp_rate = match p.figure.as_str() {
            "length" => 0.11 * (-(p.x - 20.0) / 9.0).exp() + 2e-6,
            "antennas" => 0.3 * (-p.x / 5.0).exp() + 2e-7,
            _ => 4e-3,
        };
        let frames = if p.id == "length/3" { 6_400 } else { 20_000 };
        let kinds = KINDS.iter().filter(|k| p.detectors.contains_key(k.id));
        points.push(PointResult {
            id: p.id.clone(),
            figure: p.figure.clone(),
            index: p.index,
            x: Some(p.x),
            x_label: p.x_label.clone(),
            frames,
            termination: if p.id == "length/3" { TerminationReason::Interrupted } else { TerminationReason::MaxFrames },
            seconds: frames as f64 * 0.03,
            products: Vec::new(),
            detectors: kinds.map(|k| detector(k, &config, amp_rate, frames)).collect(),
        });
    }
    Results {
        schema_version: SCHEMA_VERSION,
        crate_version: "0.1.0".into(),
        seed: config.seed,
        machine: Machine {
            platform: "linux x86_64".into(),
            cpu: "some processor".into(),
            threads: 2,
            backend: "flex".into(),
            adapter: None,
        },
        shard: None,
        points,
        training: vec![
            training("shared", "DL-mAMPnet, antenna-shared, pilots learned jointly", 272_024, 0, 1.0e-3),
            training("paper", "DL-mAMPnet, paper form", 82_013_401, 4, 6.0e-3),
        ],
        images: vec![
            image("AMP layers: X̃_T", 16, false),
            image("Truth: α", 1, true),
            image("Mp(Mup(o))", 16, true),
            image("Soft decision α̂", 1, false),
            image("Difference of the last two stages, absolute value", 16, false),
        ],
        config,
    }
}
