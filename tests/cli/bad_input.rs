//! Bad input: each case ends with one clear error and exit code 1 or 2, never with a panic.

use std::fs;
use std::path::{Path, PathBuf};

use grantfree::container::npz::NpzWriter;
use grantfree::container::{ManifestParts, write_bundle};
use num_complex::Complex64;
use serde_json::json;

use super::{EXPERIMENT, data, grantfree, snapshots};

/// Makes what the case needs in the folder and gives the arguments.
type Arrange = fn(&Path) -> Vec<String>;

fn text(path: PathBuf) -> String {
    path.to_str().expect("temporary paths are text").to_owned()
}

/// `detect` with this detector, input and option; an empty option is none.
fn detect(dir: &Path, detector: &str, input: PathBuf, set: &str) -> Vec<String> {
    let output = text(dir.join("decisions.npz"));
    let mut args =
        ["detect", "--detector", detector, "--input", &text(input), "--output", &output].map(String::from).to_vec();
    if !set.is_empty() {
        args.extend(["--set".into(), set.into()]);
    }
    args
}

fn amp(dir: &Path, input: PathBuf) -> Vec<String> {
    detect(dir, "amp", input, "detector.iterations=2")
}

/// Import of a state_dict that `make` writes.
fn import(dir: &Path, make: fn(&Path)) -> Vec<String> {
    let file = dir.join("weights.pt");
    make(&file);
    ["import", &text(file), "--output", &text(dir.join("bundle"))].map(String::from).into()
}

/// Detection on a valid file but for the array that `change` adds instead of the good one.
fn with_array(dir: &Path, replaced: &str, change: fn(NpzWriter) -> NpzWriter) -> Vec<String> {
    let one = |n: usize| vec![Complex64::new(1.0, 0.5); n];
    let mut out = NpzWriter::new();
    if replaced != "y" {
        out = out.complex("y", &[2, 3, 2], &one(12));
    }
    if replaced != "pilots" {
        out = out.complex("pilots", &[3, 4], &one(12));
    }
    if replaced != "noise_var" {
        out = out.scalar("noise_var", 0.1);
    }
    if replaced != "activity_prob" {
        out = out.scalar("activity_prob", 0.1);
    }
    let path = dir.join("frames.npz");
    change(out).write(&path).unwrap();
    amp(dir, path)
}

/// `detect --detector mmse-sic` on frames of a spreading link, valid but for the array that `change` adds.
fn with_link(dir: &Path, detector: &str, replaced: &str, change: fn(NpzWriter) -> NpzWriter) -> Vec<String> {
    let one = |n: usize| vec![Complex64::new(1.0, 0.5); n];
    let mut out = NpzWriter::new().scalar("noise_var", 0.1);
    for (name, shape) in [("y", &[2, 3][..]), ("h", &[2, 4, 3]), ("signatures", &[3, 4]), ("constellation", &[4])] {
        if name != replaced {
            out = out.complex(name, shape, &one(shape.iter().product()));
        }
    }
    if replaced != "activity_prob" {
        out = out.scalar("activity_prob", 0.5);
    }
    let path = dir.join("frames.npz");
    change(out).write(&path).unwrap();
    detect(dir, detector, path, "")
}

/// Arguments without blanks in them.
fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

/// `signatures` with these arguments.
fn signatures(args: &[&str]) -> Vec<String> {
    ["signatures"].iter().chain(args).map(|s| (*s).to_owned()).collect()
}

/// `simulate` with this experiment text and further arguments.
fn simulate(dir: &Path, experiment: &str, more: &[&str]) -> Vec<String> {
    let config = dir.join("experiment.toml");
    fs::write(&config, experiment).unwrap();
    let mut args =
        ["simulate", &text(config), "--frames", "2", "--output", &text(dir.join("f.npz"))].map(String::from).to_vec();
    args.extend(more.iter().map(|s| (*s).to_owned()));
    args
}

/// `run` with [`EXPERIMENT`] and further arguments.
fn run(dir: &Path, more: &[&str]) -> Vec<String> {
    let config = dir.join("experiment.toml");
    fs::write(&config, EXPERIMENT).unwrap();
    let mut args = ["run", &text(config), "--out", &text(dir.join("out"))].map(String::from).to_vec();
    args.extend(more.iter().map(|s| (*s).to_owned()));
    args
}

