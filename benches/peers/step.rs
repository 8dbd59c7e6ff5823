//! A training step of any task: loss, backward pass, Adam.

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Gradients, Tensor};
use grantfree::systems::named_tensors;
use grantfree::training::TrainingConfig;
use grantfree::training::{EachParameter, Phase, TrainTask, adam, each_parameter};

use crate::case::{Arrays, Case};

/// Learning rate of every parameter.
const RATE: f64 = 1e-4;

/// One joint phase.
pub fn schedule(batch: usize, auxiliary: f64) -> TrainingConfig {
    let mut training = TrainingConfig { batch, validation_frames: 1, ..TrainingConfig::default() };
    training.phases[0].auxiliary = auxiliary;
    training
}

/// Gradients as arrays by the path of their parameter.
struct Collect<'a> {
    gradients: &'a Gradients,
    arrays: Arrays,
}

impl EachParameter for Collect<'_> {
    fn each<const D: usize>(&mut self, path: &str, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad(self.gradients) {
            self.arrays = std::mem::take(&mut self.arrays).tensor(&format!("grad.{path}"), &gradient);
        }
    }
}

/// Parameters as arrays.
pub fn parameters(arrays: Arrays, net: &impl Module) -> Arrays {
    named_tensors(net)
        .expect("weights on a CPU")
        .into_iter()
        .fold(arrays, |arrays, (path, shape, data)| arrays.floats(&format!("param.{path}"), &shape, &data))
}

/// A case of the task's last phase; `inputs` holds the arrays of `batch`.
pub fn case<T: TrainTask + 'static>(task: T, batch: T::Batch, inputs: Arrays) -> Case
where
    T::Batch: 'static,
{
    let phase: Phase = task.phases().last().cloned().expect("a schedule has a phase");
    let net = task.init();
    let loss = task.loss(&net, &batch, &phase);
    let outputs = Arrays::default().tensor("loss", &loss);
    let gradients = loss.backward();
    let mut collect = Collect { gradients: &gradients, arrays: outputs };
    each_parameter(&net, &mut collect);
    let outputs = collect.arrays;
    let inputs = parameters(inputs, &net);
    let mut optimizer = adam(None);
    let mut trained = Some(net);
    let run = move || {
        // Owned by the step, as in training: the weights change in place.
        let net = trained.take().expect("a step puts the network back");
        let gradients = task.loss(&net, &batch, &phase).backward();
        let part = GradientsParams::from_grads(gradients, &net);
        trained = Some(optimizer.step(RATE, net, part));
    };
    Case { inputs, outputs, run: Box::new(run) }
}
