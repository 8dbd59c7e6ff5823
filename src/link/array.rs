//! What can be wrong with an array or a number of the link, and the checks that find it.

use super::C64;

/// An array or number that does not fit: its name, what was found and what is expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArrayError {
    /// A wrong number of values.
    #[error("{array} holds {found} values, these frames need {expected} ({shape})")]
    Length {
        /// The array.
        array: &'static str,
        /// Values found.
        found: usize,
        /// Values expected.
        expected: usize,
        /// Axes and sizes of the expected shape, such as `[F, N] = [2, 30]`.
        shape: String,
    },
    /// A value outside its range.
    #[error("{array} {problem}")]
    Range {
        /// The array or number.
        array: &'static str,
        /// What was found, where, and what is expected.
        problem: String,
    },
}

impl ArrayError {
    /// Name of the array or number at fault.
    pub fn array(&self) -> &'static str {
        match self {
            Self::Length { array, .. } | Self::Range { array, .. } => array,
        }
    }

    /// The message without the name.
    pub fn problem(&self) -> String {
        self.to_string()[self.array().len()..].trim_start().to_owned()
    }

    pub(crate) fn range(array: &'static str, problem: impl Into<String>) -> Self {
        Self::Range { array, problem: problem.into() }
    }
}

/// Fails unless `array` holds as many values as `sizes` multiply to; `axes` names them, such as `[F, N]`.
pub(crate) fn check_length(array: &'static str, found: usize, axes: &str, sizes: &[usize]) -> Result<(), ArrayError> {
    let expected = sizes.iter().product();
    if found == expected {
        return Ok(());
    }
    Err(ArrayError::Length { array, found, expected, shape: format!("{axes} = {sizes:?}") })
}

/// Fails unless every value of an array of this shape is finite.
pub(crate) fn check_finite(array: &'static str, shape: &[usize], data: &[C64]) -> Result<(), ArrayError> {
    let bad = |v: &C64| !(v.re.is_finite() && v.im.is_finite());
    let Some(at) = data.iter().position(bad) else { return Ok(()) };
    let count = data.iter().filter(|v| bad(v)).count();
    Err(ArrayError::range(
        array,
        format!(
            "holds {} at {:?} ({count} of {} values are not finite); remove or repair them",
            data[at],
            index_of(shape, at),
            data.len()
        ),
    ))
}

/// Fails unless a number is finite and above zero.
pub(crate) fn check_positive(name: &'static str, value: f64) -> Result<(), ArrayError> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(ArrayError::range(name, format!("is {value}, expected a finite number > 0")))
}

/// Fails at the first value of an array of this shape that is not `ok`; `expected` says what is.
pub(crate) fn check_each<T: Copy + std::fmt::Display>(
    array: &'static str,
    shape: &[usize],
    data: &[T],
    ok: impl Fn(T) -> bool,
    expected: &str,
) -> Result<(), ArrayError> {
    match data.iter().position(|&v| !ok(v)) {
        None => Ok(()),
        Some(at) => Err(ArrayError::range(
            array,
            format!("holds {} at {:?}, expected {expected}", data[at], index_of(shape, at)),
        )),
    }
}

/// Index of a flat row-major position.
pub(crate) fn index_of(shape: &[usize], mut flat: usize) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for axis in (0..shape.len()).rev() {
        index[axis] = flat % shape[axis];
        flat /= shape[axis];
    }
    index
}
