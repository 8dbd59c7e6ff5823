//! What a detector was told and what was chosen for it, in words.

use crate::detect::{Prior, Told};
use crate::plot::format::{ABSENT, number};
use crate::results::DetectorResult;

/// `gains, noise, activity`, or a dash where it is not known.
pub fn told(d: &DetectorResult) -> String {
    let Some(Told { gains, noise, activity, truth }) = d.told else { return ABSENT.into() };
    let activity = match activity {
        Prior::None => "",
        Prior::Mean => "mean activity",
        Prior::PerDevice => "activity",
        Prior::Groups => "activity, groups",
    };
    let parts = [
        if gains { "gains" } else { "" },
        if noise { "noise" } else { "" },
        activity,
        if truth { "truth" } else { "" },
    ];
    let parts: Vec<&str> = parts.into_iter().filter(|p| !p.is_empty()).collect();
    if parts.is_empty() { "nothing".into() } else { parts.join(", ") }
}

/// `damping 0.6, threshold 2.94`, or a dash where nothing was chosen.
pub fn chosen(d: &DetectorResult) -> String {
    let value = |v: &serde_json::Value| v.as_f64().map_or_else(|| v.to_string(), number);
    let all: Vec<String> = d.chosen.iter().map(|(key, v)| format!("{key} {}", value(v))).collect();
    if all.is_empty() { ABSENT.into() } else { all.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_what_was_told_and_chosen() {
        let mut d = DetectorResult {
            told: Some(Told { gains: true, noise: true, activity: Prior::Groups, truth: false }),
            ..crate::report::fixture::results().points[0].detectors[0].clone()
        };
        d.chosen.insert("damping".into(), 0.6.into());
        assert_eq!((told(&d), chosen(&d)), ("gains, noise, activity, groups".into(), "damping 0.6".into()));
        d.told = None;
        assert_eq!(told(&d), ABSENT);
    }
}
