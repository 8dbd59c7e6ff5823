//! Coordinate descent: the specification in burn primitives, and the host body for any backend.

use std::sync::Arc;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata, read_sync};
use burn::tensor::{DType, Shape, Slice, TensorData};

use super::cpu::{self, Element, SweepShape};

/// What a forward pass of [`coordinate_sweep`](super::coordinate_sweep) keeps for its backward pass: its steps, where they
/// fit into memory.
#[derive(Debug, Clone, Default)]
pub struct SweepRecord(Option<Arc<cpu::SweepRecord>>);

/// A real batch of complex vectors `[F, L]` as planes.
type Planes<B> = (FloatTensor<B>, FloatTensor<B>);

fn sub<B: Backend>(a: FloatTensor<B>, b: FloatTensor<B>) -> FloatTensor<B> {
    B::float_sub(a, b)
}

fn mul<B: Backend>(a: &FloatTensor<B>, b: &FloatTensor<B>) -> FloatTensor<B> {
    B::float_mul(a.clone(), b.clone())
}

/// `A x` of batches of matrices `[F, R, C]` and vectors `[F, C]`.
fn apply<B: Backend>(a: &Planes<B>, x: &Planes<B>) -> Planes<B> {
    let shape = a.0.shape();
    let (f, r, c) = (shape[0], shape[1], shape[2]);
    let product = |a: &FloatTensor<B>, x: &FloatTensor<B>| {
        let x = B::float_reshape(x.clone(), Shape::new([f, c, 1]));
        B::float_reshape(B::float_matmul(a.clone(), x), Shape::new([f, r]))
    };
    (sub::<B>(product(&a.0, &x.0), product(&a.1, &x.1)), B::float_add(product(&a.0, &x.1), product(&a.1, &x.0)))
}

/// `sum_l Re(conj(a_l) b_l)`, `[F, 1]`.
fn inner<B: Backend>(a: &Planes<B>, b: &Planes<B>) -> FloatTensor<B> {
    B::float_sum_dim(B::float_add(mul::<B>(&a.0, &b.0), mul::<B>(&a.1, &b.1)), 1)
}

/// The specification: one step after the other, all frames at once. Differentiable where it is run on an autodiff backend.
pub(super) fn coordinate_sweep<B: Backend>(
    log_odds: FloatTensor<B>,
    s: FloatTensor<B>,
    y: FloatTensor<B>,
    antennas: usize,
    sweeps: usize,
    noise_var: f64,
) -> FloatTensor<B> {
    let (n, l, f) = (s.shape()[1], s.shape()[0] / 2, y.shape()[0] / antennas);
    let (device, dtype) = (y.device(), y.dtype());
    let slice = |t: &FloatTensor<B>, rows: std::ops::Range<usize>, columns: std::ops::Range<usize>| {
        B::float_slice(t.clone(), &[Slice::from(rows), Slice::from(columns)])
    };
    let expand = |t: FloatTensor<B>, shape: [usize; 2]| B::float_expand(t, Shape::new(shape));
    // Y^H, [F, M, L].
    let rows = f * antennas;
    let observation =
        |range: std::ops::Range<usize>| B::float_reshape(slice(&y, 0..rows, range), Shape::new([f, antennas, l]));
    let y_adjoint = (observation(0..l), B::float_neg(observation(l..2 * l)));
    let identity: Vec<f64> = (0..l * l).map(|i| if i % (l + 1) == 0 { 1.0 / noise_var } else { 0.0 }).collect();
    let constant = |data: Vec<f64>, shape: Vec<usize>| {
        B::float_from_data(TensorData::new(data, shape).convert_dtype(dtype), &device)
    };
    let mut p: Planes<B> = (
        B::float_expand(constant(identity, vec![1, l, l]), Shape::new([f, l, l])),
        constant(vec![0.0; f * l * l], vec![f, l, l]),
    );
    let mut alpha: Vec<FloatTensor<B>> = (0..n).map(|_| constant(vec![0.0; f], vec![f, 1])).collect();
    for _ in 0..sweeps {
        for (i, alpha) in alpha.iter_mut().enumerate() {
            let part = |from: usize| {
                let column = B::float_swap_dims(slice(&s, from..from + l, i..i + 1), 0, 1);
                expand(column, [f, l])
            };
            let a = (part(0), part(l));
            let v = apply::<B>(&p, &a);
            let energy = inner::<B>(&a, &v);
            let w = apply::<B>(&y_adjoint, &v);
            let q = B::float_div_scalar(inner::<B>(&w, &w), (antennas as f64).into());
            let odds = B::float_div_scalar(slice(&log_odds, 0..1, i..i + 1), (antennas as f64).into());
            let odds = expand(odds, [f, 1]);
            let load = B::float_mul_scalar(mul::<B>(&q, &odds), 4.0.into());
            let discriminant = sub::<B>(mul::<B>(&energy, &energy), load);
            // A negative root stands for an unbounded step: a large one, which the cap at 1 shortens.
            let unbounded = B::float_mul_scalar(
                B::float_clamp_min(B::float_neg(B::float_sign(discriminant.clone())), 0.0.into()),
                1e6.into(),
            );
            let root = B::float_sqrt(B::float_clamp_min(discriminant, 0.0.into()));
            let u = B::float_div(B::float_mul_scalar(q, 2.0.into()), B::float_add(energy.clone(), root));
            let d = B::float_div(B::float_add_scalar(u, (-1.0).into()), energy.clone());
            let next = B::float_clamp(B::float_add(B::float_add(alpha.clone(), d), unbounded), 0.0.into(), 1.0.into());
            let d = sub::<B>(next.clone(), alpha.clone());
            *alpha = next;
            let c = B::float_div(d.clone(), B::float_add_scalar(mul::<B>(&d, &energy), 1.0.into()));
            let c = B::float_reshape(c, Shape::new([f, 1, 1]));
            let outer = |x: &FloatTensor<B>, z: &FloatTensor<B>| {
                let x = B::float_reshape(x.clone(), Shape::new([f, l, 1]));
                B::float_matmul(x, B::float_reshape(z.clone(), Shape::new([f, 1, l])))
            };
            let re = B::float_add(outer(&v.0, &v.0), outer(&v.1, &v.1));
            let im = sub::<B>(outer(&v.1, &v.0), outer(&v.0, &v.1));
            p = (sub::<B>(p.0, B::float_mul(re, c.clone())), sub::<B>(p.1, B::float_mul(im, c)));
        }
    }
    B::float_cat(alpha, 1)
}

