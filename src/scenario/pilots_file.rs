//! A pilot matrix from an npz.

use std::path::Path;

use crate::container::npz::NpzFile;
use crate::link::Pilots;
use crate::scenario::ScenarioError;

/// Reads `pilots [L, N]` for one pilot per device; the matrix is scaled so that its columns have the mean energy `energy`.
///
/// # Errors
/// [`ScenarioError`] when the file cannot be read, or the matrix has another shape, a value that is not finite, or a
/// column of zeros.
pub fn read_pilots(path: &str, length: usize, columns: usize, energy: f64) -> Result<Pilots, ScenarioError> {
    let bad = |problem: String| ScenarioError::PilotsFile { path: path.to_owned(), problem };
    let pilots = NpzFile::open(Path::new(path)).and_then(|file| file.complex("pilots")).map_err(|e| {
        let causes = std::iter::successors(std::error::Error::source(&e), |c| c.source());
        bad(causes.fold(e.to_string(), |text, c| format!("{text}: {c}")))
    })?;
    if pilots.shape != [length, columns] {
        return Err(bad(format!(
            "pilots has shape {:?}, this scenario needs [scenario.pilot_length, scenario.devices] = [{length}, {columns}]",
            pilots.shape
        )));
    }
    let energies: Vec<f64> =
        (0..columns).map(|n| (0..length).map(|l| pilots.data[l * columns + n].norm_sqr()).sum()).collect();
    if let Some(n) = energies.iter().position(|e| !(e.is_finite() && *e > 0.0)) {
        return Err(bad(format!("column {n} of pilots is zero or not finite")));
    }
    let scale = (energy * columns as f64 / energies.iter().sum::<f64>()).sqrt();
    let data = pilots.data.iter().map(|v| v * scale).collect();
    Pilots::new(length, columns, 1, energy, data).map_err(|e| bad(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::npz::NpzWriter;
    use crate::link::C64;

    #[test]
    fn a_matrix_is_scaled_as_a_whole_and_checked() {
        let dir = temp_dir::TempDir::new().unwrap();
        let file = |name: &str, shape: &[usize], data: &[C64]| {
            let path = dir.path().join(name);
            NpzWriter::new().complex("pilots", shape, data).write(&path).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let re = |v: &[f64]| v.iter().map(|x| C64::new(0.0, *x)).collect::<Vec<_>>();
        let good = file("good.npz", &[2, 2], &re(&[1.0, 3.0, 0.0, 0.0]));
        let pilots = read_pilots(&good, 2, 2, 2.0).unwrap();
        // Energies 1 and 9 become 0.4 and 3.6, of mean 2.
        assert!((pilots.data()[0].norm_sqr() - 0.4).abs() < 1e-6 && (pilots.data()[1].norm_sqr() - 3.6).abs() < 1e-6);
        let refused = |path: &str, l: usize| format!("{:?}", read_pilots(path, l, 2, 2.0).unwrap_err());
        assert!(refused(&good, 3).contains("[3, 2]"));
        assert!(refused(&file("zero.npz", &[2, 2], &re(&[1.0, 0.0, 1.0, 0.0])), 2).contains("column 1"));
        assert!(refused("nowhere.npz", 2).contains("nowhere.npz"));
    }
}
