//! Reading npz archives (zip of npy arrays, as `numpy.savez` and `numpy.savez_compressed` write them).

use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use npyz::{DType, NpyFile, Order, TypeChar};
use num_complex::{Complex32, Complex64};
use zip::ZipArchive;
use zip::result::ZipError;

use super::IoError;
use super::npy_header::{check_header_text, read_header_bytes};
pub use super::npz_writer::NpzWriter;

/// An array in row-major order, whatever order the file had.
#[derive(Debug, Clone, PartialEq)]
pub struct Array<T> {
    /// Length of each axis; empty for a scalar.
    pub shape: Vec<usize>,
    /// Values, last axis fastest.
    pub data: Vec<T>,
}

/// An opened npz archive. Arrays are decompressed when they are asked for.
#[derive(Debug)]
pub struct NpzFile {
    path: PathBuf,
    archive: ZipArchive<Cursor<Arc<[u8]>>>,
    names: Vec<String>,
}

impl NpzFile {
    /// Opens an archive and reads its table of contents.
    ///
    /// # Errors
    /// [`IoError::Read`] when the file cannot be read, [`IoError::NotNpz`] when it is not a complete zip archive.
    pub fn open(path: &Path) -> Result<Self, IoError> {
        let bytes = std::fs::read(path).map_err(|e| IoError::read(path, e))?;
        Self::from_bytes(path, bytes)
    }

    /// The same from memory; `path` names the archive in errors.
    ///
    /// # Errors
    /// [`IoError::NotNpz`] when the bytes are not a complete zip archive.
    pub fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<Self, IoError> {
        let not_npz = |problem: String| IoError::NotNpz { path: path.display().to_string(), problem };
        if !bytes.starts_with(b"PK") {
            return Err(not_npz(
                if bytes.is_empty() { "it is empty" } else { "it does not begin like a zip archive" }.into(),
            ));
        }
        let archive = ZipArchive::new(Cursor::new(Arc::from(bytes))).map_err(|e| not_npz(e.to_string()))?;
        let names = archive.file_names().filter_map(|n| n.strip_suffix(".npy")).map(str::to_owned).collect();
        Ok(Self { path: path.to_owned(), archive, names })
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names of the arrays, in the order of the archive.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether the archive has an array of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.names.iter().any(|n| n == name)
    }

    /// A complex array: complex64 or complex128; real and integer arrays are taken as complex ones.
    ///
    /// # Errors
    /// [`IoError`] naming file and array when it is missing, damaged or of another type.
    pub fn complex(&self, name: &str) -> Result<Array<Complex64>, IoError> {
        let entry = self.entry(name)?;
        match entry.type_char {
            TypeChar::Complex if entry.item == 8 => {
                self.decode(name, entry, |v: Complex32| Complex64::new(v.re.into(), v.im.into()))
            }
            TypeChar::Complex if entry.item == 16 => self.decode(name, entry, |v: Complex64| v),
            _ => self.number(name, entry, "complex64 or complex128", |v| Complex64::new(v, 0.0)),
        }
    }

    /// A real array of any float or integer type, or bool.
    ///
    /// # Errors
    /// [`IoError`] naming file and array when it is missing, damaged or of another type.
    pub fn real(&self, name: &str) -> Result<Array<f64>, IoError> {
        let entry = self.entry(name)?;
        self.number(name, entry, "a float or integer type", |v| v)
    }

    /// An integer array: any integer type, bool, or floats that hold whole numbers.
    ///
    /// # Errors
    /// [`IoError`] naming file and array when it is missing, damaged, of another type or not whole.
    pub fn int(&self, name: &str) -> Result<Array<i64>, IoError> {
        let entry = self.entry(name)?;
        if matches!((entry.type_char, entry.item), (TypeChar::Int, 8)) {
            return self.decode(name, entry, |v: i64| v);
        }
        let real = self.number(name, entry, "an integer type", |v| v)?;
        // 2^53: the largest range in which f64 holds every integer.
        if let Some(v) =
            real.data.iter().find(|v| v.fract() != 0.0 || !v.is_finite() || v.abs() > 9_007_199_254_740_992.0)
        {
            return Err(self.wrong(name, format!("holds {v}, expected whole numbers")));
        }
        Ok(Array { shape: real.shape, data: real.data.into_iter().map(|v| v as i64).collect() })
    }

    /// A real scalar: shape `[]`, or a single value in any number of axes.
    ///
    /// # Errors
    /// [`IoError`] naming file and array when it is missing, damaged, of another type or not one value.
    pub fn scalar(&self, name: &str) -> Result<f64, IoError> {
        let array = self.real(name)?;
        match array.data[..] {
            [value] => Ok(value),
            _ => Err(self.wrong(name, format!("has shape {:?}, expected one number (shape [])", array.shape))),
        }
    }

    /// An error about one array of this file.
    pub(crate) fn wrong(&self, name: &str, problem: impl Into<String>) -> IoError {
        IoError::array(&self.path, name, problem)
    }

