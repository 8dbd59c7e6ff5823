//! Correlation of the antennas, the same for all devices: what linear estimates gain from it.
//!
//! With rows of covariance `p_n C`, `C = U diag(lambda) U^H`, the antennas decouple after a rotation: `Y conj(U)` has columns
//! whose rows are independent of power `p_n lambda_j`.

use num_complex::Complex64;

use super::mmse::mmse_rows;
use crate::arithmetic::hermitian::{Eigen, eigen};
use crate::arithmetic::inverse::InverseCovariance;
use crate::arithmetic::planes::Planes;
use crate::detection::DetectError;
use crate::scenario::FrameBatch;

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

    /// MMSE rows as [`mmse_rows`] finds them, for rows of covariance `power_i C`: `y [L, M]`, `x [N*Q, M]`.
    pub(super) fn rows<const FMA: bool>(
        &self,
        inverse: &mut InverseCovariance<f64>,
        columns: &Planes<f64>,
        power: &[f64],
        y: &[Complex64],
        x: &mut [Complex64],
    ) {
        let m = self.antennas;
        let mut rotated = vec![Complex64::default(); y.len() / m];
        let mut part = vec![Complex64::default(); power.len()];
        let mut gamma = vec![0.0; power.len()];
        x.fill(Complex64::default());
        for (j, value) in self.eigen.values.iter().enumerate() {
            let direction = |a: usize| self.eigen.vectors[a * m + j];
            for (out, y) in rotated.iter_mut().zip(y.chunks_exact(m)) {
                *out = y.iter().enumerate().map(|(a, y)| y * direction(a).conj()).sum();
            }
            gamma.iter_mut().zip(power).for_each(|(g, p)| *g = p * value.max(0.0));
            part.fill(Complex64::default());
            mmse_rows::<FMA>(inverse, columns, &gamma, &rotated, 1, &mut part);
            for (x, v) in x.chunks_exact_mut(m).zip(&part) {
                x.iter_mut().enumerate().for_each(|(a, x)| *x += v * direction(a));
            }
        }
    }
}

/// The covariance is one of the antennas of these frames.
pub(super) fn check_antennas(spatial: Option<&Spatial>, batch: &FrameBatch) -> Result<(), DetectError> {
    match spatial {
        Some(spatial) if spatial.antennas() != batch.model.antennas => Err(DetectError::Mismatch(format!(
            "the covariance is one of {} antennas, these frames have {}",
            spatial.antennas(),
            batch.model.antennas
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::classical::{GenieMmse, Lmmse};
    use crate::config::{PilotKind, ScenarioConfig, ScenarioKind};
    use crate::detection::Detector;
    use crate::scenario::{Scenario, Split};

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
                Box::new(Lmmse { threshold: 0.1, spatial: None }),
                Box::new(Lmmse { threshold: 0.1, spatial: spatial.clone() }),
            ],
            [Box::new(GenieMmse { spatial: None }), Box::new(GenieMmse { spatial })],
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
        let genie = GenieMmse { spatial: Some(Arc::new(spatial)) };
        let truth = &batch.truth.as_ref().unwrap().channel;
        for (a, b) in estimates(&genie, &batch).iter().zip(truth) {
            assert!((a - b).norm() < 1e-4, "{a} {b}");
        }
    }

    #[test]
    fn a_covariance_of_other_antennas_is_refused() {
        let spatial = Some(Arc::new(Spatial::new(2, &[Complex64::ONE; 4])));
        let error = Lmmse { threshold: 0.1, spatial }.detect(&frames(10.0)).unwrap_err();
        assert!(error.to_string().contains("2 antennas"), "{error}");
    }
}
