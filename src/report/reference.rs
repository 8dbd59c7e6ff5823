//! The end of the report: assumptions, conventions, provenance.

use std::collections::BTreeSet;

use crate::link::spelled;
use crate::metrics::MetricName;
use crate::results::Results;
use crate::scenario::{
    ActivityLaw, EnergyConvention, Fading, NomaConfig, PilotKind, PilotRedraw, Positions, ScenarioConfig, ScenarioKind,
    SnrConvention,
};

use super::error::ReportError;
use super::markup::{bullets, definitions};
use super::panel::{Panel, Role};
use crate::plot::format::{ABSENT, escape};

/// A setting as it was given: rounding would misstate it.
fn exact(value: f64) -> String {
    value.to_string().replace('-', "−")
}

/// The base scenario in words.
pub fn assumptions(results: &Results) -> String {
    let s: &ScenarioConfig = &results.config.scenario;
    let list = match s.kind {
        ScenarioKind::Noma => noma_link(&s.noma()),
        ScenarioKind::NonCoherent | ScenarioKind::ChannelFile | ScenarioKind::UnitGain | ScenarioKind::Coherent => {
            access_link(s)
        }
    };
    format!(
        "<section id=\"assumptions\"><h2>Assumptions</h2>\n<p>The base setting; figures and sweeps change what they name.</p>\n{list}</section>\n"
    )
}

/// The spreading link of system E.
fn noma_link(c: &NomaConfig) -> String {
    let prob: Vec<String> = c.activation_prob().iter().map(|p| exact(*p)).collect();
    let fading = match c.fading {
        Fading::Chip => "an independent CN(0, 1) coefficient for every chip and user",
        Fading::Flat => "one CN(0, 1) coefficient per user for all its chips",
        Fading::Awgn => "none: every coefficient is one",
    };
    let snr = match c.snr_convention {
        SnrConvention::PerUser => "energy of one active user over the noise variance of a chip",
        SnrConvention::Total => "mean energy of all users over the noise variance of a chip",
    };
    definitions(&[
        ("Users", format!("N = {}, active with probabilities {}", c.users, prob.join(", "))),
        ("Signatures", format!("H = {} chips, unit norm; {}", c.signature_length, spelled(&c.signatures))),
        ("Symbols", format!("{}, unit mean energy, Gray labels", spelled(&c.constellation))),
        ("Fading", format!("{fading}; known to the receiver")),
        ("SNR", format!("{} dB, {snr}", exact(c.snr_db))),
    ])
}

/// The link of systems A to D.
fn access_link(s: &ScenarioConfig) -> String {
    let groups = s.groups.unwrap_or(1);
    let activity = match (s.active_devices, s.law()) {
        (Some(k), _) => format!("exactly {k} of {} devices in every frame", s.devices),
        (None, ActivityLaw::SingleGroup) => {
            format!("exactly one of {groups} groups of {} devices in every frame", s.devices / groups)
        }
        (None, ActivityLaw::IidGroups) => format!(
            "each of {groups} groups of {} devices with probability {}, all its devices together",
            s.devices / groups,
            exact(s.activity_prob)
        ),
        (None, ActivityLaw::Independent) => {
            let halves = match s.activity_ratio {
                Some(r) if r != 1.0 => {
                    format!(" on average, the first half {} times as active as the second", exact(r))
                }
                _ => String::new(),
            };
            format!("each of {} devices with probability {}{halves}, independently", s.devices, exact(s.activity_prob))
        }
    };
    let channel = match s.kind {
        ScenarioKind::ChannelFile => {
            format!("channels and gains from {}", s.channel_file.as_deref().unwrap_or("a file"))
        }
        ScenarioKind::UnitGain => "Rayleigh fading of unit power, the same for all devices".into(),
        ScenarioKind::Coherent if s.equal_gains() => "Rayleigh fading of unit power, the same for all devices".into(),
        _ => format!(
            "Rayleigh fading; path loss {} + {} log₁₀(d/km) dB, {} to {} km, {}",
            exact(s.path_loss_offset_db),
            exact(s.path_loss_slope_db),
            exact(s.min_distance_km),
            exact(s.max_distance_km),
            match s.positions {
                Positions::PerFrame => "new positions in every frame",
                Positions::Fixed => "one draw of positions",
            }
        ),
    };
    let pilots = format!(
        "{}, {}",
        match s.pilots {
            PilotKind::UnitNorm => "complex Gaussian columns scaled to norm exactly 1",
            PilotKind::TightFrame => "a unit-norm tight frame: the smallest mean squared correlation",
            PilotKind::Qpsk => "QPSK symbols",
            PilotKind::Gaussian => "CN(0, 1/L) entries, column energies vary",
        },
        match s.pilot_redraw {
            PilotRedraw::Never => "one matrix for the whole run",
            PilotRedraw::Block => "a fresh matrix per block of frames",
        }
    );
    let power = format!(
        "{} dBm, {}",
        exact(s.tx_power_dbm),
        match s.energy_convention {
            EnergyConvention::PerSequence => "the energy of one whole sequence whatever its length",
            EnergyConvention::PerSymbol => "the energy of one symbol",
        }
    );
    let unit_power = s.kind == ScenarioKind::UnitGain || s.snr().is_some();
    let power = if unit_power { "pilots of energy L (a symbol has unit power)".into() } else { power };
    let noise = match s.snr() {
        Some(snr_db) => {
            format!("variance N/SNR per complex entry, SNR = {} dB; channels of unit mean power", exact(snr_db))
        }
        None if s.kind == ScenarioKind::UnitGain => {
            format!("variance {} per complex entry", exact(s.receiver_noise_var()))
        }
        None => format!("{} dBm/Hz over {} MHz", exact(s.noise_psd_dbm_hz), exact(s.bandwidth_hz / 1e6)),
    };
    definitions(&[
        ("Activity", activity),
        (
            "Size",
            format!(
                "M = {} antennas, L = {} symbols, J = {} bits (Q = {} sequences per device)",
                s.antennas,
                s.pilot_length,
                s.bits,
                s.sequences()
            ),
        ),
        ("Channel", channel),
        ("Random pilots", pilots),
        ("Transmit power", power),
        ("Noise", noise),
    ])
}