fn read<B: Backend>(t: FloatTensor<B>) -> TensorData {
    read_sync(B::float_into_data(t)).expect("a tensor that was computed can be read")
}

fn slice<T: Element>(data: &TensorData) -> &[T] {
    data.as_slice().expect("the type was chosen by dtype")
}

/// Sizes of a descent.
fn shape(s: &TensorData, y: &TensorData, antennas: usize, sweeps: usize, noise_var: f64) -> SweepShape {
    SweepShape {
        frames: y.shape()[0] / antennas,
        antennas,
        columns: s.shape()[1],
        length: s.shape()[0] / 2,
        sweeps,
        noise_var,
    }
}

/// Forward pass on the host, in f64.
pub(super) fn on_host<B: Backend>(
    log_odds: FloatTensor<B>,
    s: FloatTensor<B>,
    y: FloatTensor<B>,
    antennas: usize,
    sweeps: usize,
    noise_var: f64,
) -> FloatTensor<B> {
    fn typed<T: Element>([log_odds, s, y]: [&TensorData; 3], sizes: SweepShape) -> TensorData {
        let out = cpu::coordinate_sweep::<T>(slice(log_odds), slice(s), slice(y), sizes);
        TensorData::new(out, [sizes.frames, sizes.columns])
    }
    let device = y.device();
    let (log_odds, s, y) = (read::<B>(log_odds), read::<B>(s), read::<B>(y));
    let sizes = shape(&s, &y, antennas, sweeps, noise_var);
    let inputs = [&log_odds, &s, &y];
    let out = match y.dtype() {
        DType::F64 => typed::<f64>(inputs, sizes),
        _ => typed::<f32>(inputs, sizes),
    };
    B::float_from_data(out, &device)
}

