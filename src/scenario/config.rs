//! `[scenario]`: the physics.

use serde::{Deserialize, Serialize};

use crate::link::{ConfigError, Groups, check};
use crate::scenario::NomaConfig;

/// Where channels come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScenarioKind {
    /// Rayleigh fading and log-distance path loss (system A).
    NonCoherent,
    /// Channels and gains from an npz file.
    ChannelFile,
    /// Rayleigh fading of unit power for every device, noise variance `noise_var`, pilots of energy L (system B).
    UnitGain,
    /// Channel estimation from pilots of unit modulus (system D): `Y^T = P^T X^T + Z^T`, one sequence of energy L per device,
    /// channels of unit mean power, noise variance `devices / 10^(snr_db/10)`.
    Coherent,
    /// Users that spread their symbols over a few chips (system E); its keys are those of `[scenario.noma]`.
    Noma,
}

/// Law of the random pilots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PilotKind {
    /// CN(0, 1/L) entries scaled so that every column has norm exactly 1.
    UnitNorm,
    /// CN(0, 1/L) entries as they are: column energies vary (the setting of the DL-mAMPnet paper).
    Gaussian,
    /// A unit-norm tight frame near a random matrix: the smallest mean squared correlation that N*Q columns of norm 1
    /// can have (Welch). Needs N*Q >= L.
    TightFrame,
    /// QPSK symbols: entries (+-1 +- j)/sqrt(2 L) (system D; of unit modulus with kind "coherent").
    Qpsk,
}

/// How often the random pilots change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PilotRedraw {
    /// One matrix for the whole run.
    Never,
    /// A fresh matrix for each block of `engine.block_frames` frames: the mean over pilot matrices.
    Block,
}

/// How often devices move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Positions {
    /// New distances in every frame: results are means over positions.
    PerFrame,
    /// One draw for the run.
    Fixed,
}

/// Joint law of the activities; each has `activity_prob` as the mean over devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActivityLaw {
    /// Devices on their own; the first half is `activity_ratio` times as active as the second.
    Independent,
    /// Exactly one of `groups` groups of neighbouring devices is active, each with the same probability.
    SingleGroup,
    /// Each of `groups` groups is active on its own, and then all of its devices are.
    IidGroups,
}

/// What `tx_power_dbm` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnergyConvention {
    /// Energy of one whole unit-norm sequence, whatever its length (reproduces Fig. 7 of the DL-mAMPnet paper).
    PerSequence,
    /// Energy of one symbol: a sequence of L symbols collects L times as much.
    PerSymbol,
}

