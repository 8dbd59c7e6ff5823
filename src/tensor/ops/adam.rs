//! A step of Adam.

use burn::backend::Dispatch;
use burn::backend::tensor::FloatTensor;
use burn::tensor::Tensor;

use crate::tensor::Backend;

/// Constants of a step of Adam; see [`adam_step`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamRule {
    /// Memory of the mean gradient.
    pub beta_1: f64,
    /// Memory of the mean square.
    pub beta_2: f64,
    /// Learning rate with both bias corrections.
    pub rate: f64,
    /// Added to the root of the mean square, bias correction included.
    pub epsilon: f64,
}

impl AdamRule {
    /// Step number `time`, from 1, of Kingma and Ba's algorithm at the learning rate `rate`.
    pub fn new(rate: f64, [beta_1, beta_2]: [f64; 2], epsilon: f64, time: usize) -> Self {
        let power = |beta: f64| beta.powf(time as f64);
        let root = (1.0 - power(beta_2)).sqrt();
        Self { beta_1, beta_2, rate: rate * root / (1.0 - power(beta_1)), epsilon: epsilon * root }
    }
}

/// Parameters, mean gradient and mean square after a step.
pub(in crate::tensor) type Updated<B> = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>);

/// A step of Adam: `m' = b1 m + (1 - b1) g`, `v' = b2 v + (1 - b2) g^2`, `p' = p - rate m'/(sqrt(v') + epsilon)`.
///
/// Parameters p, mean gradient m, mean square v and gradient g of one shape -> (p', m', v'). Not differentiable.
pub fn adam_step<const D: usize>(
    p: Tensor<D>,
    m: Tensor<D>,
    v: Tensor<D>,
    g: Tensor<D>,
    rule: AdamRule,
) -> (Tensor<D>, Tensor<D>, Tensor<D>) {
    let [p, m, v, g] = [p, m, v, g].map(Tensor::into_dispatch);
    let (p, m, v) = Dispatch::adam_step(p, m, v, g, rule);
    (Tensor::from_dispatch(p), Tensor::from_dispatch(m), Tensor::from_dispatch(v))
}

/// Specification of [`adam_step`].
pub(in crate::tensor) fn step<B: burn::backend::Backend>(
    p: FloatTensor<B>,
    m: FloatTensor<B>,
    v: FloatTensor<B>,
    g: FloatTensor<B>,
    rule: AdamRule,
) -> Updated<B> {
    let mix = |old: FloatTensor<B>, new: FloatTensor<B>, memory: f64| {
        let kept = B::float_mul_scalar(old, memory.into());
        B::float_add(kept, B::float_mul_scalar(new, (1.0 - memory).into()))
    };
    let m = mix(m, g.clone(), rule.beta_1);
    let v = mix(v, B::float_mul(g.clone(), g), rule.beta_2);
    let root = B::float_add_scalar(B::float_sqrt(v.clone()), rule.epsilon.into());
    let step = B::float_div(B::float_mul_scalar(m.clone(), rule.rate.into()), root);
    (B::float_sub(p, step), m, v)
}
