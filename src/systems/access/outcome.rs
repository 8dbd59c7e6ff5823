//! From the outputs of a network back to decisions about frames.

use burn::tensor::Tensor;

use crate::link::{AccessModel, C64, FrameBatch};
use crate::link::{Decisions, DetectError};
use crate::tensor::complex::unstack_rows;

/// Fails where a size of the frames is not that of the training; `sizes` are (name, of the frames, of the training).
///
/// # Errors
/// [`DetectError::Mismatch`].
pub fn check_sizes<'a>(sizes: impl IntoIterator<Item = (&'a str, usize, usize)>) -> Result<(), DetectError> {
    match sizes.into_iter().find(|(_, found, wanted)| found != wanted) {
        Some((name, found, wanted)) => {
            Err(DetectError::Mismatch(format!("the model was trained for {wanted} {name}, the frames have {found}")))
        }
        None => Ok(()),
    }
}

/// Values of a tensor, row-major; `backend` names the device in errors.
///
/// # Errors
/// [`DetectError::Device`].
pub fn read(t: Tensor<2>, backend: &str) -> Result<Vec<f32>, DetectError> {
    let error = |message: String| DetectError::Device { backend: backend.to_owned(), message };
    let data = t.try_into_data().map_err(|e| error(e.to_string()))?;
    data.convert::<f32>().try_into_vec().map_err(|e| error(format!("{e:?}")))
}

/// Appends scores `[F, N]` of the frames from `first` on, one sequence per device, and the decisions: active above the
/// threshold. A device that cannot be heard is decided idle whatever its score.
pub fn decide(out: &mut Decisions, frames: &FrameBatch, first: usize, scores: &[f32], threshold: f64) {
    let devices = frames.model().devices();
    for (n, &value) in scores.iter().enumerate() {
        let heard = frames.beta_of(first + n / devices)[n % devices] > 0.0;
        out.activity.push(i64::from(heard && f64::from(value) > threshold));
        out.score.push(f64::from(value));
    }
}

/// Rows of `frames` frames, stacked `[F*M, 2K]`, in the units of the file: networks work at unit noise and unit pilot energy.
pub fn file_rows(stacked: &[f32], model: &AccessModel, frames: usize) -> impl Iterator<Item = C64> {
    let scale = (model.noise_var() / model.pilots().energy()).sqrt();
    unstack_rows(stacked, frames, model.columns(), model.antennas()).into_iter().map(move |v| v * scale)
}
