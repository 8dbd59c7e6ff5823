//! Weights of the published NCSNv2 networks (PyTorch state_dicts) in [`ScoreNet`].
//!
//! The modules `NCSNv2`, `NCSNv2Deeper` and `NCSNv2Deepest` (ermongroup/ncsnv2) with `InstanceNorm++`, ELU, no spectral
//! norm and two channels are [`ScoreNet`] with [`ScoreConfig::depth`] 3, 4 and 5. Their parameters have these names:
//!
//! | here | published |
//! |---|---|
//! | `begin_conv`, `normalizer`, `end_conv` | the same |
//! | `stages.0` ... `stages.D` | `res1`, `res2`, ... (Deepest: `res1`, `res2`, `res3`, `res31`, `res4`, `res5`) |
//! | `refine.0` ... `refine.D` | `refine1`, `refine2`, ... (Deepest: `refine1`, `refine2`, `refine31`, `refine3`, `refine4`, `refine5`) |
//! | `stages.I.B.normalize1`, `conv1`, `normalize2`, `conv2`, `shortcut` | the same |
//! | `conv2`, `shortcut` of the first block of a stage that halves the image | `conv2.conv`, `shortcut.conv` |
//! | `refine.I.adapt_convs.A.convs.B.C` | `refineI.adapt_convs.A.{B+1}_{C+1}_conv` |
//! | `refine.I.output_convs.convs.B.C` | `refineI.output_convs.{B+1}_{C+1}_conv` |
//! | `refine.I.msf.convs.A`, `refine.I.crp.convs.A` | the same |
//! | weights `[C', C, k, k]`, biases `[C']`, `alpha`, `gamma`, `beta` `[C]` | the same names and shapes |
//! | [`ScoreConfig`]`::{sigma_max, sigma_min, levels}` | first, last and number of the buffer `sigmas` |
//!
//! Published noise levels are standard deviations per real number, as the `sigma` of [`ScoreFunction::score`](super::ScoreFunction::score); those of
//! [`ScoreConfig`] belong to complex entries and are larger by `sqrt(2)`. Where `data.rescaled` and
//! `data.logit_transform` are both false, the published forward pass begins with 2x - 1: see [`ScoreConfig::rescaled`].

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor, TensorData};

use super::blocks::Resample;
use super::function::ScoreModel;
use super::net::{ScoreNet, stages_after_first};
use crate::container::IoError;
use crate::container::tensors::NamedTensor;
use crate::container::torch::{Weights, read_state_dict};
use crate::link::{Split, StreamKey};
use crate::systems::score::ScoreConfig;

/// Names of an error's list that are shown.
const SHOWN: usize = 20;

/// Why a state_dict cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file cannot be read, or is no state_dict.
    #[error(transparent)]
    Io(#[from] IoError),
    /// It is a state_dict, but not of a network that fits.
    #[error("{path} does not hold an NCSNv2 network of two channels: {problem}")]
    Network {
        /// The file.
        path: String,
        /// Every key and shape that is wrong.
        problem: String,
    },
    /// Noise levels that are missing, or given although the file has them.
    #[error("{path}: {problem}")]
    Levels {
        /// The file.
        path: String,
        /// What to give or to leave out.
        problem: String,
    },
}

/// What a state_dict does not say.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportOptions {
    /// Noise levels of the training, per real part: largest, smallest and how many. Only for files without `sigmas`.
    pub levels: Option<(f64, f64, usize)>,
    /// See [`ScoreConfig::rescaled`].
    pub rescaled: bool,
    /// Weights of the last step or averaged ones.
    pub weights: Weights,
}

/// A network that was trained elsewhere.
#[derive(Debug)]
pub struct Imported {
    /// The network on the given device.
    pub net: ScoreNet,
    /// Its architecture and noise levels.
    pub config: ScoreConfig,
    /// Name of the published module.
    pub variant: &'static str,
}

/// Key of the parameter `path` of a [`ScoreNet`] of this depth in the state_dict of the published module.
pub fn published_key(path: &str, depth: usize) -> String {
    let parts: Vec<&str> = path.split('.').collect();
    let next = |number: &str| number.parse::<usize>().map_or(0, |n| n + 1);
    match parts[..] {
        ["stages", stage, block, layer, rest] => {
            let i = next(stage);
            let halves = i > 1 && stages_after_first(depth).get(i - 2).is_some_and(|s| s.1 == Resample::Down);
            let pooled = halves && block == "0" && (layer == "conv2" || layer == "shortcut");
            format!("{}.{block}.{layer}{}.{rest}", stage_name(i, depth), if pooled { ".conv" } else { "" })
        }
        ["refine", i, "adapt_convs", input, "convs", b, c, rest] => {
            format!("{}.adapt_convs.{input}.{}_{}_conv.{rest}", refine_name(next(i), depth), next(b), next(c))
        }
        ["refine", i, "output_convs", "convs", b, c, rest] => {
            format!("{}.output_convs.{}_{}_conv.{rest}", refine_name(next(i), depth), next(b), next(c))
        }
        ["refine", i, ref rest @ ..] => format!("{}.{}", refine_name(next(i), depth), rest.join(".")),
        _ => path.to_owned(),
    }
}

/// The i-th stage, from 1.
fn stage_name(i: usize, depth: usize) -> String {
    match (depth, i) {
        (5, 4) => "res31".into(),
        (5, 5..) => format!("res{}", i - 1),
        _ => format!("res{i}"),
    }
}

