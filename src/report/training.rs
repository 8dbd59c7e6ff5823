//! Training curves.

use crate::results::{Results, TrainingRecord};
use crate::training::TrainingPoint;

use super::figures::{Drawing, file_name};
use crate::plot::format::{duration, integer, scientific};
use crate::plot::line_chart::{ChartPoint, LineChart, Series, Span};
use crate::plot::style::{Dash, Ink, Marker, SeriesStyle};

/// The drawings of all networks: the error rates of all against seconds, then loss and error rate of each against steps.
pub fn drawings(results: &Results) -> Vec<Drawing> {
    let mut all = Vec::new();
    let place = |r: &TrainingRecord| {
        results.config.detectors.get_index_of(&r.detector).unwrap_or(results.config.detectors.len())
    };
    let networks = networks(&results.training);
    all.extend(RACES.iter().filter_map(|metric| race(metric, &networks, place)));
    for record in networks.into_iter().filter(|r| r.curve.len() > 1) {
        let name = file_name(&format!("training-{}-{}", record.point, record.detector));
        let spans = spans(&record.curve);
        all.push(Drawing { name: format!("{name}-loss"), scene: loss(record, &spans).scene() });
        if record.curve.iter().any(|p| usable_ser(p).is_some()) {
            all.push(Drawing { name: format!("{name}-ser"), scene: ser(record, &spans).scene() });
        }
    }
    all
}

/// One record of each network: points that share a network each have one.
pub fn networks(records: &[TrainingRecord]) -> Vec<&TrainingRecord> {
    let mut seen = std::collections::HashSet::new();
    records.iter().filter(|r| r.bundle.is_empty() || seen.insert(&r.bundle)).collect()
}

/// An error rate on validation frames that networks are compared by.
struct Race {
    drawing: &'static str,
    title: &'static str,
    y_name: &'static str,
    value: fn(&TrainingPoint) -> Option<f64>,
}

const RACES: [Race; 2] = [
    Race {
        drawing: "training-ser-seconds",
        title: "Validation symbol error rate against training time",
        y_name: "Validation symbol error rate (SER)",
        value: usable_ser,
    },
    Race {
        drawing: "training-ber-seconds",
        title: "Validation bit error rate against training time",
        y_name: "Validation bit error rate (BER)",
        value: |p| drawable(p.validation_ber),
    },
];

/// Whether a drawing shows all networks side by side.
pub fn is_race(drawing: &Drawing) -> bool {
    RACES.iter().any(|r| r.drawing == drawing.name)
}

/// What a logarithmic axis can show.
fn drawable(value: Option<f64>) -> Option<f64> {
    value.filter(|v| v.is_finite() && *v > 0.0)
}

fn usable_ser(p: &TrainingPoint) -> Option<f64> {
    drawable(p.validation_ser)
}

fn name(record: &TrainingRecord) -> String {
    if record.point.is_empty() { record.label.clone() } else { format!("{} ({})", record.label, record.point) }
}

/// Colour and marker of a curve; long curves carry no marks, for they would hide the line.
fn curve_style(colour: usize, marker: usize, many: bool) -> SeriesStyle {
    SeriesStyle { marker: if many { None } else { Some(Marker::of(marker)) }, ..SeriesStyle::measured(colour) }
}

/// Seconds to a given error rate are the honest comparison of networks of different size. A network has its colour of
/// the other figures (`place`), and the same network at another point has another marker.
fn race(metric: &Race, records: &[&TrainingRecord], place: impl Fn(&TrainingRecord) -> usize) -> Option<Drawing> {
    let mut series: Vec<Series> = Vec::new();
    for record in records {
        let points: Vec<ChartPoint> = record
            .curve
            .iter()
            .filter_map(|p| {
                let y = (metric.value)(p)?;
                let tip = format!("{}: {} after {}", record.label, scientific(y), duration(p.seconds));
                Some(ChartPoint { x: p.seconds, y: Some(y), interval: None, bound: None, tip })
            })
            .collect();
        if points.len() > 1 {
            let colour = place(record);
            let before = series.iter().filter(|s| s.style.ink == Ink::Series(colour)).count();
            let style = curve_style(colour, colour + before, points.len() > 40);
            series.push(Series { name: name(record), style, points });
        }
    }
    let note = "Seconds on the machine named under provenance. Validation frames are not those of the figures above.";
    let mut chart = chart(metric.title.into(), metric.y_name, "Seconds of training", note.into());
    (chart.series, chart.plot_height) = (series, 300.0);
    (!chart.series.is_empty()).then(|| Drawing { name: metric.drawing.into(), scene: chart.scene() })
}

/// A phase is the run of rows with one name; it reaches from the last step of the phase before to its own last step.
fn spans(curve: &[TrainingPoint]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for p in curve {
        let step = p.step as f64;
        match spans.last_mut() {
            Some(span) if span.name == p.phase => span.to = step,
            last => {
                let from = last.map_or(0.0, |s| s.to);
                spans.push(Span { from, to: step, name: p.phase.clone() });
            }
        }
    }
    spans
}

