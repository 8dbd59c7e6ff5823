//! The entry-wise denoiser and its slope, from the row kernels.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Dispatch, TensorMetadata};
use burn::tensor::{Shape, Tensor};

use super::primitives::{dims, mul, plus_scalar};
use crate::tensor::Backend;

/// What [`entry_denoise`] computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryPart {
    /// `eta(z)` of every entry, `[F*M, 2K]`.
    Estimate,
    /// The sum of `eta'(z)` over the entries of a frame, `[F, 1]`.
    Slope,
}

arguments! {
    /// Arguments of [`entry_denoise`].
    EntryInputs[4] {
        /// Entries, `[F*M, 2K]`.
        z,
        /// Shrink of a surely active entry, `[F, K]` as the following.
        omega,
        /// Factor on the square of an entry in its log-odds.
        a,
        /// What an entry's log-odds lack without energy.
        offset,;
        /// Antennas M.
        antennas: usize,
        /// What is computed.
        part: EntryPart,
    }
}

/// The entry-wise denoiser (47) of the DL-mAMPnet paper, `eta(z) = omega phi z` with
/// `phi = sigmoid(a z^2 - offset)`, or the sum of its derivative (48), `eta'(z) = omega phi (1 + 2 a z^2 (1 - phi))`, over
/// the entries of a frame.
///
/// `z [F*M, 2K]`; `omega`, `a`, `offset [F, K]` -> `[F*M, 2K]` ([`EntryPart::Estimate`]) or `[F, 1]` ([`EntryPart::Slope`]).
pub fn entry_denoise(
    z: Tensor<2>,
    omega: Tensor<2>,
    a: Tensor<2>,
    offset: Tensor<2>,
    antennas: usize,
    part: EntryPart,
) -> Tensor<2> {
    let tensors = [z, omega, a, offset].map(Tensor::into_dispatch);
    Tensor::from_dispatch(Dispatch::entry_denoise(EntryInputs::join(tensors, (antennas, part))))
}

/// What every formula needs, for entries `[F*M, 2K]`.
struct Terms<B: Backend> {
    /// `a z^2`.
    e: FloatTensor<B>,
    /// `sigmoid(a z^2 - offset)` and what it lacks to one.
    phi: FloatTensor<B>,
    rest: FloatTensor<B>,
}

/// `1/(1 + exp(-u))`: burn's own is in single precision on some backends whatever the tensor holds.
fn sigmoid<B: Backend>(u: FloatTensor<B>) -> FloatTensor<B> {
    B::float_recip(B::float_add_scalar(B::float_exp(B::float_neg(u)), 1.0.into()))
}

/// `1 + 2 x`.
fn one_and_twice<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    B::float_add_scalar(B::float_mul_scalar(x, 2.0.into()), 1.0.into())
}

impl<B: Backend> Terms<B> {
    fn new(z: &FloatTensor<B>, a: FloatTensor<B>, offset: FloatTensor<B>, antennas: usize) -> Self {
        let ones = B::float_ones(z.shape(), &z.device(), z.dtype().into());
        let e = B::row_scale(mul::<B>(z, z), a, antennas);
        let u = B::float_sub(e.clone(), B::row_scale(ones, offset, antennas));
        let (phi, rest) = (sigmoid::<B>(u.clone()), sigmoid::<B>(B::float_neg(u)));
        Self { e, phi, rest }
    }

    /// `1 + 2 e (1 - phi)`.
    fn growth(&self) -> FloatTensor<B> {
        one_and_twice::<B>(mul::<B>(&self.e, &self.rest))
    }
}

/// Specification of [`entry_denoise`].
pub(in crate::tensor) fn forward<B: Backend>(inputs: EntryInputs<B>) -> FloatTensor<B> {
    let EntryInputs { z, omega, a, offset, antennas, part } = inputs;
    let terms = Terms::<B>::new(&z, a, offset, antennas);
    match part {
        EntryPart::Estimate => B::row_scale(B::float_mul(terms.phi, z), omega, antennas),
        EntryPart::Slope => {
            let per_column = B::row_dot(terms.growth(), terms.phi, antennas);
            B::float_sum_dim(B::float_mul(per_column, omega), 1)
        }
    }
}

/// Gradients with respect to z, omega, a and the offset.
pub(in crate::tensor) fn backward<B: Backend>(inputs: EntryInputs<B>, g: FloatTensor<B>) -> [FloatTensor<B>; 4] {
    let EntryInputs { z, omega, a, offset, antennas, part } = inputs;
    let terms = Terms::<B>::new(&z, a.clone(), offset, antennas);
    let square = mul::<B>(&z, &z);
    match part {
        EntryPart::Estimate => {
            let passed = mul::<B>(&g, &terms.phi);
            let g_z = B::row_scale(mul::<B>(&passed, &terms.growth()), omega.clone(), antennas);
            let g_omega = B::row_dot(passed.clone(), z.clone(), antennas);
            let ones = B::float_ones(z.shape(), &z.device(), z.dtype().into());
            let by_exponent = B::float_mul(mul::<B>(&passed, &terms.rest), z);
            let g_a = mul::<B>(&omega, &B::row_dot(by_exponent.clone(), square, antennas));
            let g_offset = B::float_neg(B::float_mul(omega, B::row_dot(by_exponent, ones, antennas)));
            [g_z, g_omega, g_a, g_offset]
        }
        EntryPart::Slope => {
            let g = B::float_expand(g, Shape::new(dims::<B, 2>(&omega)));
            let g_omega = mul::<B>(&g, &B::row_dot(terms.phi.clone(), terms.growth(), antennas));
            let scaled = B::float_mul(g, omega);
            let by_exponent =
                one_and_twice::<B>(mul::<B>(&terms.e, &B::float_sub(terms.rest.clone(), terms.phi.clone())));
            let turn = mul::<B>(&terms.phi, &terms.rest);
            let by_square = mul::<B>(&turn, &plus_scalar::<B>(&by_exponent, 2.0));
            let per_entry = B::float_mul_scalar(mul::<B>(&by_square, &z), 2.0.into());
            let g_z = B::row_scale(per_entry, mul::<B>(&scaled, &a), antennas);
            let g_a = mul::<B>(&scaled, &B::row_dot(by_square, square, antennas));
            let g_offset = B::float_neg(B::float_mul(scaled, B::row_dot(turn, by_exponent, antennas)));
            [g_z, g_omega, g_a, g_offset]
        }
    }
}
