//! Training: an executor that owns the loop, time, Ctrl-C, early stopping and checkpoints, and tasks that only say what
//! a batch, a loss and a validation are.
//!
//! A run is a list of [`Phase`]s. Each phase trains a chosen set of parameters with Adam, keeps the checkpoint with the
//! best validation loss, may end early, and hands that checkpoint to the next phase. Everything random is a function of
//! the step, and the whole state is saved at every validation, so a run that was killed at any moment resumes to the
//! same weights on a CPU.

mod adam;
mod average;
mod checkpoint;
mod config;
mod curve;
mod error;
mod executor;
mod parameters;
mod plan;
mod task;

pub use adam::adam;
pub use config::{PhaseConfig, PhaseKind, TrainingConfig};
pub use curve::TrainingPoint;
pub use error::TrainError;
pub use executor::{TrainOutcome, TrainStop, train};
pub use parameters::{
    EachParameter, Parameter, Rate, RateGroup, Rated, Rates, each_parameter, parameters, rate_groups,
};
pub use plan::{Judged, Phase, Plan, in_chunks};
pub use task::{TrainEvent, TrainObserver, TrainTask, Validation};
