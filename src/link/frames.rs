//! Frames: one frame is one coherence block, `Y = S X + W` (systems A to D) or one chip block of the spreading link
//! `y = sum_n diag(h_n) s_n x_n + w` (system E).

use std::sync::Arc;

use super::Pilots;

/// Complex double, the type of every host-side signal.
pub type C64 = num_complex::Complex64;

/// What the receiver knows beforehand of the link `Y = S X + W`.
#[derive(Debug, Clone)]
pub struct AccessModel {
    /// Pilot matrix `S`, `[L, N*Q]`.
    pub pilots: Arc<Pilots>,
    /// Number of receive antennas `M`.
    pub antennas: usize,
    /// Noise variance per complex entry of `Y` (linear, > 0).
    pub noise_var: f64,
    /// Activity probability of each device, `[N]`, each in (0, 1).
    pub activity_prob: Vec<f64>,
}

impl AccessModel {
    /// Number of devices `N`.
    pub fn devices(&self) -> usize {
        self.pilots.columns / self.pilots.sequences
    }
    /// Sequences per device `Q = 2^J`.
    pub fn sequences(&self) -> usize {
        self.pilots.sequences
    }
    /// Pilot length `L`.
    pub fn pilot_length(&self) -> usize {
        self.pilots.length
    }
    /// Columns of the pilot matrix, `N*Q`.
    pub fn columns(&self) -> usize {
        self.pilots.columns
    }
}

/// Large-scale fading gains (linear; in units in which `noise_var` is given).
#[derive(Debug, Clone, PartialEq)]
pub enum Beta {
    /// One gain per device, the same in every frame, `[N]`.
    Shared(Vec<f64>),
    /// One gain per frame and device, `[F, N]` row-major.
    PerFrame(Vec<f64>),
}

impl Beta {
    /// The gains of frame `frame`, `[N]`.
    pub fn frame(&self, frame: usize, devices: usize) -> &[f64] {
        match self {
            Beta::Shared(b) => b,
            Beta::PerFrame(b) => &b[frame * devices..(frame + 1) * devices],
        }
    }
}

/// The truth behind simulated frames.
#[derive(Debug, Clone, PartialEq)]
pub struct Truth {
    /// `[F, N]`: 0 idle, `1..=Q` the index of the sent sequence plus one.
    pub activity: Vec<i64>,
    /// `[F, N, M]`: effective channel (large-scale gain included); zero or anything where the device is idle. Empty on a
    /// spreading link, whose receiver knows the coefficients.
    pub channel: Vec<C64>,
}

/// What the receiver of a spreading link (system E) knows besides the signatures, which stand in the place of the pilots.
#[derive(Debug, Clone, PartialEq)]
pub struct Spreading {
    /// Alphabet of the symbols, unit mean energy; symbol c has the bits of the number c.
    pub constellation: Arc<Vec<C64>>,
    /// Fading coefficient of every chip, `[F, N, H]`.
    pub coefficients: Vec<C64>,
}

/// A batch of frames as a receiver sees them.
///
/// On a spreading link the pilots are the signatures `[H, N]` (one sequence per user), there is one antenna, `y` is
/// `[F, H]`, gains are one, and the activity of a user is 0 (idle) or the index of its symbol plus one.
#[derive(Debug, Clone)]
pub struct FrameBatch {
    /// The known part of the model.
    pub model: AccessModel,
    /// Number of frames `F`.
    pub frames: usize,
    /// Observations, `[F, L, M]` row-major.
    pub y: Vec<C64>,
    /// Large-scale gains.
    pub beta: Beta,
    /// The truth, for simulated frames.
    pub truth: Option<Truth>,
    /// Present on a spreading link (system E).
    pub spreading: Option<Spreading>,
}

impl FrameBatch {
    /// What an active device may have sent: its sequences, or the symbols of the constellation.
    pub fn alternatives(&self) -> usize {
        self.spreading.as_ref().map_or(self.model.sequences(), |s| s.constellation.len())
    }
    /// Observation of frame `f`, `[L, M]` row-major.
    pub fn frame(&self, f: usize) -> &[C64] {
        let n = self.model.pilot_length() * self.model.antennas;
        &self.y[f * n..(f + 1) * n]
    }
    /// Gains of frame `f`, `[N]`.
    pub fn beta_of(&self, f: usize) -> &[f64] {
        self.beta.frame(f, self.model.devices())
    }
}
