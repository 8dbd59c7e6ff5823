//! Correlation of the antennas, the same for all devices: what linear estimates gain from it.
//!
//! With rows of covariance `p_n C`, `C = U diag(lambda) U^H`, the antennas decouple after a rotation: `Y conj(U)` has columns
//! whose rows are independent of power `p_n lambda_j`.

use num_complex::Complex64;

use crate::link::DetectError;
use crate::link::FrameBatch;
use crate::math::hermitian::{Eigen, eigen};
use crate::math::inverse::InverseCovariance;
use crate::math::isa::Isa;
use crate::math::planes::Planes;

/// Covariance of the antennas of an active device, relative to its gain.
#[derive(Debug, Clone, PartialEq)]
pub struct Spatial {
    antennas: usize,
    eigen: Eigen,
}

impl Spatial {
    /// From the covariance `C [M, M]`, row-major, Hermitian; `C_ab = E[h_a h_b^*]/beta`.
    pub fn new(antennas: usize, covariance: &[Complex64]) -> Self {
        Self { antennas, eigen: eigen(antennas, covariance) }
    }

    /// Antennas M.
    pub fn antennas(&self) -> usize {
        self.antennas
    }

    /// The filters of [`Filters::apply`] for rows of covariance `power_i C`; whatever the inverse held is lost.
    pub(crate) fn filters<I: Isa>(
        &self,
        isa: I,
        inverse: &mut InverseCovariance<f64>,
        columns: &Planes<f64>,
        power: &[f64],
        length: usize,
    ) -> Filters {
        let m = self.antennas;
        let mut weights = vec![Complex64::default(); m * power.len() * length];
        let mut gamma = vec![0.0; power.len()];
        for (value, weights) in self.eigen.values.iter().zip(weights.chunks_exact_mut(power.len() * length)) {
            gamma.iter_mut().zip(power).for_each(|(g, p)| *g = p * value.max(0.0));
            inverse.rebuild(isa, columns, &gamma);
            for (i, (gamma, row)) in gamma.iter().zip(weights.chunks_exact_mut(length)).enumerate() {
                if *gamma > 0.0 {
                    inverse.apply(isa, columns.row(i));
                    let v = &inverse.v;
                    row.iter_mut().enumerate().for_each(|(l, w)| *w = Complex64::new(v.re[l], -v.im[l]) * gamma);
                }
            }
        }
        Filters { antennas: m, length, directions: self.eigen.vectors.clone(), weights }
    }
}

/// Linear MMSE filters of every rotated antenna: what frames with the same pilots and gains share.
pub struct Filters {
    antennas: usize,
    length: usize,
    /// Eigenvectors in columns, `[M, M]`.
    directions: Vec<Complex64>,
    /// `[M, N*Q, L]`.
    weights: Vec<Complex64>,
}

impl Filters {
    /// Estimated rows: `y [L, M]`, `x [N*Q, M]`.
    pub(crate) fn apply(&self, y: &[Complex64], x: &mut [Complex64]) {
        let m = self.antennas;
        let mut rotated = vec![Complex64::default(); self.length];
        x.fill(Complex64::default());
        let per_direction = self.weights.len() / m;
        for (j, weights) in self.weights.chunks_exact(per_direction).enumerate() {
            let direction = |a: usize| self.directions[a * m + j];
            for (out, y) in rotated.iter_mut().zip(y.chunks_exact(m)) {
                *out = y.iter().enumerate().map(|(a, y)| y * direction(a).conj()).sum();
            }
            for (x, row) in x.chunks_exact_mut(m).zip(weights.chunks_exact(self.length)) {
                let part: Complex64 = row.iter().zip(&rotated).map(|(w, y)| w * y).sum();
                x.iter_mut().enumerate().for_each(|(a, x)| *x += part * direction(a));
            }
        }
    }
}

/// The covariance is one of the antennas of these frames.
pub(crate) fn check_antennas(spatial: Option<&Spatial>, batch: &FrameBatch) -> Result<(), DetectError> {
    match spatial {
        Some(spatial) if spatial.antennas() != batch.model().antennas() => Err(DetectError::Mismatch(format!(
            "the covariance is one of {} antennas, these frames have {}",
            spatial.antennas(),
            batch.model().antennas()
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::detect::common::frames::Frames;
    use crate::detect::genie_mmse::Engine as Genie;
    use crate::detect::lmmse::Engine as Linear;
    use crate::link::Detector;
    use crate::link::Split;
    use crate::scenario::Scenario;
    use crate::scenario::{PilotKind, ScenarioConfig, ScenarioKind};

    fn frames(snr_db: f64) -> FrameBatch {
        let config = ScenarioConfig {
            kind: ScenarioKind::Coherent,
            devices: 12,
            antennas: 3,
            pilot_length: 8,
            bits: 0,
            active_devices: Some(4),
            pilots: PilotKind::Qpsk,
            snr_db: Some(snr_db),
            ..ScenarioConfig::default()
        };
        let scenario = Scenario::new(&config, 9, Split::Validation).unwrap();
        scenario.realize(0, 4).observe(&scenario.pilots(0)).unwrap()
    }

    fn estimates(detector: &dyn Detector, batch: &FrameBatch) -> Vec<Complex64> {
        detector.detect(batch).unwrap().x.unwrap()
    }

    #[test]
    fn a_white_covariance_changes_nothing() {
        let batch = frames(10.0);
        let mut white = vec![Complex64::default(); 9];
        (0..3).for_each(|i| white[i * 4] = Complex64::ONE);
        let spatial = Some(Arc::new(Spatial::new(3, &white)));
        let pairs: [[Box<dyn Detector>; 2]; 2] = [
            [
                Box::new(Frames(Linear { threshold: 0.1, spatial: None })),
                Box::new(Frames(Linear { threshold: 0.1, spatial: spatial.clone() })),
            ],
            [Box::new(Frames(Genie { spatial: None })), Box::new(Frames(Genie { spatial }))],
        ];
        for [plain, rotated] in pairs {
            for (a, b) in estimates(plain.as_ref(), &batch).iter().zip(estimates(rotated.as_ref(), &batch)) {
                assert!((a - b).norm() < 1e-10, "{a} {b}");
            }
        }
    }

    #[test]
    fn without_noise_every_covariance_gives_the_channels() {
        let batch = frames(100.0);
        let c: Vec<Complex64> = (0..9).map(|i| Complex64::from(if i % 4 == 0 { 1.0 } else { 0.9 })).collect();
        let spatial = Spatial::new(3, &c);
        let mut values = spatial.eigen.values.clone();
        values.sort_by(f64::total_cmp);
        assert!((values[0] - 0.1).abs() < 1e-12 && (values[2] - 2.8).abs() < 1e-12, "{values:?}");
        let genie = Frames(Genie { spatial: Some(Arc::new(spatial)) });
        let truth = batch.truth().unwrap().channel();
        for (a, b) in estimates(&genie, &batch).iter().zip(truth) {
            assert!((a - b).norm() < 1e-4, "{a} {b}");
        }
    }

    #[test]
    fn a_covariance_of_other_antennas_is_refused() {
        let spatial = Some(Arc::new(Spatial::new(2, &[Complex64::ONE; 4])));
        let error = Frames(Linear { threshold: 0.1, spatial }).detect(&frames(10.0)).unwrap_err();
        assert!(error.to_string().contains("2 antennas"), "{error}");
    }
}
