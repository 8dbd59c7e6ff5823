//! `grantfree detect` against the reference vectors.

use grantfree::container::npz::NpzFile;

use super::{Assert, data, grantfree};

/// How a result is compared.
enum Check {
    /// Relative difference in the Frobenius norm at most this.
    Relative(f64),
    /// At most this fraction of the decisions differ.
    Decisions(f64),
}
use Check::{Decisions, Relative};

/// One comparison: frames, detector, options, array written, array expected, tolerance.
type Case = (&'static str, &'static str, &'static [&'static str], &'static str, &'static str, Check);

#[test]
fn detectors_agree_with_the_reference_vectors() {
    const CASES: [Case; 21] = [
        ("noncoherent", "amp", &["iterations=1"], "x", "amp_x_1", Relative(1e-4)),
        (
            "noncoherent",
            "amp",
            &["iterations=50", "threshold=equal-prior"],
            "activity",
            "amp_activity",
            Decisions(0.01),
        ),
        ("noncoherent", "amp", &["iterations=50", "threshold=map"], "activity", "amp_activity_map", Decisions(0.01)),
        ("noncoherent", "amp", &["iterations=50", "damping=0.7"], "x", "damped_x", Relative(2e-2)),
        (
            "noncoherent",
            "amp-section",
            &["iterations=50", "threshold=map"],
            "activity",
            "section_activity_map",
            Decisions(0.01),
        ),
        ("noncoherent", "covariance", &["iterations=200"], "gamma", "covariance_gamma", Relative(1e-2)),
        ("noncoherent", "covariance", &["iterations=50"], "activity", "covariance_activity", Decisions(0.01)),
        ("mmv", "amp", &["iterations=1"], "x", "amp_x_1", Relative(1e-4)),
        ("mmv", "amp", &["iterations=50", "damping=0.5"], "x", "damped_x", Relative(2e-2)),
        ("mmv", "ml", &["iterations=200", "tolerance=1e-9"], "gamma", "ml_gamma", Relative(1e-2)),
        ("mmv", "map", &["iterations=200", "tolerance=1e-9"], "gamma", "map_gamma", Relative(1e-2)),
        ("mmv", "ml-mmse", &["iterations=200", "tolerance=1e-9", "threshold=0.5"], "x", "ml_mmse_x", Relative(1e-2)),
        (
            "mmv",
            "group-lasso",
            &["lambda=1.0", "iterations=20000", "tolerance=1e-9"],
            "x",
            "group_lasso_x",
            Relative(1e-3),
        ),
        ("mmv", "pc-admm", &["lambda=1.0", "iterations=2000", "tolerance=1e-9"], "x", "group_lasso_x", Relative(1e-3)),
        ("mmv", "group-lasso-admm", &["lambda=1.0", "rho=2.0", "iterations=200"], "x", "admm_x_200", Relative(1e-3)),
        ("estimation", "lmmse", &[], "x", "lmmse_x", Relative(1e-3)),
        ("noma", "matched-filter", &[], "symbols", "matched_filter", Decisions(0.002)),
        ("noma", "mmse-sic", &["order=sinr"], "symbols", "mmse_sic", Decisions(0.002)),
        ("noma", "mmse-sic", &["order=fixed"], "symbols", "mmse_sic_fixed_order", Decisions(0.002)),
        ("noma", "oracle-ls", &[], "symbols", "oracle_ls", Decisions(0.002)),
        ("noma", "joint-map", &[], "symbols", "joint_map", Decisions(0.002)),
    ];
    let dir = temp_dir::TempDir::new().unwrap();
    let mut wrong = Vec::new();
    for (frames, detector, options, array, expected, check) in CASES {
        let output = dir.path().join("decisions.npz");
        let mut command = grantfree();
        command.args(["detect", "--detector", detector, "--input"]).arg(data(&format!("{frames}.npz")));
        command.arg("--output").arg(&output);
        for option in options {
            command.args(["--set", &format!("detector.{option}")]);
        }
        let stdout = String::from_utf8(command.assert().success().get_output().stdout.clone()).unwrap();
        assert!(stdout.starts_with(&format!("{detector}: ")) && stdout.lines().count() == 1, "{stdout}");
        let found = NpzFile::open(&output).unwrap();
        let reference = NpzFile::open(&data(&format!("{frames}.expected.npz"))).unwrap();
        let name = format!("{detector} {options:?} on {frames}");
        let (a, b) = (found.complex(array).unwrap(), reference.complex(expected).unwrap());
        assert_eq!(a.shape, b.shape, "{name}");
        let (limit, difference) = match check {
            Relative(limit) => {
                let error: f64 = a.data.iter().zip(&b.data).map(|(a, b)| (a - b).norm_sqr()).sum();
                let energy: f64 = b.data.iter().map(|b| b.norm_sqr()).sum();
                (limit, (error / energy).sqrt())
            }
            Decisions(limit) => {
                let different = a.data.iter().zip(&b.data).filter(|(a, b)| a != b).count();
                (limit, different as f64 / b.data.len() as f64)
            }
        };
        if difference.is_nan() || difference > limit {
            wrong.push(format!("{name}: {array} differs by {difference:.2e}, allowed {limit:.0e}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
