//! The fused kernels against the same mathematics in burn tensor operations, forward and with the backward pass, in one
//! run (128 frames, N = 100, Q = 2, M = 16, L = 40: a training batch of figure 7).
//!
//! The baseline is what a model would be written with if the kernels did not exist. Both are compared before they are
//! measured; the last line of a pair is their ratio.

mod support;

use std::cell::Cell;
use std::hint::black_box;
use std::time::Instant;

use burn::tensor::{Device, Tensor, TensorData};
use grantfree::tensor::{
    ShrinkRule, coordinate_sweep, covariance_filter, covariance_score, group_shrink, row_dot, row_onsager, row_scale,
    row_shrink, section_posterior,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use support::timing::{Bench, Timer};

const FRAMES: usize = 128;
const ANTENNAS: usize = 16;
const LENGTH: usize = 40;
const SECTION: usize = 2;
const COLUMNS: usize = 100 * SECTION;

/// The kernels in burn tensor operations, on the same stacked layout.
mod composed {
    use super::{ANTENNAS, COLUMNS, FRAMES, LENGTH, ShrinkRule, Tensor, section_posterior};

    /// `[F*M, 2K]` as real and imaginary planes `[F, M, K]`.
    fn planes(t: Tensor<2>, antennas: usize) -> (Tensor<3>, Tensor<3>) {
        let [rows, width] = t.dims();
        let t = t.reshape([rows / antennas, antennas, width]);
        (t.clone().narrow(2, 0, width / 2), t.narrow(2, width / 2, width / 2))
    }

    /// Planes back to `[F*M, 2K]`.
    fn stack(re: Tensor<3>, im: Tensor<3>) -> Tensor<2> {
        let [frames, antennas, k] = re.dims();
        Tensor::cat(vec![re, im], 2).reshape([frames * antennas, 2 * k])
    }

    pub fn row_dot(a: Tensor<2>, b: Tensor<2>, antennas: usize) -> Tensor<2> {
        (a * b).reshape([FRAMES, antennas, 2, COLUMNS]).sum_dim(1).sum_dim(2).reshape([FRAMES, COLUMNS])
    }

    pub fn row_scale(z: Tensor<2>, c: Tensor<2>, antennas: usize) -> Tensor<2> {
        let [rows, width] = z.dims();
        (z.reshape([FRAMES, antennas, 2, COLUMNS]) * c.reshape([FRAMES, 1, 1, COLUMNS])).reshape([rows, width])
    }

    pub fn group_shrink(z: Tensor<2>, tau: Tensor<2>, antennas: usize) -> Tensor<2> {
        let norm = row_dot(z.clone(), z.clone(), antennas).sqrt();
        row_scale(z, ((tau / norm).neg() + 1.0).clamp_min(0.0), antennas)
    }

    pub fn row_onsager(z: Tensor<2>, t: Tensor<2>, r: Tensor<2>, antennas: usize) -> Tensor<2> {
        let (ar, ai) = planes(row_scale(z.clone(), t, antennas), antennas);
        let (br, bi) = planes(z, antennas);
        let (br, bi) = (br.swap_dims(1, 2), bi.swap_dims(1, 2));
        let jr = ar.clone().matmul(br.clone()) + ai.clone().matmul(bi.clone());
        let ji = ai.matmul(br) - ar.matmul(bi);
        let (rr, ri) = planes(r, antennas);
        stack(jr.clone().matmul(rr.clone()) - ji.clone().matmul(ri.clone()), jr.matmul(ri) + ji.matmul(rr))
    }

    /// Leave-one-out statistics at noise variance 1: burn has no factorisation, so Gaussian elimination turns
    /// `[Sigma, S, Y]` into `[L^H, L^-1 S, L^-1 Y]`, a row at a time.
    pub fn covariance_score(gamma: Tensor<2>, s: Tensor<2>, y: Tensor<2>) -> Tensor<2> {
        let (l, width) = (LENGTH, LENGTH + COLUMNS + ANTENNAS);
        let plane = |from: usize| s.clone().narrow(0, from, l);
        let (sr, si) = (plane(0), plane(l));
        let weigh = |t: &Tensor<2>| {
            let weighted = t.clone().reshape([1, l, COLUMNS]) * gamma.clone().reshape([FRAMES, 1, COLUMNS]);
            weighted.reshape([FRAMES * l, COLUMNS])
        };
        let (wr, wi) = (weigh(&sr), weigh(&si));
        let sigma_re = wr.clone().matmul(sr.clone().transpose()) + wi.clone().matmul(si.clone().transpose());
        let sigma_im = wi.matmul(sr.clone().transpose()) - wr.matmul(si.clone().transpose());
        let noise = Tensor::<2>::eye(l, &y.device()).reshape([1, l, l]);
        let (yr, yi) = planes(y, ANTENNAS);
        let augmented = |sigma: Tensor<3>, s: Tensor<2>, y: Tensor<3>| {
            Tensor::cat(vec![sigma, s.reshape([1, l, COLUMNS]).expand([FRAMES, l, COLUMNS]), y.swap_dims(1, 2)], 2)
        };
        let mut re = augmented(sigma_re.reshape([FRAMES, l, l]) + noise, sr, yr);
        let mut im = augmented(sigma_im.reshape([FRAMES, l, l]), si, yi);
        let (mut rows_re, mut rows_im) = (Vec::new(), Vec::new());
        for i in 0..l {
            let (left, rest) = (l - i - 1, width - i - 1);
            let root = re.clone().narrow(1, 0, 1).narrow(2, 0, 1).sqrt();
            let row = |t: &Tensor<3>| t.clone().narrow(1, 0, 1).narrow(2, 1, rest) / root.clone();
            let (row_re, row_im) = (row(&re), row(&im));
            let known = |t: &Tensor<3>| t.clone().narrow(2, left, COLUMNS + ANTENNAS);
            rows_re.push(known(&row_re));
            rows_im.push(known(&row_im));
            if left > 0 {
                let column = |t: &Tensor<3>| t.clone().narrow(1, 1, left).narrow(2, 0, 1) / root.clone();
                let (column_re, column_im) = (column(&re), column(&im));
                let below = |t: Tensor<3>| t.narrow(1, 1, left).narrow(2, 1, rest);
                re = below(re) - column_re.clone() * row_re.clone() + column_im.clone() * row_im.clone();
                im = below(im) - column_re * row_im - column_im * row_re;
            }
        }
        let (re, im) = (Tensor::cat(rows_re, 1), Tensor::cat(rows_im, 1));
        let (wr, wi) = (re.clone().narrow(2, 0, COLUMNS), im.clone().narrow(2, 0, COLUMNS));
        let (vr, vi) = (re.narrow(2, COLUMNS, ANTENNAS), im.narrow(2, COLUMNS, ANTENNAS));
        let square = |a: Tensor<3>, b: Tensor<3>| a.clone() * a + b.clone() * b;
        let c = square(wr.clone(), wi.clone()).sum_dim(1).reshape([FRAMES, COLUMNS]);
        let (ar, ai) = (wr.swap_dims(1, 2), wi.swap_dims(1, 2));
        let dr = ar.clone().matmul(vr.clone()) + ai.clone().matmul(vi.clone());
        let di = ar.matmul(vi) - ai.matmul(vr);
        let e = square(dr, di).sum_dim(2).reshape([FRAMES, COLUMNS]);
        let r = (gamma * c.clone()).neg() + 1.0;
        Tensor::cat(vec![c / r.clone(), e / (r.clone() * r)], 1)
    }

    /// Denoised rows and Onsager product.
    pub fn row_shrink(z: Tensor<2>, r: Tensor<2>, rule: ShrinkRule, antennas: usize) -> (Tensor<2>, Tensor<2>) {
        let [rows, width] = r.dims();
        let energy = row_dot(z.clone(), z.clone(), antennas);
        let llr = rule.slope.clone() * energy - rule.offset;
        let posterior = section_posterior(llr + rule.log_prior, rule.section);
        let weight = posterior.clone() * rule.gain;
        let curvature = weight.clone() * rule.slope * (posterior.neg() + 1.0);
        let trace = weight.clone().sum_dim(1).reshape([FRAMES, 1, 1]);
        let scaled = (r.clone().reshape([FRAMES, antennas, width]) * trace).reshape([rows, width]);
        let onsager = row_onsager(z.clone(), curvature, r, antennas) + scaled;
        (row_scale(z, weight, antennas), onsager)
    }
}

/// Operands of one layer.
#[derive(Clone)]
struct Layer {
    z: Tensor<2>,
    r: Tensor<2>,
    t: Tensor<2>,
    rule: ShrinkRule,
}

fn normal(seed: u64, shape: [usize; 2], device: &Device) -> Tensor<2> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let data: Vec<f32> = (0..shape[0] * shape[1]).map(|_| StandardNormal.sample(&mut rng)).collect();
    Tensor::from_data(TensorData::new(data, shape), device)
}

