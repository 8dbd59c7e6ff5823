//! The two float types of the kernels, and safe matrix products on slices.

use num_complex::Complex;
use pulp::Simd;

/// `f32` or `f64`.
pub trait Element:
    num_traits::Float + num_traits::NumAssign + std::iter::Sum + burn::tensor::Element + bytemuck::Pod + Send + Sync
{
    /// As f64, exactly.
    fn wide(self) -> f64;
    /// From f64, rounded.
    fn narrow(value: f64) -> Self;
    /// `exp(self)` for `self <= 0`.
    fn exp_of_negative(self) -> Self;

    /// A SIMD register.
    type Lanes<S: Simd>: bytemuck::Pod;
    /// A slice as registers, and the rest that fills none.
    fn lanes<S: Simd>(values: &[Self]) -> (&[Self::Lanes<S>], &[Self]);
    /// One value in all lanes.
    fn splat<S: Simd>(simd: S, value: Self) -> Self::Lanes<S>;
    /// `-a`.
    fn minus<S: Simd>(simd: S, a: Self::Lanes<S>) -> Self::Lanes<S>;
    /// `a b + c`, with one rounding where the processor can.
    fn multiply_add<S: Simd>(simd: S, a: Self::Lanes<S>, b: Self::Lanes<S>, c: Self::Lanes<S>) -> Self::Lanes<S>;
    /// Sum of the lanes.
    fn total<S: Simd>(simd: S, a: Self::Lanes<S>) -> Self;
}

impl Element for f32 {
    fn wide(self) -> f64 {
        f64::from(self)
    }
    fn narrow(value: f64) -> Self {
        value as f32
    }
    /// A power of two times a polynomial, without branches: loops over it become vector code. Error below 2e-7 relative.
    #[inline(always)]
    #[allow(clippy::excessive_precision)]
    fn exp_of_negative(self) -> Self {
        let x = self.max(-87.0);
        // Beyond 2^23 a float has no room for a fraction: the sum rounds to the nearest integer n, and its last bits are
        // those of n + 127, the exponent of 2^n. A conversion to an integer would not become vector code.
        const SHIFT: f32 = 12_582_912.0 + 127.0;
        let shifted = x * std::f32::consts::LOG2_E + SHIFT;
        let n = shifted - SHIFT;
        // ln 2 in two parts, the first of which is short enough to be multiplied without an error.
        let r = (x - n * 0.693_359_375) - n * -2.121_944_4e-4;
        let p = 1.0 / 5040.0;
        let p = p * r + 1.0 / 720.0;
        let p = p * r + 1.0 / 120.0;
        let p = p * r + 1.0 / 24.0;
        let p = p * r + 1.0 / 6.0;
        let p = p * r + 0.5;
        let p = (p * r + 1.0) * r + 1.0;
        p * f32::from_bits(shifted.to_bits() << 23)
    }

    type Lanes<S: Simd> = S::f32s;
    #[inline(always)]
    fn lanes<S: Simd>(values: &[Self]) -> (&[S::f32s], &[Self]) {
        S::as_simd_f32s(values)
    }
    #[inline(always)]
    fn splat<S: Simd>(simd: S, value: Self) -> S::f32s {
        simd.splat_f32s(value)
    }
    #[inline(always)]
    fn minus<S: Simd>(simd: S, a: S::f32s) -> S::f32s {
        simd.neg_f32s(a)
    }
    #[inline(always)]
    fn multiply_add<S: Simd>(simd: S, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
        simd.mul_add_e_f32s(a, b, c)
    }
    #[inline(always)]
    fn total<S: Simd>(simd: S, a: S::f32s) -> Self {
        simd.reduce_sum_f32s(a)
    }
}

impl Element for f64 {
    fn wide(self) -> f64 {
        self
    }
    fn narrow(value: f64) -> Self {
        value
    }
    #[inline(always)]
    fn exp_of_negative(self) -> Self {
        self.exp()
    }

    type Lanes<S: Simd> = S::f64s;
    #[inline(always)]
    fn lanes<S: Simd>(values: &[Self]) -> (&[S::f64s], &[Self]) {
        S::as_simd_f64s(values)
    }
    #[inline(always)]
    fn splat<S: Simd>(simd: S, value: Self) -> S::f64s {
        simd.splat_f64s(value)
    }
    #[inline(always)]
    fn minus<S: Simd>(simd: S, a: S::f64s) -> S::f64s {
        simd.neg_f64s(a)
    }
    #[inline(always)]
    fn multiply_add<S: Simd>(simd: S, a: S::f64s, b: S::f64s, c: S::f64s) -> S::f64s {
        simd.mul_add_e_f64s(a, b, c)
    }
    #[inline(always)]
    fn total<S: Simd>(simd: S, a: S::f64s) -> Self {
        simd.reduce_sum_f64s(a)
    }
}

/// A strided view of a matrix in a slice.
#[derive(Clone, Copy)]
pub struct View<'a, T> {
    /// The storage.
    pub data: &'a [T],
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// Distance of neighbouring rows.
    pub row_stride: usize,
    /// Distance of neighbouring columns.
    pub column_stride: usize,
    /// Use the complex conjugate.
    pub conj: bool,
}

impl<'a, T> View<'a, T> {
    /// Row-major `[rows, columns]`.
    pub fn new(data: &'a [T], rows: usize, columns: usize) -> Self {
        Self { data, rows, columns, row_stride: columns, column_stride: 1, conj: false }
    }
    /// Transposed.
    pub fn t(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
    /// Conjugate transposed.
    pub fn h(self) -> Self {
        Self { conj: !self.conj, ..self.t() }
    }
    fn check(&self) {
        if self.rows > 0 && self.columns > 0 {
            let last = (self.rows - 1) * self.row_stride + (self.columns - 1) * self.column_stride;
            assert!(last < self.data.len(), "matrix view leaves its storage");
        }
    }
}

/// `out = keep * out + a b` with rows of `out` `stride` apart, single-threaded.
fn product<T: Copy + 'static>(out: &mut [T], stride: usize, a: View<T>, b: View<T>, one: T, keep: bool) {
    a.check();
    b.check();
    assert_eq!(a.columns, b.rows, "inner dimensions differ");
    assert!(stride >= b.columns, "rows of the product overlap");
    assert!(a.rows == 0 || out.len() >= (a.rows - 1) * stride + b.columns, "product does not fit its storage");
    // SAFETY: the views were checked against their slices, the output against its length, and `out` is borrowed
    // mutably, so it aliases neither operand; T is one of the four types that gemm implements.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            out.as_mut_ptr(),
            1,
            stride as isize,
            keep,
            a.data.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            one,
            one,
            false,
            a.conj,
            b.conj,
            gemm::Parallelism::None,
        );
    }
}

/// Real `out (+)= a b`.
pub fn matmul<T: Element>(out: &mut [T], a: View<T>, b: View<T>, keep: bool) {
    product(out, b.columns, a, b, T::one(), keep);
}

/// Real `out (+)= a b`, rows of `out` `stride` apart.
pub fn matmul_into<T: Element>(out: &mut [T], stride: usize, a: View<T>, b: View<T>, keep: bool) {
    product(out, stride, a, b, T::one(), keep);
}

/// Complex `out (+)= a b`.
pub fn cmatmul<T: Element>(out: &mut [Complex<T>], a: View<Complex<T>>, b: View<Complex<T>>, keep: bool) {
    product(out, b.columns, a, b, Complex::new(T::one(), T::zero()), keep);
}
