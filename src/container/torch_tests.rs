use std::io::Write;

use proptest::prelude::*;

use super::*;

const GOOD: &[u8] = include_bytes!("../../tests/data/ncsnv2.pt");

fn text(t: &str) -> Vec<u8> {
    [b"X", &(t.len() as u32).to_le_bytes()[..], t.as_bytes()].concat()
}

fn tuple(values: &[i32]) -> Vec<u8> {
    let numbers = values.iter().flat_map(|v| [b"J", &v.to_le_bytes()[..]].concat());
    [b"(".to_vec(), numbers.collect(), b"t".to_vec()].concat()
}

/// The program of a tensor: a view of `length` numbers in the file `data/key`.
fn tensor(class: &str, key: &str, length: i32, offset: i32, shape: &[i32], strides: &[i32]) -> Vec<u8> {
    let reference = [text("storage"), format!("ctorch\n{class}\n").into(), text(key), text("cpu")].concat();
    let length = [b"J", &length.to_le_bytes()[..], b"tQ"].concat();
    let offset = [b"J", &offset.to_le_bytes()[..]].concat();
    let head = b"ctorch._utils\n_rebuild_tensor_v2\n((".to_vec();
    let tail = b"\x89ccollections\nOrderedDict\n)RtR".to_vec();
    [head, reference, length, offset, tuple(shape), tuple(strides), tail].concat()
}

fn vector(key: &str) -> Vec<u8> {
    tensor("FloatStorage", key, 3, 0, &[3], &[1])
}

fn dict(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let parts: Vec<Vec<u8>> = entries.iter().map(|(key, value)| [text(key), value.clone()].concat()).collect();
    [b"}(".to_vec(), parts.concat(), b"u".to_vec()].concat()
}

fn list(entries: &[Vec<u8>]) -> Vec<u8> {
    [b"](".to_vec(), entries.concat(), b"e".to_vec()].concat()
}

fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// An archive of this program with the storages a (1, 2, 3), b (4, 5, 6) and d (six doubles 0.5, 1.5, ...).
fn file(program: &[u8]) -> Vec<u8> {
    let doubles: Vec<u8> = (0..6).flat_map(|i| (f64::from(i) + 0.5).to_le_bytes()).collect();
    zip(&[
        ("m/data.pkl", &[b"\x80\x02", program, b"."].concat()),
        ("m/byteorder", b"little"),
        ("m/data/a", &floats(&[1.0, 2.0, 3.0])),
        ("m/data/b", &floats(&[4.0, 5.0, 6.0])),
        ("m/data/d", &doubles),
        ("m/data/nan", &floats(&[0.0, f32::NAN, 0.0])),
    ])
}

fn load(program: &[u8]) -> Result<Vec<NamedTensor>, String> {
    from_bytes(&file(program), Weights::Last)
}

fn abc() -> Vec<NamedTensor> {
    vec![("w".into(), vec![3], vec![1.0, 2.0, 3.0])]
}

#[test]
fn what_torch_saves_is_read() {
    let tensors = from_bytes(GOOD, Weights::Last).unwrap();
    assert_eq!(tensors.len(), 154);
    let (_, shape, sigmas) = tensors.iter().find(|t| t.0 == "sigmas").unwrap();
    assert_eq!((shape, sigmas[0], sigmas[9]), (&vec![10], 2.0, 0.05));
}

#[test]
fn every_usual_form_of_a_checkpoint_is_read() {
    let plain = dict(&[("w", vector("a"))]);
    let forms = [
        plain.clone(),
        dict(&[("module.w", vector("a"))]),
        list(&[plain.clone(), dict(&[("state", dict(&[]))]), b"K\x07".to_vec()]),
        dict(&[("step", b"K\x07".to_vec()), ("state_dict", plain.clone())]),
        dict(&[("model_state", plain.clone())]),
        // An OrderedDict with attributes, and a parameter.
        [b"ccollections\nOrderedDict\n)R(".to_vec(), text("w"), vector("a"), b"u}b".to_vec()].concat(),
        dict(&[("w", [b"ctorch._utils\n_rebuild_parameter\n(".to_vec(), vector("a"), b"\x88}tR".to_vec()].concat())]),
    ];
    for form in forms {
        assert_eq!(load(&form).unwrap(), abc());
    }
}

