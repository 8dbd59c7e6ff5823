//! The training loop.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};

use super::adam::adam;
use super::average::{blend, memory};
use super::checkpoint::{State, Store};
use super::error::TrainError;
use super::plan::{Phase, Plan};
use super::task::{TrainEvent, TrainObserver, TrainTask};
use crate::training::TrainingPoint;

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrainStop {
    /// Every phase reached its number of steps or stopped improving.
    Finished,
    /// Ctrl-C; the checkpoint holds the state.
    Interrupted,
}

/// A trained (or interrupted) network.
pub struct TrainOutcome<N> {
    /// Inference copy of the best checkpoint of the last phase.
    pub net: N,
    /// Why it ended.
    pub stop: TrainStop,
    /// Steps done.
    pub steps: u64,
    /// Seconds of training, resumed parts included.
    pub seconds: f64,
    /// The curve.
    pub curve: Vec<TrainingPoint>,
}

/// Trains a task to its end, resuming from `checkpoint` where there is one.
///
/// # Errors
/// [`TrainError`] when the loss diverges, the checkpoint is damaged or foreign, or frames cannot be made.
pub fn train<T: TrainTask>(
    task: &T,
    checkpoint: &Path,
    observer: &dyn TrainObserver,
    interrupt: &AtomicBool,
) -> Result<TrainOutcome<T::Net>, TrainError> {
    let Plan { label, training, phases, fingerprint, .. } = task.plan();
    let total: u64 = phases.iter().map(|p| p.config.steps).sum();
    let store = Store::new(checkpoint, label);
    let fresh = task.init();
    let mut run = match store.load(fingerprint, &fresh, training.average.is_some(), adam(T::CLIP))? {
        Some(loaded) => {
            observer.on_event(&TrainEvent::Resumed { step: loaded.state.step });
            Run {
                net: Some(loaded.net.train()),
                best: loaded.best,
                average: loaded.average,
                optimizer: loaded.optimizer,
                state: loaded.state,
            }
        }
        None => Run {
            best: fresh.valid(),
            average: training.average.map(|_| fresh.valid()),
            net: Some(fresh),
            optimizer: adam(T::CLIP),
            state: State {
                fingerprint: fingerprint.clone(),
                phase: 0,
                phase_step: 0,
                step: 0,
                best: None,
                since_best: 0,
                loss_sum: 0.0,
                loss_count: 0,
                seconds: 0.0,
                finished: false,
                curve: Vec::new(),
            },
        },
    };
    let started = Instant::now();
    let before = run.state.seconds;
    let first_step = run.state.step;
    while !run.state.finished {
        let phase = &phases[run.state.phase];
        if run.state.phase_step == 0 {
            observer.on_event(&TrainEvent::Phase { label, phase, total });
        }
        if interrupt.load(Ordering::SeqCst) {
            run.state.seconds = before + started.elapsed().as_secs_f64();
            run.save(&store)?;
            return Ok(run.outcome(TrainStop::Interrupted));
        }
        run.step(task, phase)?;
        let rate = (run.state.step - first_step) as f64 / started.elapsed().as_secs_f64().max(1e-9);
        observer.on_event(&TrainEvent::Step { step: run.state.step, total, rate });
        let ends = run.state.phase_step >= phase.config.steps;
        if ends || run.state.phase_step % training.validation_every == 0 {
            run.state.seconds = before + started.elapsed().as_secs_f64();
            let stalled = run.validate(task, phase)?;
            observer.on_event(&TrainEvent::Validated(run.state.curve.last().expect("a row was just added")));
            if ends || stalled {
                run.next_phase(phases.len(), T::CLIP);
            }
            run.save(&store)?;
        }
    }
    Ok(run.outcome(TrainStop::Finished))
}

/// A run in memory.
struct Run<N> {
    /// `None` only during a step of the optimiser, which owns the weights meanwhile and so can update them in place.
    net: Option<N>,
    best: N,
    /// Moving average of the weights, where the task wants one.
    average: Option<N>,
    optimizer: ModuleOptimizer,
    state: State,
}

