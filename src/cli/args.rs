//! Arguments as typed: every command, option and help text of the command line.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::options::{DeviceArgs, ExperimentArgs, OutArgs, ShardArgs, ThreadArgs, WorkArgs};
use crate::config::Assignment;
use crate::metrics::MetricName;
use crate::scenario::{Activation, ActivationLaw, SignatureKind};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "grantfree",
    version,
    about = "Grant-free massive access for IoT: classical and learned detectors, one Monte-Carlo engine",
    after_help = "stdout carries results only; progress and warnings go to stderr.\n\
                  Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 130 interrupted with results saved."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train what an experiment needs, simulate it, write results and report.html
    Run(RunArgs),
    /// Train the learned detectors of an experiment, without simulating it
    Train(TrainArgs),
    /// Simulate an experiment with detectors that are already trained
    Evaluate(EvaluateArgs),
    /// Search options of a detector on validation frames: a table, a figure, and the best combination
    Tune(TuneArgs),
    /// Write simulated frames to an npz file, for other tools or for `detect`
    Simulate(SimulateArgs),
    /// Detect devices in the frames of an npz file
    Detect(DetectArgs),
    /// Write pilots and weights of a model bundle for other tools
    Export(ExportArgs),
    /// Make a model bundle of an NCSNv2 state_dict that PyTorch has saved
    Import(ImportArgs),
    /// Print and export a signature set of system E, with its correlation and the lower bound
    Signatures(SignaturesArgs),
    /// Draw the figures and write report.html again from results.json
    Report(ReportArgs),
    /// Simulate one frame of a finished run again, exactly
    Replay(ReplayArgs),
    /// Join the shards of a sweep
    Merge(MergeArgs),
    /// List devices and adapters and test each of them
    Doctor(DoctorArgs),
}

/// `grantfree run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Experiment file, e.g. configs/quickstart.toml
    pub config: PathBuf,
    /// How the experiment is run.
    #[command(flatten)]
    pub work: WorkArgs,
    /// Which part of the sweep is simulated.
    #[command(flatten)]
    pub shard: ShardArgs,
}

/// `grantfree tune`.
#[derive(Debug, Args)]
pub struct TuneArgs {
    /// Experiment file; its scenario is taken without its figures (choose the point with --set)
    pub config: PathBuf,
    /// Id of the detector in the file
    #[arg(long, value_name = "ID")]
    pub detector: String,
    /// Option of the detector with the values to try, e.g. 'langevin.alpha_0=[0.1, 0.3]'; may be repeated, all combinations
    /// are tried, the first is the x axis of the figure
    #[arg(long, value_name = "KEY=[VALUES]", required = true)]
    pub grid: Vec<Assignment>,
    /// The smallest value of this metric wins
    #[arg(long, default_value_t = MetricName::NmseDb)]
    pub metric: MetricName,
    /// Validation frames
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..))]
    pub frames: u64,
    /// How the experiment is run.
    #[command(flatten)]
    pub work: WorkArgs,
}

/// `grantfree train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// Experiment file
    pub config: PathBuf,
    /// How the experiment is run.
    #[command(flatten)]
    pub work: WorkArgs,
}

/// `grantfree evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// Experiment file
    pub config: PathBuf,
    /// How the experiment is run.
    #[command(flatten)]
    pub work: WorkArgs,
    /// Which part of the sweep is simulated.
    #[command(flatten)]
    pub shard: ShardArgs,
}

/// `grantfree simulate`.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// Experiment file
    pub config: PathBuf,
    /// How many frames
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub frames: u64,
    /// Where to write them (npz)
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
    /// Point of the sweep, FIGURE/INDEX [default: the first]
    #[arg(long, value_name = "ID")]
    pub point: Option<String>,
    /// Number of the first frame; frames of equal number are equal
    #[arg(long, value_name = "I", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=1 << 48))]
    pub first: u64,
    /// Changes to the experiment file.
    #[command(flatten)]
    pub experiment: ExperimentArgs,
    /// How many threads work.
    #[command(flatten)]
    pub threads: ThreadArgs,
}