#[test]
fn averaged_weights_replace_the_last_ones() {
    let last = dict(&[("module.w", vector("a")), ("module.sigmas", vector("a"))]);
    let bytes = file(&list(&[last.clone(), dict(&[]), dict(&[("w", vector("b"))])]));
    let all = from_bytes(&bytes, Weights::Averaged).unwrap();
    assert_eq!(all[0], ("w".into(), vec![3], vec![4.0, 5.0, 6.0]));
    assert_eq!(all[1], ("sigmas".into(), vec![3], vec![1.0, 2.0, 3.0]));
    for (program, words) in [
        (last.clone(), "no averaged weights"),
        (list(&[last.clone(), dict(&[("v", vector("b"))])]), "averaged weights: v is not"),
        (list(&[last, b"K\x07".to_vec()]), "averaged weights: it holds an integer"),
    ] {
        let problem = from_bytes(&file(&program), Weights::Averaged).unwrap_err();
        assert!(problem.contains(words), "{problem}");
    }
}

#[test]
fn views_are_put_in_row_major_order() {
    let turned = load(&dict(&[("t", tensor("DoubleStorage", "d", 6, 0, &[2, 3], &[1, 2]))])).unwrap();
    assert_eq!(turned, vec![("t".into(), vec![2, 3], vec![0.5, 2.5, 4.5, 1.5, 3.5, 5.5])]);
    let part = load(&dict(&[("t", tensor("FloatStorage", "a", 3, 1, &[2, 1], &[1, 1]))])).unwrap();
    assert_eq!(part[0].2, [2.0, 3.0]);
    let scalar = load(&dict(&[("t", tensor("FloatStorage", "a", 3, 2, &[], &[]))])).unwrap();
    assert_eq!(scalar, vec![("t".into(), vec![], vec![3.0])]);
}

#[test]
fn each_wrong_file_has_one_clear_error() {
    let one = |t: Vec<u8>| dict(&[("t", t)]);
    for (program, words) in [
        (b"cposix\nsystem\n(X\x04\x00\x00\x00truetR".to_vec(), "posix.system"),
        (b"K\x01".to_vec(), "it holds an integer"),
        (b"]".to_vec(), "it holds a list"),
        (dict(&[("step", b"K\x01".to_vec())]), "keys [step]"),
        (dict(&[("w", vector("a")), ("step", b"K\x01".to_vec())]), "step is an integer"),
        (dict(&[("w", vector("a")), ("w", vector("a"))]), "w is there twice"),
        (list(&[list(&[list(&[list(&[list(&[])])])])]), "nested too deeply"),
        (one(vector("none")), "m/data/none"),
        (one(vector("nan")), "holds NaN"),
        (one(tensor("HalfStorage", "a", 6, 0, &[6], &[1])), "type float16"),
        (one(tensor("FloatStorage", "a", 4, 0, &[3], &[1])), "has 12 bytes, expected 16"),
        (one(tensor("FloatStorage", "a", 3, 0, &[4], &[1])), "does not fit"),
        (one(tensor("FloatStorage", "a", 3, 0, &[2], &[3])), "does not fit"),
        (one(tensor("FloatStorage", "a", 3, 3, &[1], &[1])), "does not fit"),
        (one(tensor("FloatStorage", "a", 3, 0, &[i32::MAX, i32::MAX, i32::MAX], &[0, 0, 0])), "does not fit"),
        (one(tensor("FloatStorage", "a", 3, 0, &[3, 1], &[1])), "does not fit"),
        (one(tensor("FloatStorage", "a", 3, 0, &[-3], &[1])), "a size of -3"),
    ] {
        let problem = load(&program).unwrap_err();
        assert!(problem.contains(words), "{problem} has not {words}");
    }
    for (bytes, words) in [
        (b"\x80\x02\x8a\nl\xfc".to_vec(), "before 1.6"),
        (GOOD[..GOOD.len() / 2].to_vec(), "is the file complete?"),
        (zip(&[("m/constants.pkl", b".")]), "0 files FOLDER/data.pkl"),
        (zip(&[("m/data.pkl", b"}."), ("m/byteorder", b"big")]), "byte order"),
    ] {
        let problem = from_bytes(&bytes, Weights::Last).unwrap_err();
        assert!(problem.contains(words), "{problem} has not {words}");
    }
    let missing = read_state_dict(Path::new("no/such.pt"), Weights::Last).unwrap_err();
    assert!(matches!(missing, IoError::Read { .. }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn damaged_files_are_errors_and_never_panics(cut in 0..GOOD.len(), at in 0..GOOD.len(), value: u8) {
        prop_assert!(from_bytes(&GOOD[..cut], Weights::Last).is_err());
        let mut bad = GOOD.to_vec();
        bad[at] = value;
        let _ = from_bytes(&bad, Weights::Last);
    }

    #[test]
    fn damaged_programs_are_errors_or_tensors(at in 0_usize..300, value: u8) {
        let mut program = list(&[dict(&[("w", vector("a")), ("v", vector("b"))])]);
        let at = at % program.len();
        program[at] = value;
        let _ = load(&program);
    }
}
