//! The steps of one AMP iteration, each a function named after the quantity it computes.
//!
//! The equations are those of Theorem 1 of the DL-mAMPnet paper, misprints corrected: see [`amp`](crate::detect::amp).

use crate::math::isa::Isa;
use crate::math::kernels::energy;
use crate::math::planes::Planes;
use crate::math::real::{Real, TILE_ROWS};

/// Pilots packed for the two products, shared by all frames of a batch.
pub(crate) struct PackedPilots<T> {
    /// `S^H` as panels over columns of S: `[NQ/4, L, 4]`.
    pub adjoint: [Vec<T>; 2],
    /// `S` as panels over rows of S: `[L/4, NQ, 4]`.
    pub forward: [Vec<T>; 2],
    /// Pilot length L.
    pub length: usize,
    /// Columns NQ.
    pub columns: usize,
}

/// Per-device constants of one iteration.
#[derive(Clone, Copy, Default)]
pub(crate) struct Gain {
    /// `omega = beta / (beta + tau2)`, the MMSE weight of an active row.
    pub omega: f64,
    /// `pi = beta / (tau2 (beta + tau2))`, the factor of `||z||^2` in the log-likelihood ratio.
    pub slope: f64,
    /// `M psi = M ln(1 + beta/tau2)`.
    pub offset: f64,
}

impl Gain {
    /// The constants of a device with gain `beta` at effective noise `tau2`.
    pub fn new(beta: f64, tau2: f64, antennas: usize) -> Self {
        let sum = beta + tau2;
        Self { omega: beta / sum, slope: beta / (tau2 * sum), offset: antennas as f64 * (beta / tau2).ln_1p() }
    }

    /// `LLR = M (pi - psi) = ||z||^2 beta/(tau2 (beta + tau2)) - M ln(1 + beta/tau2)`.
    #[inline(always)]
    pub fn llr(&self, energy: f64) -> f64 {
        energy * self.slope - self.offset
    }
}

/// Effective noise `tau2 = ||R||_F^2 / (L M)`.
#[inline(always)]
pub(crate) fn effective_noise<T: Real, I: Isa>(isa: I, r: &Planes<T>, length: usize, antennas: usize) -> f64 {
    energy(isa, r.parts()).wide() / (length * antennas) as f64
}

/// Matched filter `Z = X + S^H R`.
#[inline(always)]
pub(crate) fn matched_filter<T: Real, I: Isa>(
    isa: I,
    pilots: &PackedPilots<T>,
    r: &Planes<T>,
    x: &Planes<T>,
    z: &mut Planes<T>,
    tile: &mut Planes<T>,
) {
    let panel = pilots.length * TILE_ROWS;
    for p in 0..pilots.columns.div_ceil(TILE_ROWS) {
        let a = [&pilots.adjoint[0][p * panel..][..panel], &pilots.adjoint[1][p * panel..][..panel]];
        for at in (0..r.stride).step_by(T::LANES) {
            T::tile(isa, a, r.parts(), r.stride, at, 0..pilots.length, tile.parts_mut());
            for i in p * TILE_ROWS..pilots.columns.min((p + 1) * TILE_ROWS) {
                let from = (i % TILE_ROWS) * T::LANES;
                let to = i * z.stride + at;
                for (z, x, tile) in [(&mut z.re, &x.re, &tile.re), (&mut z.im, &x.im, &tile.im)] {
                    let (z, x, tile) = (&mut z[to..][..T::LANES], &x[to..][..T::LANES], &tile[from..][..T::LANES]);
                    for j in 0..T::LANES {
                        z[j] = x[j] + tile[j];
                    }
                }
            }
        }
    }
}

/// Sums over rows that the Onsager term needs: `sum_i J_i` (transposed) and its trace part.
pub(crate) struct Jacobians<T> {
    /// `(sum_i J_i)^T`, `[M, M]` padded.
    pub transposed: Planes<T>,
    /// `sum_i omega_i w_i`, the multiple of the identity.
    pub identity: f64,
}

