//! Numbers side by side in one vector: the same quantity of several frames.
//!
//! Plain arrays: the compiler turns every loop over the lanes into one instruction, of whatever instruction set
//! [`super::isa`] has chosen. Fused arithmetic is named instruction by instruction: of a loop over rows the compiler
//! might else gather the same lane of many rows. Lanes never meet, so a lane's result depends neither on its neighbours nor on their
//! number.

use std::fmt::Debug;

use super::isa::{Isa, Vectors};
use super::real::Real;

/// One number per lane.
pub(crate) trait Lanes: Debug + PartialEq + bytemuck::Pod + Send + Sync {
    /// What a lane holds.
    type Number: Real + bytemuck::Pod;
    /// Lanes of a vector.
    const COUNT: usize;
    /// Zero in every lane.
    const ZERO: Self;

    /// The same number in every lane.
    fn splat(v: Self::Number) -> Self;
    /// One number after the other.
    fn lanes(&self) -> &[Self::Number];
    /// The same to write to.
    fn lanes_mut(&mut self) -> &mut [Self::Number];
    /// `f` of every number.
    fn map(self, f: impl Fn(Self::Number) -> Self::Number) -> Self;
    /// `f` of every number and its partner.
    fn zip(self, other: Self, f: impl Fn(Self::Number, Self::Number) -> Self::Number) -> Self;
    /// `self * a + b`, fused where the processor can.
    fn madd<I: Isa>(self, isa: I, a: Self, b: Self) -> Self;
    /// `self` where the mask is not zero, zero elsewhere, whatever is there.
    fn masked<I: Isa>(self, isa: I, mask: Self) -> Self;
    /// Whether any lane is not zero.
    fn any(self) -> bool;
    /// Sum over the lanes, from the first to the last.
    fn sum(self) -> Self::Number;
    /// Vectors one after the other as numbers. Where all lanes are treated alike and rows follow one another, such loops are
    /// what the compiler knows best: of a loop over rows it may gather a lane of many rows.
    #[inline(always)]
    fn flat(vectors: &[Self]) -> &[Self::Number] {
        bytemuck::cast_slice(vectors)
    }
    /// The same to write to.
    #[inline(always)]
    fn flat_mut(vectors: &mut [Self]) -> &mut [Self::Number] {
        bytemuck::cast_slice_mut(vectors)
    }
    /// The first numbers of a slice.
    #[inline(always)]
    fn load(from: &[Self::Number]) -> Self {
        bytemuck::pod_read_unaligned(bytemuck::cast_slice(&from[..Self::COUNT]))
    }
}

macro_rules! lanes {
    ($(#[$doc:meta])* $name:ident, $number:ty, $count:literal, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
        #[repr(C, align($bytes))]
        pub(crate) struct $name(pub [$number; $count]);

        impl Lanes for $name {
            type Number = $number;
            const COUNT: usize = $count;
            const ZERO: Self = Self([0.0; $count]);

            #[inline(always)]
            fn splat(v: $number) -> Self {
                Self([v; $count])
            }

            #[inline(always)]
            fn lanes(&self) -> &[$number] {
                &self.0
            }

            #[inline(always)]
            fn lanes_mut(&mut self) -> &mut [$number] {
                &mut self.0
            }

            #[inline(always)]
            fn map(self, f: impl Fn($number) -> $number) -> Self {
                let mut out = self.0;
                for v in &mut out {
                    *v = f(*v);
                }
                Self(out)
            }

            #[inline(always)]
            fn zip(self, other: Self, f: impl Fn($number, $number) -> $number) -> Self {
                let mut out = self.0;
                for (v, w) in out.iter_mut().zip(other.0) {
                    *v = f(*v, w);
                }
                Self(out)
            }

            #[inline(always)]
            fn madd<I: Isa>(self, isa: I, a: Self, b: Self) -> Self {
                Vectors::<Self>::madd(isa, self, a, b)
            }

            #[inline(always)]
            fn masked<I: Isa>(self, isa: I, mask: Self) -> Self {
                Vectors::<Self>::masked(isa, self, mask)
            }

            #[inline(always)]
            fn any(self) -> bool {
                self.0.iter().fold(false, |any, v| any | (*v != 0.0))
            }

            #[inline(always)]
            fn sum(self) -> $number {
                self.0.iter().fold(0.0, |sum, v| sum + *v)
            }
        }
    };
}

lanes!(
    /// Eight numbers in single precision: 256 bits.
    F8, f32, 8, 32
);
lanes!(
    /// Sixteen numbers in single precision: 512 bits.
    F16, f32, 16, 64
);
lanes!(
    /// Four numbers in double precision: 256 bits.
    D4, f64, 4, 32
);
lanes!(
    /// Eight numbers in double precision: 512 bits.
    D8, f64, 8, 64
);

/// A complex number per lane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ComplexLanes<V> {
    pub re: V,
    pub im: V,
}

