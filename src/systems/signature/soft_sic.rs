//! Model-driven SICNN: soft interference cancellation with LMMSE estimates, every stage corrected by an MLP.
//!
//! A stage treats one user. With the means m and variances v of all symbols so far, `C = sum_j v_j g_j g_j^H + sigma2 I`
//! and the residual `e = y - sum_j m_j g_j`, the LMMSE estimate of the user's symbol with the interference of the others
//! is `r = m_n + g_n^H C^-1 e / a`, `a = g_n^H C^-1 g_n`, with error variance `1/k`, `k = a/(1 - v_n a)`. The posterior
//! over idle and the C symbols is `prior(x) exp(-k |r - x|^2)`; the MLP scales `k` (where the interference is not Gaussian
//! the stage is over-confident) and adds a correction to the logits; mean and variance of the posterior replace `m_n`, `v_n`, and `C^-1` follows by one rank-one update. Users are treated in the
//! order of their first LMMSE variance, smallest first, `rounds` times. With an MLP output of zero, where training
//! starts, this is the classical `soft-sic`.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::link::Observed;
use crate::link::{C64, StreamKey};
use crate::systems::dense::Mlp;

/// Smallest `1 - v a`: k stays finite in single precision.
const TINY: f64 = 1e-6;

/// The unrolled receiver.
#[derive(Module, Debug)]
pub struct SoftSic {
    /// MLP of stage `round * N + position`, where position counts in the order of treatment.
    pub stages: Vec<Mlp>,
}

/// Inputs of the MLP of a stage.
pub fn features(users: usize) -> usize {
    // r (2), ln k, prior log odds, residual energy; per user: mean (2), variance, energy, leakage into r (2).
    5 + 6 * users
}

/// State of all frames between stages; user dimensions are in the order of treatment.
struct State {
    /// `g`, `[N, 2H, F]`.
    g: Tensor<3>,
    /// `i g`: the real matrix form of a complex vector has it as its second column.
    turned: Tensor<3>,
    /// Log prior odds of activity, `[N, F]`.
    prior: Tensor<2>,
    /// Means `[N, F]` each and variances `[N, F]`, one row per user.
    mean: [Vec<Tensor<2>>; 2],
    variance: Vec<Tensor<2>>,
    /// Inverse covariance in real form, `[2H, 2H, F]`.
    inverse: Tensor<3>,
    /// Residual, `[2H, F]`.
    residual: Tensor<2>,
}

/// `i g` in stacked parts.
fn turn(g: Tensor<3>) -> Tensor<3> {
    let [_, two_h, _] = g.dims();
    let (re, im) = (g.clone().narrow(1, 0, two_h / 2), g.narrow(1, two_h / 2, two_h / 2));
    Tensor::cat(vec![im.neg(), re], 1)
}

/// `[2H, F]` of user n.
fn column(t: &Tensor<3>, n: usize) -> Tensor<2> {
    let [_, two_h, f] = t.dims();
    t.clone().narrow(0, n, 1).reshape([two_h, f])
}

impl State {
    /// `u = C^-1 g_n`, `[2H, F]`, and `a = g_n^H u`, `[1, F]`.
    fn filter(&self, n: usize) -> (Tensor<2>, Tensor<2>) {
        let g = column(&self.g, n);
        let [two_h, f] = g.dims();
        let u = (self.inverse.clone() * g.clone().reshape([1, two_h, f])).sum_dim(1).reshape([two_h, f]);
        let a = (g * u.clone()).sum_dim(0);
        (u, a)
    }

    /// `C += delta g_n g_n^H` in the inverse (Sherman-Morrison); `delta [1, F]`.
    fn update(&mut self, u: Tensor<2>, a: Tensor<2>, delta: Tensor<2>) {
        let [two_h, f] = u.dims();
        let scale = delta.clone() / (delta * a + 1.0).clamp_min(TINY);
        let turned = turn(u.clone().reshape([1, two_h, f])).reshape([two_h, f]);
        let outer = |v: Tensor<2>| (v.clone() * scale.clone()).reshape([two_h, 1, f]) * v.reshape([1, two_h, f]);
        self.inverse = self.inverse.clone() - (outer(u) + outer(turned));
    }
}

/// Inner products `v^H w` of one vector `[2H, F]` with all rows of `[N, 2H, F]`, real parts: `[N, F]`.
fn products(v: &Tensor<2>, rows: &Tensor<3>) -> Tensor<2> {
    let [n, two_h, f] = rows.dims();
    (rows.clone() * v.clone().reshape([1, two_h, f])).sum_dim(1).reshape([n, f])
}

