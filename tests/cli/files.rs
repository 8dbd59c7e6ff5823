//! Files made by one command and read by another.

use std::fs;

use grantfree::io::npz::NpzFile;
use grantfree::io::{ManifestParts, tensors, write_bundle};
use serde_json::json;

use super::{EXPERIMENT, grantfree};

#[test]
fn simulated_frames_are_the_same_again_and_can_be_detected() {
    let dir = tempfile::tempdir().unwrap();
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
fn a_bundle_is_exported_in_every_format() {
    let dir = tempfile::tempdir().unwrap();
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
