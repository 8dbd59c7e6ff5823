//! The network as the prior of annealed Langevin sampling.

use burn::tensor::{Device, Tensor, TensorData};

use super::function::ScoreFunction;
use crate::detect::langevin::prior::{Prior, Shape};
use crate::math::planes::Planes;

/// Chains of one forward pass; bounds the memory of many chains.
const CHUNK: usize = 128;

/// A score network on a device.
pub(super) struct NetworkPrior<'a> {
    pub net: &'a dyn ScoreFunction,
    pub device: &'a Device,
    /// Noise levels of its training, per complex entry.
    pub levels: [f64; 2],
}

impl Prior for NetworkPrior<'_> {
    type Error = String;

    fn levels(&self) -> [f64; 2] {
        self.levels
    }

    /// The planes hold conjugates with the antennas of a chain side by side; the network sees images `[chains, 2, M, N]`.
    /// Its noise level is that of a real part, `sigma/sqrt(2)`, and the Wirtinger score is half of the real one.
    fn score(&self, shape: &Shape, u: &Planes<f64>, sigma: &[f64], out: &mut Planes<f64>) -> Result<(), String> {
        let (n, m) = (shape.rows, shape.antennas);
        for first in (0..shape.chains).step_by(CHUNK) {
            let count = CHUNK.min(shape.chains - first);
            let mut data = vec![0.0_f32; count * 2 * m * n];
            for (c, image) in data.chunks_exact_mut(2 * m * n).enumerate() {
                let (re, im) = image.split_at_mut(m * n);
                for row in 0..n {
                    let at = row * u.stride + (first + c) * m;
                    for a in 0..m {
                        re[a * n + row] = u.re[at + a] as f32;
                        im[a * n + row] = -u.im[at + a] as f32;
                    }
                }
            }
            let x = Tensor::<4>::from_data(TensorData::new(data, [count, 2, m, n]), self.device);
            let level: Vec<f32> = sigma[first..first + count].iter().map(|s| (s * 0.5_f64.sqrt()) as f32).collect();
            let level = Tensor::<4>::from_data(TensorData::new(level, [count, 1, 1, 1]), self.device);
            let score = self.net.score(x, level).try_into_data().map_err(|e| e.to_string())?;
            let score: Vec<f32> = score.convert::<f32>().try_into_vec().map_err(|e| format!("{e:?}"))?;
            for (c, image) in score.chunks_exact(2 * m * n).enumerate() {
                let (re, im) = image.split_at(m * n);
                for row in 0..n {
                    let at = row * out.stride + (first + c) * m;
                    for a in 0..m {
                        out.re[at + a] = 0.5 * f64::from(re[a * n + row]);
                        out.im[at + a] = -0.5 * f64::from(im[a * n + row]);
                    }
                }
            }
        }
        Ok(())
    }
}