impl Layer {
    fn new(device: &Device) -> Self {
        let per_sequence = |seed| normal(seed, [FRAMES, COLUMNS], device);
        let gain = (per_sequence(3) * 0.5).exp();
        Self {
            z: normal(1, [FRAMES * ANTENNAS, 2 * COLUMNS], device),
            r: normal(2, [FRAMES * ANTENNAS, 2 * LENGTH], device),
            t: per_sequence(4),
            rule: ShrinkRule {
                gain: gain.clone() / (gain.clone() + 1.0),
                slope: gain.clone() / (gain.clone() + 1.0),
                offset: (gain + 1.0).log() * ANTENNAS as f64,
                log_prior: Tensor::full([1, 1], -2.9, device),
                section: SECTION,
                matrix_onsager: true,
            },
        }
    }

    /// The same with z and r tracked.
    fn tracked(&self, device: &Device) -> Self {
        let leaf = |t: &Tensor<2>| Tensor::from_data(t.to_data(), &device.clone().autodiff()).require_grad();
        Self { z: leaf(&self.z), r: leaf(&self.r), t: leaf(&self.t), rule: self.rule.clone() }
    }
}

/// A kernel or its baseline: the outputs of one call, joined to one tensor.
type Body = fn(Layer) -> Tensor<2>;

