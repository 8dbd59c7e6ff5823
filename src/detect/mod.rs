//! Reference detectors in plain Rust: the yardstick of every learned one.
//!
//! | kind | algorithm | needs |
//! |---|---|---|
//! | amp, amp-section | AMP with row-wise or section-wise Bayes denoiser | gains, activity prior |
//! | covariance, ml, map | coordinate descent on column powers | noise level (gains for the decision; map: prior) |
//! | covariance-lasso | least-squares fit of the sample covariance | noise level (gains for the decision) |
//! | ml-mmse | ml for the support, then MMSE channels | noise level, gains |
//! | group-lasso, group-lasso-admm, pc-admm | group LASSO by coordinate descent, sharing or prediction-correction ADMM | noise level for the default weight (gains for the decision) |
//! | lasso | LASSO of the entries by ISTA or FISTA | noise level for the default weight (gains for the decision) |
//! | covariance-section | coordinate posterior over discrete activities | noise level, gains, activity prior |
//! | lmmse | linear MMSE rows | noise level, gains, activity prior |
//! | langevin | annealed Langevin sampling with the exact score | noise level, gains, activity prior |
//! | genie-mmse | MMSE channels for the true support | the truth |
//! | single-user-bound | every other device known | the truth |
//! | matched-filter ... joint-map | receivers of the spreading link, see [`spreading`] | channels, activity prior |
//!
//! [`build`] makes a [`Detector`] from its options; [`state_evolution`] predicts AMP without frames.
//! Arithmetic is f64 (default) or f32. Frames are spread over the threads of the current rayon pool and each frame is
//! computed by one thread in a fixed order, so decisions do not depend on thread count or batch size, bitwise.

pub mod amp;
pub mod beam_sic;
pub(crate) mod common;
pub mod covariance;
pub mod covariance_lasso;
pub mod covariance_section;
pub mod expectation_propagation;
pub mod genie_mmse;
pub mod group_lasso;
pub mod group_lasso_admm;
pub mod joint_map;
pub mod langevin;
pub mod lasso;
pub mod lmmse;
pub mod matched_filter;
pub mod ml_mmse;
pub mod mmse_sic;
pub mod oracle_ls;
pub mod pc_admm;
pub mod single_user_bound;
pub mod soft_sic;
pub mod spreading;
pub mod state_evolution;
#[cfg(test)]
mod tests;

pub use amp::AmpOptions;
pub use beam_sic::BeamSic;
pub use common::best_threshold::best_threshold;
pub use common::error::ClassicalError;
pub use common::kkt::MOST_ITERATIONS;
pub use common::options::{
    DEFAULT_ALPHA, LassoMethod, Onsager, Order, Precision, RowCovariance, Threshold, ThresholdRule,
};
pub use common::spatial::Spatial;
pub use covariance::CovarianceOptions;
pub use covariance_lasso::CovarianceLassoOptions;
pub use covariance_section::SectionOptions;
pub use expectation_propagation::ExpectationPropagation;
pub use genie_mmse::GenieMmse;
pub use group_lasso::GroupLassoOptions;
pub use group_lasso_admm::GroupLassoAdmmOptions;
pub use joint_map::JointMap;
pub use langevin::{Langevin, LangevinConfig, Likelihood, Sampler};
pub use lasso::LassoOptions;
pub use lmmse::Lmmse;
pub use matched_filter::MatchedFilter;
pub use mmse_sic::MmseSic;
pub use oracle_ls::OracleLs;
pub(crate) use pc_admm::woodbury;
pub use pc_admm::{PcAdmmOptions, default_extrapolation, default_rho};
pub use single_user_bound::SingleUserBound;
pub use soft_sic::SoftSic;
pub use state_evolution::{StateEvolution, state_evolution};

use std::marker::PhantomData;
use std::sync::Arc;

use crate::math::real::Real;
use amp::iteration::Amp;
use covariance::descent::Covariance;
use covariance_lasso::CovarianceLasso;
use covariance_section::posterior::CovarianceSection;
use group_lasso::GroupLasso;
use group_lasso_admm::GroupLassoAdmm;
use lasso::Lasso;
use ml_mmse::MlMmse;
use pc_admm::PcAdmm;

use crate::config::{DetectorConfig, DetectorKind, kind_name};
use crate::link::Detector;

/// Builds a reference detector; options that are not given take the defaults of [`DetectorConfig`].
///
/// # Errors
/// [`ClassicalError`] when the kind is no frame detector of this room or an option is out of range.
pub fn build(config: &DetectorConfig) -> Result<Box<dyn Detector>, ClassicalError> {
    build_with(config, None)
}

/// The same with the covariance of the antennas, which `covariance = "pooled"` asks for.
///
/// # Errors
/// [`ClassicalError`] when the kind is no frame detector of this room, an option is out of range, or the covariance is
/// asked for but not given.
pub fn build_with(
    config: &DetectorConfig,
    spatial: Option<&Arc<Spatial>>,
) -> Result<Box<dyn Detector>, ClassicalError> {
    config.validate("detector")?;
    let pooled = config.covariance == Some(RowCovariance::Pooled);
    if pooled && spatial.is_none() {
        return Err(ClassicalError::PooledCovariance { kind: kind_name(config.kind) });
    }
    let spatial = spatial.filter(|_| pooled);
    if config.threshold == Some(Threshold::BEST) {
        return Err(ClassicalError::BestThreshold { kind: kind_name(config.kind) });
    }
    match config.precision.unwrap_or(Precision::F64) {
        Precision::F64 => build_as::<f64>(config, spatial),
        Precision::F32 => build_as::<f32>(config, spatial),
    }
}

