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

    /// Whether any lane is not zero.
    #[inline(always)]
    pub fn any(self) -> bool {
        self.0.iter().fold(0, |bits, v| bits | (v.to_bits() << 1)) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
