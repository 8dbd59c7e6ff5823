//! The processor's instructions as a value that proves them.
//!
//! An [`Isa`] is a token of no size. That of an instruction set beyond the target's baseline comes only from asking the
//! processor, so that a function that takes it may use the instructions without being `unsafe`. A detector's work on one
//! frame is a [`Kernel`]; [`dispatch`] compiles it for AVX-512, for AVX2 with FMA and for the baseline, and picks once per
//! frame. All functions on the way must be `#[inline(always)]`: only inlined code inherits the instruction set of the
//! caller.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::_CMP_NEQ_UQ;

#[cfg(target_arch = "x86_64")]
use bytemuck::cast;
use pulp::Scalar;
#[cfg(target_arch = "aarch64")]
use pulp::aarch64::Neon;
#[cfg(target_arch = "x86_64")]
use pulp::x86::{V3, V4};

use super::lanes::{D4, D8, F8, F16, Lanes};
use super::real::Real;

#[cfg(test)]
mod tests;

/// An instruction set that this processor has.
pub(crate) trait Isa: Vectors<F8> + Vectors<F16> + Vectors<D4> + Vectors<D8> {
    /// Fused multiply-add is one instruction.
    const FUSED: bool;
}

/// What an instruction set does with vectors whose lanes the compiler must not take apart.
pub(crate) trait Vectors<V: Lanes>: Copy {
    /// `x * a + b`, fused where the processor can.
    fn madd(self, x: V, a: V, b: V) -> V;
    /// `v` where the mask is not zero, zero elsewhere, whatever is there.
    #[inline(always)]
    fn masked(self, v: V, mask: V) -> V {
        v.zip(mask, |v, m| if m != V::Number::ZERO { v } else { V::Number::ZERO })
    }
}

/// `x * a + b` lane by lane.
#[inline(always)]
fn madd_loop<V: Lanes, I: Isa>(isa: I, x: V, a: V, b: V) -> V {
    let mut out = b;
    for ((out, x), a) in out.lanes_mut().iter_mut().zip(x.lanes()).zip(a.lanes()) {
        *out = x.madd(isa, *a, *out);
    }
    out
}

impl Isa for Scalar {
    const FUSED: bool = false;
}

impl<V: Lanes> Vectors<V> for Scalar {
    #[inline(always)]
    fn madd(self, x: V, a: V, b: V) -> V {
        madd_loop(self, x, a, b)
    }
}

#[cfg(target_arch = "aarch64")]
impl Isa for Neon {
    const FUSED: bool = true;
}

#[cfg(target_arch = "aarch64")]
impl<V: Lanes> Vectors<V> for Neon {
    #[inline(always)]
    fn madd(self, x: V, a: V, b: V) -> V {
        madd_loop(self, x, a, b)
    }
}

#[cfg(target_arch = "x86_64")]
impl Isa for V3 {
    const FUSED: bool = true;
}

#[cfg(target_arch = "x86_64")]
impl Isa for V4 {
    const FUSED: bool = true;
}

/// Vectors of one register of 256 bits.
#[cfg(target_arch = "x86_64")]
macro_rules! narrow {
    ($($isa:ty: $lanes:ty, $fused:ident, $compare:ident, $zero:ident, $and:ident;)*) => {$(
        impl Vectors<$lanes> for $isa {
            #[inline(always)]
            fn madd(self, x: $lanes, a: $lanes, b: $lanes) -> $lanes {
                cast(self.fma.$fused(cast(x), cast(a), cast(b)))
            }
            #[inline(always)]
            fn masked(self, v: $lanes, mask: $lanes) -> $lanes {
                let kept = self.avx.$compare::<_CMP_NEQ_UQ>(cast(mask), self.avx.$zero());
                cast(self.avx.$and(cast(v), kept))
            }
        }
    )*};
}