/// What the metrics and intervals mean.
pub fn conventions(panels: &[Panel<'_>]) -> String {
    let used: BTreeSet<MetricName> = panels.iter().flat_map(|p| p.metrics()).collect();
    let mut metrics: Vec<(&str, String)> =
        used.iter().map(|m| (m.info().title, m.info().definition.to_owned())).collect();
    // All users share one definition.
    metrics.dedup();
    let mut points = vec![
        "The frame is the statistical unit: errors inside a frame share its channel and its pilots, so they are not independent. Rates are ratios \
         of sums over frames, and their 95 % intervals come from the variance between frames; frame errors use binomial intervals."
            .to_owned(),
        "Zero events in n frames: the value is unknown and lies below 3/n with 95 % confidence (rule of three). It is drawn as an arrow and never as 0.".into(),
        "All detectors of a point see the same devices, channels and noise. Detectors are therefore compared by the interval of their difference on the \
         same frames, which leaves out what they share; where the results do not hold it, by disjoint intervals."
            .into(),
        "Intervals hold for one point and one detector; with many comparisons a few disjoint pairs arise by chance.".into(),
        format!("{ABSENT} stands for what was not measured or has no meaning; it is never 0."),
    ];
    let any = |role: Role| panels.iter().flat_map(|p| &p.detectors).any(|d| d.role == role);
    if any(Role::Predicted) {
        points.push(
            "Predicted values (dashed, hollow) count no frame: state evolution describes AMP in the limit of large systems with i.i.d. pilots. A finite system \
             may do worse; treat them as a guide and not as a result."
                .into(),
        );
    }
    if any(Role::Bound) {
        points.push("Bounds (thin grey) know what no receiver knows, such as the activity of every other device. No detector is expected to reach them.".into());
    }
    if any(Role::Reference) {
        points.push("The Bayes reference (broad grey) samples the exact posterior of the activities: where its chains agree, no receiver that is told the same makes fewer symbol errors or a smaller squared error. Not drawn where they disagree in more than one frame of twenty.".into());
    }
    format!(
        "<section id=\"conventions\"><h2>Conventions</h2>\n{}{}</section>\n",
        definitions(&metrics),
        bullets(&points)
    )
}

/// Where the numbers come from.
///
/// # Errors
/// [`ReportError::Config`] when the configuration does not serialise as TOML.
pub fn provenance(results: &Results) -> Result<String, ReportError> {
    let m = &results.machine;
    let or_absent = |s: &str| if s.trim().is_empty() { ABSENT.to_owned() } else { s.to_owned() };
    let list = definitions(&[
        ("Program", format!("grantfree {}", results.crate_version)),
        ("Layout of results.json", results.schema_version.to_string()),
        ("Experiment", results.config.name.clone()),
        ("Budget", or_absent(&results.config.budget)),
        ("Seed", results.seed.to_string()),
        ("Shard", results.shard.map_or_else(|| "whole run".into(), |(i, n)| format!("{i} of {n}"))),
        ("Platform", or_absent(&m.platform)),
        ("Processor", or_absent(&m.cpu)),
        ("Worker threads", if m.threads == 0 { ABSENT.into() } else { m.threads.to_string() }),
        ("Tensor backend", or_absent(&m.backend)),
        ("GPU adapter", m.adapter.as_deref().map_or_else(|| "none used".into(), or_absent)),
    ]);
    let config = toml::to_string_pretty(&results.config)?;
    Ok(format!(
        "<section id=\"provenance\"><h2>Provenance</h2>\n{list}<details><summary>Configuration after budget and --set (TOML)</summary>\n\
         <pre>{}</pre></details></section>\n",
        escape(&config)
    ))
}
