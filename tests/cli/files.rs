//! Files made by one command and read by another.

use std::fs;

use grantfree::container::npz::NpzFile;
use grantfree::container::{ManifestParts, tensors, write_bundle};
use serde_json::json;

use super::{Assert, EXPERIMENT, grantfree};

#[test]
fn simulated_frames_are_the_same_again_and_can_be_detected() {
    let dir = temp_dir::TempDir::new().unwrap();
    let config = dir.path().join("e.toml");
    fs::write(&config, EXPERIMENT).unwrap();
    let simulate = |name: &str, extra: &[&str]| {
        let output = dir.path().join(name);
        let mut command = grantfree();
        command.arg("simulate").arg(&config).args(["--frames", "6", "--output"]).arg(&output).args(extra);
        command.assert().success();
        fs::read(output).unwrap()
    };
    let first = simulate("a.npz", &["--point", "small/1"]);
    assert_eq!(first, simulate("b.npz", &["--point", "small/1", "--threads", "1"]));
    assert_ne!(first, simulate("c.npz", &["--point", "small/1", "--seed", "4"]));
    assert_ne!(first, simulate("d.npz", &["--point", "small/1", "--set", "scenario.tx_power_dbm=0"]));

    let file = NpzFile::open(&dir.path().join("a.npz")).unwrap();
    let y = file.complex("y").unwrap();
    assert_eq!((y.shape, file.complex("pilots").unwrap().shape), (vec![6, 16, 4], vec![16, 16]));
    // Frames are numbered: the fourth of six is the first when counting begins there.
    simulate("e.npz", &["--point", "small/1", "--first", "3"]);
    let later = NpzFile::open(&dir.path().join("e.npz")).unwrap().complex("y").unwrap();
    assert_eq!(later.data[..3 * 16 * 4], y.data[3 * 16 * 4..]);

    let output = dir.path().join("decisions.npz");
    grantfree()
        .args(["detect", "--detector", "genie-mmse", "--input"])
        .arg(dir.path().join("a.npz"))
        .arg("--output")
        .arg(&output)
        .assert()
        .success();
    let decided = NpzFile::open(&output).unwrap().int("activity").unwrap();
    assert_eq!(decided, file.int("activity").unwrap(), "the genie knows the support");
}

#[test]
fn frames_of_a_spreading_link_are_simulated_and_detected() {
    let dir = temp_dir::TempDir::new().unwrap();
    let (config, frames, output) = (dir.path().join("e.toml"), dir.path().join("f.npz"), dir.path().join("d.npz"));
    fs::write(&config, "name = \"link\"\n[scenario]\nkind = \"noma\"\n[detectors.sic]\nkind = \"mmse-sic\"\n").unwrap();
    grantfree().arg("simulate").arg(&config).args(["--frames", "50", "--output"]).arg(&frames).assert().success();
    for detector in ["matched-filter", "mmse-sic", "beam-sic", "expectation-propagation", "joint-map", "oracle-ls"] {
        let mut command = grantfree();
        command.args(["detect", "--detector", detector, "--input"]).arg(&frames).arg("--output").arg(&output);
        command.assert().success();
        let decided = NpzFile::open(&output).unwrap();
        let (symbols, activity) = (decided.int("symbols").unwrap(), decided.int("activity").unwrap());
        assert!(symbols.data.iter().zip(&activity.data).all(|(s, a)| s + 1 == *a), "{detector}");
        assert_eq!((symbols.shape, decided.real("score").unwrap().shape), (vec![50, 6], vec![50, 24]));
    }
}

#[test]
fn signatures_are_printed_and_exported() {
    let dir = temp_dir::TempDir::new().unwrap();
    for (kind, format, says) in [
        ("quantised-wbe", "c-header", "int8_t grantfree_signatures[GRANTFREE_USERS]"),
        ("wbe", "c-header", "float grantfree_signatures[GRANTFREE_USERS]"),
        ("musa", "csv", "chip,user,re,im,integer_re,integer_im"),
        ("weighted-optimum", "npz", ""),
    ] {
        let output = dir.path().join(if format == "c-header" { "s.h" } else { "s.out" });
        let mut command = grantfree();
        command.args(["signatures", kind, "--format", format, "--output"]).arg(&output);
        let stdout = String::from_utf8(command.assert().success().get_output().stdout.clone()).unwrap();
        assert!(stdout.starts_with(kind) && stdout.contains("lower bound 2.8000e-2"), "{stdout}");
        match format {
            "npz" => {
                let file = NpzFile::open(&output).unwrap();
                assert_eq!(file.complex("signatures").unwrap().shape, [4, 6]);
                let (found, bound) = (file.scalar("weighted_correlation").unwrap(), file.scalar("bound").unwrap());
                assert!((found - bound).abs() < 1e-9);
            }
            _ => assert!(fs::read_to_string(&output).unwrap().contains(says)),
        }
        if format == "c-header" {
            let source = dir.path().join("s.c");
            fs::write(
                &source,
                "#include \"s.h\"\nint main(void) { return (int)grantfree_signatures[0][0][0] == 99; }\n",
            )
            .unwrap();
            let mut compiler = std::process::Command::new("cc");
            compiler.args(["-std=c99", "-Wall", "-Werror", "-Wno-unused", "-o"]).arg(dir.path().join("s")).arg(&source);
            // The linker of Rust is usually a C compiler; where there is none, nothing is tested.
            if let Ok(status) = compiler.status() {
                assert!(status.success(), "{kind}");
            }
        }
    }
}

#[test]
fn a_bundle_is_exported_in_every_format() {
    let dir = temp_dir::TempDir::new().unwrap();
    let bundle = dir.path().join("model");
    let weights = vec![
        ("pilots".to_owned(), vec![2, 1, 2], vec![1.0, 0.0, 0.0, -1.0]),
        ("layer.b".to_owned(), vec![2], vec![0.5, 0.25]),
    ];
    let bytes = tensors::to_bytes(&bundle, &weights).unwrap();
    let parts = ManifestParts { system: "A/mampnet".into(), config: json!({}), metrics: json!({}) };
    write_bundle(&bundle, &parts, &[("weights.safetensors", &bytes)]).unwrap();
    for (format, file) in [("npz", "p.npz"), ("csv", "p.csv"), ("c-header", "p.h"), ("safetensors", "p.safetensors")] {
        let output = dir.path().join(file);
        grantfree().arg("export").arg(&bundle).args(["--format", format, "--output"]).arg(&output).assert().success();
        match format {
            "npz" => {
                let pilots = NpzFile::open(&output).unwrap().complex("pilots").unwrap();
                assert_eq!((pilots.shape, pilots.data[1].im), (vec![1, 2], -1.0));
            }
            "safetensors" => assert_eq!(tensors::read(&output).unwrap().len(), 2),
            _ => assert!(fs::read_to_string(&output).unwrap().contains("pilots")),
        }
    }
}
