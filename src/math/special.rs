//! Quantiles that the intervals need: beta (Clopper-Pearson) and Student t (few frames).

/// 97.5 % quantile of the standard normal law: two-sided 95 % intervals.
pub(crate) const Z95: f64 = 1.959_963_984_540_054;

/// ln Gamma(x), x > 0, by the Lanczos series with g = 7 and nine terms (relative error about 1e-15).
fn ln_gamma(x: f64) -> f64 {
    const C: [f64; 9] = [
        0.999_999_999_999_809_9,
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let t = x + 7.5;
    let series = C[1..].iter().enumerate().fold(C[0], |s, (i, c)| s + c / (x + i as f64 + 1.0));
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + series.ln()
}

/// Regularised incomplete beta function I_x(a, b) by its continued fraction (modified Lentz).
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp();
    // The fraction converges fast below the mean only; the other side follows by symmetry.
    if x > (a + 1.0) / (a + b + 2.0) {
        1.0 - front * fraction(b, a, 1.0 - x) / b
    } else {
        front * fraction(a, b, x) / a
    }
}

fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let keep = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / keep(1.0 - (a + b) * x / (a + 1.0));
    let mut h = d;
    for m in 1..10_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / keep(1.0 + even * d);
        c = keep(1.0 + even / c);
        h *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / keep(1.0 + odd * d);
        c = keep(1.0 + odd / c);
        let step = d * c;
        h *= step;
        if (step - 1.0).abs() < 1e-15 {
            break;
        }
    }
    h
}

/// The x in [0, 1] with I_x(a, b) = p, by bisection.
pub(crate) fn beta_quantile(a: f64, b: f64, p: f64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if incomplete_beta(a, b, middle) < p {
            low = middle;
        } else {
            high = middle;
        }
        if high - low <= 1e-14 * high {
            break;
        }
    }
    0.5 * (low + high)
}

/// 97.5 % quantile of Student's t law with `freedom` >= 1 degrees of freedom.
pub(crate) fn t95(freedom: f64) -> f64 {
    if freedom < 30.0 {
        // P(|T| > t) = I_x(freedom/2, 1/2) at x = freedom / (freedom + t^2).
        let x = beta_quantile(0.5 * freedom, 0.5, 0.05);
        return (freedom * (1.0 - x) / x).sqrt();
    }
    // Cornish-Fisher expansion (Abramowitz and Stegun 26.7.5), error below 3e-6 from 30 degrees on.
    let z = Z95;
    z + (z.powi(3) + z) / (4.0 * freedom)
        + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * freedom.powi(2))
        + (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / (384.0 * freedom.powi(3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tabulated_values() {
        // Student t tables, two-sided 5 %.
        for (freedom, t) in [
            (1.0, 12.706_204_7),
            (2.0, 4.302_652_7),
            (10.0, 2.228_138_9),
            (29.0, 2.045_229_6),
            (30.0, 2.042_272_5),
            (100.0, 1.983_971_5),
        ] {
            assert!((t95(freedom) - t).abs() < 3e-6, "{freedom}: {}", t95(freedom));
        }
        // Beta(1, n) and Beta(n, 1) have closed forms.
        assert!((beta_quantile(1.0, 20.0, 0.975) - (1.0 - 0.025_f64.powf(1.0 / 20.0))).abs() < 1e-12);
        assert!((beta_quantile(7.0, 1.0, 0.3) - 0.3_f64.powf(1.0 / 7.0)).abs() < 1e-12);
        assert!((ln_gamma(11.0) - 3_628_800.0_f64.ln()).abs() < 1e-12);
        assert!((incomplete_beta(3.0, 3.0, 0.5) - 0.5).abs() < 1e-13);
    }
}
