//! Pilots learned jointly with the receiver.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use crate::link::{C64, Pilots};
use crate::systems::ModelError;
use crate::systems::saved::values;
use crate::tensor::complex::stack_pilots;
use crate::training::{Rate, Rated, Rates};

/// Trainable pilots `[2L, K]`; every use goes through [`unit_columns`], so columns keep unit norm.
#[derive(Module, Debug)]
pub struct LearnedPilots {
    /// Columns before normalisation.
    pub raw: Param<Tensor<2>>,
}

impl Rated for LearnedPilots {
    fn rates(&self, to: &mut Rates) {
        to.set(Rate::Pilots, self);
    }
}

impl LearnedPilots {
    /// Starts at given pilots.
    pub fn init(pilots: &Pilots, device: &Device) -> Self {
        Self { raw: Param::from_tensor(stack_pilots(pilots, device)) }
    }

    /// The pilots in force, `[2L, K]` with unit-norm columns.
    pub fn columns(&self) -> Tensor<2> {
        unit_columns(self.raw.val())
    }

    /// The pilots in force on the host, with columns of squared norm `energy`.
    ///
    /// # Errors
    /// [`ModelError::Values`] when they cannot be read from the device or are not finite.
    pub fn to_host(&self, sequences: usize, energy: f64) -> Result<Pilots, ModelError> {
        let scale = energy.sqrt();
        let t = self.columns();
        let [two_l, k] = t.dims();
        let data = values("pilots", t)?;
        let l = two_l / 2;
        let data = (0..l * k).map(|i| C64::new(f64::from(data[i]), f64::from(data[l * k + i])) * scale).collect();
        Pilots::new(l, k, sequences, energy, data).map_err(|e| ModelError::values("pilots", e.problem()))
    }
}

/// Divides every column of `[2L, K]` by its norm.
pub fn unit_columns(raw: Tensor<2>) -> Tensor<2> {
    let norm = (raw.clone().powi_scalar(2).sum_dim(0) + 1e-12).sqrt();
    raw / norm
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{BackendChoice, choose};

    #[test]
    fn pilots_that_diverged_are_an_error_and_no_file() {
        let device = choose(BackendChoice::Auto).expect("a build has at least one backend").device;
        let pilots = Pilots::new(2, 2, 1, 1.0, vec![C64::new(3.0, 4.0); 4]).unwrap();
        let mut learned = LearnedPilots::init(&pilots, &device);
        assert!((learned.to_host(1, 2.0).unwrap().at(1, 0).norm() - 1.0).abs() < 1e-6);
        learned.raw = Param::from_tensor(learned.raw.val() * f32::NAN);
        let error = learned.to_host(1, 2.0).unwrap_err().to_string();
        assert!(error.contains("pilots of the network") && error.contains("NaN"), "{error}");
    }
}
