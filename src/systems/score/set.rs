//! A prior of sets of users: the same for every order of the users, as they are exchangeable.
//!
//! A user is a row of M antennas. Convolutions run along the antennas only, so that each user is denoised by the same small
//! network; two means let the network know more: over the antennas of a user (its energy decides whether it is active) and
//! over all users (how many are). It estimates the noiseless matrix in the preconditioned form of Karras et al. (2022), with
//! `s^2` the power of a real part:
//!
//! `E[X | U] = s^2/(s^2 + sigma^2) U + s sigma/sqrt(s^2 + sigma^2) F(U/sqrt(s^2 + sigma^2), features)`, score = (E[X | U] - U)/sigma^2.
//!
//! With `domain = "beam"` the antennas of a user are turned into beams first (a unitary DFT) and back at the end: channels of few
//! paths are sparse there, and the gate weighs every beam for itself, by its energy.
//!
//! The features of a user are `ln(e/(2 sigma^2))` of the mean energy e of its entries, the log-likelihood ratio of a white
//! row of unit power against none, squashed, and `ln sigma`. Untrained, F is zero and the network a Wiener filter.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

use super::conv::{Conv, Init};
use super::function::{ScoreFunction, ScoreModel};
use crate::link::StreamKey;
use crate::systems::score::{ScoreArchitecture, ScoreConfig, ScoreDomain};
use crate::training::Rated;

/// Assumed power of a real part of X: a quarter of the users active with unit power. A constant of the parametrisation.
const POWER: f64 = 0.125;
/// Features besides the entries: three of the user, one of the entry (or beam).
const FEATURES: usize = 4;
/// Log-likelihood ratios are squashed beyond this size.
const SQUASH: f64 = 8.0;

/// One residual block.
#[derive(Module, Debug)]
pub struct SetBlock {
    /// Along the antennas.
    pub antennas: Conv,
    /// From the mean over the antennas of each user.
    pub user: Conv,
    /// From the mean over everything.
    pub all: Conv,
    /// Mixes the channels.
    pub mix: Conv,
}

impl SetBlock {
    fn init(init: &mut Init<'_>, width: usize, dilation: usize) -> Self {
        let mut conv = |kernel| Conv::init(init, [width, width], kernel, dilation, true);
        Self { antennas: conv([3, 1]), user: conv([1, 1]), all: conv([1, 1]), mix: conv([1, 1]) }
    }

    fn forward(&self, h: Tensor<4>) -> Tensor<4> {
        let per_user = h.clone().mean_dim(2);
        let everything = per_user.clone().mean_dim(3);
        let about = self.user.activated(per_user) + self.all.activated(everything);
        let seen = self.antennas.activated(h.clone()) + about;
        h + self.mix.activated(seen)
    }
}

/// The permutation-equivariant score network.
#[derive(Module, Debug)]
pub struct SetNet {
    /// Entries and features of every user -> width.
    pub begin_conv: Conv,
    /// Residual blocks.
    pub blocks: Vec<SetBlock>,
    /// width -> 1: what the entries (or beams) of each user are multiplied by.
    pub gate: Conv,
    /// width -> 2.
    pub end_conv: Conv,
    /// Whether the network sees beams in place of antennas.
    pub beams: bool,
}

/// Antennas to beams, `[B, 2, M, N]`: a unitary DFT of the M entries of every user; `inverse` leads back.
pub fn to_beams(x: Tensor<4>, inverse: bool) -> Tensor<4> {
    let [b, _, m, n] = x.dims();
    // Entries as stacked rows: real parts, then imaginary parts.
    let sign = if inverse { 1.0 } else { -1.0 };
    let scale = (m as f64).sqrt().recip();
    let entry = |i: usize| {
        let (row, column) = (i / (2 * m), i % (2 * m));
        let angle = sign * 2.0 * std::f64::consts::PI * ((row % m) * (column % m) % m) as f64 / m as f64;
        (scale
            * match (row < m, column < m) {
                (true, true) | (false, false) => angle.cos(),
                (true, false) => -angle.sin(),
                (false, true) => angle.sin(),
            }) as f32
    };
    let matrix = TensorData::new((0..4 * m * m).map(entry).collect::<Vec<f32>>(), [1, 2 * m, 2 * m]);
    let matrix = Tensor::<3>::from_data(matrix, (&x.device(), x.dtype()));
    matrix.expand([b, 2 * m, 2 * m]).matmul(x.reshape([b, 2 * m, n])).reshape([b, 2, m, n])
}

impl Rated for SetNet {}

impl ScoreModel for SetNet {
    const ARCHITECTURE: ScoreArchitecture = ScoreArchitecture::Set;

    fn init(config: &ScoreConfig, key: &StreamKey, device: &Device) -> Self {
        let init = &mut Init::new(key, device);
        let width = config.width;
        let begin_conv = Conv::init(init, [2 + FEATURES, width], [3, 1], 1, true);
        // Taps 1, 2 and 4 antennas apart in turn.
        let blocks = (0..config.depth).map(|i| SetBlock::init(init, width, 1 << (i % 3))).collect();
        Self {
            begin_conv,
            blocks,
            gate: Conv::zeros([width, 1], [1, 1], device),
            end_conv: Conv::zeros([width, 2], [3, 1], device),
            beams: config.domain == ScoreDomain::Beam,
        }
    }
}

impl ScoreFunction for SetNet {
    fn score(&self, x: Tensor<4>, sigma: Tensor<4>) -> Tensor<4> {
        let [b, _, m, n] = x.dims();
        let x = if self.beams { to_beams(x, false) } else { x };
        let variance = sigma.clone().powi_scalar(2);
        let total = variance.clone() + POWER;
        let scaled = x.clone() / total.clone().sqrt();
        // Energy of a complex entry over twice the variance of a real part, [B, 1, M, N], and its mean over the user.
        let ratio = x.clone().powi_scalar(2).sum_dim(1) / (variance.clone() * 2.0) + 1e-6;
        let mean = ratio.clone().mean_dim(2);
        let active = (variance.clone() * 2.0 + 1.0).recip();
        let idle = (variance * 2.0).recip() + 1.0;
        let llr = (mean.clone() * active - idle.log()) * m as f64;
        let llr = llr.clone() / (llr.abs() / SQUASH + 1.0) / SQUASH;
        let level = sigma.clone().log().expand([b, 1, 1, n]);
        let user = Tensor::cat(vec![mean.log() * 0.25, llr, level * 0.5], 1).expand([b, FEATURES - 1, m, n]);
        let mut h = self.begin_conv.forward(Tensor::cat(vec![scaled.clone(), user, ratio.log() * 0.25], 1));
        for block in &self.blocks {
            h = block.forward(h);
        }
        let f = self.end_conv.activated(h.clone()) + scaled * self.gate.activated(h);
        // ((s^2/(s^2 + sigma^2) - 1) x + s sigma/sqrt(s^2 + sigma^2) f)/sigma^2.
        let gain = (total.clone().sqrt() * sigma).recip() * POWER.sqrt();
        let score = f * gain - x / total;
        if self.beams { to_beams(score, true) } else { score }
    }

    fn parameters(&self) -> usize {
        self.num_params()
    }
}