impl<V: Lanes> ComplexLanes<V> {
    pub const ZERO: Self = Self { re: V::ZERO, im: V::ZERO };

    /// `self + x a` with a real x.
    #[inline(always)]
    pub fn plus_scaled<I: Isa>(self, isa: I, x: V, a: Self) -> Self {
        Self { re: x.madd(isa, a.re, self.re), im: x.madd(isa, a.im, self.im) }
    }

    /// `self + a b`.
    #[inline(always)]
    pub fn plus_product<I: Isa>(self, isa: I, a: Self, b: Self) -> Self {
        let minus = a.im.map(|v| -v);
        Self {
            re: minus.madd(isa, b.im, a.re.madd(isa, b.re, self.re)),
            im: a.im.madd(isa, b.re, a.re.madd(isa, b.im, self.im)),
        }
    }

    /// `self + conj(a) b`.
    #[inline(always)]
    pub fn plus_conjugate_product<I: Isa>(self, isa: I, a: Self, b: Self) -> Self {
        let minus = a.im.map(|v| -v);
        Self {
            re: a.im.madd(isa, b.im, a.re.madd(isa, b.re, self.re)),
            im: minus.madd(isa, b.re, a.re.madd(isa, b.im, self.im)),
        }
    }

    /// `sum + |self|^2`.
    #[inline(always)]
    pub fn plus_energy<I: Isa>(self, isa: I, sum: V) -> V {
        self.im.madd(isa, self.im, self.re.madd(isa, self.re, sum))
    }

    /// `sum + Re(conj(self) b)`.
    #[inline(always)]
    pub fn plus_real_product<I: Isa>(self, isa: I, b: Self, sum: V) -> V {
        self.im.madd(isa, b.im, self.re.madd(isa, b.re, sum))
    }

    /// `self` where the mask is not zero, zero elsewhere, whatever is there.
    #[inline(always)]
    pub fn masked<I: Isa>(self, isa: I, mask: V) -> Self {
        Self { re: self.re.masked(isa, mask), im: self.im.masked(isa, mask) }
    }

    /// The product with a real number.
    #[inline(always)]
    pub fn scaled<I: Isa>(self, isa: I, x: V) -> Self {
        Self { re: self.re.madd(isa, x, V::ZERO), im: self.im.madd(isa, x, V::ZERO) }
    }
}

#[cfg(test)]
mod tests {
    use num_complex::Complex64;
    use pulp::Scalar;

    use super::*;

    type C4 = ComplexLanes<D4>;

    #[test]
    fn any_sees_every_lane_and_no_signed_zero() {
        fn check<V: Lanes<Number = f32>>() {
            assert!(!V::ZERO.any() && !V::splat(-0.0).any());
            for j in 0..V::COUNT {
                let mut v = V::ZERO;
                v.lanes_mut()[j] = -1e-40;
                assert!(v.any());
            }
        }
        check::<F8>();
        check::<F16>();
    }

    #[test]
    fn products_are_those_of_complex_numbers() {
        let number = |seed: f64| C4 { re: D4([seed, -0.5, 2.0, 1.0 / seed]), im: D4([0.3, seed, -seed, 0.0]) };
        let (sum, a, b) = (number(0.7), number(-1.3), number(2.1));
        let (product, conjugate) = (sum.plus_product(Scalar, a, b), sum.plus_conjugate_product(Scalar, a, b));
        let (energy, real) = (a.plus_energy(Scalar, D4::splat(1.0)), a.plus_real_product(Scalar, b, D4::ZERO));
        for j in 0..D4::COUNT {
            let at = |c: C4| Complex64::new(c.re.0[j], c.im.0[j]);
            assert!((at(product) - (at(sum) + at(a) * at(b))).norm() < 1e-14);
            assert!((at(conjugate) - (at(sum) + at(a).conj() * at(b))).norm() < 1e-14);
            assert!((energy.0[j] - 1.0 - at(a).norm_sqr()).abs() < 1e-14);
            assert!((real.0[j] - (at(a).conj() * at(b)).re).abs() < 1e-14);
            assert!((at(sum.plus_scaled(Scalar, a.re, b)) - (at(sum) + at(b) * a.re.0[j])).norm() < 1e-14);
        }
    }
}
