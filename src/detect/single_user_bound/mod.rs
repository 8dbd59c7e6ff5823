//! The single-user bound (single-user-bound): each device is judged with every other device known.
//!
//! # Model
//!
//! What the others send is subtracted from Y `[L, M]`, so only the device itself and the noise remain: the columns of
//! `Y_n = Y - sum_(m != n) s_m h_m^T` are `CN(0, sigma2 I + beta s_q s_q^H)` where device n sends sequence q, and noise
//! where it is idle. Known are the truth (activity and channels), the pilots, `beta`, `sigma2` and the activity probability eps.
//!
//! # Algorithm
//!
//! 1. `LLR_q = beta ||s_q^H Y_n||^2 / (sigma2 (sigma2 + beta ||s_q||^2)) - M ln(1 + beta ||s_q||^2/sigma2)`, the Bayes test;
//! 2. argmax over q, active when `LLR > ln(Q (1 - eps)/eps)`. Score: the LLR.
//!
//! # Assumptions and cost
//!
//! Rayleigh antennas without correlation. Its error rate is a floor for every detector of the figure. `O((K + n) L M)` for K
//! active devices. Frames without truth are refused ([`DetectError::NeedsTruth`]). [Inputs and outputs](crate::detect#inputs-and-outputs) are those of all detectors.
//!
//! # Source
//!
//! Textbook: the likelihood-ratio test of a Gaussian signal in Gaussian noise, S. M. Kay, *Detection Theory* (1998), chapter 5,
//! see [references](crate::docs::references).
//!
//! # Example
//!
//! Three active devices of thirty, heard at 29 dB: no decision is wrong.
//!
//! ```
//! use grantfree::detect::{SingleUserBound, SingleUserBoundOptions};
//! use grantfree::prelude::*;
//! use grantfree::scenario::ScenarioKind::UnitGain;
//!
//! let config = ScenarioConfig {
//!     devices: 30, pilot_length: 24, active_devices: Some(3),
//!     kind: UnitGain, noise_var: Some(0.03), ..Default::default()
//! };
//! let scenario = Scenario::new(&config, 1, Split::Test)?;
//! let frames = scenario.realize(0, 8).observe(&scenario.pilots(0))?;
//! let decisions = SingleUserBound::new(SingleUserBoundOptions::default())?.detect(&frames)?;
//! assert_eq!(decisions.activity, frames.truth().unwrap().activity());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::detect::ClassicalError;
use crate::detect::algorithm::{Algorithm, Context, Info, Prior, Role};
use crate::detect::built::Built;
use num_complex::Complex64;

use crate::detect::Threshold;
use crate::detect::common::decide::{decide, section_threshold};
use crate::detect::common::frames::{FrameDetector, FrameOut, Frames};
use crate::detect::genie_mmse::check_truth;
use crate::link::{C64, FrameBatch};
use crate::link::{DetectError, Detector, options};
use crate::math::isa::Isa;

options! {
    /// The single-user bound has no options.
    pub struct SingleUserBoundOptions {
    }
}

impl Algorithm for SingleUserBoundOptions {
    const INFO: Info =
        Info::receiver("single-user-bound", "every other device known").with_prior(Prior::Mean).with_truth(Role::Bound);

    fn detector(&self, _: &Context) -> Result<Box<dyn Detector>, ClassicalError> {
        Ok(Box::new(Frames(Engine)))
    }
}

/// The single-user bound; needs the truth.
pub type SingleUserBound = Built<SingleUserBoundOptions>;

/// The algorithm.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Engine;

/// Columns of S as rows, their energies, and the thresholds.
pub struct Shared {
    columns: Vec<Vec<C64>>,
    energies: Vec<f64>,
    thresholds: Vec<f64>,
}

impl FrameDetector for Engine {
    type Shared = Shared;
    /// The noise left when all devices are subtracted, `[L, M]`.
    type Workspace = Vec<C64>;
    const ESTIMATES_X: bool = false;
    const ESTIMATES_GAMMA: bool = false;

    fn prepare(&self, batch: &FrameBatch) -> Result<Shared, DetectError> {
        check_truth(batch, "single-user-bound")?;
        let (model, q) = (batch.model(), batch.model().sequences());
        let columns: Vec<Vec<C64>> = (0..model.columns()).map(|i| model.pilots().column(i)).collect();
        Ok(Shared {
            energies: columns.iter().map(|c| c.iter().map(|v| v.norm_sqr()).sum()).collect(),
            columns,
            thresholds: model.activity_prob().iter().map(|&eps| section_threshold(Threshold::MAP, eps, q)).collect(),
        })
    }

    fn workspace(&self, _: &Shared, batch: &FrameBatch) -> Vec<C64> {
        vec![C64::default(); batch.model().pilot_length() * batch.model().antennas()]
    }

    #[inline(always)]
    fn frame<I: Isa>(
        &self,
        _: I,
        shared: &Shared,
        batch: &FrameBatch,
        f: usize,
        noise: &mut Vec<C64>,
        out: FrameOut<'_>,
    ) {
        let Some(truth) = batch.truth() else { return };
        let model = batch.model();
        let (n, m, q, sigma2) = (model.devices(), model.antennas(), model.sequences(), model.noise_var());
        let sent = &truth.activity()[f * n..(f + 1) * n];
        let channel = |d: usize| &truth.channel()[(f * n + d) * m..(f * n + d + 1) * m];
        noise.copy_from_slice(batch.frame(f));
        for (d, &a) in sent.iter().enumerate().filter(|(_, a)| **a > 0) {
            let column = &shared.columns[d * q + (a - 1) as usize];
            for (row, s) in noise.chunks_exact_mut(m).zip(column) {
                row.iter_mut().zip(channel(d)).for_each(|(y, h)| *y -= s * h);
            }
        }
        for (d, &beta) in batch.beta_of(f).iter().enumerate() {
            for i in d * q..(d + 1) * q {
                let own = match sent[d] {
                    0 => C64::default(),
                    a => dot(&shared.columns[i], &shared.columns[d * q + (a - 1) as usize]),
                };
                let mut power = 0.0;
                for (antenna, h) in channel(d).iter().enumerate() {
                    let heard: Complex64 = shared.columns[i]
                        .iter()
                        .zip(noise[antenna..].iter().step_by(m))
                        .map(|(s, y)| s.conj() * y)
                        .sum();
                    power += (heard + own * h).norm_sqr();
                }
                let snr = beta * shared.energies[i] / sigma2;
                out.score[i] = beta * power / (sigma2 * sigma2 * (1.0 + snr)) - m as f64 * snr.ln_1p();
            }
            out.activity[d] = decide(&out.score[d * q..(d + 1) * q], shared.thresholds[d]);
        }
    }
}

/// `a^H b`.
fn dot(a: &[C64], b: &[C64]) -> C64 {
    a.iter().zip(b).map(|(a, b)| a.conj() * b).sum()
}