/// The physics of one experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "snake_case")]
pub struct ScenarioConfig {
    /// Source of the channels. Default "non-coherent".
    pub kind: ScenarioKind,
    /// Number of devices N, 1..=100000. Default 100.
    pub devices: usize,
    /// Receive antennas M, 1..=1024. Default 16.
    pub antennas: usize,
    /// Pilot length L, 1..=4096. Default 40.
    pub pilot_length: usize,
    /// Bits J per active device, 0..=6: Q = 2^J sequences each. Default 1.
    pub bits: u32,
    /// Activity probability, in (0, 1). Default 0.1.
    pub activity_prob: f64,
    /// Exactly this many active devices per frame instead of Bernoulli activity. Default: Bernoulli.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_devices: Option<usize>,
    /// "independent" (default), "single-group" or "iid-groups".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activity_law: Option<ActivityLaw>,
    /// Independent activity: p1/p2, activity probability of the first half of the devices over that of the second, whose
    /// mean is `activity_prob`; in [0.01, 100] with p1, p2 < 1. Default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activity_ratio: Option<f64>,
    /// Number of groups of equal size, 1..=devices, a divisor of `devices`; needed by the laws of groups. A single active
    /// group fixes the activity probability at 1/groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<usize>,
    /// Kind "unit-gain": noise variance per complex entry of Y, in (0, 1e6]. Default 0.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise_var: Option<f64>,
    /// Kind "coherent", and "channel-file" when given: SNR = N/noise_var in dB, -50..=100; channels then have unit mean power
    /// and pilots energy L, and powers in dBm play no part. Default 10 with kind "coherent".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snr_db: Option<f64>,
    /// With an SNR: whether mean powers of devices differ by their path loss (of mean one over devices) or are all one.
    /// Default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_loss: Option<bool>,
    /// "unit-norm" (default), "gaussian", "tight-frame" or "qpsk"; of energy L with kinds "unit-gain" and "coherent".
    pub pilots: PilotKind,
    /// How often random pilots change. Default "never".
    pub pilot_redraw: PilotRedraw,
    /// How often devices move. Default "per-frame".
    pub positions: Positions,
    /// Nearest device in km, > 0. Default 0.05.
    pub min_distance_km: f64,
    /// Farthest device in km, >= nearest. Default 1.
    pub max_distance_km: f64,
    /// Path loss at 1 km in dB. Default 128.1.
    pub path_loss_offset_db: f64,
    /// Path loss per decade of distance in dB. Default 36.7.
    pub path_loss_slope_db: f64,
    /// Meaning of the transmit power. Default "per-sequence".
    pub energy_convention: EnergyConvention,
    /// Transmit power in dBm, -100..=100. Default 23.
    pub tx_power_dbm: f64,
    /// Noise power density in dBm/Hz, -250..=0. Default -169.
    pub noise_psd_dbm_hz: f64,
    /// Bandwidth in Hz, > 0. Default 1e6.
    pub bandwidth_hz: f64,
    /// npz with `channel [drop, device, antenna]` and `gain_db [drop, device]`; needed by kind "channel-file". A relative
    /// path starts at the folder of the experiment file (with `--set`: at the current folder).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_file: Option<String>,
    /// First antenna of the file that is used. Default 0.
    pub antenna_offset: usize,
    /// Channel file: devices heard below this SNR per sequence and antenna (dB) are not served. Default: all are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_rx_snr_db: Option<f64>,
    /// Channel file: power control lowers devices heard above this SNR (dB) to it. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_rx_snr_db: Option<f64>,
    /// The link of kind "noma". Default: every key at its default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noma: Option<NomaConfig>,
}

impl Default for ScenarioConfig {
    fn default() -> Self {
        Self {
            kind: ScenarioKind::NonCoherent,
            devices: 100,
            antennas: 16,
            pilot_length: 40,
            bits: 1,
            activity_prob: 0.1,
            active_devices: None,
            activity_law: None,
            activity_ratio: None,
            groups: None,
            noise_var: None,
            snr_db: None,
            path_loss: None,
            pilots: PilotKind::UnitNorm,
            pilot_redraw: PilotRedraw::Never,
            positions: Positions::PerFrame,
            min_distance_km: 0.05,
            max_distance_km: 1.0,
            path_loss_offset_db: 128.1,
            path_loss_slope_db: 36.7,
            energy_convention: EnergyConvention::PerSequence,
            tx_power_dbm: 23.0,
            noise_psd_dbm_hz: -169.0,
            bandwidth_hz: 1e6,
            channel_file: None,
            antenna_offset: 0,
            min_rx_snr_db: None,
            max_rx_snr_db: None,
            noma: None,
        }
    }
}

impl ScenarioConfig {
    /// The link of kind "noma", with defaults where the file says nothing.
    pub fn noma(&self) -> NomaConfig {
        self.noma.clone().unwrap_or_default()
    }

    /// Sequences per device, Q = 2^J.
    pub fn sequences(&self) -> usize {
        1 << self.bits
    }

    /// The law of the activities.
    pub fn law(&self) -> ActivityLaw {
        self.activity_law.unwrap_or(ActivityLaw::Independent)
    }

    /// Mean activity probability of a device: K/N when the number is fixed, 1/groups with a single active group.
    pub fn effective_activity_prob(&self) -> f64 {
        // All or none active would make the log prior infinite.
        let safe = |p: f64| p.clamp(1e-6, 1.0 - 1e-6);
        match (self.active_devices, self.law(), self.groups) {
            (Some(k), ..) => safe(k as f64 / self.devices as f64),
            (None, ActivityLaw::SingleGroup, Some(g)) => safe(1.0 / g as f64),
            _ => self.activity_prob,
        }
    }

