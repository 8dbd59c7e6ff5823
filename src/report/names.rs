//! Names of swept keys on axes and in tables.

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
    fn a_key_without_a_symbol_is_named_by_its_last_part() {
        assert_eq!((symbol("engine.max_frames"), symbol("scenario.antennas")), ("max_frames", "M"));
        assert_eq!(at(Some("scenario.pilot_length"), "40"), "L\u{A0}=\u{A0}40");
        assert_eq!(at(None, ""), "");
    }
}
