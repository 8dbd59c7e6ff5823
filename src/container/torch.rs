//! Reading PyTorch state_dicts: the zip archives that `torch.save` has written since PyTorch 1.6.
//!
//! The archive has one pickle, which names the tensors, and one file of raw numbers for every storage. The pickle is read
//! as data: nothing in it is executed, and names that have no place in a state_dict are errors.

use std::io::{Cursor, Read};
use std::path::Path;

use zip::ZipArchive;

use super::IoError;
use super::pickle::{self, Dtype, Id, Node, Pickle, TensorView};
use super::tensors::NamedTensor;

/// Longest pickle that is read; that of a large network has some hundred kilobytes.
const LONGEST_PICKLE: u64 = 1 << 26;
/// Keys under which checkpoints keep a state_dict.
const NESTED: [&str; 4] = ["model_state_dict", "state_dict", "model_state", "model"];
/// Every key begins with this where the network was wrapped for several GPUs.
const PARALLEL: &str = "module.";

/// Which weights of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights {
    /// Those of the last step.
    Last,
    /// Their moving average: the last entry of a list `[state_dict, ..., averages]`. What it lacks (buffers) comes from
    /// the first.
    Averaged,
}

/// Reads the named tensors of a state_dict in the order of the file, float64 rounded to f32.
///
/// The file holds the state_dict itself, a list whose first entry it is, or a dictionary that has it under
/// `model_state_dict`, `state_dict`, `model_state` or `model`. The prefix `module.` of wrapped networks is left out.
///
/// # Errors
/// [`IoError::Read`], or [`IoError::Torch`] for a file that is damaged, of another kind, or has tensors of another type.
pub fn read_state_dict(path: &Path, weights: Weights) -> Result<Vec<NamedTensor>, IoError> {
    let bytes = std::fs::read(path).map_err(|e| IoError::read(path, e))?;
    from_bytes(&bytes, weights).map_err(|problem| IoError::Torch { path: path.display().to_string(), problem })
}

fn from_bytes(bytes: &[u8], weights: Weights) -> Result<Vec<NamedTensor>, String> {
    let mut archive = Archive::open(bytes)?;
    let size = archive.size("data.pkl")?;
    if size > LONGEST_PICKLE {
        return Err(format!("data.pkl has {size} bytes, expected at most {LONGEST_PICKLE}"));
    }
    let pickle = pickle::read(&archive.read("data.pkl", size)?)?;
    let mut all = Vec::new();
    for (name, view) in chosen(&pickle, weights)? {
        let data = archive.numbers(view).map_err(|problem| format!("tensor {name}: {problem}"))?;
        all.push((name, view.shape.clone(), data));
    }
    Ok(all)
}

type Views<'a> = Vec<(String, &'a TensorView)>;

/// The tensors that are asked for.
fn chosen(pickle: &Pickle, weights: Weights) -> Result<Views<'_>, String> {
    let mut all = views(pickle, pickle.root, 0)?;
    if weights == Weights::Averaged {
        let last = match &pickle.nodes[pickle.root] {
            Node::List(parts) if parts.len() > 1 => parts[parts.len() - 1],
            _ => return Err("it has no averaged weights: they are the last entry of a list of several".into()),
        };
        for (name, view) in views(pickle, last, 0).map_err(|e| format!("averaged weights: {e}"))? {
            match all.iter_mut().find(|(known, _)| *known == name) {
                Some(entry) => entry.1 = view,
                None => return Err(format!("averaged weights: {name} is not in the state_dict")),
            }
        }
    }
    Ok(all)
}

/// Finds the state_dict in `id` and lists its tensors.
fn views(pickle: &Pickle, id: Id, level: usize) -> Result<Views<'_>, String> {
    let deeper = |id| if level < 3 { views(pickle, id, level + 1) } else { Err("it is nested too deeply".into()) };
    let dict = match &pickle.nodes[id] {
        Node::Dict(dict) => dict,
        Node::List(parts) if !parts.is_empty() => return deeper(parts[0]),
        other => return Err(format!("it holds {}, expected a dictionary of tensors", other.kind())),
    };
    let text = |id: Id| match &pickle.nodes[id] {
        Node::Text(text) => Ok(text.as_str()),
        other => Err(format!("a key is {}, expected a text", other.kind())),
    };
    if !dict.iter().any(|(_, value)| matches!(pickle.nodes[*value], Node::Tensor(_))) {
        let nested = |key: &&str| dict.iter().find(|(k, _)| text(*k) == Ok(*key));
        if let Some((_, value)) = NESTED.iter().find_map(nested) {
            return deeper(*value);
        }
        let keys: Vec<&str> = dict.iter().take(10).filter_map(|(key, _)| text(*key).ok()).collect();
        return Err(format!(
            "no tensors in it, and none of the keys {}; it has the keys [{}]",
            NESTED.join(", "),
            keys.join(", ")
        ));
    }
    let mut all: Views<'_> = Vec::with_capacity(dict.len());
    let mut seen = std::collections::HashSet::new();
    let wrapped = dict.iter().all(|(key, _)| text(*key).is_ok_and(|t| t.starts_with(PARALLEL)));
    for (key, value) in dict {
        let key = text(*key)?;
        match &pickle.nodes[*value] {
            Node::Tensor(view) if seen.insert(key) => {
                all.push((key[if wrapped { PARALLEL.len() } else { 0 }..].to_owned(), view));
            }
            Node::Tensor(_) => return Err(format!("tensor {key} is there twice")),
            other => return Err(format!("{key} is {}, expected a tensor", other.kind())),
        }
    }
    Ok(all)
}