    /// Activity probability of each device, `[N]`.
    pub fn activity_probs(&self) -> Vec<f64> {
        let p = self.effective_activity_prob();
        let ratio = self.activity_ratio.unwrap_or(1.0);
        let (first, second) = (2.0 * p * ratio / (1.0 + ratio), 2.0 * p / (1.0 + ratio));
        let half = self.devices / 2;
        (0..self.devices)
            .map(|n| {
                if ratio == 1.0 {
                    p
                } else if n < half {
                    first
                } else {
                    second
                }
            })
            .collect()
    }

    /// Which devices are active together; `None` where each is active on its own.
    pub fn activity_groups(&self) -> Option<Groups> {
        let grouped = self.law() != ActivityLaw::Independent && self.active_devices.is_none();
        grouped.then(|| Groups { count: self.groups.unwrap_or(1), single: self.law() == ActivityLaw::SingleGroup })
    }

    /// SNR = N/noise_var in dB, of links that are described by one.
    pub fn snr(&self) -> Option<f64> {
        match self.kind {
            ScenarioKind::Coherent => Some(self.snr_db.unwrap_or(10.0)),
            ScenarioKind::ChannelFile => self.snr_db,
            _ => None,
        }
    }

    /// Noise variance per complex entry of Y: stated by kind "unit-gain", `N/10^(SNR/10)` of a link with an SNR, else 1.
    pub fn receiver_noise_var(&self) -> f64 {
        match (self.kind, self.snr()) {
            (ScenarioKind::UnitGain, _) => self.noise_var.unwrap_or(0.1),
            (_, Some(snr_db)) => self.devices as f64 / 10.0_f64.powf(snr_db / 10.0),
            _ => 1.0,
        }
    }

    /// Expected energy of a pilot sequence: L without path loss or with an SNR, 1 where gains hold the transmit energy.
    pub fn pilot_energy(&self) -> f64 {
        if self.kind == ScenarioKind::UnitGain || self.snr().is_some() { self.pilot_length as f64 } else { 1.0 }
    }

    /// Whether every device has mean power one, so that no gain is drawn.
    pub fn equal_gains(&self) -> bool {
        self.kind == ScenarioKind::UnitGain || (self.snr().is_some() && self.path_loss != Some(true))
    }

    /// Keys of links with an SNR.
    fn validate_snr(&self) -> Result<(), ConfigError> {
        let fits = matches!(self.kind, ScenarioKind::Coherent | ScenarioKind::ChannelFile);
        let range = "left out unless scenario.kind = \"coherent\" or \"channel-file\"";
        if let Some(snr_db) = self.snr_db {
            check(fits, "scenario.snr_db", snr_db, range, "none")?;
            check((-50.0..=100.0).contains(&snr_db), "scenario.snr_db", snr_db, "-50..=100", 10)?;
        }
        if let Some(path_loss) = self.path_loss {
            let range = "left out unless scenario.kind = \"coherent\", or \"channel-file\" with scenario.snr_db";
            check(self.snr().is_some(), "scenario.path_loss", path_loss, range, false)?;
        }
        if self.snr().is_some() {
            let powers = self.min_rx_snr_db.or(self.max_rx_snr_db);
            let key = if self.min_rx_snr_db.is_some() { "scenario.min_rx_snr_db" } else { "scenario.max_rx_snr_db" };
            check(powers.is_none(), key, powers.unwrap_or(0.0), "left out with scenario.snr_db", "none")?;
        }
        if self.kind == ScenarioKind::Coherent {
            check(self.bits == 0, "scenario.bits", self.bits, "0 with scenario.kind = \"coherent\" (one sequence)", 0)?;
        }
        Ok(())
    }

