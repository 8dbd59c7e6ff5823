//! Commands on finished runs: `merge`, `replay`, `report`.

use std::path::Path;

use grantfree::config::Experiment;
use grantfree::detect::build;
use grantfree::link::Split;
use grantfree::metrics::MetricName;
use grantfree::results::{Machine, Results, SCHEMA_VERSION, read_results, values_digest};
use grantfree::scenario::Scenario;
use grantfree::simulation::{Job, RunContext, Runner};

use super::{Assert, EXPERIMENT, grantfree};

/// Simulates the small experiment into a folder.
fn simulate(out: &Path, shard: Option<(u32, u32)>) -> Results {
    let experiment = Experiment::parse(EXPERIMENT, "small.toml", &[]).unwrap();
    let jobs: Vec<Job> = experiment
        .points()
        .unwrap()
        .into_iter()
        .map(|point| Job {
            scenario: Scenario::new(&point.scenario, experiment.seed, Split::Test).unwrap(),
            detectors: point
                .detectors
                .iter()
                .map(|(id, c)| (id.clone(), build(c.classical().unwrap()).unwrap()))
                .collect(),
            point,
        })
        .collect();
    let ctx = RunContext { out: Some(out.into()), shard, ..RunContext::new(experiment.seed) };
    let template = Results {
        schema_version: SCHEMA_VERSION,
        crate_version: env!("CARGO_PKG_VERSION").into(),
        seed: experiment.seed,
        config: experiment,
        machine: Machine::default(),
        shard,
        points: Vec::new(),
        training: Vec::new(),
        images: Vec::new(),
    };
    Runner::new(&jobs, &ctx, template).run().unwrap().results
}

#[test]
fn merged_shards_equal_the_whole_run() {
    let dir = temp_dir::TempDir::new().unwrap();
    let whole = simulate(&dir.path().join("whole"), None);
    let shards = [dir.path().join("a"), dir.path().join("b")];
    simulate(&shards[0], Some((1, 2)));
    simulate(&shards[1], Some((2, 2)));
    let out = dir.path().join("joined");
    let merge = |out: &Path, dirs: &[&Path]| {
        let mut command = grantfree();
        command.arg("merge").args(dirs).arg("--out").arg(out);
        command.assert()
    };
    merge(&out, &[&shards[1], &shards[0]]).success();
    assert_eq!(values_digest(&read_results(&out).unwrap()), values_digest(&whole));
    assert!(out.join("report.html").is_file());
    // Neither earlier results nor a shard are overwritten by accident; a missing shard is named.
    merge(&out, &[&shards[0], &shards[1]]).code(2);
    merge(&shards[0], &[&shards[0], &shards[1]]).code(2);
    let lonely = merge(&dir.path().join("c"), &[&shards[0]]).code(2);
    assert!(String::from_utf8_lossy(&lonely.get_output().stderr).contains("1/2"));
}

#[test]
fn every_frame_replayed_gives_the_counts_of_the_run() {
    let dir = temp_dir::TempDir::new().unwrap();
    let results = simulate(dir.path(), None);
    let point = &results.points[0];
    let ser = point.detectors[0].metrics.iter().find(|m| m.metric == MetricName::Ser).unwrap();
    let mut wrong = 0;
    for frame in 0..point.frames {
        let mut command = grantfree();
        command.arg("replay").arg(dir.path()).args(["--point", &point.id, "--frame", &frame.to_string()]);
        let stdout = String::from_utf8(command.assert().success().get_output().stdout.clone()).unwrap();
        let line = stdout.lines().find(|l| l.starts_with("amp: ")).unwrap();
        wrong += line.split(' ').nth(1).unwrap().parse::<u64>().unwrap();
    }
    assert_eq!(Some(wrong), ser.events);

    // By number, with the trace: at least every active device has a row.
    let mut command = grantfree();
    command.arg("replay").arg(dir.path()).args(["--point", "1", "--frame", "0", "--trace"]);
    let stdout = String::from_utf8(command.assert().success().get_output().stdout.clone()).unwrap();
    // "amp: 1 of 8 devices wrong (1 missed, 0 false alarms, 0 wrong data), 2 active, NMSE ..."
    let summary = stdout.lines().find(|l| l.starts_with("amp: ")).unwrap();
    let active: usize = summary.split("), ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    let rows = stdout.lines().filter(|l| l.trim_start().starts_with(|c: char| c.is_ascii_digit())).count();
    assert!(rows >= active, "{stdout}");
    grantfree().arg("replay").arg(dir.path()).args(["--point", "9", "--frame", "0"]).assert().code(2);
}

#[test]
fn a_report_is_written_again() {
    let dir = temp_dir::TempDir::new().unwrap();
    simulate(dir.path(), None);
    grantfree().arg("report").arg(dir.path()).assert().success();
    assert!(dir.path().join("report.html").is_file());
    let elsewhere = dir.path().join("elsewhere");
    grantfree().arg("report").arg(dir.path()).arg("--out").arg(&elsewhere).assert().success();
    assert!(elsewhere.join("report.html").is_file());
}

#[test]
fn a_grid_search_lists_every_combination_on_validation_frames() {
    let dir = temp_dir::TempDir::new().unwrap();
    let file = dir.path().join("small.toml");
    std::fs::write(&file, EXPERIMENT).unwrap();
    let out = dir.path().join("tuned");
    let tune = |grid: &[&str]| {
        let mut command = grantfree();
        command.arg("tune").arg(&file).args(["--detector", "amp", "--metric", "ser", "--frames", "32"]);
        grid.iter().for_each(|g| {
            command.args(["--grid", g]);
        });
        command.arg("--out").arg(&out);
        command.assert()
    };
    let done = tune(&["iterations=[1, 5, 20]", "damping=[0.7, 1.0]"]).success();
    let text = String::from_utf8_lossy(&done.get_output().stdout).into_owned();
    // A heading, six combinations, the best one, the report.
    assert_eq!(text.lines().count(), 9, "{text}");
    assert!(text.contains("best: --set detectors.amp.iterations="), "{text}");
    let results = read_results(&out).unwrap();
    assert_eq!(results.points.len(), 3);
    assert!(results.points.iter().all(|p| p.frames == 32 && p.detectors.len() == 2));
    assert_eq!(results.config.engine.split, grantfree::config::FrameSplit::Validation);
    // The best line is the smallest value of the table.
    let values: Vec<f64> =
        text.lines().skip(1).take(6).map(|l| l.split_whitespace().next().unwrap().parse().unwrap()).collect();
    assert!(values.windows(2).all(|w| w[0] <= w[1]), "{values:?}");
    // Wrong usage: a value that is no list, an option of another detector, an unknown detector.
    tune(&["iterations=5"]).code(2);
    tune(&["beam=[1, 2]"]).code(2);
    tune(&["iterations=[]"]).code(2);
}
