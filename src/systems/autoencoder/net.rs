//! Encoder, approximate part and corrections in one module.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::amp::AmpDecoder;
use super::correction::{Corrections, Evidence};
use super::group_lasso::GroupLassoDecoder;
use super::map::MapDecoder;
use super::nn::NnDecoder;
use crate::link::{Pilots, StreamKey};
use crate::systems::ModelError;
use crate::systems::access::{FrameTensors, LearnedPilots, LinkSizes};
use crate::systems::autoencoder::{CorrectionKind, DecoderConfig, DecoderForm, DecoderTarget};
use crate::systems::dense::Mlp;
use crate::systems::saved::values;
use crate::tensor::complex::stack_pilots;
use crate::tensor::row_dot;
use crate::training::{Rated, Rates};

/// The approximate part.
#[derive(Module, Debug)]
pub enum Decoder {
    /// Sharing ADMM.
    GroupLasso(GroupLassoDecoder),
    /// AMP.
    Amp(AmpDecoder),
    /// None: dense layers.
    Nn(NnDecoder),
    /// Coordinate descent.
    Map(MapDecoder),
}

/// An auto-encoder.
#[derive(Module, Debug)]
pub struct AutoEncoder {
    /// The encoder, when pilots are learned.
    pub pilots: Option<LearnedPilots>,
    /// The approximate part.
    pub decoder: Decoder,
    /// From powers to logits, where the approximate part gives powers.
    pub evidence: Option<Evidence>,
    /// The correction part.
    pub corrections: Corrections,
    /// Rows are estimated (else activities).
    pub estimates_rows: bool,
}

/// What a decoder finds in F frames.
#[derive(Debug, Clone)]
pub struct Estimate {
    /// Rows of X, `[F*M, 2K]`, where they are estimated.
    pub x: Option<Tensor<2>>,
    /// Logits of the activities, `[F, K]`; without them the energy of the rows decides.
    pub logits: Option<Tensor<2>>,
    /// Rows before the last iteration of an untied decoder, for auxiliary losses.
    pub earlier_x: Vec<Tensor<2>>,
    /// Logits before the last layer, for auxiliary losses.
    pub earlier_logits: Vec<Tensor<2>>,
}

impl Rated for AutoEncoder {
    fn rates(&self, to: &mut Rates) {
        self.pilots.rates(to);
        match &self.decoder {
            Decoder::GroupLasso(d) => d.rates(to),
            Decoder::Amp(d) => d.rates(to),
            Decoder::Nn(d) => d.rates(to),
            Decoder::Map(d) => d.rates(to),
        }
        self.evidence.rates(to);
        self.corrections.rates(to);
    }
}

impl AutoEncoder {
    /// An untrained auto-encoder: with no or with dense corrections equal to its classical algorithm.
    pub fn init(config: &DecoderConfig, pilots: &Pilots, sizes: &LinkSizes, key: &StreamKey, device: &Device) -> Self {
        let (n, v) = (sizes.devices, config.corrections);
        let hidden = config.hidden(n);
        let learned = config.learns_pilots().then(|| LearnedPilots::init(pilots, device));
        let decoder = match config.form {
            DecoderForm::GroupLasso => Decoder::GroupLasso(GroupLassoDecoder::init(
                config.iterations(),
                sizes.antennas,
                pilots,
                config.learns_pilots(),
                device,
            )),
            DecoderForm::Amp => Decoder::Amp(AmpDecoder::init(config.iterations(), config.tied, pilots, sizes, device)),
            DecoderForm::Nn => Decoder::Nn(NnDecoder::init(v, hidden, sizes, key, device)),
            DecoderForm::Map => Decoder::Map(MapDecoder::init(config.iterations(), sizes, device)),
        };
        let rows = config.target() == DecoderTarget::Signal;
        let dense = |width: usize| {
            let widths: Vec<usize> = [width].into_iter().chain(vec![hidden; v - 1]).chain([width]).collect();
            Corrections { dense: Some(Mlp::init(key, 1, &widths, true, device)), covariance: Vec::new() }
        };
        let corrections = match config.correction {
            _ if v == 0 || config.form == DecoderForm::Nn => Corrections::none(),
            CorrectionKind::Dense => dense(if rows { 2 * n } else { n }),
            CorrectionKind::Covariance => Corrections::covariance(v, sizes, device),
        };
        let centre = match config.form {
            DecoderForm::GroupLasso => Some(0.1),
            DecoderForm::Map => Some(0.5),
            DecoderForm::Amp | DecoderForm::Nn => None,
        };
        let evidence =
            centre.filter(|_| !rows || !corrections.covariance.is_empty()).map(|centre| Evidence::init(centre, device));
        Self { pilots: learned, decoder, evidence, corrections, estimates_rows: rows }
    }

