//! The refinement module, (49)-(55) of the DL-mAMPnet paper.

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;

use crate::link::{Purpose, Split, StreamKey};
use crate::systems::access::scalar;
use crate::training::{Rate, Rated, Rates};

/// From the AMP layers' estimate to activity estimates in [0, 1).
#[derive(Module, Debug)]
pub struct Refinement {
    /// 1 x M convolution over the antennas, `[1, M]`, and its bias; starts at the mean.
    pub conv: Param<Tensor<2>>,
    /// Bias of the convolution.
    pub conv_bias: Param<Tensor<2>>,
    /// FC1 of the soft threshold, N -> N.
    pub fc1: Linear,
    /// FC2 of the soft threshold, N -> N, then a sigmoid.
    pub fc2: Linear,
    /// FC of the hard threshold on (ln theta_2, ln tau^2), 2 -> 8.
    pub hard_in: Linear,
    /// Output of the hard threshold, 8 -> 1.
    pub hard_out: Linear,
    /// FC3, K -> K; starts at the identity.
    pub fc3: Param<Tensor<2>>,
    /// Bias of FC3, `[1, K]`.
    pub fc3_bias: Param<Tensor<2>>,
    /// Slope of the output `relu(tanh(rho x))`; starts at 1.
    pub rho: Param<Tensor<2>>,
}

/// The stages of one pass, for training and for Fig. 10 of the DL-mAMPnet paper.
#[derive(Debug, Clone)]
pub struct Stages {
    /// After the convolution, relative to the root of the received power, `[F, K]`.
    pub u: Tensor<2>,
    /// After soft threshold, max-pool and max-unpool, `[F, K]`.
    pub unpooled: Tensor<2>,
    /// Activity estimates, `[F, K]`.
    pub alpha: Tensor<2>,
}

impl Rated for Refinement {
    fn rates(&self, to: &mut Rates) {
        to.set(Rate::Scalar, &self.conv);
        to.set(Rate::Scalar, &self.conv_bias);
        to.set(Rate::Scalar, &self.rho);
    }
}

impl Refinement {
    /// Starts as close to a plain energy detector as its parts allow.
    pub fn init(devices: usize, sequences: usize, antennas: usize, device: &Device) -> Self {
        let k = devices * sequences;
        // Uniform in +-1/sqrt(inputs) from a keyed stream: burn's own initialisers draw from one generator of the whole
        // process, and a resumed or repeated run would start from other weights.
        let key = StreamKey::new(0, Split::Train, format!("refinement {devices} {sequences} {antennas}"));
        let fc = |index: u64, i: usize, o: usize| {
            let mut rng = key.rng(Purpose::Parameters, index);
            let bound = 1.0 / (i as f32).sqrt();
            let mut draw = |n: usize| -> Vec<f32> { (0..n).map(|_| rng.random_range(-bound..bound)).collect() };
            let mut linear = LinearConfig::new(i, o).init(device);
            linear.weight = Param::from_data(TensorData::new(draw(i * o), [i, o]), device);
            linear.bias = Some(Param::from_data(TensorData::new(draw(o), [o]), device));
            linear
        };
        Self {
            conv: Param::from_tensor(Tensor::full([1, antennas], 1.0 / antennas as f64, device)),
            conv_bias: scalar(0.0, device),
            fc1: fc(0, devices, devices),
            fc2: fc(1, devices, devices),
            hard_in: fc(2, 2, 8),
            hard_out: fc(3, 8, 1),
            fc3: Param::from_tensor(Tensor::eye(k, device)),
            fc3_bias: Param::from_tensor(Tensor::zeros([1, k], device)),
            rho: scalar(1.0, device),
        }
    }

    /// `x [F*M, 2K]`: estimate of the last AMP layer; `power [F, K]`: received power theta_2; `tau2 [F, 1]`.
    ///
    /// Magnitudes are taken relative to the root of the received power: gains span 50 dB, and one threshold network
    /// must serve all devices.
    pub fn forward(&self, x: Tensor<2>, power: Tensor<2>, tau2: Tensor<2>, antennas: usize, q: usize) -> Stages {
        let [frames, k] = power.dims();
        let n = k / q;
        // (49): moduli of the complex entries; the small constant keeps the gradient at idle rows finite.
        let modulus = (x.powi_scalar(2).reshape([frames, antennas, 2, k]).sum_dim(2) + 1e-12)
            .sqrt()
            .reshape([frames, antennas, k]);
        // (50): 1 x M convolution.
        let weights = self.conv.val().reshape([1, antennas, 1]).expand([frames, antennas, k]);
        let u = (modulus * weights).sum_dim(1).reshape([frames, k]) / (power.clone() + 1e-12).sqrt();
        let u = u + self.conv_bias.val();
        // (51): average pool over the Q rows of a device, two FC layers, sigmoid: the soft threshold.
        let pooled = u.clone().abs().reshape([frames, n, q]).mean_dim(2).reshape([frames, n]);
        let share = sigmoid(self.fc2.forward(relu(self.fc1.forward(pooled.clone()))));
        let threshold = (share * pooled).reshape([frames, n, 1]).expand([frames, n, q]);
        // (52): soft threshold; (35): max-pool and max-unpool over Q keep the largest row of a device.
        let soft = relu(u.clone().reshape([frames, n, q]) - threshold);
        let largest = soft.clone().detach().max_dim(2).expand([frames, n, q]);
        let kept = soft.clone().detach().greater_equal(largest).float();
        let unpooled = soft * kept;
        // (53): hard threshold from (theta_2, tau^2); its gradient is that of a sigmoid (straight-through).
        let ln_power = power.reshape([frames, n, q]).narrow(2, 0, 1).log();
        let ln_tau = tau2.log().reshape([frames, 1, 1]).expand([frames, n, 1]);
        let features = Tensor::cat(vec![ln_power, ln_tau], 2) * 0.1;
        let level = self.hard_out.forward(relu(self.hard_in.forward(features))).expand([frames, n, q]);
        let soft_gate = sigmoid((unpooled.clone() - level) * 4.0);
        let hard_gate = soft_gate.clone().detach().greater_equal_elem(0.5).float();
        let gate = soft_gate.clone() + (hard_gate - soft_gate).detach();
        let kept = (unpooled.clone() * gate).reshape([frames, k]);
        // (55): FC3 and f_rho.
        let mixed = kept.matmul(self.fc3.val()) + self.fc3_bias.val();
        let alpha = relu((mixed * self.rho.val()).tanh());
        Stages { u, unpooled: unpooled.reshape([frames, k]), alpha }
    }
}
