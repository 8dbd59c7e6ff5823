//! Kernels and networks held against references.

mod autoencoder;
mod devices;
mod identity;
mod kernels;
mod mampnet;
mod pc_admm;
mod score;
mod signature;
#[cfg(feature = "ndarray")]
mod specification;
mod training;

use burn::tensor::{DType, Device, Tensor, TensorData};
use grantfree::link::{AccessModel, FrameBatch};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Standard normal numbers from a seed.
pub fn normals(seed: u64, count: usize) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| StandardNormal.sample(&mut rng)).collect()
}

/// A tensor of a dtype from f64 values.
pub fn tensor(data: &[f64], shape: [usize; 2], device: &Device, dtype: DType) -> Tensor<2> {
    Tensor::from_data(TensorData::new(data.to_vec(), shape), (device, dtype))
}

/// Values of a tensor as f64.
pub fn values<const D: usize>(t: Tensor<D>) -> Vec<f64> {
    t.into_data().convert::<f64>().try_into_vec().unwrap()
}

/// `||a - b||/||b||`.
pub fn relative(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let difference: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
    let norm: f64 = b.iter().map(|b| b * b).sum();
    (difference / norm.max(1e-300)).sqrt()
}

/// Every CPU device of this build, and a GPU or software adapter where there is one.
pub fn devices() -> Vec<(&'static str, Device)> {
    use grantfree::tensor::{BackendChoice, choose};
    [BackendChoice::Flex, BackendChoice::NdArray, BackendChoice::Wgpu]
        .into_iter()
        .filter_map(|c| choose(c).ok())
        .map(|c| (c.name, c.device))
        .collect()
}

/// The device most tests run on.
pub fn cpu() -> Device {
    devices().into_iter().next().expect("a build has at least one backend").1
}

/// The same observations as if made with other pilots: `change` is added to the first entry.
pub fn with_other_pilots(batch: &FrameBatch, change: f64) -> FrameBatch {
    let (model, pilots) = (batch.model(), batch.model().pilots());
    let mut data = pilots.data().to_vec();
    data[0] += change;
    let pilots = pilots.with_data(pilots.energy(), data).unwrap();
    let model =
        AccessModel::new(pilots.into(), model.antennas(), model.noise_var(), model.activity_prob().to_vec()).unwrap();
    FrameBatch::new(model, batch.y().to_vec(), batch.beta().clone()).unwrap()
}
