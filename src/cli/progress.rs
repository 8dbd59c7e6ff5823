//! Observers of the command line; all of them write to stderr.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::simulation::{Event, NoObserver, Observer, Progress};

/// `--progress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ProgressMode {
    /// A bar on a terminal, else plain lines.
    #[default]
    Auto,
    /// One line now and then.
    Plain,
    /// One JSON object per event.
    Json,
    /// Nothing but warnings.
    None,
}

/// The observer of a mode.
pub fn observer(mode: ProgressMode) -> Arc<dyn Observer> {
    match mode {
        ProgressMode::Auto if std::io::stderr().is_terminal() => Arc::new(BarObserver::default()),
        ProgressMode::Auto | ProgressMode::Plain => {
            Arc::new(PlainObserver::new(std::io::stderr(), Duration::from_secs(2)))
        }
        ProgressMode::Json => Arc::new(JsonObserver::new(std::io::stderr())),
        ProgressMode::None => Arc::new(WarningObserver),
    }
}

/// Warnings are shown even where progress is not.
struct WarningObserver;

impl Observer for WarningObserver {
    fn event(&self, event: &Event) {
        match event {
            Event::Warning { message } => eprintln!("warning: {message}"),
            other => NoObserver.event(other),
        }
    }
}

/// Plain lines, at most one per interval while a point runs and one when it ends.
pub struct PlainObserver<W> {
    out: Mutex<(W, Option<Instant>)>,
    interval: Duration,
}

impl<W: Write + Send> PlainObserver<W> {
    /// Lines to `out`, progress at most once per `interval`.
    pub fn new(out: W, interval: Duration) -> Self {
        Self { out: Mutex::new((out, None)), interval }
    }
}

impl<W: Write + Send> Observer for PlainObserver<W> {
    fn event(&self, event: &Event) {
        let Ok(mut guard) = self.out.lock() else { return };
        let (out, last) = &mut *guard;
        if matches!(event, Event::Progress(_)) {
            if last.is_some_and(|t| t.elapsed() < self.interval) {
                return;
            }
            *last = Some(Instant::now());
        }
        // A closed stderr must not end a simulation.
        let _ = writeln!(out, "{}", text(event));
    }
}

/// One JSON object per event and line.
pub struct JsonObserver<W>(Mutex<W>);

impl<W: Write + Send> JsonObserver<W> {
    /// Lines to `out`.
    pub fn new(out: W) -> Self {
        Self(Mutex::new(out))
    }
}

impl<W: Write + Send> Observer for JsonObserver<W> {
    fn event(&self, event: &Event) {
        if let (Ok(mut out), Ok(line)) = (self.0.lock(), serde_json::to_string(event)) {
            let _ = writeln!(out, "{line}");
        }
    }
}

/// A bar that shows the point at work; ended points stay above it.
pub struct BarObserver(ProgressBar);

impl Default for BarObserver {
    fn default() -> Self {
        let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr_with_hz(5));
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        Self(bar)
    }
}

impl Observer for BarObserver {
    fn event(&self, event: &Event) {
        match event {
            Event::Progress(p) => {
                // The bar follows time where it is known: stop rules end points long before max_frames.
                let done = p.frames as f64 / p.frames_per_second.max(1e-9);
                let share = match p.seconds_left {
                    Some(left) => done / (done + left).max(1e-9),
                    None => p.frames as f64 / p.max_frames.max(1) as f64,
                };
                self.0.set_length(1000);
                self.0.set_position((share * 1000.0) as u64);
                self.0.set_message(text(event));
            }
            _ => self.0.println(text(event)),
        }
    }
}

impl Drop for BarObserver {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn text(event: &Event) -> String {
    match event {
        Event::Progress(p) => progress_text(p),
        Event::PointEnded { point, frames, termination, seconds } => {
            let reason = serde_json::to_value(termination).ok().and_then(|v| v.as_str().map(|s| s.replace('_', " ")));
            format!("{point}: done, {frames} frames in {}, {}", duration(*seconds), reason.unwrap_or_default())
        }
        Event::Warning { message } => format!("warning: {message}"),
    }
}

fn progress_text(p: &Progress) -> String {
    let mut line = format!("[{}/{}] {}", p.number, p.points, p.point);
    if !p.x_label.is_empty() {
        line += &format!(" (x = {})", p.x_label);
    }
    line += &format!(": {}/{} frames", p.frames, p.max_frames);
    if !p.detector.is_empty() {
        line += &format!(", {}", p.detector);
        match (p.estimate, p.half_width) {
            (Some(v), Some(h)) if v > 0.0 => line += &format!(" ser {v:.2e} +- {h:.1e}"),
            (Some(v), None) => line += &format!(" ser {v:.2e}"),
            (Some(_), Some(h)) => line += &format!(" ser < {:.1e}", 2.0 * h),
            _ => {}
        }
        line += &if p.target_events > 0 {
            format!(", {}/{} events", p.events, p.target_events)
        } else {
            format!(", {} events", p.events)
        };
    }
    line += &format!(", {:.0} frames/s", p.frames_per_second);
    if let Some(left) = p.seconds_left {
        line += &format!(", {} left", duration(left));
    }
    if let Some(left) = p.run_seconds_left.filter(|_| p.points > 1) {
        line += &format!(" (run: {})", duration(left));
    }
    line
}

fn duration(seconds: f64) -> String {
    let s = seconds.max(0.0).round() as u64;
    match s {
        0..=99 => format!("{s} s"),
        100..=5999 => format!("{} min {:02} s", s / 60, s % 60),
        _ => format!("{} h {:02} min", s / 3600, s % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress() -> Progress {
        Progress {
            point: "fig07/1".into(),
            number: 2,
            points: 5,
            x_label: "40".into(),
            frames: 512,
            max_frames: 10_000,
            detector: "amp".into(),
            events: 31,
            target_events: 100,
            estimate: Some(3.1e-3),
            half_width: Some(4e-4),
            frames_per_second: 250.0,
            seconds_left: Some(4.6),
            run_seconds_left: Some(130.0),
        }
    }

    #[test]
    fn a_line_tells_everything() {
        let shown = text(&Event::Progress(progress()));
        assert_eq!(
            shown,
            "[2/5] fig07/1 (x = 40): 512/10000 frames, amp ser 3.10e-3 +- 4.0e-4, 31/100 events, 250 frames/s, 5 s left \
             (run: 2 min 10 s)"
        );
    }

    #[test]
    fn plain_lines_are_throttled_and_json_lines_parse() {
        let plain = PlainObserver::new(Vec::new(), Duration::from_secs(3600));
        let json = JsonObserver::new(Vec::new());
        let warning = Event::Warning { message: "torn".into() };
        for event in [Event::Progress(progress()), Event::Progress(progress()), warning] {
            plain.event(&event);
            json.event(&event);
        }
        let lines = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(lines(plain.out.into_inner().unwrap().0).len(), 2);
        let json = lines(json.0.into_inner().unwrap());
        assert_eq!(json.len(), 3);
        let first: serde_json::Value = serde_json::from_str(&json[0]).unwrap();
        assert_eq!((first["event"].as_str(), first["frames"].as_u64()), (Some("progress"), Some(512)));
    }
}
