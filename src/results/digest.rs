//! One number for all values of a results file.

use sha2::{Digest, Sha256};

use super::Results;
use crate::container::hex;

/// SHA-256 in hexadecimal over everything that reproducible runs must agree on: per point and detector the frames,
/// events, sums, values and intervals, bit by bit. Times, machine and configuration stay outside.
pub fn values_digest(results: &Results) -> String {
    let mut hash = Sha256::new();
    let mut text = |s: &str| {
        hash.update((s.len() as u64).to_le_bytes());
        hash.update(s);
    };
    for point in &results.points {
        text(&point.id);
        text(&point.frames.to_string());
        for detector in &point.detectors {
            text(&detector.id);
            for m in &detector.metrics {
                text(&m.metric.to_string());
                text(&format!("{:?} {}", m.events, m.frames));
                let numbers =
                    [m.value, m.ci_low, m.ci_high].into_iter().chain(m.sums.iter().flatten().copied().map(Some));
                for number in numbers {
                    text(&number.map_or_else(|| "null".into(), |v| format!("{:016x}", v.to_bits())));
                }
            }
        }
    }
    hex(&hash.finalize())
}
