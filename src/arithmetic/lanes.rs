//! Numbers side by side in one 256-bit vector: the same quantity of several frames.
//!
//! Plain arrays: the compiler turns every loop over the lanes into one instruction, of whatever instruction set
//! [`super::kernels::dispatch`] has chosen. Lanes never meet, so a lane's result does not depend on its neighbours.

use super::real::Real;

/// One number per lane.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(32))]
pub(crate) struct Lanes<T, const W: usize>(pub [T; W]);

/// Eight numbers in single precision.
pub(crate) type F8 = Lanes<f32, 8>;
/// Four numbers in double precision.
pub(crate) type D4 = Lanes<f64, 4>;

impl<T: Real, const W: usize> Lanes<T, W> {
    pub const ZERO: Self = Self([T::ZERO; W]);
    pub const COUNT: usize = W;

    #[inline(always)]
    pub fn splat(v: T) -> Self {
        Self([v; W])
    }

    #[inline(always)]
    pub fn map(self, f: impl Fn(T) -> T) -> Self {
        let mut out = self.0;
        for v in &mut out {
            *v = f(*v);
        }
        Self(out)
    }

    #[inline(always)]
    pub fn zip(self, other: Self, f: impl Fn(T, T) -> T) -> Self {
        let mut out = self.0;
        for (v, w) in out.iter_mut().zip(other.0) {
            *v = f(*v, w);
        }
        Self(out)
    }

    /// `self * a + b`, fused where the processor can.
    #[inline(always)]
    pub fn madd<const FMA: bool>(self, a: Self, b: Self) -> Self {
        let mut out = b.0;
        for ((out, x), a) in out.iter_mut().zip(self.0).zip(a.0) {
            *out = x.madd::<FMA>(a, *out);
        }
        Self(out)
    }

    /// Whether any lane is not zero.
    #[inline(always)]
    pub fn any(self) -> bool {
        self.0.iter().fold(false, |any, v| any | (*v != T::ZERO))
    }

    /// Sum over the lanes, from the first to the last.
    #[inline(always)]
    pub fn sum(self) -> T {
        self.0.iter().fold(T::ZERO, |sum, v| sum + *v)
    }
}

/// A complex number per lane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ComplexLanes<T, const W: usize> {
    pub re: Lanes<T, W>,
    pub im: Lanes<T, W>,
}

/// Four complex numbers in double precision.
pub(crate) type C4 = ComplexLanes<f64, 4>;

impl<T: Real, const W: usize> ComplexLanes<T, W> {
    pub const ZERO: Self = Self { re: Lanes::ZERO, im: Lanes::ZERO };

    /// `self + x a` with a real x.
    #[inline(always)]
    pub fn plus_scaled<const FMA: bool>(self, x: Lanes<T, W>, a: Self) -> Self {
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
    pub fn plus_energy<const FMA: bool>(self, sum: Lanes<T, W>) -> Lanes<T, W> {
        self.im.madd::<FMA>(self.im, self.re.madd::<FMA>(self.re, sum))
    }

    /// `sum + Re(conj(self) b)`.
    #[inline(always)]
    pub fn plus_real_product<const FMA: bool>(self, b: Self, sum: Lanes<T, W>) -> Lanes<T, W> {
        self.im.madd::<FMA>(b.im, self.re.madd::<FMA>(b.re, sum))
    }

    /// `self` where the mask is not zero, zero elsewhere, whatever is there.
    #[inline(always)]
    pub fn masked(self, mask: Lanes<T, W>) -> Self {
        let keep = |v: T, m: T| if m != T::ZERO { v } else { T::ZERO };
        Self { re: self.re.zip(mask, keep), im: self.im.zip(mask, keep) }
    }

    /// The product with a real number.
    #[inline(always)]
    pub fn scaled(self, x: Lanes<T, W>) -> Self {
        Self { re: self.re.zip(x, |v, x| v * x), im: self.im.zip(x, |v, x| v * x) }
    }
}

#[cfg(test)]
mod tests {
    use num_complex::Complex64;

    use super::*;

    #[test]
    fn any_sees_every_lane_and_no_signed_zero() {
        assert!(!F8::ZERO.any() && !F8::splat(-0.0).any());
        for j in 0..F8::COUNT {
            let mut v = F8::ZERO;
            v.0[j] = -1e-40;
            assert!(v.any());
        }
    }

    #[test]
    fn products_are_those_of_complex_numbers() {
        let number = |seed: f64| C4 { re: Lanes([seed, -0.5, 2.0, 1.0 / seed]), im: Lanes([0.3, seed, -seed, 0.0]) };
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
