//! `grantfree import`: a network that was trained in PyTorch as a model bundle.

use burn::module::Module;
use serde_json::json;

use super::ImportArgs;
use super::error::{CliError, say};
use crate::container::torch::Weights;
use crate::detect::LangevinConfig;
use crate::systems::Saved;
use crate::systems::score::torch::{ImportError, ImportOptions, Imported, import};
use crate::systems::score::{DEFAULT_ROW_THRESHOLD, ScoreInfo};
use crate::tensor::choose;

impl From<ImportError> for CliError {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Io(e) => Self::Io(e),
            ImportError::Levels { .. } => Self::Usage(error.to_string()),
            e @ ImportError::Network { .. } => Self::Other(Box::new(e)),
        }
    }
}

/// Reads the state_dict, checks every key and shape, and writes the bundle.
///
/// # Errors
/// [`CliError`]: code 2 for missing noise levels, 1 for a file that does not fit or a folder that cannot be written.
pub fn execute(args: &ImportArgs) -> Result<(), CliError> {
    let options = ImportOptions {
        levels: args.sigma_begin.zip(args.sigma_end).zip(args.levels).map(|((begin, end), n)| (begin, end, n)),
        rescaled: args.rescaled,
        weights: if args.ema { Weights::Averaged } else { Weights::Last },
    };
    let device = choose(args.device.backend).map_err(|e| CliError::Other(Box::new(e)))?;
    let imported = import(&args.file, &options, &device.device)?;
    let info = info(args, &imported);
    let metrics = json!({ "imported": { "file": args.file.file_name().map(|n| n.to_string_lossy()),
        "variant": imported.variant, "averaged": args.ema } });
    let saved = Saved { metrics, ..Saved::new(imported.net, (), info) };
    saved.save(&args.output).map_err(|e| CliError::Other(Box::new(e)))?;
    let info = saved.info;
    let (c, real) = (&info.score, 0.5_f64.sqrt());
    say(&format!(
        "{}: {} of width {}, {} parameters, noise levels {:.4} to {:.4} per real part, rescaled = {} -> {}",
        args.file.display(),
        imported.variant,
        c.width,
        info.parameters,
        c.sigma_max * real,
        c.sigma_min * real,
        c.rescaled,
        args.output.display()
    ))
}

/// The manifest; the sampler stays within the noise levels of the training.
fn info(args: &ImportArgs, imported: &Imported) -> ScoreInfo {
    let score = imported.config.clone();
    let mut langevin = LangevinConfig::default();
    langevin.sigma_max = langevin.sigma_max.min(score.sigma_max);
    langevin.sigma_min = langevin.sigma_min.max(score.sigma_min).min(langevin.sigma_max);
    let stem = || args.file.file_stem().map_or_else(|| "imported".into(), |n| n.to_string_lossy().into_owned());
    ScoreInfo {
        score,
        langevin,
        threshold: DEFAULT_ROW_THRESHOLD,
        parameters: imported.net.num_params(),
        label: args.label.clone().unwrap_or_else(stem),
    }
}

#[cfg(all(test, any(feature = "flex", feature = "ndarray")))]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};
    use crate::container::Bundle;

    fn run(options: &[&str]) -> Result<(), CliError> {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/ncsnv2.pt");
        let backend = if cfg!(feature = "flex") { "flex" } else { "ndarray" };
        let words = ["grantfree", "import", file, "--backend", backend].into_iter().chain(options.iter().copied());
        let Command::Import(args) = Cli::try_parse_from(words).unwrap().command else { panic!("not import") };
        execute(&args)
    }

    #[test]
    fn the_bundle_says_what_it_is() {
        let tmp = temp_dir::TempDir::new().unwrap();
        let dir = tmp.path().join("models/ncsnv2");
        run(&["--output", dir.to_str().unwrap(), "--label", "Published"]).unwrap();
        let bundle = Bundle::open(&dir).unwrap();
        let config = &bundle.manifest().config;
        assert_eq!((&config["label"], &config["score"]["depth"]), (&json!("Published"), &json!(3)));
        assert_eq!(bundle.manifest().metrics["imported"]["variant"], "NCSNv2");
        // The default sampler would begin at 1 and end at 0.003: it keeps to the levels of the training.
        assert_eq!(
            (&config["langevin"]["sigma_max"], &config["langevin"]["sigma_min"]),
            (&json!(1.0), &config["score"]["sigma_min"])
        );
    }

    #[test]
    fn wrong_usage_has_code_2_and_a_wrong_file_code_1() {
        let levels = ["--output", "o", "--sigma-begin", "1", "--sigma-end", "0.1", "--levels", "5"];
        assert_eq!(run(&levels).unwrap_err().exit_code(), 2);
        assert_eq!(run(&["--output", "o", "--ema"]).unwrap_err().exit_code(), 1);
    }
}
