//! What a case hands over: arrays for the other side, and work to repeat.

use std::path::Path;

use burn::tensor::Tensor;
use grantfree::container::IoError;
use grantfree::container::npz::NpzWriter;
use grantfree::link::C64;
use grantfree::tensor::{BackendChoice, choose};

/// Named arrays of an npz file.
#[derive(Default)]
pub struct Arrays(NpzWriter);

impl Arrays {
    pub fn tensor<const D: usize>(self, name: &str, t: &Tensor<D>) -> Self {
        let data: Vec<f32> =
            t.clone().detach().into_data().convert::<f32>().try_into_vec().expect("a tensor of floats on the CPU");
        self.floats(name, &t.dims(), &data)
    }

    pub fn floats(self, name: &str, shape: &[usize], data: &[f32]) -> Self {
        Self(self.0.real32(name, shape, data))
    }

    pub fn complex(self, name: &str, shape: &[usize], data: &[C64]) -> Self {
        Self(self.0.complex(name, shape, data))
    }

    pub fn numbers(self, name: &str, data: &[f64]) -> Self {
        Self(self.0.real(name, &[data.len()], data))
    }

    pub fn scalar(self, name: &str, value: f64) -> Self {
        Self(self.0.scalar(name, value))
    }
}

/// One case.
pub struct Case {
    /// What the work is done on.
    pub inputs: Arrays,
    /// What it gives at first.
    pub outputs: Arrays,
    /// One repetition.
    pub run: Box<dyn FnMut()>,
}

impl Case {
    /// Writes both files.
    pub fn write(&mut self, dir: &Path) -> Result<(), IoError> {
        std::mem::take(&mut self.inputs).0.write(&dir.join("inputs.npz"))?;
        std::mem::take(&mut self.outputs).0.write(&dir.join("outputs.npz"))
    }
}

/// The CPU backend that models train on.
pub fn device() -> burn::tensor::Device {
    choose(BackendChoice::Flex).expect("the bench needs the feature flex").device
}
