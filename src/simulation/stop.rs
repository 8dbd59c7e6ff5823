//! Stop rules, tested at the end of each block in block order.

use super::totals::Totals;
use crate::config::EngineConfig;
use crate::results::TerminationReason;

/// Whether the point ends after the blocks in `totals`, and why.
///
/// `max_frames` comes first, no other rule is tested before `min_frames`. `target_events` and `rel_ci` must be met by
/// every detector; a detector without any event never meets `rel_ci`.
pub(super) fn stop(engine: &EngineConfig, totals: &Totals) -> Option<TerminationReason> {
    if totals.frames >= engine.max_frames {
        return Some(TerminationReason::MaxFrames);
    }
    if totals.frames < engine.min_frames {
        return None;
    }
    if !totals.detectors.is_empty() {
        if engine.target_events > 0 && totals.detectors.iter().all(|d| d.events() >= engine.target_events) {
            return Some(TerminationReason::TargetEvents);
        }
        let narrow =
            |d: &super::totals::DetectorTotals| d.ser().relative_half_width().is_some_and(|half| half <= engine.rel_ci);
        if engine.rel_ci > 0.0 && totals.detectors.iter().all(narrow) {
            return Some(TerminationReason::RelativeInterval);
        }
    }
    (engine.time_budget > 0.0 && totals.seconds >= engine.time_budget).then_some(TerminationReason::TimeBudget)
}

/// Seconds until the first of the rules will hold, judged by the rate so far; `None` before the first frame.
pub(super) fn time_left(engine: &EngineConfig, totals: &Totals, frames_of_run: u64) -> Option<f64> {
    if totals.frames == 0 || totals.seconds <= 0.0 {
        return None;
    }
    let frames = totals.frames as f64;
    let mut goal = frames_of_run as f64;
    if engine.target_events > 0 {
        let fewest = totals.detectors.iter().map(|d| d.events()).min().unwrap_or(0);
        if fewest > 0 {
            goal = goal.min(frames * engine.target_events as f64 / fewest as f64);
        }
    }
    if engine.rel_ci > 0.0 {
        // The half-width falls with the root of the number of frames.
        let widest = totals.detectors.iter().map(|d| d.ser().relative_half_width()).reduce(|a, b| Some(a?.max(b?)));
        if let Some(Some(widest)) = widest {
            goal = goal.min(frames * (widest / engine.rel_ci).powi(2));
        }
    }
    goal = goal.max((engine.min_frames.min(frames_of_run)) as f64);
    let mut seconds = (goal - frames).max(0.0) * totals.seconds / frames;
    if engine.time_budget > 0.0 {
        seconds = seconds.min((engine.time_budget - totals.seconds).max(0.0));
    }
    Some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{MetricName, MetricSums};

    /// `events` errors, at most one per frame, of 10 devices.
    fn totals(frames: u64, seconds: f64, events: &[u64]) -> Totals {
        let mut t = Totals::new(events.iter().map(|_| "d"));
        (t.frames, t.seconds) = (frames, seconds);
        for (d, &k) in t.detectors.iter_mut().zip(events) {
            let mut s = MetricSums::default();
            (0..frames).for_each(|f| s.add_frame(f64::from(u8::from(f < k)), 10.0));
            d.sums.insert(MetricName::Ser, s);
        }
        t
    }

    #[test]
    fn every_rule_and_its_order() {
        use TerminationReason as R;
        let off = EngineConfig { min_frames: 100, max_frames: 1000, ..EngineConfig::default() };
        assert_eq!(stop(&off, &totals(999, 1e9, &[999])), None);
        assert_eq!(stop(&off, &totals(1000, 0.0, &[0])), Some(R::MaxFrames));
        let events = EngineConfig { target_events: 50, ..off.clone() };
        assert_eq!(stop(&events, &totals(99, 0.0, &[60, 60])), None, "before min_frames");
        assert_eq!(stop(&events, &totals(200, 0.0, &[60, 49])), None, "every detector");
        assert_eq!(stop(&events, &totals(200, 0.0, &[60, 50])), Some(R::TargetEvents));
        let width = EngineConfig { rel_ci: 0.2, ..off.clone() };
        // 1.96 / sqrt(100 events) = 0.196 and 1.96/sqrt(80) = 0.22, a little less for clustered frames.
        assert_eq!(stop(&width, &totals(900, 0.0, &[120, 0])), None, "no event, no width");
        assert_eq!(stop(&width, &totals(900, 0.0, &[120, 60])), None);
        assert_eq!(stop(&width, &totals(900, 0.0, &[120, 110])), Some(R::RelativeInterval));
        let time = EngineConfig { time_budget: 2.0, ..off };
        assert_eq!(stop(&time, &totals(50, 3.0, &[1])), None, "before min_frames");
        assert_eq!(stop(&time, &totals(100, 1.9, &[1])), None);
        assert_eq!(stop(&time, &totals(100, 2.0, &[1])), Some(R::TimeBudget));
    }

    #[test]
    fn time_left_follows_the_nearest_rule() {
        let mut e = EngineConfig { min_frames: 100, max_frames: 1000, ..EngineConfig::default() };
        assert_eq!(time_left(&e, &totals(0, 0.0, &[0]), 1000), None);
        assert_eq!(time_left(&e, &totals(200, 2.0, &[10]), 1000), Some(8.0));
        e.target_events = 20;
        assert_eq!(time_left(&e, &totals(200, 2.0, &[10]), 1000), Some(2.0));
        e.time_budget = 2.5;
        assert_eq!(time_left(&e, &totals(200, 2.0, &[10]), 1000), Some(0.5));
    }
}
