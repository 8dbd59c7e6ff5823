//! Exponential moving average of weights.
//!
//! Score matching has noisy gradients: the average of the last thousand steps is a better network than the last one, and the
//! one that samplers of score models use (Song and Ermon, 2020).

use std::any::Any;
use std::collections::VecDeque;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// Parameters in the order of the module.
#[derive(Default)]
struct Collected(VecDeque<Box<dyn Any>>);

impl ModuleVisitor for Collected {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push_back(Box::new(param.val()));
    }
}

struct Blend {
    newest: Collected,
    keep: f64,
}

impl ModuleMapper for Blend {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let newest = self.newest.0.pop_front().and_then(|t| t.downcast::<Tensor<D>>().ok());
        let newest = *newest.expect("both modules have the same parameters");
        let keep = self.keep;
        param.map(move |old| (old - newest.clone()) * keep + newest)
    }
}

/// Weight of the past after `steps` steps: short runs must not remember where they started.
pub(super) fn memory(decay: f64, steps: u64) -> f64 {
    decay.min((1.0 + steps as f64) / (10.0 + steps as f64))
}

/// `keep * average + (1 - keep) * newest`, parameter by parameter; both are inference copies of one architecture.
pub(super) fn blend<N: Module>(average: N, newest: &N, keep: f64) -> N {
    let mut collected = Collected::default();
    newest.visit(&mut collected);
    average.map(&mut Blend { newest: collected, keep })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_steps_are_forgotten() {
        assert!(memory(0.999, 0) < 0.11);
        assert!((memory(0.999, 90) - 0.91).abs() < 1e-12);
        assert_eq!(memory(0.999, 100_000), 0.999);
    }
}
