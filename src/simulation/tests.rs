//! The promises of the engine: bitwise the same values however the work is done.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rand::{RngExt, SeedableRng};

use super::testing::{Broken, context, experiment, jobs, own_pilots, template};
use super::*;
use crate::link::{Decisions, Detector};
use crate::metrics::MetricName;
use crate::results::{
    DetectorResult, RESULTS_FILE, ResultsError, TerminationReason, read_results, values_digest, write_results,
};

/// Runs the small experiment.
fn run(sets: &[&str], change: impl FnOnce(&mut RunContext)) -> Result<RunOutcome, SimulationError> {
    let experiment = experiment(sets);
    let jobs = jobs(&experiment);
    let mut ctx = context(&experiment, None);
    change(&mut ctx);
    Runner::new(&jobs, &ctx, template(&experiment)).run()
}

fn reference() -> String {
    values_digest(&run(&[], |_| {}).unwrap().results)
}

fn into(dir: &Path) -> impl FnOnce(&mut RunContext) {
    let out = dir.to_path_buf();
    move |ctx| ctx.out = Some(out)
}

#[test]
fn values_are_sensible() {
    let outcome = run(&[], |_| {}).unwrap();
    assert!(!outcome.interrupted);
    for p in &outcome.results.points {
        assert_eq!((p.frames, p.termination), (203, TerminationReason::MaxFrames));
        assert_eq!(p.detectors.iter().map(|d| d.label.as_str()).collect::<Vec<_>>(), ["energy", "coins", "own pilots"]);
        let metric = |d: usize, name: MetricName| p.detectors[d].metrics.iter().find(|m| m.metric == name).unwrap();
        // 2030 coins at 1 %: the interval holds the truth, and the decisions have no x.
        let ser = metric(1, MetricName::Ser);
        assert!(ser.ci_low.unwrap() < 0.01 && ser.ci_high.unwrap() > 0.01, "{ser:?}");
        assert_eq!(ser.sums.unwrap()[1], 2030.0);
        let nmse = metric(1, MetricName::NmseDb);
        assert_eq!((nmse.value, nmse.events, nmse.frames, nmse.sums), (None, None, 0, None));
        let (missed, active) = (
            metric(0, MetricName::MissedDetection).sums.unwrap(),
            metric(2, MetricName::MissedDetection).sums.unwrap()[1],
        );
        assert_eq!(missed[1], active, "all detectors see the same devices");
        assert!(metric(0, MetricName::NmseDb).value.is_some());
        assert!(p.detectors.iter().all(|d| d.seconds.is_some_and(|s| s > 0.0) && !d.kind.is_empty()));
    }
    let power: Vec<f64> = outcome.results.points.iter().map(|p| p.detectors[0].metrics[0].value.unwrap()).collect();
    assert_ne!(power[0], power[1]);
}

#[test]
fn threads_batches_and_orders_do_not_change_values() {
    let expected = reference();
    for threads in [1, 2, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let digest = pool.install(reference);
        assert_eq!(digest, expected, "{threads} threads");
    }
    for batch in [1, 2, 7, 100] {
        let set = format!("engine.batch_blocks={batch}");
        assert_eq!(values_digest(&run(&[&set], |_| {}).unwrap().results), expected, "{set}");
    }
    assert_ne!(values_digest(&run(&["seed=8"], |_| {}).unwrap().results), expected);
    // With fresh pilots per block as well.
    let redraw = |batch: &str| values_digest(&run(&["scenario.pilot_redraw=block", batch], |_| {}).unwrap().results);
    assert_eq!(redraw("engine.batch_blocks=1"), redraw("engine.batch_blocks=5"));
}

#[test]
fn a_killed_run_continues_to_the_same_values() {
    let expected = reference();
    let dir = temp_dir::TempDir::new().unwrap();
    run(&[], into(dir.path())).unwrap();
    let logs = ["small/0", "small/1"].map(|p| log_path(dir.path(), p));
    let whole = logs.clone().map(|p| std::fs::read(p).unwrap());
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(5);
    for _ in 0..12 {
        let mut torn = 0;
        for (path, bytes) in logs.iter().zip(&whole) {
            let kept = &bytes[..rng.random_range(0..=bytes.len())];
            torn += usize::from(kept.last().is_some_and(|last| *last != b'\n'));
            std::fs::write(path, kept).unwrap();
        }
        let warnings = Arc::new(Warnings::default());
        let seen = Arc::clone(&warnings);
        let outcome = run(&[], |ctx| {
            ctx.out = Some(dir.path().into());
            ctx.observer = seen;
        });
        assert_eq!(values_digest(&outcome.unwrap().results), expected);
        assert_eq!(values_digest(&read_results(dir.path()).unwrap()), expected, "results.json");
        assert_eq!(warnings.0.load(Ordering::SeqCst), torn, "one warning per torn line");
    }
}