impl<N: Module + 'static> Run<N> {
    fn net(&self) -> &N {
        self.net.as_ref().expect("a step puts the network back")
    }

    fn save(&self, store: &Store) -> Result<(), TrainError> {
        store.save(&self.state, self.net(), &self.best, self.average.as_ref(), &self.optimizer)
    }

    /// The loss, where it is a number.
    fn finite<T: TrainTask<Net = N>>(&self, task: &T, phase: &Phase, loss: f64) -> Result<f64, TrainError> {
        if loss.is_finite() {
            return Ok(loss);
        }
        let label = task.plan().label.clone();
        Err(TrainError::Diverged { label, phase: phase.name.clone(), step: self.state.step })
    }

    /// One Adam step.
    fn step<T: TrainTask<Net = N>>(&mut self, task: &T, phase: &Phase) -> Result<(), TrainError> {
        let batch = task.batch(self.state.step, phase)?;
        let loss = task.loss(self.net(), &batch, phase);
        let value = self.finite(task, phase, task.plan().scalar(loss.clone().detach())?)?;
        let mut grads = loss.backward();
        let decay = if phase.config.cosine {
            0.5 * (1.0 + (std::f64::consts::PI * self.state.phase_step as f64 / phase.config.steps as f64).cos())
        } else {
            1.0
        };
        for group in task.groups(self.net(), phase) {
            let part = GradientsParams::from_params(&mut grads, self.net(), &group.ids);
            let stepped = self.net.take().map(|net| self.optimizer.step(group.rate * decay, net, part));
            self.net = stepped;
        }
        if let (Some(average), Some(decay)) = (self.average.take(), task.plan().training.average) {
            self.average = Some(blend(average, &self.net().valid(), memory(decay, self.state.phase_step)));
        }
        self.state.loss_sum += value;
        self.state.loss_count += 1;
        self.state.step += 1;
        self.state.phase_step += 1;
        Ok(())
    }

    /// Validates, keeps the best; true when patience has run out.
    fn validate<T: TrainTask<Net = N>>(&mut self, task: &T, phase: &Phase) -> Result<bool, TrainError> {
        let candidate = self.average.clone().unwrap_or_else(|| self.net().valid());
        let v = task.validate(&candidate, phase)?;
        // A NaN would stay the best for ever: no loss is smaller.
        self.finite(task, phase, v.loss)?;
        let s = &mut self.state;
        s.curve.push(TrainingPoint {
            step: s.step,
            phase: phase.name.clone(),
            seconds: s.seconds,
            train_loss: s.loss_sum / s.loss_count.max(1) as f64,
            validation_loss: v.loss,
            validation_ser: v.ser,
            validation_ber: v.ber,
        });
        (s.loss_sum, s.loss_count) = (0.0, 0);
        if s.best.is_none_or(|best| v.loss < best) {
            s.best = Some(v.loss);
            s.since_best = 0;
            self.best = candidate;
        } else {
            s.since_best += 1;
        }
        let patience = task.plan().training.patience;
        Ok(patience > 0 && s.since_best >= patience)
    }

    /// The next phase starts from the best checkpoint of this one, with a fresh optimiser.
    fn next_phase(&mut self, phases: usize, clip: Option<f32>) {
        self.net = Some(self.best.clone().train());
        self.average = self.average.take().map(|_| self.best.clone());
        self.optimizer = adam(clip);
        let s = &mut self.state;
        s.phase += 1;
        s.phase_step = 0;
        s.best = None;
        s.since_best = 0;
        s.finished = s.phase >= phases;
    }

    fn outcome(self, stop: TrainStop) -> TrainOutcome<N> {
        TrainOutcome {
            net: self.best,
            stop,
            steps: self.state.step,
            seconds: self.state.seconds,
            curve: self.state.curve,
        }
    }
}
