//! Numbers and user text as a reader sees them.

use crate::metrics::MetricName;

/// What stands where nothing was measured.
pub const ABSENT: &str = "—";

/// Escapes text for HTML and SVG, in elements and in quoted attributes.
///
/// Characters that XML forbids (control characters other than tab and line ends) are dropped, because a single one
/// makes a viewer refuse the whole SVG.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(c),
            c if c.is_control() || c == '\u{FFFE}' || c == '\u{FFFF}' => {}
            c => out.push(c),
        }
    }
    out
}

/// An integer in superscript digits.
pub fn superscript(n: i32) -> String {
    n.to_string()
        .chars()
        .map(|c| match c {
            '-' => '⁻',
            '1' => '¹',
            '2' => '²',
            '3' => '³',
            '0'..='9' => char::from_u32(0x2070 + c as u32 - '0' as u32).unwrap_or(c),
            c => c,
        })
        .collect()
}

/// Splits into a mantissa of `digits` decimals, rounded, and a power of ten; `value` must be finite and not zero.
fn mantissa(value: f64, digits: usize) -> (String, i32) {
    // The standard formatter rounds first and then chooses the exponent, so 9.996 becomes 1.00e1 and not 10.00e0.
    let text = format!("{value:.digits$e}");
    let (m, e) = text.split_once('e').unwrap_or((&text, "0"));
    (m.to_owned(), e.parse().unwrap_or(0))
}

/// `1.34·10⁻³`: three significant digits.
pub fn scientific(value: f64) -> String {
    if !value.is_finite() {
        return ABSENT.into();
    }
    if value == 0.0 {
        return "0".into();
    }
    let (m, e) = mantissa(value, 2);
    let m = m.replace('-', "−");
    if e == 0 { m } else { format!("{m}·10{}", superscript(e)) }
}

/// Three significant digits, with a power of ten only where the plain number would be long.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return ABSENT.into();
    }
    let size = value.abs();
    if size != 0.0 && !(0.01..1e6).contains(&size) {
        return scientific(value);
    }
    let decimals = if size >= 100.0 || size == 0.0 {
        0
    } else if size >= 10.0 {
        1
    } else if size >= 0.1 {
        2
    } else {
        3
    };
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text };
    text.replace('-', "−")
}

/// `4.0` times: two significant digits below 100.
pub fn factor(value: f64) -> String {
    if value >= 100.0 {
        if value < 1e5 { format!("{value:.0}") } else { scientific(value) }
    } else if value >= 9.95 {
        format!("{value:.0}")
    } else if value >= 1.095 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// An integer in groups of three digits, with narrow no-break spaces.
pub fn integer(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) && digits.len() > 4 {
            out.push('\u{202F}');
        }
        out.push(c);
    }
    out
}

/// A duration in the unit that suits it.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return ABSENT.into();
    }
    match seconds {
        0.0 => "0 s".into(),
        s if s < 1e-3 => format!("{} µs", number(s * 1e6)),
        s if s < 1.0 => format!("{} ms", number(s * 1e3)),
        s if s < 120.0 => format!("{} s", number(s)),
        s if s < 7200.0 => format!("{} min", number(s / 60.0)),
        s => format!("{} h", number(s / 3600.0)),
    }
}

/// One value of a metric: decibels with their unit, else a number with a power of ten.
pub fn metric_value(metric: MetricName, value: f64) -> String {
    if !value.is_finite() {
        ABSENT.into()
    } else if metric.is_decibel() {
        format!("{value:.2} dB").replace('-', "−")
    } else if value != 0.0 && value.abs() < 0.1 {
        scientific(value)
    } else if value.abs() < 1.0 && value != 0.0 {
        format!("{value:.3}").replace('-', "−")
    } else {
        number(value)
    }
}

/// `[1.20, 1.49]·10⁻³`, one power of ten for both ends; an absent end is an em dash.
pub fn interval(metric: MetricName, low: Option<f64>, high: Option<f64>) -> String {
    let low = low.filter(|v| v.is_finite());
    let high = high.filter(|v| v.is_finite());
    if low.is_none() && high.is_none() {
        return ABSENT.into();
    }
    let db = metric.is_decibel();
    let scale = high.or(low).unwrap_or(0.0).abs();
    // Below 1e-250 the power of ten itself would leave the floating-point range.
    let exponent = if db || !(1e-250..0.1).contains(&scale) { 0 } else { mantissa(scale, 2).1 };
    let show = |v: Option<f64>| match v {
        None => ABSENT.to_owned(),
        Some(0.0) => "0".into(),
        Some(v) if db || exponent != 0 => format!("{:.2}", v / 10f64.powi(exponent)).replace('-', "−"),
        Some(v) => format!("{v:.3}").replace('-', "−"),
    };
    let unit = if db {
        " dB".into()
    } else if exponent != 0 {
        format!("·10{}", superscript(exponent))
    } else {
        String::new()
    };
    format!("[{}, {}]{unit}", show(low), show(high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_text_cannot_break_out_of_markup() {
        assert_eq!(escape("<b a=\"1\" c='2'>&\u{1}"), "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;");
    }

    #[test]
    fn small_numbers_carry_a_power_of_ten() {
        assert_eq!(scientific(1.34e-3), "1.34·10⁻³");
        assert_eq!(scientific(9.996e-3), "1.00·10⁻²");
        assert_eq!(scientific(-2.5e12), "−2.50·10¹²");
        assert_eq!(metric_value(MetricName::Ser, 0.0), "0");
        assert_eq!(metric_value(MetricName::Ser, 0.25), "0.250");
        assert_eq!(metric_value(MetricName::NmseDb, -12.25), "−12.25 dB");
        assert_eq!(number(123456.0), "123456");
        assert_eq!(number(f64::NAN), ABSENT);
    }

    #[test]
    fn intervals_share_one_power_of_ten() {
        assert_eq!(interval(MetricName::Ser, Some(1.2e-3), Some(1.49e-3)), "[1.20, 1.49]·10⁻³");
        assert_eq!(interval(MetricName::Ser, Some(0.0), Some(3e-4)), "[0, 3.00]·10⁻⁴");
        assert_eq!(interval(MetricName::Ser, None, None), ABSENT);
        assert_eq!(interval(MetricName::NmseDb, Some(-12.5), Some(-11.0)), "[−12.50, −11.00] dB");
    }

    #[test]
    fn long_counts_are_grouped() {
        assert_eq!(integer(1234), "1234");
        assert_eq!(integer(1_234_567), "1\u{202F}234\u{202F}567");
    }
}
