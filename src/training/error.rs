//! Errors of trainings.

/// What can go wrong while a network is trained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The loss became infinite or NaN.
    #[error(
        "{label}: the training loss is not finite at step {step} of phase {phase}; lower the learning rates (training.phases[].lr, scalar_lr, pilot_lr)"
    )]
    Diverged {
        /// Which network.
        label: String,
        /// Phase name.
        phase: String,
        /// Step of the run.
        step: u64,
    },
    /// A checkpoint cannot be written or read.
    #[error("{label}: checkpoint {path}")]
    Checkpoint {
        /// Which network.
        label: String,
        /// Folder.
        path: String,
        /// Cause.
        #[source]
        source: Box<crate::container::IoError>,
    },
    /// A checkpoint is whole but belongs to something else.
    #[error("{label}: checkpoint {path}: {problem}; use --fresh to train from the start")]
    Mismatch {
        /// Which network.
        label: String,
        /// Folder.
        path: String,
        /// What differs.
        problem: String,
    },
    /// Frames could not be made.
    #[error("{0}")]
    Scenario(#[from] crate::scenario::ScenarioError),
    /// The device failed.
    #[error("{label}: backend error: {message}")]
    Device {
        /// Which network.
        label: String,
        /// Its message.
        message: String,
    },
}