    /// The learned pilots on the host with columns of squared norm `energy`, where there are any.
    ///
    /// # Errors
    /// As [`to_host`](LearnedPilots::to_host).
    pub fn learned_pilots(&self, energy: f64) -> Result<Option<Pilots>, ModelError> {
        self.pilots.as_ref().map(|p| p.to_host(1, energy)).transpose()
    }

    /// The pilots in force, `[2L, K]`: the learned ones, or those given.
    pub fn pilots(&self, given: &Pilots, device: &Device) -> Tensor<2> {
        match &self.pilots {
            Some(p) => p.columns(),
            None => stack_pilots(given, device),
        }
    }

    /// Runs the decoder; `s [2L, K]` are the pilots the frames were made with.
    pub fn forward(&self, frames: &FrameTensors, s: Tensor<2>) -> Estimate {
        let mut out = Estimate { x: None, logits: None, earlier_x: Vec::new(), earlier_logits: Vec::new() };
        match &self.decoder {
            Decoder::GroupLasso(d) => {
                let x = d.forward(frames, s.clone());
                out.logits = self.evidence.as_ref().map(|e| e.logits(relative_energy(x.clone(), frames)));
                out.x = Some(x);
            }
            Decoder::Amp(d) => {
                let mut pass = d.forward(frames, s.clone());
                (out.x, out.logits) = (pass.x.pop(), pass.logits.pop());
                (out.earlier_x, out.earlier_logits) = (pass.x, pass.logits);
            }
            Decoder::Nn(d) => out.logits = Some(d.forward(frames)),
            Decoder::Map(d) => {
                let power = d.forward(frames, s.clone());
                out.logits = self.evidence.as_ref().map(|e| e.logits(power));
            }
        }
        if let Some(mlp) = &self.corrections.dense {
            if self.estimates_rows {
                out.x = out.x.map(|x| Corrections::of_rows(mlp, x, frames));
                // The rows have changed since the approximate part computed its logits: the energy of the rows decides.
                out.logits = None;
            } else {
                out.logits = out.logits.map(|l| Corrections::of_logits(mlp, l));
            }
        }
        if let Some(start) = out.logits.clone().filter(|_| !self.corrections.covariance.is_empty()) {
            let mut pass = self.corrections.refine(start.clone(), frames, s, self.estimates_rows);
            out.earlier_logits.push(start);
            out.logits = pass.logits.pop();
            out.earlier_logits.extend(pass.logits);
            if self.estimates_rows {
                out.earlier_x.extend(out.x.take());
                out.x = pass.x;
            }
        }
        out
    }

    /// Learned activity probabilities `eps(n)`, where the approximate part has them.
    ///
    /// # Errors
    /// [`ModelError::Values`] when the device fails.
    pub fn activity_probs(&self) -> Result<Option<Vec<f64>>, ModelError> {
        let theta = match &self.decoder {
            Decoder::Amp(d) => &d.theta_1,
            Decoder::Map(d) => &d.theta_1,
            Decoder::GroupLasso(_) | Decoder::Nn(_) => return Ok(None),
        };
        let theta = values("theta_1", theta.val())?;
        Ok(Some(theta.iter().map(|&t| 1.0 / (1.0 + f64::from(t).exp())).collect()))
    }
}

/// Energy of every row relative to that expected of an active device, `||x_k||^2/(M beta_k)`, `[F, K]`.
pub(super) fn relative_energy(x: Tensor<2>, frames: &FrameTensors) -> Tensor<2> {
    row_dot(x.clone(), x, frames.antennas) / (frames.beta.clone().clamp_min(1e-12) * frames.antennas as f64)
}
