//! Scales and ticks.

use super::format::{number, superscript};

/// A linear or logarithmic map from values to pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    /// Logarithmic.
    pub log: bool,
    /// Smallest value.
    pub low: f64,
    /// Largest value.
    pub high: f64,
    /// Pixel of the smallest value.
    pub start: f64,
    /// Pixel of the largest value.
    pub end: f64,
}

/// Rates beyond this are rounding residue, and powers of ten around them leave the floating-point range.
const SMALLEST: f64 = 1e-250;

/// One tick.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// Where.
    pub value: f64,
    /// Its label; empty for minor ticks.
    pub label: String,
}

impl Axis {
    /// Pixel of a value; values outside are moved to the nearest end.
    pub fn map(&self, value: f64) -> f64 {
        let t = |v: f64| if self.log { v.max(f64::MIN_POSITIVE).log10() } else { v };
        let share = (t(value) - t(self.low)) / (t(self.high) - t(self.low));
        self.start + share.clamp(0.0, 1.0) * (self.end - self.start)
    }

    /// A range of round ends around values; `values` must be positive when `log`. At least a factor of 10, or one unit.
    pub fn around(values: impl IntoIterator<Item = f64>, log: bool, start: f64, end: f64) -> Self {
        let (low, high) = values
            .into_iter()
            .filter(|v| v.is_finite() && (!log || (SMALLEST..1.0 / SMALLEST).contains(v)))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
        let (low, high) = if low > high { if log { (1e-3, 1.0) } else { (0.0, 1.0) } } else { (low, high) };
        if log {
            let (mut low, mut high) = (round_125(low / 1.15, false), round_125(high * 1.15, true));
            while high / low < 9.99 {
                low = round_125(low / 1.9, false);
                high = if high / low < 9.99 { round_125(high * 1.05, true) } else { high };
            }
            return Self { log, low, high, start, end };
        }
        let span = if high - low > 1e-9 * high.abs().max(1e-300) { high - low } else { high.abs().max(1.0) };
        let step = nice_step(span, 5.0);
        let (low, high) = (((low - 0.04 * span) / step).floor() * step, ((high + 0.04 * span) / step).ceil() * step);
        Self { log, low, high, start, end }
    }

    /// Labelled and minor ticks, about `wanted` labels on a linear axis.
    pub fn ticks(&self, wanted: f64) -> Vec<Tick> {
        if !self.log {
            let step = nice_step(self.high - self.low, wanted);
            let first = (self.low / step - 1e-9).ceil() as i64;
            let last = (self.high / step + 1e-9).floor() as i64;
            return (first..=last)
                .map(|i| i as f64 * step)
                .map(|v| Tick { value: v, label: linear_label(v, step) })
                .collect();
        }
        let (first, last) = (self.low.log10().floor() as i32, self.high.log10().ceil() as i32);
        let decades = self.high.log10() - self.low.log10();
        let every = (decades / 8.0).ceil().max(1.0) as i32;
        let mut ticks = Vec::new();
        for e in first..=last {
            for m in 1..10 {
                let value = f64::from(m) * 10f64.powi(e);
                if value < self.low * 0.9999 || value > self.high * 1.0001 {
                    continue;
                }
                let labelled = (m == 1 && e % every == 0) || (decades < 2.2 && (m == 2 || m == 5));
                if !labelled && decades > 6.0 {
                    continue;
                }
                ticks.push(Tick { value, label: if labelled { log_label(m, e, decades) } else { String::new() } });
            }
        }
        ticks
    }
}

/// Plain numbers near 1, powers of ten elsewhere; long axes show powers only, so that labels look alike.
fn log_label(mantissa: i32, exponent: i32, decades: f64) -> String {
    match (mantissa, exponent) {
        (m, 0..=3) => (f64::from(m) * 10f64.powi(exponent)).to_string(),
        (m, -2..=-1) if decades < 2.2 => {
            format!("{:.*}", exponent.unsigned_abs() as usize, f64::from(m) * 10f64.powi(exponent))
        }
        (1, e) => format!("10{}", superscript(e)),
        (m, e) => format!("{m}·10{}", superscript(e)),
    }
}

