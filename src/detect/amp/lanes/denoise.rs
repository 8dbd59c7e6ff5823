//! The denoiser on rows that lie side by side.

use crate::math::elementary::{exp_of_negative, log1p_of_positive};
use crate::math::lanes::Lanes;

/// What the denoiser needs of a device.
#[derive(Clone, Copy)]
pub(crate) struct Gain<V> {
    /// Wiener factor `beta/(beta + tau2)`.
    pub omega: V,
    /// Slope of the likelihood ratio over the energy of a row.
    pub slope: V,
    /// Its value without energy, negated: `M ln(1 + beta/tau2)`.
    pub offset: V,
}

/// `beta/(beta + tau2)`.
#[inline(always)]
pub(crate) fn wiener<V: Lanes<Number = f32>>(beta: V, tau2: V) -> V {
    beta.zip(tau2, |b, t| b / (b + t))
}

impl<V: Lanes<Number = f32>> Gain<V> {
    /// `inverse` is `1/tau2`.
    #[inline(always)]
    pub fn new(beta: V, tau2: V, inverse: V, antennas: usize) -> Self {
        let omega = wiener(beta, tau2);
        let offset = beta.zip(inverse, |b, i| antennas as f32 * log1p_of_positive(b * i));
        Self { omega, slope: omega.zip(inverse, |o, i| o * i), offset }
    }
}

/// `new` where a lane is alive, `old` elsewhere.
#[inline(always)]
pub(crate) fn choose<V: Lanes<Number = f32>>(alive: V, new: V, old: V) -> V {
    let mut out = old;
    for j in 0..V::COUNT {
        out.lanes_mut()[j] = if alive.lanes()[j] > 0.0 { new.lanes()[j] } else { old.lanes()[j] };
    }
    out
}

/// Logits to weights: each row on its own, or softmax over the q rows of a device and idle.
#[inline(always)]
pub(crate) fn posterior<V: Lanes<Number = f32>>(section: bool, q: usize, weights: &mut [V]) {
    if !section {
        for w in V::flat_mut(weights) {
            let small = exp_of_negative(-w.abs());
            *w = (if *w < 0.0 { small } else { 1.0 }) / (1.0 + small);
        }
        return;
    }
    for weights in weights.chunks_exact_mut(q) {
        let top = weights.iter().fold(V::ZERO, |top, w| top.zip(*w, f32::max));
        let mut sum = top.map(|v| exp_of_negative(-v));
        for w in weights.iter_mut() {
            *w = w.zip(top, |v, t| exp_of_negative(v - t));
            sum = sum.zip(*w, |a, b| a + b);
        }
        for w in weights {
            *w = w.zip(sum, |w, s| w / s);
        }
    }
}

/// What the denoiser does with a row of the posterior weight w.
pub(crate) struct Shrinkage<V> {
    /// `w omega`, the factor of z in X_new.
    pub share: V,
    /// The same, zero in lanes where the row changes nothing in S X.
    pub shrink: V,
    /// `omega^2 w (1 - w)`, the weight of `z z^H` in the Jacobian but for `1/tau2`; zero where it changes nothing.
    pub curve: V,
}

impl<V: Lanes<Number = f32>> Shrinkage<V> {
    #[inline(always)]
    pub fn new(w: V, energy: V, omega: V, tau2: V) -> Self {
        // A row whose energy is this far below the residual's rounding changes nothing in S X, nor its weight in J.
        let tiny = f32::EPSILON * 1e-3;
        let share = w.zip(omega, |w, o| w * o);
        let kept = energy.zip(share, |e, s| e * s * s).zip(tau2, |e, t| if e > tiny * tiny * t { 1.0 } else { 0.0 });
        let curve = share.zip(omega, |s, o| s * o).zip(w, |s, w| s * (1.0 - w));
        Self { share, shrink: share.zip(kept, |s, k| s * k), curve: curve.map(|c| if c > tiny { c } else { 0.0 }) }
    }
}