/// `grantfree detect`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["detector", "model"]))]
pub struct DetectArgs {
    /// Classical detector, e.g. amp; it computes on the CPU, whatever --backend says
    #[arg(long, value_name = "NAME")]
    pub detector: Option<String>,
    /// Folder of a trained model bundle
    #[arg(long, value_name = "BUNDLE")]
    pub model: Option<PathBuf>,
    /// Frames (npz with y, pilots, noise_var, activity_prob, ...; system E: y, h, signatures, constellation, ...)
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,
    /// Where to write the decisions (npz with activity, score, and x, gamma or symbols)
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
    /// Option of the classical detector, e.g. detector.iterations=50; may be repeated
    #[arg(long = "set", value_name = "detector.KEY=VALUE")]
    pub set: Vec<Assignment>,
    /// Where the tensors of a model live.
    #[command(flatten)]
    pub device: DeviceArgs,
    /// How many threads work.
    #[command(flatten)]
    pub threads: ThreadArgs,
}

/// `grantfree export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Folder of a model bundle
    pub bundle: PathBuf,
    /// What to write
    #[arg(long, value_enum)]
    pub format: ExportFormat,
    /// Where to write it [default: BUNDLE.npz, .csv, .h or .safetensors in the current folder]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `--format` of `grantfree export`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// numpy.load: `pilots [L, N*Q]` complex64 and every weight as float32
    Npz,
    /// One row per value: name,row,column,re,im
    Csv,
    /// A C header of `static const float` arrays
    CHeader,
    /// safetensors: every weight, and `pilots [2, L, N*Q]` (real, imaginary)
    Safetensors,
}

/// `grantfree import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// State_dict of an NCSNv2, NCSNv2Deeper or NCSNv2Deepest with 2 channels, as torch.save writes it
    pub file: PathBuf,
    /// Folder of the bundle to write
    #[arg(long, value_name = "BUNDLE")]
    pub output: PathBuf,
    /// Largest noise level of the training, standard deviation per real part; only for files without a sigmas buffer
    #[arg(long, value_name = "S", requires_all = ["sigma_end", "levels"])]
    pub sigma_begin: Option<f64>,
    /// Smallest noise level of the training, per real part
    #[arg(long, value_name = "S", requires_all = ["sigma_begin", "levels"])]
    pub sigma_end: Option<f64>,
    /// Number of noise levels of the training
    #[arg(long, value_name = "K", requires_all = ["sigma_begin", "sigma_end"])]
    pub levels: Option<usize>,
    /// The published key data.rescaled (or data.logit_transform): true where the network saw its data as they are, false
    /// where it computed 2x - 1 first
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub rescaled: bool,
    /// Take the averaged weights: the last entry of a published checkpoint of a training with model.ema = true
    #[arg(long)]
    pub ema: bool,
    /// Name in legends [default: the file's, without its ending]
    #[arg(long, value_name = "TEXT")]
    pub label: Option<String>,
    /// Where tensors live.
    #[command(flatten)]
    pub device: DeviceArgs,
}

/// `grantfree signatures`.
#[derive(Debug, Args)]
pub struct SignaturesArgs {
    /// wbe, wbe-projected, quantised-wbe, musa, grassmannian, weighted-optimum or direct-search
    #[arg(value_name = "KIND")]
    pub kind: SignatureName,
    /// Number of users N, 1..=64
    #[arg(long, value_name = "N", default_value_t = 6)]
    pub users: usize,
    /// Chips of a signature H, 1..=64
    #[arg(long, value_name = "H", default_value_t = 4)]
    pub length: usize,
    /// Levels Q of quantised-wbe and direct-search, 1..=16
    #[arg(long, value_name = "Q", default_value_t = 2)]
    pub levels: u32,
    /// asymmetric (0.8 for the first half, 0.4 for the others), high (0.8), low (0.4), a number, or one per user: 0.8,0.4
    #[arg(long, value_name = "P", default_value = "asymmetric", value_parser = activation)]
    pub activation: Activation,
    /// What to write; without it the set is only printed
    #[arg(long, value_enum)]
    pub format: Option<SignatureFormat>,
    /// Where to write it [default: KIND.npz, .csv or .h in the current folder]
    #[arg(long, value_name = "FILE", requires = "format")]
    pub output: Option<PathBuf>,
}

