//! Model bundles: a folder with `manifest.json` and the files of a trained model.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::atomic::{folder_of, sibling, sync_folder, write_synced};
use super::hash::sha256_hex;
use super::{IoError, tensors};

/// Version of the layout of a bundle; other versions are refused.
pub const BUNDLE_SCHEMA_VERSION: u32 = 1;

const MANIFEST: &str = "manifest.json";

/// Size and checksum of one file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleFile {
    /// SHA-256, lower-case hexadecimal.
    pub sha256: String,
    /// Length in bytes.
    pub bytes: u64,
}

/// What the writer of a bundle says about the model.
#[derive(Debug, Clone, PartialEq)]
pub struct ManifestParts {
    /// System and architecture, e.g. "A/mampnet".
    pub system: String,
    /// The configuration that made the model, complete enough to build it again.
    pub config: serde_json::Value,
    /// What was measured of it.
    pub metrics: serde_json::Value,
}

/// `manifest.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Layout of the bundle, [`BUNDLE_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Version of grantfree that wrote it.
    pub crate_version: String,
    /// System and architecture.
    pub system: String,
    /// The configuration that made the model.
    pub config: serde_json::Value,
    /// What was measured of it.
    pub metrics: serde_json::Value,
    /// Every other file of the folder, by name.
    pub files: BTreeMap<String, BundleFile>,
}

/// A bundle whose files were all verified; their content is held in memory, so it cannot change afterwards.
#[derive(Debug, Clone)]
pub struct Bundle {
    dir: PathBuf,
    manifest: Manifest,
    files: BTreeMap<String, Vec<u8>>,
}

/// Writes a bundle: all files into a hidden folder beside `dir`, synced, then renamed into place. An existing bundle
/// stays complete until the new one is; anything else that stands at `dir` is left alone and is an error.
///
/// # Errors
/// [`IoError::Bundle`] for file names that are not plain or a `dir` that is not a bundle, [`IoError::Write`].
pub fn write_bundle(dir: &Path, parts: &ManifestParts, files: &[(&str, &[u8])]) -> Result<Manifest, IoError> {
    let mut manifest = Manifest {
        schema_version: BUNDLE_SCHEMA_VERSION,
        crate_version: env!("CARGO_PKG_VERSION").into(),
        system: parts.system.clone(),
        config: parts.config.clone(),
        metrics: parts.metrics.clone(),
        files: BTreeMap::new(),
    };
    for (name, bytes) in files {
        check_name(dir, name)?;
        let entry = BundleFile { sha256: sha256_hex(bytes), bytes: bytes.len() as u64 };
        if manifest.files.insert((*name).into(), entry).is_some() {
            return Err(IoError::bundle(&dir.join(name), "is given twice"));
        }
    }
    put(dir, &manifest, files)?;
    Ok(manifest)
}

/// Puts manifest and files at `dir`, which holds nothing, an empty folder or an older bundle.
fn put(dir: &Path, manifest: &Manifest, files: &[(&str, &[u8])]) -> Result<(), IoError> {
    recover(dir)?;
    let exists = fs::symlink_metadata(dir).is_ok();
    if exists && !dir.join(MANIFEST).is_file() && fs::read_dir(dir).map_or(true, |mut d| d.next().is_some()) {
        return Err(IoError::bundle(dir, "exists and is not a model bundle; choose another folder or remove it"));
    }
    let text = serde_json::to_vec_pretty(manifest)
        .map_err(|e| IoError::bundle(&dir.join(MANIFEST), format!("cannot be encoded: {e}")))?;
    let fresh = sibling(dir, "new").map_err(|e| IoError::write(dir, e))?;
    let write = || {
        fs::create_dir(&fresh)?;
        for (name, bytes) in files {
            write_synced(&fresh.join(name), bytes)?;
        }
        write_synced(&fresh.join(MANIFEST), &text)?;
        sync_folder(&fresh)?;
        if exists {
            // A folder cannot be renamed over one that is not empty: step the old one aside under a name that
            // `recover` knows, in case this process dies between the two renames.
            let old = previous(dir)?;
            fs::rename(dir, &old)?;
            if let Err(error) = fs::rename(&fresh, dir) {
                fs::rename(&old, dir)?;
                return Err(error);
            }
            sync_folder(folder_of(dir))?;
            fs::remove_dir_all(&old)
        } else {
            fs::rename(&fresh, dir)?;
            sync_folder(folder_of(dir))
        }
    };
    write().map_err(|source: std::io::Error| {
        // It may not exist; the error that counts is the one below.
        let _ = fs::remove_dir_all(&fresh);
        IoError::write(dir, source)
    })
}

