//! Draws of the spreading link (system E): users that spread symbols over a few chips.
//!
//! `y = sum_n diag(h_n) s_n x_n + w` ((5) of the NOMA signature paper), y of H chips: user n is active with probability `p_n` and
//! then sends one symbol `x_n` of the constellation on its unit-norm signature `s_n`. The NOMA signature paper normalises
//! `s_n x_n` (4); for constant-modulus symbols that is the same, and for 16-QAM it would erase the amplitude, so here
//! signatures have norm one and symbols unit mean energy.

use std::sync::Arc;

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use crate::link::StreamFamily;
use crate::link::{Beta, C64};
use crate::scenario::{Constellation, Fading, NomaConfig};
use crate::scenario::{Draws, Realizations};

/// The random streams of one split.
pub(super) struct NomaStreams<'a> {
    pub activity: &'a StreamFamily,
    pub fading: &'a StreamFamily,
    pub noise: &'a StreamFamily,
}

/// The symbols of a constellation.
pub fn symbols(constellation: Constellation) -> Arc<Vec<C64>> {
    Arc::new(constellation.points().into_iter().map(|(re, im)| C64::new(re, im)).collect())
}

/// Draws frames `first .. first + count`; the result depends on the frame numbers only.
pub(super) fn realize(c: &NomaConfig, streams: &NomaStreams<'_>, first: u64, count: usize) -> Realizations {
    let (n, h) = (c.users, c.signature_length);
    let prob = c.activation_prob();
    let alphabet = symbols(c.constellation);
    let noise_var = c.noise_var_at(c.snr_db);
    let mut activity = Vec::with_capacity(count * n);
    let mut channel = Vec::with_capacity(count * n * h);
    let mut noise = Vec::with_capacity(count * h);
    let half = 0.5_f64.sqrt();
    for frame in first..first + count as u64 {
        let mut rng = streams.activity.rng(frame);
        // Both numbers are drawn for every user, so a user's symbol does not depend on the others.
        activity.extend(prob.iter().map(|&p| {
            let (u, symbol) = (rng.random::<f64>(), rng.random_range(0..alphabet.len()));
            if u < p { symbol as i64 + 1 } else { 0 }
        }));
        let mut rng = streams.fading.rng(frame);
        let complex = |scale: f64, rng: &mut rand_chacha::ChaCha8Rng| {
            let (a, b): (f64, f64) = (StandardNormal.sample(rng), StandardNormal.sample(rng));
            C64::new(scale * a, scale * b)
        };
        for _ in 0..n {
            match c.fading {
                Fading::Chip => channel.extend((0..h).map(|_| complex(half, &mut rng))),
                Fading::Flat => {
                    let one = complex(half, &mut rng);
                    channel.extend(std::iter::repeat_n(one, h));
                }
                Fading::Awgn => channel.extend(std::iter::repeat_n(C64::new(1.0, 0.0), h)),
            }
        }
        let mut rng = streams.noise.rng(frame);
        noise.extend((0..h).map(|_| complex(half * noise_var.sqrt(), &mut rng)));
    }
    let draws = Draws {
        devices: n,
        antennas: 1,
        pilot_length: h,
        activity,
        channel,
        beta: Beta::ones(n),
        noise,
        noise_var,
        activity_prob: prob,
        groups: None,
        constellation: Some(alphabet),
    };
    Realizations::drawn(count, draws)
}

#[cfg(test)]
mod tests {
    use crate::link::{C64, Split};
    use crate::scenario::Scenario;
    use crate::scenario::{Fading, NomaConfig, ScenarioConfig, ScenarioKind};

    fn scenario(noma: NomaConfig) -> Scenario {
        let config = ScenarioConfig { kind: ScenarioKind::Noma, noma: Some(noma), ..Default::default() };
        config.validate().unwrap();
        Scenario::new(&config, 3, Split::Test).unwrap()
    }

    #[test]
    fn frames_follow_the_signal_model() {
        let s = scenario(NomaConfig { snr_db: 100.0, ..NomaConfig::default() });
        let batch = s.realize(5, 7).observe(&s.pilots(0)).unwrap();
        let spreading = batch.spreading().unwrap();
        assert_eq!((batch.y().len(), spreading.coefficients().len(), batch.alternatives()), (28, 7 * 24, 4));
        let truth = batch.truth().unwrap();
        for f in 0..7 {
            for chip in 0..4 {
                let sum: C64 = (0..6)
                    .filter(|n| truth.activity()[f * 6 + n] > 0)
                    .map(|n| {
                        spreading.coefficients()[(f * 6 + n) * 4 + chip]
                            * batch.model().pilots().at(chip, n)
                            * spreading.constellation()[truth.activity()[f * 6 + n] as usize - 1]
                    })
                    .sum();
                assert!((sum - batch.y()[f * 4 + chip]).norm() < 1e-3);
            }
        }
        // A frame depends on its number only.
        let later = s.realize(8, 1).observe(&s.pilots(0)).unwrap();
        assert_eq!(later.y()[..], batch.y()[3 * 4..4 * 4]);
    }

    #[test]
    fn moments_are_those_of_the_configuration() {
        let s = scenario(NomaConfig { fading: Fading::Flat, snr_db: 0.0, ..NomaConfig::default() });
        let r = s.realize(0, 20_000);
        let share = |n: usize| r.activity().iter().skip(n).step_by(6).filter(|a| **a > 0).count() as f64 / 20_000.0;
        assert!((share(0) - 0.8).abs() < 0.015 && (share(5) - 0.4).abs() < 0.015);
        let power = |v: &[C64]| v.iter().map(|z| z.norm_sqr()).sum::<f64>() / v.len() as f64;
        assert!((power(r.channel()) - 1.0).abs() < 0.02);
        assert!((power(r.noise()) - 1.0).abs() < 0.02);
        assert_eq!(r.channel()[0], r.channel()[3]);
    }
}
