//! The append-only log of a point: one JSON line per block, so that a kill loses at most one batch.
//!
//! The first line is a header with the fingerprint. A line that was torn by a kill is recomputed; since blocks follow
//! from their index alone, the values come out bitwise the same.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::SimulationError;
use super::block::BlockRecord;
use crate::container::{IoError, create_parent};

/// Version of the layout of the log.
const LOG_VERSION: u32 = 1;

/// First line of a log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct LogHeader {
    /// Version of the layout.
    pub log_version: u32,
    /// Point id.
    pub point: String,
    /// Seed, for readers; part of the fingerprint.
    pub seed: u64,
    /// Frames of a block, for readers; part of the fingerprint.
    pub block_frames: usize,
    /// Shard of the run that writes this log.
    pub shard: Option<(u32, u32)>,
    /// See `fingerprint`.
    pub fingerprint: String,
}

impl LogHeader {
    pub fn new(point: &str, seed: u64, block_frames: usize, shard: Option<(u32, u32)>, fingerprint: String) -> Self {
        Self { log_version: LOG_VERSION, point: point.into(), seed, block_frames, shard, fingerprint }
    }
}

/// What a log holds.
pub(super) struct LogContents {
    /// The header; `None` when the log is missing, empty or torn in its first line.
    pub header: Option<LogHeader>,
    /// Blocks in the order in which they were written.
    pub blocks: Vec<BlockRecord>,
    /// Bytes of whole lines; anything after them is a torn line.
    valid: u64,
    /// Bytes of the torn line.
    pub torn: u64,
}

/// An open log.
pub(super) struct BlockLog {
    path: PathBuf,
    file: File,
}

/// Log of a point below the results folder: `OUT/log/FIGURE-INDEX.jsonl`.
pub fn log_path(out: &Path, point: &str) -> PathBuf {
    out.join("log").join(format!("{}.jsonl", point.replace('/', "-")))
}

/// Reads a log without changing it; a missing file is an empty log.
pub(super) fn read_log(path: &Path) -> Result<LogContents, SimulationError> {
    match File::open(path) {
        Ok(mut file) => parse(path, &mut file),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            Ok(LogContents { header: None, blocks: Vec::new(), valid: 0, torn: 0 })
        }
        Err(e) => Err(IoError::read(path, e).into()),
    }
}

fn parse(path: &Path, file: &mut File) -> Result<LogContents, SimulationError> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|e| IoError::read(path, e))?;
    let mut contents = LogContents { header: None, blocks: Vec::new(), valid: 0, torn: 0 };
    let lines: Vec<&[u8]> = bytes.split_inclusive(|b| *b == b'\n').collect();
    for (i, line) in lines.iter().enumerate() {
        let parsed = match contents.header {
            None => serde_json::from_slice(line).map(|h| contents.header = Some(h)),
            Some(_) => serde_json::from_slice(line).map(|b| contents.blocks.push(b)),
        };
        let whole = line.ends_with(b"\n");
        match parsed {
            Ok(()) if whole => contents.valid += line.len() as u64,
            // The last line may be torn, and without its newline nobody knows: it is computed again.
            _ if i + 1 == lines.len() => {
                if parsed.is_ok() {
                    match contents.blocks.pop() {
                        Some(_) => {}
                        None => contents.header = None,
                    }
                }
                contents.torn = line.len() as u64;
            }
            Ok(()) => {}
            Err(e) => {
                return Err(SimulationError::CorruptLog { path: path.into(), line: i + 1, problem: e.to_string() });
            }
        }
    }
    Ok(contents)
}