/// Vectors of 512 bits: one register where there are such, two of 256 bits where there are not.
#[cfg(target_arch = "x86_64")]
macro_rules! wide {
    ($($lanes:ty, $half:ty, $fused:ident, $compare:ident, $zero:ident, $keep:ident;)*) => {$(
        impl Vectors<$lanes> for V4 {
            #[inline(always)]
            fn madd(self, x: $lanes, a: $lanes, b: $lanes) -> $lanes {
                cast(self.avx512f.$fused(cast(x), cast(a), cast(b)))
            }
            #[inline(always)]
            fn masked(self, v: $lanes, mask: $lanes) -> $lanes {
                let kept = self.avx512f.$compare::<_CMP_NEQ_UQ>(cast(mask), self.avx512f.$zero());
                cast(self.avx512f.$keep(kept, cast(v)))
            }
        }

        impl Vectors<$lanes> for V3 {
            #[inline(always)]
            fn madd(self, x: $lanes, a: $lanes, b: $lanes) -> $lanes {
                let ([x, x_high], [a, a_high], [b, b_high]): ([$half; 2], [$half; 2], [$half; 2]) =
                    (cast(x), cast(a), cast(b));
                cast([self.madd(x, a, b), self.madd(x_high, a_high, b_high)])
            }
            #[inline(always)]
            fn masked(self, v: $lanes, mask: $lanes) -> $lanes {
                let ([v, v_high], [mask, mask_high]): ([$half; 2], [$half; 2]) = (cast(v), cast(mask));
                cast([self.masked(v, mask), self.masked(v_high, mask_high)])
            }
        }
    )*};
}

#[cfg(target_arch = "x86_64")]
narrow! {
    V3: F8, _mm256_fmadd_ps, _mm256_cmp_ps, _mm256_setzero_ps, _mm256_and_ps;
    V4: F8, _mm256_fmadd_ps, _mm256_cmp_ps, _mm256_setzero_ps, _mm256_and_ps;
    V3: D4, _mm256_fmadd_pd, _mm256_cmp_pd, _mm256_setzero_pd, _mm256_and_pd;
    V4: D4, _mm256_fmadd_pd, _mm256_cmp_pd, _mm256_setzero_pd, _mm256_and_pd;
}

#[cfg(target_arch = "x86_64")]
wide! {
    F16, F8, _mm512_fmadd_ps, _mm512_cmp_ps_mask, _mm512_setzero_ps, _mm512_maskz_mov_ps;
    D8, D4, _mm512_fmadd_pd, _mm512_cmp_pd_mask, _mm512_setzero_pd, _mm512_maskz_mov_pd;
}

/// Work that is worth compiling for more than one instruction set.
pub(crate) trait Kernel {
    /// Does the work. Mark it `#[inline(always)]`.
    fn run<I: Isa>(self, isa: I);
}

/// Runs the work with the best instructions of this processor.
///
/// The choice depends on the processor only, so results do not change with threads or batch sizes.
pub(crate) fn dispatch<K: Kernel>(kernel: K) {
    #[cfg(target_arch = "x86_64")]
    if let Some(isa) = V4::try_new() {
        return isa.vectorize(
            #[inline(always)]
            || kernel.run(isa),
        );
    }
    #[cfg(target_arch = "x86_64")]
    if let Some(isa) = V3::try_new() {
        return isa.vectorize(
            #[inline(always)]
            || kernel.run(isa),
        );
    }
    #[cfg(target_arch = "aarch64")]
    if let Some(isa) = Neon::try_new() {
        return isa.vectorize(
            #[inline(always)]
            || kernel.run(isa),
        );
    }
    kernel.run(Scalar);
}

/// Whether this processor computes with vectors of 512 bits.
///
/// Work with as many lanes runs twice as fast there; elsewhere, such vectors would not fit the registers.
pub(crate) fn has_wide_vectors() -> bool {
    #[cfg(target_arch = "x86_64")]
    return V4::is_available();
    #[cfg(not(target_arch = "x86_64"))]
    false
}