/// Forward pass on the host, in f64, with its record.
pub(super) fn on_host_recorded<B: Backend>(
    log_odds: FloatTensor<B>,
    s: FloatTensor<B>,
    y: FloatTensor<B>,
    antennas: usize,
    sweeps: usize,
    noise_var: f64,
) -> (FloatTensor<B>, SweepRecord) {
    fn typed<T: Element>([log_odds, s, y]: [&TensorData; 3], sizes: SweepShape) -> (TensorData, SweepRecord) {
        let (out, record) = cpu::coordinate_sweep_recorded::<T>(slice(log_odds), slice(s), slice(y), sizes);
        (TensorData::new(out, [sizes.frames, sizes.columns]), SweepRecord(record.map(Arc::new)))
    }
    let device = y.device();
    let (log_odds, s, y) = (read::<B>(log_odds), read::<B>(s), read::<B>(y));
    let sizes = shape(&s, &y, antennas, sweeps, noise_var);
    let inputs = [&log_odds, &s, &y];
    let (out, record) = match y.dtype() {
        DType::F64 => typed::<f64>(inputs, sizes),
        _ => typed::<f32>(inputs, sizes),
    };
    (B::float_from_data(out, &device), record)
}

/// Backward pass on the host, in f64.
#[allow(clippy::too_many_arguments)]
pub(super) fn backward_on_host<B: Backend>(
    log_odds: FloatTensor<B>,
    s: FloatTensor<B>,
    y: FloatTensor<B>,
    g: FloatTensor<B>,
    antennas: usize,
    sweeps: usize,
    noise_var: f64,
    record: SweepRecord,
    all: bool,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    fn typed<T: Element>(
        inputs: [&TensorData; 4],
        sizes: SweepShape,
        record: Option<&cpu::SweepRecord>,
        all: bool,
    ) -> [TensorData; 3] {
        let [log_odds, s, y, g] = inputs;
        let found =
            cpu::coordinate_sweep_backward::<T>(slice(log_odds), slice(s), slice(y), slice(g), sizes, record, all);
        [
            TensorData::new(found.log_odds, log_odds.shape().clone()),
            TensorData::new(found.s, s.shape().clone()),
            TensorData::new(found.y, y.shape().clone()),
        ]
    }
    let device = y.device();
    let (log_odds, s, y, g) = (read::<B>(log_odds), read::<B>(s), read::<B>(y), read::<B>(g));
    let sizes = shape(&s, &y, antennas, sweeps, noise_var);
    let (inputs, record) = ([&log_odds, &s, &y, &g], record.0.as_deref());
    let out = match y.dtype() {
        DType::F64 => typed::<f64>(inputs, sizes, record, all),
        _ => typed::<f32>(inputs, sizes, record, all),
    };
    out.map(|data| B::float_from_data(data, &device)).into()
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
    fn the_host_body_is_the_specification() {
        let (m, n, l) = (3, 9, 4);
        // Likely and unlikely devices: some powers end at 0, some at 1, some between. Few frames and many take vectors of
        // different widths.
        for (scale, frames) in [(0.0, 5), (1.5, 3), (1.5, 13), (4.0, 5)] {
            let inputs =
                || (numbers(1, [1, n], scale), numbers(2, [2 * l, n], 1.0), numbers(3, [frames * m, 2 * l], 2.0));
            let (a, b, c) = inputs();
            let fast: Vec<f64> = read::<Flex>(on_host::<Flex>(a, b, c, m, 6, 0.3)).iter::<f64>().collect();
            let (a, b, c) = inputs();
            let spec: Vec<f64> = read::<Flex>(coordinate_sweep::<Flex>(a, b, c, m, 6, 0.3)).iter::<f64>().collect();
            for (a, b) in fast.iter().zip(&spec) {
                assert!((a - b).abs() < 1e-9, "{scale}: {a} {b}");
            }
            assert!(fast.contains(&0.0) && fast.iter().any(|v| *v > 0.0 && *v < 1.0), "{fast:?}");
        }
    }
    #[test]
    fn the_record_changes_nothing() {
        let (frames, m, n, l) = (6, 3, 9, 5);
        let inputs = || (numbers(1, [1, n], 1.5), numbers(2, [2 * l, n], 1.0), numbers(3, [frames * m, 2 * l], 2.0));
        let (a, b, c) = inputs();
        let plain = read::<Flex>(on_host::<Flex>(a, b, c, m, 6, 0.3));
        let (a, b, c) = inputs();
        let (out, record) = on_host_recorded::<Flex>(a, b, c, m, 6, 0.3);
        assert!(record.0.is_some());
        assert_eq!(plain, read::<Flex>(out));
        let gradients = |record: SweepRecord| {
            let ((a, b, c), g) = (inputs(), numbers(4, [frames, n], 1.0));
            let (a, b, c) = backward_on_host::<Flex>(a, b, c, g, m, 6, 0.3, record, true);
            [a, b, c].map(read::<Flex>)
        };
        assert_eq!(gradients(record), gradients(SweepRecord::default()));
    }
}