/// A chart without curves, logarithmic in y.
fn chart(title: String, y_name: &str, x_name: &str, note: String) -> LineChart {
    LineChart {
        title,
        y_name: y_name.into(),
        x_name: x_name.into(),
        y_log: true,
        x_log: false,
        x_ticks: Vec::new(),
        series: Vec::new(),
        spans: Vec::new(),
        notes: vec![note],
        plot_height: 240.0,
    }
}

/// A chart of one network against its steps.
fn against_steps(record: &TrainingRecord, spans: &[Span], y_name: &str, title: &str, note: String) -> LineChart {
    let chart = chart(format!("{}: {title}", name(record)), y_name, "Training steps", note);
    LineChart { spans: spans.to_vec(), ..chart }
}

fn loss(record: &TrainingRecord, spans: &[Span]) -> LineChart {
    let note = "Shaded: phases. Each phase has its own loss, so lines are interrupted between phases.".to_owned();
    let mut chart = against_steps(record, spans, "Loss", "loss", note);
    let positive = record.curve.iter().all(|p| p.train_loss > 0.0 && p.validation_loss > 0.0);
    chart.y_log = positive;
    let series = |name: &str, style: SeriesStyle, value: fn(&TrainingPoint) -> f64| {
        let mut points = Vec::new();
        let mut phase: Option<&str> = None;
        for p in &record.curve {
            if phase.is_some_and(|q| q != p.phase) {
                points.push(ChartPoint { x: p.step as f64, y: None, interval: None, bound: None, tip: String::new() });
            }
            phase = Some(&p.phase);
            let y = Some(value(p)).filter(|v| v.is_finite());
            points.push(ChartPoint { x: p.step as f64, y, interval: None, bound: None, tip: tip(p, name, value(p)) });
        }
        Series { name: name.into(), style, points }
    };
    let many = record.curve.len() > 40;
    let training = SeriesStyle { ink: Ink::Bound, marker: None, hollow: false, dash: Dash::Solid, width: 1.25 };
    chart.series = vec![
        series("training", training, |p| p.train_loss),
        series("validation", curve_style(0, 0, many), |p| p.validation_loss),
    ];
    chart
}

fn ser(record: &TrainingRecord, spans: &[Span]) -> LineChart {
    let note = format!("{} steps in {}.", integer(record.steps), duration(record.seconds));
    let mut chart = against_steps(record, spans, "Validation symbol error rate (SER)", "validation SER", note);
    let points: Vec<ChartPoint> = record
        .curve
        .iter()
        .map(|p| {
            let y = usable_ser(p);
            let tip = y.map(|v| tip(p, "SER", v)).unwrap_or_default();
            ChartPoint { x: p.step as f64, y, interval: None, bound: None, tip }
        })
        .collect();
    chart.series = vec![Series { name: "validation SER".into(), style: curve_style(0, 0, points.len() > 40), points }];
    chart
}

fn tip(p: &TrainingPoint, name: &str, value: f64) -> String {
    format!("{name} {}, step {}, {}, {}", scientific(value), integer(p.step), p.phase, duration(p.seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(step: u64, phase: &str, ser: Option<f64>) -> TrainingPoint {
        TrainingPoint {
            step,
            phase: phase.into(),
            seconds: step as f64,
            train_loss: 0.5,
            validation_loss: 0.4,
            validation_ser: ser,
            validation_ber: None,
        }
    }

    fn record(curve: &[TrainingPoint]) -> TrainingRecord {
        TrainingRecord {
            point: "f/0".into(),
            detector: "net".into(),
            label: "net".into(),
            parameters: 1,
            seconds: 20.0,
            steps: 20,
            bundle: String::new(),
            curve: curve.to_vec(),
            termination: String::new(),
        }
    }

    #[test]
    fn phases_tile_the_steps() {
        let s = spans(&[
            row(10, "layer 1", None),
            row(20, "layer 1", None),
            row(30, "layer 2", None),
            row(50, "joint", Some(0.1)),
        ]);
        assert_eq!(s.len(), 3);
        assert_eq!((s[0].from, s[0].to), (0.0, 20.0));
        assert_eq!((s[1].from, s[1].to), (20.0, 30.0));
        assert_eq!((s[2].from, s[2].to), (30.0, 50.0));
    }

    #[test]
    fn losses_of_different_phases_are_not_connected() {
        let curve = vec![row(10, "a", None), row(20, "a", None), row(30, "b", None)];
        let record = record(&curve);
        let chart = loss(&record, &spans(&record.curve));
        assert_eq!(chart.series[1].points.iter().filter(|p| p.y.is_none()).count(), 1);
        for metric in &RACES {
            assert!(race(metric, &[&record], |_| 0).is_none(), "no error rate, no race");
        }
    }

    #[test]
    fn networks_race_in_each_error_rate_that_was_measured() {
        let mut curve = vec![row(10, "a", Some(0.2)), row(20, "a", Some(0.1))];
        let drawn = |r: TrainingRecord| -> Vec<String> {
            RACES.iter().filter_map(|m| race(m, &[&r], |_| 0)).map(|d| d.name).collect()
        };
        assert_eq!(drawn(record(&curve)), ["training-ser-seconds"]);
        curve.iter_mut().for_each(|p| p.validation_ber = Some(0.3));
        assert_eq!(drawn(record(&curve)), ["training-ser-seconds", "training-ber-seconds"]);
    }
}