fn build_as<T: Real>(
    config: &DetectorConfig,
    spatial: Option<&Arc<Spatial>>,
) -> Result<Box<dyn Detector>, ClassicalError> {
    use DetectorKind as K;
    let spatial = spatial.cloned();
    let iterations = |default| config.iterations.unwrap_or(default);
    let tolerance = config.tolerance.unwrap_or(0.0);
    let number = |default, score| match config.threshold {
        None => Ok(default),
        Some(Threshold::Value(v)) => Ok(v),
        Some(Threshold::Rule(_)) => Err(ClassicalError::NamedThreshold { kind: kind_name(config.kind), score }),
    };
    let power = || number(0.5, "gamma/beta (default: 0.5)");
    let row = || number(0.1, "||x||^2/(M beta) (default: 0.1)");
    let not_here = |hint| Err(ClassicalError::NotAFrameDetector { kind: kind_name(config.kind), hint });
    Ok(match config.kind {
        K::Amp | K::AmpSection => Box::new(Amp::<T>::new(AmpOptions {
            iterations: iterations(50),
            damping: config.damping.unwrap_or(1.0),
            threshold: config.threshold.unwrap_or(Threshold::MAP),
            onsager: config.onsager.unwrap_or(Onsager::Matrix),
            section: config.kind == K::AmpSection,
        })),
        K::Covariance | K::Ml | K::Map => Box::new(Covariance::<T> {
            options: CovarianceOptions {
                sweeps: iterations(if config.kind == K::Covariance { 50 } else { 55 }),
                threshold: power()?,
                tolerance,
                prior: config.kind == K::Map,
            },
            precision: PhantomData,
        }),
        K::CovarianceLasso => Box::new(CovarianceLasso {
            options: CovarianceLassoOptions {
                sweeps: iterations(200),
                lambda: config.lambda,
                threshold: power()?,
                tolerance,
            },
        }),
        K::MlMmse => Box::new(MlMmse::new(CovarianceOptions {
            sweeps: iterations(55),
            threshold: power()?,
            tolerance,
            prior: false,
        })),
        K::GroupLasso => Box::new(GroupLasso {
            options: GroupLassoOptions { sweeps: iterations(200), lambda: config.lambda, threshold: row()?, tolerance },
        }),
        K::GroupLassoAdmm => Box::new(GroupLassoAdmm {
            options: GroupLassoAdmmOptions {
                iterations: iterations(200),
                lambda: config.lambda,
                rho: config.rho.unwrap_or(1.0),
                threshold: row()?,
            },
        }),
        K::PcAdmm => Box::new(PcAdmm {
            options: PcAdmmOptions {
                iterations: iterations(200),
                lambda: config.lambda,
                rho: config.rho,
                alpha: config.alpha.unwrap_or(DEFAULT_ALPHA),
                extrapolation: config.extrapolation,
                threshold: row()?,
                tolerance,
            },
        }),
        K::Lasso => Box::new(Lasso {
            options: LassoOptions {
                iterations: iterations(500),
                lambda: config.lambda,
                method: config.method.unwrap_or(LassoMethod::Fista),
                threshold: row()?,
                tolerance,
            },
        }),
        K::CovarianceSection => Box::new(CovarianceSection::<T> {
            options: SectionOptions {
                sweeps: iterations(10),
                threshold: config.threshold.unwrap_or(Threshold::MAP),
                tolerance,
            },
            precision: PhantomData,
        }),
        K::Lmmse => Box::new(Lmmse { threshold: row()?, spatial: spatial.clone() }),
        K::Langevin => Box::new(Langevin { options: config.langevin.clone().unwrap_or_default(), threshold: row()? }),
        K::GenieMmse => Box::new(GenieMmse { spatial: spatial.clone() }),
        K::SingleUserBound => Box::new(SingleUserBound),
        K::WelchBound => return not_here("the Welch bound needs no frames; it belongs into experiment files"),
        K::StateEvolution => return not_here("state evolution predicts without frames; call state_evolution"),
        K::MatchedFilter => Box::new(MatchedFilter),
        K::MmseSic => Box::new(MmseSic { order: config.order.unwrap_or(Order::Sinr) }),
        K::OracleLs => Box::new(OracleLs),
        K::JointMap => Box::new(JointMap),
        K::BeamSic => {
            Box::new(BeamSic { beam: config.beam.unwrap_or(4), window: config.window.unwrap_or(f64::INFINITY) })
        }
        K::ExpectationPropagation => {
            Box::new(ExpectationPropagation { iterations: iterations(10), damping: config.damping.unwrap_or(0.5) })
        }
        K::SoftSic => Box::new(SoftSic { rounds: iterations(4) }),
        K::Mampnet | K::Autoencoder | K::PcAdmmNet | K::Score | K::Sicnn => {
            return not_here("it is a trained network; train it or load its bundle");
        }
    })
}
