//! Order, covariances and MMSE filters of successive decisions; they do not depend on what is decided.

use super::algebra::{add_outer, apply, dot, invert};
use super::link::{Link, LinkModel};
use crate::detect::Order;
use crate::link::C64;

/// The steps of one frame.
#[derive(Default)]
pub(crate) struct Schedule {
    /// User of each step, `[N]`.
    pub order: Vec<usize>,
    /// `k_n = g_n^H C^-1 g_n` of the user of each step, `[N]`.
    pub gain: Vec<f64>,
    /// `C^-1 g_n` of the user of each step, `[N, H]`.
    filters: Vec<C64>,
    /// `C^-1` before each step, and after the last, `[N + 1, H, H]`; `C` is the sum of `p_m g_m g_m^H` over the users
    /// that are undecided, plus `sigma2 I`.
    inverses: Vec<C64>,
    left: Vec<usize>,
    candidate: Vec<C64>,
    chips: usize,
}

impl Schedule {
    /// `C^-1 g` of the user of a step, `[H]`.
    #[inline]
    pub fn filter(&self, step: usize) -> &[C64] {
        &self.filters[step * self.chips..(step + 1) * self.chips]
    }

    /// `C^-1` before a step, `[H, H]`; `step = N` gives the one after the last.
    #[inline]
    pub fn inverse(&self, step: usize) -> &[C64] {
        let size = self.chips * self.chips;
        &self.inverses[step * size..(step + 1) * size]
    }

    /// Variance of the unbiased MMSE output of a step: `1/k - p`, not below that of a user alone.
    #[inline]
    pub fn variance(&self, model: &LinkModel<'_>, link: &Link, step: usize) -> f64 {
        let user = self.order[step];
        error_variance(model, link, user, self.gain[step])
    }

    /// Plans a frame: smallest variance first, or the users in order.
    pub fn plan(&mut self, model: &LinkModel<'_>, link: &Link, order: Order) {
        let (n, h) = (model.users, model.chips);
        self.chips = h;
        self.order.clear();
        self.gain.clear();
        self.filters.clear();
        self.inverses.clear();
        self.inverses.resize((n + 1) * h * h, C64::default());
        self.candidate.resize(h, C64::default());
        self.left.clear();
        self.left.extend(0..n);
        for step in 0..=n {
            let inverse = &mut self.inverses[step * h * h..(step + 1) * h * h];
            for i in 0..h {
                inverse[i * h + i] = model.noise_var.into();
            }
            for &m in &self.left {
                add_outer(inverse, model.power[m], link.g(m));
            }
            invert(inverse, h);
            let mut best: Option<(f64, usize, f64)> = None;
            for (at, &user) in self.left.iter().enumerate() {
                apply(inverse, link.g(user), &mut self.candidate);
                let gain = dot(link.g(user), &self.candidate).re;
                let variance = error_variance(model, link, user, gain);
                if best.is_none_or(|b| variance < b.0) {
                    best = Some((variance, at, gain));
                    self.filters.truncate(step * h);
                    self.filters.extend_from_slice(&self.candidate);
                }
                if order == Order::Fixed {
                    break;
                }
            }
            if let Some((_, at, gain)) = best {
                // Order is kept, so that equal variances are decided in the order of the users.
                self.order.push(self.left.remove(at));
                self.gain.push(gain);
            }
        }
    }
}

#[inline]
fn error_variance(model: &LinkModel<'_>, link: &Link, user: usize, gain: f64) -> f64 {
    // 1/k - p cancels at high SNR; noise alone bounds it from below.
    (1.0 / gain - model.power[user]).max(model.noise_var / link.energy[user])
}