/// `--format` of `grantfree signatures`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SignatureFormat {
    /// numpy.load: `signatures [H, N]` complex64, `correlation`, and `integers [H, N, 2]` where there are any
    Npz,
    /// One row per chip and user: chip,user,re,im and the integers where there are any
    Csv,
    /// A C header: `int8_t` tables for quantised kinds, `float` for others
    CHeader,
}

/// A signature kind as files and the command line spell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignatureName(pub SignatureKind);

impl FromStr for SignatureName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        serde_json::from_value(text.into()).map(Self).map_err(|e| e.to_string())
    }
}

impl std::fmt::Display for SignatureName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&crate::link::spelled(&self.0))
    }
}

/// `--activation`: a law, a number, or a list.
fn activation(text: &str) -> Result<Activation, String> {
    match text {
        "asymmetric" => return Ok(Activation::Law(ActivationLaw::Asymmetric)),
        "high" => return Ok(Activation::Law(ActivationLaw::High)),
        "low" => return Ok(Activation::Law(ActivationLaw::Low)),
        _ => {}
    }
    let numbers: Result<Vec<f64>, _> = text.split(',').map(|t| t.trim().parse()).collect();
    match numbers.as_deref() {
        Ok([p]) => Ok(Activation::Same(*p)),
        Ok(p) => Ok(Activation::PerUser(p.to_vec())),
        Err(_) => Err("expected asymmetric, high, low, a number in (0, 1], or one per user separated by commas".into()),
    }
}

/// `grantfree report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Folder with results.json
    pub dir: PathBuf,
    /// Folder for figures and report [default: DIR]
    #[arg(long, value_name = "FOLDER", conflicts_with = "markdown")]
    pub out: Option<PathBuf>,
    /// Print the tables as Markdown, all rows, and write nothing
    #[arg(long)]
    pub markdown: bool,
}

/// `grantfree replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Folder with results.json
    pub dir: PathBuf,
    /// Point of the sweep, FIGURE/INDEX or its number in results.json, counted from 0
    #[arg(long, value_name = "K")]
    pub point: String,
    /// Number of the frame, counted from 0
    #[arg(long, value_name = "I")]
    pub frame: u64,
    /// Show the score of every active or wrongly decided device too
    #[arg(long)]
    pub trace: bool,
    /// Where tensors live.
    #[command(flatten)]
    pub device: DeviceArgs,
    /// How many threads work.
    #[command(flatten)]
    pub threads: ThreadArgs,
}

/// `grantfree merge`.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// Folders of the shards, all n of them; --out names the folder of the joined results
    #[arg(required = true, value_name = "DIR")]
    pub dirs: Vec<PathBuf>,
    /// Where results go.
    #[command(flatten)]
    pub out: OutArgs,
    /// Replace results that are in the folder of --out already
    #[arg(long)]
    pub fresh: bool,
}

/// `grantfree doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Where tensors live.
    #[command(flatten)]
    pub device: DeviceArgs,
    /// How many threads work.
    #[command(flatten)]
    pub threads: ThreadArgs,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn seed_and_assignments_reach_the_experiment() {
        let cli =
            Cli::try_parse_from(["grantfree", "run", "a.toml", "--set", "scenario.antennas=8", "--seed", "7"]).unwrap();
        let Command::Run(args) = cli.command else { panic!("not run") };
        let all = args.work.experiment.assignments();
        assert_eq!((all[0].key.as_str(), all[0].value.as_integer()), ("scenario.antennas", Some(8)));
        assert_eq!((all[1].key.as_str(), all[1].value.as_integer()), ("seed", Some(7)));
    }
}
