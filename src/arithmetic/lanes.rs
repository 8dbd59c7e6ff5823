//! Eight single-precision numbers side by side, one 256-bit vector: the same quantity of eight frames.
//!
//! Plain arrays: the compiler turns every loop over the lanes into one instruction, of whatever instruction set
//! [`super::kernels::dispatch`] has chosen. Lanes never meet, so a lane's result does not depend on its neighbours.

/// Lanes of a vector.
pub(crate) const LANES: usize = 8;

/// One number per lane.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(32))]
pub(crate) struct F8(pub [f32; LANES]);

impl F8 {
    pub const ZERO: Self = Self([0.0; LANES]);

    #[inline(always)]
    pub fn splat(v: f32) -> Self {
        Self([v; LANES])
    }

    #[inline(always)]
    pub fn map(self, f: impl Fn(f32) -> f32) -> Self {
        let mut out = self.0;
        for v in &mut out {
            *v = f(*v);
        }
        Self(out)
    }

    #[inline(always)]
    pub fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
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
            *out = if FMA { x.mul_add(a, *out) } else { x * a + *out };
        }
        Self(out)
    }

    /// The same with one number for all lanes.
    #[inline(always)]
    pub fn madd_by<const FMA: bool>(self, a: f32, b: Self) -> Self {
        self.madd::<FMA>(Self::splat(a), b)
    }

    /// Whether any lane is not zero.
    #[inline(always)]
    pub fn any(self) -> bool {
        self.0.iter().fold(0, |bits, v| bits | (v.to_bits() << 1)) != 0
    }

    /// `e^x`, relative error below 2e-7; arguments are clamped to [-87, 88].
    #[inline(always)]
    pub fn exp<const FMA: bool>(self) -> Self {
        // Adding this rounds to an integer and leaves it in the low bits of the mantissa.
        const ROUND: f32 = 12_582_912.0;
        let x = self.map(|v| v.clamp(-87.0, 88.0));
        let shifted = x.madd_by::<FMA>(std::f32::consts::LOG2_E, Self::splat(ROUND));
        let n = shifted.map(|v| v - ROUND);
        // ln 2 in two parts: the first has few bits, so n times it is exact.
        let r = n.madd_by::<FMA>(-0.693_359_4, x);
        let r = n.madd_by::<FMA>(2.121_944_4e-4, r);
        let mut p = Self::splat(1.987_569_2e-4);
        for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.5] {
            p = p.madd::<FMA>(r, Self::splat(c));
        }
        let y = p.madd::<FMA>(r.zip(r, |a, b| a * b), r.map(|v| v + 1.0));
        y.zip(shifted, |y, s| {
            let power = (s.to_bits() << 23).wrapping_add(0x3f80_0000);
            y * f32::from_bits(power)
        })
    }

    /// `ln x` of positive normal numbers, absolute error below 1e-7 times the larger of 1 and the result.
    #[inline(always)]
    pub fn ln<const FMA: bool>(self) -> Self {
        // x = 2^e m with m in [1/root 2, root 2).
        let (mut e, mut m) = (Self::ZERO, Self::ZERO);
        for j in 0..LANES {
            let bits = self.0[j].to_bits().wrapping_sub(0x3f35_04f3);
            e.0[j] = (bits as i32 >> 23) as f32;
            m.0[j] = f32::from_bits((bits & 0x007f_ffff).wrapping_add(0x3f35_04f3)) - 1.0;
        }
        let mut p = Self::splat(7.037_683_6e-2);
        for c in [
            -0.115_146_1,
            0.116_769_98,
            -0.124_201_41,
            0.142_493_23,
            -0.166_680_57,
            0.200_007_14,
            -0.249_999_94,
            0.333_333_3,
        ] {
            p = p.madd::<FMA>(m, Self::splat(c));
        }
        let square = m.zip(m, |a, b| a * b);
        let y = p.zip(m, |a, b| a * b).zip(square, |a, b| a * b);
        let y = e.madd_by::<FMA>(-2.121_944_4e-4, y);
        let y = square.madd_by::<FMA>(-0.5, y);
        e.madd_by::<FMA>(0.693_359_4, m.zip(y, |a, b| a + b))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_and_logarithms_are_accurate() {
        for i in -8700..8800 {
            let x = i as f32 * 0.01;
            for y in [F8::splat(x).exp::<false>(), F8::splat(x).exp::<true>()] {
                let want = f64::from(x).exp();
                assert!((f64::from(y.0[3]) / want - 1.0).abs() < 2e-7, "exp {x}: {} {want}", y.0[3]);
            }
        }
        for i in -3000..3000 {
            let x = 10f64.powf(f64::from(i) * 0.01) as f32;
            let want = f64::from(x).ln();
            for y in [F8::splat(x).ln::<false>(), F8::splat(x).ln::<true>()] {
                assert!((f64::from(y.0[5]) - want).abs() < 1e-7 * want.abs().max(1.0), "ln {x}: {} {want}", y.0[5]);
            }
        }
        assert_eq!(F8::splat(-1e9).exp::<true>().0[0], F8::splat(-87.0).exp::<true>().0[0]);
    }

    #[test]
    fn any_sees_every_lane_and_no_signed_zero() {
        assert!(!F8::ZERO.any() && !F8::splat(-0.0).any());
        for j in 0..LANES {
            let mut v = F8::ZERO;
            v.0[j] = -1e-40;
            assert!(v.any());
        }
    }
}
