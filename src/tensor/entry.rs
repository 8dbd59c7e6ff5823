//! The entry-wise denoiser in burn primitives: the specification, and what runs on GPUs.

use burn::backend::TensorMetadata;
use burn::backend::tensor::FloatTensor;
use burn::tensor::Shape;

use super::ops::Backend;

/// What [`entry_denoise`](super::entry_denoise) computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryPart {
    /// `eta(z)` of every entry, `[F*M, 2K]`.
    Estimate,
    /// The sum of `eta'(z)` over the entries of a frame, `[F, 1]`.
    Slope,
}

/// What every formula needs, for entries `[F*M, 2K]`.
struct Terms<B: Backend> {
    /// `a z^2`.
    e: FloatTensor<B>,
    /// `sigmoid(a z^2 - offset)` and what it lacks to one.
    phi: FloatTensor<B>,
    rest: FloatTensor<B>,
}

fn mul<B: Backend>(a: &FloatTensor<B>, b: &FloatTensor<B>) -> FloatTensor<B> {
    B::float_mul(a.clone(), b.clone())
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

pub(super) fn entry_denoise<B: Backend>(
    z: FloatTensor<B>,
    omega: FloatTensor<B>,
    a: FloatTensor<B>,
    offset: FloatTensor<B>,
    antennas: usize,
    part: EntryPart,
) -> FloatTensor<B> {
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
pub(super) fn backward<B: Backend>(
    z: FloatTensor<B>,
    omega: FloatTensor<B>,
    a: FloatTensor<B>,
    offset: FloatTensor<B>,
    g: FloatTensor<B>,
    antennas: usize,
    part: EntryPart,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
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
            (g_z, g_omega, g_a, g_offset)
        }
        EntryPart::Slope => {
            let shape = omega.shape();
            let g = B::float_expand(g, Shape::new([shape[0], shape[1]]));
            let g_omega = mul::<B>(&g, &B::row_dot(terms.phi.clone(), terms.growth(), antennas));
            let scaled = B::float_mul(g, omega);
            let by_exponent =
                one_and_twice::<B>(mul::<B>(&terms.e, &B::float_sub(terms.rest.clone(), terms.phi.clone())));
            let turn = mul::<B>(&terms.phi, &terms.rest);
            let by_square = mul::<B>(&turn, &B::float_add_scalar(by_exponent.clone(), 2.0.into()));
            let per_entry = B::float_mul_scalar(mul::<B>(&by_square, &z), 2.0.into());
            let g_z = B::row_scale(per_entry, mul::<B>(&scaled, &a), antennas);
            let g_a = mul::<B>(&scaled, &B::row_dot(by_square, square, antennas));
            let g_offset = B::float_neg(B::float_mul(scaled, B::row_dot(turn, by_exponent, antennas)));
            (g_z, g_omega, g_a, g_offset)
        }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::DType;

    use super::super::testing::{assert_same, scaled};
    use super::*;

    #[test]
    fn the_fast_bodies_are_the_specification() {
        type Fast = Flex;
        for (dtype, tolerance) in [(DType::F32, 1e-4), (DType::F64, 1e-12)] {
            for (frames, m, k) in [(1, 1, 1), (3, 2, 13), (2, 4, 40)] {
                let inputs = || {
                    let w = |seed, scale| scaled(seed, [frames, k], scale, dtype);
                    (scaled(1, [frames * m, 2 * k], 3.0, dtype), w(2, 1.0), w(3, 2.0), w(4, 5.0))
                };
                for part in [EntryPart::Estimate, EntryPart::Slope] {
                    let (z, w, a, o) = inputs();
                    let spec = entry_denoise::<Flex>(z, w, a, o, m, part);
                    let (z, w, a, o) = inputs();
                    let shape = [spec.shape()[0], spec.shape()[1]];
                    assert_same("output", <Fast as Backend>::entry_denoise(z, w, a, o, m, part), spec, tolerance);
                    let g = || scaled(5, shape, 1.0, dtype);
                    let (z, w, a, o) = inputs();
                    let fast = <Fast as Backend>::entry_denoise_backward(z, w, a, o, g(), m, part);
                    let (z, w, a, o) = inputs();
                    let spec = backward::<Flex>(z, w, a, o, g(), m, part);
                    assert_same("z", fast.0, spec.0, tolerance);
                    assert_same("omega", fast.1, spec.1, tolerance);
                    assert_same("a", fast.2, spec.2, tolerance);
                    assert_same("offset", fast.3, spec.3, tolerance);
                }
            }
        }
    }
}