/// The zip archive; all its files lie in one folder.
struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    folder: String,
}

impl<'a> Archive<'a> {
    fn open(bytes: &'a [u8]) -> Result<Self, String> {
        if !bytes.starts_with(b"PK") {
            return Err(
                "it is not a zip archive; PyTorch before 1.6 wrote none: load it with torch.load, save it again \
                        with torch.save"
                    .into(),
            );
        }
        let incomplete = |e| format!("the zip archive is damaged ({e}); is the file complete?");
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(incomplete)?;
        let folders: Vec<&str> = zip.file_names().filter_map(|n| n.strip_suffix("/data.pkl")).collect();
        let [folder] = folders[..] else {
            return Err(format!("the archive has {} files FOLDER/data.pkl, expected one", folders.len()));
        };
        let folder = folder.to_owned();
        let mut archive = Self { zip, folder };
        if let Ok(size) = archive.size("byteorder") {
            let order = archive.read("byteorder", size.min(16))?;
            if order != b"little" {
                return Err(format!("its byte order is {:?}, expected little", String::from_utf8_lossy(&order)));
            }
        }
        Ok(archive)
    }

    fn size(&mut self, name: &str) -> Result<u64, String> {
        let full = format!("{}/{name}", self.folder);
        Ok(self.zip.by_name(&full).map_err(|e| format!("{full}: {e}"))?.size())
    }

    /// A file of `size` bytes, with its checksum verified.
    fn read(&mut self, name: &str, size: u64) -> Result<Vec<u8>, String> {
        let full = format!("{}/{name}", self.folder);
        let member = self.zip.by_name(&full).map_err(|e| format!("{full}: {e}"))?;
        if member.size() != size {
            return Err(format!("{full} has {} bytes, expected {size}", member.size()));
        }
        let mut bytes = Vec::new();
        member
            .take(size.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|e| format!("{full} is damaged: {e}; is the file complete?"))?;
        if bytes.len() as u64 != size {
            return Err(format!("{full} has {} bytes, expected {size}", bytes.len()));
        }
        Ok(bytes)
    }

    /// Row-major values of a tensor.
    fn numbers(&mut self, view: &TensorView) -> Result<Vec<f32>, String> {
        let storage = &view.storage;
        let width = match storage.dtype {
            Dtype::F32 => 4,
            Dtype::F64 => 8,
            Dtype::Other(name) => return Err(format!("has type {name}, expected float32 or float64")),
        };
        let size = (storage.length as u64).checked_mul(width).ok_or("has a storage of impossible length")?;
        let bytes = self.read(&format!("data/{}", storage.key), size)?;
        let places = places(view)?;
        let values: Vec<f32> = match storage.dtype {
            Dtype::F64 => places.iter().map(|i| f64::from_le_bytes(bytes.as_chunks().0[*i]) as f32).collect(),
            _ => places.iter().map(|i| f32::from_le_bytes(bytes.as_chunks().0[*i])).collect(),
        };
        match values.iter().find(|v| !v.is_finite()) {
            Some(v) => Err(format!("holds {v}, expected finite numbers")),
            None => Ok(values),
        }
    }
}

/// Where in the storage each value lies, in row-major order; all places are inside of it.
fn places(view: &TensorView) -> Result<Vec<usize>, String> {
    let TensorView { storage, offset, shape, strides } = view;
    let wrong = || format!("shape {shape:?} does not fit its storage of {} numbers", storage.length);
    let count = shape.iter().try_fold(1_usize, |n, d| n.checked_mul(*d)).ok_or_else(wrong)?;
    // A view that repeats numbers could be larger than memory; weights do not repeat.
    if strides.len() != shape.len() || count > storage.length {
        return Err(wrong());
    }
    if count == 0 {
        return Ok(Vec::new());
    }
    let reach = shape.iter().zip(strides).try_fold(*offset, |at, (d, s)| at.checked_add((d - 1).checked_mul(*s)?));
    if reach.is_none_or(|last| last >= storage.length) {
        return Err(wrong());
    }
    let mut places = vec![*offset];
    for (d, s) in shape.iter().zip(strides) {
        places = places.iter().flat_map(|at| (0..*d).map(move |i| at + i * s)).collect();
    }
    Ok(places)
}

#[cfg(test)]
#[path = "torch_tests.rs"]
mod tests;
