//! Identities of networks and committed bundles: what was trained once is found and loaded for ever.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use grantfree::container::Bundle;
use grantfree::experiment::training_fingerprint;
use grantfree::results::read_results;
use grantfree::systems::{load, system_of};
use grantfree::tensor::{BackendChoice, choose};

fn folders(root: &str, file: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(root);
    let mut found: Vec<PathBuf> = std::fs::read_dir(root).unwrap().map(|e| e.unwrap().path()).collect();
    found.retain(|folder| folder.join(file).is_file());
    found.sort();
    found
}

/// Committed results name the folder of every network that was trained for them; it carries the identity.
#[test]
fn networks_of_committed_results_keep_their_identity() {
    let mut kinds = BTreeSet::new();
    let mut seen = 0;
    for folder in folders("artifacts", "results.json") {
        let results = read_results(&folder).unwrap();
        let points = results.config.points().unwrap();
        for record in results.training.iter().filter(|r| r.bundle.starts_with("models/")) {
            let point = points.iter().find(|p| p.id == record.point).unwrap();
            // The channel files of some experiments are too large to be committed.
            if point.scenario.channel_file.is_some() {
                continue;
            }
            let config = &point.detectors[&record.detector];
            let identity = training_fingerprint(config, point, results.config.seed).unwrap();
            let named = format!("models/{}-{}", record.detector, &identity[..12]);
            assert_eq!(record.bundle, named, "{}, {}", folder.display(), record.point);
            kinds.insert(config.kind());
            seen += 1;
        }
    }
    assert!(seen > 200, "{seen} networks");
    assert_eq!(kinds.len(), 5, "{kinds:?}");
}

#[cfg(feature = "flex")]
#[test]
fn every_committed_bundle_loads() {
    let device = choose(BackendChoice::Flex).unwrap();
    let mut systems = BTreeSet::new();
    for folder in folders("artifacts/models", "manifest.json") {
        let manifest = Bundle::read_manifest(&folder).unwrap();
        let loaded = load(&folder, None, &device).unwrap();
        assert_eq!(Some(loaded.detector.parameters() as u64), manifest.config["parameters"].as_u64(), "{folder:?}");
        assert_eq!(loaded.trail.unwrap().fingerprint, manifest.metrics["fingerprint"], "{folder:?}");
        assert_eq!(system_of(&folder).unwrap().name(), manifest.system);
        systems.insert(manifest.system);
    }
    let all = ["autoencoder", "beam-metric", "mampnet", "pc-admm-net", "score", "sicnn"];
    assert_eq!(systems, all.map(String::from).into());
}