    /// A key of the access links beside kind "noma" would change nothing.
    fn only_noma(&self) -> Result<(), ConfigError> {
        let keys = |s: &Self| match serde_json::to_value(s) {
            Ok(serde_json::Value::Object(keys)) => keys,
            _ => unreachable!("a struct serialises to a table"),
        };
        let defaults = keys(&Self::default());
        for (key, value) in keys(self) {
            let known = ["kind", "noma"].contains(&key.as_str());
            if known || defaults.get(&key) == Some(&value) {
                continue;
            }
            let default = defaults.get(&key).map_or("none".into(), ToString::to_string);
            let range = "left out with scenario.kind = \"noma\", whose keys are those of [scenario.noma]";
            check(false, &format!("scenario.{key}"), value, range, default)?;
        }
        Ok(())
    }

    fn validate_activity(&self) -> Result<(), ConfigError> {
        let law = self.law();
        let only =
            |given: bool, key: &str, what: &str| check(!given, key, "given", &format!("left out {what}"), "none");
        if law != ActivityLaw::Independent {
            only(self.active_devices.is_some(), "scenario.active_devices", "with a law of groups")?;
            let Some(g) = self.groups else {
                return Err(ConfigError::Invalid(
                    "scenario.groups is missing: the laws \"single-group\" and \"iid-groups\" need the number of groups, a \
                     divisor of scenario.devices"
                        .into(),
                ));
            };
            check(
                g >= 1 && self.devices.is_multiple_of(g),
                "scenario.groups",
                g,
                &format!("a divisor of scenario.devices = {}", self.devices),
                "none",
            )?;
            only(self.activity_ratio.is_some(), "scenario.activity_ratio", "with a law of groups")?;
        } else {
            let what = "without scenario.activity_law = \"single-group\" or \"iid-groups\"";
            only(self.groups.is_some(), "scenario.groups", what)?;
        }
        only(
            self.active_devices.is_some() && self.activity_ratio.is_some(),
            "scenario.activity_ratio",
            "with scenario.active_devices",
        )?;
        if let Some(r) = self.activity_ratio {
            let p = self.activity_prob;
            let top = 2.0 * p * r.max(1.0) / (1.0 + r);
            check(
                (0.01..=100.0).contains(&r) && top < 1.0,
                "scenario.activity_ratio",
                r,
                &format!("0.01..=100 with both halves' probabilities below 1 (mean scenario.activity_prob = {p})"),
                1,
            )?;
        }
        match self.noise_var {
            Some(_) if self.kind != ScenarioKind::UnitGain => only(
                true,
                "scenario.noise_var",
                "unless scenario.kind = \"unit-gain\"; other links state powers in dBm or an SNR",
            ),
            Some(v) => check(v > 0.0 && v <= 1e6, "scenario.noise_var", v, "in (0, 1e6]", 0.1),
            None => Ok(()),
        }
    }

    /// Canonical text: equal texts mean equal distributions of the frames. Of a channel file only the name counts, so
    /// that random streams do not depend on where it lies.
    /// Signatures belong to detectors, so all sets meet the same users, channels and noise.
    pub fn canonical(&self) -> String {
        if self.kind == ScenarioKind::Noma {
            let d = NomaConfig::default();
            let noma = NomaConfig { signatures: d.signatures, quantiser_levels: d.quantiser_levels, ..self.noma() };
            return serde_json::to_string(&(self.kind, noma)).expect("a plain struct of numbers serialises");
        }
        serde_json::to_string(&self.named()).expect("a plain struct of numbers serialises")
    }

    /// The same with the channel file by its name alone: the folder it lies in differs between machines.
    pub fn named(&self) -> Self {
        let name = |p: &String| std::path::Path::new(p).file_name().map(|n| n.to_string_lossy().into_owned());
        Self { channel_file: self.channel_file.as_ref().and_then(name), ..self.clone() }
    }

