//! Draws of the access link (systems A to D): who is active, gains, fading and noise.
//!
//! N single-antenna devices, each with Q = 2^J sequences of length L; a device is active with probability eps and then
//! sends one of its sequences, which carries J bits and needs no channel knowledge at the receiver.
//! Signals are scaled so that the noise has unit variance: `beta_n` is the received energy of one unit-norm sequence
//! over the noise density, `beta_n = 10^((P - noise_psd - 10 log10(bandwidth) + gain_n)/10)`. Kind "unit-gain" (system B)
//! has no path loss: `beta_n = 1`, pilots of energy L, and the noise variance stands in the configuration.
//!
//! Kind "coherent" (system D) is the uplink `Y = X P + Z` ((14) of the score paper), X `[M, N]`, P `[N, L]` of unit modulus. Its
//! transpose `Y^T = P^T X^T + Z^T` is the access link: one sequence of energy L per device, mean powers of mean one over
//! devices, noise variance `N/10^(snr_db/10)`. A channel file with `snr_db` is used the same way.

use std::sync::Arc;

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_distr::{Distribution, StandardNormal};

use super::channel_file::ChannelFile;
use super::noma::NomaStreams;
use super::signatures::{signature_set, tight_frame};
use crate::link::StreamFamily;
use crate::link::{ArrayError, Beta, C64, ConfigError, Pilots, Purpose, Split, StreamKey};
use crate::scenario::{ActivityLaw, EnergyConvention, PilotKind, PilotRedraw, Positions, ScenarioConfig, ScenarioKind};
use crate::scenario::{Draws, Realizations, ScenarioError, draw_pilots};

/// Draws realizations of one configured scenario from one split of the random streams.
#[derive(Debug, Clone)]
pub struct Scenario {
    config: ScenarioConfig,
    key: StreamKey,
    gains: StreamFamily,
    activity: StreamFamily,
    fading: StreamFamily,
    noise: StreamFamily,
    fixed_gains: Option<Vec<f64>>,
    activity_probs: Vec<f64>,
    pilots: Arc<Pilots>,
    file: Option<Arc<ChannelFile>>,
    split: Split,
}

/// Pilots of a block of frames: one matrix for the run, or a fresh one per block.
pub type BlockPilots = Arc<Pilots>;

impl Scenario {
    /// Prepares the streams of `split`; reads the channel file when the configuration names one.
    ///
    /// # Errors
    /// [`ScenarioError::Config`] when an option is out of range, others when the channel file cannot be used.
    pub fn new(config: &ScenarioConfig, seed: u64, split: Split) -> Result<Self, ScenarioError> {
        config.validate()?;
        check_gains(config)?;
        let file = match config.kind {
            ScenarioKind::NonCoherent | ScenarioKind::UnitGain | ScenarioKind::Coherent | ScenarioKind::Noma => None,
            ScenarioKind::ChannelFile => Some(Arc::new(ChannelFile::load(config)?)),
        };
        let canonical = config.canonical();
        let key = StreamKey::new(seed, split, canonical.clone());
        // Pilots and fixed positions belong to the run, not to a split: all splits share them.
        let shared = StreamKey::new(seed, Split::Train, canonical);
        let pilots = Arc::new(match config.kind {
            ScenarioKind::Noma => signature_set(config.noma().signatures, &config.noma())?,
            _ => {
                let drawn = draw_pilots(
                    &mut shared.rng(Purpose::Pilots, 0),
                    config.pilots,
                    config.pilot_length,
                    config.devices * config.sequences(),
                    config.sequences(),
                )?;
                let unit = match config.pilots {
                    PilotKind::TightFrame => drawn
                        .with_data(1.0, tight_frame(drawn.length(), drawn.columns(), drawn.data())?.data().to_vec())?,
                    _ => drawn,
                };
                scaled(unit, config)?
            }
        });
        let fixed_gains = match (config.positions, config.kind) {
            _ if config.equal_gains() => Some(vec![1.0; config.devices]),
            (Positions::Fixed, ScenarioKind::NonCoherent | ScenarioKind::Coherent) => {
                Some(draw_gains(config, &mut shared.rng(Purpose::Gains, u64::MAX)))
            }
            _ => None,
        };
        Ok(Self {
            gains: key.family(Purpose::Gains),
            activity: key.family(Purpose::Activity),
            fading: key.family(Purpose::Fading),
            noise: key.family(Purpose::Noise),
            activity_probs: config.activity_probs(),
            config: config.clone(),
            key,
            fixed_gains,
            pilots,
            file,
            split,
        })
    }

    /// The configuration.
    pub fn config(&self) -> &ScenarioConfig {
        &self.config
    }