/// The i-th refinement, from 1.
fn refine_name(i: usize, depth: usize) -> String {
    match (depth, i) {
        (5, 3) => "refine31".into(),
        (5, 4..) => format!("refine{}", i - 1),
        _ => format!("refine{i}"),
    }
}

/// Reads the state_dict in `path` into a network on `device`. Width and variant follow from its keys and shapes.
///
/// # Errors
/// [`ImportError`] names the file and every key that is missing, has another shape or is not known.
pub fn import(path: &Path, options: &ImportOptions, device: &Device) -> Result<Imported, ImportError> {
    let shown = path.display().to_string();
    let misfit = |problem: String| ImportError::Network { path: shown.clone(), problem };
    let mut tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)> = read_state_dict(path, options.weights)?
        .into_iter()
        .map(|(name, shape, data): NamedTensor| (name, (shape, data)))
        .collect();
    let sigmas = tensors.remove("sigmas").map(|(_, levels)| levels);
    let (width, depth, variant) = architecture(&tensors).map_err(misfit)?;
    let mut config = ScoreConfig { width, depth, rescaled: options.rescaled, ..ScoreConfig::default() };
    let levels = noise_levels(sigmas.as_deref(), options.levels);
    let (begin, end, levels) = levels.map_err(|problem| ImportError::Levels { path: shown.clone(), problem })?;
    let complex = 2.0_f64.sqrt();
    (config.sigma_max, config.sigma_min, config.levels) = (begin * complex, end * complex, levels);
    config.validate("score").map_err(|e| misfit(e.to_string()))?;

    // Every initial value is replaced by what the file holds.
    let key = StreamKey::new(0, Split::Train, "imported");
    let mut fill = Fill { tensors, depth, path: Vec::new(), missing: Vec::new(), shapes: Vec::new() };
    let net = ScoreNet::init(&config, &key, device).map(&mut fill);
    let unused: Vec<String> = fill.tensors.into_keys().collect();
    let lists = [("missing", fill.missing), ("with another shape", fill.shapes), ("not known", unused)];
    let problems: Vec<String> = lists.iter().filter(|(_, keys)| !keys.is_empty()).map(list).collect();
    if !problems.is_empty() {
        return Err(misfit(format!("taken for {variant} of width {width}, it has keys {}", problems.join("; "))));
    }
    Ok(Imported { net, config, variant })
}

/// Width, depth and name of the published module.
fn architecture(tensors: &BTreeMap<String, (Vec<usize>, Vec<f32>)>) -> Result<(usize, usize, &'static str), String> {
    let Some((shape, _)) = tensors.get("begin_conv.weight") else {
        let keys: Vec<String> = tensors.keys().cloned().collect();
        return Err(format!("it has no begin_conv.weight, but keys {}", list(&("", keys)).trim_start()));
    };
    let width = match shape[..] {
        [width, 2, 3, 3] => width,
        [_, channels, 3, 3] => {
            return Err(format!(
                "begin_conv.weight has {channels} input channels; channel matrices have 2, real and imaginary part"
            ));
        }
        _ => return Err(format!("begin_conv.weight has shape {shape:?}, expected [width, 2, 3, 3]")),
    };
    let has = |stage: &str| tensors.keys().any(|key| key.starts_with(&format!("{stage}.")));
    let (depth, variant) = if has("res31") {
        (5, "NCSNv2Deepest")
    } else if has("res5") {
        (4, "NCSNv2Deeper")
    } else {
        (3, "NCSNv2")
    };
    Ok((width, depth, variant))
}

/// Largest and smallest noise level and how many, from the file or else from the options.
fn noise_levels(file: Option<&[f32]>, given: Option<(f64, f64, usize)>) -> Result<(f64, f64, usize), String> {
    match (file, given) {
        (Some([begin, .., end]), None) => Ok((f64::from(*begin), f64::from(*end), file.map_or(0, <[f32]>::len))),
        (Some([only]), None) => Ok((f64::from(*only), f64::from(*only), 1)),
        (Some([]), None) => Err("its buffer sigmas is empty".into()),
        (Some(_), Some(_)) => {
            Err("it has its noise levels in the buffer sigmas; leave out --sigma-begin, --sigma-end and --levels"
                .into())
        }
        (None, Some(given)) => Ok(given),
        (None, None) => Err(
            "it has no buffer sigmas; give the noise levels of its training as --sigma-begin, --sigma-end and --levels"
                .into(),
        ),
    }
}

/// `what: a, b, ... and 5 more`.
fn list((what, keys): &(&str, Vec<String>)) -> String {
    let more = if keys.len() > SHOWN { format!(" and {} more", keys.len() - SHOWN) } else { String::new() };
    format!("{what} [{}{more}]", keys[..keys.len().min(SHOWN)].join(", "))
}

/// Replaces every parameter by the tensor of its published name, and keeps account of what does not fit.
struct Fill {
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    depth: usize,
    path: Vec<String>,
    missing: Vec<String>,
    shapes: Vec<String>,
}

impl ModuleMapper for Fill {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let key = published_key(&self.path.join("."), self.depth);
        let shape = param.val().dims();
        match self.tensors.remove(&key) {
            Some((found, data)) if found == shape => {
                param.map(|old| Tensor::from_data(TensorData::new(data, shape), &old.device()))
            }
            Some((found, _)) => {
                self.shapes.push(format!("{key} {found:?} for {shape:?}"));
                param
            }
            None => {
                self.missing.push(key);
                param
            }
        }
    }
}

#[cfg(all(test, any(feature = "flex", feature = "ndarray")))]
#[path = "torch_tests.rs"]
mod tests;
