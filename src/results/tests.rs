//! Results files of earlier versions stay readable, and their values stay the same.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::*;

fn artifacts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("artifacts")
}

/// Folders of all committed results.
fn committed() -> Vec<PathBuf> {
    let folders = std::fs::read_dir(artifacts()).unwrap().map(|e| e.unwrap().path());
    folders.filter(|p| p.join(RESULTS_FILE).is_file()).collect()
}

/// Whether `new` has the values of `old`: the same ones, or in a configuration also defaults that were not written then.
fn holds(new: &Value, old: &Value, configuration: bool) -> bool {
    match (new, old) {
        (Value::Object(new), Value::Object(old)) if configuration => {
            old.iter().all(|(key, value)| new.get(key).is_some_and(|found| holds(found, value, true)))
        }
        (Value::Array(new), Value::Array(old)) if configuration => {
            new.len() == old.len() && new.iter().zip(old).all(|(n, o)| holds(n, o, true))
        }
        _ => new == old,
    }
}

#[test]
fn committed_results_are_read_and_written_with_the_same_values() {
    let all = committed();
    assert!(all.len() >= 40, "{} results files", all.len());
    let dir = temp_dir::TempDir::new().unwrap();
    let mut changed = Vec::new();
    for folder in all {
        let old: Value = serde_json::from_slice(&std::fs::read(folder.join(RESULTS_FILE)).unwrap()).unwrap();
        write_results(dir.path(), &read_results(&folder).unwrap()).unwrap();
        let new: Value = serde_json::from_slice(&std::fs::read(dir.path().join(RESULTS_FILE)).unwrap()).unwrap();
        let keys = old.as_object().unwrap().keys().filter(|k| !holds(&new[*k], &old[*k], *k == "config"));
        changed.extend(keys.map(|k| format!("{}: {k}", folder.display())));
    }
    assert_eq!(changed, Vec::<String>::new());
}

#[test]
fn digests_of_committed_results_do_not_change() {
    for (name, digest) in [
        // An access link with trained networks, a spreading link with user rates, a sweep with property metrics.
        ("quickstart", "9b54d6bd32812fa67783b3c58d5d735e65148c1d7b0867bacde84c61370d48da"),
        ("noma_fig10", "24118485013397fbd8ff3fecff33cdbdb1dc794c714f430f337cd0e301fba5a8"),
        ("score_stop", "a80855cc97d4eaab5cdec2a0bda47fab05b15f1e57a7ee8e9005c532b7c56e33"),
    ] {
        assert_eq!(values_digest(&read_results(&artifacts().join(name)).unwrap()), digest, "{name}");
    }
}

#[test]
fn a_metric_of_another_program_is_named_in_the_error() {
    let text = std::fs::read_to_string(artifacts().join("quickstart").join(RESULTS_FILE)).unwrap();
    let dir = temp_dir::TempDir::new().unwrap();
    std::fs::write(dir.path().join(RESULTS_FILE), text.replacen("\"false_alarm\"", "\"phase_error\"", 1)).unwrap();
    let error = read_results(dir.path()).unwrap_err();
    assert!(matches!(error, ResultsError::Content { .. }));
    let message = error.to_string();
    assert!(message.contains("phase_error") && message.contains("missed_detection"), "{message}");
}
