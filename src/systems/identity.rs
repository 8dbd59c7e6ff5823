//! The identity of a network.

use std::path::Path;

use super::options::Options;
use crate::container::{file_sha256, sha256_hex};
use crate::scenario::{ScenarioConfig, SignatureKind};

/// Identity of a network: link, seed, architecture, schedule. Equal ones train to equal weights on a CPU.
pub fn identity(
    options: &dyn Options,
    scenario: &ScenarioConfig,
    signatures: Option<SignatureKind>,
    seed: u64,
) -> String {
    // Files count by their content, wherever they lie; one that cannot be read is reported when training wants it.
    let sum = |path: &str| file_sha256(Path::new(path)).ok();
    let schedule = options.training();
    let (link, architecture) = (options.link(scenario, signatures), options.architecture());
    let text = match options.file().and_then(sum) {
        Some(sum) => serde_json::json!([link, seed, architecture, schedule, sum]),
        None => serde_json::json!([link, seed, architecture, schedule]),
    };
    let channels = scenario.channel_file.as_deref().and_then(sum).unwrap_or_default();
    sha256_hex((text.to_string() + &channels).as_bytes())
}
