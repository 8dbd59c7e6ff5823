//! What a receiver knows of the link before it sees a frame, and the gains of the devices.

use std::sync::Arc;

use super::array::{check_each, check_length, check_positive};
use super::{ArrayError, Pilots};

/// Neighbouring devices that are active together: `count` groups of equal size, in the order of the devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Groups {
    /// Number of groups, a divisor of N.
    pub count: usize,
    /// Exactly one group is active, each with the same probability; otherwise each is active on its own, with the
    /// probability of its devices.
    pub single: bool,
}

/// What the receiver knows beforehand of the link `Y = S X + W`.
#[derive(Debug, Clone)]
pub struct AccessModel {
    pilots: Arc<Pilots>,
    antennas: usize,
    noise_var: f64,
    activity_prob: Vec<f64>,
    groups: Option<Groups>,
}

impl AccessModel {
    /// Pilots `S [L, N*Q]`, M receive antennas, noise variance per complex entry of `Y` (linear), activity probability of
    /// each device `[N]` (1 only on a spreading link, whose users may be always active).
    ///
    /// # Errors
    /// [`ArrayError`] when `antennas` is zero, `noise_var` is not finite and > 0, or `activity_prob` has another length or
    /// a value outside (0, 1].
    pub fn new(
        pilots: Arc<Pilots>,
        antennas: usize,
        noise_var: f64,
        activity_prob: Vec<f64>,
    ) -> Result<Self, ArrayError> {
        if antennas == 0 {
            return Err(ArrayError::range("antennas", "is 0, expected at least one"));
        }
        check_positive("noise_var", noise_var)?;
        let devices = pilots.columns() / pilots.sequences();
        check_length("activity_prob", activity_prob.len(), "[N]", &[devices])?;
        let expected = "values in (0, 1] (1 on a spreading link only)";
        check_each("activity_prob", &[devices], &activity_prob, |p| p > 0.0 && p <= 1.0, expected)?;
        Ok(Self { pilots, antennas, noise_var, activity_prob, groups: None })
    }

    /// The same link with devices that are active in groups; what a detector makes of it is for its options to say.
    ///
    /// # Errors
    /// [`ArrayError`] when the groups do not divide the devices, or the devices of a group differ in their probability.
    pub fn with_groups(self, groups: Groups) -> Result<Self, ArrayError> {
        let devices = self.devices();
        if groups.count == 0 || !devices.is_multiple_of(groups.count) {
            let problem = format!("is {}, expected a divisor of N = {devices}", groups.count);
            return Err(ArrayError::range("groups", problem));
        }
        let alike = |group: &[f64]| group.iter().all(|p| *p == group[0]);
        if !self.activity_prob.chunks_exact(devices / groups.count).all(alike) {
            return Err(ArrayError::range("activity_prob", "differs inside of a group, expected one value per group"));
        }
        Ok(Self { groups: Some(groups), ..self })
    }

    /// Pilot matrix `S`, `[L, N*Q]`.
    #[inline]
    pub fn pilots(&self) -> &Arc<Pilots> {
        &self.pilots
    }
    /// Number of receive antennas `M`.
    #[inline]
    pub fn antennas(&self) -> usize {
        self.antennas
    }
    /// Noise variance per complex entry of `Y` (linear, > 0).
    #[inline]
    pub fn noise_var(&self) -> f64 {
        self.noise_var
    }
    /// Activity probability of each device, `[N]`.
    #[inline]
    pub fn activity_prob(&self) -> &[f64] {
        &self.activity_prob
    }
    /// Which devices are active together, where the law of the activities has groups.
    #[inline]
    pub fn groups(&self) -> Option<Groups> {
        self.groups
    }
    /// Number of devices `N`.
    #[inline]
    pub fn devices(&self) -> usize {
        self.pilots.columns() / self.pilots.sequences()
    }
    /// Sequences per device `Q = 2^J`.
    #[inline]
    pub fn sequences(&self) -> usize {
        self.pilots.sequences()
    }
    /// Pilot length `L`.
    #[inline]
    pub fn pilot_length(&self) -> usize {
        self.pilots.length()
    }
    /// Columns of the pilot matrix, `N*Q`.
    #[inline]
    pub fn columns(&self) -> usize {
        self.pilots.columns()
    }
}

/// Large-scale fading gains (linear; in units in which `noise_var` is given), finite and not negative; a device of gain
/// zero cannot be heard.
#[derive(Debug, Clone, PartialEq)]
pub struct Beta {
    values: Vec<f64>,
    devices: usize,
    per_frame: bool,
}

impl Beta {
    /// One gain per device, the same in every frame, `[N]`.
    ///
    /// # Errors
    /// [`ArrayError`] when a gain is negative or not finite.
    pub fn shared(values: Vec<f64>) -> Result<Self, ArrayError> {
        check_gains(&[values.len()], &values)?;
        Ok(Self { devices: values.len(), values, per_frame: false })
    }

    /// One gain per frame and device, `[F, N]` row-major.
    ///
    /// # Errors
    /// [`ArrayError`] when the devices do not divide the gains, or a gain is negative or not finite.
    pub fn per_frame(devices: usize, values: Vec<f64>) -> Result<Self, ArrayError> {
        if devices == 0 || !values.len().is_multiple_of(devices) {
            let problem = format!("holds {} values, expected [F, N], a multiple of N = {devices}", values.len());
            return Err(ArrayError::range("beta", problem));
        }
        check_gains(&[values.len() / devices, devices], &values)?;
        Ok(Self { values, devices, per_frame: true })
    }

    /// Gain one for every device.
    pub fn ones(devices: usize) -> Self {
        Self { values: vec![1.0; devices], devices, per_frame: false }
    }

    /// The gains of frame `frame`, `[N]`.
    #[inline]
    pub fn frame(&self, frame: usize) -> &[f64] {
        let first = if self.per_frame { frame * self.devices } else { 0 };
        &self.values[first..first + self.devices]
    }

    /// The gains that all frames share, `[N]`; `None` where every frame has its own.
    pub fn as_shared(&self) -> Option<&[f64]> {
        (!self.per_frame).then_some(&self.values)
    }

    /// All values: `[N]`, or `[F, N]` where every frame has its own.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Fails unless these are gains of `frames` frames of `devices` devices.
    pub(crate) fn check(&self, frames: usize, devices: usize) -> Result<(), ArrayError> {
        match self.per_frame {
            true => check_length("beta", self.values.len(), "[F, N]", &[frames, devices]),
            false => check_length("beta", self.values.len(), "[N]", &[devices]),
        }
    }

    /// The gains of some frames.
    pub(super) fn part(&self, first: usize, count: usize) -> Self {
        match self.per_frame {
            true => {
                let values = self.values[first * self.devices..(first + count) * self.devices].to_vec();
                Self { values, ..*self }
            }
            false => self.clone(),
        }
    }

    /// Appends the gains of further frames; shared ones are the same for them.
    pub(crate) fn append(&mut self, more: &Self) {
        if self.per_frame {
            self.values.extend_from_slice(&more.values);
        }
    }
}

fn check_gains(shape: &[usize], values: &[f64]) -> Result<(), ArrayError> {
    check_each("beta", shape, values, |b| b.is_finite() && b >= 0.0, "finite gains >= 0 (linear, not dB)")
}
