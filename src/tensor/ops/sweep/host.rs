//! Descents on the host for any backend: the fast body, and the reference.

use std::sync::Arc;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata, read_sync};
use burn::tensor::{DType, Shape, TensorData};

use super::{SweepRecord, reference};
use crate::tensor::cpu::{self, Element, SweepGradients, SweepShape};
use crate::tensor::ops::SweepInputs;

/// Inputs in host memory.
struct Inputs<B: Backend> {
    data: [TensorData; 3],
    sizes: SweepShape,
    device: B::Device,
}

impl<B: Backend> Inputs<B> {
    fn read(inputs: SweepInputs<B>) -> Self {
        let SweepInputs { log_odds, s, y, antennas, sweeps, noise_var } = inputs;
        let sizes = SweepShape {
            frames: y.shape()[0] / antennas,
            antennas,
            columns: s.shape()[1],
            length: s.shape()[0] / 2,
            sweeps,
            noise_var,
        };
        let device = y.device();
        Self { data: [log_odds, s, y].map(read::<B>), sizes, device }
    }

    fn slices<T: Element>(&self) -> [&[T]; 3] {
        self.data.each_ref().map(slice)
    }

    fn double(&self) -> bool {
        self.data[2].dtype() == DType::F64
    }

    /// The powers as a tensor of the type of the inputs.
    fn powers<T: Element>(&self, values: Vec<T>) -> FloatTensor<B> {
        self.tensor(values, Shape::new([self.sizes.frames, self.sizes.columns]))
    }

    /// Gradients of the inputs as tensors of their type.
    fn gradients<T: Element>(&self, found: SweepGradients<T>) -> [FloatTensor<B>; 3] {
        let of = |i: usize, values| self.tensor::<T>(values, self.data[i].shape().clone());
        [of(0, found.log_odds), of(1, found.s), of(2, found.y)]
    }

    fn tensor<T: Element>(&self, values: Vec<T>, shape: Shape) -> FloatTensor<B> {
        let data = TensorData::new(values, shape).convert_dtype(self.data[2].dtype());
        B::float_from_data(data, &self.device)
    }
}

fn read<B: Backend>(t: FloatTensor<B>) -> TensorData {
    read_sync(B::float_into_data(t)).expect("a tensor that was computed can be read")
}

fn slice<T: Element>(data: &TensorData) -> &[T] {
    data.as_slice().expect("the type was chosen by dtype")
}

/// Fast forward pass, in f64.
pub(in crate::tensor) fn forward<B: Backend>(inputs: SweepInputs<B>) -> FloatTensor<B> {
    fn typed<B: Backend, T: Element>(inputs: &Inputs<B>) -> FloatTensor<B> {
        let [log_odds, s, y] = inputs.slices();
        inputs.powers(cpu::coordinate_sweep::<T>(log_odds, s, y, inputs.sizes))
    }
    let inputs = Inputs::read(inputs);
    if inputs.double() { typed::<B, f64>(&inputs) } else { typed::<B, f32>(&inputs) }
}

/// Fast forward pass, in f64, with its record.
pub(in crate::tensor) fn recorded<B: Backend>(inputs: SweepInputs<B>) -> (FloatTensor<B>, SweepRecord) {
    fn typed<B: Backend, T: Element>(inputs: &Inputs<B>) -> (FloatTensor<B>, SweepRecord) {
        let [log_odds, s, y] = inputs.slices();
        let (out, record) = cpu::coordinate_sweep_recorded::<T>(log_odds, s, y, inputs.sizes);
        (inputs.powers(out), SweepRecord(record.map(Arc::new)))
    }
    let inputs = Inputs::read(inputs);
    if inputs.double() { typed::<B, f64>(&inputs) } else { typed::<B, f32>(&inputs) }
}

/// Fast backward pass, in f64; gradients of s and y are zero unless `all`.
pub(in crate::tensor) fn backward<B: Backend>(
    inputs: SweepInputs<B>,
    record: &SweepRecord,
    g: FloatTensor<B>,
    all: bool,
) -> [FloatTensor<B>; 3] {
    fn typed<B: Backend, T: Element>(
        inputs: &Inputs<B>,
        record: &SweepRecord,
        g: &TensorData,
        all: bool,
    ) -> [FloatTensor<B>; 3] {
        let ([log_odds, s, y], record) = (inputs.slices(), record.0.as_deref());
        inputs.gradients(cpu::coordinate_sweep_backward::<T>(log_odds, s, y, slice(g), inputs.sizes, record, all))
    }
    let (inputs, g) = (Inputs::read(inputs), read::<B>(g));
    if inputs.double() { typed::<B, f64>(&inputs, record, &g, all) } else { typed::<B, f32>(&inputs, record, &g, all) }
}

fn wide(data: &TensorData) -> Vec<f64> {
    data.iter::<f64>().collect()
}

/// Specification of [`coordinate_sweep`](super::coordinate_sweep).
pub(in crate::tensor) fn reference_forward<B: Backend>(inputs: SweepInputs<B>) -> FloatTensor<B> {
    let inputs = Inputs::read(inputs);
    let [log_odds, s, y] = inputs.data.each_ref().map(wide);
    inputs.powers(reference::forward(&log_odds, &s, &y, inputs.sizes))
}

/// Its gradients.
pub(in crate::tensor) fn reference_backward<B: Backend>(
    inputs: SweepInputs<B>,
    g: FloatTensor<B>,
) -> [FloatTensor<B>; 3] {
    let (inputs, g) = (Inputs::read(inputs), wide(&read::<B>(g)));
    let [log_odds, s, y] = inputs.data.each_ref().map(wide);
    inputs.gradients(reference::backward(&log_odds, &s, &y, &g, inputs.sizes))
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::backend::Flex;

    use super::*;

    fn numbers(seed: usize, shape: [usize; 2], scale: f64) -> FloatTensor<Flex> {
        use burn::backend::ops::FloatTensorOps;
        let value = |i: usize| ((((i * 37 + seed * 101) * 7919) % 1009) as f64 / 504.5 - 1.0) * scale;
        let data: Vec<f64> = (0..shape[0] * shape[1]).map(value).collect();
        <Flex as FloatTensorOps<Flex>>::float_from_data(TensorData::new(data, shape), &Default::default())
    }

    #[test]
    fn the_record_changes_nothing() {
        let (frames, m, n, l) = (6, 3, 9, 5);
        let tensors = [numbers(1, [1, n], 1.5), numbers(2, [2 * l, n], 1.0), numbers(3, [frames * m, 2 * l], 2.0)];
        let inputs = || SweepInputs::<Flex>::join(tensors.clone(), (m, 6, 0.3));
        let (out, record) = recorded(inputs());
        assert!(record.0.is_some());
        assert_eq!(read::<Flex>(forward(inputs())), read::<Flex>(out));
        let gradients = |record| backward(inputs(), &record, numbers(4, [frames, n], 1.0), true).map(read::<Flex>);
        assert_eq!(gradients(record), gradients(SweepRecord::default()));
    }
}