/// What the prior and the alphabet are.
#[derive(Debug, Clone)]
pub struct Alphabet {
    /// Activation probabilities, `[N]`.
    pub prob: Vec<f64>,
    /// Symbols.
    pub symbols: Vec<C64>,
}

impl SoftSic {
    /// Fresh weights with outputs of zero.
    pub fn init(
        key: &StreamKey,
        users: usize,
        symbols: usize,
        rounds: usize,
        hidden: &[usize],
        device: &Device,
    ) -> Self {
        let widths = [&[features(users)], hidden, &[symbols + 2]].concat();
        let stages = (0..rounds * users).map(|i| Mlp::init(key, i as u64, &widths, true, device)).collect();
        Self { stages }
    }

    /// Logits of the symbols against idle after every round, `[N, C, F]` each, users in their own order.
    pub fn forward(&self, o: &Observed, alphabet: &Alphabet) -> Vec<Tensor<3>> {
        let n = alphabet.prob.len();
        let (mut state, order) = start(o, alphabet);
        let [_, two_h, f] = state.g.dims();
        let energy = products_of_self(&state.g);
        let mut logits: Vec<Tensor<2>> = Vec::new();
        let mut rounds = Vec::new();
        let back = order.clone().argsort(0);
        for round in 0..self.stages.len() / n {
            for i in 0..n {
                let (u, a) = state.filter(i);
                let share = (state.variance[i].clone() * a.clone()).neg().add_scalar(1.0).clamp_min(TINY);
                let k = a.clone() / share;
                let g_u = products(&u, &state.g) / a.clone();
                let turned_u = products(&u, &state.turned) / a.clone();
                let rr = state.mean[0][i].clone() + (u.clone() * state.residual.clone()).sum_dim(0) / a.clone();
                let turned = turn(u.clone().reshape([1, two_h, f])).reshape([two_h, f]);
                let ri = state.mean[1][i].clone() + (turned * state.residual.clone()).sum_dim(0) / a.clone();
                let prior = state.prior.clone().narrow(0, i, 1);
                let excess =
                    state.residual.clone().powi_scalar(2).sum_dim(0) / (o.noise_var.clone() * (two_h as f64 / 2.0));
                let inputs = Tensor::cat(
                    vec![
                        rr.clone(),
                        ri.clone(),
                        k.clone().log() * 0.25,
                        prior.clone(),
                        (excess + 1.0).log() * 0.25,
                        Tensor::cat(state.mean[0].clone(), 0),
                        Tensor::cat(state.mean[1].clone(), 0),
                        Tensor::cat(state.variance.clone(), 0),
                        (energy.clone() / o.noise_var.clone() + 1e-6).log() * 0.1,
                        g_u.clamp(-4.0, 4.0),
                        turned_u.clamp(-4.0, 4.0),
                    ],
                    0,
                );
                let correction = self.stages[round * n + i].forward(inputs);
                let scale = correction.clone().narrow(0, alphabet.symbols.len() + 1, 1).clamp(-6.0, 2.0).exp();
                let l = posterior_logits(&rr, &ri, &(k * scale), &prior, alphabet, correction);
                let (mr, mi, v) = moments(&l, alphabet);
                let g = column(&state.g, i);
                let ig = column(&state.turned, i);
                let (dr, di) = (mr.clone() - state.mean[0][i].clone(), mi.clone() - state.mean[1][i].clone());
                state.residual = state.residual.clone() - (g * dr + ig * di);
                let delta = v.clone() - state.variance[i].clone();
                state.update(u, a, delta);
                state.mean[0][i] = mr;
                state.mean[1][i] = mi;
                state.variance[i] = v;
                if round == 0 { logits.push(l) } else { logits[i] = l }
            }
            let c = alphabet.symbols.len();
            let sorted: Tensor<3> = Tensor::stack(logits.clone(), 0);
            rounds.push(sorted.gather(0, back.clone().reshape([n, 1, f]).expand([n, c, f])));
        }
        rounds
    }
}

/// `||g_n||^2`, `[N, F]`.
fn products_of_self(g: &Tensor<3>) -> Tensor<2> {
    let [n, _, f] = g.dims();
    g.clone().powi_scalar(2).sum_dim(1).reshape([n, f])
}