impl<T: Real> Jacobians<T> {
    /// Forgets everything.
    #[inline(always)]
    pub fn clear(&mut self) {
        self.transposed.re.fill(T::ZERO);
        self.transposed.im.fill(T::ZERO);
        self.identity = 0.0;
    }

    /// Adds `J_i = omega w I + weight z z^H` with `weight = (omega^2/tau2) w (1 - w)`.
    #[inline(always)]
    pub fn add<I: Isa>(&mut self, isa: I, identity: f64, weight: T, z: [&[T]; 2], antennas: usize) {
        self.identity += identity;
        let stride = self.transposed.stride;
        let rows = self.transposed.re.chunks_exact_mut(stride).zip(self.transposed.im.chunks_exact_mut(stride));
        for (k, (re, im)) in rows.enumerate().take(antennas) {
            // Entry (k, m) of the transposed: conj(z_k) z_m.
            let (x, y) = (weight * z[0][k], -(weight * z[1][k]));
            let minus_y = -y;
            for (((re, im), &b_re), &b_im) in re.iter_mut().zip(im).zip(z[0]).zip(z[1]) {
                *re = x.madd(isa, b_re, minus_y.madd(isa, b_im, *re));
                *im = x.madd(isa, b_im, y.madd(isa, b_re, *im));
            }
        }
    }

    /// Folds the identity part in and divides by L; `scalar` keeps only the mean of the traces.
    #[inline(always)]
    pub fn finish(&mut self, antennas: usize, length: usize, scalar: bool) {
        let stride = self.transposed.stride;
        let scale = 1.0 / length as f64;
        if scalar {
            let trace: f64 = (0..antennas).map(|m| self.transposed.re[m * stride + m].wide()).sum();
            let mean = self.identity + trace / antennas as f64;
            self.clear();
            self.identity = mean;
        }
        for v in self.transposed.re.iter_mut().chain(&mut self.transposed.im) {
            *v = *v * T::of(scale);
        }
        for m in 0..antennas {
            self.transposed.re[m * stride + m] += T::of(self.identity * scale);
        }
    }
}

/// The residual R, `[L, M]`, and the buffers of its renewal.
pub(crate) struct Residual<T> {
    pub r: Planes<T>,
    /// R in panels `[L/4, M, 4]`.
    packed: [Vec<T>; 2],
    /// One tile of a product.
    pub tile: Planes<T>,
    onsager: Planes<T>,
    antennas: usize,
}

impl<T: Real> Residual<T> {
    /// Buffers for `length` symbols.
    pub fn new(length: usize, antennas: usize) -> Self {
        let tile = || Planes::zeros(TILE_ROWS, T::LANES, T::LANES);
        let packed = vec![T::ZERO; length.next_multiple_of(TILE_ROWS) * antennas];
        let r = Planes::zeros(length, antennas, T::LANES);
        Self { r, packed: [packed.clone(), packed], tile: tile(), onsager: tile(), antennas }
    }

