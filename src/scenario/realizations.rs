//! Draws of a link before any pilot is applied, and the frames that pilots make of them.

use std::sync::Arc;

use super::ScenarioError;
use crate::link::{AccessModel, Beta, C64, FrameBatch, Pilots, Spreading, Truth};

/// Random draws of a batch before any pilot is applied.
#[derive(Debug, Clone)]
pub struct Realizations {
    /// Number of frames `F`.
    pub frames: usize,
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
    /// The alphabet, on a spreading link.
    pub constellation: Option<Arc<Vec<C64>>>,
}

impl Realizations {
    /// Joins draws of one scenario in order.
    ///
    /// # Panics
    /// When `parts` is empty.
    pub fn concat(parts: Vec<Self>) -> Self {
        let mut parts = parts.into_iter();
        let mut all = parts.next().expect("at least one part");
        for p in parts {
            all.frames += p.frames;
            all.activity.extend(p.activity);
            all.channel.extend(p.channel);
            all.noise.extend(p.noise);
            if let (Beta::PerFrame(a), Beta::PerFrame(b)) = (&mut all.beta, p.beta) {
                a.extend(b);
            }
        }
        all
    }

    /// Passes the draws through a pilot matrix, `Y = S X + W`, or through signatures, `y = sum_n diag(h_n) s_n x_n + w`.
    ///
    /// # Errors
    /// [`ScenarioError::Pilots`] when the pilot matrix does not fit the draws.
    pub fn observe(&self, pilots: &Arc<Pilots>) -> Result<FrameBatch, ScenarioError> {
        let (n, m, l, q) = (self.devices, self.antennas, self.pilot_length, pilots.sequences);
        if pilots.columns != n * q || pilots.length != l {
            return Err(ScenarioError::Pilots(format!(
                "pilot matrix is [{}, {}], the scenario needs [{l}, {}] (length, devices * sequences)",
                pilots.length,
                pilots.columns,
                n * q
            )));
        }
        if let Some(constellation) = &self.constellation {
            return Ok(self.spread(pilots, constellation));
        }
        let mut y = self.noise.clone();
        for f in 0..self.frames {
            let out = &mut y[f * l * m..(f + 1) * l * m];
            for d in 0..n {
                let sent = self.activity[f * n + d];
                if sent == 0 {
                    continue;
                }
                let column = d * q + (sent - 1) as usize;
                let h = &self.channel[(f * n + d) * m..(f * n + d + 1) * m];
                for (row, out) in out.chunks_exact_mut(m).enumerate() {
                    let s = pilots.at(row, column);
                    for (o, h) in out.iter_mut().zip(h) {
                        *o += s * h;
                    }
                }
            }
        }
        Ok(FrameBatch {
            model: AccessModel {
                pilots: Arc::clone(pilots),
                antennas: m,
                noise_var: self.noise_var,
                activity_prob: self.activity_prob.clone(),
            },
            frames: self.frames,
            y,
            beta: self.beta.clone(),
            truth: Some(Truth { activity: self.activity.clone(), channel: self.channel.clone() }),
            spreading: None,
        })
    }

    /// The spreading link; shapes have been checked.
    fn spread(&self, signatures: &Arc<Pilots>, constellation: &Arc<Vec<C64>>) -> FrameBatch {
        let (n, h) = (self.devices, self.pilot_length);
        let mut y = self.noise.clone();
        for f in 0..self.frames {
            for user in 0..n {
                let sent = self.activity[f * n + user];
                if sent == 0 {
                    continue;
                }
                let x = constellation[(sent - 1) as usize];
                let fading = &self.channel[(f * n + user) * h..(f * n + user + 1) * h];
                for (chip, (y, fading)) in y[f * h..(f + 1) * h].iter_mut().zip(fading).enumerate() {
                    *y += fading * signatures.at(chip, user) * x;
                }
            }
        }
        FrameBatch {
            model: AccessModel {
                pilots: Arc::clone(signatures),
                antennas: 1,
                noise_var: self.noise_var,
                activity_prob: self.activity_prob.clone(),
            },
            frames: self.frames,
            y,
            beta: self.beta.clone(),
            truth: Some(Truth { activity: self.activity.clone(), channel: Vec::new() }),
            spreading: Some(Spreading { constellation: Arc::clone(constellation), coefficients: self.channel.clone() }),
        }
    }
}
