//! The keys of a learned detector among all keys of a detector.

use super::ExperimentError;
use crate::config::{DetectorConfig, DetectorKind, kind_name};
use crate::systems::LearnedConfig;
use crate::systems::autoencoder::AutoencoderOptions;
use crate::systems::mampnet::MampnetOptions;
use crate::systems::pc_admm::PcAdmmOptions;
use crate::systems::score::ScoreOptions;
use crate::systems::signature::SicnnOptions;

/// The keys that the kind of a learned detector has.
///
/// # Errors
/// [`ExperimentError::NotLearned`] for other kinds.
pub(super) fn learned(config: &DetectorConfig) -> Result<LearnedConfig, ExperimentError> {
    let c = config.clone();
    let (threshold, bundle, training) = (c.threshold, c.bundle, c.training);
    Ok(match c.kind {
        DetectorKind::Mampnet => LearnedConfig::Mampnet(MampnetOptions { model: c.model, threshold, bundle, training }),
        DetectorKind::Autoencoder => {
            LearnedConfig::Autoencoder(AutoencoderOptions { decoder: c.decoder, threshold, bundle, training })
        }
        DetectorKind::PcAdmmNet => {
            LearnedConfig::PcAdmmNet(PcAdmmOptions { admm: c.admm, threshold, bundle, training })
        }
        DetectorKind::Score => {
            let (score, langevin, network_of) = (c.score, c.langevin, c.network_of);
            LearnedConfig::Score(ScoreOptions { score, langevin, network_of, threshold, bundle, training })
        }
        DetectorKind::Sicnn => LearnedConfig::Sicnn(SicnnOptions { receiver: c.receiver, bundle, training }),
        kind => return Err(ExperimentError::NotLearned(kind_name(kind))),
    })
}
