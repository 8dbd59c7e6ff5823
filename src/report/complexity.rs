//! Real multiplications per frame, from the equations of each detector.
//!
//! Conventions: n = NQ columns, L symbols, M antennas. One complex product is 4 real multiplications, `|z|^2` is 2, a
//! real number times a complex one is 2. Hermitian matrices are computed as one triangle. Additions are free, and so
//! is work per column that does not grow with M or L (exponentials, logarithms, divisions of the posterior weights).
//!
//! | step | real multiplications |
//! |---|---|
//! | `S^H R` and `S X` (AMP, Theorem 1) | 4nLM each |
//! | row energies `norm(z)^2`, shrink `w omega z`, their scaling for the Gram matrix | 2nM each |
//! | matrix Onsager term: `sum_i J_i` (M x M, Hermitian) and its product with R | 2nM² + 4LM² |
//! | `tau2 = norm(R)^2/(LM)` | 2LM |
//! | covariance, per column: `v = Sigma^-1 a`, `s = a^H v`, `q = v^H C v`, rank-one update | 4L² + 2L + (4L² + 2L) + 2L² + 2L |
//! | covariance, once: `C = Y Y^H/M` | 2L²M |
//! | paper's layer: dense `B_t R` (2nM x 2LM), `S X`, entry-wise denoiser (47) and derivative (48) | 4nLM² + 4nLM + 14nM |
//! | paper's layer: `tau2` and the scalar Onsager term | 4LM |
//! | refinement: moduli and 1 x M convolution (49)-(50), two N x N layers (51), 2-8-1 layers (53), FC3 (55) | 3nM + 2N² + 24N + n² |
//! | shared layer: `B~_t R` (2n x 2L), the rest as AMP | as one AMP iteration |

use crate::config::{DetectorConfig, DetectorKind};
use crate::scenario::ScenarioConfig;
use crate::systems::mampnet::{ModelConfig, ModelForm};

/// One line of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct ComplexityRow {
    /// Which detector.
    pub name: String,
    /// Count per frame, with n = NQ.
    pub formula: String,
    /// The same as a number.
    pub multiplications: f64,
}

/// N, n = NQ, L and M as numbers; counts reach 10^15, so they are kept as f64.
struct Sizes {
    devices: f64,
    n: f64,
    l: f64,
    m: f64,
}

impl Sizes {
    fn of(s: &ScenarioConfig) -> Self {
        Self {
            devices: s.devices as f64,
            n: (s.devices * s.sequences()) as f64,
            l: s.pilot_length as f64,
            m: s.antennas as f64,
        }
    }

    /// One iteration of AMP with the matrix Onsager term (Theorem 1); also one layer of the shared form.
    fn amp_iteration(&self) -> f64 {
        let Self { n, l, m, .. } = *self;
        8.0 * n * l * m + 2.0 * n * m * m + 4.0 * l * m * m + 6.0 * n * m + 2.0 * l * m
    }

    /// One sweep of coordinate descent over all columns (field guide B.4).
    fn sweep(&self) -> f64 {
        self.n * (10.0 * self.l * self.l + 6.0 * self.l)
    }

    /// `Y Y^H/M`.
    fn sample_covariance(&self) -> f64 {
        2.0 * self.l * self.l * self.m
    }

    /// One layer of the paper's form: dense B_t, known S applied per antenna, scalar Onsager term, and 7 products for
    /// each of the 2nM real entries: z², a·z², ω·φ, ·z, ·v_t, and for (48) 2az²·(1 − φ), ·ωφ.
    fn paper_layer(&self) -> f64 {
        let Self { n, l, m, .. } = *self;
        4.0 * n * l * m * m + 4.0 * n * l * m + 14.0 * n * m + 4.0 * l * m
    }

    /// (49)-(55): moduli 2nM, convolution nM, two N x N layers, the 2-8-1 layers of every device, FC3 n x n.
    fn refinement(&self) -> f64 {
        let Self { devices, n, m, .. } = *self;
        3.0 * n * m + 2.0 * devices * devices + 24.0 * devices + n * n
    }
}

fn amp(s: &Sizes, iterations: usize) -> ComplexityRow {
    ComplexityRow {
        name: format!("AMP, {iterations} iterations"),
        formula: format!("{iterations}·(8nLM + 2nM² + 4LM² + 6nM + 2LM)"),
        multiplications: iterations as f64 * s.amp_iteration(),
    }
}

fn covariance(s: &Sizes, sweeps: usize) -> ComplexityRow {
    ComplexityRow {
        name: format!("covariance, {sweeps} sweeps"),
        formula: format!("{sweeps}·n(10L² + 6L) + 2L²M"),
        multiplications: sweeps as f64 * s.sweep() + s.sample_covariance(),
    }
}

fn paper(s: &Sizes, layers: usize, refinement: bool) -> ComplexityRow {
    ComplexityRow {
        name: format!("DL-mAMPnet, paper form, {layers} layers"),
        formula: format!(
            "{layers}·(4nLM² + 4nLM + 14nM + 4LM){}",
            if refinement { " + 3nM + n² + 2N² + 24N" } else { "" }
        ),
        multiplications: layers as f64 * s.paper_layer() + if refinement { s.refinement() } else { 0.0 },
    }
}

