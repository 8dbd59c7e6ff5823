//! Where a run takes place, as far as it can be told.

use crate::results::Machine;
use crate::tensor::Chosen;

/// Platform, processor, threads, backend and adapter.
pub fn machine(device: &Chosen) -> Machine {
    let cpu = std::fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|l| l.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        })
        .unwrap_or_else(|| "unknown".into());
    Machine {
        platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        cpu,
        threads: rayon::current_num_threads(),
        backend: device.name.into(),
        adapter: device.adapter.as_ref().map(|a| format!("{} ({}, {})", a.name, a.api, a.driver)),
    }
}
