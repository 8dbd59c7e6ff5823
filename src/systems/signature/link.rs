//! Frames of the spreading link as tensors, the frame last.

use burn::tensor::{Device, Tensor, TensorData};

use crate::link::{C64, FrameBatch, Pilots};
use crate::scenario::Realizations;

/// Draws before any signature, for training.
#[derive(Debug, Clone)]
pub struct DrawTensors {
    /// Chip coefficients, real and imaginary parts, `[N, H, F]` each.
    pub h: [Tensor<3>; 2],
    /// Noise of each frame at its own level, real and imaginary parts stacked, `[2H, F]`.
    pub noise: Tensor<2>,
    /// Noise variance of a chip, `[1, F]`.
    pub noise_var: Tensor<2>,
    /// Sent symbols (zero when idle), real and imaginary parts, `[N, F]` each.
    pub x: [Tensor<2>; 2],
    /// One-hot symbols, all zero when idle, `[N, C, F]`.
    pub sent: Tensor<3>,
}

/// What a receiver works on.
#[derive(Debug, Clone)]
pub struct Observed {
    /// Observation, `[2H, F]`.
    pub y: Tensor<2>,
    /// Chip coefficients, `[N, H, F]` each.
    pub h: [Tensor<3>; 2],
    /// Effective signatures `g_n = diag(h_n) s_n`, real parts of the H chips then imaginary parts, `[N, 2H, F]`.
    pub g: Tensor<3>,
    /// Noise variance of a chip, `[1, F]`.
    pub noise_var: Tensor<2>,
}

/// Real and imaginary parts of `[F, rows]` complex values as two `[rows, F]` arrays.
fn planes(values: &[C64], frames: usize, rows: usize) -> [Vec<f32>; 2] {
    let mut out = [vec![0.0; frames * rows], vec![0.0; frames * rows]];
    for f in 0..frames {
        for r in 0..rows {
            let v = values[f * rows + r];
            out[0][r * frames + f] = v.re as f32;
            out[1][r * frames + f] = v.im as f32;
        }
    }
    out
}

fn pair<const D: usize>(planes: [Vec<f32>; 2], shape: [usize; D], device: &Device) -> [Tensor<D>; 2] {
    planes.map(|p| Tensor::from_data(TensorData::new(p, shape), device))
}

/// Parts of one plane over the other.
fn stacked(planes: [Vec<f32>; 2], shape: [usize; 2], device: &Device) -> Tensor<2> {
    let [mut re, im] = planes;
    re.extend(im);
    Tensor::from_data(TensorData::new(re, shape), device)
}

/// Signatures `[2H, N]`: real parts of the H chips, then imaginary parts.
pub fn stack_signatures(set: &Pilots, device: &Device) -> Tensor<2> {
    crate::tensor::complex::stack_pilots(set, device)
}

impl DrawTensors {
    /// Moves draws to `device`. The noise of the draws has variance `draws.noise_var` in every frame and is scaled to
    /// `noise_var[f]`.
    pub fn new(draws: &Realizations, noise_var: &[f64], device: &Device) -> Self {
        let (f, n, h) = (draws.frames(), draws.devices(), draws.pilot_length());
        let alphabet = draws.constellation().expect("draws of a spreading link");
        let c = alphabet.len();
        let noise: Vec<C64> =
            (0..f * h).map(|i| draws.noise()[i] * (noise_var[i / h] / draws.noise_var()).sqrt()).collect();
        let symbol = |a: i64| if a == 0 { C64::new(0.0, 0.0) } else { alphabet[(a - 1) as usize] };
        let x: Vec<C64> = draws.activity().iter().map(|&a| symbol(a)).collect();
        let mut sent = vec![0.0_f32; n * c * f];
        for (i, &a) in draws.activity().iter().enumerate().filter(|(_, a)| **a > 0) {
            sent[((i % n) * c + (a - 1) as usize) * f + i / n] = 1.0;
        }
        let noise_var: Vec<f32> = noise_var.iter().map(|v| *v as f32).collect();
        Self {
            h: pair(planes(draws.channel(), f, n * h), [n, h, f], device),
            noise: stacked(planes(&noise, f, h), [2 * h, f], device),
            noise_var: Tensor::from_data(TensorData::new(noise_var, [1, f]), device),
            x: pair(planes(&x, f, n), [n, f], device),
            sent: Tensor::from_data(TensorData::new(sent, [n, c, f]), device),
        }
    }

    /// The frames these draws make with signatures `s [2H, N]`.
    pub fn observe(&self, s: Tensor<2>) -> Observed {
        let g = effective(&self.h, s);
        let [n, two_h, f] = g.dims();
        let [re, im] = halves(g.clone());
        let [xr, xi] = self.x.clone().map(|x| x.reshape([n, 1, f]));
        let y_re = re.clone() * xr.clone() - im.clone() * xi.clone();
        let y_im = re * xi + im * xr;
        let y = Tensor::cat(vec![y_re, y_im], 1).sum_dim(0).reshape([two_h, f]) + self.noise.clone();
        Observed { y, h: self.h.clone(), g, noise_var: self.noise_var.clone() }
    }
}

impl Observed {
    /// Frames as a receiver gets them; `s [2H, N]` are their signatures.
    ///
    /// # Panics
    /// When the batch is no spreading link.
    pub fn from_frames(batch: &FrameBatch, s: Tensor<2>, device: &Device) -> Self {
        let spreading = batch.spreading().expect("a spreading link");
        let (f, n, h) = (batch.frames(), batch.model().devices(), batch.model().pilot_length());
        let coefficients = pair(planes(spreading.coefficients(), f, n * h), [n, h, f], device);
        Self {
            y: stacked(planes(batch.y(), f, h), [2 * h, f], device),
            g: effective(&coefficients, s),
            h: coefficients,
            noise_var: Tensor::full([1, f], batch.model().noise_var(), device),
        }
    }
}

/// `[N, 2H, F]` as its real and imaginary halves, `[N, H, F]` each.
pub(super) fn halves(g: Tensor<3>) -> [Tensor<3>; 2] {
    let [_, two_h, _] = g.dims();
    [g.clone().narrow(1, 0, two_h / 2), g.narrow(1, two_h / 2, two_h / 2)]
}

/// `g_n = diag(h_n) s_n`, `[N, 2H, F]`.
fn effective(h: &[Tensor<3>; 2], s: Tensor<2>) -> Tensor<3> {
    let [two_h, n] = s.dims();
    let s = s.transpose().reshape([n, two_h, 1]);
    let [sr, si] = halves(s);
    let [hr, hi] = h.clone();
    Tensor::cat(vec![hr.clone() * sr.clone() - hi.clone() * si.clone(), hr * si + hi * sr], 1)
}