    /// Decompresses one entry and reads its header. Nothing larger than the header is read or allocated before the
    /// sizes stated by header and archive agree.
    fn entry(&self, name: &str) -> Result<Entry, IoError> {
        let mut archive = self.archive.clone();
        let damaged = |e: io::Error| self.wrong(name, format!("is damaged: {e}; is the file complete?"));
        let mut member = archive.by_name(&format!("{name}.npy")).map_err(|e| match e {
            ZipError::FileNotFound => IoError::MissingArray {
                path: self.path.display().to_string(),
                array: name.into(),
                found: if self.names.is_empty() { "no arrays at all".into() } else { self.names.join(", ") },
            },
            e => self.wrong(name, format!("is damaged: {e}; is the file complete?")),
        })?;
        let declared = member.size();
        let prefix = read_header_bytes(&mut member).map_err(damaged)?;
        check_header_text(&prefix).map_err(|problem| self.wrong(name, problem))?;
        let header = NpyFile::new(&prefix[..]).map_err(damaged)?.header().clone();
        let (type_char, item) = match header.dtype() {
            DType::Plain(t) if !t.uses_pickled_array() => (t.type_char(), t.size_field()),
            other => return Err(self.wrong(name, format!("has dtype {}, expected numbers", other.descr()))),
        };
        let length = header.shape().iter().try_fold(1_u64, |n, &d| n.checked_mul(d));
        let bytes = length.and_then(|n| n.checked_mul(item)).and_then(|n| n.checked_add(prefix.len() as u64));
        if bytes != Some(declared) {
            return Err(self.wrong(
                name,
                format!(
                    "is damaged: its header says shape {:?} of {} ({} bytes), the archive holds {declared} bytes",
                    header.shape(),
                    header.dtype().descr(),
                    bytes.map_or("too many".into(), |n| n.to_string()),
                ),
            ));
        }
        let body = declared - prefix.len() as u64;
        let mut data = Vec::new();
        // One byte more than stated, so that the end is reached and the archive's checksum is tested.
        member.take(body + 1).read_to_end(&mut data).map_err(damaged)?;
        if data.len() as u64 != body {
            return Err(self.wrong(name, format!("is damaged: {} of {body} bytes of data found", data.len())));
        }
        let shape = header.shape().iter().map(|&d| d as usize).collect();
        Ok(Entry { header, shape, type_char, item, data })
    }

    /// Decodes any real type through f64 (exact for all but 64-bit integers beyond 2^53).
    fn number<T: Clone>(
        &self,
        name: &str,
        entry: Entry,
        expected: &str,
        map: impl Fn(f64) -> T,
    ) -> Result<Array<T>, IoError> {
        match (entry.type_char, entry.item) {
            (TypeChar::Float, 8) => self.decode(name, entry, map),
            (TypeChar::Float, 4) => self.decode(name, entry, |v: f32| map(v.into())),
            (TypeChar::Int, 1) => self.decode(name, entry, |v: i8| map(v.into())),
            (TypeChar::Int, 2) => self.decode(name, entry, |v: i16| map(v.into())),
            (TypeChar::Int, 4) => self.decode(name, entry, |v: i32| map(v.into())),
            (TypeChar::Int, 8) => self.decode(name, entry, |v: i64| map(v as f64)),
            (TypeChar::Uint, 1) => self.decode(name, entry, |v: u8| map(v.into())),
            (TypeChar::Uint, 2) => self.decode(name, entry, |v: u16| map(v.into())),
            (TypeChar::Uint, 4) => self.decode(name, entry, |v: u32| map(v.into())),
            (TypeChar::Uint, 8) => self.decode(name, entry, |v: u64| map(v as f64)),
            (TypeChar::Bool, 1) => self.decode(name, entry, |v: bool| map(f64::from(u8::from(v)))),
            _ => {
                let found = entry.header.dtype().descr();
                Err(self.wrong(name, format!("has dtype {found}, expected {expected}")))
            }
        }
    }

    /// Decodes the data as `S` and puts it into row-major order.
    fn decode<S: npyz::Deserialize, T: Clone>(
        &self,
        name: &str,
        entry: Entry,
        map: impl Fn(S) -> T,
    ) -> Result<Array<T>, IoError> {
        let Entry { header, shape, data, .. } = entry;
        let fortran = header.order() == Order::Fortran;
        let values: Vec<S> = NpyFile::with_header(header, &data[..])
            .into_vec()
            .map_err(|e| self.wrong(name, format!("is damaged: {e}")))?;
        let mut data: Vec<T> = values.into_iter().map(map).collect();
        if fortran && shape.len() > 1 {
            data = to_row_major(&shape, &data);
        }
        Ok(Array { shape, data })
    }
}

/// One decompressed array.
struct Entry {
    header: npyz::NpyHeader,
    shape: Vec<usize>,
    type_char: TypeChar,
    /// Bytes of one value.
    item: u64,
    data: Vec<u8>,
}

/// Reorders column-major data.
fn to_row_major<T: Clone>(shape: &[usize], data: &[T]) -> Vec<T> {
    let mut strides = vec![1; shape.len()];
    for axis in 1..shape.len() {
        strides[axis] = strides[axis - 1] * shape[axis - 1];
    }
    let mut index = vec![0; shape.len()];
    let mut out = Vec::with_capacity(data.len());
    for _ in 0..data.len() {
        out.push(data[index.iter().zip(&strides).map(|(i, s)| i * s).sum::<usize>()].clone());
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    out
}

#[cfg(test)]
#[path = "npz_tests.rs"]
mod tests;
