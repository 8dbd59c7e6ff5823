//! The QNN encoder, (16)-(25) of the NOMA signature paper: signatures as trainable weights, quantised and normalised.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;

use crate::link::{C64, Pilots, Purpose, StreamKey};
use crate::systems::ModelError;
use crate::systems::saved::values;
use crate::tensor::quantize_ste;
use crate::training::{Rate, Rated, Rates};

/// Trainable signatures.
///
/// `W_n` of (16) holds `[s^R, -s^I; s^I, s^R]` for every chip, so that `W_n [x^R; x^I]` are the parts of
/// `s_n x_n`; here the same 2H numbers stand once per user.
#[derive(Module, Debug)]
pub struct Encoder {
    /// Real parts of the H chips, then imaginary parts, `[2H, N]`, before quantiser and normalisation.
    pub raw: Param<Tensor<2>>,
    /// Levels of the quantiser, 0 for none.
    #[module(skip)]
    pub levels: u32,
}

impl Rated for Encoder {
    fn rates(&self, to: &mut Rates) {
        to.set(Rate::Pilots, self);
    }
}

impl Encoder {
    /// Entries uniform in the range of the quantiser (in [-1, 1] without one).
    pub fn init(key: &StreamKey, length: usize, users: usize, levels: u32, device: &Device) -> Self {
        let mut rng = key.rng(Purpose::Parameters, u64::MAX);
        let range = levels.max(1) as f32;
        let data: Vec<f32> = (0..2 * length * users).map(|_| rng.random_range(-range..range)).collect();
        Self { raw: Param::from_data(TensorData::new(data, [2 * length, users]), device), levels }
    }

    /// The entries after the quantiser (18), before normalisation, `[2H, N]`.
    pub fn entries(&self) -> Tensor<2> {
        match self.levels {
            0 => self.raw.val(),
            levels => quantize_ste(self.raw.val(), levels),
        }
    }

    /// The signatures in force, `[2H, N]`, unit-norm columns. A column that the quantiser maps to zero stays zero and
    /// gets its gradient through the small constant in the norm.
    pub fn signatures(&self) -> Tensor<2> {
        let entries = self.entries();
        let norm = (entries.clone().powi_scalar(2).sum_dim(0) + 1e-6).sqrt();
        entries / norm
    }

    /// `sum_{i != j} p_i p_j |s_i^H s_j|^2 / (N (N - 1))` of the signatures in force, for activation probabilities `prob`.
    pub fn correlation(&self, prob: &[f64]) -> Tensor<1> {
        let s = self.signatures();
        let [two_h, n] = s.dims();
        let (re, im) = (s.clone().narrow(0, 0, two_h / 2), s.narrow(0, two_h / 2, two_h / 2));
        let product = |a: &Tensor<2>, b: &Tensor<2>| a.clone().transpose().matmul(b.clone());
        let real = product(&re, &re) + product(&im, &im);
        let imaginary = product(&re, &im) - product(&im, &re);
        let weights: Vec<f32> =
            (0..n * n).map(|k| if k / n == k % n { 0.0 } else { (prob[k / n] * prob[k % n]) as f32 }).collect();
        let weights: Tensor<2> = Tensor::from_data(TensorData::new(weights, [n, n]), &real.device());
        let squares = real.powi_scalar(2) + imaginary.powi_scalar(2);
        (squares * weights).sum() / ((n * (n - 1)).max(1) as f64)
    }

    /// The signatures on the host, norms exactly one.
    ///
    /// # Errors
    /// [`ModelError::Values`] when they cannot be read from the device or are not finite.
    pub fn to_host(&self) -> Result<Pilots, ModelError> {
        let t = self.entries();
        let [two_h, n] = t.dims();
        let h = two_h / 2;
        let data = values("signatures", t)?;
        let at = |chip: usize, user: usize| {
            C64::new(f64::from(data[chip * n + user]), f64::from(data[(h + chip) * n + user]))
        };
        let norm = |user: usize| (0..h).map(|chip| at(chip, user).norm_sqr()).sum::<f64>().sqrt().max(1e-3);
        let norms: Vec<f64> = (0..n).map(norm).collect();
        let data = (0..h * n).map(|i| at(i / n, i % n) / norms[i % n]).collect();
        Pilots::new(h, n, 1, 1.0, data).map_err(|e| ModelError::values("signatures", e.problem()))
    }
}