    /// The random pilots of the run, or of block `block` when `pilot_redraw = "block"`.
    pub fn pilots(&self, block: u64) -> BlockPilots {
        match self.config.pilot_redraw {
            // Signatures are constructed, not drawn.
            _ if self.config.kind == ScenarioKind::Noma => Arc::clone(&self.pilots),
            PilotRedraw::Never => Arc::clone(&self.pilots),
            PilotRedraw::Block => {
                let drawn = draw_pilots(
                    &mut self.key.rng(Purpose::Pilots, block + 1),
                    self.config.pilots,
                    self.config.pilot_length,
                    self.config.devices * self.config.sequences(),
                    self.config.sequences(),
                );
                Arc::new(drawn.and_then(|unit| scaled(unit, &self.config)).expect("sizes were validated"))
            }
        }
    }

    /// Draws frames `first .. first + count`; the result depends on the frame numbers only.
    pub fn realize(&self, first: u64, count: usize) -> Realizations {
        let c = &self.config;
        if c.kind == ScenarioKind::Noma {
            return super::noma::realize(&c.noma(), &self.streams(), first, count);
        }
        let (n, m, l, q) = (c.devices, c.antennas, c.pilot_length, c.sequences());
        let mut activity = vec![0_i64; count * n];
        let mut channel = vec![C64::new(0.0, 0.0); count * n * m];
        let mut noise = Vec::with_capacity(count * l * m);
        let mut beta = Vec::with_capacity(if self.fixed_gains.is_some() { n } else { count * n });
        if let Some(fixed) = &self.fixed_gains {
            beta.extend_from_slice(fixed);
        }
        let half = 0.5_f64.sqrt();
        let noise_var = c.receiver_noise_var();
        let noise_scale = (0.5 * noise_var).sqrt();
        for f in 0..count {
            let frame = first + f as u64;
            // 1. Who is active and what is sent.
            let mut rng = self.activity.rng(frame);
            let sent = &mut activity[f * n..(f + 1) * n];
            match (c.active_devices, c.law()) {
                (None, ActivityLaw::Independent) => {
                    for (s, &p) in sent.iter_mut().zip(&self.activity_probs) {
                        // Both numbers are drawn for every device, so a device's symbol does not depend on the others.
                        let (u, symbol) = (rng.random::<f64>(), rng.random_range(0..q));
                        if u < p {
                            *s = symbol as i64 + 1;
                        }
                    }
                }
                (None, law) => {
                    let groups = c.groups.unwrap_or(1);
                    let chosen = rng.random_range(0..groups);
                    for (g, group) in sent.chunks_exact_mut(n / groups).enumerate() {
                        let u = rng.random::<f64>();
                        let active = if law == ActivityLaw::SingleGroup { g == chosen } else { u < c.activity_prob };
                        for s in group {
                            let symbol = rng.random_range(0..q) as i64 + 1;
                            *s = if active { symbol } else { 0 };
                        }
                    }
                }
                (Some(k), _) => {
                    let mut order: Vec<usize> = (0..n).collect();
                    let (chosen, _) = order.partial_shuffle(&mut rng, k);
                    for &mut d in chosen {
                        sent[d] = rng.random_range(0..q) as i64 + 1;
                    }
                }
            }
            // 2. Gains and small-scale fading of the active devices.
            let mut fading = self.fading.rng(frame);
            let mut normal = || -> f64 { StandardNormal.sample(&mut fading) };
            match &self.file {
                None => {
                    if self.fixed_gains.is_none() {
                        beta.extend(draw_gains(c, &mut self.gains.rng(frame)));
                    }
                    let gains = if self.fixed_gains.is_some() { &beta[..] } else { &beta[f * n..] };
                    for d in (0..n).filter(|&d| sent[d] > 0) {
                        let scale = gains[d].sqrt() * half;
                        for h in &mut channel[(f * n + d) * m..(f * n + d + 1) * m] {
                            *h = C64::new(scale * normal(), scale * normal());
                        }
                    }
                }
                Some(file) => {
                    let drop = file.draw(self.split, n, &mut self.gains.rng(frame));
                    if self.fixed_gains.is_none() {
                        beta.extend_from_slice(&drop.beta);
                    }
                    for d in (0..n).filter(|&d| sent[d] > 0) {
                        // The phase reference of a device is arbitrary: rotate by a uniform phase.
                        let (a, b) = (normal(), normal());
                        let phase = C64::new(a, b) / (a * a + b * b).sqrt().max(1e-300);
                        let scale = phase * drop.beta[d].sqrt();
                        let source = file.response(drop.drop, drop.devices[d]);
                        for (h, s) in channel[(f * n + d) * m..(f * n + d + 1) * m].iter_mut().zip(source) {
                            *h = scale * C64::new(s.re as f64, s.im as f64);
                        }
                    }
                }
            }
            // 3. Receiver noise.
            let mut rng = self.noise.rng(frame);
            noise.extend((0..l * m).map(|_| {
                let (a, b): (f64, f64) = (StandardNormal.sample(&mut rng), StandardNormal.sample(&mut rng));
                C64::new(noise_scale * a, noise_scale * b)
            }));
        }
        let beta = if self.fixed_gains.is_some() { Beta::shared(beta) } else { Beta::per_frame(n, beta) };
        let draws = Draws {
            devices: n,
            antennas: m,
            pilot_length: l,
            activity,
            channel,
            beta: beta.expect("a scenario that was made has finite gains"),
            noise,
            noise_var,
            activity_prob: self.activity_probs.clone(),
            groups: c.activity_groups(),
            constellation: None,
        };
        Realizations::drawn(count, draws)
    }

