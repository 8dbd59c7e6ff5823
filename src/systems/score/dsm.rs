//! Denoising score matching, (5) of the score paper.

use burn::tensor::Tensor;

use super::function::ScoreFunction;

/// `count` noise levels from `first` to `last` in equal ratios.
///
/// # Panics
/// When there is no level.
pub fn geometric_levels(first: f64, last: f64, count: usize) -> Vec<f64> {
    assert!(count > 0, "at least one noise level");
    let ratio = (last / first).powf(1.0 / (count.max(2) - 1) as f64);
    (0..count).map(|i| first * ratio.powi(i as i32)).collect()
}

/// `||sigma s(x + sigma z, sigma) + z||^2/2`, mean over the batch and the pixels.
///
/// `x`, `z` `[B, 2, M, N]`, `sigma [B, 1, 1, 1]`. Its minimum over functions s is the score of the blurred density; the
/// factor sigma^2 gives all levels about the same weight.
pub fn denoising_loss(net: &impl ScoreFunction, x: Tensor<4>, z: Tensor<4>, sigma: Tensor<4>) -> Tensor<1> {
    let score = net.score(x + z.clone() * sigma.clone(), sigma.clone());
    (score * sigma + z).powi_scalar(2).mean() * 0.5
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;

    #[test]
    fn levels_fall_in_equal_ratios() {
        let levels = geometric_levels(8.0, 0.5, 5);
        let want = [8.0, 4.0, 2.0, 1.0, 0.5];
        assert!(levels.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-12), "{levels:?}");
        assert_eq!(geometric_levels(3.0, 0.1, 1), [3.0]);
    }
}