    /// Checks every range.
    ///
    /// # Errors
    /// [`ConfigError::Range`] names the key, the range and the default.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let d = Self::default();
        check((1..=100_000).contains(&self.devices), "scenario.devices", self.devices, "1..=100000", d.devices)?;
        check((1..=1024).contains(&self.antennas), "scenario.antennas", self.antennas, "1..=1024", d.antennas)?;
        check(
            (1..=4096).contains(&self.pilot_length),
            "scenario.pilot_length",
            self.pilot_length,
            "1..=4096",
            d.pilot_length,
        )?;
        check(self.bits <= 6, "scenario.bits", self.bits, "0..=6", d.bits)?;
        check(
            self.activity_prob > 0.0 && self.activity_prob < 1.0,
            "scenario.activity_prob",
            self.activity_prob,
            "in (0, 1)",
            d.activity_prob,
        )?;
        if let Some(k) = self.active_devices {
            check(k <= self.devices, "scenario.active_devices", k, "0..=scenario.devices", "none (Bernoulli)")?;
        }
        self.validate_activity()?;
        self.validate_snr()?;
        check(
            self.min_distance_km.is_finite() && self.min_distance_km > 0.0,
            "scenario.min_distance_km",
            self.min_distance_km,
            "> 0",
            d.min_distance_km,
        )?;
        check(
            self.max_distance_km.is_finite() && self.max_distance_km >= self.min_distance_km,
            "scenario.max_distance_km",
            self.max_distance_km,
            ">= scenario.min_distance_km",
            d.max_distance_km,
        )?;
        check(
            self.path_loss_offset_db.is_finite(),
            "scenario.path_loss_offset_db",
            self.path_loss_offset_db,
            "finite",
            d.path_loss_offset_db,
        )?;
        check(
            (0.0..=200.0).contains(&self.path_loss_slope_db),
            "scenario.path_loss_slope_db",
            self.path_loss_slope_db,
            "0..=200",
            d.path_loss_slope_db,
        )?;
        check(
            (-100.0..=100.0).contains(&self.tx_power_dbm),
            "scenario.tx_power_dbm",
            self.tx_power_dbm,
            "-100..=100",
            d.tx_power_dbm,
        )?;
        check(
            (-250.0..=0.0).contains(&self.noise_psd_dbm_hz),
            "scenario.noise_psd_dbm_hz",
            self.noise_psd_dbm_hz,
            "-250..=0",
            d.noise_psd_dbm_hz,
        )?;
        check(
            self.bandwidth_hz.is_finite() && self.bandwidth_hz > 0.0,
            "scenario.bandwidth_hz",
            self.bandwidth_hz,
            "> 0",
            d.bandwidth_hz,
        )?;
        match (self.kind, &self.noma) {
            (ScenarioKind::Noma, _) => {
                self.only_noma()?;
                self.noma().validate()?;
            }
            (_, Some(_)) => {
                return Err(ConfigError::Invalid(
                    "scenario.noma needs scenario.kind = \"noma\"; other kinds do not use it".into(),
                ));
            }
            _ => {}
        }
        if self.kind == ScenarioKind::ChannelFile && self.channel_file.is_none() {
            return Err(ConfigError::Invalid(
                "scenario.kind = \"channel-file\" needs scenario.channel_file = \"PATH.npz\" with arrays channel and gain_db".into(),
            ));
        }
        if self.pilots == PilotKind::TightFrame && self.kind != ScenarioKind::Noma {
            let columns = self.devices * self.sequences();
            check(
                self.pilot_length <= columns && columns * self.pilot_length <= 1_000_000,
                "scenario.pilot_length",
                self.pilot_length,
                &format!(
                    "1..={columns} (devices times sequences), and at most 10^6 entries, with pilots = \"tight-frame\""
                ),
                d.pilot_length,
            )?;
            check(
                self.pilot_redraw == PilotRedraw::Never,
                "scenario.pilot_redraw",
                "block",
                "\"never\" with pilots = \"tight-frame\"",
                "never",
            )?;
        }
        if let (Some(lo), Some(hi)) = (self.min_rx_snr_db, self.max_rx_snr_db) {
            check(lo <= hi, "scenario.min_rx_snr_db", lo, "<= scenario.max_rx_snr_db", "none")?;
        }
        Ok(())
    }
}
