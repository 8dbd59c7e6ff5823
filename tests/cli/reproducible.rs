//! `grantfree run` with a network in it: the same values whatever the threads, batches, kills and shards.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use grantfree::results::{TerminationReason, read_results, values_digest};

use super::{Assert, grantfree};

const CONFIG: &str = r#"
name = "repro"
seed = 5
[scenario]
devices = 12
antennas = 3
pilot_length = 10
pilots = "gaussian"
[sweep]
key = "scenario.pilot_length"
values = [10, 14]
[engine]
min_frames = 64
max_frames = 512
block_frames = 16
[detectors.amp]
kind = "amp"
iterations = 20
[detectors.section]
kind = "covariance-section"
pilots_of = "net"
[detectors.net]
kind = "mampnet"
model = { layers = 2, covariance_layers = 1, learn_pilots = true }
[detectors.net.training]
batch = 16
validation_frames = 64
validation_every = 10
phases = [{ kind = "layer-wise", steps = 10 }, { kind = "joint", steps = 40 }]
[detectors.prediction]
kind = "state-evolution"
"#;

struct Bench {
    dir: temp_dir::TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = temp_dir::TempDir::new().unwrap();
        std::fs::write(dir.path().join("repro.toml"), CONFIG).unwrap();
        Self { dir }
    }
    fn arguments(&self, name: &str, more: &[&str]) -> (PathBuf, Vec<String>) {
        let out = self.dir.path().join(name);
        let mut all = vec!["run".to_owned(), self.dir.path().join("repro.toml").display().to_string()];
        all.extend(["--out".into(), out.display().to_string(), "--backend".into(), "flex".into()]);
        all.extend(more.iter().map(|s| s.to_string()));
        (out, all)
    }
    fn run(&self, name: &str, more: &[&str]) -> PathBuf {
        let (out, arguments) = self.arguments(name, more);
        grantfree().args(arguments).assert().success();
        out
    }
}

fn digest(out: &Path) -> String {
    values_digest(&read_results(out).unwrap())
}

#[cfg(feature = "flex")]
#[test]
fn values_do_not_depend_on_threads_batches_kills_or_shards() {
    let bench = Bench::new();
    let whole = bench.run("whole", &["--threads", "1"]);
    let want = digest(&whole);
    let results = read_results(&whole).unwrap();
    assert_eq!(results.points.len(), 2);
    assert!(results.points.iter().all(|p| p.termination == TerminationReason::MaxFrames && p.detectors.len() == 4));
    assert_eq!(results.training.len(), 2);
    for file in ["report.html", "results.csv", "results.json"] {
        assert!(whole.join(file).is_file(), "{file}");
    }

    assert_eq!(digest(&bench.run("two", &["--threads", "2"])), want, "two threads");
    assert_eq!(digest(&bench.run("batch", &["--set", "engine.batch_blocks=3"])), want, "another batch size");
    // Another seed is another experiment: the digest does notice.
    assert_ne!(digest(&bench.run("seed", &["--seed", "6"])), want);

    let shards: Vec<PathBuf> =
        ["1/2", "2/2"].iter().enumerate().map(|(i, s)| bench.run(&format!("shard{i}"), &["--shard", s])).collect();
    let merged = bench.dir.path().join("merged");
    grantfree().arg("merge").args(&shards).arg("--out").arg(&merged).assert().success();
    assert_eq!(digest(&merged), want, "two shards");

    assert_eq!(killed_and_resumed(&bench), want, "kill -9 and resume");
}

