//! `grantfree signatures`: a signature set of system E, its correlation and its bound.

use std::fmt::Write;
use std::path::PathBuf;

use super::error::{CliError, say};
use super::{SignatureFormat, SignaturesArgs};
use crate::container::atomic_write;
use crate::container::npz::NpzWriter;
use crate::link::{C64, Pilots};
use crate::scenario::signatures::{
    IntegerSet, correlation_matrix, integer_signatures, signature_set, weighted_correlation, weighted_welch_bound,
};
use crate::scenario::{NomaConfig, ScenarioError, SignatureKind};

/// What is printed and exported.
struct Report {
    kind: String,
    set: Pilots,
    integers: Option<IntegerSet>,
    activity_prob: Vec<f64>,
    /// `s_i^H s_j`, `[N, N]`.
    correlation: Vec<C64>,
    weighted: f64,
    bound: f64,
}

/// Builds the set, prints it, and writes it where a format is asked for.
///
/// # Errors
/// [`CliError`]: code 2 for a size out of range, 1 for a set that does not exist or a file that cannot be written.
pub fn execute(args: &SignaturesArgs) -> Result<(), CliError> {
    let config = NomaConfig {
        users: args.users,
        signature_length: args.length,
        quantiser_levels: args.levels,
        activation: args.activation.clone(),
        ..NomaConfig::default()
    };
    config.validate()?;
    let report = Report::new(args.kind.0, &config)?;
    // The file first: a failed write must not look like a result.
    let mut text = report.text();
    if let Some(format) = args.format {
        let output = args.output.clone().unwrap_or_else(|| report.default_output(format));
        match format {
            SignatureFormat::Npz => report.npz().write(&output)?,
            SignatureFormat::Csv => atomic_write(&output, report.csv().as_bytes())?,
            SignatureFormat::CHeader => atomic_write(&output, report.c_header().as_bytes())?,
        }
        let _ = write!(text, "\n-> {}", output.display());
    }
    say(&text)
}

impl Report {
    fn new(kind: SignatureKind, config: &NomaConfig) -> Result<Self, CliError> {
        let integers = integer_signatures(kind, config)?;
        let set = match &integers {
            Some(table) => table.normalised().map_err(ScenarioError::from)?,
            None => signature_set(kind, config)?,
        };
        let activity_prob = config.activation_prob();
        Ok(Self {
            kind: super::args::SignatureName(kind).to_string(),
            correlation: correlation_matrix(&set),
            weighted: weighted_correlation(&set, &activity_prob),
            bound: weighted_welch_bound(&activity_prob, config.signature_length),
            set,
            integers,
            activity_prob,
        })
    }

    fn default_output(&self, format: SignatureFormat) -> PathBuf {
        let ending = match format {
            SignatureFormat::Npz => "npz",
            SignatureFormat::Csv => "csv",
            SignatureFormat::CHeader => "h",
        };
        PathBuf::from(format!("{}.{ending}", self.kind))
    }

    /// Entry (re, im) of the table that is shown: integers where there are any.
    fn cell(&self, chip: usize, user: usize) -> String {
        match &self.integers {
            Some(table) => {
                let (re, im) = table.data[chip * table.columns + user];
                format!("{re:+}{im:+}i")
            }
            None => {
                let v = self.set.at(chip, user);
                format!("{:+.4}{:+.4}i", v.re, v.im)
            }
        }
    }

    fn text(&self) -> String {
        let (n, h) = (self.set.columns(), self.set.length());
        let what = match &self.integers {
            Some(t) => format!("integers -{0}..={0}, columns scaled to norm one", t.levels),
            None => "columns of norm one".into(),
        };
        let mut text = format!("{}: {n} users, {h} chips; rows are chips, columns users; {what}\n", self.kind);
        let rows: Vec<Vec<String>> = (0..h).map(|chip| (0..n).map(|user| self.cell(chip, user)).collect()).collect();
        let width = rows.iter().flatten().map(String::len).max().unwrap_or(0);
        for row in &rows {
            let cells: Vec<String> = row.iter().map(|c| format!("{c:>width$}")).collect();
            let _ = writeln!(text, "  {}", cells.join("  "));
        }
        text += "absolute correlation |s_i^H s_j|\n";
        for row in self.correlation.chunks_exact(n) {
            let cells: Vec<String> = row.iter().map(|v| format!("{:.4}", v.norm())).collect();
            let _ = writeln!(text, "  {}", cells.join("  "));
        }
        let _ = writeln!(text, "largest correlation {:.4}", self.set.coherence());
        let _ = write!(text, "weighted correlation {:.4e}, lower bound {:.4e}", self.weighted, self.bound);
        text
    }

