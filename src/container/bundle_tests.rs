use serde_json::json;

use super::*;

fn parts() -> ManifestParts {
    ManifestParts { system: "A/mampnet".into(), config: json!({"layers": 8}), metrics: json!({"ser": 1.5e-3}) }
}

fn write(dir: &Path) -> Manifest {
    let weights = tensors::to_bytes(Path::new("w"), &[("v".into(), vec![3], vec![1.0, 2.0, 3.0])]).unwrap();
    write_bundle(dir, &parts(), &[("weights.safetensors", &weights), ("notes.txt", b"hello")]).unwrap()
}

#[test]
fn round_trip_and_replacement() {
    let tmp = temp_dir::TempDir::new().unwrap();
    let dir = tmp.path().join("model");
    let written = write(&dir);
    let bundle = Bundle::open(&dir).unwrap();
    assert_eq!(bundle.manifest(), &written);
    assert_eq!(bundle.file("notes.txt").unwrap(), b"hello");
    assert_eq!(bundle.tensors("weights.safetensors").unwrap()[0].2, [1.0, 2.0, 3.0]);
    assert!(bundle.file("other").unwrap_err().to_string().contains("notes.txt"));

    let copy = tmp.path().join("copy");
    bundle.copy_to(&copy).unwrap();
    assert_eq!(Bundle::open(&copy).unwrap().manifest(), &written);
    fs::remove_dir_all(copy).unwrap();

    write_bundle(&dir, &parts(), &[("only.bin", b"x")]).unwrap();
    let bundle = Bundle::open(&dir).unwrap();
    assert_eq!(bundle.names().collect::<Vec<_>>(), ["only.bin"]);
    assert_eq!(fs::read_dir(tmp.path()).unwrap().count(), 1, "no temporary folders stay behind");
}

#[test]
fn every_kind_of_damage_names_the_file() {
    type Damage = fn(&Path);
    let damage: [(&str, Damage); 6] = [
        ("notes.txt", |d| fs::write(d.join("notes.txt"), b"hellO").unwrap()),
        ("notes.txt", |d| fs::write(d.join("notes.txt"), b"hello and more").unwrap()),
        ("weights.safetensors", |d| fs::remove_file(d.join("weights.safetensors")).unwrap()),
        ("manifest.json", |d| fs::write(d.join("manifest.json"), b"{ \"schema_version\": 1").unwrap()),
        ("manifest.json", |d| fs::write(d.join("manifest.json"), b"{ \"schema_version\": 99 }").unwrap()),
        ("manifest.json", |d| fs::remove_file(d.join("manifest.json")).unwrap()),
    ];
    for (i, (file, hurt)) in damage.iter().enumerate() {
        let tmp = temp_dir::TempDir::new().unwrap();
        let dir = tmp.path().join("model");
        write(&dir);
        hurt(&dir);
        let message = Bundle::open(&dir).unwrap_err().to_string();
        assert!(message.contains(file), "case {i}: {message}");
    }
}

#[test]
fn names_cannot_leave_the_folder() {
    let tmp = temp_dir::TempDir::new().unwrap();
    for name in ["../x", "a/b", "", ".hidden", "manifest.json", "c:x"] {
        assert!(write_bundle(&tmp.path().join("m"), &parts(), &[(name, b"x")]).is_err(), "{name}");
    }
    let dir = tmp.path().join("m");
    write(&dir);
    let text = fs::read_to_string(dir.join("manifest.json")).unwrap().replace("notes.txt", "../notes.txt");
    fs::write(dir.join("manifest.json"), text).unwrap();
    assert!(Bundle::open(&dir).unwrap_err().to_string().contains("../notes.txt"));
}

#[test]
fn a_folder_that_is_no_bundle_is_left_alone() {
    let tmp = temp_dir::TempDir::new().unwrap();
    let dir = tmp.path().join("thesis");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("chapter1.tex"), b"years of work").unwrap();
    assert!(write_bundle(&dir, &parts(), &[("a", b"x")]).is_err());
    assert_eq!(fs::read(dir.join("chapter1.tex")).unwrap(), b"years of work");
}

#[test]
fn a_replacement_cut_off_between_its_renames_is_undone() {
    let tmp = temp_dir::TempDir::new().unwrap();
    let dir = tmp.path().join("model");
    let written = write(&dir);
    fs::rename(&dir, previous(&dir).unwrap()).unwrap();
    assert_eq!(Bundle::open(&dir).unwrap().manifest(), &written);
    // Both present: the new one counts and the old one is cleaned away.
    write(&previous(&dir).unwrap());
    assert!(Bundle::open(&dir).is_ok());
    assert!(!previous(&dir).unwrap().exists());
}
