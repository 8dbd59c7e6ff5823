//! Real multiplications per frame of DL-mAMPnet; conventions as for the classical detectors ([`Sizes`]).
//!
//! | step | real multiplications |
//! |---|---|
//! | printed layer: dense `B_t R` (2nM x 2LM), `S X`, entry-wise denoiser (47) and derivative (48) | 4nLM² + 4nLM + 14nM |
//! | printed layer: `tau2` and the scalar Onsager term | 4LM |
//! | refinement: moduli and 1 x M convolution (49)-(50), two N x N layers (51), 2-8-1 layers (53), FC3 (55) | 3nM + 2N² + 24N + n² |
//! | shared layer: `B~_t R` (2n x 2L), the rest as AMP | as one AMP iteration |

use super::{ModelConfig, ModelForm};
use crate::detect::{Operations, Sizes};

/// One layer of the printed form: dense B_t, known S applied per antenna, scalar Onsager term, and 7 products for
/// each of the 2nM real entries: z², a·z², ω·φ, ·z, ·v_t, and for (48) 2az²·(1 − φ), ·ωφ.
fn paper_layer(&Sizes { n, l, m, .. }: &Sizes) -> f64 {
    4.0 * n * l * m * m + 4.0 * n * l * m + 14.0 * n * m + 4.0 * l * m
}

/// (49)-(55): moduli 2nM, convolution nM, two N x N layers, the 2-8-1 layers of every device, FC3 n x n.
fn refinement(&Sizes { devices, n, m, .. }: &Sizes) -> f64 {
    3.0 * n * m + 2.0 * devices * devices + 24.0 * devices + n * n
}

/// The count of an architecture.
pub(super) fn operations(model: &ModelConfig, s: &Sizes) -> Operations {
    let layers = model.layers;
    match model.form {
        ModelForm::Paper => Operations {
            name: format!("DL-mAMPnet, paper form, {layers} layers"),
            formula: format!(
                "{layers}·(4nLM² + 4nLM + 14nM + 4LM){}",
                if model.refinement { " + 3nM + n² + 2N² + 24N" } else { "" }
            ),
            multiplications: layers as f64 * paper_layer(s) + if model.refinement { refinement(s) } else { 0.0 },
        },
        ModelForm::Shared => {
            let sweeps = model.covariance_layers;
            let tail = if sweeps > 0 { format!(" + {sweeps}·n(10L² + 6L) + 2L²M") } else { String::new() };
            let extra = if sweeps > 0 { sweeps as f64 * s.sweep() + s.sample_covariance() } else { 0.0 };
            Operations {
                name: format!("DL-mAMPnet, shared form, {layers} layers"),
                formula: format!("{layers}·(8nLM + 2nM² + 4LM² + 6nM + 2LM){tail}"),
                multiplications: layers as f64 * s.amp_iteration() + extra,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::ScenarioConfig;

    fn count(scenario: &ScenarioConfig, form: ModelForm, layers: usize) -> f64 {
        operations(&ModelConfig { form, layers, ..ModelConfig::default() }, &Sizes::of(scenario)).multiplications
    }

    /// A frame small enough to count by hand: N = 1, Q = 1, L = 1, M = 1.
    #[test]
    fn smallest_frame_counted_by_hand() {
        let unit = ScenarioConfig { devices: 1, bits: 0, pilot_length: 1, antennas: 1, ..ScenarioConfig::default() };
        // B r: 4, s x: 4, two real entries with 7 each, |r|^2 and the Onsager product: 4; moduli 2, convolution 1,
        // FC3 1, two 1 x 1 layers: 2, hard threshold 24.
        assert_eq!(count(&unit, ModelForm::Paper, 1), 26.0 + 30.0);
    }

    #[test]
    fn dense_layers_pay_for_the_antennas_squared() {
        let s = ScenarioConfig::default();
        let (n, l, m) = (200.0, 40.0, 16.0);
        let (paper, shared) = (count(&s, ModelForm::Paper, 4), count(&s, ModelForm::Shared, 4));
        assert!(paper > 4.0 * 4.0 * n * l * m * m);
        // The shared form costs layers/iterations of AMP.
        assert!((shared / Sizes::of(&s).amp(50).multiplications - 4.0 / 50.0).abs() < 1e-12);
        assert!(paper > 2.0 * shared);
    }
}