fn shared(s: &Sizes, layers: usize, covariance_layers: usize) -> ComplexityRow {
    let tail =
        if covariance_layers > 0 { format!(" + {covariance_layers}·n(10L² + 6L) + 2L²M") } else { String::new() };
    let extra = if covariance_layers > 0 { covariance_layers as f64 * s.sweep() + s.sample_covariance() } else { 0.0 };
    ComplexityRow {
        name: format!("DL-mAMPnet, shared form, {layers} layers"),
        formula: format!("{layers}·(8nLM + 2nM² + 4LM² + 6nM + 2LM){tail}"),
        multiplications: layers as f64 * s.amp_iteration() + extra,
    }
}

/// AMP, covariance and both forms of DL-mAMPnet side by side; `iterations` also counts the sweeps of the covariance method.
pub fn table(scenario: &ScenarioConfig, layers: usize, iterations: usize) -> Vec<ComplexityRow> {
    let s = Sizes::of(scenario);
    vec![amp(&s, iterations), covariance(&s, iterations), paper(&s, layers, true), shared(&s, layers, 0)]
}

/// The count of one configured detector; `None` where no count is defined (bounds, predictions).
pub fn of_detector(scenario: &ScenarioConfig, detector: &DetectorConfig) -> Option<ComplexityRow> {
    use DetectorKind as K;
    let s = Sizes::of(scenario);
    let iterations = |default: usize| detector.iterations.unwrap_or(default);
    Some(match detector.kind {
        K::Amp | K::AmpSection => amp(&s, iterations(50)),
        K::Covariance => covariance(&s, iterations(50)),
        K::Ml | K::Map => covariance(&s, iterations(55)),
        K::CovarianceSection => covariance(&s, iterations(10)),
        K::Mampnet => {
            let model = detector.model.clone().unwrap_or_default();
            let ModelConfig { form, layers, covariance_layers, refinement, .. } = model;
            match form {
                ModelForm::Paper => paper(&s, layers, refinement),
                ModelForm::Shared => shared(&s, layers, covariance_layers),
            }
        }
        K::GenieMmse | K::SingleUserBound | K::StateEvolution | K::WelchBound => return None,
        K::Lmmse | K::Langevin => return None,
        // What they compute depends on how many rows are not zero.
        K::MlMmse | K::GroupLasso | K::GroupLassoAdmm | K::PcAdmm | K::Lasso | K::CovarianceLasso => return None,
        // Not counted in multiplications of the access link.
        K::MatchedFilter
        | K::MmseSic
        | K::OracleLs
        | K::JointMap
        | K::BeamSic
        | K::ExpectationPropagation
        | K::SoftSic
        | K::Autoencoder
        | K::PcAdmmNet
        | K::Score
        | K::Sicnn => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame small enough to count by hand: N = 1, Q = 1, L = 1, M = 1.
    fn unit() -> ScenarioConfig {
        ScenarioConfig { devices: 1, bits: 0, pilot_length: 1, antennas: 1, ..ScenarioConfig::default() }
    }

    #[test]
    fn smallest_frame_counted_by_hand() {
        let rows = table(&unit(), 1, 1);
        // s*r, s*x, |z|^2, shrink, Gram scaling, z z*, R J, |r|^2: 4 + 4 + 2 + 2 + 2 + 2 + 4 + 2.
        assert_eq!(rows[0].multiplications, 22.0);
        // v, s, Cv, v^H(Cv), scale, outer, y y*: 4 + 2 + 4 + 2 + 2 + 2 and 2 once.
        assert_eq!(rows[1].multiplications, 18.0);
        // B r: 4, s x: 4, two real entries with 7 each, |r|^2 and the Onsager product: 4; moduli 2, convolution 1,
        // FC3 1, two 1 x 1 layers: 2, hard threshold 24.
        assert_eq!(rows[2].multiplications, 26.0 + 30.0);
    }

    #[test]
    fn dense_layers_pay_for_the_antennas_squared() {
        let s = ScenarioConfig::default();
        let rows = table(&s, 4, 50);
        let (n, l, m) = (200.0, 40.0, 16.0);
        assert!(rows[2].multiplications > 4.0 * 4.0 * n * l * m * m);
        // The shared form costs layers/iterations of AMP.
        assert!((rows[3].multiplications / rows[0].multiplications - 4.0 / 50.0).abs() < 1e-12);
        assert!(rows[2].multiplications > 2.0 * rows[3].multiplications);
    }

    #[test]
    fn configured_detectors_use_their_own_options() {
        let mut d = DetectorConfig::new(DetectorKind::Amp);
        d.iterations = Some(7);
        let s = ScenarioConfig::default();
        assert_eq!(of_detector(&s, &d).unwrap().multiplications, table(&s, 1, 7)[0].multiplications);
        assert!(of_detector(&s, &DetectorConfig::new(DetectorKind::StateEvolution)).is_none());
    }
}
