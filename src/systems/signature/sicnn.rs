//! The receiver of the NOMA signature paper: N cascaded MLPs with successive interference cancellation (Algorithm 1).

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::link::{Observed, halves};
use crate::link::StreamKey;
use crate::systems::dense::Mlp;

/// Hidden widths of the NOMA signature paper for N = 6, H = 4; its first number, 64, is the input `[y_SIC, y, h]`.
pub const HIDDEN: [usize; 5] = [128, 256, 512, 256, 128];

/// One MLP per user, users in order.
#[derive(Module, Debug)]
pub struct Sicnn {
    /// MLP of each user: `4H + 2NH` inputs, two outputs (the parts of the symbol estimate).
    pub stages: Vec<Mlp>,
}

/// Widths of the MLP of one user.
pub fn widths(users: usize, length: usize, hidden: &[usize]) -> Vec<usize> {
    [&[4 * length + 2 * users * length], hidden, &[2]].concat()
}

/// All channel coefficients as rows, `[2NH, F]`.
pub fn channel_rows(o: &Observed) -> Tensor<2> {
    let [n, h, f] = o.h[0].dims();
    let rows = o.h.clone().map(|t| t.reshape([n * h, f]));
    Tensor::cat(rows.to_vec(), 0)
}

impl Sicnn {
    /// Fresh weights.
    pub fn init(key: &StreamKey, users: usize, length: usize, hidden: &[usize], device: &Device) -> Self {
        let widths = widths(users, length, hidden);
        Self { stages: (0..users).map(|n| Mlp::init(key, n as u64, &widths, false, device)).collect() }
    }

    /// Estimates of the symbols, real and imaginary parts, `[N, F]` each. After every user the estimate is re-spread
    /// *through its channel* (Algorithm 1, line 16, prints `s_n x_n` without it) and subtracted.
    pub fn forward(&self, o: &Observed) -> [Tensor<2>; 2] {
        let [_, two_h, f] = o.g.dims();
        let channel = channel_rows(o);
        let mut left = o.y.clone();
        let (mut re, mut im) = (Vec::new(), Vec::new());
        for (n, stage) in self.stages.iter().enumerate() {
            let x = stage.forward(Tensor::cat(vec![left.clone(), o.y.clone(), channel.clone()], 0));
            let (xr, xi) = (x.clone().narrow(0, 0, 1), x.narrow(0, 1, 1));
            let [gr, gi] = halves(o.g.clone().narrow(0, n, 1)).map(|t| t.reshape([two_h / 2, f]));
            let sent = [gr.clone() * xr.clone() - gi.clone() * xi.clone(), gr * xi.clone() + gi * xr.clone()];
            left = left - Tensor::cat(sent.to_vec(), 0);
            re.push(xr);
            im.push(xi);
        }
        [Tensor::cat(re, 0), Tensor::cat(im, 0)]
    }
}
