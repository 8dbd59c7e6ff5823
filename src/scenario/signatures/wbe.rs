//! Welch-bound-equality signatures: rows of a DFT matrix, and the same with quantised entries.

use std::f64::consts::{FRAC_PI_4, SQRT_2, TAU};

use super::{IntegerSet, from_columns};
use crate::link::{C64, Pilots};
use crate::scenario::ScenarioError;

fn entry(chip: usize, user: usize, users: usize) -> C64 {
    C64::from_polar(1.0, -TAU * ((chip * user) % users) as f64 / users as f64)
}

/// The first `length` rows of the DFT matrix of `users` points, columns scaled to norm one.
///
/// # Errors
/// [`ScenarioError::Pilots`] when `length > users`: columns would repeat their chips.
pub fn harmonic(users: usize, length: usize) -> Result<Pilots, ScenarioError> {
    if length > users {
        return Err(ScenarioError::Pilots(format!(
            "a harmonic set of {users} users has at most {users} chips, not {length}; take \"wbe-projected\""
        )));
    }
    let columns: Vec<Vec<C64>> = (0..users).map(|n| (0..length).map(|chip| entry(chip, n, users)).collect()).collect();
    Ok(from_columns(&columns)?)
}

/// The harmonic set rotated by 45 degrees, each real and imaginary part quantised to the integers `-levels..=levels`
/// (an entry at 45 degrees is at full scale).
///
/// # Errors
/// As [`harmonic`].
pub fn quantised_harmonic(users: usize, length: usize, levels: u32) -> Result<IntegerSet, ScenarioError> {
    harmonic(users, length)?;
    let turn = C64::from_polar(f64::from(levels) * SQRT_2, FRAC_PI_4);
    let column = |n: usize| -> Vec<(i8, i8)> {
        (0..length)
            .map(|chip| {
                let v = turn * entry(chip, n, users);
                (quantise(v.re, levels) as i8, quantise(v.im, levels) as i8)
            })
            .collect()
    };
    Ok(IntegerSet::new(&(0..users).map(column).collect::<Vec<_>>(), levels))
}

/// The uniform quantiser (18) with step 1 and range `levels`: the nearest integer in `-levels..=levels`, halves up, as
/// [`quantize_ste`](crate::tensor::quantize_ste).
pub fn quantise(value: f64, levels: u32) -> f64 {
    let levels = f64::from(levels);
    (value + 0.5).floor().clamp(-levels, levels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::signatures::{weighted_correlation, weighted_welch_bound};

    const P: [f64; 6] = [0.8, 0.8, 0.8, 0.4, 0.4, 0.4];

    #[test]
    fn table_iii_to_the_printed_digits() {
        let wbe = weighted_correlation(&harmonic(6, 4).unwrap(), &P);
        assert!((wbe - 1.1 / 30.0).abs() < 1e-12, "{wbe}");
        let quantised = weighted_correlation(&quantised_harmonic(6, 4, 2).unwrap().normalised().unwrap(), &P);
        assert_eq!(format!("{quantised:.2e}"), "4.01e-2");
        assert!((weighted_welch_bound(&P, 4) - 2.8e-2).abs() < 1e-12);
    }

    #[test]
    fn more_chips_than_users_is_an_error() {
        assert!(harmonic(3, 4).unwrap_err().to_string().contains("wbe-projected"));
    }
}
