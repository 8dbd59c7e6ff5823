//! Names of metrics and swept keys on axes and in tables.

use crate::metrics::{METRICS, PROPERTIES};

/// Abbreviation in sentences and table heads.
pub fn short(metric: &str) -> &str {
    match metric {
        "ser" => "SER",
        "missed_detection" => "missed detection",
        "false_alarm" => "false alarm",
        "data_error" => "data error",
        "frame_error" => "FER",
        "nmse_db" => "NMSE",
        "ber" => "BER",
        "jain" => "Jain's index",
        "mse" => "MSE",
        "mse_entry" => "MSE per entry",
        "block_coherence" => "block-coherence",
        "sub_coherence" => "sub-coherence",
        "eps_ratio" => "ε₁/ε₂",
        "kkt_iterations" => "iterations to KKT < 1e-6",
        "time_ratio" => "time ratio",
        "frame_ms" => "ms per frame",
        other => other,
    }
}

/// Name on an axis, with abbreviation and unit.
pub fn axis(metric: &str) -> String {
    let property = PROPERTIES.iter().find(|p| p.name == metric).map_or(metric, |p| p.title);
    let title = METRICS.iter().find(|m| m.name == metric).map_or(property, |m| m.title);
    match metric {
        "ser" => format!("{title} (SER)"),
        "frame_error" => format!("{title} (FER)"),
        "ber" => format!("{title} (BER)"),
        "jain" => "Jain's index of the users' BER".into(),
        "eps_ratio" => "ε₁/ε₂".into(),
        "time_ratio" => format!("{title} (ratio)"),
        "nmse_db" if title.contains("dB") => title.into(),
        "nmse_db" => format!("{title} (dB)"),
        _ => title.into(),
    }
}

/// Whether the metric is drawn on a logarithmic axis: every rate and time is, decibels and measures near 1 are not.
pub fn is_log(metric: &str) -> bool {
    !metric.ends_with("_db") && !metric.ends_with("coherence") && metric != "jain" && metric != "eps_ratio"
}

/// Name and unit of a swept key on an axis.
pub fn key_axis(key: &str) -> String {
    match key {
        "scenario.pilot_length" => "Pilot length L (symbols)",
        "scenario.antennas" => "Receive antennas M",
        "scenario.devices" => "Devices N",
        "scenario.bits" => "Bits per active device J",
        "scenario.activity_prob" => "Activity probability ε",
        "scenario.active_devices" => "Active devices K",
        "scenario.activity_ratio" => "Ratio of activity probabilities p₁/p₂",
        "scenario.groups" => "Groups G",
        "scenario.noise_var" => "Noise variance σ²",
        "scenario.tx_power_dbm" => "Transmit power (dBm)",
        "scenario.noise_psd_dbm_hz" => "Noise power density (dBm/Hz)",
        "scenario.bandwidth_hz" => "Bandwidth (Hz)",
        "scenario.max_distance_km" => "Cell radius (km)",
        "scenario.min_rx_snr_db" => "Smallest received SNR (dB)",
        "scenario.max_rx_snr_db" => "Largest received SNR (dB)",
        other => return other.into(),
    }
    .into()
}

/// Symbol of a swept key in sentences and table heads; the last part of a key without one.
pub fn symbol(key: &str) -> &str {
    match key {
        "scenario.pilot_length" => "L",
        "scenario.antennas" => "M",
        "scenario.devices" => "N",
        "scenario.bits" => "J",
        "scenario.activity_prob" => "ε",
        "scenario.active_devices" => "K",
        "scenario.activity_ratio" => "p₁/p₂",
        "scenario.groups" => "G",
        "scenario.tx_power_dbm" => "power in dBm",
        other => other.rsplit('.').next().unwrap_or(other),
    }
}

/// `L = 40`, with spaces that do not break; empty without a sweep.
pub fn at(key: Option<&str>, value: &str) -> String {
    key.map(|k| format!("{}\u{A0}=\u{A0}{value}", symbol(k))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_a_unit_or_an_abbreviation() {
        assert_eq!(axis("ser"), "Symbol error rate (SER)");
        assert_eq!(axis("nmse_db").matches("dB").count(), 1);
        assert!(is_log("false_alarm") && !is_log("nmse_db"));
        assert_eq!(at(Some("scenario.pilot_length"), "40"), "L\u{A0}=\u{A0}40");
        assert_eq!(at(None, ""), "");
    }
}
