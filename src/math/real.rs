//! The two arithmetics of the classical detectors: `f64` (default) and `f32`.

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub, SubAssign};

use super::isa::Isa;
use super::kernels::tile_lanes;
use super::lanes::{D4, F8, Lanes};

/// Rows that one tile of the matrix product computes together (see [`Real::tile`]).
pub(crate) const TILE_ROWS: usize = 4;

/// A real scalar with the inner loops that are compiled for its vector width.
pub(crate) trait Real:
    Copy
    + Debug
    + Default
    + Send
    + Sync
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + 'static
{
    /// Scalars in one 256-bit vector; rows of planes are padded to a multiple of `2 * LANES`.
    const LANES: usize;
    /// Single precision.
    const SINGLE: bool;
    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;
    /// Distance from one to the next number.
    const EPSILON: Self;

    /// Rounds a double.
    fn of(value: f64) -> Self;
    /// Widens to a double.
    fn wide(self) -> f64;
    /// Fused `self * a + b`.
    fn fused(self, a: Self, b: Self) -> Self;

    /// `self * a + b`: one instruction where the processor has it, two where it has not.
    #[inline(always)]
    fn madd<I: Isa>(self, _: I, a: Self, b: Self) -> Self {
        if I::FUSED { self.fused(a, b) } else { self * a + b }
    }

    /// See [`tile_lanes`].
    fn tile<I: Isa>(
        isa: I,
        a: [&[Self]; 2],
        b: [&[Self]; 2],
        stride: usize,
        at: usize,
        depth: impl Iterator<Item = usize>,
        out: [&mut [Self]; 2],
    );
}

macro_rules! real {
    ($type:ident, $lanes:ident) => {
        impl Real for $type {
            const LANES: usize = $lanes::COUNT;
            const SINGLE: bool = size_of::<$type>() == 4;
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const EPSILON: Self = $type::EPSILON;

            #[inline(always)]
            fn of(value: f64) -> Self {
                value as $type
            }
            #[inline(always)]
            fn wide(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn fused(self, a: Self, b: Self) -> Self {
                self.mul_add(a, b)
            }
            #[inline(always)]
            fn tile<I: Isa>(
                isa: I,
                a: [&[Self]; 2],
                b: [&[Self]; 2],
                stride: usize,
                at: usize,
                depth: impl Iterator<Item = usize>,
                out: [&mut [Self]; 2],
            ) {
                tile_lanes::<$lanes, _>(isa, a, b, stride, at, depth, out)
            }
        }
    };
}

real!(f64, D4);
real!(f32, F8);
