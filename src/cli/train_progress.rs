//! Training on stderr.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::error::note;
use crate::cli::progress::ProgressMode;
use crate::training::{TrainEvent, TrainObserver};

/// How often a line about steps is printed.
const EVERY: Duration = Duration::from_secs(5);

/// The observer of a progress mode.
pub(super) fn train_observer(mode: ProgressMode) -> Arc<dyn TrainObserver> {
    match mode {
        ProgressMode::None => Arc::new(()),
        ProgressMode::Json => Arc::new(Json),
        ProgressMode::Plain | ProgressMode::Auto => {
            let live = mode == ProgressMode::Auto && std::io::stderr().is_terminal();
            Arc::new(Plain { last: Mutex::new(Instant::now()), live })
        }
    }
}

struct Plain {
    last: Mutex<Instant>,
    live: bool,
}

impl TrainObserver for Plain {
    fn on_event(&self, event: &TrainEvent<'_>) {
        match event {
            TrainEvent::Phase { label, phase, total } => {
                note(&format!("training {label}: phase {}, {} of {total} steps", phase.name, phase.config.steps));
            }
            TrainEvent::Resumed { step } => note(&format!("training resumed after step {step}")),
            TrainEvent::Validated(p) => {
                let mut ser = p.validation_ser.map_or(String::new(), |s| format!(", validation SER {s:.2e}"));
                if let Some(ber) = p.validation_ber {
                    ser += &format!(", BER {ber:.2e}");
                }
                note(&format!(
                    "  step {}: training loss {:.4e}, validation loss {:.4e}{ser}, {:.0} s",
                    p.step, p.train_loss, p.validation_loss, p.seconds
                ));
            }
            TrainEvent::Step { step, total, rate } => {
                let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                if self.live && last.elapsed() > EVERY {
                    *last = Instant::now();
                    let left = (total - step) as f64 / rate.max(1e-9);
                    note(&format!("  step {step} of {total}, {rate:.1} steps/s, {left:.0} s left"));
                }
            }
        }
    }
}

struct Json;

impl TrainObserver for Json {
    fn on_event(&self, event: &TrainEvent<'_>) {
        let value = match event {
            TrainEvent::Phase { label, phase, total } => {
                serde_json::json!({"event": "phase", "label": label, "phase": phase.name, "steps": phase.config.steps, "total": total})
            }
            TrainEvent::Resumed { step } => serde_json::json!({"event": "resumed", "step": step}),
            TrainEvent::Validated(p) => serde_json::json!({"event": "validated", "row": p}),
            TrainEvent::Step { .. } => return,
        };
        note(&value.to_string());
    }
}
