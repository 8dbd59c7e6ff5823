//! safetensors files of named f32 tensors.

use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};

use super::{IoError, atomic_write};

/// Name, shape and row-major values of a tensor.
pub type NamedTensor = (String, Vec<usize>, Vec<f32>);

/// Encodes tensors; the same tensors give the same bytes.
///
/// # Errors
/// [`IoError::WrongLength`] when values do not fit the shape, [`IoError::Tensors`] when they cannot be encoded.
/// `path` names the file in errors.
pub fn to_bytes(path: &Path, tensors: &[NamedTensor]) -> Result<Vec<u8>, IoError> {
    let shown = path.display().to_string();
    let fail = |problem: String| IoError::Tensors { path: shown.clone(), problem };
    let mut raw = Vec::with_capacity(tensors.len());
    for (name, shape, data) in tensors {
        let expected: usize = shape.iter().product();
        if data.len() != expected {
            return Err(IoError::WrongLength {
                path: shown,
                array: name.clone(),
                found: data.len(),
                shape: shape.clone(),
                expected,
            });
        }
        if raw.iter().any(|(other, _, _): &(&String, _, _)| *other == name) {
            return Err(fail(format!("tensor {name} is given twice")));
        }
        let bytes: Vec<u8> = data.iter().flat_map(|v| v.to_le_bytes()).collect();
        raw.push((name, shape, bytes));
    }
    let mut views = Vec::with_capacity(raw.len());
    for (name, shape, bytes) in &raw {
        let view = TensorView::new(Dtype::F32, shape.to_vec(), bytes).map_err(|e| fail(e.to_string()))?;
        views.push((name.as_str(), view));
    }
    serialize(views, None).map_err(|e| fail(e.to_string()))
}

/// Decodes tensors in the order of the file; float64 is rounded to f32. `path` names the file in errors.
///
/// # Errors
/// [`IoError::Tensors`] when the bytes are damaged or hold tensors of another type.
pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Vec<NamedTensor>, IoError> {
    let fail = |problem: String| IoError::Tensors { path: path.display().to_string(), problem };
    let file = SafeTensors::deserialize(bytes).map_err(|e| fail(format!("{e}; is the file complete?")))?;
    let mut tensors = Vec::with_capacity(file.len());
    for (name, view) in file.iter() {
        let data = match view.dtype() {
            Dtype::F32 => view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            Dtype::F64 => view.data().as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
            other => return Err(fail(format!("tensor {name} has dtype {other:?}, expected F32 or F64"))),
        };
        tensors.push((view.data().as_ptr(), (name.to_owned(), view.shape().to_vec(), data)));
    }
    // The index is a hash map: restore the order of the data.
    tensors.sort_by(|a, b| (a.0, &a.1.0).cmp(&(b.0, &b.1.0)));
    Ok(tensors.into_iter().map(|(_, tensor)| tensor).collect())
}

/// Reads a safetensors file.
///
/// # Errors
/// [`IoError::Read`] or [`IoError::Tensors`].
pub fn read(path: &Path) -> Result<Vec<NamedTensor>, IoError> {
    from_bytes(path, &std::fs::read(path).map_err(|e| IoError::read(path, e))?)
}

/// Writes a safetensors file atomically.
///
/// # Errors
/// [`IoError`] naming the file.
pub fn write(path: &Path, tensors: &[NamedTensor]) -> Result<(), IoError> {
    atomic_write(path, &to_bytes(path, tensors)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> Vec<NamedTensor> {
        vec![
            ("a".into(), vec![2, 3], vec![1.0, -2.0, 3.5, 0.0, f32::MIN_POSITIVE, 6.0]),
            ("b.weight".into(), vec![], vec![7.0]),
            ("empty".into(), vec![0, 4], vec![]),
        ]
    }

    #[test]
    fn round_trip_keeps_names_shapes_and_bits() {
        let path = Path::new("m.safetensors");
        let mut back = from_bytes(path, &to_bytes(path, &sample()).unwrap()).unwrap();
        back.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(back, sample());
        assert_eq!(to_bytes(path, &sample()).unwrap(), to_bytes(path, &sample()).unwrap());
    }

    #[test]
    fn wrong_lengths_and_double_names_are_refused() {
        let path = Path::new("m.safetensors");
        let wrong = vec![("a".to_owned(), vec![2, 2], vec![1.0])];
        assert!(to_bytes(path, &wrong).unwrap_err().to_string().contains("needs 4"));
        let double = vec![("a".to_owned(), vec![1], vec![1.0]); 2];
        assert!(to_bytes(path, &double).unwrap_err().to_string().contains("twice"));
    }

    proptest! {
        #[test]
        fn damaged_bytes_are_errors_or_tensors_but_never_a_panic(cut in 0_usize..400, at in 0_usize..400, value: u8) {
            let path = Path::new("m.safetensors");
            let good = to_bytes(path, &sample()).unwrap();
            prop_assert!(from_bytes(path, &good[..cut.min(good.len() - 1)]).is_err());
            let mut bad = good.clone();
            let at = at % bad.len();
            bad[at] = value;
            let _ = from_bytes(path, &bad);
        }
    }
}
