//! One type for all receivers, with or without learned signatures.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::encoder::Encoder;
use super::fcnn::{self, Fcnn};
use super::link::Observed;
use super::sicnn::{self, Sicnn};
use super::soft_sic::{Alphabet, SoftSic};
use crate::link::{Split, StreamKey};
use crate::scenario::symbols;
use crate::scenario::{Constellation, NomaConfig};
use crate::systems::signature::{ReceiverConfig, ReceiverForm};
use crate::training::{Rated, Rates};

/// Sizes that fix the shapes of a network.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Sizes {
    /// Users N.
    pub users: usize,
    /// Chips H.
    pub length: usize,
    /// Alphabet.
    pub constellation: Constellation,
    /// Activation probabilities, `[N]`.
    pub prob: Vec<f64>,
}

impl Sizes {
    /// Sizes of a link.
    pub fn of(config: &NomaConfig) -> Self {
        Self {
            users: config.users,
            length: config.signature_length,
            constellation: config.constellation,
            prob: config.activation_prob(),
        }
    }

    /// Prior and symbols.
    pub fn alphabet(&self) -> Alphabet {
        Alphabet { prob: self.prob.clone(), symbols: symbols(self.constellation).to_vec() }
    }
}

/// A receiver in one of its forms.
#[derive(Module, Debug)]
pub enum Receiver {
    /// That of the NOMA signature paper.
    Sicnn(Sicnn),
    /// One network for all users.
    Fcnn(Fcnn),
    /// Model-driven.
    SoftSic(SoftSic),
}

/// Receiver and, where they are learned, signatures.
#[derive(Module, Debug)]
pub struct ReceiverNet {
    /// Learned signatures.
    pub encoder: Option<Encoder>,
    /// Receiver.
    pub receiver: Receiver,
}

impl Rated for ReceiverNet {
    fn rates(&self, to: &mut Rates) {
        self.encoder.rates(to);
        match &self.receiver {
            Receiver::Sicnn(net) => net.stages.rates(to),
            Receiver::Fcnn(net) => net.mlp.rates(to),
            Receiver::SoftSic(net) => net.stages.rates(to),
        }
    }
}

/// What a pass gives.
#[expect(clippy::large_enum_variant, reason = "one value per pass, and tensors are handles")]
#[derive(Debug, Clone)]
pub enum ReceiverOutput {
    /// Estimates of the symbols, real and imaginary parts, `[N, F]` each.
    Estimate([Tensor<2>; 2]),
    /// Logits against idle after every round, `[N, C, F]` each.
    Logits(Vec<Tensor<3>>),
}

impl ReceiverNet {
    /// A fresh network whose initial weights follow from `seed`.
    ///
    /// # Panics
    /// With form beam-metric, which is no tensor network.
    pub fn init(config: &ReceiverConfig, sizes: &Sizes, seed: u64, device: &Device) -> Self {
        let key = StreamKey::new(seed, Split::Train, "receiver");
        let (n, h) = (sizes.users, sizes.length);
        let hidden = |default: &[usize]| config.hidden.clone().unwrap_or_else(|| default.to_vec());
        let receiver = match config.form {
            ReceiverForm::Sicnn => Receiver::Sicnn(Sicnn::init(&key, n, h, &hidden(&sicnn::HIDDEN), device)),
            ReceiverForm::Fcnn => {
                let widths = match &config.hidden {
                    Some(hidden) => [&[2 * h + 2 * n * h], &hidden[..], &[2 * n]].concat(),
                    None => fcnn::equal_widths(n, h, &sicnn::HIDDEN),
                };
                Receiver::Fcnn(Fcnn::init(&key, &widths, device))
            }
            ReceiverForm::SoftSic => {
                let symbols = 1 << sizes.constellation.bits();
                Receiver::SoftSic(SoftSic::init(&key, n, symbols, config.rounds, &hidden(&[64, 64]), device))
            }
            ReceiverForm::BeamMetric => unreachable!("the beam has its own module"),
        };
        let encoder = config.learn_signatures.then(|| Encoder::init(&key, h, n, config.levels, device));
        Self { encoder, receiver }
    }

    /// Receives frames.
    pub fn forward(&self, o: &Observed, alphabet: &Alphabet) -> ReceiverOutput {
        match &self.receiver {
            Receiver::Sicnn(net) => ReceiverOutput::Estimate(net.forward(o)),
            Receiver::Fcnn(net) => ReceiverOutput::Estimate(net.forward(o)),
            Receiver::SoftSic(net) => ReceiverOutput::Logits(net.forward(o, alphabet)),
        }
    }
}

impl ReceiverOutput {
    /// Scores of the symbols against idle, `[N, C, F]`: log posterior odds, or for estimates the difference of squared
    /// distances `|x|^2 - |x - c|^2`, whose largest entry decides for the nearest of the C + 1 points.
    pub fn scores(&self, alphabet: &Alphabet) -> Tensor<3> {
        match self {
            Self::Logits(rounds) => rounds.last().expect("at least one round").clone(),
            Self::Estimate([re, im]) => {
                let one = |c: &crate::link::C64| {
                    (re.clone() * (2.0 * c.re) + im.clone() * (2.0 * c.im)).sub_scalar(c.norm_sqr())
                };
                Tensor::stack(alphabet.symbols.iter().map(one).collect(), 1)
            }
        }
    }
}

/// Decision from the scores of `symbols` symbols against idle: 0, or the symbol of the largest positive score plus one.
pub(super) fn strongest(symbols: usize, score: impl Fn(usize) -> f32) -> i64 {
    (0..symbols).fold((0, 0.0), |best, s| if score(s) > best.1 { (s as i64 + 1, score(s)) } else { best }).0
}
