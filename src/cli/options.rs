//! Groups of options; a command takes those that have an effect on it and refuses the others.

use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

use crate::cli::progress::ProgressMode;
use crate::config::Assignment;
use crate::tensor::BackendChoice;

/// Where tensors live.
#[derive(Debug, Clone, Args)]
pub struct DeviceArgs {
    /// Where tensors live; `auto` takes a real GPU if there is one, else the CPU
    #[arg(long, value_enum, default_value = "auto")]
    pub backend: BackendChoice,
}

/// How many threads work.
#[derive(Debug, Clone, Args)]
pub struct ThreadArgs {
    /// Worker threads, 1..=1024 [default: one per core]; results do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

/// Changes to the experiment file.
#[derive(Debug, Clone, Args)]
pub struct ExperimentArgs {
    /// Set any key of the experiment file, e.g. scenario.antennas=32; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<Assignment>,
    /// Seed of every random stream, 0..=2^63-1 [default: the one of the experiment file]
    #[arg(long, value_name = "SEED", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: Option<u64>,
}

impl ExperimentArgs {
    /// The assignments of `--set`, with `--seed` among them.
    pub fn assignments(&self) -> Vec<Assignment> {
        let mut all = self.set.clone();
        if let Some(seed) = self.seed {
            // TOML integers are signed, hence the range of the option.
            all.push(Assignment { key: "seed".into(), value: toml::Value::Integer(seed as i64) });
        }
        all
    }
}

/// Where results go.
#[derive(Debug, Clone, Args)]
pub struct OutArgs {
    /// Folder for results [default: runs/NAME, NAME being the experiment's]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

impl OutArgs {
    /// `--out`, or the default folder of an experiment.
    pub fn folder(&self, experiment: &str) -> PathBuf {
        self.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(experiment))
    }
}

/// Whether earlier work counts.
#[derive(Debug, Clone, Args)]
pub struct ResumeArgs {
    /// Begin again; without it an interrupted run is resumed
    #[arg(long)]
    pub fresh: bool,
}

/// Which part of a sweep is simulated.
#[derive(Debug, Clone, Args)]
pub struct ShardArgs {
    /// Simulate only every n-th block, beginning with the i-th: i/n with 1 <= i <= n
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
}

/// How progress is shown.
#[derive(Debug, Clone, Args)]
pub struct ProgressArgs {
    /// How progress is shown on stderr; `auto` is plain text unless stderr is a terminal
    #[arg(long, value_enum, default_value_t)]
    pub progress: ProgressMode,
}

/// What every command that runs an experiment takes.
#[derive(Debug, Clone, Args)]
pub struct WorkArgs {
    /// Changes to the experiment file.
    #[command(flatten)]
    pub experiment: ExperimentArgs,
    /// Where results go.
    #[command(flatten)]
    pub out: OutArgs,
    /// Whether earlier work counts.
    #[command(flatten)]
    pub resume: ResumeArgs,
    /// How progress is shown.
    #[command(flatten)]
    pub progress: ProgressArgs,
    /// Where tensors live.
    #[command(flatten)]
    pub device: DeviceArgs,
    /// How many threads work.
    #[command(flatten)]
    pub threads: ThreadArgs,
}

/// `--shard i/n`: this process does every n-th block, beginning with the i-th (counted from 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which shard, 1..=count.
    pub index: u32,
    /// How many there are.
    pub count: u32,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match parts {
            Some((index, count)) if (1..=count).contains(&index) => Ok(Self { index, count }),
            _ => Err("expected i/n with 1 <= i <= n, for example 1/4".into()),
        }
    }
}

impl ValueEnum for BackendChoice {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()).help(match self {
            Self::Auto => "A real GPU where there is one, else the CPU (flex, else ndarray)",
            Self::Flex => "The CPU, multi-threaded",
            Self::NdArray => "The CPU on the ndarray crate",
            Self::Wgpu => "Any GPU, on the graphics API that wgpu prefers; accepts software adapters",
            Self::Vulkan => "A GPU through Vulkan",
            Self::Metal => "A GPU through Metal (macOS)",
            Self::Dx12 => "A GPU through DirectX 12 (Windows)",
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_checked() {
        assert_eq!("2/3".parse(), Ok(Shard { index: 2, count: 3 }));
        for bad in ["0/3", "4/3", "1/0", "1", "a/b", "1/2/3", "-1/2", ""] {
            assert!(bad.parse::<Shard>().is_err(), "{bad}");
        }
    }
}
