//! The two float types of the kernels, and safe matrix products on slices.

use num_complex::Complex;
use pulp::Simd;

use crate::math::elementary;

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
    /// `ln(1 + self)` for `self >= 0`.
    fn log1p_of_positive(self) -> Self;

    /// A SIMD register.
    type Lanes<S: Simd>: bytemuck::Pod;
    /// A slice as registers, and the rest that fills none.
    fn lanes<S: Simd>(values: &[Self]) -> (&[Self::Lanes<S>], &[Self]);
    /// The same to write to.
    fn lanes_mut<S: Simd>(values: &mut [Self]) -> (&mut [Self::Lanes<S>], &mut [Self]);
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
    #[inline]
    fn wide(self) -> f64 {
        f64::from(self)
    }
    #[inline]
    fn narrow(value: f64) -> Self {
        value as f32
    }
    #[inline(always)]
    fn exp_of_negative(self) -> Self {
        elementary::exp_of_negative(self)
    }
    #[inline(always)]
    fn log1p_of_positive(self) -> Self {
        elementary::log1p_of_positive(self)
    }

    type Lanes<S: Simd> = S::f32s;
    #[inline(always)]
    fn lanes<S: Simd>(values: &[Self]) -> (&[S::f32s], &[Self]) {
        S::as_simd_f32s(values)
    }
    #[inline(always)]
    fn lanes_mut<S: Simd>(values: &mut [Self]) -> (&mut [S::f32s], &mut [Self]) {
        S::as_mut_simd_f32s(values)
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
    #[inline]
    fn wide(self) -> f64 {
        self
    }
    #[inline]
    fn narrow(value: f64) -> Self {
        value
    }
    #[inline(always)]
    fn exp_of_negative(self) -> Self {
        self.exp()
    }
    #[inline(always)]
    fn log1p_of_positive(self) -> Self {
        self.ln_1p()
    }

    type Lanes<S: Simd> = S::f64s;
    #[inline(always)]
    fn lanes<S: Simd>(values: &[Self]) -> (&[S::f64s], &[Self]) {
        S::as_simd_f64s(values)
    }
    #[inline(always)]
    fn lanes_mut<S: Simd>(values: &mut [Self]) -> (&mut [S::f64s], &mut [Self]) {
        S::as_mut_simd_f64s(values)
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
    #[inline]
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
    #[inline]
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

/// `out = keep * out + factor a b` with rows of `out` `stride` apart.
#[expect(unsafe_code, reason = "the matrix product of `gemm` takes pointers")]
#[inline]
fn product<T: Copy + 'static>(
    out: &mut [T],
    stride: usize,
    [a, b]: [View<'_, T>; 2],
    one: T,
    factor: T,
    keep: bool,
    parallelism: gemm::Parallelism,
) {
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
            factor,
            false,
            a.conj,
            b.conj,
            parallelism,
        );
    }
}

/// Real `out += factor a b`, by all threads where `parallel`: every entry is summed in the same order for any number.
#[inline]
pub fn matmul_add<T: Element>(out: &mut [T], a: View<'_, T>, b: View<'_, T>, factor: T, parallel: bool) {
    let parallelism = if parallel { gemm::Parallelism::Rayon(0) } else { gemm::Parallelism::None };
    product(out, b.columns, [a, b], T::one(), factor, true, parallelism);
}

/// Real `out = factor a b` by all threads; every entry is summed in the same order for any number of them.
pub fn matmul_parallel<T: Element>(out: &mut [T], a: View<'_, T>, b: View<'_, T>, factor: T) {
    product(out, b.columns, [a, b], T::one(), factor, false, gemm::Parallelism::Rayon(0));
}

/// Complex `out (+)= a b`.
#[inline]
pub fn cmatmul<T: Element>(out: &mut [Complex<T>], a: View<'_, Complex<T>>, b: View<'_, Complex<T>>, keep: bool) {
    let one = Complex::new(T::one(), T::zero());
    product(out, b.columns, [a, b], one, one, keep, gemm::Parallelism::None);
}

#[cfg(test)]
mod tests {
    use super::Element;

    #[test]
    fn logarithms_and_exponentials_in_single_precision_are_right_to_the_last_bits() {
        for i in 0..200_000 {
            let x = 10_f32.powf(i as f32 / 5000.0 - 20.0);
            let error = (f64::from(x.log1p_of_positive()) / f64::from(x).ln_1p() - 1.0).abs();
            assert!(error < 3e-7, "log1p({x}): {error:.1e}");
            let x = -(i as f32) / 2500.0;
            let error = (f64::from(x.exp_of_negative()) / f64::from(x).exp() - 1.0).abs();
            assert!(error < 3e-7, "exp({x}): {error:.1e}");
        }
        assert_eq!(0.0_f32.log1p_of_positive(), 0.0);
        assert!(f32::NAN.exp_of_negative().is_nan());
    }
}
