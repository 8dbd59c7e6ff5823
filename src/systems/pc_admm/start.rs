//! Where an untrained network starts: the constants of classical PC-ADMM at unit noise and unit pilots.

use crate::detect::DEFAULT_ALPHA;
use crate::detect::{default_extrapolation, default_rho, woodbury};
use crate::link::{C64, Pilots};
use crate::math::planes::Planes;
use crate::systems::access::LinkSizes;

/// Initial values of every layer.
pub(super) struct Start {
    /// `W^H` in the layout of pilots, `[L, K]`, energy 1.
    pub map: Pilots,
    pub lambda: f64,
    pub rho: f64,
    pub alpha: f64,
    pub theta: f64,
    /// Part of the residual power that reaches a row of Z.
    pub spread: f64,
    /// Part of the noise that does.
    pub floor: f64,
}

impl Start {
    pub fn of(pilots: &Pilots, sizes: &LinkSizes) -> Self {
        let (l, k) = (pilots.length(), pilots.columns());
        let columns: Vec<_> = (0..k).flat_map(|i| pilots.column(i)).collect();
        let mut planes = Planes::<f64>::zeros(k, l, 8);
        planes.load(&columns, l, pilots.energy().sqrt().recip());
        let mean = columns.iter().map(|v| v.norm_sqr()).sum::<f64>() / k as f64 / pilots.energy();
        let rho = mean * default_rho(sizes.activity_prob * sizes.devices as f64, l);
        let w = woodbury(&planes, l, rho);
        let mut map = vec![C64::default(); l * k];
        for (i, row) in w.chunks_exact(l).enumerate() {
            row.iter().enumerate().for_each(|(at, w)| map[at * k + i] = w.conj());
        }
        // An error of variance v per entry of T leaves (K/L) v in the residual and, of all K dimensions, the K - L that W
        // does not see in Z.
        let share = l as f64 / k as f64;
        let map = pilots.with_data(1.0, map).expect("the regularised inverse of finite pilots is finite");
        Self {
            map,
            lambda: (sizes.antennas as f64 * mean).sqrt(),
            rho,
            alpha: DEFAULT_ALPHA,
            theta: default_extrapolation(DEFAULT_ALPHA),
            spread: (1.0 - share).max(0.1) * share,
            floor: w.iter().map(|v| v.norm_sqr()).sum::<f64>() / k as f64,
        }
    }
}
