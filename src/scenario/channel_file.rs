//! Channels made elsewhere: an npz with the small-scale response `channel [drop, device, antenna]` (complex) and the gain of
//! the path `gain_db [drop, device]` (dB); the channel of a device is the response times the root of its linear gain.
//!
//! The drops are dealt to the splits once and for all: of every ten consecutive drops the first seven train, the eighth
//! validates and the last two test, so no small-scale channel of the test set was ever seen in training. A frame takes one
//! drop of its split and N of its served devices.

use num_complex::Complex32;
use rand::seq::SliceRandom;

use super::noncoherent::link_budget_db;
use crate::container::npz::NpzFile;
use crate::link::{C64, Split};
use crate::scenario::ScenarioConfig;
use crate::scenario::ScenarioError;

/// A loaded channel file, restricted to the configured antennas.
#[derive(Debug)]
pub struct ChannelFile {
    devices: usize,
    antennas: usize,
    channel: Vec<Complex32>,
    /// Received energy over noise (with an SNR: mean power), linear, `[drop, device]`; NaN for devices that are not served.
    beta: Vec<f64>,
    drops: [Vec<usize>; 3],
}

/// Devices of one frame.
pub struct Drop {
    /// Index of the drop in the file.
    pub drop: usize,
    /// Devices of the file that play the devices of the frame, `[N]`.
    pub devices: Vec<usize>,
    /// Their gains, `[N]`.
    pub beta: Vec<f64>,
}

impl ChannelFile {
    /// Reads and checks the file named by the configuration.
    ///
    /// # Errors
    /// [`ScenarioError::Io`] when it cannot be read, [`ScenarioError::ChannelFile`] when an array is missing, has the
    /// wrong shape or holds values that are not finite, or when too few devices pass `min_rx_snr_db`.
    pub fn load(config: &ScenarioConfig) -> Result<Self, ScenarioError> {
        let path = config.channel_file.clone().unwrap_or_default();
        let bad = |problem: String| ScenarioError::ChannelFile { path: path.clone(), problem };
        let io = |source| ScenarioError::Io { path: path.clone(), source };
        let file = NpzFile::open(std::path::Path::new(&path)).map_err(io)?;
        let channel = file.complex("channel").map_err(io)?;
        let gain = file.real("gain_db").map_err(io)?;
        let [drops, devices, all_antennas] = channel.shape[..] else {
            return Err(bad(format!("channel has shape {:?}, expected [drop, device, antenna]", channel.shape)));
        };
        if gain.shape != [drops, devices] {
            return Err(bad(format!(
                "gain_db has shape {:?}, expected [drop, device] = [{drops}, {devices}] like channel",
                gain.shape
            )));
        }
        let last = config.antenna_offset + config.antennas;
        if last > all_antennas {
            return Err(bad(format!(
                "channel has {all_antennas} antennas; scenario.antenna_offset + scenario.antennas = {last} needs more"
            )));
        }
        if drops < 10 {
            return Err(bad(format!(
                "channel has {drops} drops; at least 10 are needed for train, validation and test"
            )));
        }
        if channel.data.iter().any(|v| !v.re.is_finite() || !v.im.is_finite()) {
            return Err(bad("channel holds values that are not finite".into()));
        }
        if gain.data.iter().any(|v| !v.is_finite()) {
            return Err(bad("gain_db holds values that are not finite".into()));
        }
        if config.snr().is_some() {
            let beta = relative_gains(config, &gain.data);
            return Self::deal(config, &channel.data, beta, [drops, devices, all_antennas]).map_err(bad);
        }
        let budget = link_budget_db(config);
        let beta: Vec<f64> = gain
            .data
            .iter()
            .map(|gain_db| {
                let snr_db = budget + gain_db;
                if config.min_rx_snr_db.is_some_and(|lo| snr_db < lo) {
                    return f64::NAN;
                }
                // Power control: a device heard louder than asked turns its power down.
                10.0_f64.powf(config.max_rx_snr_db.map_or(snr_db, |hi| snr_db.min(hi)) / 10.0)
            })
            .collect();
        Self::deal(config, &channel.data, beta, [drops, devices, all_antennas]).map_err(bad)
    }

    /// Deals the drops to the splits and keeps the configured antennas.
    fn deal(
        config: &ScenarioConfig,
        channel: &[C64],
        beta: Vec<f64>,
        [drops, devices, all_antennas]: [usize; 3],
    ) -> Result<Self, String> {
        let last = config.antenna_offset + config.antennas;
        let mut split: [Vec<usize>; 3] = Default::default();
        for d in 0..drops {
            let served = beta[d * devices..(d + 1) * devices].iter().filter(|b| b.is_finite()).count();
            if served < config.devices {
                continue;
            }
            split[match d % 10 {
                0..=6 => 0,
                7 => 1,
                _ => 2,
            }]
            .push(d);
        }
        if split.iter().any(Vec::is_empty) {
            return Err(format!(
                "too few drops have {} devices{}; lower scenario.devices or scenario.min_rx_snr_db",
                config.devices,
                config.min_rx_snr_db.map_or(String::new(), |lo| format!(" above {lo} dB"))
            ));
        }
        let mut kept = Vec::with_capacity(drops * devices * config.antennas);
        for row in channel.chunks_exact(all_antennas) {
            kept.extend(row[config.antenna_offset..last].iter().map(|v| Complex32::new(v.re as f32, v.im as f32)));
        }
        Ok(Self { devices, antennas: config.antennas, channel: kept, beta, drops: split })
    }

    /// Draws a drop of the split and `n` of its served devices.
    pub fn draw(&self, split: Split, n: usize, rng: &mut impl rand::Rng) -> Drop {
        use rand::RngExt;
        let pool = &self.drops[match split {
            Split::Train => 0,
            Split::Validation => 1,
            Split::Test => 2,
        }];
        let drop = pool[rng.random_range(0..pool.len())];
        let mut served: Vec<usize> =
            (0..self.devices).filter(|d| self.beta[drop * self.devices + d].is_finite()).collect();
        let (chosen, _) = served.partial_shuffle(rng, n);
        let devices = chosen.to_vec();
        let beta = devices.iter().map(|d| self.beta[drop * self.devices + d]).collect();
        Drop { drop, devices, beta }
    }

    /// Small-scale response of one device over the configured antennas, `[M]`.
    pub fn response(&self, drop: usize, device: usize) -> &[Complex32] {
        let at = (drop * self.devices + device) * self.antennas;
        &self.channel[at..at + self.antennas]
    }
}

/// Mean powers of a link with an SNR: the gains of the file over their mean, or all one.
fn relative_gains(config: &ScenarioConfig, gain_db: &[f64]) -> Vec<f64> {
    if config.equal_gains() {
        return vec![1.0; gain_db.len()];
    }
    // The mean is taken relative to the loudest device: powers of -200 dB and below must not vanish.
    let loudest = gain_db.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let linear: Vec<f64> = gain_db.iter().map(|g| 10.0_f64.powf((g - loudest) / 10.0)).collect();
    let mean = linear.iter().sum::<f64>() / linear.len() as f64;
    linear.into_iter().map(|g| g / mean).collect()
}