/// A bundle, damaged, and `command` on it.
fn bundle(dir: &Path, damage: fn(&Path), command: &str) -> Vec<String> {
    let path = dir.join("model");
    let parts = ManifestParts { system: "A/mampnet".into(), config: json!({}), metrics: json!({}) };
    write_bundle(&path, &parts, &[("weights.safetensors", b"0123456789")]).unwrap();
    damage(&path);
    let path = text(path);
    let (input, output) = (text(data("mmv.npz")), text(dir.join("out.npz")));
    let args: &[&str] = match command {
        "export" => &["export", &path, "--format", "npz", "--output", &output],
        _ => &["detect", "--model", &path, "--input", &input, "--output", &output],
    };
    args.iter().map(|s| (*s).to_owned()).collect()
}

/// [`EXPERIMENT`] with an auto-encoder.
fn decoder(keys: &str) -> String {
    EXPERIMENT.replace("kind = \"amp\"\niterations = 10", &format!("kind = \"autoencoder\"\ndecoder = {{ {keys} }}"))
}

const NOMA: &str = "name = \"noma\"\n[scenario]\nkind = \"noma\"\n[detectors.sic]\nkind = \"mmse-sic\"\n";

#[rustfmt::skip]
const CASES: &[(&str, i32, &[&str], Arrange)] = &[
    // Frames.
    ("missing file", 1, &["nowhere.npz", "cannot read"], |d| amp(d, d.join("nowhere.npz"))),
    ("a folder as input", 1, &["cannot read"], |d| amp(d, d.into())),
    ("truncated npz", 1, &["half.npz", "npz"], |d| {
        let bytes = fs::read(data("mmv.npz")).unwrap();
        fs::write(d.join("half.npz"), &bytes[..bytes.len() / 2]).unwrap();
        amp(d, d.join("half.npz"))
    }),
    ("empty file", 1, &["empty"], |d| { fs::write(d.join("e.npz"), b"").unwrap(); amp(d, d.join("e.npz")) }),
    ("not an npz", 1, &["zip"], |d| { fs::write(d.join("t.npz"), b"y = 1").unwrap(); amp(d, d.join("t.npz")) }),
    ("flipped bit", 1, &["damaged"], |d| {
        let mut bytes = fs::read(data("mmv.npz")).unwrap();
        bytes[5000] ^= 16;
        fs::write(d.join("f.npz"), bytes).unwrap();
        amp(d, d.join("f.npz"))
    }),
    ("array missing", 1, &["no array pilots"], |d| with_array(d, "pilots", |o| o)),
    ("wrong dtype", 1, &["noise_var", "c8", "float"], |d| with_array(d, "noise_var", |o| o.complex("noise_var", &[], &[Complex64::ONE]))),
    ("wrong number of axes", 1, &["array y", "[F, L, M]"], |d| with_array(d, "y", |o| o.real("y", &[3, 2], &[0.0; 6]))),
    ("pilots of another length", 1, &["pilots", "[3, N*Q]"], |d| with_array(d, "pilots", |o| o.real("pilots", &[2, 4], &[1.0; 8]))),
    ("no frames", 1, &["array y", "at least one"], |d| with_array(d, "y", |o| o.real("y", &[0, 3, 2], &[]))),
    ("NaN in y", 1, &["array y", "NaN", "[1, 2, 1]"], |d| with_array(d, "y", |o| {
        let mut y = [0.5; 12];
        y[11] = f64::NAN;
        o.real("y", &[2, 3, 2], &y)
    })),
    ("infinite pilot", 1, &["pilots", "inf"], |d| with_array(d, "pilots", |o| o.real("pilots", &[3, 4], &[f64::INFINITY; 12]))),
    ("noise_var zero", 1, &["noise_var", "> 0"], |d| with_array(d, "noise_var", |o| o.scalar("noise_var", 0.0))),
    ("noise_var negative", 1, &["noise_var", "> 0"], |d| with_array(d, "noise_var", |o| o.scalar("noise_var", -1.0))),
    ("noise_var NaN", 1, &["noise_var", "> 0"], |d| with_array(d, "noise_var", |o| o.scalar("noise_var", f64::NAN))),
    ("activity_prob of one", 1, &["activity_prob", "(0, 1)"], |d| with_array(d, "activity_prob", |o| o.scalar("activity_prob", 1.0))),
    ("activity_prob of a wrong length", 1, &["activity_prob", "[N] = [4]"], |d| with_array(d, "activity_prob", |o| o.real("activity_prob", &[3], &[0.1; 3]))),
    ("sequences that do not divide", 1, &["sequences", "4 columns"], |d| with_array(d, "", |o| o.int("sequences", &[], &[3]))),
    ("beta negative", 1, &["beta", "> 0"], |d| with_array(d, "", |o| o.real("beta", &[4], &[1.0, 1.0, -1.0, 1.0]))),
    ("activity out of range", 1, &["activity", "0 (idle)"], |d| with_array(d, "", |o| o.int("activity", &[2, 4], &[2; 8]).real("channel", &[2, 4, 2], &[0.0; 16]))),
    ("frames of another system", 1, &["array"], |d| with_array(d, "y", |o| o.real("y", &[5, 4], &[0.0; 20]))),
    ("genie without truth", 1, &["truth"], |d| { with_array(d, "", |o| o); detect(d, "genie-mmse", d.join("frames.npz"), "") }),
    // Frames of the spreading link.
    ("y of the access link", 1, &["array y", "[F, H]"], |d| with_link(d, "mmse-sic", "y", |o| o.real("y", &[2, 3, 1], &[0.0; 6]))),
    ("signatures of another length", 1, &["signatures", "[3, N]"], |d| with_link(d, "mmse-sic", "signatures", |o| o.real("signatures", &[2, 4], &[1.0; 8]))),
    ("h missing", 1, &["no array h"], |d| with_link(d, "mmse-sic", "h", |o| o)),
    ("h of wrong shape", 1, &["array h", "[2, 4, 3]"], |d| with_link(d, "mmse-sic", "h", |o| o.real("h", &[2, 3, 4], &[1.0; 24]))),
    ("constellation with zero", 1, &["constellation", "idle"], |d| with_link(d, "mmse-sic", "constellation", |o| o.real("constellation", &[2], &[1.0, 0.0]))),
    ("activity_prob above one", 1, &["activity_prob", "(0, 1]"], |d| with_link(d, "mmse-sic", "activity_prob", |o| o.scalar("activity_prob", 1.1))),
    ("symbols out of range", 1, &["symbols", "0..=3"], |d| with_link(d, "mmse-sic", "", |o| o.int("symbols", &[2, 4], &[4; 8]))),
    ("oracle without truth", 1, &["oracle-ls", "symbols"], |d| with_link(d, "oracle-ls", "", |o| o)),
    ("access detector on a spreading link", 1, &["spreading link", "mmse-sic"], |d| with_link(d, "amp", "", |o| o)),
    ("receiver of system E on access frames", 1, &["beam-sic", "signatures"], |d| detect(d, "beam-sic", data("mmv.npz"), "detector.beam=2")),
    ("joint MAP of absurd size", 1, &["joint-map", "N = 12", "C = 4", "beam-sic"], |d| {
        let path = d.join("f.npz");
        let out = NpzWriter::new().real("y", &[1, 1], &[1.0]).real("h", &[1, 12, 1], &[1.0; 12]);
        let out = out.real("signatures", &[1, 12], &[1.0; 12]).real("constellation", &[4], &[1.0, 2.0, 3.0, 4.0]);
        out.scalar("noise_var", 1.0).scalar("activity_prob", 0.5).write(&path).unwrap();
        detect(d, "joint-map", path, "")
    }),
    ("beam of zero", 2, &["detector.beam", "1..=4096"], |d| detect(d, "beam-sic", data("noma.npz"), "detector.beam=0")),
    ("unknown order", 2, &["order", "sinr"], |d| detect(d, "mmse-sic", data("noma.npz"), "detector.order=best")),
    // Signatures.
    ("unknown signatures", 2, &["quantized", "quantised-wbe"], |_| signatures(&["quantized"])),
    ("no users", 2, &["users", "1..=64"], |_| signatures(&["wbe", "--users", "0"])),
    ("more chips than users", 1, &["harmonic", "wbe-projected"], |_| signatures(&["wbe", "--users", "3"])),
    ("activation that is no number", 2, &["--activation", "asymmetric"], |_| signatures(&["wbe", "--activation", "often"])),
    ("activation of another length", 2, &["activation", "one number per user (6)"], |_| signatures(&["wbe", "--activation", "0.5,0.5"])),
    ("activation out of range", 2, &["activation", "(0, 1]"], |_| signatures(&["wbe", "--activation", "1.5"])),
    ("optimum of a dominant user", 1, &["0.9", "sum w / 2"], |_| signatures(&["weighted-optimum", "--users", "3", "--length", "2", "--activation", "0.9,0.1,0.1"])),
    ("output without a format", 2, &["--format"], |_| signatures(&["wbe", "--output", "x.npz"])),
    ("signatures into no folder", 1, &["cannot write", "none"], |d| signatures(&["wbe", "--format", "csv", "--output", &text(d.join("none/s.csv"))])),
    // Detectors and their options.
    ("unknown detector", 2, &["ampp", "covariance"], |d| detect(d, "ampp", data("mmv.npz"), "detector.iterations=2")),
    ("option of another solver", 2, &["lasso", "alpha"], |d| detect(d, "lasso", data("mmv.npz"), "detector.alpha=1.2")),
    ("trained detector without a bundle", 2, &["--model"], |d| detect(d, "mampnet", data("mmv.npz"), "detector.iterations=2")),
    ("unknown option", 2, &["iterationz", "iterations"], |d| detect(d, "amp", data("mmv.npz"), "detector.iterationz=2")),
    ("option out of range", 2, &["detector.damping", "(0, 1]"], |d| detect(d, "amp", data("mmv.npz"), "detector.damping=0")),
    ("option of another detector", 2, &["damping", "amp"], |d| detect(d, "ml", data("mmv.npz"), "detector.damping=0.5")),
    ("named threshold on a power", 2, &["threshold", "number"], |d| detect(d, "ml", data("mmv.npz"), "detector.threshold=map")),
    ("weight out of range", 2, &["detector.lambda", "> 0"], |d| detect(d, "group-lasso", data("mmv.npz"), "detector.lambda=0")),
    ("penalty of another detector", 2, &["rho", "group-lasso-admm"], |d| detect(d, "group-lasso", data("mmv.npz"), "detector.rho=1")),
    ("no samples", 2, &["detector.langevin.samples", "1..=1024"], |d| detect(d, "langevin", data("estimation.npz"), "detector.langevin.samples=0")),
    ("rising noise levels", 2, &["detector.langevin.sigma_min", "sigma_max"], |d| detect(d, "langevin", data("estimation.npz"), "detector.langevin.sigma_min=2")),
    ("temperature above one", 2, &["detector.langevin.beta", "[0, 1]"], |d| detect(d, "langevin", data("estimation.npz"), "detector.langevin.beta=1.5")),
    ("an unknown likelihood", 2, &["likelihood", "matched"], |d| detect(d, "langevin", data("estimation.npz"), "detector.langevin.likelihood=exact")),
    ("sampler options of another detector", 2, &["langevin", "belongs to"], |d| detect(d, "lmmse", data("estimation.npz"), "detector.langevin.samples=2")),
    ("named threshold on an energy", 2, &["threshold", "number"], |d| detect(d, "lmmse", data("estimation.npz"), "detector.threshold=map")),
    ("estimation frames of another shape", 1, &["pilots", "[N, L]"], |d| with_array(d, "y", |o| o.int("coherent", &[], &[1]).real("y", &[2, 2, 3], &[0.0; 12]))),
    ("estimation channels of another shape", 1, &["channel", "[F, M, N] = [2, 3, 3]"], |d| with_array(d, "y", |o| {
        let o = o.real("y", &[2, 3, 4], &[0.0; 24]).int("activity", &[2, 3], &[0; 6]);
        o.int("coherent", &[], &[1]).real("channel", &[2, 3, 4], &[0.0; 24])
    })),
    ("an SNR where powers are stated", 2, &["scenario.snr_db", "coherent"], |d| simulate(d, EXPERIMENT, &["--set", "scenario.snr_db=10"])),
    ("an SNR out of range", 2, &["scenario.snr_db", "-50..=100"], |d| simulate(d, EXPERIMENT, &["--set", "scenario.kind=coherent", "--set", "scenario.bits=0", "--set", "scenario.snr_db=200"])),
    ("two sequences of a coherent device", 2, &["scenario.bits", "0 with"], |d| simulate(d, EXPERIMENT, &["--set", "scenario.kind=coherent"])),
    ("path loss without an SNR", 2, &["scenario.path_loss", "snr_db"], |d| simulate(d, EXPERIMENT, &["--set", "scenario.path_loss=true"])),
    ("option of the wrong type", 2, &["iterations"], |d| detect(d, "amp", data("mmv.npz"), "detector.iterations=-1")),
    ("key outside of detector", 2, &["detector.iterations=50"], |d| detect(d, "amp", data("mmv.npz"), "scenario.antennas=2")),
    ("set without a value", 2, &["key=value"], |d| detect(d, "amp", data("mmv.npz"), "detector.iterations")),
    ("neither detector nor model", 2, &["--detector"], |_| ["detect", "--input", "a", "--output", "b"].map(String::from).into()),
    // Outputs.
    ("output in no folder", 1, &["cannot write", "none"], |d| {
        let mut args = amp(d, data("mmv.npz"));
        args[6] = text(d.join("none/d.npz"));
        args
    }),
    ("a folder as output", 1, &["cannot write"], |d| {
        let mut args = amp(d, data("mmv.npz"));
        fs::create_dir_all(d.join("full/inside")).unwrap();
        args[6] = text(d.join("full"));
        args
    }),
    ("unwritable device", 1, &["cannot write"], |d| { let mut args = amp(d, data("mmv.npz")); args[6] = text(Path::new("/dev/null/d.npz").into()); args }),
    // Experiments.
    ("missing experiment", 2, &["absent.toml"], |d| {
        let mut args = simulate(d, EXPERIMENT, &[]);
        args[1] = text(d.join("absent.toml"));
        args
    }),
    ("not TOML", 2, &["experiment.toml"], |d| simulate(d, "name = [", &[])),
    ("binary experiment", 2, &["experiment.toml"], |d| {
        let args = simulate(d, "", &[]);
        fs::write(d.join("experiment.toml"), [0xff, 0xfe, 0x00]).unwrap();
        args
    }),
    ("unknown key in the file", 2, &["devicez", "devices"], |d| simulate(d, &EXPERIMENT.replace("devices", "devicez"), &[])),
    ("two sequences for an auto-encoder", 2, &["scenario.bits", "0 with auto-encoders"], |d| simulate(d, &decoder("form = \"amp\""), &[])),
    ("signals from a decoder of powers", 2, &["detectors.amp.decoder.target", "support"], |d| simulate(d, &decoder("form = \"map\", target = \"signal\""), &["--set", "scenario.bits=0"])),
    ("a decoder of powers without power control", 2, &["detectors.amp.decoder.form", "unit-gain"], |d| simulate(d, &decoder("form = \"map\""), &["--set", "scenario.bits=0"])),
    ("iterations of a decoder without any", 2, &["detectors.amp.decoder.iterations", "nn"], |d| simulate(d, &decoder("form = \"nn\", iterations = 3"), &["--set", "scenario.bits=0"])),
    ("an unknown decoder", 2, &["form", "group-lasso"], |d| simulate(d, &decoder("form = \"lasso\""), &[])),
    ("a layer-wise phase of an auto-encoder", 2, &["training.phases[0].kind", "joint"], |d| simulate(d, &decoder("form = \"amp\"").replace("[detectors.amp]", "[detectors.amp]\ntraining = { phases = [{ kind = \"layer-wise\", steps = 1 }] }"), &["--set", "scenario.bits=0"])),
    ("an unknown metric", 2, &["figures.f.metrics", "coherence"], |d| simulate(d, &format!("{EXPERIMENT}[[figures]]\nid = \"f\"\nmetrics = [\"bler\"]\n"), &[])),
    ("a metric of no user", 2, &["figures.f.metrics", "ber_user_banana"], |d| simulate(d, &format!("{EXPERIMENT}[[figures]]\nid = \"f\"\nmetrics = [\"ber_user_banana\"]\n"), &[])),
    ("groups without their law", 2, &["scenario.groups", "activity_law"], |d| simulate(d, EXPERIMENT, &["--set", "scenario.groups=4"])),
    ("the best threshold of one recording", 1, &["threshold", "best"], |d| detect(d, "ml", data("mmv.npz"), "detector.threshold=best")),
    ("value out of range in the file", 2, &["scenario.devices", "1..=100000"], |d| simulate(d, &EXPERIMENT.replace("devices = 8", "devices = 0"), &[])),
    ("unknown key of --set", 2, &["scenario", "antenas"], |d| simulate(d, EXPERIMENT, &["--set", "scenario.antenas=2"])),
    ("--set out of range", 2, &["scenario.activity_prob", "(0, 1)"], |d| simulate(d, EXPERIMENT, &["--set", "scenario.activity_prob=1.5"])),
    ("unknown point", 2, &["small/0", "small/1"], |d| simulate(d, EXPERIMENT, &["--point", "small/7"])),
    ("no frames asked for", 2, &["--frames"], |d| { let mut args = simulate(d, EXPERIMENT, &[]); args[3] = "0".into(); args }),
    ("more frames than memory", 2, &["GiB", "--first"], |d| {
        let mut args = simulate(d, EXPERIMENT, &["--set", "scenario.devices=5000"]);
        args[3] = "10000000".into();
        args
    }),
    ("missing channel file", 1, &["channel file", "absent.npz"], |d| simulate(d, EXPERIMENT, &["--set", "scenario.kind=channel-file", "--set", "scenario.channel_file=absent.npz"])),
    ("channel file of wrong shape", 1, &["channel", "[drop, device, antenna]"], |d| {
        let path = d.join("c.npz");
        NpzWriter::new().real("channel", &[2, 2], &[1.0; 4]).real("gain_db", &[2, 2], &[1.0; 4]).write(&path).unwrap();
        let set = format!("scenario.channel_file={}", text(path));
        simulate(d, EXPERIMENT, &["--set", "scenario.kind=channel-file", "--set", &set])
    }),
    ("keys of other kinds beside noma", 2, &["scenario.pilot_length", "left out with scenario.kind = \"noma\"", "default: 40"], |d| {
        simulate(d, NOMA, &["--set", "scenario.pilot_length=12"])
    }),
    ("noma keys of another kind", 2, &["scenario.noma"], |d| simulate(d, EXPERIMENT, &["--set", "scenario.noma.users=4"])),
    ("bad shard", 2, &["--shard", "1 <= i <= n"], |d| run(d, &["--shard", "3/2"])),
    ("bad backend", 2, &["--backend", "flex"], |d| run(d, &["--backend", "cuda"])),
    ("bad number of threads", 2, &["--threads"], |d| run(d, &["--threads", "0"])),
    ("unknown command", 2, &["train"], |_| vec!["trian".into()]),
    // Options of other commands.
    ("a shard of a bundle", 2, &["--shard", "an option of run, evaluate"], |_| words("export b --format npz --shard 1/2")),
    ("a folder for one file", 2, &["--out", "'--output'"], |_| words("export b --format csv --out x")),
    ("a backend of a report", 2, &["--backend", "detect"], |_| words("report d --backend wgpu")),
    ("a seed of given frames", 2, &["--seed"], |_| words("detect --detector amp --input f.npz --output o.npz --seed 3")),
    ("options of a trained detector", 2, &["--set", "--model", "bundle"], |_| words("detect --model b --input f.npz --output o.npz --set detector.iterations=5")),
    ("a backend of a simulation of frames", 2, &["--backend"], |_| words("simulate e.toml --frames 1 --output f.npz --backend flex")),
    ("frames of a simulation in a folder", 2, &["--out", "'--output'"], |_| words("simulate e.toml --frames 1 --out f")),
    ("a shard of a training", 2, &["--shard"], |_| words("train e.toml --shard 1/2")),
    ("a shard of a grid search", 2, &["--shard"], |_| words("tune e.toml --detector amp --grid iterations=[1] --shard 1/2")),
    ("a seed of a finished run", 2, &["--seed"], |_| words("replay d --point 0 --frame 0 --seed 1")),
    ("a key of finished shards", 2, &["--set"], |_| words("merge a b --out c --set budget=paper")),
    ("a key of an import", 2, &["--set"], |_| words("import w.pt --output b --set a=1")),
    ("a key of a signature set", 2, &["--set"], |_| words("signatures wbe --set scenario.noma.users=4")),
    ("a folder of the doctor", 2, &["--out"], |_| words("doctor --out x")),
    // State_dicts.
    ("no state_dict", 1, &["weights.pt", "before 1.6"], |d| import(d, |f| fs::write(f, b"\x80\x02}.").unwrap())),
    ("half a state_dict", 1, &["weights.pt", "is the file complete?"], |d| import(d, |f| {
        let whole = fs::read(data("ncsnv2.pt")).unwrap();
        fs::write(f, &whole[..whole.len() / 2]).unwrap();
    })),
    // Bundles.
    ("no bundle", 1, &["manifest.json"], |d| ["export", &text(d.join("none")), "--format", "csv"].map(String::from).into()),
    ("altered weights, export", 1, &["weights.safetensors", "SHA-256"], |d| bundle(d, |b| fs::write(b.join("weights.safetensors"), b"012345678X").unwrap(), "export")),
    ("altered weights, detect", 1, &["weights.safetensors", "SHA-256"], |d| bundle(d, |b| fs::write(b.join("weights.safetensors"), b"012345678X").unwrap(), "detect")),
    ("truncated weights", 1, &["weights.safetensors", "5 bytes"], |d| bundle(d, |b| fs::write(b.join("weights.safetensors"), b"01234").unwrap(), "detect")),
    ("weights missing", 1, &["weights.safetensors", "cannot read"], |d| bundle(d, |b| fs::remove_file(b.join("weights.safetensors")).unwrap(), "detect")),
    ("weights that are no tensors", 1, &["weights.safetensors", "safetensors file"], |d| bundle(d, |_| (), "export")),
    ("manifest of another version", 1, &["manifest.json", "schema_version 9"], |d| bundle(d, |b| fs::write(b.join("manifest.json"), b"{\"schema_version\": 9}").unwrap(), "detect")),
    ("manifest that is no JSON", 1, &["manifest.json", "JSON"], |d| bundle(d, |b| fs::write(b.join("manifest.json"), b"weights").unwrap(), "detect")),
    // Results.
    ("report without results", 1, &["results.json"], |d| vec!["report".into(), text(d.into())]),
    ("report of broken results", 1, &["results.json"], |d| { fs::write(d.join("results.json"), b"{\"points\": 3").unwrap(); vec!["report".into(), text(d.into())] }),
];

