use std::io::{Cursor, Read, Write};
use std::path::PathBuf;

use super::*;
use crate::container::npz::NpzFile;
use crate::detect::LangevinConfig;
use crate::systems::Saved;
use crate::systems::score::{ScoreFunction, ScoreInfo};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

#[cfg_attr(feature = "ndarray", expect(deprecated, reason = "burn-ndarray is kept as a second opinion"))]
fn devices() -> Vec<(&'static str, Device)> {
    vec![
        #[cfg(feature = "flex")]
        ("flex", Device::flex()),
        #[cfg(feature = "ndarray")]
        ("ndarray", Device::ndarray()),
    ]
}

fn options(rescaled: bool) -> ImportOptions {
    ImportOptions { levels: None, rescaled, weights: Weights::Last }
}

fn values(t: Tensor<4>) -> Vec<f32> {
    t.into_data().convert::<f32>().try_into_vec().unwrap()
}

/// Largest difference to the outputs in `NAME.expected.npz`, and the largest of those.
fn difference(name: &str, net: &dyn ScoreFunction, device: &Device) -> (f64, f64) {
    let expected = NpzFile::open(&data(&format!("{name}.expected.npz"))).unwrap();
    let sigmas = read_state_dict(&data(&format!("{name}.pt")), Weights::Last).unwrap();
    let sigmas = sigmas.into_iter().find(|t| t.0 == "sigmas").unwrap().2;
    let (mut worst, mut peak) = (0.0_f64, 0.0_f64);
    for i in 0..2 {
        let x = expected.real(&format!("x{i}")).unwrap();
        let x = Tensor::<4>::from_data(
            TensorData::new(x.data.iter().map(|v| *v as f32).collect::<Vec<f32>>(), x.shape.clone()),
            device,
        );
        let levels = expected.int(&format!("label{i}")).unwrap().data;
        let levels: Vec<f32> = levels.iter().map(|l| sigmas[*l as usize]).collect();
        let count = levels.len();
        let sigma = Tensor::<4>::from_data(TensorData::new(levels, [count, 1, 1, 1]), device);
        let y = expected.real(&format!("y{i}")).unwrap().data;
        for (a, b) in values(net.score(x, sigma)).iter().zip(&y) {
            worst = worst.max((f64::from(*a) - b).abs());
            peak = peak.max(b.abs());
        }
    }
    (worst, peak)
}

#[test]
fn published_networks_give_the_outputs_of_pytorch() {
    for (name, variant, depth, width, rescaled) in [
        ("ncsnv2", "NCSNv2", 3, 4, true),
        ("ncsnv2deeper", "NCSNv2Deeper", 4, 2, true),
        ("ncsnv2deepest", "NCSNv2Deepest", 5, 3, false),
    ] {
        for (backend, device) in devices() {
            let imported = import(&data(&format!("{name}.pt")), &options(rescaled), &device).unwrap();
            let c = &imported.config;
            assert_eq!((imported.variant, c.depth, c.width, c.levels), (variant, depth, width, 10));
            assert!(
                (c.sigma_max - 2.0 * 2.0_f64.sqrt()).abs() < 1e-6 && (c.sigma_min - 0.05 * 2.0_f64.sqrt()).abs() < 1e-8
            );
            let (worst, peak) = difference(name, &imported.net, &device);
            println!("{variant} on {backend}: largest difference {worst:.1e}, largest output {peak:.1}");
            assert!(worst < 1e-4, "{variant} on {backend}: {worst:e}");
            // The other kind of input is another function.
            let other = import(&data(&format!("{name}.pt")), &options(!rescaled), &device).unwrap();
            assert!(difference(name, &other.net, &device).0 > 0.1);
        }
    }
}

#[test]
fn an_imported_network_survives_its_bundle() {
    let tmp = temp_dir::TempDir::new().unwrap();
    let dir = tmp.path().join("bundle");
    let (_, device) = devices().remove(0);
    let imported = import(&data("ncsnv2deepest.pt"), &options(false), &device).unwrap();
    let info = ScoreInfo {
        score: imported.config.clone(),
        langevin: LangevinConfig::default(),
        threshold: 0.1,
        parameters: imported.net.num_params(),
        label: "imported".into(),
    };
    Saved::new(imported.net.clone(), (), info.clone()).save(&dir).unwrap();
    let loaded = Saved::<ScoreNet>::load(&dir, &device).unwrap();
    assert_eq!(loaded.info, info);
    assert_eq!(difference("ncsnv2deepest", &loaded.net, &device), difference("ncsnv2deepest", &imported.net, &device));
}

