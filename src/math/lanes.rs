//! Numbers side by side in one vector: the same quantity of several frames.
//!
//! Plain arrays: the compiler turns every loop over the lanes into one instruction, of whatever instruction set
//! [`super::kernels`] has chosen. Fused arithmetic is named instruction by instruction: of a loop over rows the compiler
//! might else gather the same lane of many rows. Lanes never meet, so a lane's result depends neither on its neighbours nor on their
//! number.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;
use std::fmt::Debug;

use super::kernels::{Kernel, dispatch, dispatch_wide};
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
    fn madd<const FMA: bool>(self, a: Self, b: Self) -> Self;
    /// `self` where the mask is not zero, zero elsewhere, whatever is there.
    fn masked<const FMA: bool>(self, mask: Self) -> Self;
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
    /// Runs work in such vectors with the instructions for them; only on processors that have these.
    fn dispatch<K: Kernel>(kernel: K);
}

macro_rules! lanes {
    ($(#[$doc:meta])* $name:ident, $number:ty, $count:literal, $bytes:literal, $dispatch:ident, $register:ident, $fused:ident, $masked:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq)]
        #[repr(C, align($bytes))]
        pub(crate) struct $name(pub [$number; $count]);

        // SAFETY: an array of numbers, as large as its alignment, so without padding.
        #[allow(unsafe_code)]
        unsafe impl bytemuck::Zeroable for $name {}
        // SAFETY: the same.
        #[allow(unsafe_code)]
        unsafe impl bytemuck::Pod for $name {}

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
            fn madd<const FMA: bool>(self, a: Self, b: Self) -> Self {
                #[cfg(target_arch = "x86_64")]
                if FMA {
                    let (x, a, b): ($register, $register, $register) =
                        (bytemuck::cast(self), bytemuck::cast(a), bytemuck::cast(b));
                    // SAFETY: fused arithmetic is compiled only into functions for processors that have this instruction.
                    #[allow(unsafe_code)]
                    return bytemuck::cast(unsafe { $fused(x, a, b) });
                }
                let mut out = b.0;
                for ((out, x), a) in out.iter_mut().zip(self.0).zip(a.0) {
                    *out = x.madd::<FMA>(a, *out);
                }
                Self(out)
            }

            #[inline(always)]
            fn masked<const FMA: bool>(self, mask: Self) -> Self {
                #[cfg(target_arch = "x86_64")]
                if FMA {
                    let (v, mask): ($register, $register) = (bytemuck::cast(self), bytemuck::cast(mask));
                    // SAFETY: as above.
                    #[allow(unsafe_code)]
                    return bytemuck::cast(unsafe { $masked(v, mask) });
                }
                self.zip(mask, |v, m| if m != 0.0 { v } else { 0.0 })
            }

            #[inline(always)]
            fn any(self) -> bool {
                self.0.iter().fold(false, |any, v| any | (*v != 0.0))
            }

            #[inline(always)]
            fn sum(self) -> $number {
                self.0.iter().fold(0.0, |sum, v| sum + *v)
            }

            fn dispatch<K: Kernel>(kernel: K) {
                $dispatch(kernel);
            }
        }
    };
}