/// Prior means and variances, the inverse covariance, and users sorted by their first error variance.
fn start(o: &Observed, alphabet: &Alphabet) -> (State, Tensor<2, Int>) {
    let [n, two_h, f] = o.g.dims();
    let device = o.g.device();
    let prob: Vec<f32> = alphabet.prob.iter().map(|p| *p as f32).collect();
    let prob: Tensor<2> = Tensor::<2>::from_data(TensorData::new(prob, [n, 1]), &device).expand([n, f]);
    let eye = Tensor::<2>::eye(two_h, &device).reshape([two_h, two_h, 1]).expand([two_h, two_h, f]);
    let mut state = State {
        turned: turn(o.g.clone()),
        g: o.g.clone(),
        prior: prob.clone(),
        mean: [Vec::new(), Vec::new()],
        variance: Vec::new(),
        inverse: eye / o.noise_var.clone().reshape([1, 1, f]),
        residual: o.y.clone(),
    };
    for i in 0..n {
        let (u, a) = state.filter(i);
        state.update(u, a, prob.clone().narrow(0, i, 1));
    }
    // k = a/(1 - p a), error variance 1/k - p: smallest first is largest k (1/k - p grows with 1/k at fixed p).
    let error: Vec<Tensor<2>> = (0..n)
        .map(|i| {
            let (_, a) = state.filter(i);
            let p = prob.clone().narrow(0, i, 1);
            (p.clone() * a.clone()).neg().add_scalar(1.0).clamp_min(TINY) / a
        })
        .collect();
    let order: Tensor<2, Int> = Tensor::cat(error, 0).detach().argsort(0);
    let by = order.clone().reshape([n, 1, f]).expand([n, two_h, f]);
    state.g = state.g.gather(0, by.clone());
    state.turned = state.turned.gather(0, by);
    let p = prob.gather(0, order.clone());
    let row = |t: &Tensor<2>, i: usize| t.clone().narrow(0, i, 1);
    state.variance = (0..n).map(|i| row(&p, i)).collect();
    let zero = Tensor::zeros([1, f], &device);
    state.mean = [vec![zero.clone(); n], vec![zero; n]];
    // Users that are certainly active have no idle state; a large finite number stands for it.
    state.prior = (p.clone() / p.neg().add_scalar(1.0).clamp_min(1e-6)).log();
    (state, order)
}

/// `ln prior(c) - k |r - x_c|^2` against idle, plus the correction of the symbols minus that of idle, `[C, F]`.
fn posterior_logits(
    rr: &Tensor<2>,
    ri: &Tensor<2>,
    k: &Tensor<2>,
    prior: &Tensor<2>,
    alphabet: &Alphabet,
    correction: Tensor<2>,
) -> Tensor<2> {
    let c = alphabet.symbols.len();
    let share = (c as f64).ln();
    let logits = alphabet
        .symbols
        .iter()
        .map(|x| {
            let fit = (rr.clone() * (2.0 * x.re) + ri.clone() * (2.0 * x.im)).sub_scalar(x.norm_sqr());
            fit * k.clone() + prior.clone().sub_scalar(share)
        })
        .collect();
    Tensor::cat(logits, 0) + correction.clone().narrow(0, 0, c) - correction.narrow(0, c, 1)
}

/// Mean (two parts) and variance of the posterior, `[1, F]` each.
fn moments(logits: &Tensor<2>, alphabet: &Alphabet) -> (Tensor<2>, Tensor<2>, Tensor<2>) {
    let device = logits.device();
    let c = alphabet.symbols.len();
    let weighted = |w: &dyn Fn(&C64) -> f64, p: &Tensor<2>| {
        let data: Vec<f32> = alphabet.symbols.iter().map(|x| w(x) as f32).collect();
        (p.clone() * Tensor::<2>::from_data(TensorData::new(data, [c, 1]), &device)).sum_dim(0)
    };
    let top = logits.clone().detach().max_dim(0).clamp_min(0.0);
    let e = (logits.clone() - top.clone()).exp();
    let p = e.clone() / (e.sum_dim(0) + top.neg().exp());
    let (mr, mi) = (weighted(&|x| x.re, &p), weighted(&|x| x.im, &p));
    let square = weighted(&|x| x.norm_sqr(), &p);
    let v = (square - mr.clone().powi_scalar(2) - mi.clone().powi_scalar(2)).clamp_min(0.0);
    (mr, mi, v)
}