#[test]
fn keys_are_those_of_the_published_modules() {
    for (path, depth, key) in [
        ("begin_conv.weight", 3, "begin_conv.weight"),
        ("normalizer.alpha", 5, "normalizer.alpha"),
        ("stages.0.1.conv2.bias", 3, "res1.1.conv2.bias"),
        ("stages.1.0.conv2.weight", 3, "res2.0.conv2.conv.weight"),
        ("stages.1.0.conv1.weight", 3, "res2.0.conv1.weight"),
        ("stages.1.1.conv2.weight", 3, "res2.1.conv2.weight"),
        ("stages.2.0.shortcut.bias", 3, "res3.0.shortcut.bias"),
        ("stages.2.0.shortcut.bias", 4, "res3.0.shortcut.conv.bias"),
        ("stages.3.0.normalize2.beta", 5, "res31.0.normalize2.beta"),
        ("stages.5.0.conv1.weight", 5, "res5.0.conv1.weight"),
        ("refine.0.adapt_convs.0.convs.1.0.weight", 3, "refine1.adapt_convs.0.2_1_conv.weight"),
        ("refine.2.msf.convs.1.bias", 5, "refine31.msf.convs.1.bias"),
        ("refine.3.crp.convs.0.weight", 5, "refine3.crp.convs.0.weight"),
        ("refine.5.output_convs.convs.2.1.weight", 5, "refine5.output_convs.3_2_conv.weight"),
    ] {
        assert_eq!(published_key(path, depth), key);
    }
}

/// `ncsnv2.pt` with the first `from` in its pickle replaced; equal lengths.
fn altered(dir: &Path, from: &[u8], to: &[u8]) -> PathBuf {
    let mut zip = zip::ZipArchive::new(Cursor::new(std::fs::read(data("ncsnv2.pt")).unwrap())).unwrap();
    let mut out = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for i in 0..zip.len() {
        let mut member = zip.by_index(i).unwrap();
        let (name, mut bytes) = (member.name().to_owned(), Vec::new());
        member.read_to_end(&mut bytes).unwrap();
        if name.ends_with("data.pkl") {
            let at = bytes.windows(from.len()).position(|w| w == from).unwrap();
            bytes.splice(at..at + from.len(), to.iter().copied());
        }
        out.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        out.write_all(&bytes).unwrap();
    }
    let path = dir.join("altered.pt");
    std::fs::write(&path, out.finish().unwrap().into_inner()).unwrap();
    path
}

#[test]
fn each_network_that_does_not_fit_has_one_clear_error() {
    let tmp = temp_dir::TempDir::new().unwrap();
    let (_, device) = devices().remove(0);
    let fails = |from: &[u8], to: &[u8], levels, words: &[&str]| {
        let options = ImportOptions { levels, ..options(true) };
        let text = import(&altered(tmp.path(), from, to), &options, &device).unwrap_err().to_string();
        assert!(words.iter().all(|w| text.contains(w)) && text.contains("altered.pt"), "{text} has not {words:?}");
    };
    let same = (&b"sigmas"[..], &b"sigmas"[..]);
    fails(
        b"res1.0.conv1.weight",
        b"res1.0.conv9.weight",
        None,
        &["missing [res1.0.conv1.weight]", "not known [res1.0.conv9.weight]", "NCSNv2 of width 4"],
    );
    fails(
        b"K\x08K\x04K\x03K\x03",
        b"K\x04K\x08K\x03K\x03",
        None,
        &["with another shape [res2.0.conv2.conv.weight [4, 8, 3, 3] for [8, 4, 3, 3]]"],
    );
    fails(b"K\x04K\x02K\x03K\x03", b"K\x02K\x04K\x03K\x03", None, &["4 input channels"]);
    fails(b"begin_conv.weight", b"begin_view.weight", None, &["no begin_conv.weight", "and 133 more"]);
    fails(b"ctorch._utils\n_rebuild_tensor_v2", b"cbuiltins\nexec", None, &["builtins.exec"]);
    fails(same.0, same.1, Some((1.0, 0.1, 5)), &["leave out --sigma-begin"]);
    fails(b"sigmas", b"simgas", None, &["give the noise levels", "--sigma-begin"]);
    fails(b"sigmas", b"simgas", Some((1.0, 0.1, 5)), &["not known [simgas]"]);
    fails(b"sigmas", b"simgas", Some((1.0, 2.0, 5)), &["sigma_min"]);
}

#[test]
fn bundles_from_before_there_were_other_depths_load_as_they_were() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("artifacts/models/score-n32-m8-refine");
    let (_, device) = devices().remove(0);
    let loaded = Saved::<ScoreNet>::load(&dir, &device).unwrap();
    assert_eq!((loaded.info.score.depth, loaded.info.score.rescaled, loaded.net.smallest_side()), (2, true, 2));
    // Fingerprints of trainings are made of this text.
    let text = serde_json::to_value(&loaded.info.score).unwrap();
    assert!(text.get("rescaled").is_none() && text["width"] == 12);
}
