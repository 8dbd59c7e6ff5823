//! What every score network can do.

use burn::tensor::{Device, Tensor};

use crate::link::StreamKey;
use crate::systems::score::{ScoreArchitecture, ScoreConfig};
use crate::training::Rated;

/// The score of a noised density of channel matrices, as a network that serves every size and noise level.
pub trait ScoreFunction: std::fmt::Debug + Send + Sync {
    /// Score of the density of `x` blurred by noise of standard deviation sigma per real part:
    /// `x [B, 2, M, N]`, `sigma [B, 1, 1, 1]` -> `[B, 2, M, N]`.
    fn score(&self, x: Tensor<4>, sigma: Tensor<4>) -> Tensor<4>;

    /// Antennas and devices of the smallest image it can take. Default 1.
    fn smallest_side(&self) -> usize {
        1
    }

    /// Trained real parameters.
    fn parameters(&self) -> usize;
}

/// A score network that can be trained and saved.
pub trait ScoreModel: ScoreFunction + Rated + 'static {
    /// Its name in configurations.
    const ARCHITECTURE: ScoreArchitecture;

    /// A network with weights from keyed streams.
    fn init(config: &ScoreConfig, key: &StreamKey, device: &Device) -> Self;
}
