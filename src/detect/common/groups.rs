//! Groups of devices that are active together, in the covariance of the frames.

use std::ops::Range;

use crate::link::{AccessModel, C64, DetectError, Groups};
use crate::math::inverse::{InverseCovariance, Observation};
use crate::math::isa::Isa;
use crate::math::planes::Planes;
use crate::math::real::Real;

/// The groups that a detector with `groups = true` is told.
///
/// # Errors
/// [`DetectError::Mismatch`] when the frames have none, or devices have several sequences.
pub(crate) fn known_groups(detector: &str, model: &AccessModel) -> Result<Groups, DetectError> {
    let mismatch =
        |problem: &str| Err(DetectError::Mismatch(format!("detector {detector} with groups = true {problem}")));
    match model.groups() {
        _ if model.sequences() > 1 => mismatch("needs one sequence per device (scenario.bits = 0)"),
        Some(groups) => Ok(groups),
        None => mismatch(
            "needs frames with groups: scenario.activity_law = \"iid-groups\" or \"single-group\" with scenario.groups, in \
             files the array groups",
        ),
    }
}

/// `Sigma^-1` with groups put in and taken out as a whole.
pub(crate) struct GroupCovariance<T> {
    columns: Planes<T>,
    /// With what has been put in.
    inverse: InverseCovariance<T>,
    /// The same and the group of the last [`GroupCovariance::ratio`].
    with: InverseCovariance<T>,
    observation: Observation<T>,
    size: usize,
    antennas: usize,
    noise_var: f64,
    /// Log-likelihood over that of noise alone.
    pub log_likelihood: f64,
}

impl<T: Real> GroupCovariance<T> {
    /// `columns` are the pilots as rows; one sequence per device.
    pub fn new(columns: Planes<T>, model: &AccessModel, groups: Groups) -> Self {
        let (length, noise_var) = (model.pilot_length(), model.noise_var());
        Self {
            columns,
            inverse: InverseCovariance::new(length, noise_var),
            with: InverseCovariance::new(length, noise_var),
            observation: Observation::new(length, model.antennas()),
            size: model.devices() / groups.count,
            antennas: model.antennas(),
            noise_var,
            log_likelihood: 0.0,
        }
    }

    /// Takes a frame; nobody is active.
    pub fn load(&mut self, y: &[C64]) {
        self.observation.load(y, self.antennas);
        self.reset();
    }

    /// Noise alone.
    pub fn reset(&mut self) {
        self.inverse.reset();
        self.log_likelihood = 0.0;
    }

    /// The devices of a group.
    pub fn devices(&self, group: usize) -> Range<usize> {
        group * self.size..(group + 1) * self.size
    }

    /// Puts all groups in anew with their weights, `[G]`.
    #[inline(always)]
    pub fn rebuild<I: Isa>(&mut self, isa: I, beta: &[f64], weights: &[f64]) {
        self.reset();
        for (g, &weight) in weights.iter().enumerate() {
            if weight > 0.0 {
                self.put_in(isa, g, beta, weight);
            }
        }
    }

    /// Adds every device of a group with `weight * beta`.
    #[inline(always)]
    pub fn put_in<I: Isa>(&mut self, isa: I, group: usize, beta: &[f64], weight: f64) {
        let devices = self.devices(group);
        let Self { columns, inverse, observation, antennas, .. } = self;
        self.log_likelihood += add(isa, columns, inverse, observation, devices, beta, weight, *antennas);
    }

    /// Takes a group out that stands in with `weights[group]`, which becomes 0.
    #[inline(always)]
    pub fn take_out<I: Isa>(&mut self, isa: I, group: usize, beta: &[f64], weights: &mut [f64]) {
        let weight = std::mem::replace(&mut weights[group], 0.0);
        if weight == 0.0 {
            return;
        }
        for n in self.devices(group) {
            let gamma = weight * beta[n];
            let s = self.inverse.apply(isa, self.columns.row(n));
            let rest = 1.0 - gamma * s;
            // See `take_out` of covariance-section: below this the difference is rounding.
            if rest <= 100.0 * T::EPSILON.wide() * (1.0 + gamma / self.noise_var) {
                return self.rebuild(isa, beta, weights);
            }
            let power = self.observation.power(isa, self.inverse.v.parts());
            self.log_likelihood -= gamma * power / rest + self.antennas as f64 * rest.ln();
            self.inverse.update(isa, -gamma, s);
        }
    }

    /// Log-likelihood ratio of the group being active against idle, with what has been put in; the group must be out.
    #[inline(always)]
    pub fn ratio<I: Isa>(&mut self, isa: I, group: usize, beta: &[f64]) -> f64 {
        let devices = self.devices(group);
        let Self { columns, inverse, with, observation, antennas, .. } = self;
        with.copy_from(inverse);
        add(isa, columns, with, observation, devices, beta, 1.0, *antennas)
    }

    /// Adds `scale s^H Sigma^-1 Y` of a device to `x`, `[M]`, with its group, that of the last [`GroupCovariance::ratio`], active:
    /// with the gain the conditional mean of its row.
    #[inline(always)]
    pub fn add_mean<I: Isa>(&mut self, isa: I, device: usize, scale: f64, y: &[C64], x: &mut [C64]) {
        self.with.apply(isa, self.columns.row(device));
        for (l, row) in y.chunks_exact(self.antennas).enumerate() {
            let v = C64::new(self.with.v.re[l].wide(), -self.with.v.im[l].wide()) * scale;
            x.iter_mut().zip(row).for_each(|(x, y)| *x += v * y);
        }
    }

    /// Posterior of exactly one active group, all alike before: log ratios and weights, `[G]`.
    #[inline(always)]
    pub fn single<I: Isa>(&mut self, isa: I, beta: &[f64], temper: f64, weights: &mut [f64]) -> Vec<f64> {
        self.reset();
        let ratios: Vec<f64> = (0..weights.len()).map(|g| self.ratio(isa, g, beta)).collect();
        let top = ratios.iter().map(|r| temper * r).fold(f64::NEG_INFINITY, f64::max);
        weights.iter_mut().zip(&ratios).for_each(|(w, r)| *w = (temper * r - top).exp());
        let sum: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|w| *w /= sum);
        ratios
    }
}

/// Weight of all groups but one: one minus its own has no digits where it is nearly one.
pub(crate) fn others(weights: &[f64], group: usize) -> f64 {
    weights.iter().enumerate().filter(|(g, _)| *g != group).map(|(_, w)| w).sum()
}

/// Adds devices one after the other; returns the log-likelihood ratio of all of them together.
#[expect(clippy::too_many_arguments, reason = "parts of one struct, borrowed apart")]
#[inline(always)]
fn add<T: Real, I: Isa>(
    isa: I,
    columns: &Planes<T>,
    inverse: &mut InverseCovariance<T>,
    observation: &mut Observation<T>,
    devices: Range<usize>,
    beta: &[f64],
    weight: f64,
    antennas: usize,
) -> f64 {
    let mut ratio = 0.0;
    for n in devices {
        let gamma = weight * beta[n];
        let s = inverse.apply(isa, columns.row(n)).max(0.0);
        let power = observation.power(isa, inverse.v.parts());
        ratio += gamma * power / (1.0 + gamma * s) - antennas as f64 * (gamma * s).ln_1p();
        inverse.update(isa, gamma, s);
    }
    ratio
}
