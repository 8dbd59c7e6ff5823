//! `grantfree merge`: one sweep out of its shards.

use std::path::{Component, Path};

use super::MergeArgs;
use super::error::{CliError, note, say};
use crate::container::{Bundle, IoError};
use crate::report::write_report;
use crate::results::{RESULTS_FILE, Results, write_results};
use crate::simulation::merge;

/// Joins the shards and writes results, trained bundles and report to `--out`.
///
/// # Errors
/// [`CliError`]: code 2 for folders that do not belong together, 1 for files that cannot be read or written.
pub fn execute(args: &MergeArgs) -> Result<(), CliError> {
    let results = merge(&args.dirs)?;
    let out = args.out.folder(&results.config.name);
    if out.join(RESULTS_FILE).exists() {
        let is_shard = args.dirs.iter().any(|d| same_folder(d, &out));
        if is_shard || !args.fresh {
            return Err(CliError::Usage(format!(
                "{} already holds {}; name another folder with --out{}",
                out.display(),
                if is_shard { "one of the shards" } else { "results" },
                if is_shard { "" } else { ", or replace them with --fresh" }
            )));
        }
    }
    write_results(&out, &results)?;
    copy_bundles(&args.dirs[0], &out, &results)?;
    let files = write_report(&out, &results)?;
    let frames: u64 = results.points.iter().map(|p| p.frames).sum();
    say(&format!(
        "{} shards, {} points, {frames} frames -> {}",
        args.dirs.len(),
        results.points.len(),
        files.html.display()
    ))
}

/// The networks are the same in every shard; results name their folders relative to themselves.
fn copy_bundles(from: &Path, to: &Path, results: &Results) -> Result<(), CliError> {
    for record in &results.training {
        let relative = Path::new(&record.bundle);
        let inside = relative.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
        if !inside || !from.join(relative).is_dir() {
            note(&format!("warning: the bundle {} of {} is not copied", record.bundle, record.detector));
            continue;
        }
        let target = to.join(relative);
        if let Some(parent) = target.parent() {
            let path = parent.display().to_string();
            std::fs::create_dir_all(parent).map_err(|source| IoError::Write { path, source })?;
        }
        Bundle::open(&from.join(relative))?.copy_to(&target)?;
    }
    Ok(())
}

/// Whether two paths name one folder, however they are written.
fn same_folder(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
