//! Draws of a link before any pilot is applied, and the frames that pilots make of them.

use std::sync::Arc;

use super::ScenarioError;
use crate::link::{AccessModel, ArrayError, Beta, C64, FrameBatch, Groups, Pilots, Spreading, Truth};
use crate::link::{check_each, check_finite, check_length, check_positive};

/// Arrays of F frames before any pilot is applied, as [`Realizations::new`] takes them.
#[derive(Debug, Clone)]
pub struct Draws {
    /// Number of devices `N`.
    pub devices: usize,
    /// Number of antennas `M`.
    pub antennas: usize,
    /// Pilot length `L` (rows of the noise).
    pub pilot_length: usize,
    /// `[F, N]`: 0 idle, `1..=Q` sent sequence plus one.
    pub activity: Vec<i64>,
    /// `[F, N, M]`: effective channel with the large-scale gain, zero where idle; `[F, N, H]` chip coefficients on a
    /// spreading link, also of idle users.
    pub channel: Vec<C64>,
    /// Large-scale gains.
    pub beta: Beta,
    /// `[F, L, M]`: receiver noise with variance `noise_var`.
    pub noise: Vec<C64>,
    /// Noise variance per complex entry.
    pub noise_var: f64,
    /// Activity probability the receiver assumes, `[N]`.
    pub activity_prob: Vec<f64>,
    /// Which devices are active together, where the law has groups.
    pub groups: Option<Groups>,
    /// The alphabet, on a spreading link.
    pub constellation: Option<Arc<Vec<C64>>>,
}

/// Random draws of a batch before any pilot is applied; lengths and ranges of the arrays have been checked.
#[derive(Debug, Clone)]
pub struct Realizations {
    frames: usize,
    draws: Draws,
}

impl Realizations {
    /// Checks draws, of a simulator of channels for example.
    ///
    /// # Errors
    /// [`ArrayError`] when a size is zero, an array has another length than the sizes say, or a value is out of range.
    pub fn new(draws: Draws) -> Result<Self, ArrayError> {
        let d = &draws;
        for (name, size) in [("devices", d.devices), ("antennas", d.antennas), ("pilot_length", d.pilot_length)] {
            if size == 0 {
                return Err(ArrayError::range(name, "is 0, expected at least one"));
            }
        }
        let (n, m, l, f) = (d.devices, d.antennas, d.pilot_length, d.activity.len().div_ceil(d.devices));
        check_length("activity", d.activity.len(), "[F, N]", &[f, n])?;
        let top = d.constellation.as_ref().map_or(i64::MAX, |c| c.len() as i64);
        let activity = |a| (0..=top).contains(&a);
        check_each("activity", &[f, n], &d.activity, activity, "0 (idle) or what was sent plus one")?;
        let channel = match d.constellation {
            Some(_) => ("[F, N, H]", [f, n, l]),
            None => ("[F, N, M]", [f, n, m]),
        };
        check_length("channel", d.channel.len(), channel.0, &channel.1)?;
        check_finite("channel", &channel.1, &d.channel)?;
        d.beta.check(f, n)?;
        check_length("noise", d.noise.len(), "[F, L, M]", &[f, l, m])?;
        check_finite("noise", &[f, l, m], &d.noise)?;
        check_positive("noise_var", d.noise_var)?;
        check_length("activity_prob", d.activity_prob.len(), "[N]", &[n])?;
        check_each("activity_prob", &[n], &d.activity_prob, |p| p > 0.0 && p <= 1.0, "values in (0, 1]")?;
        Ok(Self { frames: f, draws })
    }

    /// Draws of a validated scenario.
    pub(super) fn drawn(frames: usize, draws: Draws) -> Self {
        debug_assert!(Self::new(draws.clone()).is_ok_and(|r| r.frames == frames));
        Self { frames, draws }
    }

    /// The arrays, to be changed and checked again.
    pub fn into_draws(self) -> Draws {
        self.draws
    }

    /// Joins draws of one scenario in order.
    ///
    /// # Panics
    /// When `parts` is empty.
    pub fn concat(parts: Vec<Self>) -> Self {
        let mut parts = parts.into_iter();
        let mut all = parts.next().expect("at least one part");
        for p in parts {
            all.frames += p.frames;
            all.draws.activity.extend(p.draws.activity);
            all.draws.channel.extend(p.draws.channel);
            all.draws.noise.extend(p.draws.noise);
            all.draws.beta.append(&p.draws.beta);
        }
        all
    }

