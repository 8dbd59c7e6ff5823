//! Adam with its three updates in one kernel.

use burn::grad_clipping::GradientClippingConfig;
use burn::optim::{AdamState, AdaptiveMomentumState, ModuleOptimizer, Optimizer};
use burn::tensor::{Device, Tensor};

use crate::tensor::{AdamRule, adam_step};

/// The usual constants of Adam (Kingma and Ba, 2015), but a smaller epsilon, for losses of 1e-3 nats.
#[derive(Debug, Clone, Copy)]
struct Adam;

const BETAS: [f64; 2] = [0.9, 0.999];
const EPSILON: f64 = 1e-8;

/// The optimiser of all networks, with gradients shortened to the norm `clip`.
pub fn adam(clip: Option<f32>) -> ModuleOptimizer {
    let optimizer = ModuleOptimizer::from(Adam);
    match clip {
        Some(norm) => optimizer.with_grad_clipping(GradientClippingConfig::Norm(norm).init()),
        None => optimizer,
    }
}

impl Optimizer for Adam {
    /// That of burn's Adam: checkpoints are interchangeable.
    type State<const D: usize> = AdamState<D>;

    fn step<const D: usize>(
        &self,
        rate: f64,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<AdamState<D>>,
    ) -> (Tensor<D>, Option<AdamState<D>>) {
        let (time, m, v) = match state {
            Some(AdamState { momentum: AdaptiveMomentumState { time, moment_1, moment_2, .. } }) => {
                (time + 1, moment_1, moment_2)
            }
            None => (1, grad.zeros_like(), grad.zeros_like()),
        };
        let (tensor, m, v) = adam_step(tensor, m, v, grad, AdamRule::new(rate, BETAS, EPSILON, time));
        (tensor, Some(AdamState::new(AdaptiveMomentumState::new(time, m, v))))
    }

    fn to_device<const D: usize>(mut state: AdamState<D>, device: &Device) -> AdamState<D> {
        state.momentum = state.momentum.to_device(device);
        state
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::module::{Module, Param};
    use burn::optim::{AdamConfig, GradientsParams};

    use super::*;

    #[derive(Module, Debug)]
    struct Net {
        a: Param<Tensor<2>>,
        b: Param<Tensor<1>>,
    }

    impl Net {
        fn loss(&self) -> Tensor<1> {
            let a = self.a.val();
            (a.clone() * a.clone() * a).sum() + (self.b.val().exp() * 3.0).sum()
        }

        fn numbers(&self) -> Vec<f32> {
            let (a, b) = (self.a.val().into_data(), self.b.val().into_data());
            a.iter::<f32>().chain(b.iter::<f32>()).collect()
        }
    }

    #[test]
    fn steps_and_saved_states_are_those_of_burn() {
        let device = Device::flex().autodiff();
        let net = Net {
            a: Param::from_tensor(Tensor::from_data([[0.3, -0.2], [1.1, 0.0]], &device)),
            b: Param::from_tensor(Tensor::from_data([0.5, -0.7, 0.1], &device)),
        };
        let mut ours = (net.clone(), adam(Some(2.0)));
        let config = AdamConfig::new().with_epsilon(1e-8).with_grad_clipping(Some(GradientClippingConfig::Norm(2.0)));
        let mut theirs = (net, config.init());
        let step = |(net, optimizer): &mut (Net, ModuleOptimizer)| {
            let grads = GradientsParams::from_grads(net.loss().backward(), net);
            *net = optimizer.step(1e-2, net.clone(), grads);
        };
        for round in 0..30 {
            if round == 10 {
                ours.1 = adam(Some(2.0)).from_bytes(theirs.1.into_bytes().unwrap()).unwrap();
            }
            step(&mut ours);
            step(&mut theirs);
            // burn computes the bias corrections in single precision: its updates are about 6e-6 of their size off.
            for (a, b) in ours.0.numbers().into_iter().zip(theirs.0.numbers()) {
                assert!((a - b).abs() < 1e-5, "step {round}: {a}, {b}");
            }
        }
    }
}