#[test]
fn every_bad_input_is_one_clear_error() {
    let (mut wrong, mut messages) = (Vec::new(), String::new());
    for (name, code, says, arrange) in CASES {
        let dir = temp_dir::TempDir::new().unwrap();
        let args = arrange(dir.path());
        let before: Vec<PathBuf> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().path()).collect();
        let output = grantfree().args(&args).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        let mut complain = |what: &str| wrong.push(format!("{name}: {what}\n  {args:?}\n  {stderr}"));
        if output.status.code() != Some(*code) {
            complain(&format!("exit code {:?}, expected {code}", output.status.code()));
        }
        if stderr.contains("panicked") {
            complain("panic");
        }
        if stderr.matches("error:").count() != 1 {
            complain("not exactly one error");
        }
        if let Some(missing) = says.iter().find(|s| !stderr.contains(**s)) {
            complain(&format!("the message does not say {missing:?}"));
        }
        let shown = without_folders(&format!("$ grantfree {}\n{stderr}", args.join(" ")), dir.path());
        messages += &format!("{name}\n{shown}exit code {code}\n\n");
        if !output.stdout.is_empty() {
            complain("stdout is not empty");
        }
        let after: Vec<PathBuf> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().path()).collect();
        if after.len() != before.len() {
            complain(&format!("left files behind: {after:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), CASES.len(), wrong.join("\n"));
    // Causes are in the words of the system.
    if cfg!(target_os = "linux") {
        snapshots::compare("bad_input", &messages);
    }
}

/// The text with names in the place of folders that differ between machines and runs.
fn without_folders(text: &str, dir: &Path) -> String {
    let data = data("");
    text.replace(dir.to_str().unwrap(), "DIR").replace(data.to_str().unwrap(), "DATA/")
}
