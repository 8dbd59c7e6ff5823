//! The antenna-shared form.
//!
//! Antennas are exchangeable: a dense `B_t` learns M^2 copies of what one `B~_t (x) I_M` says. Each layer keeps one
//! complex `NQ x L` matrix, starts it at `S^H` and works on row energies, so it can run at any number of antennas.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::detect::Onsager;
use crate::link::Pilots;
use crate::systems::access::{
    AmpLayer, AmpScalars, AmpState, AmpStep, CovarianceLayer, FrameTensors, LearnedPilots, scalar,
};
use crate::systems::mampnet::{Denoiser, ModelConfig};
use crate::tensor::complex::synthesis_matrix;
use crate::tensor::section_posterior;
use crate::training::{Rated, Rates};

/// DL-mAMPnet, antenna-shared form.
#[derive(Module, Debug)]
pub struct SharedNet {
    /// AMP layers.
    pub layers: Vec<AmpLayer>,
    /// Covariance layers.
    pub covariance: Vec<CovarianceLayer>,
    /// Pilots, when they are learned.
    pub pilots: Option<LearnedPilots>,
    /// Rows that exclude each other: Q (section-wise) or 1.
    pub section: usize,
    /// Sequences per device Q.
    pub sequences: usize,
    /// Matrix Onsager term (else the mean of the traces).
    pub matrix_onsager: bool,
}

/// Results of a forward pass.
#[derive(Debug, Clone)]
pub struct SharedPass {
    /// Posterior logits (likelihood ratio minus theta_1) after every layer, `[F, K]` each; covariance layers last.
    pub logits: Vec<Tensor<2>>,
    /// Likelihood ratios of the last layer, `[F, K]`.
    pub llr: Tensor<2>,
    /// Estimates of X after every AMP layer, `[F*M, 2K]` each.
    pub x: Vec<Tensor<2>>,
}

/// Matrices computed from pilots and parameters, which all frames share.
#[derive(Debug, Clone)]
pub struct Constants {
    /// Synthesis matrix of the pilots, `[2K, 2L]`.
    synthesis: Tensor<2>,
    /// Filter and scalars of the AMP layers.
    layers: Vec<(Tensor<2>, AmpScalars)>,
}

impl Rated for SharedNet {
    fn rates(&self, to: &mut Rates) {
        self.layers.rates(to);
        self.covariance.rates(to);
        self.pilots.rates(to);
    }
}

impl SharedNet {
    /// A network that equals the classical algorithm until it is trained.
    pub fn init(config: &ModelConfig, pilots: &Pilots, activity_prob: f64, device: &Device) -> Self {
        let q = pilots.sequences() as f64;
        let theta_1 = match config.denoiser {
            Denoiser::Section => (q * (1.0 - activity_prob) / activity_prob).ln(),
            Denoiser::Row => ((q - activity_prob) / activity_prob).ln(),
        };
        let section_theta = (q * (1.0 - activity_prob) / activity_prob).ln();
        let layer = |_| AmpLayer::init(pilots, theta_1, device);
        let covariance = |_| CovarianceLayer::init(scalar(section_theta, device), device);
        Self {
            layers: (0..config.layers).map(layer).collect(),
            covariance: (0..config.covariance_layers).map(covariance).collect(),
            pilots: config.learn_pilots.then(|| LearnedPilots::init(pilots, device)),
            section: match config.denoiser {
                Denoiser::Section => pilots.sequences(),
                Denoiser::Row => 1,
            },
            sequences: pilots.sequences(),
            matrix_onsager: config.onsager == Onsager::Matrix,
        }
    }

    /// The constants of the first `depth` layers for pilots `s [2L, K]`.
    pub fn constants(&self, s: Tensor<2>, depth: usize) -> Constants {
        let layers = self.layers.iter().take(depth).map(|layer| (layer.filter(), layer.scalars())).collect();
        Constants { synthesis: synthesis_matrix(s), layers }
    }

    /// Runs the first `depth` AMP layers (and the covariance layers when `depth` covers all); with `detach_before`
    /// the state entering that layer is cut from the graph (layer-wise training). `constants` are those of that depth
    /// and of the pilots `s [2L, K]` that the frames were made with.
    pub fn forward(
        &self,
        frames: &FrameTensors,
        s: Tensor<2>,
        constants: &Constants,
        depth: usize,
        detach_before: Option<usize>,
    ) -> SharedPass {
        let mut state = AmpState::start(frames);
        let step = AmpStep::new(frames, constants.synthesis.clone(), self.section, self.matrix_onsager);
        let mut pass = SharedPass { logits: Vec::new(), llr: frames.beta.clone(), x: Vec::new() };
        for (t, (layer, (filter, scalars))) in self.layers.iter().zip(&constants.layers).enumerate() {
            if detach_before == Some(t) {
                state = state.detach();
            }
            state = step.run(&state, Some(filter.clone()), scalars.clone());
            let llr = state.llr();
            pass.logits.push(llr.clone() - layer.theta_1.val());
            pass.llr = llr;
            pass.x.push(state.x());
        }
        if depth > self.layers.len() && !self.covariance.is_empty() {
            self.covariance_layers(frames, s, detach_before == Some(self.layers.len()), &mut pass);
        }
        pass
    }

    fn covariance_layers(&self, frames: &FrameTensors, s: Tensor<2>, detach: bool, pass: &mut SharedPass) {
        let logits = pass.logits.last().expect("at least one AMP layer").clone();
        let mut w = section_posterior(if detach { logits.detach() } else { logits }, self.sequences);
        for layer in &self.covariance {
            let (llr, _) = layer.evidence(w.clone(), frames, s.clone());
            let logits = llr.clone() - layer.theta_1.val();
            let v = layer.v.val();
            w = w.clone() + (section_posterior(logits.clone(), self.sequences) - w) * v;
            pass.logits.push(logits);
            pass.llr = llr;
        }
    }
}