/// As many decimals as the step needs.
fn linear_label(value: f64, step: f64) -> String {
    if value.abs() >= 1e6 {
        return number(value);
    }
    let decimals = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
    let text = format!("{value:.decimals$}");
    if text.trim_start_matches('-').chars().all(|c| c == '0' || c == '.') {
        "0".into()
    } else {
        text.replace('-', "−")
    }
}

/// The next of 1, 2, 5 times a power of ten.
fn round_125(value: f64, up: bool) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let m = value / power;
    let steps = [1.0, 2.0, 5.0, 10.0];
    let chosen = if up {
        steps.into_iter().find(|s| *s >= m * 0.9999)
    } else {
        steps.into_iter().rev().find(|s| *s <= m * 1.0001)
    };
    chosen.unwrap_or(if up { 10.0 } else { 1.0 }) * power
}

fn nice_step(span: f64, wanted: f64) -> f64 {
    let raw = (span / wanted).max(f64::MIN_POSITIVE);
    let power = 10f64.powf(raw.log10().floor());
    let m = raw / power;
    power
        * if m <= 1.0 {
            1.0
        } else if m <= 2.0 {
            2.0
        } else if m <= 5.0 {
            5.0
        } else {
            10.0
        }
}

/// Whether swept values are spaced more evenly on a logarithmic axis than on a linear one.
pub fn spaced_by_ratio(values: &[f64]) -> bool {
    let mut v = values.to_vec();
    v.sort_by(f64::total_cmp);
    v.dedup();
    if v.len() < 3 || v[0] <= 0.0 || v[v.len() - 1] / v[0] < 8.0 {
        return false;
    }
    let unevenness = |f: fn(f64) -> f64| {
        let gaps: Vec<f64> = v.windows(2).map(|w| f(w[1]) - f(w[0])).collect();
        let (low, high) = gaps.iter().fold((f64::INFINITY, 0f64), |(a, b), g| (a.min(*g), b.max(*g)));
        high / low
    };
    unevenness(f64::ln) < unevenness(|x| x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_axis_covers_the_data_with_round_ends() {
        let axis = Axis::around([1.3e-3, 4.0e-2], true, 300.0, 0.0);
        assert!((axis.low - 1e-3).abs() < 1e-9 && (axis.high - 5e-2).abs() < 1e-9, "{axis:?}");
        assert!(axis.map(1e-3) > axis.map(1e-2));
        assert_eq!(axis.map(1e-9), 300.0);
        let labels: Vec<String> = axis.ticks(5.0).into_iter().map(|t| t.label).filter(|l| !l.is_empty()).collect();
        assert_eq!(labels, ["10⁻³", "2·10⁻³", "5·10⁻³", "0.01", "0.02", "0.05"]);
    }

    #[test]
    fn one_value_still_gives_an_axis() {
        for log in [true, false] {
            let axis = Axis::around([0.02], log, 0.0, 100.0);
            assert!(axis.low < 0.02 && axis.high > 0.02 && axis.map(0.02) > 0.0 && axis.map(0.02) < 100.0, "{axis:?}");
        }
        let empty = Axis::around([], true, 0.0, 1.0);
        assert!(empty.low > 0.0 && empty.low <= 1e-3 && empty.high >= 1.0, "{empty:?}");
    }

    #[test]
    fn linear_ticks_are_round() {
        let axis = Axis::around([-21.3, -2.4], false, 0.0, 100.0);
        let labels: Vec<String> = axis.ticks(6.0).into_iter().map(|t| t.label).collect();
        assert!(labels.contains(&"−10".to_owned()) && labels.contains(&"0".to_owned()), "{labels:?}");
    }

    #[test]
    fn doubling_sweeps_are_logarithmic() {
        assert!(spaced_by_ratio(&[4.0, 8.0, 16.0, 32.0, 64.0]));
        assert!(!spaced_by_ratio(&[20.0, 40.0, 60.0, 80.0]));
        assert!(!spaced_by_ratio(&[-10.0, 0.0, 10.0]));
    }
}