const PAIRS: [(&str, Body, Body); 5] = [
    ("row_dot", |l| row_dot(l.z.clone(), l.z, ANTENNAS), |l| composed::row_dot(l.z.clone(), l.z, ANTENNAS)),
    ("row_scale", |l| row_scale(l.z, l.t, ANTENNAS), |l| composed::row_scale(l.z, l.t, ANTENNAS)),
    (
        "group_shrink",
        |l| group_shrink(l.z, l.t.abs() * 4.0, ANTENNAS),
        |l| composed::group_shrink(l.z, l.t.abs() * 4.0, ANTENNAS),
    ),
    ("row_onsager", |l| row_onsager(l.z, l.t, l.r, ANTENNAS), |l| composed::row_onsager(l.z, l.t, l.r, ANTENNAS)),
    (
        "row_shrink",
        |l| {
            let out = row_shrink(l.z, l.r, l.rule, ANTENNAS);
            Tensor::cat(vec![out.x, out.onsager], 1)
        },
        |l| {
            let (x, onsager) = composed::row_shrink(l.z, l.r, l.rule, ANTENNAS);
            Tensor::cat(vec![x, onsager], 1)
        },
    ),
];

/// The best time per call of a row, for ratios between rows of one run.
#[derive(Default)]
struct Best(Cell<Option<f64>>);

impl Best {
    /// Runs a row and remembers its best sample.
    fn iter<O>(&self, timer: &mut Timer, mut call: impl FnMut() -> O) {
        timer.iter_custom(|times| {
            let begin = Instant::now();
            for _ in 0..times {
                black_box(call());
            }
            let elapsed = begin.elapsed();
            let seconds = elapsed.as_secs_f64() / times as f64;
            self.0.set(Some(self.0.get().map_or(seconds, |best| best.min(seconds))));
            elapsed
        });
    }

    /// Prints how long `other` takes in units of this row; nothing when a filter left one of the two out.
    fn print_ratio(&self, what: &str, other: &Self) {
        if let (Some(mine), Some(theirs)) = (self.0.get(), other.0.get()) {
            let (ratio, mine, theirs) = (theirs / mine, mine * 1e3, theirs * 1e3);
            println!("{what}: burn operations take {ratio:.2} times as long ({theirs:.3} ms against {mine:.3} ms)\n");
        }
    }
}

/// A value that depends on all of a tensor: reading it waits for the device.
fn finish(t: Tensor<2>) -> f32 {
    t.sum().into_scalar::<f32>()
}

/// Gradient of z after a backward pass of the squared outputs.
fn gradient(layer: Layer, body: Body) -> Tensor<2> {
    let z = layer.z.clone();
    let out = body(layer);
    let grads = (out.clone() * out).sum().backward();
    z.grad(&grads).expect("z is tracked")
}

fn relative(a: Tensor<2>, b: Tensor<2>) -> f32 {
    let norm = |t: Tensor<2>| (t.clone() * t).sum().sqrt().into_scalar::<f32>();
    norm(a - b.clone()) / norm(b)
}

/// Measures a kernel beside its baseline, `[fused, burn]` each, after comparing their results.
fn pair(c: &mut Bench, name: &str, forward: [&dyn Fn() -> Tensor<2>; 2], backward: [&dyn Fn() -> Tensor<2>; 2]) {
    assert!(relative(forward[0](), forward[1]()) < 1e-4, "{name}");
    assert!(relative(backward[0](), backward[1]()) < 1e-4, "gradient of {name}");
    let mut group = c.group(name);
    let mut best = Vec::new();
    for (what, bodies) in [("forward", forward), ("forward and backward", backward)] {
        for (kind, body) in ["fused", "burn"].into_iter().zip(bodies) {
            let row = Best::default();
            group.row(format!("{what}, {kind}"), |b| row.iter(b, || finish(body())));
            best.push(row);
        }
    }
    best[0].print_ratio(&format!("{name}, forward"), &best[1]);
    best[2].print_ratio(&format!("{name}, forward and backward"), &best[3]);
}

