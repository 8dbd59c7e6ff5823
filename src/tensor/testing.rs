//! What tests of fast bodies beside their specifications share.

use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata, read_sync};
use burn::tensor::{DType, TensorData};

/// Scattered numbers between -1 and 1.
pub(super) fn numbers<const D: usize>(seed: usize, shape: [usize; D], dtype: DType) -> FloatTensor<Flex> {
    scaled(seed, shape, 1.0, dtype)
}

/// Scattered numbers between -scale and scale.
pub(super) fn scaled<const D: usize>(seed: usize, shape: [usize; D], scale: f64, dtype: DType) -> FloatTensor<Flex> {
    let value = |i: usize| ((((i * 37 + seed * 101) * 7919) % 1009) as f64 / 504.5 - 1.0) * scale;
    let data: Vec<f64> = (0..shape.iter().product()).map(value).collect();
    Flex::float_from_data(TensorData::new(data, shape).convert_dtype(dtype), &Default::default())
}

/// Entries differ by less than `tolerance` times the largest of the specification (or one).
pub(super) fn assert_same(name: &str, fast: FloatTensor<Flex>, spec: FloatTensor<Flex>, tolerance: f64) {
    assert_eq!(fast.shape(), spec.shape(), "{name}");
    let read = |t| read_sync(Flex::float_into_data(t)).expect("on the host");
    let (fast, spec) = (read(fast), read(spec));
    let scale = spec.iter::<f64>().fold(1.0, |a: f64, b| a.max(b.abs()));
    for (i, (a, b)) in fast.iter::<f64>().zip(spec.iter::<f64>()).enumerate() {
        assert!((a - b).abs() <= tolerance * scale, "{name}[{i}]: {a} for {b}");
    }
}
