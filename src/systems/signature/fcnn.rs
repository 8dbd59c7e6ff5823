//! What the NOMA signature paper compares with: one fully connected network for all users.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::link::Observed;
use super::sicnn;
use crate::link::StreamKey;
use crate::systems::dense::{Mlp, parameters};

/// One MLP from `[y, h]` to all symbols.
#[derive(Module, Debug)]
pub struct Fcnn {
    /// `2H + 2NH` inputs, `2N` outputs.
    pub mlp: Mlp,
}

/// Widths with as many parameters as the SICNN of the same users: its hidden widths times one factor.
pub fn equal_widths(users: usize, length: usize, hidden: &[usize]) -> Vec<usize> {
    let wanted = users * parameters(&sicnn::widths(users, length, hidden));
    let widths = |scale: f64| -> Vec<usize> {
        let scaled: Vec<usize> = hidden.iter().map(|w| ((*w as f64 * scale).round() as usize).max(1)).collect();
        [&[2 * length + 2 * users * length], &scaled[..], &[2 * users]].concat()
    };
    // The number of parameters grows with the scale: bisection.
    let (mut low, mut high) = (0.1, users as f64 + 2.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if parameters(&widths(middle)) < wanted { low = middle } else { high = middle }
    }
    widths(high)
}

impl Fcnn {
    /// Fresh weights; `widths` are input, hidden layers, output.
    pub fn init(key: &StreamKey, widths: &[usize], device: &Device) -> Self {
        Self { mlp: Mlp::init(key, 1000, widths, false, device) }
    }

    /// Estimates of the symbols, real and imaginary parts, `[N, F]` each.
    pub fn forward(&self, o: &Observed) -> [Tensor<2>; 2] {
        let x = self.mlp.forward(Tensor::cat(vec![o.y.clone(), sicnn::channel_rows(o)], 0));
        let n = o.g.dims()[0];
        [x.clone().narrow(0, 0, n), x.narrow(0, n, n)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fcnn_has_the_parameters_of_the_sicnn() {
        let sicnn = 6 * parameters(&sicnn::widths(6, 4, &sicnn::HIDDEN));
        let fcnn = parameters(&equal_widths(6, 4, &sicnn::HIDDEN));
        assert!((fcnn as f64 / sicnn as f64 - 1.0).abs() < 0.01, "{fcnn} and {sicnn}");
        assert_eq!(sicnn::widths(6, 4, &sicnn::HIDDEN)[0], 64);
    }
}