#[derive(Default)]
struct Warnings(AtomicUsize);

impl Observer for Warnings {
    fn event(&self, event: &Event) {
        if matches!(event, Event::Warning { .. }) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[test]
fn a_finished_run_is_not_computed_again() {
    let dir = temp_dir::TempDir::new().unwrap();
    let first = run(&[], into(dir.path())).unwrap().results;
    let events = Arc::new(Mutex::new(Vec::new()));
    struct Collect(Arc<Mutex<Vec<Event>>>);
    impl Observer for Collect {
        fn event(&self, event: &Event) {
            self.0.lock().unwrap().push(event.clone());
        }
    }
    let seen = Arc::clone(&events);
    let second = run(&[], |ctx| {
        ctx.out = Some(dir.path().into());
        ctx.observer = Arc::new(Collect(seen));
    });
    let second = second.unwrap().results;
    assert!(events.lock().unwrap().is_empty(), "no batch was computed");
    // The times of the first run are kept too.
    assert_eq!(first.points[0].seconds, second.points[0].seconds);
    assert_eq!(first.points[0].detectors[1].seconds, second.points[0].detectors[1].seconds);
}

#[test]
fn other_lengths_reuse_the_log() {
    let dir = temp_dir::TempDir::new().unwrap();
    for sets in
        [["engine.max_frames=50"], ["engine.max_frames=203"], ["engine.max_frames=51"], ["engine.max_frames=203"]]
    {
        let alone = run(&sets, |_| {}).unwrap().results;
        let resumed = run(&sets, into(dir.path())).unwrap().results;
        assert_eq!(values_digest(&alone), values_digest(&resumed), "{sets:?}");
    }
    let error = run(&["scenario.activity_prob=0.1"], into(dir.path())).unwrap_err().to_string();
    assert!(error.contains("--fresh"), "{error}");
    let fresh = run(&["scenario.activity_prob=0.1"], |ctx| {
        ctx.out = Some(dir.path().into());
        ctx.fresh = true;
    });
    assert!(fresh.is_ok());
    let weights = run(&["scenario.activity_prob=0.1"], |ctx| {
        ctx.out = Some(dir.path().into());
        ctx.checksums.entry("small/1".into()).or_default().insert("own".into(), "abc".into());
    });
    assert!(matches!(weights.unwrap_err(), SimulationError::OtherRun { .. }), "other weights");
    // A label changes no number.
    assert!(run(&["scenario.activity_prob=0.1", "detectors.own.label=renamed"], into(dir.path())).is_ok());
}

#[test]
fn merged_shards_equal_the_single_run() {
    for sets in [vec![], vec!["engine.target_events=15"], vec!["engine.rel_ci=0.5", "engine.min_frames=40"]] {
        let single = run(&sets, |_| {}).unwrap().results;
        for n in [2, 3, 30] {
            let dirs: Vec<_> = (0..n).map(|_| temp_dir::TempDir::new().unwrap()).collect();
            for (i, dir) in dirs.iter().enumerate() {
                // The batch may differ between shards.
                let batch = format!("engine.batch_blocks={}", i % 4 + 1);
                let sets: Vec<&str> = sets.iter().copied().chain([batch.as_str()]).collect();
                let shard = run(&sets, |ctx| {
                    ctx.out = Some(dir.path().into());
                    ctx.shard = Some((i as u32 + 1, n));
                });
                assert!(shard.unwrap().results.points.iter().all(|p| p.termination == TerminationReason::Shard));
            }
            let mut paths: Vec<_> = dirs.iter().map(|d| d.path().to_path_buf()).collect();
            paths.rotate_left(1);
            let merged = merge(&paths).unwrap();
            for (a, b) in merged.points.iter().zip(&single.points) {
                assert_eq!((a.frames, a.termination), (b.frames, b.termination));
                for (a, b) in a.detectors.iter().zip(&b.detectors) {
                    assert_eq!((&a.id, &a.metrics), (&b.id, &b.metrics));
                }
            }
            assert_eq!(values_digest(&merged), values_digest(&single), "{n} shards, {sets:?}");
            assert_eq!(merged.shard, None);
        }
    }
}

#[test]
fn wrong_merges_are_refused() {
    let shard = |sets: &[&str], i: u32, n: u32| {
        let dir = temp_dir::TempDir::new().unwrap();
        run(sets, |ctx| {
            ctx.out = Some(dir.path().into());
            ctx.shard = Some((i, n));
            ctx.seed = experiment(sets).seed;
        })
        .unwrap();
        dir
    };
    let message = |dirs: &[&temp_dir::TempDir]| {
        merge(&dirs.iter().map(|d| d.path().to_path_buf()).collect::<Vec<_>>()).unwrap_err().to_string()
    };
    let (one, two) = (shard(&[], 1, 2), shard(&[], 2, 2));
    assert!(message(&[&one]).contains("give all 2"));
    assert!(message(&[&one, &one]).contains("both shard 1/2"));
    assert!(message(&[&one, &shard(&["seed=3"], 2, 2)]).contains("seeds"));
    assert!(message(&[&one, &shard(&["scenario.antennas=3"], 2, 2)]).contains("configurations"));
    let whole = temp_dir::TempDir::new().unwrap();
    run(&[], into(whole.path())).unwrap();
    assert!(message(&[&one, &whole]).contains("whole run"));
    assert!(message(&[]).contains("no folders"));
    // An unfinished shard.
    let path = log_path(two.path(), "small/1");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let text = message(&[&one, &two]);
    assert!(text.contains("shard 2/2 is missing"), "{text}");
    assert!(matches!(run(&[], |ctx| ctx.shard = Some((3, 2))), Err(SimulationError::Shard(3, 2))));
}

#[test]
fn stop_rules_end_points() {
    let ended = |sets: &[&str]| run(sets, |_| {}).unwrap().results.points.remove(0);
    let p = ended(&["engine.target_events=10"]);
    assert_eq!(p.termination, TerminationReason::TargetEvents);
    assert!(p.detectors.iter().all(|d| d.metrics[0].events.unwrap() >= 10));
    assert!(p.frames < 203 && p.frames % 8 == 0, "{}", p.frames);
    let p = ended(&["engine.rel_ci=0.6"]);
    assert_eq!(p.termination, TerminationReason::RelativeInterval);
    let p = ended(&["engine.time_budget=1e-9"]);
    assert_eq!((p.termination, p.frames), (TerminationReason::TimeBudget, 16));
}

#[test]
fn an_interrupt_finishes_the_batch_and_can_be_continued() {
    struct PressAfter(Arc<std::sync::atomic::AtomicBool>, AtomicUsize, usize);
    impl Observer for PressAfter {
        fn event(&self, event: &Event) {
            if matches!(event, Event::Progress(_)) && self.1.fetch_add(1, Ordering::SeqCst) + 1 == self.2 {
                self.0.store(true, Ordering::SeqCst);
            }
        }
    }
    let expected = reference();
    for batches in [1, 2, 4] {
        let dir = temp_dir::TempDir::new().unwrap();
        let outcome = run(&[], |ctx| {
            ctx.out = Some(dir.path().into());
            ctx.observer = Arc::new(PressAfter(Arc::clone(&ctx.interrupt), AtomicUsize::new(0), batches));
        });
        let outcome = outcome.unwrap();
        assert!(outcome.interrupted);
        let snapshot = read_results(dir.path()).unwrap();
        assert_eq!(values_digest(&snapshot), values_digest(&outcome.results));
        let reasons: Vec<_> = snapshot.points.iter().map(|p| (p.frames > 0, p.termination)).collect();
        // The coarse curve comes first: after two batches (one turn of each point) both points have frames.
        let second =
            if batches == 1 { (false, TerminationReason::NotStarted) } else { (true, TerminationReason::Interrupted) };
        assert_eq!(reasons, [(true, TerminationReason::Interrupted), second], "{batches} batches");
        assert_eq!(values_digest(&run(&[], into(dir.path())).unwrap().results), expected);
    }
}

#[test]
fn replay_shows_what_was_counted() {
    let experiment = experiment(&["scenario.pilot_redraw=block"]);
    let jobs = jobs(&experiment);
    let job = &jobs[0];
    let result = run_point(&job.point, &job.scenario, &job.detectors, &context(&experiment, None)).unwrap();
    let mut errors = [0; 3];
    for frame in 0..result.frames {
        let replay = replay_frame(&job.point, &job.scenario, &job.detectors, frame).unwrap();
        assert_eq!(replay.block, frame / 8);
        for (sum, d) in errors.iter_mut().zip(&replay.detectors) {
            *sum += u64::from(d.counts.errors());
            assert_eq!((d.batch.frames(), d.decisions.activity.len()), (1, 10));
            assert_eq!(d.batch.truth(), replay.detectors[0].batch.truth(), "paired");
        }
        // Frames without active devices hold noise only.
        let silent = replay.detectors[0].counts.active == 0;
        assert_eq!(replay.detectors[0].batch.y() == replay.detectors[2].batch.y(), silent, "own pilots");
    }
    let counted: Vec<u64> = result.detectors.iter().map(|d| d.metrics[0].events.unwrap()).collect();
    assert_eq!(counted, errors);
    let beyond = replay_frame(&job.point, &job.scenario, &job.detectors, 1_000_000).unwrap();
    assert_eq!((beyond.block, beyond.detectors.len()), (125_000, 3));
}

#[test]
fn borrowed_pilots_and_predictions() {
    let experiment = experiment(&[]);
    let mut jobs = jobs(&experiment);
    let job = &mut jobs[0];
    // "energy" with the pilots of "own" decides exactly as "own" does.
    job.point.detectors["energy"].pilots_of = Some("own".into());
    job.point.detectors.insert_before(
        1,
        "theory".into(),
        crate::config::DetectorConfig::named("state-evolution").unwrap(),
    );
    let theory = DetectorResult {
        id: "theory".into(),
        label: "theory".into(),
        kind: "state-evolution".into(),
        predicted: true,
        parameters: 0,
        told: None,
        chosen: Default::default(),
        seconds: None,
        metrics: Vec::new(),
    };
    let mut ctx = context(&experiment, None);
    ctx.predicted.insert(job.point.id.clone(), vec![theory]);
    let result = run_point(&job.point, &job.scenario, &job.detectors, &ctx).unwrap();
    assert_eq!(
        result.detectors.iter().map(|d| d.id.as_str()).collect::<Vec<_>>(),
        ["energy", "theory", "coins", "own"]
    );
    assert_eq!(result.detectors[0].metrics, result.detectors[3].metrics);
    job.point.detectors["energy"].pilots_of = Some("coins".into());
    let error = run_point(&job.point, &job.scenario, &job.detectors, &ctx).unwrap_err();
    assert!(error.to_string().contains("no pilots of its own"), "{error}");
    // Only predictions: no frames.
    let result = run_point(&job.point, &job.scenario, &[], &ctx).unwrap();
    assert_eq!((result.frames, result.detectors.len()), (0, 1));
}

#[test]
fn detectors_that_misbehave_are_errors() {
    let experiment = experiment(&[]);
    let job = &jobs(&experiment)[0];
    let fails = |d: Decisions| {
        let detectors: Vec<(String, Box<dyn Detector>)> = vec![("bad".into(), Box::new(Broken(d)))];
        run_point(&job.point, &job.scenario, &detectors, &context(&experiment, None)).unwrap_err().to_string()
    };
    assert!(fails(Decisions { activity: vec![0; 3], ..Decisions::default() }).contains("[8, 10]"));
    assert!(fails(Decisions { activity: vec![3; 80], ..Decisions::default() }).contains("activity 3"));
    let short = Decisions { activity: vec![0; 80], x: Some(Vec::new()), ..Decisions::default() };
    assert!(fails(short).contains("[8, 20, 2]"));
    // Pilots of another shape.
    let pilots = crate::link::Pilots::new(4, 20, 2, 1.0, own_pilots().data()[..80].to_vec()).unwrap();
    let own: Vec<(String, Box<dyn Detector>)> =
        vec![("own".into(), Box::new(testing::Energy { threshold: 1.0, pilots: Some(Arc::new(pilots)) }))];
    let error = run_point(&job.point, &job.scenario, &own, &context(&experiment, None)).unwrap_err();
    assert!(matches!(error, SimulationError::Scenario { .. }), "{error}");
}

#[test]
fn results_of_another_schema_are_refused() {
    let dir = temp_dir::TempDir::new().unwrap();
    assert!(matches!(read_results(dir.path()), Err(ResultsError::Io { .. })));
    let experiment = experiment(&[]);
    let mut results = template(&experiment);
    results.schema_version = 99;
    write_results(dir.path(), &results).unwrap();
    assert!(read_results(dir.path()).unwrap_err().to_string().contains("schema_version is 99"));
    std::fs::write(dir.path().join(RESULTS_FILE), "{").unwrap();
    assert!(matches!(read_results(dir.path()), Err(ResultsError::Content { .. })));
}
