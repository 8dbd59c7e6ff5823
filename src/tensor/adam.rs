//! A step of Adam in burn primitives: the specification, and what runs on GPUs.

use burn::backend::Backend;
use burn::backend::tensor::FloatTensor;

/// Constants of a step of Adam; see [`adam_step`](super::adam_step).
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

type Updated<B> = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>);

pub(super) fn adam_step<B: Backend>(
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

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::backend::Flex;
    use burn::backend::ops::FloatTensorOps;
    use burn::backend::read_sync;
    use burn::tensor::{DType, TensorData};

    use super::*;

    fn numbers(seed: usize, count: usize, dtype: DType) -> FloatTensor<Flex> {
        let value = |i: usize| (((i * 37 + seed * 101) * 7919) % 1009) as f64 / 504.5 - 1.0;
        let data: Vec<f64> = (0..count).map(value).collect();
        Flex::float_from_data(TensorData::new(data, [count]).convert_dtype(dtype), &Default::default())
    }

    fn read(t: FloatTensor<Flex>) -> Vec<f64> {
        read_sync(Flex::float_into_data(t)).unwrap().iter::<f64>().collect()
    }

    #[test]
    fn the_fast_step_is_the_specification_and_leaves_shared_tensors_alone() {
        for (dtype, tolerance) in [(DType::F32, 1e-6), (DType::F64, 1e-15)] {
            let count = 40_003;
            let p = numbers(1, count, dtype);
            let (m, g) = (numbers(2, count, dtype), numbers(3, count, dtype));
            let v = Flex::float_mul(numbers(4, count, dtype), numbers(4, count, dtype));
            let rule = AdamRule::new(1e-2, [0.9, 0.999], 1e-8, 3);
            let before = read(p.clone());
            let fast = <Flex as crate::tensor::Backend>::adam_step(p.clone(), m.clone(), v.clone(), g.clone(), rule);
            assert_eq!(before, read(p.clone()));
            let spec = adam_step::<Flex>(p, m, v, g, rule);
            for (fast, spec) in [(fast.0, spec.0), (fast.1, spec.1), (fast.2, spec.2)] {
                for (a, b) in read(fast).into_iter().zip(read(spec)) {
                    assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "{a} for {b}");
                }
            }
        }
    }
}