lanes!(
    /// Eight numbers in single precision: 256 bits.
    F8, f32, 8, 32, dispatch, __m256, _mm256_fmadd_ps, masked256_ps
);
lanes!(
    /// Sixteen numbers in single precision: 512 bits.
    F16, f32, 16, 64, dispatch_wide, __m512, _mm512_fmadd_ps, masked512_ps
);
lanes!(
    /// Four numbers in double precision: 256 bits.
    D4, f64, 4, 32, dispatch, __m256d, _mm256_fmadd_pd, masked256_pd
);
lanes!(
    /// Eight numbers in double precision: 512 bits.
    D8, f64, 8, 64, dispatch_wide, __m512d, _mm512_fmadd_pd, masked512_pd
);

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx")]
fn masked256_ps(v: __m256, mask: __m256) -> __m256 {
    _mm256_and_ps(v, _mm256_cmp_ps::<_CMP_NEQ_UQ>(mask, _mm256_setzero_ps()))
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx")]
fn masked256_pd(v: __m256d, mask: __m256d) -> __m256d {
    _mm256_and_pd(v, _mm256_cmp_pd::<_CMP_NEQ_UQ>(mask, _mm256_setzero_pd()))
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f")]
fn masked512_ps(v: __m512, mask: __m512) -> __m512 {
    _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(mask, _mm512_setzero_ps()), v)
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f")]
fn masked512_pd(v: __m512d, mask: __m512d) -> __m512d {
    _mm512_maskz_mov_pd(_mm512_cmp_pd_mask::<_CMP_NEQ_UQ>(mask, _mm512_setzero_pd()), v)
}

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
    pub fn plus_scaled<const FMA: bool>(self, x: V, a: Self) -> Self {
        Self { re: x.madd::<FMA>(a.re, self.re), im: x.madd::<FMA>(a.im, self.im) }
    }

    /// `self + a b`.
    #[inline(always)]
    pub fn plus_product<const FMA: bool>(self, a: Self, b: Self) -> Self {
        let minus = a.im.map(|v| -v);
        Self {
            re: minus.madd::<FMA>(b.im, a.re.madd::<FMA>(b.re, self.re)),
            im: a.im.madd::<FMA>(b.re, a.re.madd::<FMA>(b.im, self.im)),
        }
    }

    /// `self + conj(a) b`.
    #[inline(always)]
    pub fn plus_conjugate_product<const FMA: bool>(self, a: Self, b: Self) -> Self {
        let minus = a.im.map(|v| -v);
        Self {
            re: a.im.madd::<FMA>(b.im, a.re.madd::<FMA>(b.re, self.re)),
            im: minus.madd::<FMA>(b.re, a.re.madd::<FMA>(b.im, self.im)),
        }
    }

    /// `sum + |self|^2`.
    #[inline(always)]
    pub fn plus_energy<const FMA: bool>(self, sum: V) -> V {
        self.im.madd::<FMA>(self.im, self.re.madd::<FMA>(self.re, sum))
    }

    /// `sum + Re(conj(self) b)`.
    #[inline(always)]
    pub fn plus_real_product<const FMA: bool>(self, b: Self, sum: V) -> V {
        self.im.madd::<FMA>(b.im, self.re.madd::<FMA>(b.re, sum))
    }

    /// `self` where the mask is not zero, zero elsewhere, whatever is there.
    #[inline(always)]
    pub fn masked<const FMA: bool>(self, mask: V) -> Self {
        Self { re: self.re.masked::<FMA>(mask), im: self.im.masked::<FMA>(mask) }
    }

    /// The product with a real number.
    #[inline(always)]
    pub fn scaled<const FMA: bool>(self, x: V) -> Self {
        Self { re: self.re.madd::<FMA>(x, V::ZERO), im: self.im.madd::<FMA>(x, V::ZERO) }
    }
}

#[cfg(test)]
mod tests {
    use num_complex::Complex64;

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
        let (product, conjugate) = (sum.plus_product::<false>(a, b), sum.plus_conjugate_product::<false>(a, b));
        let (energy, real) = (a.plus_energy::<false>(D4::splat(1.0)), a.plus_real_product::<false>(b, D4::ZERO));
        for j in 0..D4::COUNT {
            let at = |c: C4| Complex64::new(c.re.0[j], c.im.0[j]);
            assert!((at(product) - (at(sum) + at(a) * at(b))).norm() < 1e-14);
            assert!((at(conjugate) - (at(sum) + at(a).conj() * at(b))).norm() < 1e-14);
            assert!((energy.0[j] - 1.0 - at(a).norm_sqr()).abs() < 1e-14);
            assert!((real.0[j] - (at(a).conj() * at(b)).re).abs() < 1e-14);
            assert!((at(sum.plus_scaled::<false>(a.re, b)) - (at(sum) + at(b) * a.re.0[j])).norm() < 1e-14);
        }
    }
}