/// Kills the run again and again, each time a little later, until one gets through.
fn killed_and_resumed(bench: &Bench) -> String {
    let (out, arguments) = bench.arguments("killed", &["--progress", "none"]);
    let mut kills = 0;
    for attempt in 1_u32.. {
        assert!(attempt < 400, "the run never finishes");
        let mut child = Command::new(env!("CARGO_BIN_EXE_grantfree"))
            .args(&arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_millis(u64::from(attempt) * 40);
        let finished = loop {
            match child.try_wait().unwrap() {
                Some(status) => {
                    assert!(status.success(), "a resumed run failed: {status}");
                    break true;
                }
                None if Instant::now() > deadline => break false,
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        if finished {
            break;
        }
        // On Unix this is SIGKILL: nothing can be tidied up.
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    assert!(kills > 0, "the first attempt was too fast to be killed");
    digest(&out)
}

#[test]
fn bad_experiments_are_one_clear_error() {
    let bench = Bench::new();
    let unwritable = bench.dir.path().join("repro.toml").join("inside");
    for (more, code, says) in [
        (vec!["--set", "scenario.antenas=4"], 2, "antenas"),
        (vec!["--set", "scenario.antennas=0"], 2, "1..=1024"),
        (vec!["--set", "detectors.net.training.batch=0"], 2, "1..=65536"),
        (vec!["--set", "detectors.net.kind=mampnett"], 2, "mampnet"),
        (vec!["--set", "detectors.section.pilots_of=amp"], 2, "learn_pilots"),
        (vec!["--set", "budget=huge"], 2, "huge"),
        (vec!["--set", "scenario.kind=channel-file", "--set", "scenario.channel_file=none.npz"], 1, "none.npz"),
        (vec!["--set", "detectors.net.bundle=no-bundle"], 1, "no-bundle"),
        (vec!["--out", unwritable.to_str().unwrap()], 1, "repro.toml"),
        (vec!["--backend", "metal"], 1, "metal"),
    ] {
        let mut command = grantfree();
        command.arg("run").arg(bench.dir.path().join("repro.toml")).args(&more);
        if !more.contains(&"--out") {
            command.arg("--out").arg(bench.dir.path().join("bad"));
        }
        let assert = command.assert().code(code);
        let stderr = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
        assert!(!stderr.contains("panicked"), "{more:?}: {stderr}");
        assert_eq!(stderr.lines().filter(|l| l.starts_with("error: ")).count(), 1, "{more:?}: {stderr}");
        assert!(stderr.contains(says), "{more:?}: {stderr}");
    }
}

#[test]
fn detectors_that_do_not_fit_the_link_are_one_clear_error() {
    let link = "name = \"misfit\"\n[scenario]\nkind = \"noma\"\n";
    let sicnn = |more: &str| format!("{link}[detectors.x]\nkind = \"sicnn\"\n{more}");
    for (text, says) in [
        (format!("{link}[detectors.x]\nkind = \"mampnet\""), "detectors.x.kind"),
        (format!("{link}[detectors.x]\nkind = \"state-evolution\""), "detectors.x.kind"),
        (format!("{link}[detectors.x]\nkind = \"amp\""), "detectors.x.kind"),
        ("name = \"misfit\"\n[detectors.x]\nkind = \"sicnn\"".into(), "detectors.x.kind"),
        (sicnn("receiver = { user_weights = [1, 1] }"), "one number > 0 per user (6)"),
        (sicnn("receiver = { learn_signatures = true }\nsignatures = \"musa\""), "detectors.x.signatures"),
        (
            format!(
                "{link}noma = {{ users = 1 }}\n[detectors.x]\nkind = \"sicnn\"\nreceiver = {{ form = \"beam-metric\" }}"
            ),
            "detectors.x.receiver.form",
        ),
    ] {
        let dir = temp_dir::TempDir::new().unwrap();
        let file = dir.path().join("misfit.toml");
        std::fs::write(&file, &text).unwrap();
        let mut command = grantfree();
        let assert = command.arg("run").arg(&file).arg("--out").arg(dir.path().join("out")).assert().code(2);
        let stderr = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
        assert!(!stderr.contains("panicked"), "{text}: {stderr}");
        assert_eq!(stderr.lines().filter(|l| l.starts_with("error: ")).count(), 1, "{text}: {stderr}");
        assert!(stderr.contains(says), "{text}: {stderr}");
    }
}

#[test]
fn evaluate_asks_for_training_and_train_provides_it() {
    let bench = Bench::new();
    let config = bench.dir.path().join("repro.toml");
    let out = bench.dir.path().join("halves");
    let call = |half: &str| {
        let mut command = grantfree();
        command.args([half]).arg(&config).args(["--backend", "flex", "--out"]).arg(&out);
        command
    };
    let refused = call("evaluate").assert().code(1);
    assert!(String::from_utf8_lossy(&refused.get_output().stderr).contains("grantfree train"));
    call("train").assert().success();
    assert!(!out.join("report.html").exists());
    call("evaluate").assert().success();
    assert_eq!(digest(&out), digest(&bench.run("whole", &[])));
}

/// A channel file whose channels all have the phase `turn`.
fn channels(path: &Path, turn: f64) {
    let value = num_complex::Complex64::from_polar(1.0, turn);
    let gains: Vec<f64> = (0..80).map(|i| -100.0 - f64::from(i % 7)).collect();
    let file = grantfree::container::npz::NpzWriter::new();
    file.complex("channel", &[10, 8, 2], &[value; 160]).real("gain_db", &[10, 8], &gains).write(path).unwrap();
}

#[cfg(feature = "flex")]
#[test]
fn a_run_goes_on_in_another_folder_with_the_same_channel_file_only() {
    const FILE: &str = r#"
name = "moved"
[scenario]
kind = "channel-file"
channel_file = "c.npz"
devices = 8
antennas = 2
pilot_length = 8
[engine]
min_frames = 16
max_frames = 16
block_frames = 8
[detectors.net]
kind = "mampnet"
model = { layers = 1 }
training = { batch = 4, validation_frames = 8, phases = [{ kind = "joint", steps = 2 }] }
"#;
    let dir = temp_dir::TempDir::new().unwrap();
    let run = |folder: &str, out: &str, frames: u32| {
        let folder = dir.path().join(folder);
        let mut command = grantfree();
        command.args(["run", "--backend", "flex", "--set", &format!("engine.max_frames={frames}")]);
        command.arg("--out").arg(folder.join(out)).arg(folder.join("moved.toml"));
        command.assert()
    };
    std::fs::create_dir(dir.path().join("here")).unwrap();
    std::fs::write(dir.path().join("here/moved.toml"), FILE).unwrap();
    channels(&dir.path().join("here/c.npz"), 0.0);
    run("here", "out", 16).success();
    std::fs::rename(dir.path().join("here"), dir.path().join("there")).unwrap();
    run("there", "out", 32).success();
    run("there", "whole", 32).success();
    let there = dir.path().join("there");
    assert_eq!(digest(&there.join("out")), digest(&there.join("whole")));
    let networks = || std::fs::read_dir(there.join("out/models")).unwrap().count();
    assert_eq!(networks(), 1, "trained again after the folder moved");
    // Another file of the same name is another experiment.
    channels(&there.join("c.npz"), 1.0);
    let text = String::from_utf8(run("there", "out", 32).failure().get_output().stderr.clone()).unwrap();
    assert!(text.contains("another configuration"), "{text}");
    assert_eq!(networks(), 2, "another file trains another network");
}