    /// With Onsager correction, damped:
    /// `R <- d (Y - S X_new + (1/L) R (sum_i J_i)^T) + (1 - d) R`, with X_new before damping.
    ///
    /// `support` lists the rows of X_new that are not negligible.
    #[inline(always)]
    pub fn renew<I: Isa>(
        &mut self,
        isa: I,
        pilots: &PackedPilots<T>,
        y: &Planes<T>,
        (x, support): (&Planes<T>, &[usize]),
        jacobians: &Jacobians<T>,
        damping: T,
    ) {
        let Self { r, packed, tile, onsager, antennas } = self;
        let antennas = *antennas;
        let stride = r.stride;
        for l in 0..pilots.length {
            for m in 0..antennas {
                let at = (l / TILE_ROWS * antennas + m) * TILE_ROWS + l % TILE_ROWS;
                packed[0][at] = r.re[l * stride + m];
                packed[1][at] = r.im[l * stride + m];
            }
        }
        let keep = T::ONE - damping;
        let (panel, r_panel) = (pilots.columns * TILE_ROWS, antennas * TILE_ROWS);
        for p in 0..pilots.length.div_ceil(TILE_ROWS) {
            let s = [&pilots.forward[0][p * panel..][..panel], &pilots.forward[1][p * panel..][..panel]];
            let old = [&packed[0][p * r_panel..][..r_panel], &packed[1][p * r_panel..][..r_panel]];
            for at in (0..stride).step_by(T::LANES) {
                T::tile(isa, s, x.parts(), stride, at, support.iter().copied(), tile.parts_mut());
                T::tile(isa, old, jacobians.transposed.parts(), stride, at, 0..antennas, onsager.parts_mut());
                for l in p * TILE_ROWS..pilots.length.min((p + 1) * TILE_ROWS) {
                    let from = (l % TILE_ROWS) * T::LANES;
                    let to = l * stride + at;
                    let planes = [(&mut r.re, &y.re, &tile.re, &onsager.re), (&mut r.im, &y.im, &tile.im, &onsager.im)];
                    for (r, y, tile, onsager) in planes {
                        let (r, y) = (&mut r[to..][..T::LANES], &y[to..][..T::LANES]);
                        let (tile, onsager) = (&tile[from..][..T::LANES], &onsager[from..][..T::LANES]);
                        for j in 0..T::LANES {
                            r[j] = damping * (y[j] - tile[j] + onsager[j]) + keep * r[j];
                        }
                    }
                }
            }
        }
    }
}

/// Posterior weights of the Q rows of one device.
///
/// Row-wise (Theorem 1): `phi_q = sigmoid(LLR_q + ln(eps/(Q - eps)))`, each row on its own.
/// Section-wise: `w_q = (eps/Q) e^{LLR_q} / (1 - eps + sum_r (eps/Q) e^{LLR_r})`, softmax over the Q rows and idle.
#[inline(always)]
pub(crate) fn posterior(section: bool, llr: &[f64], log_odds: f64, weights: &mut [f64]) {
    if section {
        let top = llr.iter().fold(0.0_f64, |t, &v| t.max(v + log_odds));
        let mut sum = (-top).exp();
        for (w, &v) in weights.iter_mut().zip(llr) {
            *w = (v + log_odds - top).exp();
            sum += *w;
        }
        for w in weights {
            *w /= sum;
        }
    } else {
        for (w, &v) in weights.iter_mut().zip(llr) {
            *w = 1.0 / (1.0 + (-(v + log_odds)).exp());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn section_weights_and_idle_sum_to_one_and_equal_rows_when_alone() {
        let (mut w, mut phi) = ([0.0; 2], [0.0; 1]);
        let log_odds = (0.05_f64 / 0.9).ln();
        posterior(true, &[3.0, -1.0], log_odds, &mut w);
        let idle = 1.0 / (1.0 + (3.0 + log_odds).exp() + (-1.0 + log_odds).exp());
        assert!((w[0] + w[1] + idle - 1.0).abs() < 1e-12);
        let mut one = [0.0; 1];
        posterior(true, &[3.0], -2.0, &mut one);
        posterior(false, &[3.0], -2.0, &mut phi);
        assert!((one[0] - phi[0]).abs() < 1e-12);
        posterior(true, &[1e4, -1e4], log_odds, &mut w);
        assert_eq!(w, [1.0, 0.0]);
    }

    #[test]
    fn llr_is_the_log_ratio_of_two_gaussians() {
        let (beta, tau2, m, energy) = (3.0, 0.5, 4, 7.0);
        let log_density = |v: f64| -(m as f64) * (std::f64::consts::PI * v).ln() - energy / v;
        let want = log_density(beta + tau2) - log_density(tau2);
        assert!((Gain::new(beta, tau2, m).llr(energy) - want).abs() < 1e-12);
    }
}
