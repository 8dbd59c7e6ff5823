//! Classical detectors, bounds and predictions in plain Rust, beside which every learned detector is shown.
//!
//! Each algorithm has a folder: its options with defaults and ranges, the algorithm, what it must be told, its role in a
//! comparison, its count of operations, its tests. The options implement [`Algorithm`]; the registry below has one line per
//! folder, and everything else of the library asks [`Classical`]. How to add one: [extending](crate::docs::extending).
//!
//! # Signals
//!
//! The access link (systems A to D) is `Y = S X + W` with Y `[L, M]` (L symbols, M antennas), pilots S `[L, N*Q]` (sequence q
//! of device n in column `n*Q + q`; some modules write A for S and `a_i` for its column i), X `[N*Q, M]` and W `CN(0, sigma2)`,
//! `sigma2 = noise_var`. An active device sends one of its Q sequences, so at most one row of X per device is not zero: it is
//! the channel of the device, whose entries have the power `beta_n`. The spreading link (system E) is that of [`spreading`].
//!
//! # Inputs and outputs
//!
//! All detectors map a [`FrameBatch`](crate::link::FrameBatch) of F frames to [`Decisions`](crate::link::Decisions):
//!
//! | array | shape | unit |
//! |---|---|---|
//! | in: `y` | `[F, L, M]` | signal amplitude |
//! | in: `noise_var` | one number | power per complex entry of Y, linear |
//! | in: `beta` | `[N]` or `[F, N]` | power of a channel entry, linear, in the units of `noise_var` where pilots have norm one |
//! | in: `activity_prob` | `[N]` | probability |
//! | out: `activity` | `[F, N]` | 0 idle, `1..=Q` the decided sequence plus one |
//! | out: `score` | `[F, N*Q]` | of each algorithm, larger is more active; what its `threshold` is compared with |
//! | out: `x`, where estimated | `[F, N*Q, M]` | that of X |
//! | out: `gamma`, where estimated | `[F, N*Q]` | power of X |
//!
//! Options out of range are a [`ClassicalError`] that names key, range and default. Frames of the other link, or without the
//! truth that a genie needs, are a [`DetectError`](crate::link::DetectError). Costs are real multiplications per frame, with
//! n = NQ; [`Operations`] counts them where the comparison of complexities needs it.
//!
//! Arithmetic is f64 (default) or f32. Frames are spread over the threads of the current rayon pool and each frame is
//! computed by one thread in a fixed order, so decisions do not depend on thread count or batch size, bitwise.
//!
//! # Example
//!
//! ```
//! use grantfree::detect::{Amp, AmpOptions, Classical};
//!
//! let direct = Amp::new(AmpOptions { iterations: 30, ..AmpOptions::default() })?;
//! let by_name = Classical::from_toml("kind = \"amp\"\niterations = 30")?;
//! assert_eq!(by_name, Classical::Amp(direct.options().clone()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
mod built;
pub(crate) mod common;
mod registry;
pub mod spreading;
#[cfg(test)]
mod tests;

registry::registry! {
    amp: Amp(AmpOptions), AmpSection(AmpSectionOptions);
    covariance: Covariance(CovarianceOptions), Ml(MlOptions), Map(MapOptions);
    covariance_section: CovarianceSection(CovarianceSectionOptions);
    gibbs: Gibbs(GibbsOptions);
    covariance_lasso: CovarianceLasso(CovarianceLassoOptions);
    ml_mmse: MlMmse(MlMmseOptions);
    group_lasso: GroupLasso(GroupLassoOptions);
    group_lasso_admm: GroupLassoAdmm(GroupLassoAdmmOptions);
    pc_admm: PcAdmm(PcAdmmOptions);
    lasso: Lasso(LassoOptions);
    lmmse: Lmmse(LmmseOptions);
    langevin: Langevin(LangevinOptions);
    genie_mmse: GenieMmse(GenieMmseOptions);
    single_user_bound: SingleUserBound(SingleUserBoundOptions);
    state_evolution: StateEvolution(StateEvolutionOptions);
    welch_bound: WelchBound(WelchBoundOptions);
    matched_filter: MatchedFilter(MatchedFilterOptions);
    mmse_sic: MmseSic(MmseSicOptions);
    beam_sic: BeamSic(BeamSicOptions);
    soft_sic: SoftSic(SoftSicOptions);
    expectation_propagation: ExpectationPropagation(ExpectationPropagationOptions);
    joint_map: JointMap(JointMapOptions);
    oracle_ls: OracleLs(OracleLsOptions);
}

pub use algorithm::{Algorithm, AnyAlgorithm, Candidates, Context, Info, Link, Prediction, Prior, Role, Told};
pub use amp::{Amp, AmpSection};
pub use beam_sic::BeamSic;
pub use built::Built;
pub use common::best_threshold::{BestThreshold, best_threshold};
pub use common::cost::{Operations, Sizes};
pub use common::error::ClassicalError;
pub use common::kkt::MOST_ITERATIONS;
pub use common::options::{
    ActivityPrior, DEFAULT_ALPHA, LassoMethod, Onsager, Order, Precision, RowCovariance, Threshold, ThresholdRule,
};
pub use common::spatial::Spatial;
pub use covariance::{Covariance, Map, Ml};
pub use covariance_lasso::CovarianceLasso;
pub use covariance_section::CovarianceSection;
pub use expectation_propagation::ExpectationPropagation;
pub use genie_mmse::GenieMmse;
pub use gibbs::{Gibbs, GibbsMethod, Start};
pub use group_lasso::GroupLasso;
pub use group_lasso_admm::GroupLassoAdmm;
pub use joint_map::{JointMap, MAX_HYPOTHESES};
pub use langevin::{Langevin, LangevinConfig, Likelihood, Sampler};
pub use lasso::Lasso;
pub use lmmse::Lmmse;
pub use matched_filter::MatchedFilter;
pub use ml_mmse::MlMmse;
pub use mmse_sic::MmseSic;
pub use oracle_ls::OracleLs;
pub(crate) use pc_admm::woodbury;
pub use pc_admm::{PcAdmm, default_extrapolation, default_rho};
pub use registry::{KindError, build, listed};
pub use single_user_bound::SingleUserBound;
pub use soft_sic::SoftSic;
pub use state_evolution::{StateEvolution, state_evolution};