impl BlockLog {
    /// Opens or begins a log and returns it with the blocks it holds; `fresh` drops them.
    ///
    /// # Errors
    /// [`SimulationError::OtherRun`] when the log was written with another fingerprint or shard,
    /// [`SimulationError::Busy`] when another process has it open, and i/o errors.
    pub fn open(path: &Path, header: &LogHeader, fresh: bool) -> Result<(Self, LogContents), SimulationError> {
        create_parent(path)?;
        let failed = |e| IoError::write(path, e);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        // File systems without locks are used without one.
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(SimulationError::Busy { path: path.into() });
        }
        let mut contents = if fresh {
            LogContents { header: None, blocks: Vec::new(), valid: 0, torn: 0 }
        } else {
            parse(path, &mut file)?
        };
        if let Some(found) = &contents.header {
            if found.log_version != header.log_version {
                let what = format!("log version {} (this is version {})", found.log_version, header.log_version);
                return Err(SimulationError::OtherRun { path: path.into(), what });
            }
            if found.shard != header.shard {
                let name = |s: Option<(u32, u32)>| s.map_or("no shard".into(), |(i, n)| format!("--shard {i}/{n}"));
                let what = format!("{} (this run has {})", name(found.shard), name(header.shard));
                return Err(SimulationError::OtherRun { path: path.into(), what });
            }
            if found.fingerprint != header.fingerprint {
                let what = "another configuration, seed, version or set of trained weights".into();
                return Err(SimulationError::OtherRun { path: path.into(), what });
            }
        }
        file.set_len(contents.valid).map_err(failed)?;
        file.seek(SeekFrom::Start(contents.valid)).map_err(failed)?;
        let mut log = Self { path: path.into(), file };
        if contents.header.is_none() {
            contents.header = Some(header.clone());
            log.write(&[header])?;
        }
        Ok((log, contents))
    }

    /// Appends blocks and waits until they are on disk.
    pub fn append(&mut self, blocks: &[BlockRecord]) -> Result<(), SimulationError> {
        self.write(blocks)
    }

    fn write<T: Serialize>(&mut self, lines: &[T]) -> Result<(), SimulationError> {
        let failed = |e| IoError::write(&self.path, e);
        let mut text = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut text, line).map_err(|e| failed(e.into()))?;
            text.push(b'\n');
        }
        self.file.write_all(&text).map_err(failed)?;
        Ok(self.file.sync_data().map_err(failed)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(block: u64) -> BlockRecord {
        BlockRecord { block, frames: 4, seconds: 0.5, events: vec![1], detectors: Vec::new(), products: Vec::new() }
    }

    fn header(fingerprint: &str) -> LogHeader {
        LogHeader::new("fig/0", 1, 4, None, fingerprint.into())
    }

    #[test]
    fn a_log_cut_anywhere_keeps_its_whole_lines() {
        let dir = temp_dir::TempDir::new().unwrap();
        let path = log_path(dir.path(), "fig/0");
        {
            let (mut log, contents) = BlockLog::open(&path, &header("a"), false).unwrap();
            assert!(contents.blocks.is_empty());
            log.append(&[record(0), record(1)]).unwrap();
            log.append(&[record(2)]).unwrap();
        }
        let bytes = std::fs::read(&path).unwrap();
        for cut in 0..=bytes.len() {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            let lines = bytes[..cut].iter().filter(|b| **b == b'\n').count();
            let (mut log, contents) = BlockLog::open(&path, &header("a"), false).unwrap();
            let expected: Vec<u64> = (0..lines.saturating_sub(1) as u64).collect();
            assert_eq!(contents.blocks.iter().map(|b| b.block).collect::<Vec<_>>(), expected, "cut at {cut}");
            // What is appended after the cut is found again.
            log.append(&[record(9)]).unwrap();
            drop(log);
            let again = read_log(&path).unwrap();
            assert_eq!(again.blocks.len(), expected.len() + 1);
            assert_eq!((again.header, again.torn), (Some(header("a")), 0));
        }
    }

    #[test]
    fn foreign_and_damaged_logs_are_refused() {
        let dir = temp_dir::TempDir::new().unwrap();
        let path = log_path(dir.path(), "fig/0");
        let (mut log, _) = BlockLog::open(&path, &header("a"), false).unwrap();
        log.append(&[record(0), record(1)]).unwrap();
        assert!(matches!(BlockLog::open(&path, &header("a"), false), Err(SimulationError::Busy { .. })));
        drop(log);
        let message =
            |r: Result<(BlockLog, LogContents), SimulationError>| r.err().map(|e| e.to_string()).unwrap_or_default();
        assert!(message(BlockLog::open(&path, &header("b"), false)).contains("--fresh"));
        let shard = LogHeader { shard: Some((1, 2)), ..header("a") };
        assert!(message(BlockLog::open(&path, &shard, false)).contains("--shard 1/2"));
        let text = std::fs::read_to_string(&path).unwrap().replacen("\"block\":0", "\"block\":?", 1);
        std::fs::write(&path, text).unwrap();
        assert!(message(BlockLog::open(&path, &header("a"), false)).contains("line 2"));
        let (_log, contents) = BlockLog::open(&path, &header("b"), true).unwrap();
        assert!(contents.blocks.is_empty());
    }
}
