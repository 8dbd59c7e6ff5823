//! Numbers that belong to a detector and not to its frames: coherence of its pilots, learned activity probabilities.

use std::sync::Arc;

use crate::config::Point;
use crate::detect::{Prior, Role};
use crate::link::Detector;
use crate::link::Pilots;
use crate::metrics::{MetricName, pilot_coherence};
use crate::scenario::Scenario;
use crate::scenario::{ActivityLaw, ScenarioConfig, ScenarioKind};
use crate::simulation::Properties;

/// Columns of one block: the devices of a group, or one device.
fn block(scenario: &ScenarioConfig) -> usize {
    let groups = match scenario.law() {
        ActivityLaw::Independent => scenario.devices,
        ActivityLaw::SingleGroup | ActivityLaw::IidGroups => scenario.groups.unwrap_or(scenario.devices),
    };
    scenario.sequences() * scenario.devices / groups.max(1)
}

/// The properties among `metrics` (those of the point's figure), for every detector of the point. The coherence of a detector
/// without pilots of its own is that of the scenario's pilots, of the first block where they change.
pub(super) fn of_point(
    point: &Point,
    scenario: &Scenario,
    detectors: &[(String, Box<dyn Detector>)],
    metrics: &[MetricName],
) -> Properties {
    let asked = |name| metrics.contains(&name);
    let mut out = Properties::new();
    if point.scenario.kind == ScenarioKind::Noma || !metrics.iter().any(|m| m.is_property()) {
        return out;
    }
    let pilots_of = |id: &str| -> Arc<Pilots> {
        let config = point.detectors.get(id);
        let owner = config.and_then(|c| c.pilots_of.as_deref()).unwrap_or(id);
        let own = detectors.iter().find(|(other, _)| other == owner).and_then(|(_, d)| d.pilots());
        own.unwrap_or_else(|| scenario.pilots(0))
    };
    let coherences = [MetricName::Coherence, MetricName::BlockCoherence, MetricName::SubCoherence];
    // Most detectors share their pilots, and N = 1000 columns have half a million pairs.
    let mut measured: Vec<(Arc<Pilots>, [Option<f64>; 3])> = Vec::new();
    for (id, detector) in detectors {
        let mut values = Vec::new();
        if coherences.into_iter().any(asked) {
            let pilots = pilots_of(id);
            let at = measured.iter().position(|(p, _)| Arc::ptr_eq(p, &pilots)).unwrap_or_else(|| {
                let c = pilot_coherence(&pilots, block(&point.scenario));
                measured.push((Arc::clone(&pilots), [Some(c.coherence), c.block, c.sub]));
                measured.len() - 1
            });
            values.extend(coherences.into_iter().zip(measured[at].1).filter_map(|(c, v)| Some((c, v?))));
        }
        if asked(MetricName::EpsRatio) {
            values.extend(prior(point, id, detector.as_ref()).and_then(ratio).map(|r| (MetricName::EpsRatio, r)));
        }
        if asked(MetricName::KktIterations) {
            values.extend(iterations_to_optimum(scenario, detector.as_ref()).map(|n| (MetricName::KktIterations, n)));
        }
        if asked(MetricName::ScoreCalls) {
            values.extend(detector.facts().score_calls.map(|calls| (MetricName::ScoreCalls, calls as f64)));
        }
        out.insert(id.clone(), values);
    }
    out
}

/// Largest violation of the optimality conditions that counts as the optimum, and the problems whose median is reported.
const OPTIMUM: f64 = 1e-6;
const PROBLEMS: u64 = 100;
const PROBLEMS_PER_BLOCK: u64 = 10;

/// Median number of iterations to the optimum; `None` for a detector that solves no convex problem by iteration.
fn iterations_to_optimum(scenario: &Scenario, detector: &dyn Detector) -> Option<f64> {
    let solver = detector.solver()?;
    let mut counts = Vec::new();
    for block in 0..PROBLEMS / PROBLEMS_PER_BLOCK {
        let drawn = scenario.realize(block * PROBLEMS_PER_BLOCK, PROBLEMS_PER_BLOCK as usize);
        let pilots = detector.pilots().unwrap_or_else(|| scenario.pilots(block));
        // Frames that do not fit are reported by the simulation.
        counts.extend(solver.iterations_to_optimum(&drawn.observe(&pilots).ok()?, OPTIMUM).ok()?);
    }
    Some(median(counts))
}

fn median(mut counts: Vec<usize>) -> f64 {
    counts.sort_unstable();
    let half = counts.len() / 2;
    if counts.len().is_multiple_of(2) { (counts[half - 1] + counts[half]) as f64 / 2.0 } else { counts[half] as f64 }
}

/// The activity probabilities a detector works with.
fn prior(point: &Point, id: &str, detector: &dyn Detector) -> Option<Vec<f64>> {
    let told = || {
        let info = point.detectors.get(id)?.classical()?.algorithm().info();
        let prior = matches!(info.role, Role::Receiver | Role::Reference) && info.told.activity == Prior::PerDevice;
        prior.then(|| point.scenario.activity_probs())
    };
    detector.facts().activity_probs.or_else(told)
}

/// Mean of the first half over mean of the second half.
fn ratio(probs: Vec<f64>) -> Option<f64> {
    let (first, second) = probs.split_at(probs.len() / 2);
    let mean = |p: &[f64]| p.iter().sum::<f64>() / p.len() as f64;
    (!first.is_empty()).then(|| mean(first) / mean(second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_compared() {
        assert_eq!(ratio(vec![0.25, 0.5, 0.125, 0.125]), Some(3.0));
        assert_eq!(ratio(vec![0.1]), None);
    }

    #[test]
    fn medians_of_even_and_odd_counts() {
        assert_eq!(median(vec![9, 1, 4]), 4.0);
        assert_eq!(median(vec![9, 1, 4, 5]), 4.5);
    }

    #[test]
    fn blocks_follow_the_law() {
        let mut s = ScenarioConfig { devices: 12, bits: 0, groups: Some(3), ..ScenarioConfig::default() };
        assert_eq!(block(&s), 1);
        s.activity_law = Some(ActivityLaw::IidGroups);
        assert_eq!(block(&s), 4);
    }
}