    fn npz(&self) -> NpzWriter {
        let (n, h) = (self.set.columns(), self.set.length());
        let out = NpzWriter::new()
            .complex("signatures", &[h, n], self.set.data())
            .complex("correlation", &[n, n], &self.correlation)
            .real("activity_prob", &[n], &self.activity_prob)
            .scalar("weighted_correlation", self.weighted)
            .scalar("bound", self.bound);
        match &self.integers {
            Some(t) => {
                let parts: Vec<i64> = t.data.iter().flat_map(|(re, im)| [i64::from(*re), i64::from(*im)]).collect();
                out.int("integers", &[h, n, 2], &parts)
            }
            None => out,
        }
    }

    /// Rows `chip,user,re,im`, and the integers where there are any.
    fn csv(&self) -> String {
        let n = self.set.columns();
        let more = if self.integers.is_some() { ",integer_re,integer_im" } else { "" };
        let mut text = format!("chip,user,re,im{more}\n");
        for (i, v) in self.set.data().iter().enumerate() {
            let _ = write!(text, "{},{},{},{}", i / n, i % n, v.re, v.im);
            if let Some((re, im)) = self.integers.as_ref().map(|t| t.data[i]) {
                let _ = write!(text, ",{re},{im}");
            }
            text.push('\n');
        }
        text
    }

    /// Tables `[N][H][2]`, one row per user, so that a transmitter needs one row.
    fn c_header(&self) -> String {
        let (n, h) = (self.set.columns(), self.set.length());
        let mut text = format!(
            "/* Signatures {}, {n} users, {h} chips, written by grantfree {}.\n   Tables are [user][chip][2] = (re, im).\n   \
             Weighted correlation {:.4e}, lower bound {:.4e}. */\n#ifndef GRANTFREE_SIGNATURES_H\n\
             #define GRANTFREE_SIGNATURES_H\n\n#include <stdint.h>\n\n#define GRANTFREE_USERS {n}\n\
             #define GRANTFREE_CHIPS {h}\n\n",
            self.kind,
            env!("CARGO_PKG_VERSION"),
            self.weighted,
            self.bound
        );
        let rows = |cell: &dyn Fn(usize, usize) -> String| {
            let row = |user| (0..h).map(|chip| cell(chip, user)).collect::<Vec<_>>().join(", ");
            (0..n).map(|user| format!("  {{{}}}", row(user))).collect::<Vec<_>>().join(",\n")
        };
        if let Some(t) = &self.integers {
            let scales: Vec<f64> = t.energies().iter().map(|e| 1.0 / f64::from(*e).sqrt()).collect();
            let listed: Vec<String> = scales.iter().map(|s| format!("{s:.7}")).collect();
            let _ = write!(
                text,
                "/* The signature of user n is scale[n] * table[n], which has norm one; scale = {}. */\n\
                 static const int8_t grantfree_signatures[GRANTFREE_USERS][GRANTFREE_CHIPS][2] = {{\n{}\n}};\n",
                listed.join(", "),
                rows(&|chip, user| {
                    let (re, im) = t.data[chip * n + user];
                    format!("{{{re}, {im}}}")
                })
            );
            let literals: Vec<String> = scales.iter().map(|s| format!("{:e}f", *s as f32)).collect();
            let _ = writeln!(
                text,
                "static const float grantfree_signatures_scale[GRANTFREE_USERS] = {{{}}};",
                literals.join(", ")
            );
        } else {
            let _ = writeln!(
                text,
                "static const float grantfree_signatures[GRANTFREE_USERS][GRANTFREE_CHIPS][2] = {{\n{}\n}};",
                rows(&|chip, user| {
                    let v = self.set.at(chip, user);
                    format!("{{{:e}f, {:e}f}}", v.re as f32, v.im as f32)
                })
            );
        }
        text + "\n#endif\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_shows_the_integers_and_table_iii() {
        let report = Report::new(SignatureKind::QuantisedWbe, &NomaConfig::default()).unwrap();
        let text = report.text();
        assert!(text.contains("+2+2i") && text.contains("4.0110e-2") && text.contains("2.8000e-2"), "{text}");
        assert!(report.c_header().contains("static const int8_t grantfree_signatures[GRANTFREE_USERS]"));
        assert_eq!(report.csv().lines().count(), 25);
    }

    #[test]
    fn other_sets_are_floats() {
        let report = Report::new(SignatureKind::Wbe, &NomaConfig::default()).unwrap();
        assert!(report.c_header().contains("static const float grantfree_signatures["));
        assert!(report.text().contains("3.6667e-2"));
    }
}
