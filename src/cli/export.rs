//! `grantfree export`: pilots and weights of a model bundle for other tools.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::error::{CliError, say};
use super::{ExportArgs, ExportFormat};
use crate::container::npz::NpzWriter;
use crate::container::tensors;
use crate::container::tensors::NamedTensor;
use crate::container::{Bundle, IoError, atomic_write};
use crate::link::{C64, Split};
use crate::scenario::Scenario;
use crate::scenario::ScenarioConfig;
use crate::scenario::signatures::IntegerSet;

/// Verifies the bundle and writes its pilots and weights.
///
/// # Errors
/// [`CliError`]: code 1 for a damaged bundle or an output that cannot be written.
pub fn execute(args: &ExportArgs) -> Result<(), CliError> {
    let bundle = Bundle::open(&args.bundle)?;
    let tensors = gather(&bundle)?;
    let output = args.output.clone().unwrap_or_else(|| default_output(&args.bundle, args.format));
    match args.format {
        ExportFormat::Npz => npz(&tensors).write(&output)?,
        ExportFormat::Csv => atomic_write(&output, csv(&tensors).as_bytes())?,
        ExportFormat::CHeader => atomic_write(&output, c_header(&bundle, &tensors).as_bytes())?,
        ExportFormat::Safetensors => tensors::write(&output, &tensors)?,
    }
    let numbers: usize = tensors.iter().map(|t| t.2.len()).sum();
    say(&format!("{}: {} tensors, {numbers} numbers -> {}", args.bundle.display(), tensors.len(), output.display()))
}

fn default_output(bundle: &Path, format: ExportFormat) -> PathBuf {
    let ending = match format {
        ExportFormat::Npz => "npz",
        ExportFormat::Csv => "csv",
        ExportFormat::CHeader => "h",
        ExportFormat::Safetensors => "safetensors",
    };
    let name = bundle.file_name().map_or_else(|| "model".into(), |n| n.to_string_lossy().into_owned());
    PathBuf::from(format!("{name}.{ending}"))
}

/// Every tensor of the bundle's safetensors files, and the pilots where they were not learned (first).
fn gather(bundle: &Bundle) -> Result<Vec<NamedTensor>, CliError> {
    let mut all = Vec::new();
    for name in bundle.names().filter(|n| n.ends_with(".safetensors")) {
        all.extend(bundle.tensors(name)?);
    }
    if all.is_empty() {
        let path = bundle.dir().join("weights.safetensors").display().to_string();
        return Err(IoError::Bundle { path, problem: "the bundle has no safetensors file to export".into() }.into());
    }
    if !all.iter().any(|(name, _, _)| name == "pilots")
        && let Some(pilots) = drawn_pilots(bundle)?
    {
        all.insert(0, pilots);
    }
    Ok(all)
}

/// Pilots that were drawn, not learned: the manifest has scenario and seed, which determine them.
fn drawn_pilots(bundle: &Bundle) -> Result<Option<NamedTensor>, CliError> {
    let config = &bundle.manifest().config;
    let (Some(scenario), Some(seed)) = (config.get("scenario"), config.get("seed").and_then(serde_json::Value::as_u64))
    else {
        return Ok(None);
    };
    let wrong = |e: String| IoError::Bundle {
        path: bundle.dir().join("manifest.json").display().to_string(),
        problem: format!("config.scenario: {e}"),
    };
    let scenario: ScenarioConfig = serde_json::from_value(scenario.clone()).map_err(|e| wrong(e.to_string()))?;
    scenario.validate().map_err(|e| wrong(e.to_string()))?;
    let pilots = Scenario::new(&scenario, seed, Split::Test)?.pilots(0);
    let parts = pilots.data().iter().map(|v| v.re as f32).chain(pilots.data().iter().map(|v| v.im as f32));
    Ok(Some(("pilots".into(), vec![2, pilots.length(), pilots.columns()], parts.collect())))
}

/// Splits `pilots [2, L, NQ]` into complex values; other tensors are real.
fn as_complex(tensor: &NamedTensor) -> Option<(Vec<usize>, Vec<C64>)> {
    let (name, shape, data) = tensor;
    match shape[..] {
        [2, rows, columns] if name == "pilots" => {
            let (re, im) = data.split_at(data.len() / 2);
            let values = re.iter().zip(im).map(|(&re, &im)| C64::new(re.into(), im.into())).collect();
            Some((vec![rows, columns], values))
        }
        _ => None,
    }
}

fn npz(tensors: &[NamedTensor]) -> NpzWriter {
    tensors.iter().fold(NpzWriter::new(), |out, tensor| match as_complex(tensor) {
        Some((shape, values)) => out.complex(&tensor.0, &shape, &values),
        None => out.real32(&tensor.0, &tensor.1, &tensor.2),
    })
}