    fn streams(&self) -> NomaStreams<'_> {
        NomaStreams { activity: &self.activity, fading: &self.fading, noise: &self.noise }
    }
}

/// Pilots in the units of the link: columns of (expected) energy L or 1, see [`ScenarioConfig::pilot_energy`].
fn scaled(unit: Pilots, c: &ScenarioConfig) -> Result<Pilots, ArrayError> {
    let energy = c.pilot_energy();
    if energy == 1.0 {
        return Ok(unit);
    }
    let root = energy.sqrt();
    unit.with_data(energy * unit.energy(), unit.data().iter().map(|v| v * root).collect())
}

/// Received energy of one sequence over the noise density, without the path gain, in dB.
pub(crate) fn link_budget_db(c: &ScenarioConfig) -> f64 {
    let per_sequence = c.tx_power_dbm - c.noise_psd_dbm_hz - 10.0 * c.bandwidth_hz.log10();
    match c.energy_convention {
        EnergyConvention::PerSequence => per_sequence,
        // L symbols of the stated power each: the sequence collects L times the energy of a symbol.
        EnergyConvention::PerSymbol => per_sequence + 10.0 * (c.pilot_length as f64).log10(),
    }
}

/// Mean of `d^-exponent` over uniform distances.
pub(super) fn mean_power(exponent: f64, nearest: f64, farthest: f64) -> f64 {
    let width = farthest - nearest;
    if width < 1e-9 * farthest {
        nearest.powf(-exponent)
    } else if (exponent - 1.0).abs() < 1e-9 {
        (farthest / nearest).ln() / width
    } else {
        (farthest.powf(1.0 - exponent) - nearest.powf(1.0 - exponent)) / ((1.0 - exponent) * width)
    }
}

/// What is added to the path gain, in dB.
fn budget(c: &ScenarioConfig) -> f64 {
    match c.snr() {
        Some(_) => {
            let mean = mean_power(c.path_loss_slope_db / 10.0, c.min_distance_km, c.max_distance_km);
            c.path_loss_offset_db - 10.0 * mean.log10()
        }
        None => link_budget_db(c),
    }
}

/// Gains of uniform distances: `beta_dB = -path_loss_offset_db - path_loss_slope_db * log10(d_km)`, over the noise density or,
/// on a link with an SNR, over their mean.
fn draw_gains(c: &ScenarioConfig, rng: &mut impl rand::Rng) -> Vec<f64> {
    let budget = budget(c);
    (0..c.devices)
        .map(|_| {
            let d = c.min_distance_km + (c.max_distance_km - c.min_distance_km) * rng.random::<f64>();
            gain_at(c, budget, d)
        })
        .collect()
}

/// Gain of a device at `d` km for a budget in dB.
fn gain_at(c: &ScenarioConfig, budget: f64, d: f64) -> f64 {
    let gain_db = -c.path_loss_offset_db - c.path_loss_slope_db * d.log10();
    10.0_f64.powf((budget + gain_db) / 10.0)
}

/// Options that are in range one by one may still give the nearest device an infinite gain.
fn check_gains(c: &ScenarioConfig) -> Result<(), ConfigError> {
    let drawn = matches!(c.kind, ScenarioKind::NonCoherent | ScenarioKind::Coherent) && !c.equal_gains();
    let (d, gain) = (c.min_distance_km, if drawn { gain_at(c, budget(c), c.min_distance_km) } else { 1.0 });
    if gain.is_finite() {
        return Ok(());
    }
    Err(ConfigError::Invalid(format!(
        "scenario.path_loss_offset_db and scenario.path_loss_slope_db give the nearest device (scenario.min_distance_km = {d}) \
         the gain {gain}, expected a finite one"
    )))
}
