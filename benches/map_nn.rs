//! One MAP-NN training step (batch 32, U = 55 sweeps, N = 100, L = 12, M = 4): the fused coordinate descent with its
//! hand-written backward pass beside the same written step by step in burn operations, in one run.
//!
//! `benches/peers/compare.py --cases map-nn` has the whole step beside PyTorch's. A naive step takes seconds: plain timing, best of a few.

mod support;

use std::time::Instant;

use burn::tensor::{Device, Tensor, TensorData};
use grantfree::link::Split;
use grantfree::scenario::Scenario;
use grantfree::scenario::ScenarioConfig;
use grantfree::systems::access::{FrameTensors, Labels, cross_entropy};
use grantfree::systems::autoencoder::AutoEncoderTask;
use grantfree::systems::autoencoder::{DecoderConfig, DecoderForm};
use grantfree::tensor::coordinate_sweep;
use grantfree::training::TrainTask;
use grantfree::training::TrainingConfig;

const BATCH: usize = 32;
const SWEEPS: usize = 55;

/// Coordinate descent in burn tensor operations, all frames at once, one device after the other.
fn naive(log_odds: Tensor<2>, s: Tensor<2>, y: Tensor<2>, antennas: usize, sweeps: usize) -> Tensor<2> {
    let ([two_l, n], [rows, _]) = (s.dims(), y.dims());
    let (l, f) = (two_l / 2, rows / antennas);
    let device = y.device();
    let y = y.reshape([f, antennas, two_l]);
    let (yr, yi) = (y.clone().narrow(2, 0, l), y.narrow(2, l, l).neg());
    let mut pr = Tensor::<2>::eye(l, &device).reshape([1, l, l]).expand([f, l, l]);
    let mut pi = Tensor::<3>::zeros([f, l, l], &device);
    let mut alpha: Vec<Tensor<3>> = (0..n).map(|_| Tensor::zeros([f, 1, 1], &device)).collect();
    let column = |from: usize, i: usize| s.clone().narrow(0, from, l).narrow(1, i, 1).reshape([1, l, 1]);
    for _ in 0..sweeps {
        for (i, alpha) in alpha.iter_mut().enumerate() {
            let (ar, ai) = (column(0, i).expand([f, l, 1]), column(l, i).expand([f, l, 1]));
            let vr = pr.clone().matmul(ar.clone()) - pi.clone().matmul(ai.clone());
            let vi = pr.clone().matmul(ai.clone()) + pi.clone().matmul(ar.clone());
            let e = (ar * vr.clone() + ai * vi.clone()).sum_dim(1);
            let wr = yr.clone().matmul(vr.clone()) - yi.clone().matmul(vi.clone());
            let wi = yr.clone().matmul(vi.clone()) + yi.clone().matmul(vr.clone());
            let q = (wr.clone() * wr + wi.clone() * wi).sum_dim(1) / antennas as f64;
            let odds = log_odds.clone().narrow(1, i, 1).reshape([1, 1, 1]) * (4.0 / antennas as f64);
            let root = (e.clone() * e.clone() - q.clone() * odds).clamp_min(1e-12).sqrt();
            let d = (q * 2.0 / (e.clone() + root) - 1.0) / e.clone();
            let next = (alpha.clone() + d).clamp(0.0, 1.0);
            let d = next.clone() - alpha.clone();
            *alpha = next;
            let c = d.clone() / (d * e + 1.0);
            let (hr, hi) = (vr.clone().swap_dims(1, 2), vi.clone().swap_dims(1, 2));
            let re = vr.clone().matmul(hr.clone()) + vi.clone().matmul(hi.clone());
            let im = vi.matmul(hr) - vr.matmul(hi);
            pr = pr - re * c.clone();
            pi = pi - im * c;
        }
    }
    Tensor::cat(alpha, 1).reshape([f, n])
}

struct Inputs {
    odds: Tensor<2>,
    s: Tensor<2>,
    frames: FrameTensors,
    sent: Tensor<2>,
}

fn inputs(scenario: &ScenarioConfig, device: &Device) -> Inputs {
    let train = Scenario::new(scenario, 1, Split::Train).expect("no files");
    let draws = train.realize(0, BATCH);
    let batch = draws.observe(&train.pilots(0)).expect("the pilots fit");
    let frames = FrameTensors::from_frames(&batch, device);
    let s =
        grantfree::tensor::complex::stack_pilots(&train.pilots(0), device) * frames.beta.clone().narrow(0, 0, 1).sqrt();
    let odds = Tensor::from_data(TensorData::new(vec![-(9.0_f32.ln()); 100], [1, 100]), &device.clone().autodiff());
    Inputs { odds: odds.require_grad(), s, frames, sent: Labels::one_hot(&draws, 1, device) }
}

type Sweep = fn(Tensor<2>, Tensor<2>, Tensor<2>, usize, usize) -> Tensor<2>;

/// Loss and gradient of the prior for one batch.
fn step(i: &Inputs, sweep: Sweep) -> (Vec<f32>, Vec<f32>) {
    let alpha = sweep(i.odds.clone(), i.s.clone(), i.frames.y.clone(), i.frames.antennas, SWEEPS);
    let loss = cross_entropy((alpha.clone() - 0.5) * 8.0, i.sent.clone(), 1);
    let gradient = i.odds.grad(&loss.backward()).expect("the prior is tracked");
    let read = |t: Tensor<2>| t.into_data().convert::<f32>().try_into_vec().expect("floats");
    (read(alpha), read(gradient))
}

/// Best of `times` calls in milliseconds.
fn best(times: usize, mut call: impl FnMut()) -> f64 {
    let one = |call: &mut dyn FnMut()| {
        let begin = Instant::now();
        call();
        begin.elapsed().as_secs_f64() * 1e3
    };
    (0..times).map(|_| one(&mut call)).fold(f64::INFINITY, f64::min)
}

fn main() {
    let scenario = support::unit_gain(100, 4, 12);
    let (name, device) = support::devices().into_iter().next().expect("a build has at least one CPU backend");
    let i = inputs(&scenario, &device);
    let fused: Sweep = |o, s, y, m, u| coordinate_sweep(o, s, y, m, u, 1.0);
    let (a, b) = (step(&i, fused), step(&i, naive));
    let gap = |a: &[f32], b: &[f32]| {
        let norm = |v: &mut dyn Iterator<Item = f32>| v.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / norm(&mut b.iter().copied())
    };
    println!(
        "{name}: difference of powers {:.1e}, of gradients {:.1e} (f64 against f32)",
        gap(&a.0, &b.0),
        gap(&a.1, &b.1)
    );
    let ours = best(10, || drop(step(&i, fused)));
    let theirs = best(2, || drop(step(&i, naive)));
    println!("forward and backward, fused: {ours:.1} ms");
    println!("forward and backward, burn operations: {theirs:.0} ms, {:.1} times as long", theirs / ours);
    let decoder = DecoderConfig { form: DecoderForm::Map, ..DecoderConfig::default() };
    let training = TrainingConfig { batch: BATCH, validation_frames: 1, ..TrainingConfig::default() };
    let task = AutoEncoderTask::new("bench", &scenario, 1, &decoder, &training, &device).expect("no files");
    let phase = task.phases()[0].clone();
    let (net, frames) = (task.init(), task.batch(0, &phase).expect("no files"));
    let whole = best(10, || drop(task.loss(&net, &frames, &phase).backward()));
    println!("MAP-NN with its three dense corrections, loss and backward: {whole:.1} ms");
}