/// All but the backend that runs the specification, which is no fused kernel.
fn devices() -> impl Iterator<Item = (&'static str, Device)> {
    support::devices().into_iter().filter(|(name, _)| *name != "ndarray")
}

fn pairs(c: &mut Bench) {
    for (backend, device) in devices() {
        let layer = Layer::new(&device);
        let tracked = layer.tracked(&device);
        for (name, fused, primitives) in PAIRS {
            pair(
                c,
                &format!("{backend}/{name}"),
                [&|| fused(layer.clone()), &|| primitives(layer.clone())],
                [&|| gradient(tracked.clone(), fused), &|| gradient(tracked.clone(), primitives)],
            );
        }
    }
}

fn covariance(c: &mut Bench) {
    type Body = fn(Tensor<2>, Tensor<2>, Tensor<2>) -> Tensor<2>;
    let fused: Body = |gamma, s, y| covariance_score(gamma, s, y, ANTENNAS, 1.0);
    let primitives: Body = composed::covariance_score;
    for (backend, device) in devices() {
        let gamma = normal(5, [FRAMES, COLUMNS], &device).abs() * 0.1;
        let s = normal(6, [2 * LENGTH, COLUMNS], &device) * (0.5 / LENGTH as f64).sqrt();
        let y = normal(7, [FRAMES * ANTENNAS, 2 * LENGTH], &device);
        let leaf = |t: &Tensor<2>| Tensor::from_data(t.to_data(), &device.clone().autodiff()).require_grad();
        let (tracked_gamma, tracked_s) = (leaf(&gamma), leaf(&s));
        let gradient = |body: Body| {
            let out = body(tracked_gamma.clone(), tracked_s.clone(), y.clone());
            tracked_s.grad(&out.sum().backward()).expect("s is tracked")
        };
        pair(
            c,
            &format!("{backend}/covariance_score"),
            [&|| fused(gamma.clone(), s.clone(), y.clone()), &|| primitives(gamma.clone(), s.clone(), y.clone())],
            [&|| gradient(fused), &|| gradient(primitives)],
        );
    }
}

/// Kernels whose baseline takes seconds (`map_nn` measures one) or would repeat that of another row.
fn alone(c: &mut Bench) {
    for (backend, device) in devices() {
        let leaf = |t: &Tensor<2>| Tensor::from_data(t.to_data(), &device.clone().autodiff()).require_grad();
        let gamma = normal(5, [FRAMES, COLUMNS], &device).abs() * 0.1;
        let s = normal(6, [2 * LENGTH, COLUMNS], &device) * (0.5 / LENGTH as f64).sqrt();
        let y = normal(7, [FRAMES * ANTENNAS, 2 * LENGTH], &device);
        let (tracked_gamma, tracked_s) = (leaf(&gamma), leaf(&s));
        let mut group = c.group(&format!("{backend}/covariance_filter"));
        let filter =
            |gamma: &Tensor<2>, s: &Tensor<2>| covariance_filter(gamma.clone(), s.clone(), y.clone(), ANTENNAS, 1.0);
        group.row("forward, fused", |b| b.iter(|| finish(filter(&gamma, &s))));
        group.row("forward and backward, fused", |b| {
            b.iter(|| {
                let grads = filter(&tracked_gamma, &tracked_s).sum().backward();
                finish(tracked_s.grad(&grads).expect("s is tracked"))
            });
        });

        // A batch of MAP-NN: 32 frames, N = 100, L = 12, M = 4, 55 sweeps.
        let s = normal(8, [24, 100], &device) * 5.0_f64.sqrt();
        let y = normal(9, [32 * 4, 24], &device) * 8.0;
        let odds = Tensor::full([1, 100], -2.2, &device);
        let (tracked_odds, tracked_s) = (leaf(&odds), leaf(&s));
        let sweep = |odds: &Tensor<2>, s: &Tensor<2>| coordinate_sweep(odds.clone(), s.clone(), y.clone(), 4, 55, 1.0);
        let mut group = c.group(&format!("{backend}/coordinate_sweep"));
        group.row("forward, fused", |b| b.iter(|| finish(sweep(&odds, &s))));
        group.row("forward and backward of the prior, fused", |b| {
            b.iter(|| {
                let grads = sweep(&tracked_odds, &s).sum().backward();
                finish(tracked_odds.grad(&grads).expect("the prior is tracked"))
            });
        });
        group.row("forward and backward of all, fused", |b| {
            b.iter(|| {
                let grads = sweep(&tracked_odds, &tracked_s).sum().backward();
                finish(tracked_s.grad(&grads).expect("s is tracked"))
            });
        });
    }
}

fn main() {
    let mut bench = Bench::from_args();
    pairs(&mut bench);
    covariance(&mut bench);
    alone(&mut bench);
}