    /// Number of frames `F`.
    pub fn frames(&self) -> usize {
        self.frames
    }
    /// Number of devices `N`.
    pub fn devices(&self) -> usize {
        self.draws.devices
    }
    /// Number of antennas `M`.
    pub fn antennas(&self) -> usize {
        self.draws.antennas
    }
    /// Pilot length `L` (rows of the noise).
    pub fn pilot_length(&self) -> usize {
        self.draws.pilot_length
    }
    /// `[F, N]`: 0 idle, `1..=Q` sent sequence plus one.
    pub fn activity(&self) -> &[i64] {
        &self.draws.activity
    }
    /// `[F, N, M]`: effective channel with the large-scale gain, zero where idle; `[F, N, H]` chip coefficients on a
    /// spreading link, also of idle users.
    pub fn channel(&self) -> &[C64] {
        &self.draws.channel
    }
    /// Large-scale gains.
    pub fn beta(&self) -> &Beta {
        &self.draws.beta
    }
    /// `[F, L, M]`: receiver noise with variance `noise_var`.
    pub fn noise(&self) -> &[C64] {
        &self.draws.noise
    }
    /// Noise variance per complex entry.
    pub fn noise_var(&self) -> f64 {
        self.draws.noise_var
    }
    /// Activity probability the receiver assumes, `[N]`.
    pub fn activity_prob(&self) -> &[f64] {
        &self.draws.activity_prob
    }
    /// The alphabet, on a spreading link.
    pub fn constellation(&self) -> Option<&Arc<Vec<C64>>> {
        self.draws.constellation.as_ref()
    }

    /// Passes the draws through a pilot matrix `[L, N*Q]`, `Y = S X + W`, or through signatures `[H, N]`,
    /// `y = sum_n diag(h_n) s_n x_n + w`. `O(F K L M)` for K active devices.
    ///
    /// # Errors
    /// [`ScenarioError::Pilots`] when the pilot matrix does not fit the draws, [`ScenarioError::Frames`] when a device sends
    /// a sequence that it does not have.
    pub fn observe(&self, pilots: &Arc<Pilots>) -> Result<FrameBatch, ScenarioError> {
        let (n, m, l, q) = (self.devices(), self.antennas(), self.pilot_length(), pilots.sequences());
        if pilots.columns() != n * q || pilots.length() != l {
            return Err(ScenarioError::Pilots(format!(
                "pilot matrix is [{}, {}], the scenario needs [{l}, {}] (length, devices * sequences)",
                pilots.length(),
                pilots.columns(),
                n * q
            )));
        }
        if let Some(constellation) = self.constellation() {
            return Ok(self.spread(pilots, constellation)?);
        }
        let (activity, expected) = (self.activity(), format!("0 (idle) or 1..={q} (sent sequence plus one)"));
        check_each("activity", &[self.frames, n], activity, |a| a <= q as i64, &expected)?;
        let mut y = self.noise().to_vec();
        for f in 0..self.frames {
            let out = &mut y[f * l * m..(f + 1) * l * m];
            for d in 0..n {
                let sent = activity[f * n + d];
                if sent == 0 {
                    continue;
                }
                let column = d * q + (sent - 1) as usize;
                let h = &self.channel()[(f * n + d) * m..(f * n + d + 1) * m];
                for (row, out) in out.chunks_exact_mut(m).enumerate() {
                    let s = pilots.at(row, column);
                    for (o, h) in out.iter_mut().zip(h) {
                        *o += s * h;
                    }
                }
            }
        }
        let mut model = AccessModel::new(Arc::clone(pilots), m, self.noise_var(), self.activity_prob().to_vec())?;
        if let Some(groups) = self.draws.groups {
            model = model.with_groups(groups)?;
        }
        let truth = Truth::new(activity.to_vec(), self.channel().to_vec());
        Ok(FrameBatch::new(model, y, self.beta().clone())?.with_truth(truth)?)
    }

    /// The spreading link; shapes have been checked.
    fn spread(&self, signatures: &Arc<Pilots>, constellation: &Arc<Vec<C64>>) -> Result<FrameBatch, ArrayError> {
        let (n, h) = (self.devices(), self.pilot_length());
        let mut y = self.noise().to_vec();
        for f in 0..self.frames {
            for user in 0..n {
                let sent = self.activity()[f * n + user];
                if sent == 0 {
                    continue;
                }
                let x = constellation[(sent - 1) as usize];
                let fading = &self.channel()[(f * n + user) * h..(f * n + user + 1) * h];
                for (chip, (y, fading)) in y[f * h..(f + 1) * h].iter_mut().zip(fading).enumerate() {
                    *y += fading * signatures.at(chip, user) * x;
                }
            }
        }
        let model = AccessModel::new(Arc::clone(signatures), 1, self.noise_var(), self.activity_prob().to_vec())?;
        let spreading = Spreading::new(Arc::clone(constellation), self.channel().to_vec())?;
        FrameBatch::spread(model, y, spreading)?.with_truth(Truth::new(self.activity().to_vec(), Vec::new()))
    }
}
