use serde_json::json;

use super::*;
use crate::container::npz::NpzFile;
use crate::container::{ManifestParts, write_bundle};

fn weights() -> Vec<NamedTensor> {
    vec![
        ("pilots".into(), vec![2, 2, 3], (0..12).map(|i| i as f32 * 0.25).collect()),
        ("layer.0/b".into(), vec![2, 2], vec![1.0, -0.1, f32::MIN_POSITIVE, 3e8]),
        ("layer.0.b".into(), vec![], vec![0.1]),
    ]
}

fn bundle(dir: &Path, weights: &[NamedTensor], config: serde_json::Value) -> Bundle {
    let parts = ManifestParts { system: "A/mampnet".into(), config, metrics: json!({}) };
    let bytes = tensors::to_bytes(Path::new("w"), weights).unwrap();
    write_bundle(dir, &parts, &[("weights.safetensors", &bytes), ("record.bin", b"\0")]).unwrap();
    Bundle::open(dir).unwrap()
}

#[test]
fn npz_holds_complex_pilots_and_real_weights() {
    let tmp = temp_dir::TempDir::new().unwrap();
    let bundle = bundle(&tmp.path().join("m"), &weights(), json!({}));
    let path = tmp.path().join("m.npz");
    npz(&gather(&bundle).unwrap()).write(&path).unwrap();
    let file = NpzFile::open(&path).unwrap();
    let pilots = file.complex("pilots").unwrap();
    assert_eq!((pilots.shape, pilots.data[5]), (vec![2, 3], C64::new(1.25, 2.75)));
    assert_eq!(file.real("layer.0/b").unwrap().data[1], f64::from(-0.1_f32));
}

#[test]
fn csv_has_one_row_per_value() {
    let text = csv(&weights());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 1 + 6 + 4 + 1);
    assert_eq!(lines[6], "pilots,1,2,1.25,2.75");
    assert_eq!(lines[8], "layer.0/b,0,1,-0.1,");
    assert_eq!(lines[11], "layer.0.b,0,0,0.1,");
}

#[test]
fn c_header_keeps_shapes_and_names_apart() {
    let tmp = temp_dir::TempDir::new().unwrap();
    let bundle = bundle(&tmp.path().join("m"), &weights(), json!({}));
    let text = c_header(&bundle, &weights());
    assert!(text.contains("static const float grantfree_pilots[2][3][2] = {\n  0e0f, 1.5e0f,"), "{text}");
    assert!(text.contains("grantfree_layer_0_b[2][2]") && text.contains("grantfree_layer_0_b_[1]"), "{text}");
    for value in [0.1_f32, -3e8, f32::MIN_POSITIVE, f32::MAX] {
        assert_eq!(c_float(value).trim_end_matches('f').parse::<f32>().unwrap(), value);
    }
}

#[test]
fn pilots_that_were_not_learned_are_those_of_the_scenario() {
    let tmp = temp_dir::TempDir::new().unwrap();
    let scenario = ScenarioConfig { devices: 3, pilot_length: 4, ..ScenarioConfig::default() };
    let config = json!({ "seed": 5, "scenario": serde_json::to_value(&scenario).unwrap() });
    let without: Vec<NamedTensor> = weights().split_off(1);
    let all = gather(&bundle(&tmp.path().join("m"), &without, config)).unwrap();
    assert_eq!((all[0].0.as_str(), &all[0].1), ("pilots", &vec![2, 4, 6]));
    let (_, values) = as_complex(&all[0]).unwrap();
    let drawn = Scenario::new(&scenario, 5, Split::Test).unwrap().pilots(0);
    assert!(values.iter().zip(drawn.data()).all(|(a, b)| (a - b).norm() < 1e-6));
}

#[test]
fn a_score_network_is_exported_without_pilots_of_its_own() {
    use burn::module::Module;

    use crate::detect::LangevinConfig;
    use crate::link::StreamKey;
    use crate::systems::Saved;
    use crate::systems::score::ScoreConfig;
    use crate::systems::score::{ScoreInfo, ScoreModel, ScoreNet};

    let tmp = temp_dir::TempDir::new().unwrap();
    let (dir, output) = (tmp.path().join("m"), tmp.path().join("m.safetensors"));
    let score = ScoreConfig { width: 2, depth: 1, ..ScoreConfig::default() };
    let device = crate::tensor::choose(crate::tensor::BackendChoice::Auto).unwrap().device;
    let net = ScoreNet::init(&score, &StreamKey::new(1, Split::Train, "test"), &device);
    let parameters = net.num_params();
    let langevin = LangevinConfig::default();
    let info = ScoreInfo { score, langevin, threshold: 0.1, parameters, label: "s".into() };
    Saved::new(net.clone(), (), info).save(&dir).unwrap();
    tensors::write(&output, &gather(&Bundle::open(&dir).unwrap()).unwrap()).unwrap();
    let mut read = tensors::read(&output).unwrap();
    let pilots = read.remove(read.iter().position(|t| t.0 == "pilots").unwrap());
    assert_eq!(pilots.1, [2, 0, 0]);
    let mut want = crate::systems::named_tensors(&net).unwrap();
    want.sort_by(|a, b| a.0.cmp(&b.0));
    read.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(read, want);
    assert_eq!(read.iter().map(|t| t.2.len()).sum::<usize>(), parameters);
    // The other formats take them too.
    npz(&want).write(&tmp.path().join("m.npz")).unwrap();
    assert!(csv(&want).contains("stages.1.0.shortcut.weight,0,0,"));
}

#[test]
fn learned_signatures_are_integers_and_scales() {
    let tmp = temp_dir::TempDir::new().unwrap();
    // One chip, two users: real parts, then imaginary parts.
    let raw: NamedTensor = ("encoder.raw".into(), vec![2, 2], vec![2.7, -0.4, 1.6, -3.0]);
    let config = |learned| json!({ "receiver": { "learn_signatures": learned, "levels": 2 } });
    let raw = [raw];
    let text = c_header(&bundle(&tmp.path().join("a"), &raw, config(true)), &raw);
    assert!(text.contains("int8_t grantfree_signature_integers[1][2][2] = {\n  {{2, 2}, {0, -2}}\n};"), "{text}");
    assert!(text.contains("grantfree_signature_scale[2] = {\n  3.5355") && text.contains("e-1f, 5e-1f\n};"), "{text}");
    let given = c_header(&bundle(&tmp.path().join("b"), &raw, config(false)), &raw);
    assert!(!given.contains("integers"));
}