/// Rows `name,row,column,re,im`: the last axis is the column, the axes before it are flattened into the row; `im` is
/// empty for real tensors.
fn csv(tensors: &[NamedTensor]) -> String {
    let mut text = String::from("name,row,column,re,im\n");
    for tensor in tensors {
        let (shape, complex) = match as_complex(tensor) {
            Some((shape, values)) => (shape, Some(values)),
            None => (tensor.1.clone(), None),
        };
        let columns = shape.last().copied().unwrap_or(1).max(1);
        for i in 0..complex.as_ref().map_or(tensor.2.len(), Vec::len) {
            let (re, im) = match &complex {
                Some(values) => (values[i].re as f32, (values[i].im as f32).to_string()),
                None => (tensor.2[i], String::new()),
            };
            // A String takes every write.
            let _ = writeln!(text, "{},{},{},{re},{im}", tensor.0, i / columns, i % columns);
        }
    }
    text
}

/// `static const float` arrays, the last axis of complex ones being (re, im).
fn c_header(bundle: &Bundle, tensors: &[NamedTensor]) -> String {
    let manifest = bundle.manifest();
    let mut text = format!(
        "/* Model {} written by grantfree {}. Arrays are row-major; complex ones end in [2] = (re, im). */\n\
         #ifndef GRANTFREE_MODEL_H\n#define GRANTFREE_MODEL_H\n",
        manifest.system.replace("*/", ""),
        manifest.crate_version.replace("*/", "")
    );
    let mut used = std::collections::HashSet::new();
    for tensor in tensors {
        let mut name: String =
            tensor.0.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
        // Names that differ in other characters only must not collide.
        while !used.insert(name.clone()) {
            name.push('_');
        }
        let (shape, values) = match as_complex(tensor) {
            Some((mut shape, values)) => {
                shape.push(2);
                (shape, values.iter().flat_map(|v| [v.re as f32, v.im as f32]).collect())
            }
            None => (tensor.1.clone(), tensor.2.clone()),
        };
        if values.is_empty() {
            // C has no arrays of length zero.
            continue;
        }
        let numbers: Vec<String> = values.iter().map(|v| c_float(*v)).collect();
        let rank = shape.len();
        let dims: String = if rank == 0 { "[1]".into() } else { shape.iter().map(|d| format!("[{d}]")).collect() };
        // Flat initialisers are valid for nested arrays, and keep the header readable by machines.
        let body: Vec<String> = numbers.chunks(8).map(|row| format!("  {}", row.join(", "))).collect();
        let _ = writeln!(text, "\n/* {} */", tensor.0.replace("*/", ""));
        let _ = writeln!(text, "static const float grantfree_{name}{dims} = {{\n{}\n}};", body.join(",\n"));
    }
    if let Some(integers) = learned_integers(bundle, tensors) {
        text += &integers;
    }
    text + "\n#endif\n"
}

/// Signatures that a network has learned on an integer grid (system E): `int8_t [H][N][2]`, and the factor of each user
/// that makes its column unit-norm. The quantiser is that of the network: nearest integer, at most `levels` in size.
fn learned_integers(bundle: &Bundle, tensors: &[NamedTensor]) -> Option<String> {
    let receiver = bundle.manifest().config.get("receiver")?;
    if !receiver.get("learn_signatures")?.as_bool()? {
        return None;
    }
    let levels = u32::try_from(receiver.get("levels")?.as_u64()?).ok().filter(|q| (1..=16).contains(q))?;
    let (_, shape, raw) = tensors.iter().find(|(name, ..)| name.ends_with("encoder.raw"))?;
    let &[_, n] = &shape[..] else { return None };
    if n == 0 {
        return None;
    }
    let set = IntegerSet::nearest(raw, n, levels);
    let h = set.length;
    let row = |chip: &[(i8, i8)]| chip.iter().map(|(re, im)| format!("{{{re}, {im}}}")).collect::<Vec<_>>().join(", ");
    let rows: Vec<String> = set.data.chunks_exact(n).map(|chip| format!("  {{{}}}", row(chip))).collect();
    // A column of zeros stays zero.
    let scale: Vec<String> =
        set.energies().iter().map(|&e| c_float(if e > 0 { (e as f32).sqrt().recip() } else { 0.0 })).collect();
    Some(format!(
        "\n#include <stdint.h>\n/* learned signatures on the grid of the quantiser: chip, user, (re, im); times the scale of the user */\n\
         static const int8_t grantfree_signature_integers[{h}][{n}][2] = {{\n{}\n}};\n\
         static const float grantfree_signature_scale[{n}] = {{\n  {}\n}};\n",
        rows.join(",\n"),
        scale.join(", ")
    ))
}

/// A float literal that C reads back to the same bits.
fn c_float(value: f32) -> String {
    if value.is_nan() {
        "(0.0f/0.0f)".into()
    } else if value.is_infinite() {
        if value > 0.0 { "(1.0f/0.0f)".into() } else { "(-1.0f/0.0f)".into() }
    } else {
        format!("{value:e}f")
    }
}

#[cfg(test)]
#[path = "export_tests.rs"]
mod tests;
