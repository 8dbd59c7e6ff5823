//! MMSE rows when the powers are known: the last step of genie-mmse and ml-mmse.

use num_complex::Complex64;

use crate::math::inverse::InverseCovariance;
use crate::math::isa::Isa;
use crate::math::planes::Planes;

/// `x_i = gamma_i a_i^H Sigma^-1 Y` with `Sigma = sum_i gamma_i a_i a_i^H + noise_var I`, for all columns of power `gamma_i > 0`.
///
/// Written for the columns S that have a power, `B = diag(gamma_S)`: `X_S = B A_S^H (A_S B A_S^H + noise_var I)^-1 Y`, the
/// posterior mean of independent rows `CN(0, gamma_i I)`. `gamma` is `[N*Q]`, `y` `[L, M]`, `x` `[N*Q, M]`; rows without
/// power are not written. The inverse is rebuilt from `gamma`; whatever it held is lost.
#[inline(always)]
pub(crate) fn mmse_rows<I: Isa>(
    isa: I,
    inverse: &mut InverseCovariance<f64>,
    columns: &Planes<f64>,
    gamma: &[f64],
    y: &[Complex64],
    antennas: usize,
    x: &mut [Complex64],
) {
    inverse.rebuild(isa, columns, gamma);
    for (i, (&power, x)) in gamma.iter().zip(x.chunks_exact_mut(antennas)).enumerate() {
        if power > 0.0 {
            inverse.apply(isa, columns.row(i));
            x.fill(Complex64::default());
            for (l, row) in y.chunks_exact(antennas).enumerate() {
                let v = Complex64::new(inverse.v.re[l], -inverse.v.im[l]) * power;
                x.iter_mut().zip(row).for_each(|(x, y)| *x += v * y);
            }
        }
    }
}
