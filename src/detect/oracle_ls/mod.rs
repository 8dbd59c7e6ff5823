//! Least squares for a known active set (oracle-ls).
//!
//! [Model, inputs and outputs](crate::detect::spreading) are those of all receivers of the spreading link. The truth of the activity is needed too; frames without it are refused ([`DetectError::Mismatch`]).
//!
//! # Algorithm
//!
//! 1. `z = G_A^+ y`, the minimum-norm least-squares solution, `G_A [H, K]` the columns of the active users. With an orthonormal
//!    basis `G_A = B R` (columns whose part outside of the others is negligible bring no direction), `z = R^H (R R^H)^-1 B^H y`;
//! 2. the nearest symbol of each active user.
//!
//! The score of a truly idle user says so; of an active one it is the log odds under the noise of its estimate.
//!
//! # Assumptions and cost
//!
//! Exact without noise when at most H users are active. `O(K H^2)`.
//!
//! # Source
//!
//! Textbook: G. H. Golub, C. F. Van Loan, *Matrix Computations*, section 5.5, see [references](crate::docs::references).
//!
//! # Example
//!
//! Four users on four chips at 50 dB: no decision is wrong.
//!
//! ```
//! use grantfree::detect::{OracleLs, OracleLsOptions};
//! use grantfree::prelude::*;
//! use grantfree::scenario::{NomaConfig, ScenarioKind};
//!
//! let noma = NomaConfig { users: 4, snr_db: 50.0, ..Default::default() };
//! let config = ScenarioConfig { kind: ScenarioKind::Noma, noma: Some(noma), ..Default::default() };
//! let scenario = Scenario::new(&config, 1, Split::Test)?;
//! let frames = scenario.realize(0, 8).observe(&scenario.pilots(0))?;
//! let decisions = OracleLs::new(OracleLsOptions::default())?.detect(&frames)?;
//! assert_eq!(decisions.activity, frames.truth().unwrap().activity());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::detect::ClassicalError;
use crate::detect::algorithm::{Algorithm, Context, Info, Role};
use crate::detect::built::Built;
use crate::detect::spreading::algebra::{dot, energy, invert, subtract};
use crate::detect::spreading::link::Receivers;
use crate::detect::spreading::link::{LOG_NEVER, Link, LinkDetector, LinkModel, largest};
use crate::link::DetectError;
use crate::link::{C64, FrameBatch};
use crate::link::{Detector, options};

/// Columns whose part outside of the others is below this fraction of the largest column are taken as dependent.
const RANK_TOLERANCE: f64 = 1e-10;

options! {
    /// Options of: minimum-norm least squares on the true active set.
    pub struct OracleLsOptions {
    }
}

impl Algorithm for OracleLsOptions {
    const INFO: Info =
        Info::spreading("oracle-ls", "minimum-norm least squares on the true active set").with_truth(Role::Genie);

    fn detector(&self, _: &Context) -> Result<Box<dyn Detector>, ClassicalError> {
        Ok(Box::new(Receivers(Engine)))
    }
}

/// Minimum-norm least squares on the true active set; needs the truth.
pub type OracleLs = Built<OracleLsOptions>;

/// The algorithm.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Engine;

/// Buffers of one thread.
#[derive(Default)]
pub(crate) struct Workspace {
    active: Vec<usize>,
    /// Columns that are still to be orthogonalised, `[K, H]`.
    columns: Vec<C64>,
    /// Orthonormal basis of the active columns, `[R, H]`.
    basis: Vec<C64>,
    /// `R R^H`, then its inverse, `[R, R]`.
    gram: Vec<C64>,
}

impl LinkDetector for Engine {
    const NAME: &'static str = "oracle-ls";
    type Workspace = Workspace;

    fn check(&self, model: &LinkModel<'_>, batch: &FrameBatch) -> Result<(), DetectError> {
        let Some(truth) = batch.truth() else {
            return Err(DetectError::Mismatch(
                "detector oracle-ls needs the truth (array symbols), which these frames do not have".into(),
            ));
        };
        let (want, c) = (batch.frames() * model.users, model.constellation.len() as i64);
        if truth.activity().len() != want || truth.activity().iter().any(|a| !(0..=c).contains(a)) {
            return Err(DetectError::Mismatch(format!(
                "the truth holds {} values, these frames need {want} ([F, N]), each 0 (idle) or 1..={c} (symbol + 1)",
                truth.activity().len()
            )));
        }
        Ok(())
    }

    fn frame(
        &self,
        model: &LinkModel<'_>,
        link: &Link,
        truth: Option<&[i64]>,
        work: &mut Workspace,
        activity: &mut [i64],
        score: &mut [f64],
    ) {
        let Workspace { active, columns, basis, gram } = work;
        let (h, c) = (model.chips, model.constellation.len());
        active.clear();
        active.extend(truth.into_iter().flatten().enumerate().filter(|(_, a)| **a > 0).map(|(n, _)| n));
        orthonormal_basis(link, active, columns, basis);
        let rank = basis.len() / h;
        // With G = B R: x = R^H (R R^H)^-1 B^H y, which is the pseudo-inverse, as R has full row rank.
        let coefficient = |i: usize, user: usize| dot(&basis[i * h..(i + 1) * h], link.g(user));
        gram.clear();
        for i in 0..rank {
            for j in 0..rank {
                gram.push(active.iter().map(|&n| coefficient(i, n) * coefficient(j, n).conj()).sum());
            }
        }
        invert(gram, rank);
        activity.fill(0);
        score.fill(LOG_NEVER);
        for &user in active.iter() {
            let (mut z, mut noise) = (C64::default(), 0.0);
            for j in 0..rank {
                let row: C64 = (0..rank).map(|i| coefficient(i, user).conj() * gram[i * rank + j]).sum();
                z += row * dot(&basis[j * h..(j + 1) * h], &link.y);
                noise += row.norm_sqr();
            }
            let odds = &mut score[user * c..(user + 1) * c];
            let variance = (noise * model.noise_var).max(f64::MIN_POSITIVE.sqrt());
            model.decide(user, z, variance, odds);
            activity[user] = largest(odds).0 as i64 + 1;
        }
    }
}

/// Orthonormal basis of the span of the active columns: Gram-Schmidt (twice) with the largest column first.
fn orthonormal_basis(link: &Link, active: &[usize], columns: &mut Vec<C64>, basis: &mut Vec<C64>) {
    let h = link.y.len();
    columns.clear();
    active.iter().for_each(|&n| columns.extend_from_slice(link.g(n)));
    basis.clear();
    let floor = active.iter().map(|&n| link.energy[n]).fold(0.0, f64::max) * RANK_TOLERANCE * RANK_TOLERANCE;
    for _ in 0..active.len().min(h) {
        let energies: Vec<f64> = columns.chunks_exact(h).map(energy).collect();
        let (at, value) = largest(&energies);
        if value <= floor || value <= 0.0 {
            return;
        }
        let mut next: Vec<C64> = columns[at * h..(at + 1) * h].to_vec();
        for known in basis.chunks_exact(h) {
            let along = dot(known, &next);
            subtract(&mut next, known, along);
        }
        let norm = energy(&next).sqrt();
        next.iter_mut().for_each(|v| *v /= norm);
        for column in columns.chunks_exact_mut(h) {
            let along = dot(&next, column);
            subtract(column, &next, along);
        }
        basis.extend_from_slice(&next);
    }
}
