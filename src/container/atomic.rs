//! Writes that happen completely or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::IoError;

/// Writes a file so that a kill or a power cut at any moment leaves either the old or the new content.
///
/// A temporary file in the same folder (a rename across file systems is not atomic) is written and synced, renamed over
/// `path`, and the folder is synced so that the rename itself is on the disk.
///
/// # Errors
/// [`IoError::Write`]; the temporary file is then removed.
pub fn atomic_write(path: &Path, bytes: &[u8]) -> Result<(), IoError> {
    let temporary = sibling(path, "tmp").map_err(|e| IoError::write(path, e))?;
    let written = (|| {
        write_synced(&temporary, bytes)?;
        fs::rename(&temporary, path)?;
        sync_folder(folder_of(path))
    })();
    written.map_err(|source| {
        // It may not exist; the error that counts is the one below.
        let _ = fs::remove_file(&temporary);
        IoError::write(path, source)
    })
}

/// Writes and syncs one new file.
pub(super) fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Syncs the entries of a folder (a no-op where folders cannot be opened, as on Windows).
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// The folder a path stands in; `.` for a bare name.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A hidden name beside `path` that no other writer uses.
pub(super) fn sibling(path: &Path, ending: &str) -> io::Result<PathBuf> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let hidden = format!(".{}.{}-{count}.{ending}", name.to_string_lossy(), std::process::id());
    Ok(folder_of(path).join(hidden))
}

/// Makes the folder that will hold `path`.
///
/// # Errors
/// [`IoError::Write`] when it cannot be made.
pub fn create_parent(path: &Path) -> Result<(), IoError> {
    match path.parent() {
        Some(parent) => {
            fs::create_dir_all(parent).map_err(|source| IoError::Write { path: parent.display().to_string(), source })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_the_content_and_leaves_nothing_behind() {
        let dir = temp_dir::TempDir::new().unwrap();
        let path = dir.path().join("a.txt");
        atomic_write(&path, b"old content").unwrap();
        atomic_write(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_names_the_file_and_keeps_the_folder_clean() {
        let dir = temp_dir::TempDir::new().unwrap();
        let missing = dir.path().join("none").join("a.txt");
        assert!(atomic_write(&missing, b"x").unwrap_err().to_string().contains("a.txt"));
        // A folder in the place of the file: the rename fails after the temporary file was written.
        let folder = dir.path().join("folder");
        fs::create_dir_all(folder.join("inside")).unwrap();
        assert!(atomic_write(&folder, b"x").is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(atomic_write(Path::new(".."), b"x").is_err());
    }
}
