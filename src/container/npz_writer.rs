//! Writing npz archives that `numpy.load` reads.

use std::io::{self, Cursor, Write};
use std::path::Path;

use npyz::{AutoSerialize, WriteOptions, WriterBuilder};
use num_complex::{Complex32, Complex64};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::{IoError, atomic_write};

/// Collects arrays in memory and writes them as one compressed archive. The same arrays give the same bytes.
///
/// ```
/// use grantfree::container::npz::{NpzFile, NpzWriter};
/// let path = std::env::temp_dir().join(format!("grantfree-doc-{}.npz", std::process::id()));
/// NpzWriter::new().int("activity", &[2, 2], &[0, 1, 2, 0]).scalar("noise_var", 0.5).write(&path)?;
/// let file = NpzFile::open(&path)?;
/// assert_eq!(file.int("activity")?.shape, [2, 2]);
/// assert_eq!(file.scalar("noise_var")?, 0.5);
/// # std::fs::remove_file(&path).ok();
/// # Ok::<(), grantfree::container::IoError>(())
/// ```
#[derive(Debug, Default)]
pub struct NpzWriter {
    arrays: Vec<Pending>,
}

#[derive(Debug)]
struct Pending {
    name: String,
    shape: Vec<usize>,
    length: usize,
    npy: io::Result<Vec<u8>>,
}

impl NpzWriter {
    /// An archive without arrays.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a complex array, row-major; stored as complex64.
    #[must_use]
    pub fn complex(self, name: &str, shape: &[usize], data: &[Complex64]) -> Self {
        self.push(name, shape, data.iter().map(|v| Complex32::new(v.re as f32, v.im as f32)))
    }

    /// Adds a real array, row-major; stored as float64.
    #[must_use]
    pub fn real(self, name: &str, shape: &[usize], data: &[f64]) -> Self {
        self.push(name, shape, data.iter().copied())
    }

    /// Adds a real array, row-major; stored as float32.
    #[must_use]
    pub fn real32(self, name: &str, shape: &[usize], data: &[f32]) -> Self {
        self.push(name, shape, data.iter().copied())
    }

    /// Adds an integer array, row-major; stored as int64.
    #[must_use]
    pub fn int(self, name: &str, shape: &[usize], data: &[i64]) -> Self {
        self.push(name, shape, data.iter().copied())
    }

    /// Adds a real scalar (shape `[]`).
    #[must_use]
    pub fn scalar(self, name: &str, value: f64) -> Self {
        self.real(name, &[], &[value])
    }

    fn push<T: AutoSerialize>(mut self, name: &str, shape: &[usize], data: impl ExactSizeIterator<Item = T>) -> Self {
        let length = data.len();
        // A wrong length is reported by `write`, which knows the file.
        let npy = if length == product(shape) { npy(shape, data) } else { Ok(Vec::new()) };
        self.arrays.push(Pending { name: name.into(), shape: shape.into(), length, npy });
        self
    }

    /// The archive as bytes; `path` names it in errors.
    ///
    /// # Errors
    /// [`IoError::WrongLength`] when an array does not fit its shape, [`IoError::Write`] when it cannot be encoded.
    pub fn to_bytes(self, path: &Path) -> Result<Vec<u8>, IoError> {
        let fail = |e: io::Error| IoError::write(path, e);
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let options =
            SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).unix_permissions(0o644);
        for Pending { name, shape, length, npy } in self.arrays {
            let expected = product(&shape);
            if length != expected {
                return Err(IoError::WrongLength {
                    path: path.display().to_string(),
                    array: name,
                    found: length,
                    shape,
                    expected,
                });
            }
            let npy = npy.map_err(fail)?;
            // zip64 fields from 4 GiB on, which numpy reads as well.
            zip.start_file(format!("{name}.npy"), options.large_file(npy.len() as u64 >= u64::from(u32::MAX)))
                .map_err(|e| fail(e.into()))?;
            zip.write_all(&npy).map_err(fail)?;
        }
        Ok(zip.finish().map_err(|e| fail(e.into()))?.into_inner())
    }

    /// Writes the archive atomically.
    ///
    /// # Errors
    /// [`IoError`] naming the file.
    pub fn write(self, path: &Path) -> Result<(), IoError> {
        let bytes = self.to_bytes(path)?;
        atomic_write(path, &bytes)
    }
}

fn product(shape: &[usize]) -> usize {
    shape.iter().product()
}

fn npy<T: AutoSerialize>(shape: &[usize], data: impl Iterator<Item = T>) -> io::Result<Vec<u8>> {
    let shape: Vec<u64> = shape.iter().map(|&d| d as u64).collect();
    let mut bytes = Vec::new();
    let mut writer = WriteOptions::new().default_dtype().shape(&shape).writer(&mut bytes).begin_nd()?;
    writer.extend(data)?;
    writer.finish()?;
    Ok(bytes)
}
