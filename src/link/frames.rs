//! Frames: one frame is one coherence block, `Y = S X + W` (systems A to D) or one chip block of the spreading link
//! `y = sum_n diag(h_n) s_n x_n + w` (system E).

use std::ops::Range;
use std::sync::Arc;

use super::array::{check_each, check_finite, check_length};
use super::{AccessModel, ArrayError, Beta};

/// Complex double, the type of every host-side signal.
pub type C64 = num_complex::Complex64;

/// The truth behind simulated frames.
#[derive(Debug, Clone, PartialEq)]
pub struct Truth {
    activity: Vec<i64>,
    channel: Vec<C64>,
}

impl Truth {
    /// `activity [F, N]`: 0 idle, `1..=Q` the index of the sent sequence (or symbol) plus one; `channel [F, N, M]`: effective
    /// channel (large-scale gain included), zero or anything where the device is idle. The channel is empty on a spreading
    /// link, whose receiver knows the coefficients. [`FrameBatch::with_truth`] checks both against its frames.
    pub fn new(activity: Vec<i64>, channel: Vec<C64>) -> Self {
        Self { activity, channel }
    }

    /// `[F, N]`: 0 idle, `1..=Q` the index of the sent sequence (or symbol) plus one.
    pub fn activity(&self) -> &[i64] {
        &self.activity
    }
    /// `[F, N, M]`: effective channels, zero or anything where the device is idle; empty on a spreading link.
    pub fn channel(&self) -> &[C64] {
        &self.channel
    }
}

/// What the receiver of a spreading link (system E) knows besides the signatures, which stand in the place of the pilots.
#[derive(Debug, Clone, PartialEq)]
pub struct Spreading {
    constellation: Arc<Vec<C64>>,
    coefficients: Vec<C64>,
}

impl Spreading {
    /// The alphabet of the symbols (unit mean energy; symbol c has the bits of the number c) and the fading coefficient of
    /// every chip, `[F, N, H]`, which [`FrameBatch::spread`] checks against its frames.
    ///
    /// # Errors
    /// [`ArrayError`] when the alphabet is empty, is not finite, or holds a zero, which means idle.
    pub fn new(constellation: Arc<Vec<C64>>, coefficients: Vec<C64>) -> Result<Self, ArrayError> {
        let name = "constellation";
        if constellation.is_empty() {
            return Err(ArrayError::range(name, "has shape [0], expected [C], at least one symbol"));
        }
        check_finite(name, &[constellation.len()], &constellation)?;
        if let Some(i) = constellation.iter().position(|x| x.norm_sqr() == 0.0) {
            let problem = format!("is zero at [{i}], which means idle; expected other symbols");
            return Err(ArrayError::range(name, problem));
        }
        Ok(Self { constellation, coefficients })
    }

    /// Alphabet of the symbols, `[C]`.
    #[inline]
    pub fn constellation(&self) -> &Arc<Vec<C64>> {
        &self.constellation
    }
    /// Fading coefficient of every chip, `[F, N, H]`.
    #[inline]
    pub fn coefficients(&self) -> &[C64] {
        &self.coefficients
    }
}

/// A batch of F frames as a receiver sees them; lengths and ranges of its arrays have been checked.
///
/// On a spreading link the pilots are the signatures `[H, N]` (one sequence per user), there is one antenna, `y` is
/// `[F, H]`, gains are one, and the activity of a user is 0 (idle) or the index of its symbol plus one.
#[derive(Debug, Clone)]
pub struct FrameBatch {
    model: AccessModel,
    frames: usize,
    y: Vec<C64>,
    beta: Beta,
    truth: Option<Truth>,
    spreading: Option<Spreading>,
}

impl FrameBatch {
    /// Frames of an access link from observations `y [F, L, M]` (row-major) and gains.
    ///
    /// # Errors
    /// [`ArrayError`] when `y` is no whole number of frames or not finite, `beta` has another shape, or a device is active
    /// with probability 1.
    pub fn new(model: AccessModel, y: Vec<C64>, beta: Beta) -> Result<Self, ArrayError> {
        let devices = model.devices();
        check_each("activity_prob", &[devices], model.activity_prob(), |p| p < 1.0, "values in (0, 1)")?;
        let frames = whole_frames(&model, &y, "[F, L, M]")?;
        beta.check(frames, devices)?;
        Ok(Self { model, frames, y, beta, truth: None, spreading: None })
    }