impl Bundle {
    /// Opens a bundle: checks the schema version, then presence, size and SHA-256 of every file.
    ///
    /// # Errors
    /// [`IoError::Bundle`] or [`IoError::Read`] naming the file at fault.
    pub fn open(dir: &Path) -> Result<Self, IoError> {
        let manifest = Self::read_manifest(dir)?;
        let mut files = BTreeMap::new();
        for (name, entry) in &manifest.files {
            check_name(dir, name)?;
            let path = dir.join(name);
            let size = fs::metadata(&path).map_err(|e| IoError::read(&path, e))?.len();
            if size != entry.bytes {
                return Err(IoError::bundle(
                    &path,
                    format!("has {size} bytes, the manifest says {}; copy the bundle again", entry.bytes),
                ));
            }
            let bytes = fs::read(&path).map_err(|e| IoError::read(&path, e))?;
            if sha256_hex(&bytes) != entry.sha256 {
                return Err(IoError::bundle(
                    &path,
                    "does not have the SHA-256 of the manifest; it was altered or damaged, copy the bundle again",
                ));
            }
            files.insert(name.clone(), bytes);
        }
        Ok(Self { dir: dir.into(), manifest, files })
    }

    /// The manifest alone, after its schema version has been checked; no file is verified.
    ///
    /// # Errors
    /// As [`Bundle::open`], of the manifest.
    pub fn read_manifest(dir: &Path) -> Result<Manifest, IoError> {
        recover(dir)?;
        let path = dir.join(MANIFEST);
        let text = fs::read(&path).map_err(|e| IoError::read(&path, e))?;
        let value: serde_json::Value =
            serde_json::from_slice(&text).map_err(|e| IoError::bundle(&path, format!("is not valid JSON: {e}")))?;
        // The version first: another version may have other fields.
        let version = value.get("schema_version").and_then(serde_json::Value::as_u64);
        if version != Some(u64::from(BUNDLE_SCHEMA_VERSION)) {
            let found = version.map_or_else(|| "none".into(), |v| v.to_string());
            return Err(IoError::bundle(
                &path,
                format!(
                    "has schema_version {found}, this grantfree ({}) reads {BUNDLE_SCHEMA_VERSION}; train it again or use the version that wrote it",
                    env!("CARGO_PKG_VERSION")
                ),
            ));
        }
        serde_json::from_value(value).map_err(|e| IoError::bundle(&path, format!("is not a manifest: {e}")))
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Writes the same bundle, manifest included, to another folder.
    ///
    /// # Errors
    /// As [`write_bundle`].
    pub fn copy_to(&self, dir: &Path) -> Result<(), IoError> {
        let files: Vec<(&str, &[u8])> =
            self.files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        put(dir, &self.manifest, &files)
    }

    /// Names of the files.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Verified content of one file.
    ///
    /// # Errors
    /// [`IoError::Bundle`] when the bundle has no such file.
    pub fn file(&self, name: &str) -> Result<&[u8], IoError> {
        self.files.get(name).map(Vec::as_slice).ok_or_else(|| {
            let known: Vec<&str> = self.names().collect();
            IoError::bundle(&self.dir.join(name), format!("is not part of the bundle, which has {}", known.join(", ")))
        })
    }

    /// Tensors of one safetensors file of the bundle.
    ///
    /// # Errors
    /// [`IoError`] naming the file.
    pub fn tensors(&self, name: &str) -> Result<Vec<tensors::NamedTensor>, IoError> {
        tensors::from_bytes(&self.dir.join(name), self.file(name)?)
    }
}

/// Undoes a replacement that was cut off between its two renames.
fn recover(dir: &Path) -> Result<(), IoError> {
    let Ok(old) = previous(dir) else { return Ok(()) };
    if fs::symlink_metadata(dir).is_err() && old.join(MANIFEST).is_file() {
        fs::rename(&old, dir).map_err(|e| IoError::write(dir, e))?;
    } else if old.is_dir() && dir.join(MANIFEST).is_file() {
        // The new bundle is in place; only the clean-up was missing, and reading does without it (on a read-only disk).
        let _ = fs::remove_dir_all(&old);
    }
    Ok(())
}

/// Where an old bundle waits while it is replaced.
fn previous(dir: &Path) -> std::io::Result<PathBuf> {
    let name = dir
        .file_name()
        .ok_or_else(|| std::io::Error::new(std::io::ErrorKind::InvalidInput, "the path names no folder"))?;
    Ok(folder_of(dir).join(format!(".{}.previous", name.to_string_lossy())))
}

/// File names are plain: nothing of a bundle lies outside its folder.
fn check_name(dir: &Path, name: &str) -> Result<(), IoError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || name.starts_with('.') || name == MANIFEST || !name.chars().all(plain) {
        return Err(IoError::bundle(
            &dir.join(MANIFEST),
            format!("names the file {name:?}; expected letters, digits, '.', '_' or '-', not beginning with '.'"),
        ));
    }
    Ok(())
}

#[cfg(test)]
#[path = "bundle_tests.rs"]
mod tests;
