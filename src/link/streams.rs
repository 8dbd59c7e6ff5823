//! Counter-based random streams: the key is made of names, the position is the frame.
//!
//! Every random number of the project is a function of (seed, split, scenario, purpose, frame) and of nothing else,
//! so results do not depend on threads, batch sizes, shards, order or resume.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// Which of the disjoint sets of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// Frames that gradients see.
    Train,
    /// Frames that choose checkpoints and thresholds.
    Validation,
    /// Frames that are reported.
    Test,
}

/// What a stream of numbers is for; streams of different purposes are independent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The pilot matrix.
    Pilots,
    /// Device positions and gains.
    Gains,
    /// Who is active and what is sent.
    Activity,
    /// Small-scale fading.
    Fading,
    /// Receiver noise.
    Noise,
    /// Initial values of network parameters.
    Parameters,
    /// Monte-Carlo integration (state evolution).
    Integration,
}

/// Key of a family of streams: experiment seed, split and a canonical description of the scenario.
#[derive(Debug, Clone)]
pub struct StreamKey {
    seed: u64,
    split: Split,
    scenario: String,
}

impl StreamKey {
    /// `scenario` is a canonical text of everything that defines the distribution of the frames.
    pub fn new(seed: u64, split: Split, scenario: impl Into<String>) -> Self {
        Self { seed, split, scenario: scenario.into() }
    }

    /// The generator of one purpose and one frame (or other counter).
    pub fn rng(&self, purpose: Purpose, counter: u64) -> ChaCha8Rng {
        self.family(purpose).rng(counter)
    }

    /// The streams of one purpose; cheaper than [`StreamKey::rng`] for many frames.
    pub fn family(&self, purpose: Purpose) -> StreamFamily {
        let mut hash = Sha256::new();
        hash.update(self.seed.to_le_bytes());
        hash.update(format!("{:?}|{purpose:?}|", self.split));
        hash.update(&self.scenario);
        StreamFamily { key: hash.finalize().into() }
    }
}

/// All streams of one purpose.
#[derive(Debug, Clone)]
pub struct StreamFamily {
    key: [u8; 32],
}

impl StreamFamily {
    /// The generator of one counter value.
    pub fn rng(&self, counter: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::from_seed(self.key);
        rng.set_stream(counter);
        rng
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    #[test]
    fn streams_are_functions_of_their_names() {
        let draw = |seed, split, scenario: &str, purpose, frame| {
            StreamKey::new(seed, split, scenario).rng(purpose, frame).next_u64()
        };
        let one = draw(1, Split::Test, "a", Purpose::Noise, 7);
        assert_eq!(one, draw(1, Split::Test, "a", Purpose::Noise, 7));
        assert_ne!(one, draw(2, Split::Test, "a", Purpose::Noise, 7));
        assert_ne!(one, draw(1, Split::Train, "a", Purpose::Noise, 7));
        assert_ne!(one, draw(1, Split::Test, "b", Purpose::Noise, 7));
        assert_ne!(one, draw(1, Split::Test, "a", Purpose::Fading, 7));
        assert_ne!(one, draw(1, Split::Test, "a", Purpose::Noise, 8));
    }
}
