use proptest::prelude::*;

use super::*;

const NAME: &str = "test.npz";

fn path() -> &'static Path {
    Path::new(NAME)
}

fn sample() -> Vec<u8> {
    let complex: Vec<Complex64> = (0..6).map(|i| Complex64::new(f64::from(i), -0.5 * f64::from(i))).collect();
    NpzWriter::new()
        .complex("y", &[2, 3], &complex)
        .real("beta", &[3], &[1e-9, 0.25, 3.0])
        .real32("w", &[2, 1], &[0.5, -0.5])
        .int("activity", &[2, 2], &[0, 1, 2, i64::MIN])
        .scalar("noise_var", 0.125)
        .to_bytes(path())
        .unwrap()
}

/// An archive with one stored entry `a.npy` of these bytes.
fn archive_of(npy: &[u8]) -> NpzFile {
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("a.npy", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(npy).unwrap();
    NpzFile::from_bytes(path(), zip.finish().unwrap().into_inner()).unwrap()
}

/// An npy array of version 1 with this header text.
fn npy(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

#[test]
fn round_trip_of_every_type() {
    let file = NpzFile::from_bytes(path(), sample()).unwrap();
    assert_eq!(file.names(), ["y", "beta", "w", "activity", "noise_var"]);
    let y = file.complex("y").unwrap();
    assert_eq!((y.shape, y.data[5]), (vec![2, 3], Complex64::new(5.0, -2.5)));
    assert_eq!(file.real("beta").unwrap().data, [1e-9, 0.25, 3.0]);
    assert_eq!(file.real("w").unwrap().data, [0.5, -0.5]);
    assert_eq!(file.int("activity").unwrap().data, [0, 1, 2, i64::MIN]);
    assert_eq!(file.scalar("noise_var").unwrap(), 0.125);
    assert_eq!(file.real("noise_var").unwrap().shape, [0_usize; 0]);
    // Real as complex; the same arrays give the same bytes.
    assert_eq!(file.complex("beta").unwrap().data[1], Complex64::new(0.25, 0.0));
    assert_eq!(sample(), sample());
}

#[test]
fn numpy_headers_of_all_number_types_and_orders() {
    let fortran =
        npy("{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3), }\n", &[1, 0, 4, 0, 2, 0, 5, 0, 3, 0, 6, 0]);
    assert_eq!(archive_of(&fortran).int("a").unwrap(), Array { shape: vec![2, 3], data: vec![1, 2, 3, 4, 5, 6] });
    let big_endian = npy("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", &1.5_f32.to_be_bytes());
    assert_eq!(archive_of(&big_endian).real("a").unwrap().data, [1.5]);
    let boolean = npy("{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }", &[1, 0]);
    assert_eq!(archive_of(&boolean).int("a").unwrap().data, [1, 0]);
    let three_axes: Vec<u8> = (0..24).collect();
    let array = archive_of(&npy("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 4), }", &three_axes))
        .int("a")
        .unwrap();
    // Element [i, j, k] of a Fortran array stands at i + 2 j + 6 k.
    assert_eq!(array.data[12 + 2 * 4 + 3], 1 + 2 * 2 + 3 * 6);
}

#[test]
fn errors_name_file_array_and_what_is_expected() {
    let file = NpzFile::from_bytes(path(), sample()).unwrap();
    let missing = file.complex("pilots").unwrap_err().to_string();
    assert!(missing.contains(NAME) && missing.contains("pilots") && missing.contains("noise_var"), "{missing}");
    let dtype = file.real("y").unwrap_err().to_string();
    assert!(dtype.contains("array y") && dtype.contains("c8") && dtype.contains("float"), "{dtype}");
    let shape = file.scalar("beta").unwrap_err().to_string();
    assert!(shape.contains("[3]"), "{shape}");
    let whole = file.int("beta").unwrap_err().to_string();
    assert!(whole.contains("whole"), "{whole}");
    let text = npy("{'descr': '<U3', 'fortran_order': False, 'shape': (1,), }", &[0; 12]);
    assert!(archive_of(&text).real("a").unwrap_err().to_string().contains("U3"));
    let record = npy("{'descr': [('a', '<f4'), ('b', '<f4')], 'fortran_order': False, 'shape': (1,), }", &[0; 8]);
    assert!(archive_of(&record).real("a").is_err());
    assert!(NpzFile::from_bytes(path(), b"hello".to_vec()).unwrap_err().to_string().contains("zip"));
    assert!(NpzFile::from_bytes(path(), vec![]).is_err());
    assert!(NpzFile::open(Path::new("no/such/file.npz")).unwrap_err().to_string().contains("no/such/file.npz"));
}

#[test]
fn lying_headers_are_refused_before_anything_large_is_allocated() {
    for shape in [
        "(4,)",
        "(0,)",
        "(1000000000000,)",
        "(4294967296, 4294967296)",
        "(0, 4294967296, 4294967296)",
        "(18446744073709551616,)",
        "(0x10,)",
        "(-1,)",
    ] {
        let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}");
        let error = archive_of(&npy(&header, &[0; 16])).real("a").unwrap_err().to_string();
        assert!(error.contains("array a is damaged"), "{shape}: {error}");
    }
    let nested =
        format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {}1{}, }}", "(".repeat(9000), ")".repeat(9000));
    assert!(archive_of(&npy(&nested, &[])).real("a").is_err());
    let mut long = npy("", &[]);
    long[6] = 2;
    long.truncate(8);
    long.extend(u32::MAX.to_le_bytes());
    assert!(archive_of(&long).real("a").unwrap_err().to_string().contains("4294967295"));
    assert!(archive_of(b"\x93NUM").real("a").is_err());
}

#[test]
fn wrong_lengths_are_not_written() {
    let error = NpzWriter::new().real("a", &[2, 2], &[1.0]).to_bytes(path()).unwrap_err().to_string();
    assert!(error.contains("needs 4"), "{error}");
}

fn read_everything(bytes: Vec<u8>) -> Result<(), IoError> {
    let file = NpzFile::from_bytes(path(), bytes)?;
    for name in ["y", "beta", "w", "activity", "noise_var"] {
        file.complex(name)?;
        if name != "y" {
            file.real(name)?;
        }
        if name == "activity" {
            file.int(name)?;
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn every_truncation_is_an_error(keep in 0.0_f64..1.0) {
        let good = sample();
        let keep = ((good.len() as f64 * keep) as usize).min(good.len() - 1);
        prop_assert!(read_everything(good[..keep].to_vec()).is_err());
    }

    #[test]
    fn garbled_bytes_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20)) {
        let mut bytes = sample();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let _ = read_everything(bytes);
    }

    #[test]
    fn garbled_headers_never_panic(
        text in prop::collection::vec(prop::sample::select(&b"{}()'abcdefghijklmnopqrstuvwxyz0123456789:,<> _"[..]), 0..=80),
        data in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let text = String::from_utf8(text).unwrap();
        let _ = archive_of(&npy(&text, &data)).complex("a");
        let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({text}), }}");
        let _ = archive_of(&npy(&header, &data)).real("a");
    }

    #[test]
    fn row_major_is_the_transpose_of_column_major(a in 1_usize..5, b in 1_usize..5, c in 1_usize..5) {
        let data: Vec<usize> = (0..a * b * c).collect();
        let rows = to_row_major(&[a, b, c], &data);
        for i in 0..a { for j in 0..b { for k in 0..c {
            prop_assert_eq!(rows[(i * b + j) * c + k], i + a * (j + b * k));
        }}}
    }
}
