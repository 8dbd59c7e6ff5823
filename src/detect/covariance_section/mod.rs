//! Covariance detection of discrete activities with known gains (covariance-section).
//!
//! Model: the M columns of Y are i.i.d. `CN(0, Sigma)` as for the covariance method, but a power is not a free number: column q
//! of device n contributes `beta_n` or nothing, and at most one column of a device contributes. Sweeps visit the devices.
//! With `Sigma_n` the covariance without device n, in which every other device stands with its expected contribution
//! `w_{m,r} beta_m s s^H`:
//!
//! - `c_q = s_q^H Sigma_n^-1 s_q`, `LLR_q = beta_n ||Y^H Sigma_n^-1 s_q||^2/(1 + beta_n c_q) - M ln(1 + beta_n c_q)`, the exact log
//!   ratio of the two Gaussians "device n sends q" and "device n is idle";
//! - `w_{n,q}` = softmax over the Q sequences and idle with priors `eps/Q` and `1 - eps`; put back with these weights.
//!
//! Start: all idle. In the first sweeps the ratios are tempered (multiplied by t < 1, rising to 1), because interference
//! that is not yet explained makes them too certain; this saves some frames from poor fixed points at small L.
//! The estimate of a row is its posterior mean, `w beta/(1 + beta c) s^H Sigma_n^-1 Y`.
//! With no other device the ratio is that of the single-user bound. Decision: argmax over q, then the threshold on the
//! LLR; "map" is the symbol MAP test `ln(Q (1 - eps)/eps)`.
//!
//! Assumptions: Rayleigh antennas without correlation, gains and noise level known. A Gibbs sampler over the activities
//! of the same model, which tends to the exact posterior marginals, does not decide measurably better at N = 100,
//! M = 16, L = 20 or 40: within this model the detector is at the Bayes limit.

pub(crate) mod posterior;

use std::marker::PhantomData;

use crate::detect::algorithm::{Algorithm, Context, Info, Prior};
use crate::detect::built::Built;
use crate::detect::common::cost::{Operations, Sizes};
use crate::detect::common::frames::Frames;
use crate::detect::{ClassicalError, Precision, Threshold};
use crate::link::{Detector, options};
use posterior::CovarianceSection as Engine;

options! {
    /// Options of the covariance detector with discrete activities.
    pub struct CovarianceSectionOptions {
        /// Sweeps over all devices.
        iterations: usize = 10, "1..=1000000" if |v| (1..=1_000_000).contains(v);
        /// Threshold on the log-likelihood ratio.
        threshold: Threshold = Threshold::MAP, "\"equal-prior\", \"map\", \"best\", or a finite number compared with the log-likelihood ratio" if Threshold::is_finite;
        /// Stop when the largest change of one sweep relative to the largest weight falls below; 0 never stops early.
        tolerance: f64 = 0.0, ">= 0" if |v| v.is_finite() && *v >= 0.0;
        /// Arithmetic.
        precision: Precision = Precision::F64, "\"f64\" or \"f32\"";
    }
}

impl Algorithm for CovarianceSectionOptions {
    const INFO: Info = Info::receiver("covariance-section", "coordinate posterior over discrete activities")
        .with_prior(Prior::PerDevice);

    fn detector(&self, _: &Context) -> Result<Box<dyn Detector>, ClassicalError> {
        let options = self.clone();
        Ok(match self.precision {
            Precision::F64 => Box::new(Frames(Engine::<f64> { options, precision: PhantomData })),
            Precision::F32 => Box::new(Frames(Engine::<f32> { options, precision: PhantomData })),
        })
    }

    fn threshold(&self) -> Option<Threshold> {
        Some(self.threshold)
    }

    fn set_threshold(&mut self, threshold: Threshold) {
        self.threshold = threshold;
    }

    fn operations(&self, sizes: &Sizes) -> Option<Operations> {
        Some(sizes.covariance(self.iterations))
    }
}

/// Covariance detection of discrete activities with known gains.
pub type CovarianceSection = Built<CovarianceSectionOptions>;