    /// Frames of a spreading link from observations `y [F, H]`; the pilots of `model` are the signatures.
    ///
    /// # Errors
    /// [`ArrayError`] when the model has several antennas or sequences, `y` is no whole number of frames or not finite, or
    /// the coefficients have another shape or are not finite.
    pub fn spread(model: AccessModel, y: Vec<C64>, spreading: Spreading) -> Result<Self, ArrayError> {
        for (name, found) in [("antennas", model.antennas()), ("sequences", model.sequences())] {
            if found != 1 {
                return Err(ArrayError::range(name, format!("is {found}, expected 1 on a spreading link")));
            }
        }
        let frames = whole_frames(&model, &y, "[F, H]")?;
        let (users, chips) = (model.devices(), model.pilot_length());
        check_length("h", spreading.coefficients.len(), "[F, N, H]", &[frames, users, chips])?;
        check_finite("h", &[frames, users, chips], &spreading.coefficients)?;
        Ok(Self { frames, y, beta: Beta::ones(users), truth: None, spreading: Some(spreading), model })
    }

    /// The same frames with their truth.
    ///
    /// # Errors
    /// [`ArrayError`] when an array of the truth has another shape, an activity is negative or above the number of
    /// sequences (or symbols), or a channel is not finite.
    pub fn with_truth(mut self, truth: Truth) -> Result<Self, ArrayError> {
        let (f, n, m, top) = (self.frames, self.model.devices(), self.model.antennas(), self.alternatives());
        check_length("activity", truth.activity.len(), "[F, N]", &[f, n])?;
        let expected = format!("0 (idle) or 1..={top} (sent sequence plus one)");
        check_each("activity", &[f, n], &truth.activity, |a| (0..=top as i64).contains(&a), &expected)?;
        match self.spreading {
            Some(_) => check_length("channel", truth.channel.len(), "[0] on a spreading link", &[0])?,
            None => check_length("channel", truth.channel.len(), "[F, N, M]", &[f, n, m])?,
        }
        check_finite("channel", &[f, n, m], &truth.channel)?;
        self.truth = Some(truth);
        Ok(self)
    }

    /// The same frames as a receiver without the truth sees them.
    pub fn without_truth(self) -> Self {
        Self { truth: None, ..self }
    }

    /// The known part of the model.
    #[inline]
    pub fn model(&self) -> &AccessModel {
        &self.model
    }
    /// Number of frames `F`.
    #[inline]
    pub fn frames(&self) -> usize {
        self.frames
    }
    /// Observations, `[F, L, M]` row-major.
    #[inline]
    pub fn y(&self) -> &[C64] {
        &self.y
    }
    /// Large-scale gains.
    #[inline]
    pub fn beta(&self) -> &Beta {
        &self.beta
    }
    /// The truth, for simulated frames.
    #[inline]
    pub fn truth(&self) -> Option<&Truth> {
        self.truth.as_ref()
    }
    /// Present on a spreading link (system E).
    #[inline]
    pub fn spreading(&self) -> Option<&Spreading> {
        self.spreading.as_ref()
    }
    /// What an active device may have sent: its sequences, or the symbols of the constellation.
    pub fn alternatives(&self) -> usize {
        self.spreading.as_ref().map_or(self.model.sequences(), |s| s.constellation.len())
    }
    /// Observation of frame `f`, `[L, M]` row-major.
    #[inline]
    pub fn frame(&self, f: usize) -> &[C64] {
        let n = self.model.pilot_length() * self.model.antennas();
        &self.y[f * n..(f + 1) * n]
    }
    /// Gains of frame `f`, `[N]`.
    #[inline]
    pub fn beta_of(&self, f: usize) -> &[f64] {
        self.beta.frame(f)
    }

    /// Some of the frames, with their truth.
    ///
    /// # Panics
    /// When the range ends after the last frame.
    pub fn part(&self, frames: Range<usize>) -> Self {
        let truth = self.truth.as_ref().map(|t| Truth {
            activity: rows(&t.activity, self.frames, &frames),
            channel: rows(&t.channel, self.frames, &frames),
        });
        Self { truth, ..self.observed(frames) }
    }

    /// Some of the frames, without their truth.
    ///
    /// # Panics
    /// When the range ends after the last frame.
    pub fn observed(&self, frames: Range<usize>) -> Self {
        Self {
            model: self.model.clone(),
            frames: frames.len(),
            y: rows(&self.y, self.frames, &frames),
            beta: self.beta.part(frames.start, frames.len()),
            truth: None,
            spreading: self.spreading.as_ref().map(|s| Spreading {
                constellation: Arc::clone(&s.constellation),
                coefficients: rows(&s.coefficients, self.frames, &frames),
            }),
        }
    }
}

/// The frames that `y` holds.
fn whole_frames(model: &AccessModel, y: &[C64], axes: &str) -> Result<usize, ArrayError> {
    let (l, m) = (model.pilot_length(), model.antennas());
    let frames = y.len().div_ceil(l * m);
    let shape = [frames, l, m];
    check_length("y", y.len(), axes, &shape)?;
    check_finite("y", &shape, y)?;
    Ok(frames)
}

/// The entries of some of the `count` items along the first axis of an array.
pub(super) fn rows<T: Clone>(data: &[T], count: usize, items: &Range<usize>) -> Vec<T> {
    let size = data.len().checked_div(count).unwrap_or(0);
    data[items.start * size..items.end * size].to_vec()
}
