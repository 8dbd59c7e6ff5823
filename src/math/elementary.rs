//! Exponentials and logarithms in single precision without branches: loops over them become vector code.

/// ln 2 in two parts, the first of which is short enough to be multiplied without an error.
const LN_2: [f32; 2] = [355.0 / 512.0, -2.121_944_4e-4];

/// `exp(x)` for `x <= 0`: a power of two times a polynomial. Error below 2e-7 relative; what is below -87 counts as -87.
#[inline(always)]
pub(crate) fn exp_of_negative(x: f32) -> f32 {
    // A comparison, unlike `max`, keeps NaN.
    let x = if x < -87.0 { -87.0 } else { x };
    // Beyond 2^23 a float has no bits for a fraction: the sum rounds to the nearest integer n, and its last bits are
    // those of n + 127, the exponent of 2^n. A conversion to an integer would not become vector code.
    const SHIFT: f32 = 12_582_912.0 + 127.0;
    let shifted = x * std::f32::consts::LOG2_E + SHIFT;
    let n = shifted - SHIFT;
    let r = (x - n * LN_2[0]) - n * LN_2[1];
    let p = 1.0 / 5040.0;
    let p = p * r + 1.0 / 720.0;
    let p = p * r + 1.0 / 120.0;
    let p = p * r + 1.0 / 24.0;
    let p = p * r + 1.0 / 6.0;
    let p = p * r + 0.5;
    let p = (p * r + 1.0) * r + 1.0;
    p * f32::from_bits(shifted.to_bits() << 23)
}

/// `ln(1 + x)` for `x >= 0`: exponent and series of the mantissa `m` in `[root(1/2), root(2))`,
/// `ln m = 2 atanh((m - 1)/(m + 1))`. What `1 + x` loses by rounding is added again. Error below 3e-7 relative.
#[inline(always)]
pub(crate) fn log1p_of_positive(x: f32) -> f32 {
    const ROOT_HALF: u32 = 0x3f35_04f3;
    let u = 1.0 + x;
    let lost = (x - (u - 1.0)) / u;
    let shifted = u.to_bits().wrapping_sub(ROOT_HALF);
    let n = ((shifted as i32) >> 23) as f32;
    let f = f32::from_bits((shifted & 0x007f_ffff).wrapping_add(ROOT_HALF)) - 1.0;
    let s = f / (2.0 + f);
    let z = s * s;
    let p = 1.0 / 9.0;
    let p = p * z + 1.0 / 7.0;
    let p = p * z + 0.2;
    let p = p * z + 1.0 / 3.0;
    let series = 2.0 * s + 2.0 * s * z * p;
    n * LN_2[0] + (series + (lost - n * -LN_2[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_range_of_single_precision_is_accurate() {
        for i in 0..=8700 {
            let x = -i as f32 * 0.01;
            let error = (f64::from(exp_of_negative(x)) / f64::from(x).exp() - 1.0).abs();
            assert!(error < 2e-7, "exp({x}): {error:.1e}");
        }
        for i in -3000..3000 {
            let x = 10_f64.powf(f64::from(i) * 0.01) as f32;
            let want = f64::from(x).ln_1p();
            let error = (f64::from(log1p_of_positive(x)) - want).abs();
            assert!(error < 1e-7 * want.abs().max(1.0), "log1p({x}): {error:.1e}");
        }
        assert_eq!(exp_of_negative(-1e9), exp_of_negative(-87.0));
    }
}
